//! Partitioned tables: on every level, on every partition, attached from below.

use anyhow::Result;
use index::{Action, Settled, State};

use crate::database::{Database, only};

const TWO_LEVELS: &str = "CREATE TABLE p (a int, b int) PARTITION BY RANGE (a); \
     CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100); \
     CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (a); \
     CREATE TABLE p2a PARTITION OF p2 FOR VALUES FROM (100) TO (150); \
     CREATE TABLE p2b PARTITION OF p2 FOR VALUES FROM (150) TO (200); \
     INSERT INTO p SELECT g, g % 3 FROM generate_series(0, 199) g";
const VALID: &str = "SELECT count(*) || ' of ' || count(*) FILTER (WHERE indisvalid) FROM pg_partition_tree('p_b') JOIN pg_index ON indexrelid = relid";

#[tokio::test]
async fn two_levels_are_built_concurrently_and_attached_and_new_partitions_have_it() -> Result<()> {
    let database = Database::new("partitions_levels", TWO_LEVELS).await?;
    let text = "CREATE INDEX p_b ON p (b)";
    let plan = database.plan(text).await?;
    assert_eq!((plan.items()[0].state, plan.items()[0].action), (State::Partitioned, Action::Build));
    let outcome = database.run(text).await?;
    assert_eq!(only(&outcome)?.outcome, Settled::Built, "{outcome:#?}");
    assert_eq!(database.one(VALID).await?, "5 of 5");
    assert_eq!(database.logged("CREATE INDEX CONCURRENTLY")?, 3);
    database.sql("CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (200) TO (300)").await?;
    assert_eq!(database.one(VALID).await?, "6 of 6");
    let statements = database.logged("")?;
    assert_eq!(only(&database.run(text).await?)?.outcome, Settled::Unchanged);
    let compared = database.logged("")?;
    assert_eq!(only(&database.run(text).await?)?.outcome, Settled::Unchanged);
    assert_eq!((database.logged("")?, database.invalid().await?), (compared, "0".into()), "{statements}");
    Ok(())
}

#[tokio::test]
async fn a_leaf_that_was_killed_and_one_that_is_there_under_another_name_are_made_part_of_it() -> Result<()> {
    let setup = format!(
        "{TWO_LEVELS}; CREATE INDEX p_b ON ONLY p (b); CREATE INDEX p_b_p1 ON p1 (b); CREATE INDEX mine ON p2a (b); \
         UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'p_b_p1'::regclass"
    );
    let database = Database::new("partitions_killed", &setup).await?;
    let outcome = database.run("CREATE INDEX p_b ON p (b)").await?;
    assert_eq!(only(&outcome)?.outcome, Settled::Repaired, "{outcome:#?}");
    assert_eq!(database.one(VALID).await?, "5 of 5");
    assert_eq!(database.one("SELECT relispartition FROM pg_class WHERE relname = 'mine'").await?, "true");
    assert_eq!(database.logged("CREATE INDEX CONCURRENTLY")?, 2, "p1 again and p2b");
    Ok(())
}

#[tokio::test]
async fn a_partition_whose_rows_refuse_the_index_leaves_it_incomplete_with_the_count() -> Result<()> {
    let setup = format!("{TWO_LEVELS}; INSERT INTO p VALUES (7, 1)");
    let database = Database::new("partitions_incomplete", &setup).await?;
    let text = "CREATE UNIQUE INDEX p_b ON p (a)";
    let outcome = database.run(text).await?;
    assert_eq!(only(&outcome)?.outcome, Settled::Incomplete, "{outcome:#?}");
    let message = &outcome.warnings[0].message;
    assert!(
        message.contains("2 of 3 partitions have it; p1: ") && message.contains("Key (a)=(7)"),
        "{message}"
    );
    database.sql("DELETE FROM p WHERE a = 7").await?;
    assert_eq!(only(&database.run(text).await?)?.outcome, Settled::Repaired);
    assert_eq!(database.one(VALID).await?, "5 of 5");
    Ok(())
}

#[tokio::test]
async fn an_attached_part_that_is_not_valid_is_reindexed() -> Result<()> {
    let setup = format!(
        "{TWO_LEVELS}; CREATE INDEX p_b ON p (b); CREATE TABLE k (a int CONSTRAINT k_a UNIQUE); \
         UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('p1_b_idx'::regclass, 'k_a'::regclass)"
    );
    let database = Database::new("partitions_attached", &setup).await?;
    let outcome = database.run("CREATE INDEX p1_b_idx ON p1 (b); CREATE UNIQUE INDEX k_a ON k (a)").await?;
    assert!(outcome.items.iter().all(|item| item.outcome == Settled::Repaired), "{outcome:#?}");
    assert_eq!((database.one(VALID).await?.as_str(), database.invalid().await?.as_str()), ("5 of 5", "0"));
    let reindexed =
        "SELECT count(*) FROM pgdeploy.index_builds WHERE action = 'reindex' AND outcome = 'repaired'";
    assert_eq!((database.one(reindexed).await?.as_str(), database.logged("DROP INDEX")?), ("2", 0));
    Ok(())
}

