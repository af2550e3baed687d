//! An autovacuum on the table gives way to whoever waits longer than deadlock_timeout; one against wraparound does not.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use schema::{Event, Failure};
use scratch::Server;

use crate::database::Database;

fn server() -> Result<Server> {
    Ok(Server::builder().setting("autovacuum_naptime", "1s").setting("max_connections", "50").start()?)
}

/// A table with so much work and so long pauses that its autovacuum is at it for minutes.
const TABLE: &str = "CREATE TABLE t (a int, pad text DEFAULT repeat('x', 500)) WITH (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0, \
    autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1, autovacuum_analyze_threshold = 1000000000); \
    INSERT INTO t SELECT generate_series(1, 20000); DELETE FROM t WHERE a % 2 = 0";
const ADD: [(&str, &str); 1] = [("1_a", "ALTER TABLE t ADD b int")];
const AT_IT: &str = "EXISTS (SELECT FROM pg_stat_progress_vacuum WHERE relid = 't'::regclass)";

#[tokio::test]
async fn an_autovacuum_on_the_table_is_displaced_within_two_seconds() -> Result<()> {
    let server = server()?;
    let database = Database::on(&server, "vacuumed", TABLE, "postgres").await?;
    database.until(AT_IT).await?;
    let started = Instant::now();
    let done = database.run(&ADD).await?.map_err(|error| anyhow!("{error:#?}"))?;
    let took = started.elapsed();
    assert_eq!(done[0].retries, 1, "{done:?}");
    // Half a second for nothing, one until it is cancelled; the rest is a busy machine's.
    assert!(took < Duration::from_millis(2500), "{took:?}");
    assert!(server.log().contains("canceling autovacuum task"));
    Ok(())
}

#[tokio::test]
async fn it_is_displaced_also_by_a_role_that_may_not_see_it_and_behind_other_work() -> Result<()> {
    let server = server()?;
    let setup = format!(
        "CREATE ROLE weak LOGIN; GRANT CREATE ON DATABASE vacuumed TO weak; GRANT CREATE ON SCHEMA public TO weak; {TABLE}; ALTER TABLE t OWNER TO weak"
    );
    let database = Database::on(&server, "vacuumed", &setup, "weak").await?;
    database.until(AT_IT).await?;
    let started = Instant::now();
    let named = [("1_a", "SELECT pg_sleep(0.3); ALTER TABLE t ADD b int")];
    let done = database.run(&named).await?.map_err(|error| anyhow!("{error:#?}"))?;
    let took = started.elapsed();
    assert_eq!(done[0].retries, 1, "{done:?}");
    assert!(took < Duration::from_millis(2500 + 600), "{took:?}");
    Ok(())
}

#[tokio::test]
async fn an_autovacuum_against_wraparound_is_never_waited_for_longer_than_the_lock_timeout() -> Result<()> {
    let server = server()?;
    let mut database = Database::on(&server, "wrapped", TABLE, "postgres").await?;
    database.sql("CREATE TABLE ids (i int)").await?;
    // A hundred thousand transactions later its rows are old.
    database
        .sql("DO $$ BEGIN FOR i IN 1..100 LOOP FOR j IN 1..1010 LOOP BEGIN INSERT INTO ids VALUES (i); EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; COMMIT; END LOOP; END $$")
        .await?;
    database.sql("ALTER TABLE t SET (autovacuum_enabled = off, autovacuum_freeze_max_age = 100000)").await?;
    database.until("EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'autovacuum:%public.t (to prevent wraparound)')").await?;
    database.settings.retry_for = Duration::from_secs(3);
    // The ALTER TABLE before may have displaced an ordinary one.
    let cancelled = || server.log().matches("canceling autovacuum task").count();
    let before = cancelled();
    let failure = database.failure(&ADD).await?;
    let Failure::Blocked { blocked_by, .. } = &failure else { anyhow::bail!("{failure:?}") };
    assert_eq!(blocked_by[0].state, "active", "{blocked_by:?}");
    let waited = database.events().into_iter().filter_map(|event| match event {
        Event::Retrying { waited_ms, .. } => Some(waited_ms),
        _ => None,
    });
    let longest = waited.max().unwrap_or_default();
    assert!(longest < 1000, "{longest}");
    assert_eq!(cancelled(), before);
    Ok(())
}
