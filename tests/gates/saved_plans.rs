//! Plans that were saved to be run as they are.

use super::{behind, deploy, staging_url};

#[test]
fn a_saved_plan_is_run_exactly_or_not_at_all() {
    let project = behind("");
    project.pgdeploy(&["plan", "--env", "production", "--out", "saved.json"]).exits(0);
    let project = project.file("services.sh", "").file("elsewhere.json", "{}");
    deploy(&project, &["--plan", "elsewhere.json"]).exits(2).says("E421");
    deploy(&project, &["--plan", "none.json"]).exits(2).says("E421");
    // The database changes after the plan was made.
    project.client().run("CREATE TABLE a (id int PRIMARY KEY, b int); CREATE INDEX a_b_idx ON a (b)");
    project
        .pgdeploy(&["baseline", "--at", "1", "--reason", "by hand", "--env", "production", "--yes"])
        .exits(0);
    deploy(&project, &["--plan", "saved.json"])
        .exits(4)
        .says("E420")
        .says("schema 0001_a is not to be done any more");
    assert_eq!(project.client().number("count(*) FROM pgdeploy.deployments WHERE stages <> '{}'"), 0);
    project.pgdeploy(&["plan", "--env", "production", "--out", "saved.json"]).exits(0);
    deploy(&project, &["--plan", "saved.json"]).exits(0);
}

#[test]
fn a_saved_plan_is_gone_on_with_and_done_is_done() {
    let project = behind("").file("migrations/0002_c.sql", "ALTER TABLE nowhere ADD c int;");
    project.client().run("CREATE SCHEMA s");
    project.write("migrations/0002_c.sql", b"CREATE TABLE s.c (id int PRIMARY KEY);");
    project.pgdeploy(&["deploy", "--env", "staging"]).exits(1);
    crate::harness::Client::connect(&staging_url(&project)).run("CREATE SCHEMA s");
    project.pgdeploy(&["deploy", "--env", "staging"]).exits(0);
    project.pgdeploy(&["plan", "--env", "production", "--out", "saved.json"]).exits(0);
    project.client().run("DROP SCHEMA s");
    deploy(&project, &["--plan", "saved.json"]).exits(1).says("1 of 2 migrations");
    project.client().run("CREATE SCHEMA s");
    deploy(&project, &["--plan", "saved.json"]).exits(0).says("SUCCEEDED");
    deploy(&project, &["--plan", "saved.json"]).exits(0).says("NOTHING TO DO");
}
