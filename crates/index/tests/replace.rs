//! `on_drift: replace`: the declared index is built beside the other and takes its name.

use anyhow::Result;
use index::{Action, Event, OnDrift, Settled};

use crate::database::{BUILDING, Database, SLOW, only};

const REPLACE: &str = "-- pgdeploy:\n--   on_drift: replace\n";
const NAMES: &str = "SELECT string_agg(relname || ' ' || indisvalid, ', ' ORDER BY relname) FROM pg_index JOIN pg_class c ON c.oid = indexrelid \
     WHERE indrelid = 't'::regclass";

#[tokio::test]
async fn another_definition_is_replaced_and_the_old_one_dropped() -> Result<()> {
    let database =
        Database::new("replace_whole", "CREATE TABLE t (a int, b int); CREATE INDEX i ON t (a)").await?;
    let text = format!("{REPLACE}CREATE INDEX i ON t (b)");
    let outcome = database.run(&text).await?;
    assert_eq!(only(&outcome)?.outcome, Settled::Replaced, "{outcome:#?}");
    assert!(outcome.warnings.is_empty(), "{outcome:#?}");
    assert_eq!(database.one(NAMES).await?, "i true");
    assert_eq!(database.one("SELECT pg_get_indexdef('i'::regclass) LIKE '%(b)'").await?, "true");
    assert!(database.events().iter().any(
        |event| matches!(event, Event::Built { index, outcome: Settled::Replaced, .. } if index == "i")
    ));
    let rows = "SELECT string_agg(action || ' ' || outcome, ', ' ORDER BY id) FROM pgdeploy.index_builds WHERE action <> 'compare'";
    assert_eq!(database.one(rows).await?, "build built, replace replaced, drop dropped");
    assert_eq!(only(&database.run(&text).await?)?.outcome, Settled::Unchanged);
    // By the setting, and planned by what is known.
    let mut database = database;
    database.settings.on_drift = OnDrift::Replace;
    assert_eq!(only(&database.run("CREATE INDEX i ON t (a, b)").await?)?.outcome, Settled::Replaced);
    assert_eq!(database.plan(&text).await?.items()[0].action, Action::Replace);
    Ok(())
}

#[tokio::test]
async fn a_replacement_that_is_killed_while_it_is_built_is_finished_by_the_next() -> Result<()> {
    let setup = format!("{SLOW}; CREATE INDEX i ON t (a)");
    let database = Database::new("replace_killed_building", &setup).await?;
    let text = format!("{REPLACE}CREATE INDEX i ON t (slow(a))");
    tokio::select! {
        outcome = database.run(&text) => anyhow::bail!("too early: {outcome:?}"),
        building = database.until(BUILDING) => building?,
    }
    assert_eq!(database.one(NAMES).await?, "i true, i_dpnew false");
    let outcome = database.run(&text).await?;
    assert_eq!(only(&outcome)?.outcome, Settled::Replaced, "{outcome:#?}");
    assert_eq!(
        (database.one(NAMES).await?.as_str(), database.logged("CREATE INDEX CONCURRENTLY")?),
        ("i true", 1)
    );
    Ok(())
}

#[tokio::test]
async fn a_replacement_that_is_killed_before_the_swap_is_swapped_by_the_next() -> Result<()> {
    let setup = "CREATE TABLE t (a int, b int); CREATE INDEX i ON t (a); CREATE INDEX i_dpnew ON t (b)";
    let database = Database::new("replace_killed_swapping", setup).await?;
    let text = format!("{REPLACE}CREATE INDEX i ON t (b)");
    let outcome = database.run(&text).await?;
    assert_eq!(only(&outcome)?.outcome, Settled::Replaced, "{outcome:#?}");
    assert_eq!(
        (database.one(NAMES).await?.as_str(), database.logged("CREATE INDEX CONCURRENTLY")?),
        ("i true", 0)
    );
    // What was built for an earlier wish is not taken.
    database.sql("CREATE INDEX i_dpnew ON t (a, b)").await?;
    let outcome = database.run(&format!("{REPLACE}CREATE INDEX i ON t (a)")).await?;
    assert_eq!(only(&outcome)?.outcome, Settled::Replaced, "{outcome:#?}");
    assert_eq!(database.one("SELECT pg_get_indexdef('i'::regclass) LIKE '%(a)'").await?, "true");
    assert_eq!(database.one(NAMES).await?, "i true");
    Ok(())
}

#[tokio::test]
async fn a_replacement_that_is_killed_before_the_drop_is_swept_by_the_next() -> Result<()> {
    let database =
        Database::new("replace_killed_dropping", "CREATE TABLE t (a int, b int); CREATE INDEX i ON t (a)")
            .await?;
    let text = format!("{REPLACE}CREATE INDEX i ON t (b)");
    // It holds up the drop and nothing before it.
    let mut reader = database.session().await?;
    reader.run("BEGIN; SELECT * FROM t").await?;
    tokio::select! {
        outcome = database.run(&text) => anyhow::bail!("too early: {outcome:?}"),
        swapped = database.until("to_regclass('i_dpold') IS NOT NULL") => swapped?,
    }
    assert_eq!(database.one("SELECT pg_get_indexdef('i'::regclass) LIKE '%(b)'").await?, "true");
    reader.run("COMMIT").await?;
    database.until("NOT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE application_name = 'pgdeploy/index-build' AND a.datname = current_database())").await?;
    // The server may have dropped it by itself; a killed server would not have.
    database.sql("CREATE INDEX IF NOT EXISTS i_dpold ON t (a)").await?;
    let outcome = database.run(&text).await?;
    assert!(only(&outcome)?.outcome.is_fine() && outcome.warnings.is_empty(), "{outcome:#?}");
    assert_eq!(database.one(NAMES).await?, "i true");
    Ok(())
}

#[tokio::test]
async fn what_a_constraint_or_the_replica_identity_needs_is_not_replaced() -> Result<()> {
    let setup = "CREATE TABLE t (a int NOT NULL CONSTRAINT k UNIQUE, b int); CREATE UNIQUE INDEX r ON t (a); ALTER TABLE t REPLICA IDENTITY USING INDEX r";
    let database = Database::new("replace_kept", setup).await?;
    let text = format!("{REPLACE}CREATE INDEX k ON t (b); CREATE INDEX r ON t (b DESC);");
    let outcome = database.run(&text).await?;
    assert!(outcome.items.iter().all(|item| item.outcome == Settled::Drifted), "{outcome:#?}");
    assert!(outcome.warnings[0].message.contains("kept as the index of constraint k"), "{outcome:#?}");
    assert!(outcome.warnings[1].message.contains("kept as the replica identity"), "{outcome:#?}");
    assert_eq!(database.logged("CREATE INDEX CONCURRENTLY")?, 0);
    Ok(())
}
