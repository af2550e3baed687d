//! Real applications as services: processes that hold sessions and answer on a port, stopped, proven gone, started and asked
//! for their health.

mod killed;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use rustix::process::Signal;

use crate::harness::{Client, Project, until};

/// A listener that answers every request with the status it is told.
struct Application {
    address: String,
    status: Arc<AtomicU16>,
}

impl Application {
    fn answering(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}/readyz", listener.local_addr().expect("an address"));
        let status = Arc::new(AtomicU16::new(status));
        let told = Arc::clone(&status);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let _ = stream.read(&mut [0; 1024]);
                let _ = write!(
                    stream,
                    "HTTP/1.1 {} Said\r\nContent-Length: 0\r\n\r\n",
                    told.load(Ordering::Relaxed)
                );
            }
        });
        Self { address, status }
    }
}

/// A role of the application's own, for sessions that can be told from ours.
fn role(project: &Project) -> (String, String) {
    let mut client = project.client();
    let role = format!("app_{}", client.text("current_database()"));
    client.run(&format!("CREATE ROLE {role} LOGIN"));
    let url = project.url.replace("user=postgres", &format!("user={role}"));
    assert_ne!(url, project.url, "another user");
    (role, url)
}

fn migrating() -> Project {
    Project::new().file("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY, b int);")
}

