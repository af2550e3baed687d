//! Mending, going back, snapshots, and proving a release before anybody needs it.

use crate::harness::Project;

const STAGES: &str = "stages: { schema: { when_empty: snapshot } }\n";

fn two_files() -> Project {
    Project::new()
        .file("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);")
        .file("migrations/0002_b.sql", "CREATE TABLE b (id int PRIMARY KEY);")
        .file("migrations/0002_b.down.sql", "DROP TABLE b;")
}

#[test]
fn what_was_run_by_hand_is_marked_as_applied_only_where_the_catalog_holds_it() {
    let project = two_files();
    project.deploy().exits(0);
    let project = project.file("migrations/0003_c.sql", "ALTER TABLE a ADD COLUMN c int;");
    let mark = ["repair", "mark-applied", "3", "--reason", "by hand at night"];
    project
        .pgdeploy(&[&mark[..], &["--yes"]].concat())
        .exits(5)
        .says("E127")
        .says("column a.c does not exist");
    let mut client = project.client();
    client.run("ALTER TABLE a ADD COLUMN c int");
    project.pgdeploy(&mark).exits(0).says("0003_c counts as applied").says("Nothing was done");
    assert_eq!(client.number("count(*) FROM pgdeploy.migrations"), 2, "looking changes nothing");
    project.pgdeploy(&[&mark[..], &["--yes"]].concat()).exits(0).says("REPAIRED");
    project.deploy().exits(0).says("NOTHING TO DO");
    assert_eq!(client.text("kind FROM pgdeploy.migrations WHERE version = 3"), "repaired");
    let reason = "body ->> 'reason' FROM pgdeploy.journal WHERE event = 'history.repaired'";
    assert_eq!(client.text(reason), "by hand at night");
}

#[test]
fn a_migration_is_marked_as_rolled_back_only_where_nothing_of_it_is_left() {
    let project = two_files();
    project.deploy().exits(0);
    let mark = ["repair", "mark-rolled-back", "2", "--reason", "dropped by mistake", "--yes"];
    project.pgdeploy(&mark).exits(5).says("E127").says("relation b exists");
    let mut client = project.client();
    client.run("DROP TABLE b");
    project.pgdeploy(&mark).exits(0).says("REPAIRED");
    assert_eq!(client.text("reason FROM pgdeploy.migrations_undone WHERE version = 2"), "dropped by mistake");
    project.deploy().exits(0).says("0002_b");
    assert!(client.is("to_regclass('b') IS NOT NULL"));
}

#[test]
fn an_edit_that_was_meant_is_accepted_where_the_catalog_agrees() {
    let project = two_files();
    project.deploy().exits(0);
    project.write("migrations/0001_a.sql", b"CREATE TABLE a (id int PRIMARY KEY, more int);");
    let accept = ["repair", "accept-checksum", "1", "--reason", "added by hand", "--yes"];
    project.pgdeploy(&accept).exits(5).says("column a.more does not exist");
    project.write("migrations/0001_a.sql", b"-- The first table.\nCREATE TABLE a (id int PRIMARY KEY);");
    project.deploy().exits(5).says("comments or blanks only").says("accept-checksum 1");
    project.pgdeploy(&accept).exits(0).says("comments or blanks only");
    project.deploy().exits(0).says("NOTHING TO DO");
    project.pgdeploy(&accept).exits(5).says("nothing to accept");
    project.pgdeploy(&["repair", "accept-checksum", "9", "--reason", "x"]).exits(5).says("version 9");
    project.pgdeploy(&["repair", "accept-checksum", "1", "--reason", ""]).exits(2);
}

