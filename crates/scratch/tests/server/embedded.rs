//! The embedded server.

use crate::owner::Owner;
use trial::blocking::until;

use crate::support::{is_alive, kill, open_to, project, psql};
use scratch::{Embedded, Error, Running};
use std::fs;

fn sql(running: &Running, statement: &str) -> String {
    psql(running.binaries(), &running.url("crm"), statement).unwrap()
}

fn embedded(project: &tempfile::TempDir) -> Embedded {
    Embedded::at(&project.path().join(".pgdeploy")).unwrap()
}

/// A start with a table of one row in the database `crm`.
fn with_a_row(embedded: &Embedded) -> Running {
    let running = embedded.start().unwrap();
    assert!(running.ensure_database("crm").unwrap());
    sql(&running, "CREATE TABLE leads AS SELECT 1 AS id");
    running
}

#[test]
fn data_are_kept_from_one_start_to_the_next_until_they_are_reset() {
    let project = project();
    let embedded = embedded(&project);
    assert!(!embedded.is_initialised() && !embedded.is_running());
    let running = with_a_row(&embedded);
    assert!(running.is_new() && running.was_started() && embedded.is_running());
    assert_eq!(sql(&running, "SHOW fsync"), "on");
    let url = running.url("crm");
    assert!(running.stop().unwrap());
    assert!(embedded.is_initialised() && !embedded.is_running());

    let running = embedded.start().unwrap();
    assert!(!running.is_new() && !running.ensure_database("crm").unwrap());
    assert_eq!(sql(&running, "SELECT count(*) FROM leads"), "1");
    assert_eq!(running.url("crm"), url);
    assert_eq!(fs::read_to_string(project.path().join(".pgdeploy/.gitignore")).unwrap(), "*\n");
    drop(running);

    embedded.reset().unwrap();
    assert!(!embedded.is_initialised() && !embedded.location().home().exists());
    assert!(embedded.start().unwrap().ensure_database("crm").unwrap());
}

#[test]
fn a_killed_owner_leaves_its_rows_but_no_server() {
    let project = project();
    let embedded = embedded(&project);
    drop(with_a_row(&embedded));
    let mut owner = Owner::embedded(embedded.location().base());
    let (server, link) = owner.says();
    let run = fs::canonicalize(link).unwrap();
    owner.kill();
    until("the server is gone", || !is_alive(server));
    until("nobody runs it", || !embedded.is_running());
    assert!(!run.exists(), "the socket's directory is left");
    assert_eq!(sql(&embedded.start().unwrap(), "SELECT count(*) FROM leads"), "1");
}

#[test]
fn a_crashed_server_is_recovered_at_the_next_start() {
    let project = project();
    let embedded = embedded(&project);
    let running = with_a_row(&embedded);
    kill(running.pid());
    drop(running);
    let running = embedded.start().unwrap();
    assert_eq!(sql(&running, "SELECT count(*) FROM leads"), "1");
    let log = fs::read_to_string(embedded.location().log_path()).unwrap();
    assert!(log.contains("automatic recovery in progress"), "{log}");
}

#[test]
fn the_last_of_two_users_stops_the_server() {
    let project = project();
    let embedded = embedded(&project);
    let mut owner = Owner::embedded(embedded.location().base());
    let (server, _) = owner.says();
    let first = embedded.start().unwrap();
    assert!(!first.was_started());
    assert_eq!(first.pid(), server);
    let second = embedded.start().unwrap();
    assert!(!first.stop().unwrap(), "others use it");
    owner.kill();
    second.ensure_database("crm").unwrap();
    assert_eq!(sql(&second, "SELECT 'up' FROM pg_sleep(0.3)"), "up");
    assert!(second.stop().unwrap());
    assert!(!is_alive(server) && !embedded.is_running());
}

#[test]
fn a_user_that_is_killed_last_takes_the_server_with_it() {
    let project = project();
    let embedded = embedded(&project);
    let running = embedded.start().unwrap();
    let mut owner = Owner::embedded(embedded.location().base());
    let (server, _) = owner.says();
    assert_eq!(running.pid(), server);
    assert!(!running.stop().unwrap());
    assert!(is_alive(server));
    owner.kill();
    until("the server is gone", || !is_alive(server));
}

#[test]
fn users_who_come_at_once_share_one_server() {
    let project = project();
    let embedded = embedded(&project);
    for _ in 0..3 {
        let all: Vec<Running> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| embedded.start().unwrap())).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert!(all.iter().all(|running| running.pid() == all[0].pid()));
        assert_eq!(all.iter().filter(|running| running.was_started()).count(), 1);
        // They also leave and come back at once: nobody may be handed a server that is on its way down.
        std::thread::scope(|scope| {
            for running in all {
                let embedded = &embedded;
                scope.spawn(move || {
                    drop(running);
                    embedded.start().unwrap().ensure_database("crm").unwrap();
                });
            }
        });
        until("nobody runs it", || !embedded.is_running());
    }
}

#[test]
fn a_server_that_is_kept_runs_without_users_until_it_is_stopped() {
    let project = project();
    let embedded = embedded(&project);
    let running = with_a_row(&embedded);
    let server = running.pid();
    running.keep().unwrap();
    let visitor = embedded.start().unwrap();
    assert_eq!(visitor.pid(), server);
    assert!(!visitor.stop().unwrap());
    assert!(is_alive(server));
    assert!(embedded.stop().unwrap());
    assert!(!is_alive(server));
    assert!(!embedded.stop().unwrap());
}

#[test]
fn an_initdb_that_was_killed_half_way_is_done_again() {
    let project = project();
    let embedded = embedded(&project);
    let owner = Owner::embedded(embedded.location().base());
    let half = embedded.location().home().join("data.new");
    until("initdb has begun", || half.join("PG_VERSION").exists());
    owner.kill();
    assert!(!embedded.is_initialised());
    let running = embedded.start().unwrap();
    assert!(running.is_new() && running.ensure_database("crm").unwrap());
    assert!(!half.exists());
}

#[test]
fn data_of_another_version_are_refused_with_the_way_out() {
    let project = project();
    let embedded = embedded(&project);
    drop(embedded.start().unwrap());
    fs::write(embedded.location().data_dir().join("PG_VERSION"), "9\n").unwrap();
    let error = embedded.start().unwrap_err();
    assert!(matches!(&error, Error::VersionChanged { data, .. } if data == "9"), "{error}");
    assert!(error.to_string().contains("pgdeploy dev reset"), "{error}");
    embedded.reset().unwrap();
    assert!(embedded.start().unwrap().is_new());
}

#[test]
fn a_project_that_is_closed_to_the_servers_user_has_its_data_elsewhere() {
    let project = project();
    open_to(project.path(), 0o700);
    let embedded = embedded(&project);
    let location = embedded.location();
    // Only root runs the server as somebody else.
    assert_eq!(location.is_elsewhere(), rustix::process::geteuid().is_root());
    drop(with_a_row(&embedded));
    assert_eq!(sql(&embedded.start().unwrap(), "SELECT count(*) FROM leads"), "1");
    let note = location.base().join("LOCATION");
    if location.is_elsewhere() {
        let text = fs::read_to_string(&note).unwrap();
        assert!(text.contains(&location.home().display().to_string()), "{text}");
    }
    embedded.reset().unwrap();
    assert!(!location.home().exists() && !note.exists());
}
