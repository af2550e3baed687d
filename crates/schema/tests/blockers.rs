//! Those in the way and those behind: what is done to them, and for them.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use futures_util::future::try_join_all;
use schema::{Event, Failure};

use crate::database::{Database, at_work};

const ADD: [(&str, &str); 1] = [("1_a", "ALTER TABLE t ADD b int")];

#[tokio::test]
async fn nobody_is_ended_unless_the_settings_say_so() -> Result<()> {
    let mut database = Database::new("blockers_never", "CREATE TABLE t (a int)").await?;
    database.settings.retry_for = Duration::from_secs(1);
    let mut idler = database.session().await?;
    idler.run("BEGIN; SELECT * FROM t").await?;
    assert!(matches!(database.failure(&ADD).await?, Failure::Blocked { .. }));
    idler.run("COMMIT").await?;
    Ok(())
}

#[tokio::test]
async fn one_that_stands_idle_in_a_transaction_is_ended_where_the_settings_say_so() -> Result<()> {
    let mut database = Database::new("blockers_idle", "CREATE TABLE t (a int)").await?;
    database.settings.kill_blockers = Some(Duration::from_millis(200));
    let mut idler = database.session().await?;
    idler.run("BEGIN; SELECT * FROM t").await?;
    let pid = idler.pid();
    assert_eq!(database.applied(&ADD).await?, ["1_a"]);
    assert!(idler.run("COMMIT").await.is_err_and(|error| error.is_lost_connection()));
    let ended = |event: &Event| matches!(event, Event::BlockerEnded { blocker, .. } if blocker.pid == pid);
    assert_eq!(database.events().iter().filter(|event| ended(event)).count(), 1, "{:#?}", database.events());
    Ok(())
}

#[tokio::test]
async fn one_that_is_at_work_is_never_ended() -> Result<()> {
    let mut database = Database::new("blockers_active", "CREATE TABLE t (a int)").await?;
    database.settings.kill_blockers = Some(Duration::from_millis(1));
    let mut worker = database.session().await?;
    let (applied, worked) = tokio::join!(
        database.applied(&ADD),
        worker.run("SELECT pg_sleep(1.5) FROM (SELECT count(*) FROM t) c")
    );
    worked?;
    assert_eq!(applied?, ["1_a"]);
    assert!(!database.events().iter().any(|event| matches!(event, Event::BlockerEnded { .. })));
    Ok(())
}

#[tokio::test]
async fn one_that_we_have_no_right_to_end_stays_a_blocker() -> Result<()> {
    let setup = "CREATE ROLE blockers_weak LOGIN; GRANT CREATE ON DATABASE blockers_right TO blockers_weak; CREATE TABLE t (a int); ALTER TABLE t OWNER TO blockers_weak";
    let mut database = Database::of_role("blockers_right", setup, "blockers_weak").await?;
    (database.settings.kill_blockers, database.settings.retry_for) =
        (Some(Duration::ZERO), Duration::from_secs(1));
    let mut idler = database.session().await?;
    idler.run("BEGIN; SELECT * FROM t").await?;
    let failure = database.failure(&ADD).await?;
    let Failure::Blocked { blocked_by, .. } = &failure else { anyhow::bail!("{failure:?}") };
    assert_eq!(blocked_by[0].pid, idler.pid());
    assert!(blocked_by[0].state.contains("pg_read_all_stats"), "{blocked_by:?}");
    idler.run("COMMIT").await?;
    Ok(())
}

#[tokio::test]
async fn a_prepared_transaction_in_the_way_is_named() -> Result<()> {
    let mut database = Database::new("blockers_prepared", "CREATE TABLE t (a int)").await?;
    database.settings.retry_for = Duration::from_secs(1);
    database.sql("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'forgotten'").await?;
    let failure = database.failure(&ADD).await?;
    database.sql("ROLLBACK PREPARED 'forgotten'").await?;
    let Failure::Blocked { blocked_by, .. } = &failure else { anyhow::bail!("{failure:?}") };
    assert_eq!(blocked_by[0].state, "prepared transaction 'forgotten'", "{blocked_by:?}");
    assert_eq!(database.applied(&ADD).await?, ["1_a"]);
    Ok(())
}

#[tokio::test]
async fn a_wait_that_costs_others_too_much_is_given_up_long_before_its_timeout() -> Result<()> {
    let mut database = Database::new("blockers_damage", "CREATE TABLE t (a int)").await?;
    database.settings.lock_timeout = Duration::from_secs(20);
    let mut reader = database.session().await?;
    reader.run("BEGIN; SELECT * FROM t").await?;
    // Twelve sessions behind us: ten blocked seconds are over within about one.
    let queue = async {
        database.until(&at_work("wait_event_type = 'Lock'")).await?;
        let started = Instant::now();
        let one = async || -> Result<Duration> {
            database.session().await?.run("SELECT count(*) FROM t").await?;
            Ok(started.elapsed())
        };
        let waited = try_join_all((0..12).map(|_| one())).await?;
        database
            .until_event(|event| matches!(event, Event::Retrying { sqlstate, .. } if sqlstate == "57014"))
            .await?;
        reader.run("COMMIT").await?;
        anyhow::Ok(waited.into_iter().max().unwrap_or_default())
    };
    let (done, worst) = tokio::join!(database.run(&ADD), queue);
    let done = done?.map_err(|error| anyhow!("{error:#?}"))?;
    assert!(done[0].retries >= 1, "{done:?}");
    let worst = worst?;
    assert!(worst < Duration::from_secs(5), "{worst:?}");
    Ok(())
}

#[tokio::test]
async fn a_file_that_works_and_waits_for_nobody_is_left_alone_however_many_wait_for_it() -> Result<()> {
    let database = Database::new("blockers_work", "CREATE TABLE t (a int)").await?;
    let named = [("1_a", "ALTER TABLE t ADD b int; SELECT pg_sleep(2)")];
    let queue = async {
        database.until(&at_work("wait_event = 'PgSleep'")).await?;
        let one =
            async || -> Result<u64> { Ok(database.session().await?.run("SELECT count(*) FROM t").await?) };
        try_join_all((0..12).map(|_| one())).await
    };
    let (done, waited) = tokio::join!(database.run(&named), queue);
    waited?;
    assert_eq!(done?.map_err(|error| anyhow!("{error:#?}"))?[0].retries, 0);
    Ok(())
}
