//! Waiting for locks without holding others up.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use schema::{Done, Event, Failure};

use crate::database::{Database, at_work, one_by_one};

const ADD: &str = "ALTER TABLE t ADD b int";

/// An attempt has given way.
fn retrying(event: &Event) -> bool {
    matches!(event, Event::Retrying { .. })
}

/// Runs a file against a lock that somebody holds until an attempt has given way; how long after the lock's end it was in.
async fn against(database: &Database, hold: &str, file: &str, attempts: usize) -> Result<(Done, Duration)> {
    let mut holder = database.session().await?;
    holder.run(&format!("BEGIN; {hold}")).await?;
    let (done, freed) =
        tokio::join!(async { (database.run(&[("1_a", file)]).await, Instant::now()) }, async {
            database.events.until(attempts, retrying).await?;
            holder.run("COMMIT").await?;
            anyhow::Ok(Instant::now())
        });
    let (done, ended) = done;
    let done = done?.map_err(|error| anyhow!("{error:#?}"))?.remove(0);
    Ok((done, ended.duration_since(freed?)))
}

#[tokio::test]
async fn an_attempt_gives_way_and_the_file_is_in_within_a_second_of_the_blockers_end() -> Result<()> {
    let database = Database::new("waits_exclusive", "CREATE TABLE t (a int)").await?;
    let (done, late) =
        against(&database, "SELECT * FROM t", &format!("CREATE TABLE u (i int); {ADD}"), 3).await?;
    assert!(late < Duration::from_secs(1), "{late:?}");
    assert!(done.retries >= 3, "{done:?}");
    let recorded = "SELECT format('%s %s', retries, waited_ms >= 1500) FROM pgdeploy.migrations";
    assert_eq!(database.one(recorded).await?, format!("{} t", done.retries));
    let pids: Vec<_> = done.blocked_by.iter().map(|blocker| blocker.application.as_str()).collect();
    assert_eq!(pids, ["pgdeploy/somebody"]);
    Ok(())
}

#[tokio::test]
async fn a_blocker_is_watched_also_where_the_text_names_no_table() -> Result<()> {
    // SHARE ROW EXCLUSIVE, by a function: neither the lock nor the table can be read off the file.
    let setup = "CREATE TABLE t (a int PRIMARY KEY); CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'LOCK TABLE t IN SHARE ROW EXCLUSIVE MODE'";
    let database = Database::new("waits_hidden", setup).await?;
    let mut late = Vec::new();
    for attempts in [4, 9] {
        late.push(against(&database, "INSERT INTO t VALUES (1)", "SELECT f()", attempts).await?.1);
        database.sql("DELETE FROM pgdeploy.migrations; DELETE FROM t").await?;
    }
    assert!(late.iter().all(|late| *late < Duration::from_secs(1)), "{late:?}");
    Ok(())
}

#[tokio::test]
async fn a_wait_that_begins_late_in_a_long_file_is_seen_too() -> Result<()> {
    let database = Database::new("waits_late", "CREATE TABLE t (a int)").await?;
    let (done, _) = against(&database, "SELECT * FROM t", &format!("SELECT pg_sleep(0.3); {ADD}"), 1).await?;
    assert_eq!(done.blocked_by.len(), 1, "{done:?}");
    Ok(())
}

