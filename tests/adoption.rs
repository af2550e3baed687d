//! Databases that somebody else has made: recognised, never run over, adopted when a person vouches for them.

use crate::harness::Project;

fn two_files() -> Project {
    Project::new()
        .file("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);")
        .file("migrations/0002_b.sql", "CREATE TABLE b (id int PRIMARY KEY);")
}

#[test]
fn a_database_with_objects_and_no_history_is_refused_and_a_baseline_adopts_it() {
    let project = two_files();
    let mut client = project.client();
    client.run("CREATE TABLE a (id int PRIMARY KEY)");
    project.deploy().exits(5).says("E107").says("public.a").says("pgdeploy baseline");
    assert_eq!(client.text("to_regnamespace('pgdeploy')"), "NULL", "nothing was touched");

    let baseline = ["baseline", "--at", "0001", "--reason", "made by hand in 2019"];
    project.pgdeploy(&baseline).exits(0).says("0001_a").says("Nothing was done");
    assert_eq!(client.text("to_regnamespace('pgdeploy')"), "NULL", "looking changes nothing");
    project.pgdeploy(&[&baseline[..], &["--yes"]].concat()).exits(0).says("BASELINED");
    project.deploy().exits(0).says("0002_b");
    assert_eq!(client.number("count(*) FROM pgdeploy.migrations WHERE kind = 'baseline'"), 1);
    assert_eq!(
        client.text("body ->> 'reason' FROM pgdeploy.journal WHERE event = 'history.baselined'"),
        "made by hand in 2019"
    );
    project
        .pgdeploy(&[&baseline[..], &["--yes"]].concat())
        .exits(5)
        .says("E115")
        .says("has a history already");
    let project = project.file("migrations/0001_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY);");
    project.deploy().exits(5).says("E102");
}

#[test]
fn another_tools_history_is_named() {
    let project = two_files();
    project.client().run("CREATE TABLE alembic_version (version_num text PRIMARY KEY)");
    project.deploy().exits(5).says("E107").says("Alembic").says("public.alembic_version");
    project.pgdeploy(&["plan"]).exits(5).says("E107");
}

#[test]
fn a_baseline_at_a_version_that_no_file_has_is_refused() {
    let project = two_files();
    project.pgdeploy(&["baseline", "--at", "7", "--reason", "none", "--yes"]).exits(5).says("version 7");
}

#[test]
fn a_second_pipeline_beside_a_first_one_says_that_what_is_there_is_not_its_own() {
    let first = two_files();
    first.deploy().exits(0);
    let second = |name: &str, files: &[&str]| {
        let text = format!(
            "version: 1\nname: {name}\nledger_schema: pgdeploy_{name}\nenvironments: {{ prod: {{ database: \"${{TEST_URL}}\" }} }}\n"
        );
        let project = Project::at(&first.url).file("pipeline.yaml", &text);
        files.iter().fold(project, |project, file| {
            project.file(
                &format!("migrations/0001_{file}.sql"),
                &format!("CREATE TABLE {file} (id int PRIMARY KEY);"),
            )
        })
    };
    let project = second("other", &["other"]);
    let refused = project.deploy().exits(5).says("E107").says("2 tables").says("pgdeploy baseline --none");
    assert!(!refused.stdout.contains("pgdeploy.deployments"), "the first one's ledger is nobody's object");
    project.pgdeploy(&["baseline", "--none", "--reason", "a test"]).exits(0).says("Nothing was done");
    project.pgdeploy(&["baseline", "--none", "--reason", "a test", "--yes"]).exits(0).says("BASELINED");
    project.pgdeploy(&["plan"]).exits(0).says("0001_other");
    project.deploy().exits(0).says("0001_other");
    project.deploy().exits(0).says("NOTHING TO DO");
    project.pgdeploy(&["baseline", "--none", "--reason", "a test", "--yes"]).exits(5).says("E115");

    let empty = Project::new();
    empty.client().run("CREATE SCHEMA pgdeploy_x; CREATE TABLE pgdeploy_x.ledger (component text, version int, tool_version text); CREATE TABLE pgdeploy_x.journal (id int)");
    empty.file("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);").deploy().exits(0);
}
