//! Indexes that should be no more.

use anyhow::Result;
use index::{Action, Event, Settled, State};

use crate::database::Database;

#[tokio::test]
async fn a_tombstone_drops_its_index_after_the_builds_and_is_then_at_rest() -> Result<()> {
    let setup = "CREATE SCHEMA s; CREATE TABLE s.t (a int); CREATE INDEX \"Old\" ON s.t (a)";
    let database = Database::new("tombstones_drop", setup).await?;
    let text = "DROP INDEX s.\"Old\"; CREATE INDEX new ON s.t (a)";
    let plan = database.plan(text).await?;
    assert_eq!((plan.items()[1].state, plan.items()[1].action), (State::Present, Action::Drop));
    let outcome = database.run(text).await?;
    let outcomes: Vec<_> = outcome.items.iter().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Settled::Built, Settled::Dropped], "{outcome:#?}");
    assert!(
        matches!(database.events().last(), Some(Event::Dropped { index, table, .. }) if index == "Old" && table == "t")
    );
    assert_eq!(database.logged("DROP INDEX CONCURRENTLY \"s\".\"Old\"")?, 1);
    let outcomes: Vec<_> = database.run(text).await?.items.iter().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Settled::Unchanged, Settled::Unchanged]);
    Ok(())
}

#[tokio::test]
async fn what_a_constraint_needs_and_what_is_no_index_is_refused() -> Result<()> {
    let setup = "CREATE TABLE t (a int PRIMARY KEY); CREATE SEQUENCE s; \
                 CREATE TABLE p (a int) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9); \
                 CREATE INDEX p_a ON p (a); CREATE TABLE r (a int NOT NULL); CREATE UNIQUE INDEX r_a ON r (a); \
                 ALTER TABLE r REPLICA IDENTITY USING INDEX r_a; CREATE TABLE k (a int); CREATE UNIQUE INDEX k_a ON k (a); \
                 CREATE TABLE f (a int CONSTRAINT f_a REFERENCES k (a))";
    let database = Database::new("tombstones_refused", setup).await?;
    let outcome = database.run("DROP INDEX t_pkey; DROP INDEX s; DROP INDEX p_a; DROP INDEX p1_a_idx; DROP INDEX r_a; DROP INDEX k_a").await?;
    assert!(outcome.items.iter().all(|item| item.outcome == Settled::Failed), "{outcome:#?}");
    let expected = [
        "index t_pkey on t failed: constraint t_pkey needs it",
        "index s failed: it is a sequence, not an index",
        "index p_a on p failed: cannot drop partitioned index p_a concurrently: a migration can drop it with DROP INDEX",
        "index p1_a_idx on p1 failed: cannot drop index p1_a_idx because index p_a requires it",
        "index r_a on r failed: it is kept as the replica identity",
        "index k_a on k failed: it is kept as the index of constraint f_a",
    ];
    assert_eq!(outcome.warnings.len(), expected.len());
    for (warning, expected) in outcome.warnings.iter().zip(expected) {
        assert!(warning.message.contains(expected), "{}", warning.message);
    }
    assert_eq!(database.logged("DROP INDEX")?, 0);
    Ok(())
}

#[tokio::test]
async fn an_old_index_is_kept_as_long_as_its_successor_is_not_there() -> Result<()> {
    let setup = "CREATE TABLE t AS SELECT 1 AS a FROM generate_series(1, 2); CREATE INDEX old ON t (a)";
    let database = Database::new("tombstones_kept", setup).await?;
    let outcome = database.run("CREATE UNIQUE INDEX new ON t (a); DROP INDEX old").await?;
    let outcomes: Vec<_> = outcome.items.iter().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Settled::Failed, Settled::Skipped], "{outcome:#?}");
    assert!(outcome.warnings[1].message.contains("kept, because"), "{outcome:#?}");
    assert_eq!(database.one("SELECT count(*) FROM pg_class WHERE relname = 'old'").await?, "1");
    Ok(())
}
