//! Backfills outside of a deploy: several processes, killed and frozen ones, and people who steer them.

use rustix::process::Signal;

use crate::harness::{Project, until};

const ROWS: u32 = 40_000;

/// A table of rows that have to be counted up once, and a backfill that does so in small steps.
fn counting(settings: &str) -> Project {
    let project = Project::new()
        .pipeline(&format!("stages: {{ backfill: {{ batch_size: 100, min_batch: 50, max_batch: 200, pause: 5ms{settings} }} }}\n"))
        .file("backfills/0001_touch.sql", "UPDATE r SET done = true, touched = touched + 1 WHERE NOT done;");
    project.client().run(&format!(
        "CREATE TABLE r (id int PRIMARY KEY, done boolean NOT NULL DEFAULT false, touched int NOT NULL DEFAULT 0); \
         INSERT INTO r SELECT g FROM generate_series(1, {ROWS}) g; ANALYZE r"
    ));
    project
}

const DONE: &str = "count(*) FROM r WHERE done";

#[test]
fn killed_processes_are_taken_over_by_those_that_live() {
    let project = counting("");
    let mut client = project.client();
    let run = ["backfill", "run", "--quiet"];
    let mut running: Vec<_> = (0..3).map(|_| project.start(&run)).collect();
    for round in 1..=8 {
        until("some rows are done", || client.number(DONE) >= i64::from(round) * 3_000);
        let victim = running.remove(0);
        victim.signal(Signal::KILL);
        victim.wait();
        running.push(project.start(&run));
    }
    for one in running {
        one.wait().exits(0).says("COMPLETE");
    }
    assert_eq!(client.number("count(*) FROM r WHERE touched = 1"), i64::from(ROWS));
    assert!(client.number("sum(take_overs) FROM pgdeploy.backfill_ranges") > 0);
    let standing = project.pgdeploy(&["backfill", "list", "--format", "json"]).exits(0).json();
    assert_eq!(standing["backfills"][0]["state"], "done");
    project.pgdeploy(&["backfill", "verify"]).exits(0).says("complete, proven now");
    project.deploy().exits(0).says("NOTHING TO DO");
}

#[test]
fn a_process_that_was_frozen_beyond_its_lease_writes_nothing_when_it_thaws() {
    // The server ends its open transaction after a second; then the range is another's.
    let project = counting(", idle_in_transaction_session_timeout: 1s");
    let mut client = project.client();
    let frozen = project.start(&["backfill", "run", "--quiet"]);
    until("some rows are done", || client.number(DONE) >= 1_000);
    frozen.signal(Signal::STOP);
    client.run("UPDATE pgdeploy.backfill_ranges SET lease_expires_at = clock_timestamp() - interval '1 second' WHERE state = 'leased'");
    project.pgdeploy(&["backfill", "run", "--quiet"]).exits(0).says("COMPLETE");
    assert_eq!(client.number("count(*) FROM r WHERE touched = 1"), i64::from(ROWS));
    frozen.signal(Signal::CONT);
    frozen.wait().exits(0);
    assert_eq!(client.number("count(*) FROM r WHERE touched = 1"), i64::from(ROWS));
}

#[test]
fn people_steer_it_from_anywhere_and_do_not_overwrite_each_other_unseen() {
    let project = counting("");
    let mut client = project.client();
    project.pgdeploy(&["backfill", "pause", "0001_touch"]).exits(2).says("E281");
    project.pgdeploy(&["backfill", "pause", "0001_tuch"]).exits(2).says("E280").says("0001_touch");
    let running = project.start(&["backfill", "run", "--detailed-exitcode"]);
    until("some rows are done", || {
        client.number("count(*) FROM pg_class WHERE relname = 'backfills'") == 1 && client.number(DONE) >= 500
    });
    project.pgdeploy(&["backfill", "pause", "0001_touch", "--actor", "alice"]).exits(0).says("revision 1");
    project.pgdeploy(&["backfill", "list"]).exits(0).says("paused");
    project
        .pgdeploy(&["backfill", "speed", "0001_touch", "--workers", "2", "--revision", "0"])
        .exits(4)
        .says("E403")
        .says("alice: pause");
    project.pgdeploy(&["backfill", "speed", "0001_touch", "--pause", "0s", "--revision", "1"]).exits(0);
    project.pgdeploy(&["backfill", "verify"]).exits(4).says("not complete");
    project.pgdeploy(&["backfill", "resume", "0001_touch"]).exits(0).says("revision 3");
    running.wait().exits(0).says("COMPLETE");
    assert_eq!(client.number("count(*) FROM r WHERE touched = 1"), i64::from(ROWS));
}

#[test]
fn a_run_that_is_told_to_stop_ends_its_batch_and_says_so() {
    let project = counting("");
    let mut client = project.client();
    let running = project.start(&["backfill", "run"]);
    until("some rows are done", || client.number(DONE) >= 500);
    running.signal(Signal::TERM);
    running.wait().exits(143).says("INTERRUPTED");
    assert_eq!(client.number("count(*) FROM pgdeploy.backfill_ranges WHERE state = 'leased'"), 0);
    assert_eq!(client.number("sum(rows_done) FROM pgdeploy.backfill_ranges"), client.number(DONE));
    project.pgdeploy(&["backfill", "run", "--budget", "1ms", "--detailed-exitcode"]).exits(3).says("W201");
}

