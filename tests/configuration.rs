//! Which environment, which file, which folder.

use crate::harness::{Example, Project};

#[test]
fn the_only_environment_is_the_default_and_production_is_never_guessed() {
    Project::new().file("migrations/0001_a.sql", "SELECT 1;").deploy().exits(0).says("-> prod");
    let two = Project::new().file(
        "pipeline.yaml",
        "version: 1\nname: test\nenvironments:\n  staging: { database: \"${TEST_URL}\" }\n  production: { database: \"${TEST_URL}\" }\n",
    );
    two.deploy().exits(2).says("--env").says("staging").says("production");
}

#[test]
fn an_unset_variable_is_named_with_its_place_and_other_environments_do_not_need_it() {
    let project = Project::new().file("migrations/0001_a.sql", "SELECT 1;").file(
        "pipeline.yaml",
        "version: 1\nname: test\nenvironments:\n  dev: { database: \"${TEST_URL}\" }\n  production: { database: \"${UNSET_PRODUCTION_URL}\" }\n",
    );
    project.pgdeploy(&["check"]).exits(0);
    project.pgdeploy(&["deploy", "--env", "dev"]).exits(0);
    project
        .pgdeploy(&["deploy", "--env", "production"])
        .exits(2)
        .says("UNSET_PRODUCTION_URL")
        .says("pipeline.yaml:5");
}

#[test]
fn the_example_is_fine_and_check_needs_no_database() {
    Example::with_leads(300_000).pgdeploy(&["check"]).exits(0).says("12 migrations");
}

#[test]
fn a_pipeline_elsewhere_is_read_with_its_own_folders() {
    let project = Project::new().file("migrations/0001_a.sql", "CREATE TABLE a (id int);");
    let config = project.path().join("pipeline.yaml");
    let elsewhere = Project::new().variable("TEST_URL", &project.url);
    elsewhere.pgdeploy(&["deploy", "--config", config.to_str().expect("a path")]).exits(0).says("0001_a");
}

#[test]
fn another_pipeline_in_the_same_ledger_is_refused_with_the_way_out() {
    let project = Project::new().file("migrations/0001_a.sql", "SELECT 1;");
    project.deploy().exits(0);
    let other = Project::at(&project.url).file(
        "pipeline.yaml",
        "version: 1\nname: other\nenvironments: { prod: { database: \"${TEST_URL}\" } }\n",
    );
    other.deploy().exits(2).says("E312").says("ledger_schema");
}

#[test]
fn init_writes_a_pipeline_that_deploys_and_overwrites_nothing() {
    let project = Project::new();
    project.remove("pipeline.yaml");
    project.pgdeploy(&["init"]).exits(0).says("wrote    ");
    project.pgdeploy(&["new", "migration", "Add phone"]).exits(0).says("migrations/0002_add_phone.sql");
    project.write("migrations/0002_add_phone.sql", b"ALTER TABLE customers ADD phone text;");
    project.deploy().exits(0).says("-> dev").says("0002_add_phone");
    project.pgdeploy(&["init"]).exits(0).says("kept     pipeline.yaml");
    project.deploy().exits(0).says("NOTHING TO DO");
}

#[test]
fn status_of_an_environment_does_not_need_the_ones_before_it() {
    let project = Project::new().file(
        "pipeline.yaml",
        "version: 1\nname: test\nenvironments:\n  staging: { database: \"${UNSET_STAGING_URL}\" }\n  production: { database: \"${TEST_URL}\", after: [staging] }\n",
    );
    project.pgdeploy(&["status", "--env", "production"]).exits(0).says("never deployed to");
    project.pgdeploy(&["plan", "--env", "production"]).exits(2).says("UNSET_STAGING_URL");
}

#[test]
fn new_refuses_a_name_without_a_letter_or_digit() {
    let project = Project::new();
    for name in ["", "  ", "--!--", "///"] {
        project.pgdeploy(&["new", "migration", "--", name]).exits(2).says("needs a letter or a digit");
    }
    assert!(!project.path().join("migrations").exists());
    project.pgdeploy(&["new", "migration", "Add  e-mail!"]).exits(0).says("migrations/0001_add_e_mail.sql");
}
