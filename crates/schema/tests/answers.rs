//! Every way in which the server can refuse, and what is made of it.

use std::time::Duration;

use anyhow::{Result, anyhow};
use schema::{Event, Failure};

use crate::database::{Database, at_work, committing, one_by_one};

#[tokio::test]
async fn a_deadlock_is_tried_again() -> Result<()> {
    let database =
        Database::new("answers_deadlock", "CREATE TABLE a (i int); CREATE TABLE b (i int)").await?;
    let mut database = database;
    database.settings.lock_timeout = Duration::from_secs(10);
    let mut other = database.session().await?;
    other.run("SET deadlock_timeout = '1min'; BEGIN; LOCK TABLE b IN ROW EXCLUSIVE MODE").await?;
    let named = [("1_both", "CREATE TABLE c (i int); LOCK TABLE a; LOCK TABLE b;")];
    let (applied, theirs) = tokio::join!(database.applied(&named), async {
        database.until(&at_work("wait_event_type = 'Lock'")).await?;
        // Theirs waits for ours, ours for theirs: ours looks first, and loses.
        other.run("LOCK TABLE a").await?;
        anyhow::Ok(other.run("COMMIT").await?)
    });
    assert_eq!((applied?.len(), theirs?), (1, 0));
    let retried = |event: &Event| matches!(event, Event::Retrying { sqlstate, .. } if sqlstate == "40P01");
    assert!(database.events().iter().any(retried), "{:#?}", database.events());
    assert_eq!(database.one("SELECT retries FROM pgdeploy.migrations").await?, "1");
    Ok(())
}

#[tokio::test]
async fn a_serialization_failure_is_tried_again_from_the_beginning() -> Result<()> {
    let database = Database::new("answers_serialization", "CREATE SEQUENCE tries").await?;
    let text = "CREATE TABLE once AS SELECT 1 AS i; PREPARE p AS SELECT 1; SELECT pg_advisory_lock(5);
        DO $$ BEGIN IF nextval('tries') < 3 THEN RAISE SQLSTATE '40001'; END IF; END $$;";
    let done = database.run(&[("1_a", text)]).await?.map_err(|error| anyhow!("{error}"))?;
    assert_eq!(done[0].retries, 2);
    assert_eq!(database.one("SELECT count(*) FROM once").await?, "1");
    Ok(())
}

#[tokio::test]
async fn a_statement_that_a_person_cancels_is_not_tried_again() -> Result<()> {
    let database = Database::new("answers_cancel", "").await?;
    for (file, text) in [
        ("1_whole", "CREATE TABLE a (i int);\nSELECT pg_sleep(60);".to_owned()),
        ("1_each", one_by_one("CREATE TABLE a (i int);\nSELECT pg_sleep(60);")),
        ("1_alone", one_by_one(&format!("CREATE TABLE b (i int);\n{}", committing("PERFORM pg_sleep(60)")))),
    ] {
        let named = [(file, text.as_str())];
        let (failure, cancelled) = tokio::join!(database.failure(&named), async {
            database.until(&at_work("wait_event = 'PgSleep'")).await?;
            database.sql(&format!("SELECT pg_cancel_backend({})", database.backend().await?)).await
        });
        let failure = failure?;
        cancelled?;
        assert!(matches!(failure, Failure::Cancelled(_)), "{file}: {failure:?}");
        assert!(failure.to_string().contains("somebody cancelled this statement"), "{failure}");
        assert_eq!((failure.code(), failure.is_worth_another_try()), ("E123", true));
        database.sql("DELETE FROM pgdeploy.migrations").await?;
        database.sql("DROP TABLE IF EXISTS a").await?;
    }
    assert!(!database.events().iter().any(|event| matches!(event, Event::Retrying { .. })));
    Ok(())
}

#[tokio::test]
async fn a_statement_that_runs_into_a_limit_is_told_whose_limit_it_was() -> Result<()> {
    let mut database = Database::new("answers_timeout", "").await?;
    database.settings.statement_timeout = Duration::from_millis(200);
    let named = [("1_slow", "CREATE TABLE a (i int);\nSELECT pg_sleep(60);")];
    let failure = database.failure(&named).await?;
    assert!(matches!(failure, Failure::TooSlow(_)), "{failure:?}");
    assert_eq!((failure.code(), failure.is_worth_another_try()), ("E124", false));
    assert!(failure.to_string().contains("migrations/1_slow.sql:2:1"), "{failure}");
    assert!(failure.to_string().contains("stages.schema.statement_timeout (200ms)"), "{failure}");
    assert_eq!(database.one("SELECT to_regclass('a')").await?, "NULL");
    database.settings.statement_timeout = Duration::from_secs(60);
    let failure =
        database.failure(&[("1_slow", "SET statement_timeout = '100ms'; SELECT pg_sleep(60);")]).await?;
    assert!(failure.to_string().contains("the statement_timeout that the file sets"), "{failure}");
    Ok(())
}

