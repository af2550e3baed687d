//! Statements that commit by themselves, and fail: what they have committed stays.

use std::time::Duration;

use anyhow::Result;
use schema::{Event, Failure};
use tokio_util::sync::CancellationToken;

use crate::database::{Database, at_work, committing, one_by_one};
use crate::doubt::progress;

#[tokio::test]
async fn a_block_that_has_committed_and_then_fails_is_not_run_again_by_itself() -> Result<()> {
    let body = "$$ BEGIN INSERT INTO log VALUES (1); COMMIT; ALTER TABLE t ADD b int; END $$";
    let setup = format!(
        "CREATE TABLE t (a int); CREATE TABLE log (i int); CREATE PROCEDURE p() LANGUAGE plpgsql AS {body}"
    );
    for (nth, block) in [format!("DO {body}").as_str(), "CALL p()"].into_iter().enumerate() {
        let mut database = Database::new(&format!("half_done_{nth}"), &setup).await?;
        database.settings.retry_for = Duration::from_secs(5);
        let mut reader = database.session().await?;
        reader.run("BEGIN; SELECT * FROM t").await?;
        let text =
            one_by_one(&format!("CREATE TABLE before (i int);\n{block};\nCREATE TABLE behind (i int);"));
        let named = [("1_a", text.as_str())];
        let failure = database.failure(&named).await?;
        assert_eq!(database.one("SELECT count(*) FROM log").await?, "1", "{failure}");
        assert!(matches!(failure, Failure::InDoubt(_)), "{failure:?}");
        let said = failure.to_string();
        assert!(said.starts_with("E122 migrations/1_a.sql:4:1"), "{said}");
        assert!(said.contains("canceling statement due to lock timeout (55P03)"), "{said}");
        // How far it came.
        assert!(said.contains(" line 1 at SQL statement)"), "{said}");
        let Failure::InDoubt(problem) = failure else { anyhow::bail!("no doubt") };
        let help = problem.help.unwrap_or_default();
        assert!(
            help.contains("pgdeploy repair statement-applied 1") && help.contains("statement-missing"),
            "{help}"
        );
        reader.run("COMMIT").await?;
        // The next deploy does not either.
        assert_eq!(database.failure(&named).await?.code(), "E122");
        let doubt = progress(&database, &named).await?;
        assert_eq!((doubt.done, doubt.in_doubt), (1, Some(1)));
        assert_eq!(database.one("SELECT count(*) FROM log").await?, "1");
        // The statement may be corrected to what is left of it, as after `repair statement-missing`.
        database.sql("UPDATE pgdeploy.migrations SET in_doubt = NULL").await?;
        let rest = text.replace(block, "ALTER TABLE t ADD b int");
        assert_eq!(database.applied(&[("1_a", &rest)]).await?, ["1_a"]);
    }
    Ok(())
}

#[tokio::test]
async fn a_block_that_has_committed_is_in_doubt_however_it_ended() -> Result<()> {
    let mut database = Database::new("half_done_ended", "CREATE TABLE log (i int)").await?;
    let block =
        |rest: &str| one_by_one(&format!("DO $$ BEGIN INSERT INTO log VALUES (1); COMMIT; {rest}; END $$"));
    let (wrong, slow) = (block("PERFORM 1/0"), block("PERFORM pg_sleep(60)"));
    let once = async |database: &Database| -> Result<()> {
        assert_eq!(database.one("SELECT count(*) FROM log").await?, "1");
        let failure = database.failure(&[("1_a", &slow)]).await?;
        assert_eq!(failure.code(), "E122", "{failure}");
        assert_eq!(database.one("SELECT count(*) FROM log").await?, "1");
        database.sql("DELETE FROM pgdeploy.migrations; DELETE FROM log").await
    };
    let failure = database.failure(&[("1_a", &wrong)]).await?;
    assert_eq!(failure.code(), "E122", "{failure}");
    assert!(failure.to_string().contains("division by zero (22012)"), "{failure}");
    once(&database).await?;
    // A person cancels it.
    let named = [("1_a", slow.as_str())];
    let (failure, cancelled) = tokio::join!(database.failure(&named), async {
        database.until(&at_work("wait_event = 'PgSleep'")).await?;
        database.sql(&format!("SELECT pg_cancel_backend({})", database.backend().await?)).await
    });
    cancelled?;
    assert_eq!(failure?.code(), "E122");
    once(&database).await?;
    // A limit ends it.
    database.settings.statement_timeout = Duration::from_millis(300);
    assert_eq!(database.failure(&named).await?.code(), "E122");
    once(&database).await?;
    database.settings.statement_timeout = Duration::from_secs(60);
    // The deploy is stopped.
    let (failure, ()) = tokio::join!(database.failure(&named), async {
        let slept = database.until(&at_work("wait_event = 'PgSleep'")).await;
        database.stop.cancel();
        slept.unwrap();
    });
    assert!(matches!(failure?, Failure::Interrupted));
    database.stop = CancellationToken::new();
    once(&database).await?;
    Ok(())
}

#[tokio::test]
async fn a_block_that_fails_before_its_first_commit_is_tried_again() -> Result<()> {
    let database =
        Database::new("half_done_nothing", "CREATE TABLE t (a int); CREATE TABLE log (i int)").await?;
    let mut reader = database.session().await?;
    reader.run("BEGIN; SELECT * FROM t").await?;
    let text = one_by_one(&committing("INSERT INTO log VALUES (1); ALTER TABLE t ADD b int"));
    let named = [("1_a", text.as_str())];
    let retrying = |event: &Event| matches!(event, Event::Retrying { sqlstate, .. } if sqlstate == "55P03");
    let (done, freed) = tokio::join!(database.applied(&named), async {
        database.events.until(2, retrying).await?;
        anyhow::Ok(reader.run("COMMIT").await?)
    });
    freed?;
    assert_eq!(done?, ["1_a"]);
    assert_eq!(database.one("SELECT count(*) FROM log").await?, "1");
    Ok(())
}
