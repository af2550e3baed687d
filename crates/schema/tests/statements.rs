//! Files whose statements run one by one.

use std::time::Duration;

use anyhow::{Result, anyhow};
use schema::{Event, Failure};

use crate::database::{Database, at_work, committing, files, one_by_one};

const PROGRESS: &str = "SELECT format('%s %s of %s, doubt %s', status, statements_done, statements_total, in_doubt) FROM pgdeploy.migrations WHERE version = 1";

#[tokio::test]
async fn statements_that_no_transaction_takes_run_and_are_recorded_as_one_file() -> Result<()> {
    let database = Database::new("statements_happy", "CREATE TYPE mood AS ENUM ('sad')").await?;
    let text = one_by_one(
        "CREATE TABLE t (a int, b mood);\nCREATE INDEX CONCURRENTLY t_a ON t (a);\nVACUUM (ANALYZE) t;\nREINDEX TABLE CONCURRENTLY t;\n\
         ALTER TYPE mood ADD VALUE 'happy';\nINSERT INTO t VALUES (1, 'happy');\nCALL many();\nDROP INDEX CONCURRENTLY t_a;\nSELECT 1 -- the end",
    );
    database.sql("CREATE PROCEDURE many() LANGUAGE plpgsql AS $$ BEGIN FOR i IN 2..4 LOOP INSERT INTO t VALUES (i, 'sad'); COMMIT; END LOOP; END $$").await?;
    let done = database.run(&[("1_t", &text)]).await?.map_err(|error| anyhow!("{error}"))?;
    assert_eq!((done.len(), done[0].retries), (1, 0));
    assert_eq!(database.one("SELECT count(*) FROM t").await?, "4");
    assert_eq!(database.one(PROGRESS).await?, "applied 9 of 9, doubt ");
    let told = database.events().into_iter().filter_map(|event| match event {
        Event::Statement { done, total, .. } => Some((done, total)),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), (1..=9).map(|done| (done, 9)).collect::<Vec<_>>());
    assert!(database.applied(&[("1_t", &text)]).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_file_that_failed_goes_on_at_the_statement_that_failed() -> Result<()> {
    let committing = committing("PERFORM 1/0");
    let failing = ["INSERT INTO nowhere VALUES (1)", "VACUUM nowhere", &committing];
    for (nth, failing) in failing.into_iter().enumerate() {
        let database =
            Database::new(&format!("statements_resume_{nth}"), "CREATE TABLE once (i int)").await?;
        let text = |second: &str| {
            one_by_one(&format!("INSERT INTO once VALUES (1);\n{second};\nINSERT INTO once VALUES (2);"))
        };
        let failure = database.failure(&[("1_a", &text(failing))]).await?;
        assert_eq!(failure.code(), "E108", "{failure:?}");
        assert!(failure.to_string().starts_with("E108 migrations/1_a.sql:4:"), "{failure}");
        let plan = database.plan(&files(&[("1_a", &text("SELECT 1"))])?).await?;
        let progress = &plan.resumed[&1];
        assert_eq!((plan.applied, progress.done, progress.in_doubt), (0, 1, None), "{failing}");
        assert_eq!(database.applied(&[("1_a", &text("SELECT 1"))]).await?, ["1_a"]);
        assert_eq!(
            database.one("SELECT string_agg(i::text, ' ' ORDER BY i) FROM once").await?,
            "1 2",
            "{failing}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_statement_that_is_in_must_not_be_edited_and_those_behind_it_may() -> Result<()> {
    let database = Database::new("statements_edited", "").await?;
    let text = one_by_one("CREATE TABLE a (i int);\nCREATE TABLE b (i int);\nVACUUM nowhere;");
    assert_eq!(database.failure(&[("1_a", &text)]).await?.code(), "E108");
    for edited in [
        one_by_one("CREATE TABLE a (i bigint);\nCREATE TABLE b (i int);"),
        one_by_one("CREATE TABLE b (i int);"),
        one_by_one("CREATE TABLE a (i int);"),
        "CREATE TABLE a (i int);\nCREATE TABLE b (i int);".to_owned(),
    ] {
        let plan = database.plan(&files(&[("1_a", &edited)])?).await?;
        let problems = schema::check(&plan);
        assert_eq!(problems.iter().map(|problem| problem.code).collect::<Vec<_>>(), ["E121"], "{edited}");
    }
    let commented = one_by_one(
        "-- why\nCREATE  TABLE a (i int);\n/* and */ CREATE TABLE b (i int);\nVACUUM b;\nVACUUM a;",
    );
    assert_eq!(database.applied(&[("1_a", &commented)]).await?, ["1_a"]);
    Ok(())
}

#[tokio::test]
async fn what_an_earlier_statement_set_holds_for_the_rest_also_when_the_file_goes_on_later() -> Result<()> {
    let database = Database::new("statements_settings", "CREATE SCHEMA app").await?;
    let text = |third: &str| {
        one_by_one(&format!(
            "SET search_path = app;\nCREATE TABLE t (i int);\n{third};\nCREATE INDEX CONCURRENTLY t_i ON t (i);\nCREATE TABLE u (i int);"
        ))
    };
    assert_eq!(database.failure(&[("1_a", &text("VACUUM nowhere"))]).await?.code(), "E108");
    assert_eq!(database.applied(&[("1_a", &text("VACUUM t"))]).await?.len(), 1);
    let made = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'app'::regnamespace";
    assert_eq!(database.one(made).await?, "t t_i u");
    Ok(())
}

#[tokio::test]
async fn a_concurrent_build_that_gets_into_a_deadlock_is_made_again() -> Result<()> {
    let mut database = Database::new("statements_deadlock", "CREATE TABLE t (a int)").await?;
    // Somebody's transaction holds the build up, and then wants what the build has.
    let mut other = database.session().await?;
    other.run("SET deadlock_timeout = '1min'; BEGIN; INSERT INTO t VALUES (1)").await?;
    database.settings.statement_timeout = Duration::from_secs(30);
    let text = one_by_one("CREATE INDEX CONCURRENTLY t_a ON t (a)");
    let named = [("1_a", text.as_str())];
    let (done, locked) = tokio::join!(database.run(&named), async {
        database.until(&at_work("wait_event_type = 'Lock'")).await?;
        other.run("LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE").await?;
        anyhow::Ok(other.run("COMMIT").await?)
    });
    locked?;
    let done = done?.map_err(|error| anyhow!("{error:#?}"))?;
    assert_eq!(done[0].retries, 1);
    assert_eq!(database.one("SELECT string_agg(indexrelid::regclass || ' ' || indisvalid, ',') FROM pg_index WHERE indrelid = 't'::regclass").await?, "t_a true");
    Ok(())
}

#[tokio::test]
async fn an_index_of_that_name_that_was_there_before_is_not_taken_for_ours() -> Result<()> {
    let database =
        Database::new("statements_taken", "CREATE TABLE t (a int, b int); CREATE INDEX t_x ON t (a)").await?;
    let text = one_by_one("CREATE INDEX CONCURRENTLY t_x ON t (b)");
    for _ in 0..2 {
        let failure = database.failure(&[("1_a", &text)]).await?;
        assert!(failure.to_string().contains("relation \"t_x\" already exists (42P07)"), "{failure}");
    }
    assert_eq!(database.one(PROGRESS).await?, "running 0 of 1, doubt ");
    Ok(())
}

#[tokio::test]
async fn what_locks_everybody_out_waits_no_longer_than_the_lock_timeout_at_a_time() -> Result<()> {
    let database = Database::new("statements_full", "CREATE TABLE t (a int)").await?;
    let mut reader = database.session().await?;
    reader.run("BEGIN; SELECT * FROM t").await?;
    let text = one_by_one(&format!("VACUUM FULL t;\n{};", committing("ALTER TABLE t ADD b int")));
    let named = [("1_a", text.as_str())];
    let retrying = |event: &Event| matches!(event, Event::Retrying { sqlstate, .. } if sqlstate == "55P03");
    let (done, freed) = tokio::join!(database.run(&named), async {
        database.events.until(2, retrying).await?;
        anyhow::Ok(reader.run("COMMIT").await?)
    });
    freed?;
    assert!(done?.map_err(|error| anyhow!("{error:#?}"))?[0].retries >= 2);
    Ok(())
}

#[tokio::test]
async fn patience_that_ends_names_the_statement_and_the_next_deploy_goes_on_there() -> Result<()> {
    let mut database = Database::new("statements_patience", "CREATE TABLE t (a int)").await?;
    database.settings.retry_for = Duration::from_millis(600);
    let mut reader = database.session().await?;
    reader.run("BEGIN; SELECT * FROM t").await?;
    let text = one_by_one("CREATE TABLE u (a int);\nALTER TABLE t ADD b int;\nVACUUM FULL t;");
    let failure = database.failure(&[("1_a", &text)]).await?;
    assert!(matches!(failure, Failure::Blocked { .. }), "{failure:?}");
    assert!(failure.to_string().starts_with("E101 migrations/1_a.sql:4:1"), "{failure}");
    reader.run("COMMIT").await?;
    assert_eq!(database.applied(&[("1_a", &text)]).await?, ["1_a"]);
    Ok(())
}