#[tokio::test]
async fn a_missing_right_is_told_as_such() -> Result<()> {
    let setup = "CREATE ROLE answers_weak LOGIN; GRANT CREATE ON DATABASE answers_denied TO answers_weak; CREATE TABLE theirs (a int)";
    let database = Database::of_role("answers_denied", setup, "answers_weak").await?;
    let failure = database.failure(&[("1_a", "SELECT 1;\nALTER TABLE theirs ADD b int;")]).await?;
    assert!(matches!(failure, Failure::Denied(_)), "{failure:?}");
    assert_eq!(failure.code(), "E304");
    assert!(failure.to_string().contains("migrations/1_a.sql:2:1"), "{failure}");
    assert!(failure.to_string().contains("must be owner of table theirs (42501)"), "{failure}");
    Ok(())
}

#[tokio::test]
async fn a_lock_on_the_ledger_is_waited_for_as_any_other() -> Result<()> {
    let mut database = Database::new("answers_ledger", "CREATE TABLE t (a int)").await?;
    let each = one_by_one("CREATE TABLE b (i int); VACUUM t");
    let named = [("1_a", "CREATE TABLE a (i int)"), ("2_b", each.as_str())];
    for _ in 0..2 {
        let mut holder = database.session().await?;
        holder.run("BEGIN; LOCK TABLE pgdeploy.migrations IN SHARE MODE").await?;
        let (applied, waited) = tokio::join!(database.applied(&named), async {
            // A second attempt: the first one's time is over.
            database.until(&at_work("wait_event_type = 'Lock'")).await?;
            database.until(&format!("NOT {}", at_work("wait_event_type = 'Lock'"))).await?;
            database.until(&at_work("wait_event_type = 'Lock'")).await?;
            anyhow::Ok(holder.run("COMMIT").await?)
        });
        waited?;
        assert_eq!(applied?.len(), 2);
        database.sql("DELETE FROM pgdeploy.migrations; DROP TABLE a, b").await?;
    }
    database.settings.retry_for = Duration::from_millis(700);
    let mut holder = database.session().await?;
    holder.run("BEGIN; LOCK TABLE pgdeploy.migrations IN SHARE MODE").await?;
    let failure = database.failure(&named[..1]).await?;
    assert_eq!(failure.code(), "E101", "{failure:?}");
    Ok(())
}

#[tokio::test]
async fn a_backend_that_is_ended_in_the_middle_leaves_nothing() -> Result<()> {
    let database = Database::new("answers_ended", "").await?;
    let named = [("1_a", "CREATE TABLE a (i int);\nSELECT pg_sleep(60);")];
    let (failure, ended) = tokio::join!(database.failure(&named), async {
        database.until(&at_work("wait_event = 'PgSleep'")).await?;
        database.sql(&format!("SELECT pg_terminate_backend({})", database.backend().await?)).await
    });
    let failure = failure?;
    ended?;
    assert!(matches!(failure, Failure::Session(_)), "{failure:?}");
    assert_eq!(database.history().await?, "");
    assert_eq!(database.one("SELECT to_regclass('a')").await?, "NULL");
    assert_eq!(database.applied(&[("1_a", "CREATE TABLE a (i int)")]).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_stop_ends_the_statement_and_leaves_nothing() -> Result<()> {
    let mut database = Database::new("answers_stop", "").await?;
    let alone = one_by_one(&format!("CREATE TABLE b (i int); {}", committing("PERFORM pg_sleep(60)")));
    for named in [[("1_a", "CREATE TABLE a (i int); SELECT pg_sleep(60);")], [("2_b", alone.as_str())]] {
        database.stop = tokio_util::sync::CancellationToken::new();
        let (failure, stopped) = tokio::join!(database.failure(&named), async {
            database.until(&at_work("wait_event = 'PgSleep'")).await?;
            database.stop.cancel();
            anyhow::Ok(std::time::Instant::now())
        });
        let (failure, stopped) = (failure?, stopped?.elapsed());
        assert!(matches!(failure, Failure::Interrupted), "{failure:?}");
        assert!(stopped < Duration::from_secs(5), "{stopped:?}");
    }
    assert_eq!(database.history().await?, "2_b running");
    let doubt = "SELECT format('%s %s', statements_done, in_doubt) FROM pgdeploy.migrations";
    assert_eq!(database.one(doubt).await?, "1 ", "the second has committed nothing");
    Ok(())
}