#[tokio::test]
async fn writers_are_held_up_no_longer_than_the_lock_timeout() -> Result<()> {
    let mut database = Database::new(
        "waits_writers",
        "CREATE TABLE t (a int, n int); INSERT INTO t SELECT g, 0 FROM generate_series(1, 4) g",
    )
    .await?;
    database.settings.lock_timeout = Duration::from_millis(300);
    let mut reader = database.session().await?;
    reader.run("BEGIN; SELECT * FROM t").await?;
    let over = tokio_util::sync::CancellationToken::new();
    let writer = async |row: i32| -> Result<Duration> {
        let mut session = database.session().await?;
        let mut worst = Duration::ZERO;
        while !over.is_cancelled() {
            let started = Instant::now();
            session.run(&format!("UPDATE t SET n = n + 1 WHERE a = {row}")).await?;
            worst = worst.max(started.elapsed());
        }
        Ok(worst)
    };
    let migration = async {
        let read = async {
            database.events.until(3, retrying).await?;
            reader.run("SELECT pg_sleep(0.5)").await?;
            reader.run("COMMIT").await?;
            anyhow::Ok(Instant::now())
        };
        let (done, read) = tokio::join!(database.run(&[("1_a", ADD)]), read);
        let late = read.map(|end| end.elapsed());
        over.cancel();
        done?.map_err(|error| anyhow!("{error:#?}"))?;
        late
    };
    let (late, one, two, three, four) = tokio::join!(migration, writer(1), writer(2), writer(3), writer(4));
    let worst = [one?, two?, three?, four?].into_iter().max().unwrap_or_default();
    // The machine may be busy with other tests; the bench measures it alone.
    assert!(worst < Duration::from_millis(300 + 300), "{worst:?}");
    assert!(late? < Duration::from_secs(1));
    Ok(())
}

/// Runs files against a transaction that has read `table` for more than a second; the last of them waits for it without
/// queueing.
async fn behind_an_old_reader(database: &Database, table: &str, named: &[(&str, &str)]) -> Result<()> {
    let mut reader = database.session().await?;
    reader.run(&format!("BEGIN; SELECT * FROM {table}")).await?;
    let pid = reader.pid();
    database.until(&old(pid)).await?;
    let (done, freed) = tokio::join!(database.run(named), async {
        database.until_event(|event| waiting(event, pid)).await?;
        anyhow::Ok(reader.run("COMMIT").await?)
    });
    freed?;
    let done = done?.map_err(|error| anyhow!("{error:#?}"))?;
    assert!(done.iter().all(|done| done.retries == 0), "{done:?}");
    Ok(())
}

/// A query that is true once the transaction of a backend is old enough to be looked at.
fn old(pid: i32) -> String {
    format!("clock_timestamp() - xact_start > interval '1 s' FROM pg_stat_activity WHERE pid = {pid}")
}

/// It is looked at one backend, and nobody else.
fn waiting(event: &Event, pid: i32) -> bool {
    matches!(event, Event::Waiting { blocked_by, .. } if blocked_by.len() == 1 && blocked_by[0].pid == pid)
}

#[tokio::test]
async fn old_transactions_are_waited_for_before_the_first_attempt_queues() -> Result<()> {
    let database = Database::new("waits_first", "CREATE TABLE t (a int)").await?;
    behind_an_old_reader(&database, "t", &[("1_a", ADD)]).await
}

#[tokio::test]
async fn the_tables_of_a_configured_search_path_are_looked_at() -> Result<()> {
    // Of the same name in the role's own path there is another one, or none.
    for (name, elsewhere) in [("other", "CREATE TABLE t (a int)"), ("none", "SELECT 1")] {
        let setup = format!("CREATE SCHEMA app; CREATE TABLE app.t (a int); {elsewhere}");
        let mut database = Database::new(&format!("waits_path_{name}"), &setup).await?;
        database.settings.search_path = Some("\"app\", \"public\"".into());
        let each = one_by_one("ALTER TABLE t ADD c int");
        behind_an_old_reader(&database, "app.t", &[("1_a", ADD)]).await?;
        let mut named = vec![("1_a", ADD), ("2_b", each.as_str())];
        behind_an_old_reader(&database, "app.t", &named).await?;
        // What the file itself has set before comes last.
        database.settings.search_path = Some("\"public\"".into());
        let sets = one_by_one("SET search_path = app;\nALTER TABLE t ADD d int");
        named.push(("3_c", &sets));
        behind_an_old_reader(&database, "app.t", &named).await?;
    }
    Ok(())
}

