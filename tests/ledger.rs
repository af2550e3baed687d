//! The ledger when it is locked, cut off, or damaged.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::{Client, Project, until};

fn one_table() -> Project {
    Project::new().file("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);")
}

/// Waits until a session of the running deploy is in a statement like this.
fn at_work(client: &mut Client, role: &str, statement: &str) {
    let seen = format!(
        "EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '{statement}' AND state = 'active' \
         AND application_name = 'pgdeploy/{role}' AND datname = current_database())"
    );
    until(statement, || client.is(&seen));
}

#[test]
fn a_lock_on_the_ledger_does_not_hold_up_a_signal() {
    let project = one_table();
    project.deploy().exits(0);
    let project = project.file("migrations/0002_slow.sql", "-- pgdeploy:\n--   allow: [sleep]\n--   reason: time for the test\nCREATE TABLE b (id int); SELECT pg_sleep(60);");
    let (mut client, mut holder) = (project.client(), project.client());

    let running = project.start(&["deploy"]);
    at_work(&mut client, "schema", "%pg_sleep(60)%");
    holder.run("BEGIN; LOCK TABLE pgdeploy.deployments IN ACCESS EXCLUSIVE MODE");
    let sent = Instant::now();
    running.signal(Signal::TERM);
    running.wait().exits(143).says("INTERRUPTED");
    assert!(sent.elapsed() < Duration::from_secs(10), "in mid-deploy: {:?}", sent.elapsed());
    holder.run("ROLLBACK; BEGIN; LOCK TABLE pgdeploy.deployments IN SHARE MODE");

    let running = project.start(&["deploy"]);
    at_work(&mut client, "ledger", "UPDATE%deployments%");
    let sent = Instant::now();
    running.signal(Signal::TERM);
    running.wait().exits(143).says("before anything was touched");
    assert!(sent.elapsed() < Duration::from_secs(5), "at its start: {:?}", sent.elapsed());
    holder.run("ROLLBACK");
    assert_eq!(client.number("count(*) FROM pgdeploy.deployments"), 2, "the third has not begun");
}

#[test]
fn a_lock_on_the_ledger_is_75_after_ten_seconds() {
    let project = one_table();
    project.deploy().exits(0);
    let mut holder = project.client();
    holder.run("BEGIN; LOCK TABLE pgdeploy.deployments IN ACCESS EXCLUSIVE MODE");
    let runs: Vec<_> = ["plan", "status", "deploy"].iter().map(|command| project.start(&[command])).collect();
    for run in runs {
        run.wait().exits(75).says("E313").says("lock timeout");
    }
}

#[test]
fn what_a_lost_session_of_the_journal_had_in_hand_is_written_by_the_next() {
    let project =
        Project::new().file("migrations/0001_slow.sql", "-- pgdeploy:\n--   allow: [sleep]\n--   reason: time for the test\nCREATE TABLE slow (id int); SELECT pg_sleep(1.5);");
    let output = project.path().join("events");
    let running = project.start_into(&["deploy", "--format", "jsonl"], &output);
    let mut client = project.client();
    at_work(&mut client, "schema", "%pg_sleep(1.5)%");
    client.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgdeploy/journal' AND datname = current_database()");
    running.wait().exits(0);
    let told = std::fs::read_to_string(&output).expect("events").lines().count();
    let kept = client.text("(SELECT string_agg(seq::text, ',' ORDER BY seq) FROM pgdeploy.journal)");
    let all: Vec<String> = (1..=told).map(|seq| seq.to_string()).collect();
    assert_eq!(kept, all.join(","), "every event, in order");
}
