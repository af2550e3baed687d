//! Indexes that are there and not valid.

use anyhow::Result;
use index::{Action, Event, Settled, State};

use crate::database::{Database, only};

const DUPLICATES: &str = "CREATE TABLE t AS SELECT 1 AS a, g AS b FROM generate_series(1, 10) g";

#[tokio::test]
async fn a_leftover_that_is_not_ready_is_dropped_and_built_again() -> Result<()> {
    let database = Database::new("repair_not_ready", DUPLICATES).await?;
    // A real one: the build of a unique index over duplicates.
    assert!(database.sql("CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a)").await.is_err());
    assert_eq!(database.invalid().await?, "1");
    let plan = database.plan("CREATE INDEX t_a ON t (a)").await?;
    assert_eq!((plan.items()[0].state, plan.items()[0].action), (State::Invalid, Action::Rebuild));
    let outcome = database.run("CREATE INDEX t_a ON t (a)").await?;
    assert_eq!(only(&outcome)?.outcome, Settled::Repaired, "{outcome:#?}");
    assert!(outcome.warnings.is_empty());
    assert_eq!(database.invalid().await?, "0");
    assert_eq!(
        database.one("SELECT indisunique FROM pg_index WHERE indexrelid = 't_a'::regclass").await?,
        "false"
    );
    Ok(())
}

#[tokio::test]
async fn a_unique_leftover_that_is_ready_raises_an_alarm_and_is_repaired() -> Result<()> {
    let setup = "CREATE TABLE t AS SELECT g AS a FROM generate_series(1, 10) g; CREATE UNIQUE INDEX t_a ON t (a); \
                 UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_a'::regclass";
    let database = Database::new("repair_ready", setup).await?;
    assert!(database.sql("INSERT INTO t VALUES (1)").await.is_err(), "it rejects rows");
    let plan = database.plan("CREATE UNIQUE INDEX t_a ON t (a)").await?;
    let note = plan.items()[0].note.clone().unwrap_or_default();
    assert!(note.contains("rejects duplicate rows now"), "{note}");
    let outcome = database.run("CREATE UNIQUE INDEX t_a ON t (a)").await?;
    assert_eq!(only(&outcome)?.outcome, Settled::Repaired, "{outcome:#?}");
    assert!(
        database.events().iter().any(|event| matches!(event, Event::Repairing { rejects_rows: true, .. }))
    );
    assert_eq!(database.invalid().await?, "0");
    Ok(())
}

#[tokio::test]
async fn a_unique_index_over_duplicates_fails_with_the_key_and_leaves_nothing() -> Result<()> {
    let database = Database::new("repair_duplicates", DUPLICATES).await?;
    let text = "CREATE UNIQUE INDEX t_a ON t (a);\nCREATE UNIQUE INDEX t_b ON t (b);";
    let outcome = database.run(text).await?;
    let (failed, built) = (&outcome.items[0], &outcome.items[1]);
    assert_eq!((failed.outcome, built.outcome), (Settled::Failed, Settled::Built), "{outcome:#?}");
    let message = &outcome.warnings[0].message;
    assert!(message.starts_with("indexes/a.sql:1:1: index t_a on t failed: "), "{message}");
    assert!(message.contains("Key (a)=(1) is duplicated") && message.contains("23505"), "{message}");
    assert_eq!((outcome.warnings.len(), outcome.warnings[0].code), (1, "W202"));
    assert_eq!(failed.attempts, 1, "trying again gives the same");
    assert_eq!(database.one("SELECT count(*) FROM pg_class WHERE relname = 't_a'").await?, "0");
    Ok(())
}
