//! SIGINT and SIGTERM in every stage: a clean stop, a named state, and the next deploy goes on.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::{Client, Project, until};

const SLOW: &str = "-- pgdeploy:\n--   allow: [dml-insert-select]\n--   reason: rows for the test\nCREATE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.01); RETURN i; END $$;
    CREATE TABLE r (id int PRIMARY KEY, done boolean NOT NULL DEFAULT false);
    INSERT INTO r SELECT g FROM generate_series(1, 1000) g;";

/// A release whose given stage takes ten seconds; services are files in its folder.
fn slow_stage(path: &str, text: &str) -> Project {
    Project::new()
        .pipeline("services: { stop: { run: [touch, stopped] }, start: { run: [touch, started] } }\n")
        .file("migrations/0001_rows.sql", SLOW)
        .file(path, text)
}

/// Sends the signal once the stage's statement is seen at work; the process must be gone in six seconds.
fn interrupt(project: &Project, signal: Signal, code: i32, role: &str, at_work: &str) -> Client {
    let mut client = project.client();
    let mut running = project.start(&["deploy"]);
    let seen = format!(
        "EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '{at_work}' AND state = 'active' AND application_name LIKE 'pgdeploy/{role}%')"
    );
    until("the stage is at work", || {
        assert!(!running.has_ended(), "it ended before the signal");
        client.is(&seen)
    });
    let sent = Instant::now();
    running.signal(signal);
    running.wait().exits(code).says("INTERRUPTED").says("pgdeploy deploy --env prod");
    assert!(sent.elapsed() < Duration::from_secs(6), "{:?}", sent.elapsed());
    assert!(client.is("EXISTS (SELECT FROM pgdeploy.deployments WHERE status = 'interrupted')"));
    client
}

#[test]
fn sigterm_in_a_migration_rolls_it_back_cancels_the_statement_and_starts_the_services_again() {
    let project = slow_stage(
        "migrations/0002_slow.sql",
        "-- pgdeploy:\n--   allow: [sleep]\n--   reason: time for the test\nCREATE TABLE half (id int); SELECT pg_sleep(60);",
    );
    project.remove("migrations/0001_rows.sql");
    let mut client = interrupt(&project, Signal::TERM, 143, "schema", "%pg_sleep(60)%");
    assert_eq!(client.text("to_regclass('half')"), "NULL");
    assert!(!client.is("EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' AND pid <> pg_backend_pid())"));
    assert!(project.path().join("started").exists(), "nothing had changed, so the services run again");
    let project = project.file("migrations/0002_slow.sql", "CREATE TABLE half (id int);");
    project.deploy().exits(0);
}

#[test]
fn sigint_in_an_index_build_leaves_it_to_the_server_and_the_next_deploy_finds_it() {
    let project = slow_stage("indexes/r.sql", "CREATE INDEX r_slow_idx ON r (slow(id));");
    let mut client = interrupt(&project, Signal::INT, 130, "index", "CREATE INDEX CONCURRENTLY%");
    assert!(project.path().join("started").exists());
    project.deploy().exits(0);
    assert!(client.is("(SELECT indisvalid FROM pg_index WHERE indexrelid = 'r_slow_idx'::regclass)"));
    assert_eq!(client.number("count(*) FROM pg_index WHERE NOT indisvalid"), 0);
}

#[test]
fn sigterm_in_a_backfill_ends_after_the_batch_and_the_next_deploy_goes_on() {
    let project = slow_stage("backfills/0001_done.sql", "UPDATE r SET done = slow(r.id) > 0 WHERE NOT done;");
    let mut client = interrupt(&project, Signal::TERM, 143, "backfill", "%slow(%");
    let done = client.number("count(*) FROM r WHERE done");
    assert!(done < 1000, "it was interrupted");
    project.deploy().exits(0);
    assert_eq!(client.number("count(*) FROM r WHERE NOT done"), 0);
}

#[test]
fn sigterm_while_the_services_are_being_stopped_ends_the_command_and_starts_them_again() {
    let project = Project::new()
        .pipeline("services: { stop: { run: [sh, -c, 'touch stopping; sleep 600'] }, start: { run: [touch, started] } }\n")
        .file("migrations/0001_a.sql", "CREATE TABLE a (id int);");
    let running = project.start(&["deploy"]);
    until("the services are being stopped", || project.path().join("stopping").exists());
    running.signal(Signal::TERM);
    running.wait().exits(143).says("interrupted while the services were being stopped");
    assert!(project.path().join("started").exists());
    assert_eq!(project.client().text("to_regclass('a')"), "NULL");
}

#[test]
fn a_second_signal_ends_it_at_once_and_the_next_deploy_goes_on() {
    let project =
        Project::new().file("migrations/0001_slow.sql", "-- pgdeploy:\n--   allow: [sleep]\n--   reason: time for the test\nCREATE TABLE a (id int); SELECT pg_sleep(3);");
    let mut client = project.client();
    let running = project.start(&["deploy"]);
    until("the migration is at work", || {
        client.is("EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3)%' AND pid <> pg_backend_pid())")
    });
    running.signal(Signal::STOP);
    running.signal(Signal::TERM);
    running.signal(Signal::INT);
    running.signal(Signal::CONT);
    let code = running.wait().code;
    assert!(matches!(code, Some(130 | 143)), "{code:?}");
    // What the ended process left on the server is waited for, or was rolled back; either way it is applied once.
    project.deploy().exits(0);
    assert_eq!(client.number("count(*) FROM pgdeploy.migrations"), 1);
}
