//! Servers that are late, that refuse us, that cannot be written to.

use std::time::{Duration, Instant};

use scratch::{Mode, Server};

use crate::harness::{Project, until};

fn one_table(url: &str) -> Project {
    Project::at(url).file("migrations/0001_a.sql", "CREATE TABLE a (id int);")
}

#[test]
fn a_server_that_comes_up_late_is_waited_for_with_growing_intervals() {
    let mut server = Server::throwaway().expect("a server");
    server.create_database("late").expect("a database");
    let url = server.url("late");
    server.stop(Mode::Fast).expect("a stopped server");
    let project = one_table(&url);
    let output = project.path().join("events");
    let running = project.start_into(&["deploy", "--format", "jsonl"], &output);
    until("three attempts have failed", || {
        std::fs::read_to_string(&output).is_ok_and(|text| text.matches("connect.retrying").count() >= 3)
    });
    server.start().expect("a started server");
    running.wait().exits(0);
    let text = std::fs::read_to_string(&output).expect("events");
    let waits: Vec<u64> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a line of JSON"))
        .filter(|event| event["event"] == "connect.retrying")
        .filter_map(|event| event["retry_in_ms"].as_u64())
        .collect();
    assert!(waits[1] > waits[0] && waits[2] > waits[1], "{waits:?}");
}

#[test]
fn a_server_that_does_not_come_is_69_in_time() {
    let mut server = Server::throwaway().expect("a server");
    server.stop(Mode::Fast).expect("a stopped server");
    let project = one_table(&server.url("postgres")).pipeline("connect: { wait: 2s }\n");
    let started = Instant::now();
    project.deploy().exits(69).says("E301");
    assert!(started.elapsed() < Duration::from_secs(10));
}

/// A server whose postmaster accepts connections and answers none, as long as this lives.
struct Frozen(rustix::process::Pid);

impl Frozen {
    fn new(server: &Server) -> Self {
        let pid = server.pid().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
        let frozen = Self(pid.expect("a running server"));
        rustix::process::kill_process(frozen.0, rustix::process::Signal::STOP).expect("a process to freeze");
        frozen
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(self.0, rustix::process::Signal::CONT);
    }
}

#[test]
fn a_server_that_accepts_and_does_not_answer_is_given_up_after_connect_timeout() {
    let server = Server::throwaway().expect("a server");
    let url = format!("{}&connect_timeout=1", server.url("postgres"));
    let project = one_table(&url).pipeline("connect: { wait: 2s }\n");
    let _frozen = Frozen::new(&server);
    for command in ["plan", "status", "deploy"] {
        let started = Instant::now();
        project.pgdeploy(&[command]).exits(69).says("E301").says("no answer");
        assert!(started.elapsed() < Duration::from_secs(6), "{command}");
    }
}

#[test]
fn a_user_before_a_socket_is_an_address_as_for_libpq() {
    let project = Project::new();
    let (before, after) = project.url.split_once(":///").expect("a socket's URL");
    let url = format!("{before}://postgres@/{}", after.replace("user=postgres&", ""));
    one_table(&url).deploy().exits(0);
}

#[test]
fn a_wrong_password_is_77_at_once_and_no_such_database_is_2() {
    let mut server = Server::throwaway().expect("a server");
    let hba = server.data_dir().join("pg_hba.conf");
    std::fs::write(&hba, "local all postgres trust\nlocal all all scram-sha-256\n").expect("pg_hba.conf");
    server.restart(Mode::Fast).expect("a restarted server");
    let mut admin = crate::harness::Client::connect(&server.url("postgres"));
    admin.run("CREATE ROLE deployer LOGIN PASSWORD 'right'");
    let url = |password: &str| {
        server.url("postgres").replace("user=postgres", &format!("user=deployer&password={password}"))
    };
    let started = Instant::now();
    let refused = one_table(&url("canary_wrong")).deploy().exits(77).says("E303");
    assert!(started.elapsed() < Duration::from_secs(10), "no retries");
    assert!(
        !refused.stdout.contains("canary") && !refused.stderr.contains("canary"),
        "no secret in any output"
    );
    one_table(&server.url("nowhere")).deploy().exits(2).says("E305").says("nowhere");
}

#[test]
fn a_missing_right_is_77_and_named() {
    let project = Project::new();
    let mut admin = project.client();
    let database = admin.text("current_database()");
    admin.run(&format!("CREATE ROLE {database}_visitor LOGIN"));
    let url = project.url.replace("user=postgres", &format!("user={database}_visitor"));
    let project = one_table(&url);
    project.deploy().exits(77).says("E304").says("permission denied");
    let grant = format!("GRANT CREATE ON DATABASE \"{database}\" TO \"{database}_visitor\"");
    project.pgdeploy(&["plan"]).exits(77).says("E304").says(&grant);
    admin.run(&grant);
    project.pgdeploy(&["plan"]).exits(0);
}

#[test]
fn a_standby_is_waited_for_until_it_can_be_written_to() {
    let mut server = Server::throwaway().expect("a server");
    server.create_database("promoted").expect("a database");
    server.stop(Mode::Fast).expect("a stopped server");
    let signal = server.data_dir().join("standby.signal");
    std::fs::write(&signal, "").expect("standby.signal");
    server.start().expect("a standby");
    let url = server.url("promoted");
    one_table(&url).pipeline("connect: { wait: 1s }\n").deploy().exits(69).says("hot standby");
    let project = one_table(&url);
    let output = project.path().join("events");
    let running = project.start_into(&["deploy", "--format", "jsonl"], &output);
    until("the standby was seen", || {
        std::fs::read_to_string(&output).is_ok_and(|text| text.contains("hot standby"))
    });
    crate::harness::Client::connect(&server.url("postgres")).run("SELECT pg_promote()");
    running.wait().exits(0);
}

#[test]
fn a_server_that_is_stopped_in_mid_deploy_ends_it_in_a_way_that_goes_on() {
    let mut server = Server::throwaway().expect("a server");
    server.create_database("crash").expect("a database");
    let url = server.url("crash");
    let project =
        one_table(&url).file("migrations/0002_slow.sql", "-- pgdeploy:\n--   allow: [sleep]\n--   reason: time for the test\nCREATE TABLE b (id int); SELECT pg_sleep(1.5);");
    let running = project.start(&["deploy"]);
    let mut client = project.client();
    until("the second migration runs", || {
        client.is("EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(1.5)%' AND pid <> pg_backend_pid())")
    });
    server.stop(Mode::Immediate).expect("a killed server");
    let outcome = running.wait();
    assert!(matches!(outcome.code, Some(69 | 75)), "{outcome:?}");
    server.start().expect("a started server");
    project.deploy().exits(0);
    let mut client = project.client();
    assert_eq!(client.number("count(*) FROM pgdeploy.migrations"), 2);
    assert!(
        client.is("EXISTS (SELECT FROM pgdeploy.deployments WHERE status = 'interrupted')"),
        "the first was closed"
    );
}
