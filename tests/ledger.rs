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
    holder.run("ROLLBACK");
    // What the first deploy's server process was still waiting for is over, and not mistaken for the second's.
    until("the sessions of the first deploy are gone", || {
        client.is("NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'pgdeploy/%' AND datname = current_database())")
    });
    holder.run("BEGIN; LOCK TABLE pgdeploy.deployments IN SHARE MODE");

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
fn a_lock_on_the_record_of_index_builds_does_not_hold_up_a_signal_either() {
    let project = one_table().file("indexes/a.sql", "CREATE INDEX a_id_idx ON a (id);");
    project.deploy().exits(0);
    let (mut client, mut holder) = (project.client(), project.client());
    holder.run("BEGIN; LOCK TABLE pgdeploy.index_builds IN SHARE MODE");
    let running = project.start(&["deploy"]);
    at_work(&mut client, "index", "UPDATE%index_builds%");
    let sent = Instant::now();
    running.signal(Signal::TERM);
    running.wait().exits(143).says("INTERRUPTED");
    assert!(sent.elapsed() < Duration::from_secs(8), "{:?}", sent.elapsed());
    // Without a signal it is a warning after ten seconds: the stage fails no deploy.
    project.pgdeploy(&["deploy", "--detailed-exitcode"]).exits(3).says("lock timeout");
}

#[test]
fn functions_that_others_have_planted_are_not_called_with_the_rights_of_the_deploy() {
    let project = one_table();
    project.client().run(
        "CREATE TABLE caught (who text);
         CREATE FUNCTION public.jsonb_build_object(text, text) RETURNS jsonb LANGUAGE sql AS $$ INSERT INTO public.caught VALUES (current_user); SELECT '{}'::jsonb $$;
         CREATE FUNCTION public.unnest(text[]) RETURNS SETOF text LANGUAGE sql AS $$ INSERT INTO public.caught VALUES (current_user); SELECT NULL::text $$",
    );
    project.pgdeploy(&["baseline", "--none", "--reason", "theirs", "--yes"]).exits(0);
    let project = project.file("indexes/a.sql", "CREATE INDEX a_id_idx ON a (id);");
    project.deploy().exits(0);
    assert_eq!(project.client().number("count(*) FROM caught"), 0);
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
fn a_ledger_that_a_killed_runner_still_brings_in_is_found_by_the_next() {
    let project = one_table();
    let (mut client, mut orphan) = (project.client(), project.client());
    orphan.run("BEGIN; CREATE SCHEMA pgdeploy");
    let running = project.start(&["deploy"]);
    at_work(&mut client, "connect", "BEGIN;%CREATE SCHEMA%");
    orphan.run("COMMIT");
    running.wait().exits(0);
    assert_eq!(client.number("count(*) FROM pgdeploy.migrations"), 1);
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

#[test]
fn a_damaged_ledger_is_2_with_what_is_missing_and_what_to_do() {
    for (damage, missing) in [
        ("DROP TABLE pgdeploy.succeeded_files", "\"succeeded_files\" is not there"),
        ("ALTER TABLE pgdeploy.migrations DROP COLUMN checksum", "checksum"),
    ] {
        let project = one_table();
        project.deploy().exits(0);
        project.client().run(damage);
        for command in ["status", "plan", "deploy"] {
            project.pgdeploy(&[command]).exits(2).says("E315").says(missing).says("restore its schema");
        }
    }
}

#[test]
fn a_baseline_that_is_interrupted_stamps_nothing_and_closes_its_row() {
    let project = one_table();
    project.deploy().exits(0);
    let mut client = project.client();
    client.run("DELETE FROM pgdeploy.migrations");
    let mut holder = project.client();
    holder.run("BEGIN; LOCK TABLE pgdeploy.migrations IN SHARE MODE");
    let running = project.start(&["baseline", "--at", "1", "--reason", "a test", "--yes"]);
    at_work(&mut client, "schema", "INSERT INTO %migrations%");
    running.signal(Signal::INT);
    running.wait().exits(130).says("interrupted");
    assert!(!client.is("EXISTS (SELECT FROM pgdeploy.deployments WHERE status = 'running')"));
    assert_eq!(
        client.text("(SELECT exit_code FROM pgdeploy.deployments ORDER BY number DESC LIMIT 1)"),
        "130"
    );
    holder.run("ROLLBACK");
    until("its session is gone", || {
        !client.is("EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'pgdeploy/schema' AND datname = current_database())")
    });
    assert_eq!(client.number("count(*) FROM pgdeploy.migrations"), 0);
}

/// The exit in the last line of jsonl, in the journal, and in the deployment's row.
#[track_caller]
fn recorded(project: &Project, lines: &str, code: i64) {
    let last: serde_json::Value =
        serde_json::from_str(lines.lines().last().expect("a line")).expect("a line of JSON");
    assert_eq!((last["event"].as_str(), last["exit"].as_i64()), (Some("deploy.finished"), Some(code)));
    let mut client = project.client();
    let newest = "(SELECT max(number) FROM pgdeploy.deployments)";
    assert_eq!(
        client.number(&format!("(body ->> 'exit')::int FROM pgdeploy.journal WHERE event = 'deploy.finished' AND deployment = {newest}")),
        code
    );
    assert_eq!(client.number(&format!("exit_code FROM pgdeploy.deployments WHERE number = {newest}")), code);
}

#[test]
fn the_records_name_the_exit_code_that_the_process_ends_with() {
    let project =
        Project::new().file("migrations/0001_slow.sql", "-- pgdeploy:\n--   allow: [sleep]\n--   reason: time for the test\nCREATE TABLE slow (id int); SELECT pg_sleep(60);");
    let output = project.path().join("events");
    let running = project.start_into(&["deploy", "--format", "jsonl"], &output);
    let mut client = project.client();
    at_work(&mut client, "schema", "%pg_sleep(60)%");
    running.signal(Signal::INT);
    running.wait().exits(130);
    recorded(&project, &std::fs::read_to_string(&output).expect("events"), 130);

    let project = Project::new()
        .file(
            "migrations/0001_a.sql",
            "CREATE TABLE a (id int PRIMARY KEY, b int); INSERT INTO a VALUES (1, 1), (2, 1);",
        )
        .file("indexes/a.sql", "CREATE UNIQUE INDEX a_b_key ON a (b);");
    let outcome = project.pgdeploy(&["deploy", "--format", "jsonl", "--detailed-exitcode"]).exits(3);
    recorded(&project, &outcome.stdout, 3);
}
