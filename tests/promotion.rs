//! Nothing reaches an environment that has not succeeded, byte for byte, in the ones before it.

use crate::harness::{Project, database};

/// dev -> staging -> production, three databases.
fn walk() -> Project {
    let project =
        Project::new().variable("STAGING_URL", &database()).variable("PRODUCTION_URL", &database()).file(
            "pipeline.yaml",
            "version: 1
name: test
environments:
  dev: { database: \"${TEST_URL}\" }
  staging: { database: \"${STAGING_URL}\", after: [dev] }
  production: { database: \"${PRODUCTION_URL}\", after: [staging] }
",
        );
    project
        .file("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY, b int);")
        .file("indexes/a.sql", "CREATE INDEX a_b_idx ON a (b);")
        .file("backfills/0001_b.sql", "UPDATE a SET b = 1 WHERE b IS NULL;")
}

fn to(environment: &str) -> [&str; 3] {
    ["deploy", "--env", environment]
}

#[test]
fn the_same_release_walks_from_dev_to_staging_to_production() {
    let project = walk();
    for environment in ["dev", "staging", "production"] {
        project.pgdeploy(&to(environment)).exits(0);
    }
    project.pgdeploy(&to("production")).exits(0).says("NOTHING TO DO");
}

#[test]
fn production_before_staging_is_refused_with_every_missing_file_and_nothing_is_touched() {
    let project = walk();
    project.pgdeploy(&to("dev")).exits(0);
    let refused =
        project.pgdeploy(&to("production")).exits(4).says("E401").says("pgdeploy deploy --env staging");
    for file in ["migrations/0001_a.sql", "indexes/a.sql", "backfills/0001_b.sql"] {
        assert!(refused.stdout.contains(file), "{file} in {}", refused.stdout);
    }
    let plan = project.pgdeploy(&["plan", "--env", "production"]).exits(4);
    assert!(plan.stderr.contains("E401"), "plan says what deploy would say");
    let status = project.pgdeploy(&["status", "--env", "production", "--format", "json"]).exits(0).json();
    assert!(status["last"].is_null(), "no trace of ours: {status}");
}

#[test]
fn one_byte_changed_on_the_way_is_refused() {
    let project = walk();
    project.pgdeploy(&to("dev")).exits(0);
    let project = project.file("indexes/a.sql", "CREATE INDEX a_b_idx ON a (b); -- later");
    project.pgdeploy(&to("staging")).exits(4).says("indexes/a.sql succeeded there with other bytes");
}

#[test]
fn a_backfill_that_is_incomplete_upstream_has_not_succeeded_there() {
    let project = walk()
        .file("migrations/0002_dup.sql", "INSERT INTO a VALUES (1, 5), (2, 5);")
        .file("indexes/b.sql", "CREATE UNIQUE INDEX a_b_key ON a (b);");
    project.pgdeploy(&to("dev")).exits(0).says("W202");
    let refused = project.pgdeploy(&to("staging")).exits(4).says("indexes/b.sql has not succeeded there");
    assert!(
        !refused.stdout.contains("indexes/a.sql"),
        "what did succeed is not in the list: {}",
        refused.stdout
    );
}

#[test]
fn deploy_production_is_the_deploy_to_production() {
    let project = walk();
    for environment in ["dev", "staging"] {
        project.pgdeploy(&to(environment)).exits(0);
    }
    project.deploy_production(&["--format", "json"]).exits(0);
    let status = project.pgdeploy(&["status", "--env", "production", "--format", "json"]).exits(0).json();
    assert_eq!(status["up_to_date"], true);
}

#[test]
fn an_environment_without_a_database_is_an_error_and_never_the_embedded_one() {
    let project = Project::new()
        .file("pipeline.yaml", "version: 1\nname: test\nenvironments:\n  prod: { after: [] }\n");
    project.deploy().exits(2).says("database");
    assert!(!project.path().join(".pgdeploy").exists());
}
