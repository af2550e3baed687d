//! What a deploy that did not come to its end still owes: the next one proves it, with nothing else to do too.

use rustix::process::Signal;

use crate::harness::{Project, database, until};

const VERIFIED: &str = "version: 1
name: test
environments:
  staging: { database: \"${TEST_URL}\" }
  production: { database: \"${PRODUCTION_URL}\", after: [staging] }
verify: [ { name: rows, sql: select count(*) from a, expect: '> 0' } ]
hooks: { after_deploy: [ { name: log, run: [sh, -c, 'echo deployed >> calls'], only: [staging] } ] }
";

fn release() -> Project {
    Project::new()
        .variable("PRODUCTION_URL", &database())
        .file("pipeline.yaml", VERIFIED)
        .file("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);")
}

#[test]
fn what_failed_verify_is_no_success_until_verify_passes() {
    let project = release();
    let staging = |command: &str| project.pgdeploy(&[command, "--env", "staging"]);
    staging("deploy").exits(7).says("E454");
    staging("deploy").exits(7).says("E454");
    staging("status").exits(0).says("not proven").says("CHANGES PENDING");
    project.pgdeploy(&["run", "--env", "staging", "--", "touch", "started"]).exits(7);
    assert!(!project.path().join("started").exists());
    project.pgdeploy(&["deploy", "--env", "production"]).exits(4).says("no deploy with it has ended well");

    project.client().run("INSERT INTO a VALUES (1)");
    let proven = staging("deploy").exits(0);
    assert!(proven.stdout.contains("SUCCEEDED"), "{}", proven.stdout);
    let calls = std::fs::read_to_string(project.path().join("calls")).expect("calls");
    assert_eq!(calls, "deployed\n", "the hook after it has run, once");
    staging("deploy").exits(0).says("NOTHING TO DO");
    staging("status").exits(0).says("UP TO DATE");
}

#[test]
fn a_hook_at_the_end_that_died_with_the_deploy_runs_in_the_next() {
    let project = Project::new()
        .pipeline("hooks: { after_deploy: [ { name: cdn, run: [sh, -c, 'echo begun >> calls; test -e ready || sleep 600'] } ] }\n")
        .file("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
    let calls = || std::fs::read_to_string(project.path().join("calls")).unwrap_or_default();
    let running = project.start(&["deploy"]);
    until("the hook runs", || !calls().is_empty());
    running.signal(Signal::KILL);
    running.wait();
    project.write("ready", b"");
    project.deploy().exits(0).says("SUCCEEDED");
    assert_eq!(calls(), "begun\nbegun\n");
    project.deploy().exits(0).says("NOTHING TO DO");
    assert_eq!(calls(), "begun\nbegun\n");
}
