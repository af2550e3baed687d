//! History and files contradict each other: told by name, before anything is touched.

use crate::harness::Project;

fn deployed() -> Project {
    let project = Project::new()
        .file("migrations/0001_a.sql", "CREATE TABLE a (id int);\n")
        .file("migrations/0002_b.sql", "CREATE TABLE b (id int);\n");
    project.deploy().exits(0);
    project
}

#[test]
fn an_edited_file_is_named_by_status_and_deploy_and_services_are_never_stopped() {
    let project = deployed()
        .pipeline("services: { stop: { run: [touch, stopped] }, start: { run: [touch, started] } }\n");
    let project = project
        .file("migrations/0001_a.sql", "CREATE TABLE a (id bigint);\n")
        .file("migrations/0003_c.sql", "CREATE TABLE c (id int);\n");
    project.deploy().exits(5).says("E102").says("migrations/0001_a.sql").says("its SQL");
    project.pgdeploy(&["status"]).exits(5).says("E102");
    assert!(!project.path().join("stopped").exists());
    assert_eq!(project.client().text("to_regclass('c')"), "NULL");
}

#[test]
fn crlf_and_a_bom_are_not_edits_and_a_comment_is_told_apart() {
    let project = deployed();
    project.write("migrations/0001_a.sql", b"\xef\xbb\xbfCREATE TABLE a (id int);\r\n");
    project.deploy().exits(0).says("NOTHING TO DO");
    let project = project.file("migrations/0001_a.sql", "-- the first table\nCREATE TABLE a (id int);\n");
    project.deploy().exits(5).says("comments or blanks only");
}

#[test]
fn missing_out_of_order_duplicate_and_renamed_files_are_all_listed_at_once() {
    let project = deployed().file("migrations/0005_e.sql", "CREATE TABLE e (id int);");
    project.deploy().exits(0);
    project.remove("migrations/0001_a.sql");
    project.remove("migrations/0002_b.sql");
    let project = project
        .file("migrations/0002_renamed.sql", "CREATE TABLE b (id int);\n")
        .file("migrations/0003_late.sql", "SELECT 1;")
        .file("migrations/05_twice.sql", "SELECT 1;");
    let refused = project.deploy().exits(5);
    for code in ["E103", "E104", "E105", "E106"] {
        assert!(refused.stdout.contains(code), "{code} in {}", refused.stdout);
    }
}

#[test]
fn a_database_that_is_ahead_of_the_release_is_told_so() {
    let project = deployed();
    project.remove("migrations/0002_b.sql");
    project.deploy().exits(5).says("E110").says("ahead of this release");
}
