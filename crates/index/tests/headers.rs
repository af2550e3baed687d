//! What a file's header asks for.

use anyhow::Result;
use index::Settled;

use crate::database::{Database, SLOW, only};

#[tokio::test]
async fn a_required_index_that_fails_can_be_told_from_the_others() -> Result<()> {
    let database =
        Database::new("headers_required", "CREATE TABLE t AS SELECT 1 AS a FROM generate_series(1, 2)")
            .await?;
    let text =
        "-- pgdeploy:\n--   required: true\nCREATE UNIQUE INDEX t_a ON t (a); CREATE INDEX t_b ON t (a);";
    let outcome = database.run(text).await?;
    let missed: Vec<_> = outcome.items.iter().map(|item| (item.required, item.is_missed())).collect();
    assert_eq!(missed, [(true, true), (true, false)], "{outcome:#?}");
    let outcome = database.run("CREATE UNIQUE INDEX t_a ON t (a)").await?;
    assert!(!only(&outcome)?.required && !only(&outcome)?.is_missed());
    Ok(())
}

#[tokio::test]
async fn the_time_of_one_file_does_not_use_up_that_of_the_others() -> Result<()> {
    let database = Database::new("headers_timeout", SLOW).await?;
    let text = "-- pgdeploy:\n--   timeout: 1s\nCREATE INDEX slow_a ON t (slow(a)); CREATE INDEX o ON other (a) WHERE a > 0";
    let outcome = database.run(text).await?;
    let outcomes: Vec<_> = outcome.items.iter().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Settled::Detached, Settled::Built], "{outcome:#?}");
    assert!(outcome.warnings[0].message.contains("the time that its file gives it is over"), "{outcome:#?}");
    database.until("indisvalid FROM pg_index WHERE indexrelid = to_regclass('slow_a')").await?;
    assert_eq!(database.run(text).await?.items[0].outcome, Settled::Adopted);
    Ok(())
}

#[tokio::test]
async fn what_an_index_replaces_is_dropped_once_it_is_there() -> Result<()> {
    let database =
        Database::new("headers_replaces", "CREATE TABLE t (a int, b int); CREATE INDEX old ON t (a)").await?;
    let text = "-- pgdeploy:\n--   replaces: old\nCREATE INDEX new ON t (a, b)";
    let outcome = database.run(text).await?;
    let outcomes: Vec<_> = outcome.items.iter().map(|item| (item.name.as_str(), item.outcome)).collect();
    assert_eq!(outcomes, [("new", Settled::Built), ("old", Settled::Dropped)], "{outcome:#?}");
    Ok(())
}
