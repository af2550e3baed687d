//! Several deploys of one pipeline at once: one works, the others wait or say who has the lock.

use rustix::process::Signal;

use crate::harness::{Project, until};

const SLEEPS: &str = "-- pgdeploy:\n--   allow: [sleep]\n--   reason: time for the test\nCREATE TABLE slow (id int); SELECT pg_sleep(2);";

#[test]
fn a_second_deploy_is_75_and_names_the_holder() {
    let project = Project::new().file("migrations/0001_slow.sql", SLEEPS);
    let first = project.start(&["deploy"]);
    let mut client = project.client();
    until("the first deploy is at work", || {
        client.is("EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(2)%' AND pid <> pg_backend_pid())")
    });
    let holder = client.text("(SELECT pid FROM pg_stat_activity WHERE application_name = 'pgdeploy/lock' AND datname = current_database() AND xact_start IS NOT NULL)");
    project.deploy().exits(75).says("E311").says(&format!("pid {holder}"));
    first.wait().exits(0);
    assert_eq!(client.number("count(*) FROM pgdeploy.migrations"), 1);
}

#[test]
fn with_patience_for_the_lock_it_waits_and_then_finds_nothing_to_do() {
    let project = Project::new().pipeline("lock: { wait: 60s }\n").file("migrations/0001_slow.sql", SLEEPS);
    let runs: Vec<_> = (0..4).map(|_| project.start(&["deploy"])).collect();
    let outcomes: Vec<_> = runs.into_iter().map(|run| run.wait().exits(0)).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.stdout.contains("NOTHING TO DO")).count(), 3);
    assert_eq!(project.client().number("count(*) FROM pgdeploy.migrations"), 1);
}

#[test]
fn six_first_deploys_at_once_with_an_index_among_the_changes_do_everything_once() {
    let project = Project::new()
        .pipeline("lock: { wait: 120s }\n")
        .file("migrations/0001_a.sql", "-- pgdeploy:\n--   allow: [dml-insert-select]\n--   reason: rows for the test\nCREATE TABLE a (id int PRIMARY KEY, b int); INSERT INTO a SELECT g FROM generate_series(1, 1000) g;")
        .file("indexes/a.sql", "CREATE INDEX a_b_idx ON a (b);")
        .file("backfills/0001_b.sql", "UPDATE a SET b = id WHERE b IS NULL;");
    let runs: Vec<_> = (0..6).map(|_| project.start(&["deploy", "--detailed-exitcode"])).collect();
    for run in runs {
        run.wait().exits(0);
    }
    let mut client = project.client();
    assert_eq!(client.number("count(*) FROM pg_index WHERE NOT indisvalid"), 0);
    assert_eq!(client.number("count(*) FROM a WHERE b = id"), 1000);
    assert_eq!(client.number("count(*) FROM pgdeploy.index_builds"), 1);
}

#[test]
fn a_frozen_deploy_whose_lock_was_taken_from_it_writes_nothing_when_it_thaws() {
    // A frozen client's open batch holds its progress row until the server ends it.
    let project = Project::new()
        .pipeline("stages: { backfill: { idle_in_transaction_session_timeout: 3s } }\n")
        .file("migrations/0001_rows.sql", "-- pgdeploy:\n--   allow: [dml-insert-select]\n--   reason: rows for the test\nCREATE TABLE r (id int PRIMARY KEY, done boolean NOT NULL DEFAULT false, touched int NOT NULL DEFAULT 0);
            INSERT INTO r SELECT g FROM generate_series(1, 1500) g;
            CREATE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.002); RETURN i; END $$;")
        .file("backfills/0001_touch.sql", "UPDATE r SET done = true, touched = touched + (slow(r.id) > 0)::int WHERE NOT done;");
    let frozen = project.start(&["deploy"]);
    let mut client = project.client();
    until("the backfill has begun", || {
        client.is("to_regclass('r') IS NOT NULL") && client.is("EXISTS (SELECT FROM r WHERE done)")
    });
    frozen.signal(Signal::STOP);
    client.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgdeploy/lock' AND datname = current_database()");
    until("its batch is over", || {
        !client.is("EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'pgdeploy/%' AND state = 'active' AND datname = current_database())")
    });
    project.deploy().exits(0);
    let rows = "(SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM r t)";
    let (before, journal) = (client.text(rows), client.number("count(*) FROM pgdeploy.journal"));
    frozen.signal(Signal::CONT);
    let outcome = frozen.wait();
    assert!(matches!(outcome.code, Some(0 | 69 | 75)), "{outcome:?}");
    assert_eq!(client.text(rows), before);
    assert_eq!(client.number("count(*) FROM r WHERE touched = 1"), 1500, "each row exactly once");
    assert_eq!(client.number("count(*) FROM pgdeploy.journal"), journal, "not even its journal");
}