#[test]
fn a_rollback_runs_the_text_that_stood_beside_the_file_when_it_was_applied() {
    let project = two_files();
    project.deploy().exits(0);
    let mut client = project.client();
    project.remove("migrations/0002_b.down.sql");
    let back = ["rollback", "--to", "1", "--reason", "withdrawn"];
    project.pgdeploy(&back).exits(0).says("0002_b").says("E128").says("Nothing was done");
    project.pgdeploy(&[&back[..], &["--yes"]].concat()).exits(4).says("E128").says("--allow-data-loss");
    assert!(client.is("to_regclass('b') IS NOT NULL"), "nothing was touched");
    project.pgdeploy(&[&back[..], &["--yes", "--allow-data-loss"]].concat()).exits(0).says("ROLLED BACK");
    assert!(client.is("to_regclass('b') IS NULL"));
    assert_eq!(client.text("how FROM pgdeploy.migrations_undone"), "rolled back");
    project
        .pgdeploy(&["rollback", "--to", "0", "--reason", "all of it"])
        .exits(5)
        .says("E129")
        .says("0001_a");
    project.pgdeploy(&back).exits(0).says("NOTHING TO DO");
    project.deploy().exits(0).says("0002_b");
}

#[test]
fn what_has_succeeded_is_recorded_once_and_anew_when_it_was_taken_back() {
    let project = two_files();
    let mut client = project.client();
    let mut recorded =
        || client.text("string_agg(deployment::text, ' ' ORDER BY path) FROM pgdeploy.succeeded_files");
    project.deploy().exits(0);
    project.deploy().exits(0).says("NOTHING TO DO");
    assert_eq!(recorded(), "1 1");
    let back = ["rollback", "--to", "1", "--reason", "x", "--yes", "--allow-data-loss"];
    project.pgdeploy(&back).exits(0).says("ROLLED BACK");
    assert_eq!(recorded(), "1");
    project.deploy().exits(0).says("0002_b");
    assert_eq!(recorded(), "1 4");
    // Another release that has the same files, and more.
    let project = project.file("migrations/0003_c.sql", "CREATE TABLE c (i int);");
    project.deploy().exits(0).says("0003_c");
    assert_eq!(recorded(), "1 4 5");
}

#[test]
fn a_rollback_that_fails_leaves_the_migration_in() {
    let project = two_files().file("migrations/0002_b.down.sql", "DROP TABLE nothing;");
    project.deploy().exits(0);
    let back = ["rollback", "--to", "1", "--reason", "x", "--yes", "--allow-data-loss"];
    project.pgdeploy(&back).exits(1).says("E108").says("0 of 1 migration taken back");
    assert_eq!(project.client().number("count(*) FROM pgdeploy.migrations"), 2);
    assert_eq!(project.client().number("count(*) FROM pgdeploy.migrations_undone"), 0);
}

#[test]
fn an_empty_database_gets_the_snapshot_in_place_of_the_files_it_stands_for() {
    let project = two_files().pipeline(STAGES);
    project.pgdeploy(&["snapshot"]).exits(0).says("wrote schema.sql");
    let project = project.file("migrations/0003_c.sql", "CREATE TABLE c (id int);");
    project.pgdeploy(&["plan"]).exits(0).says("schema.sql").says("in place of 2 migrations").says("0003_c");
    project.deploy().exits(0).says("stands for 2 migrations").says("0003_c");
    let mut client = project.client();
    assert_eq!(client.number("count(*) FROM pgdeploy.migrations WHERE kind = 'snapshot'"), 2);
    assert!(client.is("to_regclass('a') IS NOT NULL AND to_regclass('b') IS NOT NULL"));
    project.deploy().exits(0).says("NOTHING TO DO");
}

#[test]
fn a_snapshot_of_other_files_is_refused() {
    let project = two_files().pipeline(STAGES);
    project.deploy().exits(2).says("E210").says("write it: pgdeploy snapshot");
    project.pgdeploy(&["snapshot"]).exits(0);
    project.write("migrations/0002_b.sql", b"CREATE TABLE b (id bigint PRIMARY KEY);");
    project.deploy().exits(5).says("E126").says("another text of 0002_b").says("pgdeploy snapshot");
    project.write("schema.sql", b"CREATE TABLE a (id int);");
    project.deploy().exits(5).says("E126").says("does not say which files");
    assert_eq!(project.client().text("to_regnamespace('pgdeploy')"), "NULL", "nothing was touched");
}

