//! The red button, and what goes on under it.

use rustix::process::Signal;

use super::{behind, deploy, is_untouched};
use crate::harness::{Project, until};

#[test]
fn a_hold_stops_everything_until_it_is_lifted() {
    let project = behind("");
    let hold = |arguments: &[&str]| {
        project.pgdeploy(&[&["hold"], arguments, &["--env", "production", "--actor", "alice"]].concat())
    };
    hold(&["add", "--reason", "incident-42"]).exits(0).says("hold 1");
    deploy(&project, &[]).exits(4).says("E408").says("production is on hold: incident-42").says("by alice");
    is_untouched(&project);
    hold(&["add", "--reason", "later", "--until", "2h"]).exits(0);
    project
        .pgdeploy(&["hold", "list", "--env", "production"])
        .exits(0)
        .says("on      hold 2")
        .says("incident-42");
    project.pgdeploy(&["status", "--env", "production"]).exits(0).says("on hold").says("incident-42");
    hold(&["lift", "1", "7"]).exits(2).says("E424").says("no hold 7 that is on; none was lifted");
    hold(&["lift", "1", "--reason", "over"]).exits(0);
    deploy(&project, &[]).exits(4).says("later").says("earliest: ");
    project.client().run("UPDATE pgdeploy.holds SET until = now() WHERE number = 2");
    deploy(&project, &[]).exits(0);
    hold(&["add", "--reason", "again"]).exits(0);
    // Nothing is to be done: a container that starts again during an incident starts.
    deploy(&project, &[]).exits(0).says("NOTHING TO DO");
}

#[test]
fn what_a_hold_refuses_has_not_touched_the_ledger() {
    let project = Project::new().file("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY, b int);");
    project.deploy().exits(0);
    let project = project.file("indexes/a.sql", "CREATE INDEX a_b_idx ON a (b);");
    project.pgdeploy(&["hold", "add", "--reason", "incident-42"]).exits(0);
    project.deploy().exits(4).says("E408");
    assert!(
        project.client().is("to_regclass('pgdeploy.index_builds') IS NULL"),
        "the first index has no table yet"
    );
    project.pgdeploy(&["hold", "lift", "1"]).exits(0);
    project.deploy().exits(0).says("SUCCEEDED");
    assert!(project.client().is("to_regclass('pgdeploy.index_builds') IS NOT NULL"));
}

#[test]
fn a_hold_and_a_pause_from_another_checkout_do_not_wait_for_a_running_deploy() {
    let project = Project::new()
        .file("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY, b int);")
        .file("backfills/0001_b.sql", "UPDATE a SET b = 1 WHERE b IS NULL;");
    project.deploy().exits(0);
    let project = project.file(
        "migrations/0002_slow.sql",
        "-- pgdeploy:\n--   allow: [sleep]\n--   reason: time for the test\nSELECT pg_sleep(60);",
    );
    let running = project.start(&["deploy"]);
    let mut client = project.client();
    until("the deploy is at work", || {
        client.is(
            "EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' \
                   AND application_name = 'pgdeploy/schema' AND datname = current_database())",
        )
    });

    // Whoever has the button may be ahead of what is deployed.
    let ahead = Project::at(project.value_of("TEST_URL"))
        .file("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY, b int);")
        .file("backfills/0001_b.sql", "UPDATE a SET b = 1 WHERE b IS NULL;")
        .file("indexes/a.sql", "CREATE INDEX a_b_idx ON a (b);");
    ahead.pgdeploy(&["hold", "add", "--reason", "incident-42"]).exits(0).says("hold 1");
    ahead.pgdeploy(&["backfill", "pause", "0001_b"]).exits(2).says("is done");
    running.signal(Signal::TERM);
    running.wait().exits(143);
}

#[test]
fn an_application_starts_while_a_gate_keeps_back_what_it_can_go_without() {
    let project = behind("");
    project.remove("backfills/0001_b.sql");
    project.pgdeploy(&["deploy", "--env", "staging"]).exits(0);
    deploy(&project, &[]).exits(0);
    let project = project.file("backfills/0002_b.sql", "UPDATE a SET b = 1 WHERE b IS NULL;");
    let hold = ["hold", "add", "--env", "production", "--reason", "incident-42"];
    project.pgdeploy(&hold).exits(0);
    deploy(&project, &[]).exits(4).says("E401").says("also E408");
    let run = ["run", "--env", "production", "--", "echo", "up"];
    let started = project.pgdeploy(&run).exits(0);
    assert_eq!(started.stdout, "up\n");
    assert!(started.stderr.contains("W401 the backfill stage was left out"), "{}", started.stderr);
    assert!(started.stderr.contains("incident-42"), "{}", started.stderr);
    let nothing = "NOT EXISTS (SELECT FROM pgdeploy.succeeded_files WHERE stage = 'backfill')";
    assert!(project.client().is(nothing));
    let project = project.file("migrations/0002_c.sql", "ALTER TABLE a ADD c int;");
    project.pgdeploy(&run).exits(4);
}

#[test]
fn a_hold_of_another_release_stops_nothing_and_one_of_a_backfill_stops_that_one() {
    let project = behind("");
    let hold = |arguments: &[&str]| {
        project
            .pgdeploy(&[&["hold", "add", "--reason", "wrong"], arguments, &["--env", "production"]].concat())
    };
    hold(&["--release", "000000"]).exits(0);
    hold(&["--backfill", "0001_b"]).exits(0);
    hold(&["--release", "xyz"]).exits(2);
    hold(&["--backfill", "0001_c"]).exits(2).says("0001_b");
    deploy(&project, &[]).exits(0).says("W403").says("0001_b is on hold");
    assert!(
        project.client().is("NOT EXISTS (SELECT FROM pgdeploy.succeeded_files WHERE stage = 'backfill')")
    );
    project.pgdeploy(&["hold", "lift", "2", "--env", "production"]).exits(0);
    deploy(&project, &[]).exits(0).says("SUCCEEDED");
    assert!(project.client().is("EXISTS (SELECT FROM pgdeploy.succeeded_files WHERE stage = 'backfill')"));
}
