//! `status --verify`: whoever changes the ledger behind its back is told on, with the place.

use crate::harness::{Client, Project};

fn deployed() -> Project {
    let project = Project::new()
        .file("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);")
        .file("migrations/0002_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
    project.deploy().exits(0);
    let project = project.file("migrations/0003_c.sql", "CREATE TABLE c (id int PRIMARY KEY);");
    project.deploy().exits(0);
    project.pgdeploy(&["status", "--verify"]).exits(0).says("events proven; head ");
    project
}

/// Changes the ledger as somebody may who owns it, past the trigger that forbids it.
fn tamper(client: &mut Client, statement: &str) {
    client.run(&format!(
        "ALTER TABLE pgdeploy.journal DISABLE TRIGGER ALL; {statement}; ALTER TABLE pgdeploy.journal ENABLE TRIGGER ALL"
    ));
}

fn head(project: &Project) -> String {
    let status = project.pgdeploy(&["status", "--verify", "--format", "json"]).exits(0).json();
    status["proof"]["head"].as_str().expect("a head").to_owned()
}

#[test]
fn an_edited_event_is_told_with_its_place() {
    let project = deployed();
    let mut client = project.client();
    tamper(
        &mut client,
        "UPDATE pgdeploy.journal SET body = body || '{\"actor\": \"somebody else\"}' WHERE deployment = 1 AND event = 'deploy.planned'",
    );
    project
        .pgdeploy(&["status", "--verify"])
        .exits(5)
        .says("E141")
        .says("pgdeploy.journal, deployment 1, event 1 (deploy.planned)");
    let findings = project.pgdeploy(&["status", "--verify", "--format", "json"]).exits(5).json();
    assert_eq!(findings["failure"]["problems"][0]["code"], "E141");
    project.pgdeploy(&["status"]).exits(0);
    assert_eq!(
        project.deploy().exits(0).says("NOTHING TO DO").code,
        Some(0),
        "it explains, it does not decide"
    );
    project.pgdeploy(&["status", "--verify"]).exits(5).says("event 1 (deploy.planned)");
}

#[test]
fn an_event_that_was_taken_out_of_the_middle_or_off_the_end_is_missed() {
    let project = deployed();
    let mut client = project.client();
    tamper(&mut client, "DELETE FROM pgdeploy.journal WHERE deployment = 1 AND seq = 3");
    project.pgdeploy(&["status", "--verify"]).exits(5).says("E142").says("deployment 1, event 4");

    let project = deployed();
    tamper(
        &mut project.client(),
        "DELETE FROM pgdeploy.journal WHERE deployment = 2 AND event = 'deploy.finished'",
    );
    project.pgdeploy(&["status", "--verify"]).exits(5).says("E147").says("deployments, number 2");
}

#[test]
fn an_event_without_a_hash_after_others_with_one_was_put_there() {
    let project = deployed();
    tamper(
        &mut project.client(),
        "INSERT INTO pgdeploy.journal (deployment, seq, at, event, body) VALUES (1, 999, now(), 'deploy.warning', '{}')",
    );
    project.pgdeploy(&["status", "--verify"]).exits(5).says("E143").says("event 999");
}

#[test]
fn a_history_that_differs_from_the_journal_is_told() {
    let project = deployed();
    let mut client = project.client();
    client.run("UPDATE pgdeploy.migrations SET checksum = repeat('0', 64) WHERE version = 2");
    project.pgdeploy(&["status", "--verify"]).exits(5).says("E144").says("version 2").says("000000000000");

    let project = deployed();
    let mut client = project.client();
    client.run("DELETE FROM pgdeploy.migrations WHERE version = 3");
    project.pgdeploy(&["status", "--verify"]).exits(5).says("E146").says("0003_c").says("deployment 2");

    let project = deployed();
    let mut client = project.client();
    client.run("INSERT INTO pgdeploy.migrations (version, name, file, checksum, raw_checksum, deployment, xid) VALUES (4, 'd', '0004_d', 'x', 'x', 2, '1')");
    project.pgdeploy(&["status", "--verify"]).exits(5).says("E145").says("version 4");
    client.run("DELETE FROM pgdeploy.migrations WHERE version = 4; UPDATE pgdeploy.deployments SET exit_code = 1 WHERE number = 2");
    project.pgdeploy(&["status", "--verify"]).exits(5).says("E148").says("deployments, number 2");
}

#[test]
fn what_repairs_and_rollbacks_change_is_in_the_journal_too() {
    let project = deployed()
        .file("migrations/0003_c.sql", "-- a comment\nCREATE TABLE c (id int PRIMARY KEY);")
        .file("migrations/0004_d.sql", "CREATE TABLE d (id int PRIMARY KEY);")
        .file("migrations/0004_d.down.sql", "DROP TABLE d;");
    project.pgdeploy(&["repair", "accept-checksum", "3", "--reason", "a comment", "--yes"]).exits(0);
    project.deploy().exits(0);
    project.pgdeploy(&["rollback", "--to", "3", "--reason", "a test", "--allow-data-loss", "--yes"]).exits(0);
    project.pgdeploy(&["status", "--verify"]).exits(0).says("proven");
    project.deploy().exits(0).says("0004_d");
    project.pgdeploy(&["status", "--verify"]).exits(0).says("proven");
}

#[test]
fn a_hash_that_was_noted_elsewhere_is_looked_for() {
    let project = deployed();
    let noted = head(&project);
    project.deploy().exits(0);
    assert_ne!(head(&project), noted);
    project.pgdeploy(&["status", "--verify", "--expect", &noted]).exits(0);
    // A whole new chain, proper in itself: only what was noted elsewhere tells.
    tamper(
        &mut project.client(),
        "DELETE FROM pgdeploy.journal; UPDATE pgdeploy.deployments SET journal_head = NULL; DELETE FROM pgdeploy.migrations",
    );
    project.pgdeploy(&["status", "--verify"]).exits(0);
    project.pgdeploy(&["status", "--verify", "--expect", &noted]).exits(5).says("E149");
}

#[test]
fn events_from_before_the_chain_are_counted_apart() {
    let project = deployed();
    tamper(
        &mut project.client(),
        "UPDATE pgdeploy.journal SET previous = NULL, hash = NULL; UPDATE pgdeploy.deployments SET journal_head = NULL",
    );
    project.pgdeploy(&["status", "--verify"]).exits(0).says("from before the chain");
    project.deploy().exits(0);
    project.pgdeploy(&["status", "--verify"]).exits(0).says("from before the chain; head ");
}

#[test]
fn a_killed_deploy_leaves_a_chain_that_goes_on() {
    let project =
        deployed().file("migrations/0004_slow.sql", "-- pgdeploy:\n--   allow: [sleep]\n--   reason: time for the test\nCREATE TABLE slow (id int); SELECT pg_sleep(20);");
    let running = project.start(&["deploy"]);
    let mut client = project.client();
    crate::harness::until("the migration is at work", || {
        client.is("EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(20)%' AND pid <> pg_backend_pid())")
    });
    running.signal(rustix::process::Signal::KILL);
    running.wait();
    let project = project.file("migrations/0004_slow.sql", "CREATE TABLE slow (id int);");
    project.deploy().exits(0);
    project.pgdeploy(&["status", "--verify"]).exits(0).says("proven");
}