#[test]
fn a_dry_run_and_a_plan_show_what_a_run_would_be_like_and_change_nothing() {
    let project = counting("");
    let mut client = project.client();
    client.run("CREATE INDEX r_done ON r (done)");
    project
        .pgdeploy(&["backfill", "run", "--dry-run"])
        .exits(0)
        .says("about 40,000")
        .says("r_done")
        .says("SKIP LOCKED")
        .says("nothing was changed");
    project.pgdeploy(&["plan", "--sql"]).exits(0).says("Tid Range Scan").says("pgdeploy_todo");
    let plan = project.pgdeploy(&["plan", "--format", "json"]).exits(0).json();
    assert_eq!(plan["backfill"]["preflight"][0]["hot_percent"], 0);
    assert_eq!(client.number(DONE), 0);
    assert_eq!(client.number("count(*) FROM pg_namespace WHERE nspname = 'pgdeploy'"), 0);
}

#[test]
fn rows_in_quarantine_are_listed_tried_again_and_accepted_by_name() {
    let project = counting("").file(
        "backfills/0001_touch.sql",
        "UPDATE r SET done = true, touched = touched + 1 + 0 / (id % 20000) WHERE NOT done;",
    );
    let mut client = project.client();
    project.pgdeploy(&["backfill", "run", "--detailed-exitcode"]).exits(3).says("2 rows are in quarantine");
    project
        .pgdeploy(&["backfill", "quarantine", "list", "0001_touch"])
        .exits(0)
        .says("(20000)")
        .says("22012");
    client.run("DELETE FROM r WHERE id = 20000");
    project
        .pgdeploy(&["backfill", "quarantine", "retry", "0001_touch"])
        .exits(0)
        .says("2 rows are tried again");
    project.pgdeploy(&["backfill", "run", "--detailed-exitcode"]).exits(3).says("(40000)");
    let accept =
        ["backfill", "quarantine", "accept", "0001_touch", "--key", "40000", "--reason", "a test row"];
    project.pgdeploy(&accept).exits(0).says("1 rows are accepted");
    project.pgdeploy(&["backfill", "run", "--detailed-exitcode"]).exits(0).says("COMPLETE");
    let rows = project
        .pgdeploy(&["backfill", "quarantine", "list", "0001_touch", "--format", "json"])
        .exits(0)
        .json();
    assert!(rows["rows"][0]["accepted"].as_str().is_some_and(|by| by.ends_with(": a test row")), "{rows}");
    assert_eq!(client.number("count(*) FROM r WHERE touched <> 1"), 1);
}

#[test]
fn a_deploy_and_runs_beside_it_share_the_work() {
    let project = counting(", budget: 60s");
    let mut client = project.client();
    let deploy = project.start(&["deploy"]);
    until("the deploy has begun", || {
        client.number("count(*) FROM pg_class WHERE relname = 'backfill_journal'") == 1
    });
    until("some rows are done", || client.number(DONE) >= 200);
    let beside = project.start(&["backfill", "run", "0001_touch", "--quiet"]);
    beside.wait().exits(0).says("COMPLETE");
    deploy.wait().exits(0);
    assert_eq!(client.number("count(*) FROM r WHERE touched = 1"), i64::from(ROWS));
    let owners = "count(DISTINCT split_part(lease_owner, ' ', 1)) FROM pgdeploy.backfill_ranges WHERE parent IS NOT NULL";
    assert_eq!(client.number(owners), 2, "both have worked");
}

#[test]
fn what_a_file_requires_has_to_be_in_the_release() {
    let project = counting("").file(
        "backfills/0002_next.sql",
        "-- pgdeploy:\n--   requires_migration: 0009_none\nUPDATE r SET touched = 0 WHERE touched > 1;",
    );
    project.pgdeploy(&["check"]).exits(2).says("E259").says("0009_none");
}

#[test]
fn a_backfill_of_a_deploy_is_not_begun_before_the_migration_that_it_requires() {
    let project = Project::new()
        .file(
            "migrations/0001_r.sql",
            "-- pgdeploy:\n--   allow: [dml-insert-select]\n--   reason: rows for the test\nCREATE TABLE r (id int PRIMARY KEY, b int); INSERT INTO r SELECT generate_series(1, 10); CREATE TABLE opened (id int);",
        )
        .file("migrations/0002_late.sql", "-- pgdeploy:\n--   when: EXISTS (SELECT FROM opened)\nALTER TABLE r ADD c int;")
        .file("backfills/0001_b.sql", "-- pgdeploy:\n--   requires_migration: [0002_late]\nUPDATE r SET b = id WHERE b IS NULL;");
    project
        .pgdeploy(&["deploy", "--detailed-exitcode"])
        .exits(3)
        .says("requires the migration 0002_late, which is not applied");
    assert_eq!(project.client().number("count(*) FROM r WHERE b IS NOT NULL"), 0);
    project.client().run("INSERT INTO opened VALUES (1)");
    project.deploy().exits(0);
    assert_eq!(project.client().number("count(*) FROM r WHERE b = id"), 10);
}
