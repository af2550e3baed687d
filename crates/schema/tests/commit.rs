//! A COMMIT whose answer was lost: whether it is in, the server knows.

use std::time::Duration;

use anyhow::{Result, anyhow};
use schema::{Event, Failure};
use scratch::{Mode, Server};

use crate::database::{Database, at_work, one_by_one};

/// From here on this database's COMMITs wait for a replica that does not exist.
async fn wait_for_a_replica(database: &Database) -> Result<()> {
    let name = database.one("SELECT current_database()").await?;
    database.sql(&format!("ALTER DATABASE \"{name}\" SET synchronous_commit = on")).await
}

const COMMITTING: &str = "wait_event = 'SyncRep'";

#[tokio::test]
async fn a_commit_that_is_cut_off_behind_the_servers_own_is_applied() -> Result<()> {
    let database = Database::new("commit_lost", "").await?;
    wait_for_a_replica(&database).await?;
    let named = [("1_a", "SET statement_timeout = '100ms'; CREATE TABLE a (i int)")];
    let (done, ended) = tokio::join!(database.run(&named), async {
        database.until(&at_work(COMMITTING)).await?;
        database.sql(&format!("SELECT pg_terminate_backend({})", database.backend().await?)).await
    });
    ended?;
    assert_eq!(done?.map_err(|error| anyhow!("{error}"))?.len(), 1);
    assert_eq!(database.history().await?, "1_a applied");
    assert!(database.events().iter().any(|event| matches!(event, Event::Applied { .. })));
    assert!(database.applied(&named).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn only_the_last_file_of_a_phase_waits_for_the_disk_and_so_for_all_before() -> Result<()> {
    let database = Database::new("commit_together", "").await?;
    let text =
        |table: &str| format!("CREATE TABLE {table} AS SELECT current_setting('synchronous_commit') AS it");
    let texts = [text("a"), text("b"), text("c")];
    let named = [("1_a", texts[0].as_str()), ("2_b", &texts[1]), ("3_c", &texts[2])];
    assert_eq!(database.applied(&named).await?.len(), 3);
    assert_eq!(
        database.one("SELECT format('%s %s %s', a.it, b.it, c.it) FROM a, b, c").await?,
        "off off local"
    );
    Ok(())
}

#[tokio::test]
async fn a_file_goes_on_in_its_surroundings_behind_a_commit_that_was_cut_off() -> Result<()> {
    let setup = "DO $$ BEGIN CREATE ROLE builder; EXCEPTION WHEN duplicate_object THEN NULL; WHEN unique_violation THEN NULL; END $$; CREATE SCHEMA app AUTHORIZATION builder";
    let mut database = Database::new("commit_lost_each", setup).await?;
    (database.settings.role, database.settings.search_path) = (Some("builder".into()), Some("app".into()));
    let text = one_by_one(
        "SET work_mem = '3MB';\nSET synchronous_commit = on;\nSET synchronous_commit = local;\nCREATE TABLE a (i int);\n\
         CREATE INDEX CONCURRENTLY a_i ON a (i);\nDO $$ BEGIN COMMIT; CREATE TABLE b AS SELECT current_setting('work_mem') AS memory, count(*) AS locks FROM pg_locks \
         WHERE locktype = 'advisory' AND objid = 2 AND pid = pg_backend_pid(); END $$",
    );
    let named = [("1_a", text.as_str())];
    let (done, ended) = tokio::join!(database.run(&named), async {
        database.until(&at_work(COMMITTING)).await?;
        database.sql(&format!("SELECT pg_terminate_backend({})", database.backend().await?)).await
    });
    ended?;
    assert_eq!(done?.map_err(|error| anyhow!("{error:#?}"))?.len(), 1);
    assert_eq!(database.one("SELECT format('%s %s', memory, locks) FROM app.b").await?, "3MB 1");
    let owners = "SELECT string_agg(relname || ' ' || relowner::regrole, ', ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'app'::regnamespace";
    assert_eq!(database.one(owners).await?, "a builder, a_i builder, b builder");
    Ok(())
}

#[tokio::test]
async fn a_wait_for_a_replica_that_an_operator_cancels_is_a_commit() -> Result<()> {
    let database = Database::new("commit_hangs", "").await?;
    wait_for_a_replica(&database).await?;
    let named = [("1_a", "CREATE TABLE a (i int)")];
    let (done, cancelled) = tokio::join!(database.run(&named), async {
        database.until(&at_work(COMMITTING)).await?;
        // An operator ends the wait: the server answers that it has committed.
        database.sql(&format!("SELECT pg_cancel_backend({})", database.backend().await?)).await
    });
    cancelled?;
    assert_eq!(done?.map_err(|error| anyhow!("{error}"))?.len(), 1);
    assert_eq!(database.history().await?, "1_a applied");
    Ok(())
}

#[tokio::test]
async fn a_killed_runners_commit_that_comes_in_later_is_not_run_again() -> Result<()> {
    let name = "commit_orphan";
    let database = Database::new(name, "").await?;
    wait_for_a_replica(&database).await?;
    let named = [("1_a", "CREATE TABLE a (i int)"), ("2_b", "ALTER TABLE a ADD b int")];
    let committing = at_work(COMMITTING);
    tokio::select! {
        done = database.run(&named[..1]) => anyhow::bail!("too early: {done:?}"),
        there = database.until(&committing) => there?,
    }
    // The runner is gone; its backend waits on, holds the execute lock, and nobody can see its row yet.
    let database = database.lock_again(name).await?;
    database.sql("SET synchronous_commit = local; DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET synchronous_commit', current_database()); END $$").await?;
    let orphan = database.backend().await?;
    let (applied, ended) = tokio::join!(database.applied(&named), async {
        database.until_event(|event| matches!(event, Event::Orphan { pid } if *pid == orphan)).await?;
        database.sql(&format!("SELECT pg_cancel_backend({orphan})")).await
    });
    ended?;
    assert_eq!(applied?, ["1_a", "2_b"]);
    assert_eq!(database.history().await?, "1_a applied, 2_b applied");
    let told = database.events().iter().filter(|event| matches!(event, Event::Orphan { .. })).count();
    assert_eq!(told, 1, "it is told once");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_at_the_commit_has_all_of_the_file_or_nothing() -> Result<()> {
    let mut server = Server::builder()
        .setting("synchronous_standby_names", "ghost")
        .setting("synchronous_commit", "local")
        .start()?;
    // One crash while the file runs, one behind the COMMIT's own record.
    for (name, condition, there) in
        [("crash_before", "wait_event = 'PgSleep'", false), ("crash_behind", COMMITTING, true)]
    {
        let database = Database::on(&server, name, "", "postgres").await?;
        wait_for_a_replica(&database).await?;
        let slow =
            if there { "CREATE TABLE a (i int)" } else { "CREATE TABLE a (i int); SELECT pg_sleep(60)" };
        let named = [("1_a", slow)];
        let (done, restarted) = tokio::join!(database.run(&named), async {
            database.until(&at_work(condition)).await?;
            tokio::task::block_in_place(|| server.restart(Mode::Immediate))?;
            anyhow::Ok(())
        });
        restarted?;
        match done? {
            Ok(done) => assert!(there && done.len() == 1, "{name}: {done:?}"),
            Err(error) => {
                assert!(!there && matches!(error.failure, Failure::Session(_)), "{name}: {error:?}")
            }
        }
        let rows = if there { "1_a applied" } else { "" };
        assert_eq!(database.history().await?, rows, "{name}");
        assert_eq!(database.one("SELECT to_regclass('a') IS NOT NULL").await?, there.to_string(), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn what_an_orphan_holds_is_waited_for_thirty_seconds_at_most_and_then_named() -> Result<()> {
    let database = Database::new("commit_orphan_named", "").await?;
    let mut orphan = database.session().await?;
    let key = database.lock.key().0;
    orphan.run(&format!("BEGIN; SELECT pg_advisory_xact_lock({key}, 2)")).await?;
    let pid = orphan.pid();
    let named = [("1_a", "CREATE TABLE a (i int)")];
    let (applied, freed) =
        tokio::join!(tokio::time::timeout(Duration::from_secs(20), database.applied(&named)), async {
            database
                .until_event(|event| matches!(event, Event::Orphan { pid: seen } if *seen == pid))
                .await?;
            anyhow::Ok(orphan.run("COMMIT").await?)
        });
    freed?;
    assert_eq!(applied??, ["1_a"]);
    Ok(())
}
