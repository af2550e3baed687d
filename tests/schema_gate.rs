//! The hard gate: what is in is in once, what fails leaves nothing behind, and the deploy goes on from there.

use crate::harness::{Project, until};

fn three_files() -> Project {
    Project::new()
        .file("migrations/0001_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY);")
        .file(
            "migrations/0002_b.sql",
            "CREATE TABLE b (id bigint PRIMARY KEY);\nALTER TABLE nowhere ADD c int;\n",
        )
        .file("migrations/0003_c.sql", "CREATE TABLE c (id bigint PRIMARY KEY);")
        .file("indexes/a.sql", "CREATE INDEX a_idx ON a (id);")
}

#[test]
fn the_second_of_three_files_fails_and_the_deploy_stops_there() {
    let project = three_files();
    let failed =
        project.deploy().exits(1).says("E108").says("migrations/0002_b.sql:2:1").says("1 of 3 migrations");
    assert!(failed.stdout.contains("0001_a"), "what was applied is told: {}", failed.stdout);
    let mut client = project.client();
    assert_eq!(client.text("to_regclass('a')"), "a");
    assert_eq!(client.text("to_regclass('b')"), "NULL", "the second file was rolled back whole");
    assert_eq!(client.text("to_regclass('c')"), "NULL", "the third file did not run");
    assert_eq!(client.text("to_regclass('a_idx')"), "NULL", "no stage runs behind a shut gate");

    let project = project.file("migrations/0002_b.sql", "CREATE TABLE b (id bigint PRIMARY KEY);");
    let fixed = project.deploy().exits(0);
    assert!(!fixed.stdout.contains("0001_a "), "it goes on at the second: {}", fixed.stdout);
    assert_eq!(client.number("count(*) FROM pgdeploy.migrations"), 3);
    assert_eq!(client.text("to_regclass('a_idx')"), "a_idx");
}

#[test]
fn a_clean_database_gets_everything_and_the_second_deploy_is_a_no_op() {
    let project = Project::new()
        .file("migrations/0001_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY, done boolean);")
        .file("migrations/0002_rows.sql", "INSERT INTO a VALUES (1), (2);")
        .file("indexes/a.sql", "CREATE INDEX a_done_idx ON a (done);")
        .file("backfills/0001_done.sql", "UPDATE a SET done = true WHERE done IS NULL;");
    project.deploy().exits(0).says("SUCCEEDED");
    let mut client = project.client();
    assert_eq!(client.number("count(*) FROM a WHERE done"), 2);
    assert!(client.is("(SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_done_idx'::regclass)"));
    let before = client.text("(SELECT string_agg(relname || relfilenode, ',' ORDER BY oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace)");
    project.deploy().exits(0).says("NOTHING TO DO");
    let after = client.text("(SELECT string_agg(relname || relfilenode, ',' ORDER BY oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace)");
    assert_eq!(before, after);
    assert_eq!(client.number("count(*) FROM pgdeploy.deployments WHERE status = 'succeeded'"), 2);
}

#[test]
fn a_blocked_migration_gives_way_names_who_blocks_and_gets_in_when_the_way_is_free() {
    let project = Project::new().pipeline("stages: { schema: { lock_timeout: 300ms, retry_for: 60s } }\n");
    let project = project.file("migrations/0000_busy.sql", "CREATE TABLE busy (id int);");
    project.deploy().exits(0);
    let mut reader = project.client();
    reader.run("BEGIN; SELECT * FROM busy");
    let pid = reader.pid();
    let project = project.file("migrations/0001_add.sql", "ALTER TABLE busy ADD c int;");
    let running = project.start(&["deploy", "--format", "jsonl"]);
    let mut watcher = project.client();
    until("an attempt gives way", || {
        watcher.is("to_regclass('pgdeploy.journal') IS NOT NULL")
            && watcher.is("EXISTS (SELECT FROM pgdeploy.journal WHERE event = 'migration.retrying')")
    });
    reader.run("COMMIT");
    let outcome = running.wait().exits(0);
    let retry =
        outcome.events().into_iter().find(|event| event["event"] == "migration.retrying").expect("a retry");
    assert_eq!(retry["blocked_by"][0]["pid"], pid);
    assert_eq!(retry["sqlstate"], "55P03");
}

#[test]
fn patience_that_ends_is_75_with_nothing_of_the_file_in_the_database() {
    let project = Project::new().pipeline("stages: { schema: { lock_timeout: 200ms, retry_for: 1s } }\n");
    let project = project.file("migrations/0000_busy.sql", "CREATE TABLE busy (id int);");
    project.deploy().exits(0);
    let mut reader = project.client();
    reader.run("BEGIN; SELECT * FROM busy");
    let project = project
        .file("migrations/0001_first.sql", "CREATE TABLE first (id int);")
        .file("migrations/0002_add.sql", "CREATE TABLE before (id int);\nALTER TABLE busy ADD c int;");
    let pid = reader.pid();
    project.deploy().exits(75).says("E101").says(&format!("blocked by pid {pid}")).says("FAILED, try again");
    reader.run("COMMIT");
    assert_eq!(reader.text("to_regclass('before')"), "NULL");
    assert_eq!(reader.text("to_regclass('first')"), "first", "what came in before it stays");
    project.deploy().exits(0);
}

#[test]
fn settings_and_roles_of_one_file_do_not_leak_into_the_next() {
    let project = Project::new()
        .file("migrations/0001_dump.sql", "SELECT pg_catalog.set_config('search_path', '', false); SET lock_timeout = '1ms'; SET ROLE pg_monitor;")
        .file("migrations/0002_next.sql", "CREATE TABLE plain (id int);\nSELECT 1 / (current_setting('lock_timeout') = '500ms')::int;");
    project.deploy().exits(0);
    assert_eq!(project.client().text("to_regclass('public.plain')"), "plain");
}

#[test]
fn a_file_that_ends_its_own_transaction_behind_the_grammars_back_is_found_out() {
    let sneaky = "CREATE PROCEDURE sneak() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;";
    let project = Project::new()
        .file("migrations/0001_proc.sql", sneaky)
        .file("migrations/0002_call.sql", "CALL sneak();");
    // PostgreSQL itself refuses a COMMIT inside a CALL inside a transaction block; either way the gate stays shut.
    project.deploy().exits(1);
    assert_eq!(project.client().number("count(*) FROM pgdeploy.migrations"), 1);
}
