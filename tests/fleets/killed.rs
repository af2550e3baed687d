//! Deploys of a fleet that are killed or interrupted.

use super::Fleet;
use crate::harness::{Client, until};

/// A session that keeps migrations from the table of one database.
fn in_the_way(fleet: &Fleet, number: usize) -> Client {
    let mut client = fleet.client(number);
    client.run("BEGIN; LOCK TABLE a IN ROW EXCLUSIVE MODE");
    client
}

#[test]
fn a_killed_deploy_is_gone_on_with_and_what_is_done_is_not_done_again() {
    let fleet = Fleet::of(8, "      max_parallel: 4\n", "");
    fleet.deploy().exits(0);
    let holder = in_the_way(&fleet, 5);
    let text = "-- pgdeploy:\n--   transaction: false\nALTER TABLE a ADD COLUMN b int;\nALTER TABLE a ADD COLUMN c int;";
    fleet.project.write("migrations/0002_b.sql", text.as_bytes());
    let running = fleet.project.start(&["deploy", "--env", "shards"]);
    let mut control = fleet.project.client();
    let ended = "count(*) FROM pgdeploy.fleet_targets WHERE status = 'done' AND finished_at > now() - interval '1 minute' AND of_target = 2";
    until("the others are done", || control.number(ended) == 7);
    let begun = "EXISTS (SELECT FROM pgdeploy.deployments WHERE status = 'running')";
    let mut blocked = fleet.client(5);
    until("the last one is at work", || blocked.is(begun));
    fleet.project.pgdeploy(&["deploy", "--env", "shards"]).exits(75).says("E311");
    running.signal(rustix::process::Signal::KILL);
    running.wait();
    fleet.project.pgdeploy(&["status", "--env", "shards"]).exits(0).says("1 interrupted");
    holder.close();
    fleet.deploy().exits(0).says("8 databases: 1 deployed to, 7 up to date before");
    for number in 1..=8 {
        assert!(
            fleet
                .client(number)
                .is("EXISTS (SELECT FROM pg_attribute WHERE attname = 'c' AND attrelid = 'a'::regclass)")
        );
        let deployments = fleet.client(number).number("count(*) FROM pgdeploy.deployments");
        assert_eq!(deployments, if number == 5 { 3 } else { 2 }, "db{number:02}");
    }
    assert!(!control.is("EXISTS (SELECT FROM pgdeploy.deployments WHERE status = 'running')"));
}

#[test]
fn sigterm_stops_what_is_at_work_and_begins_nothing_more() {
    let fleet = Fleet::of(4, "      max_parallel: 1\n", "");
    fleet.deploy().exits(0);
    let holder = in_the_way(&fleet, 2);
    fleet.project.write("migrations/0002_b.sql", b"ALTER TABLE a ADD COLUMN b int;");
    let running = fleet.project.start(&["deploy", "--env", "shards"]);
    let mut control = fleet.project.client();
    let second = "EXISTS (SELECT FROM pgdeploy.fleet_targets WHERE name = 'db02' AND status = 'running')";
    until("the second is at work", || control.is(second));
    running.signal(rustix::process::Signal::TERM);
    let outcome = running.wait().exits(143).says("INTERRUPTED");
    assert!(outcome.stdout.contains("2 untouched"), "{}", outcome.stdout);
    holder.close();
    fleet.project.pgdeploy(&["fleet", "retry", "--failed", "--env", "shards"]).exits(0).says("1 deployed to");
}
