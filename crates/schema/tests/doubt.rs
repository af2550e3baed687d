//! A runner that died between sending a statement and recording its end: the catalog is asked.

use anyhow::Result;
use schema::{Event, Failure, Progress};

use crate::database::{Database, at_work, files, one_by_one};

const TABLE: &str = "CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 100)";
const INDEXES: &str = "SELECT string_agg(indexrelid::regclass || ' ' || indisvalid, ', ' ORDER BY 1) FROM pg_index WHERE indrelid = 't'::regclass";

/// A run that dies while something is so, and its backend with it or not.
async fn dies(database: &Database, named: &[(&str, &str)], when: &str, backend_too: bool) -> Result<()> {
    let when = at_work(when);
    tokio::select! {
        done = database.run(named) => anyhow::bail!("too early: {done:?}"),
        there = database.until(&when) => there?,
    }
    if backend_too {
        let backend = database.backend().await?;
        database.sql(&format!("SELECT pg_terminate_backend({backend})")).await?;
        database.until(&format!("NOT {}", at_work("true"))).await?;
    }
    Ok(())
}

pub(crate) async fn progress(database: &Database, named: &[(&str, &str)]) -> Result<Progress> {
    let mut plan = database.plan(&files(named)?).await?;
    plan.resumed.remove(&1).ok_or_else(|| anyhow::anyhow!("no progress"))
}

#[tokio::test]
async fn an_index_that_was_finished_without_us_is_recorded_and_not_built_again() -> Result<()> {
    let name = "doubt_valid";
    let database = Database::new(name, TABLE).await?;
    let text = one_by_one(
        "CREATE TABLE before (i int);\nCREATE INDEX CONCURRENTLY t_a ON t (a);\nCREATE TABLE behind (i int);",
    );
    let named = [("1_a", text.as_str())];
    let mut writer = database.session().await?;
    writer.run("BEGIN; INSERT INTO t VALUES (0)").await?;
    dies(&database, &named, "query LIKE 'CREATE INDEX%' AND wait_event_type = 'Lock'", false).await?;
    let built = progress(&database, &named).await?;
    assert_eq!((built.done, built.in_doubt), (1, Some(1)));
    writer.run("COMMIT").await?;
    database
        .until("coalesce((SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('t_a')), false)")
        .await?;
    let oid = database.one("SELECT 't_a'::regclass::oid").await?;
    let database = database.lock_again(name).await?;
    assert_eq!(database.applied(&named).await?, ["1_a"]);
    assert_eq!(database.one("SELECT 't_a'::regclass::oid").await?, oid);
    assert_eq!(database.one("SELECT to_regclass('behind')").await?, "behind");
    Ok(())
}

#[tokio::test]
async fn an_index_that_was_cut_short_is_dropped_and_built() -> Result<()> {
    let name = "doubt_invalid";
    let database = Database::new(name, TABLE).await?;
    let text = one_by_one("CREATE INDEX CONCURRENTLY \"T a\" ON t (a)");
    let named = [("1_a", text.as_str())];
    let mut writer = database.session().await?;
    writer.run("BEGIN; INSERT INTO t VALUES (0)").await?;
    dies(&database, &named, "query LIKE 'CREATE INDEX%' AND wait_event_type = 'Lock'", true).await?;
    writer.run("COMMIT").await?;
    assert_eq!(database.one(INDEXES).await?, "\"T a\" false");
    let database = database.lock_again(name).await?;
    assert_eq!(database.applied(&named).await?, ["1_a"]);
    assert_eq!(database.one(INDEXES).await?, "\"T a\" true");
    Ok(())
}

#[tokio::test]
async fn the_orphan_of_a_statement_is_waited_for_and_named() -> Result<()> {
    let name = "doubt_orphan";
    let database = Database::new(name, TABLE).await?;
    let text = one_by_one("CREATE INDEX CONCURRENTLY t_a ON t (a)");
    let named = [("1_a", text.as_str())];
    let mut writer = database.session().await?;
    writer.run("BEGIN; INSERT INTO t VALUES (0)").await?;
    dies(&database, &named, "query LIKE 'CREATE INDEX%' AND wait_event_type = 'Lock'", false).await?;
    let orphan = database.backend().await?;
    let database = database.lock_again(name).await?;
    let (applied, freed) = tokio::join!(database.applied(&named), async {
        database.until_event(|event| matches!(event, Event::Orphan { pid } if *pid == orphan)).await?;
        anyhow::Ok(writer.run("COMMIT").await?)
    });
    freed?;
    assert_eq!(applied?, ["1_a"]);
    assert_eq!(database.one(INDEXES).await?, "t_a true");
    Ok(())
}

#[tokio::test]
async fn what_may_be_run_twice_is_run_again() -> Result<()> {
    let name = "doubt_vacuum";
    let database = Database::new(name, TABLE).await?;
    let text = one_by_one("VACUUM t;\nSELECT 1");
    let named = [("1_a", text.as_str())];
    let mut other = database.session().await?;
    other.run("BEGIN; LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE").await?;
    dies(&database, &named, "query LIKE 'VACUUM%' AND wait_event_type = 'Lock'", true).await?;
    other.run("COMMIT").await?;
    assert_eq!(progress(&database, &named).await?.in_doubt, Some(0));
    let database = database.lock_again(name).await?;
    assert_eq!(database.applied(&named).await?, ["1_a"]);
    Ok(())
}