#[test]
fn sessions_that_somebody_ends_in_mid_deploy_are_replaced_where_they_only_record() {
    let project =
        Project::new().file("migrations/0001_slow.sql", "-- pgdeploy:\n--   allow: [sleep]\n--   reason: time for the test\nCREATE TABLE slow (id int); SELECT pg_sleep(1.5);");
    let running = project.start(&["deploy"]);
    let mut client = project.client();
    until("the migration is at work", || {
        client.is("EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(1.5)%' AND application_name = 'pgdeploy/schema' AND datname = current_database())")
    });
    client.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name IN ('pgdeploy/ledger', 'pgdeploy/journal') AND datname = current_database()");
    running.wait().exits(0);
    assert_eq!(client.number("count(*) FROM pgdeploy.deployments WHERE status = 'succeeded'"), 1);
}

#[test]
fn a_deploy_frozen_inside_a_migration_rolls_it_back_when_it_thaws_without_its_lock() {
    let project =
        Project::new().file("migrations/0001_slow.sql", "-- pgdeploy:\n--   allow: [sleep]\n--   reason: time for the test\nCREATE TABLE slow (id int); SELECT pg_sleep(1);");
    let frozen = project.start(&["deploy"]);
    let mut client = project.client();
    let at_work = "EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(1)%' AND application_name = 'pgdeploy/schema' AND state = 'active' AND datname = current_database())";
    until("the migration is at work", || client.is(at_work));
    frozen.signal(Signal::STOP);
    client.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgdeploy/lock' AND datname = current_database()");
    until("its statement is over", || !client.is(at_work));
    frozen.signal(Signal::CONT);
    let outcome = frozen.wait();
    assert!(matches!(outcome.code, Some(69 | 75)), "{outcome:?}");
    assert_eq!(client.number("count(*) FROM pgdeploy.migrations"), 0);
    assert_eq!(client.text("to_regclass('slow')"), "NULL");
    project.deploy().exits(0);
}

#[test]
fn the_lock_of_a_machine_that_is_gone_without_a_word_is_free_within_half_a_minute() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    let server = scratch::Server::builder()
        .setting("listen_addresses", "127.0.0.1")
        .setting("port", &port.to_string())
        .start()
        .expect("a server");
    let project = Project::at(&format!("postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=disable"))
        .file("migrations/0001_slow.sql", &SLEEPS.replace("(2)", "(60)"));
    let running = project.start(&["deploy"]);
    let mut client = project.client();
    let holder =
        "FROM pg_stat_activity WHERE application_name = 'pgdeploy/lock' AND state = 'idle in transaction'";
    until("the lock is held", || client.is(&format!("EXISTS (SELECT {holder})")));
    let theirs = client.number(&format!("client_port {holder}"));
    // Lines of the kernel's table: local and remote address, .., the timer that runs (2 is keepalive) and its ticks left.
    let ends = format!(":{port:04X} 0100007F:{theirs:04X} ");
    until("the server will ask for a sign of life within ten seconds", || {
        let sockets = std::fs::read_to_string("/proc/net/tcp").expect("sockets");
        let line = sockets.lines().find(|line| line.contains(&ends)).expect("the server's end");
        let (kind, ticks) =
            line.split_whitespace().nth(5).and_then(|timer| timer.split_once(':')).expect("a timer");
        kind == "02" && u64::from_str_radix(ticks, 16).expect("ticks") <= 10 * 100
    });
    running.signal(Signal::TERM);
    running.wait().exits(143);
    drop(server);
}
