//! The throwaway server.

use crate::owner::Owner;
use trial::blocking::until;

use crate::support::{is_alive, pid, psql};
use rustix::process::{Signal, getpgid, kill_process_group};
use scratch::{Error, Mode, Server};
use std::path::Path;

#[test]
fn a_throwaway_server_answers_and_leaves_nothing_behind() {
    let server = Server::throwaway().unwrap();
    let (number, dir) = (server.pid().unwrap(), server.socket_dir().to_owned());
    server.create_database("crm \"x\" & 'y'").unwrap();
    let url = server.url("crm \"x\" & 'y'");
    let answer = psql(server.binaries(), &url, "SELECT current_database(), upper('ä')").unwrap();
    assert_eq!(answer, "crm \"x\" & 'y'|Ä");
    let tcp = psql(server.binaries(), &url, "SHOW listen_addresses").unwrap();
    assert_eq!(tcp, "", "a port must not be opened");
    drop(server);
    assert!(!is_alive(number));
    assert!(!dir.exists());
}

#[test]
fn two_servers_live_side_by_side() {
    let (one, other) = (Server::throwaway().unwrap(), Server::throwaway().unwrap());
    one.create_database("only_here").unwrap();
    let count = "SELECT count(*) FROM pg_database WHERE datname = 'only_here'";
    assert_eq!(psql(one.binaries(), &one.url("postgres"), count).unwrap(), "1");
    drop(one);
    assert_eq!(psql(other.binaries(), &other.url("postgres"), count).unwrap(), "0");
}

#[test]
fn a_killed_owner_leaves_neither_process_nor_directory() {
    let mut owner = Owner::start("throwaway", &[]);
    let (server, dir) = owner.says();
    assert!(is_alive(server) && dir.is_dir());
    owner.kill();
    until("the server is gone", || !is_alive(server));
    until("its directory is gone", || !dir.exists());
}

#[test]
fn an_interrupt_at_the_terminal_reaches_the_owner_but_not_its_server() {
    let mut owner = Owner::start("throwaway", &[]);
    let (server, dir) = owner.says();
    assert_ne!(getpgid(Some(pid(server))).unwrap(), getpgid(Some(pid(owner.pid()))).unwrap());
    kill_process_group(pid(owner.pid()), Signal::INT).unwrap();
    let url = format!("postgresql:///postgres?host={}&user=postgres", dir.display());
    let binaries = scratch::Binaries::find().unwrap();
    // A server that shuts down would end this session.
    assert_eq!(psql(&binaries, &url, "SELECT 'up' FROM pg_sleep(0.3)").unwrap(), "up");
    owner.finish();
    assert!(!is_alive(server) && !dir.exists());
}

#[test]
fn settings_reach_the_server_and_a_wrong_one_is_told_with_the_log() {
    let server = Server::builder().setting("wal_level", "logical").start().unwrap();
    assert_eq!(psql(server.binaries(), &server.url("postgres"), "SHOW wal_level").unwrap(), "logical");
    let error = Server::builder().setting("wal_level", "nonsense").start().unwrap_err();
    assert!(matches!(&error, Error::StartFailed { tail, .. } if tail.contains("nonsense")), "{error}");
}

#[test]
fn a_server_stopped_either_way_has_its_rows_after_a_start() {
    let mut server = Server::throwaway().unwrap();
    let url = server.url("postgres");
    psql(server.binaries(), &url, "CREATE TABLE kept (n int)").unwrap();
    for (mode, said) in [(Mode::Fast, "fast shutdown"), (Mode::Immediate, "immediate shutdown")] {
        psql(server.binaries(), &url, "INSERT INTO kept VALUES (1)").unwrap();
        server.stop(mode).unwrap();
        assert_eq!(server.pid(), None);
        assert!(psql(server.binaries(), &url, "SELECT 1").is_err());
        assert!(server.log().contains(said), "{}", server.log());
        server.start().unwrap();
    }
    assert_eq!(psql(server.binaries(), &url, "SELECT sum(n) FROM kept").unwrap(), "2");
    server.restart(Mode::Fast).unwrap();
    assert_eq!(psql(server.binaries(), &url, "SELECT sum(n) FROM kept").unwrap(), "2");
}

#[test]
fn a_wrong_bindir_is_named_instead_of_searched_around() {
    let wrong = Path::new("/nowhere/pg/bin");
    let other = Path::new("/nowhere/else");
    let tested = [("PGDEPLOY_TEST_BINDIR", wrong), ("PGDEPLOY_PG_BINDIR", Path::new(""))];
    let both = [("PGDEPLOY_PG_BINDIR", wrong), ("PGDEPLOY_TEST_BINDIR", other)];
    for variables in [&tested, &both] {
        let (_, said) = Owner::start("find", variables).says();
        let said = said.to_string_lossy().into_owned();
        assert!(said.contains(variables[0].0) && said.contains("/nowhere/pg/bin"), "{said}");
    }
}
