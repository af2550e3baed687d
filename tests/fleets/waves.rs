//! What is between waves, and around all of them.

use super::Fleet;
use crate::harness::until;

const CANARY: &str = "      waves:\n        - name: canary\n          take: 1\n";

#[test]
fn a_wave_soaks_whoever_waits_for_it_and_is_verified_before_the_next() {
    let waves = format!(
        "{CANARY}          soak: 1h\n          verify: [ {{ name: no errors, sql: \"select count(*) from errors\", expect: \"= 0\" }} ]\n        - {{ name: rest }}\n"
    );
    let fleet = Fleet::of(3, &waves, "");
    let mut control = fleet.project.client();
    control.run("CREATE TABLE errors (id int)");
    let running = fleet.project.start(&["deploy", "--env", "shards", "--format", "jsonl"]);
    let is_through = "to_regclass('pgdeploy.fleet_waves') IS NOT NULL";
    until("there is an account", || control.is(is_through));
    until("the first wave is through", || control.number("count(*) FROM pgdeploy.fleet_waves") == 1);
    running.signal(rustix::process::Signal::INT);
    let events = running.wait().exits(130).events();
    assert!(
        events.iter().any(|event| event["event"] == "fleet.wave_soaking" || event["status"] == "interrupted")
    );
    // The time that has gone by counts.
    control.run("UPDATE pgdeploy.fleet_waves SET deployed_at = deployed_at - interval '1 hour'");
    control.run("INSERT INTO errors VALUES (1)");
    fleet.deploy().exits(7).says("E454").says("after the wave canary").says("no errors");
    assert_eq!(fleet.with_it(1..=3), 1);
    control.run("DELETE FROM errors");
    fleet.deploy().exits(0).says("2 deployed to, 1 up to date before");
    assert!(control.is("verified_at IS NOT NULL FROM pgdeploy.fleet_waves WHERE wave = 'canary'"));
}

#[test]
fn a_hold_between_two_waves_stops_the_next_one() {
    // The wave's own check presses the red button.
    let waves = format!(
        "{CANARY}          soak: 1ms\n          verify: [ {{ name: button, run: [\"${{BINARY}}\", hold, add, --reason, incident, --env, shards] }} ]\n        - {{ name: rest }}\n"
    );
    let fleet = Fleet::of(3, &waves, "");
    let project = fleet.project.variable("BINARY", env!("CARGO_BIN_EXE_pgdeploy"));
    let fleet = Fleet { project, ..fleet };
    fleet.deploy().exits(4).says("E408").says("incident");
    assert_eq!(fleet.with_it(1..=3), 1);
    fleet.project.pgdeploy(&["hold", "lift", "1", "--env", "shards"]).exits(0);
    fleet.deploy().exits(0).says("2 deployed to");
}

#[test]
fn a_plan_tells_what_each_would_get_and_people_approve_the_release_as_a_whole() {
    let fleet = Fleet::of(4, CANARY, "    approvals: { required: 1 }\n");
    let text = std::fs::read_to_string(fleet.project.path().join("pipeline.yaml")).expect("the pipeline");
    fleet.project.write("pipeline.yaml", format!("{text}        - {{ name: rest }}\n").as_bytes());
    let fleet = fleet.loses(4);
    let project = &fleet.project;
    let plan = ["plan", "--env", "shards", "--actor", "dave"];
    project
        .pgdeploy(&plan)
        .exits(0)
        .says("db01: schema 0001_a")
        .says("db02, db03: schema 0001_a")
        .says("db04: E301")
        .says("1 cannot be looked at");
    let plan = project.pgdeploy(&[&plan[..], &["--format", "json"]].concat()).exits(0).json();
    assert_eq!(plan["databases"][0]["items"], serde_json::json!(["schema 0001_a"]));
    let deploy = ["deploy", "--env", "shards", "--actor", "dave"];
    project.pgdeploy(&deploy).exits(4).says("E406");
    assert_eq!(fleet.with_it(1..=3), 0);
    assert!(project.client().is("to_regclass('pgdeploy.fleet_targets') IS NULL"), "nothing was touched");
    project.pgdeploy(&["ledger", "create", "--env", "shards"]).exits(0);
    let hash = &plan["plan"].as_str().expect("a hash")[..8];
    project.pgdeploy(&["approve", hash, "--env", "shards", "--actor", "bob"]).exits(0);
    project.pgdeploy(&deploy).exits(8).says("db04: E301");
    assert_eq!(fleet.with_it(1..=3), 3);
}

#[test]
fn what_every_database_has_is_evidence_for_the_environment_after() {
    let fleet = Fleet::of(2, "      failure_budget: 1\n", "");
    let text = std::fs::read_to_string(fleet.project.path().join("pipeline.yaml")).expect("the pipeline");
    let after = crate::harness::database();
    let project = fleet
        .project
        .file("pipeline.yaml", &format!("{text}  last: {{ database: \"${{LAST}}\", after: [shards] }}\n"))
        .variable("LAST", &after);
    let fleet = Fleet { project, ..fleet };
    fleet.breaks(2);
    let last = || fleet.project.pgdeploy(&["deploy", "--env", "last"]);
    fleet.deploy().exits(0).says("W450");
    last().exits(4).says("E401");
    fleet.mends(2);
    fleet.deploy().exits(0);
    last().exits(0);
}

#[test]
fn hooks_run_once_around_the_fleet() {
    let hooks = "    hooks:\n      before_deploy: [ { name: before, run: [sh, -c, 'echo $$PGDEPLOY_ENVIRONMENT >> hooks'] } ]\n      \
         on_success: [ { name: after, run: [sh, -c, 'echo $$PGDEPLOY_STATUS >> hooks'] } ]\n";
    let fleet = Fleet::of(3, "", hooks);
    fleet.deploy().exits(0);
    fleet.deploy().exits(0).says("NOTHING TO DO");
    let said = std::fs::read_to_string(fleet.project.path().join("hooks")).expect("they have run");
    assert_eq!(said, "shards\nsucceeded\n");
}
