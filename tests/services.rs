//! Services are stopped only for a change of the schema, and are up again whatever happens after.

use crate::harness::Project;

const LOGGED: &str = "services:
  stop: { run: [sh, -c, 'echo stop >> calls'] }
  start: { run: [sh, -c, 'echo start >> calls'] }
";

fn project() -> Project {
    Project::new()
        .pipeline(LOGGED)
        .file("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY, b int);")
}

fn calls(project: &Project) -> Vec<String> {
    let text = std::fs::read_to_string(project.path().join("calls")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_change_of_the_schema_stops_and_starts_them_and_nothing_else_does() {
    let project = project();
    project.deploy().exits(0);
    assert_eq!(calls(&project), ["stop", "start"]);
    let project = project
        .file("indexes/a.sql", "CREATE INDEX a_b_idx ON a (b);")
        .file("backfills/0001_b.sql", "UPDATE a SET b = 1 WHERE b IS NULL;");
    project.deploy().exits(0);
    assert_eq!(calls(&project), ["stop", "start"], "an index and a backfill need no stop");
}

#[test]
fn a_gate_that_fails_with_nothing_committed_starts_them_again() {
    let project = project().file("migrations/0001_a.sql", "ALTER TABLE nowhere ADD b int;");
    project.deploy().exits(1);
    assert_eq!(calls(&project), ["stop", "start"]);
}

#[test]
fn a_gate_that_fails_half_way_leaves_them_stopped_and_the_next_deploy_starts_them() {
    let project = project().file("migrations/0002_b.sql", "ALTER TABLE nowhere ADD b int;");
    project.deploy().exits(1).says("the services stay stopped");
    assert_eq!(calls(&project), ["stop"]);
    let project = project.file("migrations/0002_b.sql", "ALTER TABLE a ADD c int;");
    project.deploy().exits(0);
    assert_eq!(calls(&project), ["stop", "stop", "start"]);
}

#[test]
fn a_stop_that_fails_is_7_before_any_change_and_its_words_are_kept() {
    let project =
        project().pipeline("services: { stop: { run: [sh, -c, 'echo no such container >&2; exit 9'] } }\n");
    project.deploy().exits(7).says("E601").says("no such container");
    assert_eq!(project.client().text("to_regclass('a')"), "NULL");
}

#[test]
fn a_stop_that_hangs_is_ended_with_all_it_started() {
    let project = project().pipeline(
        "services: { stop: { run: [sh, -c, 'sleep 600 & echo $$! > child; wait'], timeout: 1s } }\n",
    );
    project.deploy().exits(7).says("1s");
    let child = std::fs::read_to_string(project.path().join("child")).expect("the child's pid");
    let pid = rustix::process::Pid::from_raw(child.trim().parse().expect("a pid")).expect("a pid");
    crate::harness::until("the grandchild is gone", || {
        rustix::process::test_kill_process(pid).is_err() || zombie(child.trim())
    });
}

/// Ended, but nobody has asked for its code: in a container there may be no init that does.
fn zombie(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

#[test]
fn status_says_that_they_were_left_stopped() {
    let project = project().file("migrations/0002_b.sql", "ALTER TABLE nowhere ADD b int;");
    project.deploy().exits(1);
    project.pgdeploy(&["status"]).exits(0).says("services        stopped by it");
    let status = project.pgdeploy(&["status", "--format", "json"]).exits(0).json();
    assert_eq!(status["last"]["services"], "stopped");
    let project = project.file("migrations/0002_b.sql", "ALTER TABLE a ADD c int;");
    project.deploy().exits(0);
    let status = project.pgdeploy(&["status"]).exits(0);
    assert!(!status.stdout.contains("services  "), "{}", status.stdout);
}

#[test]
fn a_start_that_fails_after_a_stop_that_failed_is_told_with_it() {
    let project = project().pipeline(
        "services: { stop: { run: [sh, -c, 'echo first >&2; exit 9'] }, start: { run: [sh, -c, 'echo second >&2; exit 8'] } }\n",
    );
    project
        .deploy()
        .exits(7)
        .says("services.stop failed")
        .says("first")
        .says("services.start failed")
        .says("second");
}