#[tokio::test]
async fn foreign_partitions_are_left_out_and_the_others_are_built_first() -> Result<()> {
    let setup = format!(
        "{TWO_LEVELS}; CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER far FOREIGN DATA WRAPPER nothing; \
         CREATE FOREIGN TABLE p9 PARTITION OF p FOR VALUES FROM (900) TO (999) SERVER far"
    );
    let database = Database::new("partitions_foreign", &setup).await?;
    let outcome = database.run("CREATE INDEX p_b ON p (b)").await?;
    assert_eq!(only(&outcome)?.outcome, Settled::Built, "{outcome:#?}");
    assert_eq!(
        (database.one(VALID).await?.as_str(), database.logged("CREATE INDEX CONCURRENTLY")?),
        ("5 of 5", 3)
    );
    Ok(())
}

/// Two levels whose builds take about a second each.
const SLOW_LEVELS: &str = "CREATE FUNCTION slow(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS \
     'BEGIN PERFORM pg_catalog.pg_sleep(0.01); RETURN i; END'; CREATE TABLE p (a int, b int) PARTITION BY RANGE (a); \
     CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100); \
     CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (a); \
     CREATE TABLE p2a PARTITION OF p2 FOR VALUES FROM (100) TO (150); INSERT INTO p SELECT g, g % 3 FROM generate_series(0, 149) g";
// On a partition: the index is first made on an empty copy of the table, to compare it.
const BUILDING: &str = "count(*) > 0 FROM pg_stat_progress_create_index WHERE datname = current_database() AND phase LIKE 'building%' \
     AND relid IN (SELECT relid FROM pg_partition_tree('p'))";

#[tokio::test]
async fn a_leaf_killed_and_a_partition_added_in_mid_run_are_both_part_of_it_in_the_end() -> Result<()> {
    let database = Database::new("partitions_mid_run", SLOW_LEVELS).await?;
    let text = "CREATE INDEX p_b ON p (slow(b))";
    let (outcome, ended) = tokio::join!(database.run(text), async {
        database.until(BUILDING).await?;
        database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_progress_create_index WHERE datname = current_database()").await?;
        database.sql("CREATE TABLE p2b PARTITION OF p2 FOR VALUES FROM (150) TO (200); CREATE TABLE late (a int, b int); \
                      INSERT INTO late SELECT g, g FROM generate_series(300, 320) g; \
                      ALTER TABLE p ATTACH PARTITION late FOR VALUES FROM (300) TO (400)").await
    });
    ended?;
    let outcome = outcome?;
    assert_eq!(only(&outcome)?.outcome, Settled::Built, "{outcome:#?}");
    assert_eq!((database.one(VALID).await?.as_str(), database.invalid().await?.as_str()), ("6 of 6", "0"));
    let failed = "SELECT count(*) FROM pgdeploy.index_builds WHERE outcome = 'failed' AND sqlstate = '57P01'";
    assert_eq!(database.one(failed).await?, "1");
    Ok(())
}

#[tokio::test]
async fn a_deploy_killed_in_the_middle_of_a_leaf_is_gone_on_with_by_the_next() -> Result<()> {
    let database = Database::new("partitions_deploy_killed", SLOW_LEVELS).await?;
    let text = "CREATE INDEX p_b ON p (slow(b))";
    tokio::select! {
        outcome = database.run(text) => anyhow::bail!("too early: {outcome:?}"),
        building = database.until(BUILDING) => building?,
    }
    let outcome = database.run(text).await?;
    assert_eq!(only(&outcome)?.outcome, Settled::Repaired, "{outcome:#?}");
    assert_eq!((database.one(VALID).await?.as_str(), database.invalid().await?.as_str()), ("4 of 4", "0"));
    assert_eq!(database.logged("CREATE INDEX CONCURRENTLY")?, 2, "the leaf under way was adopted");
    Ok(())
}

#[tokio::test]
async fn what_no_level_can_have_is_told_and_no_leaf_is_built_for_it() -> Result<()> {
    let database = Database::new("partitions_impossible", TWO_LEVELS).await?;
    let outcome = database.run("CREATE UNIQUE INDEX p_b ON p (b)").await?;
    assert_eq!(only(&outcome)?.outcome, Settled::Failed, "{outcome:#?}");
    assert!(outcome.warnings[0].message.contains("unique constraint on partitioned table"), "{outcome:#?}");
    assert_eq!(
        database.logged("CREATE INDEX CONCURRENTLY")?
            + database.logged("CREATE UNIQUE INDEX CONCURRENTLY")?,
        0
    );
    Ok(())
}

#[tokio::test]
async fn what_a_reindex_of_a_partition_has_left_is_dropped() -> Result<()> {
    let setup = format!(
        "{TWO_LEVELS}; CREATE INDEX p_b ON p (b); CREATE INDEX p1_b_idx_ccnew ON p1 (b); CREATE INDEX mine ON p1 (a); \
         UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'p1_b_idx_ccnew'::regclass"
    );
    let database = Database::new("partitions_swept", &setup).await?;
    let outcome = database.run("CREATE INDEX p_b ON p (b)").await?;
    assert!(outcome.items[0].outcome.is_fine() && outcome.warnings.is_empty(), "{outcome:#?}");
    assert_eq!(
        database.one("SELECT count(*) FROM pg_class WHERE relname IN ('p1_b_idx_ccnew', 'mine')").await?,
        "1"
    );
    Ok(())
}
