//! The transaction is ours: the file neither ends it nor outlives it.

use std::future::{Future, poll_fn};
use std::task::Poll;

use anyhow::Result;
use schema::{Failure, Phase};

use crate::database::{Database, at_work, files};

#[tokio::test]
async fn a_file_that_ends_its_transaction_is_found_out_and_has_no_record() -> Result<()> {
    let database = Database::new("own_commit", "").await?;
    // The check would refuse the file: this is what stands behind the check.
    for (text, there) in [
        ("CREATE TABLE a (i int); COMMIT; CREATE TABLE b (i int);", "a"),
        ("CREATE TABLE c (i int); ROLLBACK; BEGIN; CREATE TABLE d (i int);", "NULL"),
    ] {
        let plan = database.plan(&files(&[("1_a", text)])?).await?;
        assert_eq!(schema::check(&plan)[0].code, "E222");
        let failure = database.run_plan(&plan, Phase::Pre).await.unwrap_err().failure;
        assert!(matches!(failure, Failure::EndedTransaction(_)), "{failure:?}");
        assert_eq!(failure.code(), "E109");
        assert_eq!(database.history().await?, "");
        assert_eq!(
            database
                .one("SELECT string_agg(relname, ' ') FROM pg_class WHERE relname IN ('a', 'c', 'd')")
                .await?,
            there
        );
        database.sql("DROP TABLE IF EXISTS a, b").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_procedure_or_block_that_commits_is_refused_by_the_server_and_leaves_nothing() -> Result<()> {
    let database = Database::new(
        "own_procedure",
        "CREATE PROCEDURE sneak() LANGUAGE plpgsql AS $$ BEGIN CREATE TABLE a (i int); COMMIT; END $$",
    )
    .await?;
    for text in ["CALL sneak()", "DO $$ BEGIN CREATE TABLE a (i int); COMMIT; END $$"] {
        let failure = database.failure(&[("1_a", text)]).await?;
        assert!(failure.to_string().contains("invalid transaction termination (2D000)"), "{failure}");
        assert_eq!(database.one("SELECT to_regclass('a')").await?, "NULL");
    }
    Ok(())
}

#[tokio::test]
async fn a_deferred_constraint_that_fails_at_commit_is_the_files_failure() -> Result<()> {
    let setup = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int CONSTRAINT c_of_p REFERENCES p DEFERRABLE INITIALLY DEFERRED)";
    let database = Database::new("own_deferred", setup).await?;
    let failure =
        database.failure(&[("1_a", "CREATE TABLE other (i int);\nINSERT INTO c VALUES (1);")]).await?;
    let Failure::Refused { problem, report } = &failure else { anyhow::bail!("{failure:?}") };
    assert_eq!(
        (problem.code, report.code.as_str(), report.constraint.as_deref()),
        ("E108", "23503", Some("c_of_p"))
    );
    assert!(problem.to_string().starts_with("E108 migrations/1_a.sql"), "{problem}");
    assert_eq!(database.history().await?, "");
    assert_eq!(database.one("SELECT to_regclass('other')").await?, "NULL");
    Ok(())
}

#[tokio::test]
async fn a_deferred_trigger_finds_the_files_tables_as_at_a_commit_of_its_own() -> Result<()> {
    let setup = "CREATE TABLE t (i int); CREATE TABLE log (i int);
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (NEW.i); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER later AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note();";
    let database = Database::new("own_trigger", setup).await?;
    database.applied(&[("1_a", "INSERT INTO t VALUES (7);")]).await?;
    assert_eq!(database.one("SELECT string_agg(i::text, ' ') FROM log").await?, "7");
    Ok(())
}

#[tokio::test]
async fn a_run_lock_that_is_lost_in_the_middle_keeps_the_file_out() -> Result<()> {
    let database = Database::new("own_lock", "").await?;
    let named = [("1_a", "CREATE TABLE a (i int); SELECT pg_sleep(0.5);"), ("2_b", "CREATE TABLE b (i int)")];
    let (failure, ended) = tokio::join!(database.failure(&named), async {
        database.until(&at_work("wait_event = 'PgSleep'")).await?;
        database.sql(&format!("SELECT pg_terminate_backend({})", database.lock.pid())).await
    });
    ended?;
    let failure = failure?;
    assert!(matches!(failure, Failure::LockLost), "{failure:?}");
    assert_eq!(database.history().await?, "");
    assert_eq!(database.one("SELECT to_regclass('a')").await?, "NULL");
    Ok(())
}

#[tokio::test]
async fn a_frozen_runner_does_not_keep_its_locks() -> Result<()> {
    let database = Database::new("own_frozen", "").await?;
    // Frozen before it has sent the file, it is ended by this.
    let limit = "SELECT current_setting('idle_in_transaction_session_timeout') AS limit INTO seen";
    assert_eq!(database.applied(&[("1_a", limit)]).await?.len(), 1);
    assert_eq!(database.one("SELECT \"limit\" FROM seen").await?, "15s");
    // Frozen behind that, it is not waited for: the server has all that belongs to the file.
    let plan = database
        .plan(&files(&[("1_a", limit), ("2_b", "CREATE TABLE b (i int); SELECT pg_sleep(0.3)")])?)
        .await?;
    let mut run = Box::pin(database.run_plan(&plan, Phase::Pre));
    let mut watcher = database.session().await?;
    // Polled once for each look at the server, until the file is at work there, and then no more.
    let sent = format!("SELECT {}", at_work("query LIKE 'CREATE TABLE b%'"));
    while !postgres::Row::try_get::<bool, _>(&watcher.one(&sent).await?, 0)? {
        if let Poll::Ready(ended) = poll_fn(|task| Poll::Ready(run.as_mut().poll(task))).await {
            anyhow::bail!("too fast to freeze: {ended:?}")
        }
    }
    database.until(&format!("NOT {}", at_work("state <> 'idle'"))).await?;
    assert_eq!(database.history().await?, "1_a applied, 2_b applied");
    assert_eq!(run.await?.len(), 1, "and thawed it reads what has become of it");
    Ok(())
}