#[tokio::test]
async fn tables_that_only_the_configured_role_may_see_are_no_obstacle() -> Result<()> {
    let setup = "CREATE ROLE waits_owner; CREATE ROLE waits_login LOGIN NOINHERIT IN ROLE waits_owner; \
        GRANT CREATE ON DATABASE waits_role TO waits_login; CREATE SCHEMA app AUTHORIZATION waits_owner; \
        SET ROLE waits_owner; CREATE TABLE app.t (a int)";
    let mut database = Database::of_role("waits_role", setup, "waits_login").await?;
    database.settings.role = Some("waits_owner".into());
    let (done, _) = against(&database, "SELECT * FROM app.t", "ALTER TABLE app.t ADD b int", 1).await?;
    assert!(done.retries >= 1, "{done:?}");
    Ok(())
}

#[tokio::test]
async fn a_table_that_a_slow_file_has_made_may_be_in_use_at_its_end() -> Result<()> {
    let database = Database::new("waits_slow", "CREATE TABLE held (i int)").await?;
    let (mut holder, mut reader) = (database.session().await?, database.session().await?);
    holder.run("BEGIN; LOCK TABLE held IN SHARE UPDATE EXCLUSIVE MODE").await?;
    let slow = one_by_one("CREATE TABLE t (a int);\nVACUUM held;");
    let named = [("1_slow", slow.as_str()), ("2_add", ADD)];
    let (done, freed) = tokio::join!(database.run(&named), async {
        database.until("to_regclass('t') IS NOT NULL").await?;
        reader.run("BEGIN; SELECT * FROM t").await?;
        database.until(&old(reader.pid())).await?;
        holder.run("COMMIT").await?;
        database.until_event(|event| waiting(event, reader.pid())).await?;
        anyhow::Ok(reader.run("COMMIT").await?)
    });
    freed?;
    assert_eq!(done?.map_err(|error| anyhow!("{error:#?}"))?[1].retries, 0);
    Ok(())
}

#[tokio::test]
async fn a_temporary_table_does_not_make_one_of_its_name_new() -> Result<()> {
    let database = Database::new("waits_temporary", "CREATE TABLE t (a int)").await?;
    let named =
        [("1_a", "CREATE TEMP TABLE t (a int)"), ("2_b", "CREATE TEMPORARY TABLE u (a int)"), ("3_add", ADD)];
    behind_an_old_reader(&database, "t", &named).await
}

#[tokio::test]
async fn patience_that_ends_says_who_and_leaves_nothing() -> Result<()> {
    let mut database = Database::new("waits_patience", "CREATE TABLE t (a int)").await?;
    database.settings.retry_for = Duration::from_millis(1500);
    let mut reader = database.session().await?;
    reader.run("BEGIN; SELECT * FROM t").await?;
    let started = Instant::now();
    let failure = database.failure(&[("1_a", &format!("CREATE TABLE u (i int);\n{ADD}"))]).await?;
    let took = started.elapsed();
    assert!(took >= database.settings.retry_for && took < Duration::from_secs(5), "{took:?}");
    let Failure::Blocked { problem, attempts, blocked_by, .. } = failure else {
        anyhow::bail!("{failure:?}")
    };
    assert!(problem.to_string().starts_with("E101 migrations/1_a.sql:2:1"), "{problem}");
    assert!(attempts >= 2, "{attempts}");
    assert_eq!(blocked_by[0].pid, reader.pid());
    assert_eq!(database.one("SELECT to_regclass('u')").await?, "NULL");
    Ok(())
}

#[tokio::test]
async fn a_stop_ends_the_waiting() -> Result<()> {
    for (name, text) in [("1_a", ADD.to_owned()), ("1_b", one_by_one("VACUUM FULL t"))] {
        let mut database = Database::new(&format!("waits_stop_{name}"), "CREATE TABLE t (a int)").await?;
        database.settings.lock_timeout = Duration::from_secs(20);
        let mut reader = database.session().await?;
        reader.run("BEGIN; SELECT * FROM t").await?;
        let named = [(name, text.as_str())];
        let (failure, stopped) = tokio::join!(database.failure(&named), async {
            database.until(&at_work("wait_event_type = 'Lock'")).await?;
            database.stop.cancel();
            anyhow::Ok(Instant::now())
        });
        assert!(matches!(failure?, Failure::Interrupted));
        assert!(stopped?.elapsed() < Duration::from_secs(5));
    }
    Ok(())
}