#[test]
fn a_release_is_proven_on_a_throwaway_server() {
    let project = two_files()
        .file("migrations/0003_grant.sql", "GRANT SELECT ON a TO crm_reader;")
        .file("indexes/a.sql", "CREATE INDEX a_id ON a (id) WHERE id > 7;");
    project.pgdeploy(&["snapshot"]).exits(0);
    project
        .pgdeploy(&["check", "--apply"])
        .exits(0)
        .says("3 migrations, 1 index, 0 backfills")
        .says("1 migration; 2 without a .down.sql")
        .says("schema.sql makes what the files make")
        .says("crm_reader")
        .says("APPLIES");
    project.write("migrations/0002_b.down.sql", b"DROP TABLE b; ALTER TABLE a ADD COLUMN odd int;");
    project.pgdeploy(&["check", "--apply"]).exits(2).says("E130").says("+ column public.a.odd");
    project.write("migrations/0002_b.down.sql", b"DROP TABLE b;");
    project.write("migrations/0004_late.sql", b"ALTER TABLE nowhere ADD COLUMN x int;");
    project.pgdeploy(&["check", "--apply"]).exits(1).says("0004_late.sql:1:1").says("does not exist");
    project.write("migrations/0004_late.sql", b"CREATE TABLE late (id int);");
    project.write("indexes/b.sql", b"CREATE INDEX b_x ON b (x);");
    project.pgdeploy(&["check", "--apply"]).exits(2).says("E133").says("indexes/b.sql");
}

#[test]
fn what_waits_for_a_backfill_comes_in_once_that_is_proven() {
    let project = Project::new()
        .file("migrations/0001_t.sql", "CREATE TABLE t (id int PRIMARY KEY, a int, b int);")
        .file("backfills/0001_b.sql", "UPDATE t SET b = a WHERE b IS NULL;");
    project.deploy().exits(0);
    let mut client = project.client();
    client.run("INSERT INTO t SELECT g, g FROM generate_series(1, 100) g");
    let contract = "-- pgdeploy:\n--   requires_backfill: [0001_b]\n--   allow: [drop-column]\n--   reason: nobody reads a any more\nALTER TABLE t DROP COLUMN a;";
    let project = project.file("migrations/0002_contract.sql", contract);
    project.pgdeploy(&["plan"]).exits(0).says("deferred: waits for the backfill 0001_b");
    project
        .deploy()
        .says("deferred: waits for the backfill 0001_b: it was complete, but rows match its WHERE again");
    assert!(client.is("EXISTS (SELECT FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'a' AND NOT attisdropped)"));
    client.run("UPDATE t SET b = a WHERE b IS NULL");
    project.deploy().exits(0).says("0002_contract");
    assert!(!client.is("EXISTS (SELECT FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'a' AND NOT attisdropped)"));
}

#[test]
fn an_empty_database_gets_everything_in_one_deploy_and_the_last_phase_comes_last() {
    let contract = "-- pgdeploy:\n--   requires_backfill: [0001_b]\n--   allow: [drop-column]\n--   reason: nobody reads a any more\nALTER TABLE t DROP COLUMN a;";
    let project = Project::new()
        .file("migrations/0001_t.sql", "CREATE TABLE t (id int PRIMARY KEY, a int, b int);")
        .file("migrations/0002_contract.sql", contract)
        .file("migrations/0003_last.sql", "-- pgdeploy:\n--   phase: post\nCREATE TABLE last (id int);")
        .file("backfills/0001_b.sql", "UPDATE t SET b = 1 WHERE b IS NULL;");
    let outcome = project.pgdeploy(&["deploy", "--format", "jsonl"]).exits(0);
    let applied: Vec<String> = outcome
        .events()
        .iter()
        .filter(|event| event["event"] == "migration.applied")
        .map(|event| event["migration"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(applied, ["0001_t", "0002_contract", "0003_last"]);
    project.deploy().exits(0).says("NOTHING TO DO");
}