fn calls(project: &Project) -> Vec<String> {
    let text = std::fs::read_to_string(project.path().join("calls")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// stop and start that are written down, with more keys.
fn logged(more: &str) -> String {
    format!(
        "services:\n  stop: {{ run: [sh, -c, 'echo stop >> calls'] }}\n  start: {{ run: [sh, -c, 'echo start >> calls'] }}\n{more}"
    )
}

#[test]
fn sessions_of_the_application_that_remain_refuse_the_change_with_7_and_the_services_are_started_again() {
    let project = migrating();
    let (role, url) = role(&project);
    let quiesced = |more: &str| logged(&format!("  quiesced: {{ roles: [{role}], within: 300ms{more} }}\n"));
    let mut application = Client::connect(&url);
    let pid = application.pid();
    let project = project.pipeline(&quiesced(""));
    project
        .deploy()
        .exits(7)
        .says("E451")
        .says(&format!("pid {pid} {role}"))
        .says("0 migrations of this deploy are in the database")
        .says("the services were started");
    assert_eq!(calls(&project), ["stop", "start"]);
    assert_eq!(project.client().text("to_regclass('a')"), "NULL");

    let project = project.pipeline(&quiesced(", idle: ignore"));
    project.deploy().exits(0).says(&format!("no session of {role} is left"));
    application.run("BEGIN");
    let project = project.file("migrations/0002_b.sql", "CREATE TABLE b (id int);");
    project.deploy().exits(7).says("idle in transaction");
    application.close();
    project.pipeline(&quiesced("")).deploy().exits(0);
}

#[test]
fn a_role_that_does_not_exist_proves_nothing_and_is_refused_before_the_stop() {
    let project = migrating().pipeline(&logged("  quiesced: { roles: [nobody_of_this_name] }\n"));
    project.deploy().exits(2).says("E450").says("nobody_of_this_name");
    assert_eq!(calls(&project), [""; 0]);
}

#[test]
fn services_that_never_become_healthy_are_7_with_what_is_in_and_the_next_deploy_starts_them_again() {
    let application = Application::answering(503);
    let health = format!("  health: [ {{ http: \"{}\", within: 400ms }} ]\n", application.address);
    let project = migrating().pipeline(&logged(&health));
    project
        .deploy()
        .exits(7)
        .says("E452")
        .says("it answers 503")
        .says("1 migration of this deploy is in the database")
        .says("the services were started and are not healthy");
    let status = project.pgdeploy(&["status", "--format", "json"]).exits(0).json();
    assert_eq!(status["last"]["services"], "unhealthy");
    let last = project.pgdeploy(&["deploy", "--format", "jsonl"]).exits(7).events().pop().expect("an event");
    assert_eq!((last["code"].as_str(), last["services"].as_str()), (Some("E452"), Some("unhealthy")));
    application.status.store(204, Ordering::Relaxed);
    project.deploy().exits(0).says("healthy");
    assert_eq!(calls(&project), ["stop", "start", "start", "start"]);
    project.deploy().exits(0);
    assert_eq!(calls(&project), ["stop", "start", "start", "start"], "healthy ones are left alone");
}

#[test]
fn health_is_asked_of_programs_and_of_the_database_too_until_it_is_so() {
    let project = migrating().pipeline(
        "services:
  start: { run: [sh, -c, '(sleep 0.3; touch ready) &'] }
  health:
    - { run: [test, -e, ready], within: 10s }
    - { sql: \"select count(*) from a\", expect: '= 0', within: 5s }
",
    );
    project.deploy().exits(0).says("healthy");
    let state = project.client().text("(SELECT services FROM pgdeploy.deployments)");
    assert_eq!(state, "healthy");
}

#[test]
fn after_a_failed_gate_the_services_go_by_the_rule() {
    for (rule, half_way, at_once) in [
        ("start_if_unchanged", &["stop"][..], &["stop", "start"][..]),
        ("start", &["stop", "start"], &["stop", "start"]),
        ("keep_stopped", &["stop"], &["stop"]),
    ] {
        let text = logged(&format!("  after_failed_gate: {rule}\n"));
        let project =
            migrating().pipeline(&text).file("migrations/0002_x.sql", "ALTER TABLE nowhere ADD b int;");
        project.deploy().exits(1);
        assert_eq!(calls(&project), half_way, "{rule}");
        let project =
            Project::new().pipeline(&text).file("migrations/0001_x.sql", "ALTER TABLE nowhere ADD b int;");
        project.deploy().exits(1);
        assert_eq!(calls(&project), at_once, "{rule}");
    }
}

#[test]
fn what_an_earlier_deploy_committed_after_its_stop_keeps_them_stopped_when_the_next_one_fails_at_once() {
    let project =
        migrating().pipeline(&logged("")).file("migrations/0002_x.sql", "ALTER TABLE nowhere ADD b int;");
    project.deploy().exits(1).says("the services stay stopped");
    project.deploy().exits(1).says("the services stay stopped");
    assert_eq!(calls(&project), ["stop", "stop"], "this one committed nothing, the one before it did");
    let project = project.file("migrations/0002_x.sql", "ALTER TABLE a ADD c int;");
    project.deploy().exits(0);
    assert_eq!(calls(&project), ["stop", "stop", "stop", "start"]);
}

#[test]
fn statements_that_are_in_one_by_one_count_as_a_change() {
    let project = Project::new().pipeline(&logged("")).file(
        "migrations/0001_one_by_one.sql",
        "-- pgdeploy:\n--   transaction: false\nCREATE TABLE a (id int);\nALTER TABLE nowhere ADD b int;",
    );
    project.deploy().exits(1).says("the services stay stopped");
    assert_eq!(calls(&project), ["stop"]);
}

#[test]
fn a_rollback_whose_stop_fails_takes_nothing_back_and_starts_them_again() {
    let project = migrating()
        .file("migrations/0002_b.sql", "CREATE TABLE b (id int);")
        .file("migrations/0002_b.down.sql", "DROP TABLE b;");
    project.deploy().exits(0);
    let project = project.pipeline(
        "services: { stop: { run: [sh, -c, 'echo no such service >&2; exit 3'] }, start: { run: [touch, started] } }\n",
    );
    project
        .pgdeploy(&["rollback", "--to", "1", "--reason", "test", "--yes", "--allow-data-loss"])
        .exits(7)
        .says("no such service")
        .says("the services were started");
    assert!(project.path().join("started").exists());
    assert_eq!(project.client().text("to_regclass('b')"), "b");
}

#[test]
fn killed_while_health_is_awaited_the_next_deploy_asks_again_without_another_start() {
    let application = Application::answering(503);
    let health = format!("  health: [ {{ http: \"{}\", within: 60s }} ]\n", application.address);
    let project = migrating().pipeline(&logged(&health));
    let running = project.start(&["deploy"]);
    let mut client = project.client();
    until("they are started", || {
        client.is("to_regclass('pgdeploy.deployments') IS NOT NULL")
            && client.is("EXISTS (SELECT FROM pgdeploy.deployments WHERE services = 'started')")
    });
    running.signal(Signal::KILL);
    drop(running.wait());
    application.status.store(200, Ordering::Relaxed);
    project.deploy().exits(0).says("healthy");
    assert_eq!(calls(&project), ["stop", "start"]);
}

#[test]
fn verification_says_all_that_is_not_so_and_is_7_with_what_is_in() {
    let project = migrating().pipeline(
        "verify:
  - { name: tables, sql: \"select count(*) from information_schema.tables where table_schema = 'public'\", expect: '= 1' }
  - { name: rows, sql: 'select count(*) from a;', expect: '> 0' }
  - { name: truth, sql: 'select false' }
  - { name: writes, sql: 'select nextval(pg_get_serial_sequence(''a'', ''id''))' }
  - { name: tool, run: [sh, -c, 'echo not so >&2; exit 3'] }
",
    );
    project
        .deploy()
        .exits(7)
        .says("E454")
        .says("rows: is 0, expected > 0")
        .says("truth: is false, expected = true")
        .says("tool: sh failed")
        .says("not so")
        .says("1 migration of this deploy is in the database");
    assert_eq!(project.client().text("to_regclass('a')"), "a");
}

#[test]
fn the_environments_own_services_take_the_place_of_the_pipelines() {
    let project = migrating();
    let project = project.file(
        "pipeline.yaml",
        "version: 1
name: test
services: { start: { run: [touch, shared] } }
environments:
  prod: { database: \"${TEST_URL}\", services: { start: { run: [touch, own] } } }
",
    );
    project.deploy().exits(0);
    assert!(project.path().join("own").exists() && !project.path().join("shared").exists());
}