#[tokio::test]
async fn a_partition_whose_detachment_was_cut_short_is_detached() -> Result<()> {
    let name = "doubt_detach";
    let database = Database::new(name, "CREATE TABLE p (a int) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)").await?;
    if database.root.connect("version").await?.version_number() < 140_000 {
        return Ok(());
    }
    let text = one_by_one("ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY");
    let named = [("1_a", text.as_str())];
    let mut reader = database.session().await?;
    reader.run("BEGIN; SELECT * FROM p").await?;
    dies(&database, &named, "query LIKE 'ALTER TABLE%' AND wait_event_type = 'Lock'", true).await?;
    reader.run("COMMIT").await?;
    assert_eq!(
        database.one("SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = 'p1'::regclass").await?,
        "true"
    );
    let database = database.lock_again(name).await?;
    assert_eq!(database.applied(&named).await?, ["1_a"]);
    assert_eq!(database.one("SELECT count(*) FROM pg_inherits WHERE inhrelid = 'p1'::regclass").await?, "0");
    // And where it was finished without us, there is nothing left to do.
    database
        .sql("UPDATE pgdeploy.migrations SET status = 'running', statements_done = 0, in_doubt = 1")
        .await?;
    assert_eq!(database.applied(&named).await?, ["1_a"]);
    Ok(())
}

#[tokio::test]
async fn an_index_that_was_half_dropped_is_dropped() -> Result<()> {
    let name = "doubt_drop";
    let database = Database::new(name, &format!("{TABLE}; CREATE INDEX t_a ON t (a)")).await?;
    let text = one_by_one("DROP INDEX CONCURRENTLY t_a");
    let named = [("1_a", text.as_str())];
    let mut reader = database.session().await?;
    reader.run("BEGIN; SELECT * FROM t").await?;
    dies(&database, &named, "query LIKE 'DROP INDEX%' AND wait_event_type = 'Lock'", true).await?;
    reader.run("COMMIT").await?;
    assert_eq!(database.one(INDEXES).await?, "t_a false");
    let database = database.lock_again(name).await?;
    assert_eq!(database.applied(&named).await?, ["1_a"]);
    assert_eq!(database.one(INDEXES).await?, "NULL");
    Ok(())
}

#[tokio::test]
async fn what_the_catalog_does_not_tell_stops_the_deploy_and_nothing_is_run() -> Result<()> {
    let name = "doubt_unknown";
    let database = Database::new(name, "CREATE TABLE log (i int)").await?;
    let block = "DO $$ BEGIN INSERT INTO log VALUES (1); COMMIT; PERFORM pg_sleep(60); END $$";
    let text = one_by_one(&format!("CREATE TABLE a (i int);\n{block};\nCREATE TABLE b (i int);"));
    let named = [("1_a", text.as_str()), ("2_b", "CREATE TABLE c (i int)")];
    dies(&database, &named, "wait_event = 'PgSleep'", true).await?;
    let database = database.lock_again(name).await?;
    for _ in 0..2 {
        let failure = database.failure(&named).await?;
        assert!(matches!(failure, Failure::InDoubt(_)), "{failure:?}");
        assert!(failure.to_string().starts_with("E122 migrations/1_a.sql:4:1"), "{failure}");
        assert_eq!(database.one("SELECT count(*) FROM log").await?, "1");
    }
    let doubt = progress(&database, &named).await?;
    assert_eq!((doubt.done, doubt.in_doubt), (1, Some(1)));
    // What `repair statement-applied` writes.
    database.sql("UPDATE pgdeploy.migrations SET statements_done = 2, in_doubt = NULL").await?;
    assert_eq!(database.applied(&named).await?, ["1_a", "2_b"]);
    assert_eq!(database.one("SELECT count(*) FROM log").await?, "1");
    Ok(())
}

#[tokio::test]
async fn a_statement_in_its_own_transaction_is_never_in_doubt() -> Result<()> {
    let name = "doubt_inside";
    let database = Database::new(name, "CREATE TABLE log (i int)").await?;
    let slow = "INSERT INTO log VALUES (1);\nDO $$ BEGIN INSERT INTO log VALUES (2); PERFORM pg_sleep(1.5); END $$;\nVACUUM log;";
    let text = one_by_one(slow);
    let named = [("1_a", text.as_str())];
    // Without the backend: what it still runs is rolled back, because nobody sends a COMMIT.
    dies(&database, &named, "wait_event = 'PgSleep'", false).await?;
    let database = database.lock_again(name).await?;
    assert_eq!(database.applied(&named).await?, ["1_a"]);
    assert_eq!(database.one("SELECT string_agg(i::text, ' ' ORDER BY i) FROM log").await?, "1 2");
    Ok(())
}
