//! All kinds of statements, and what they leave behind.

use anyhow::Result;
use backfill::{Event, State, Verdict, Walk};

use crate::bench::{Bench, COUNTING, only};

#[tokio::test]
async fn an_update_is_done_once_and_then_there_is_nothing_to_do() -> Result<()> {
    let mut bench = Bench::counting("kinds_update", 20_000).await?;
    let plan = bench.plan(&[("0001_a.sql", COUNTING)]).await?;
    assert_eq!((plan.items()[0].state, plan.items()[0].estimated_rows), (State::New, Some(20_000)));
    let outcome = bench.run(COUNTING).await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 20_000), "{outcome:?}");
    assert!(outcome.warnings.is_empty());
    assert_eq!(bench.touched(1).await?, 20_000);
    let record = "SELECT state || ' ' || (verified_at IS NOT NULL AND verified_lsn IS NOT NULL) FROM pgdeploy.backfills";
    assert_eq!(bench.text(record).await?, "done true");
    let again = bench.run(COUNTING).await?;
    assert_eq!(only(&again).outcome, Verdict::Unchanged);
    assert_eq!(bench.touched(1).await?, 20_000);
    Ok(())
}

#[tokio::test]
async fn a_join_updates_each_row_once() -> Result<()> {
    let mut bench = Bench::counting("kinds_join", 5_000).await?;
    bench
        .sql("CREATE TABLE rate (id int PRIMARY KEY, cents int); INSERT INTO rate SELECT g, g * 10 FROM generate_series(0, 9) g; \
              ALTER TABLE t ADD rate_id int, ADD cents int; UPDATE t SET rate_id = id % 10 WHERE id % 100 <> 0")
        .await?;
    let statement = "UPDATE t AS x SET cents = r.cents, touched = touched + 1 FROM rate r JOIN rate same ON same.id = r.id \
                     WHERE r.id = x.rate_id AND x.cents IS NULL";
    let outcome = bench.run(statement).await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 4_950), "{outcome:?}");
    assert_eq!(
        bench.number("SELECT count(*) FROM t WHERE touched = 1 AND cents = rate_id * 10").await?,
        4_950
    );
    Ok(())
}

#[tokio::test]
async fn rows_are_deleted_also_with_using() -> Result<()> {
    let mut bench = Bench::counting("kinds_delete", 5_000).await?;
    bench.sql("CREATE TABLE gone (id bigint PRIMARY KEY); INSERT INTO gone SELECT g * 5 FROM generate_series(1, 500) g").await?;
    let files = [
        ("0001_a.sql", "DELETE FROM t WHERE id > 4000"),
        ("0002_b.sql", "DELETE FROM t USING gone g WHERE g.id = t.id"),
    ];
    let outcome = bench.run_files(&files).await?;
    let rows: Vec<_> = outcome.items.iter().map(|item| (item.outcome, item.rows)).collect();
    assert_eq!(rows, [(Verdict::Complete, 1_000), (Verdict::Complete, 500)], "{outcome:?}");
    assert_eq!(bench.number("SELECT count(*) FROM t").await?, 3_500);
    Ok(())
}

#[tokio::test]
async fn rows_are_copied_by_insert_select() -> Result<()> {
    let mut bench = Bench::counting("kinds_insert", 5_000).await?;
    bench.sql("CREATE TABLE copy (id bigint PRIMARY KEY, twice bigint); CREATE TABLE u (id bigint PRIMARY KEY); INSERT INTO u SELECT g FROM generate_series(1, 100) g").await?;
    let files = [
        (
            "0001_a.sql",
            "INSERT INTO copy (id, twice) SELECT id, id * 2 FROM t x WHERE NOT EXISTS (SELECT FROM copy c WHERE c.id = x.id)",
        ),
        (
            "0002_b.sql",
            "INSERT INTO copy SELECT -l.id FROM t l JOIN u ON u.id = l.id LEFT JOIN copy c ON c.id = -l.id WHERE c.id IS NULL",
        ),
    ];
    let outcome = bench.run_files(&files).await?;
    let rows: Vec<_> = outcome.items.iter().map(|item| (item.outcome, item.rows)).collect();
    assert_eq!(rows, [(Verdict::Complete, 5_000), (Verdict::Complete, 100)], "{outcome:?}");
    assert_eq!(bench.number("SELECT count(*) FROM copy WHERE twice = id * 2 OR id < 0").await?, 5_100);
    Ok(())
}

#[tokio::test]
async fn matches_at_the_end_of_the_table_are_found_without_long_statements() -> Result<()> {
    let mut bench = Bench::walking(Walk::Keyset, "kinds_sparse", 200_000).await?;
    bench.sql("UPDATE t SET done = true WHERE id <= 199000").await?;
    bench.sql("VACUUM ANALYZE t").await?;
    bench.notes_rows_of_statements().await?;
    bench.settings.max_batch = 400;
    let outcome = bench.run(COUNTING).await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 1_000), "{outcome:?}");
    // However many keys are looked at, where many of them match there are not that many in a batch.
    assert!(bench.number("SELECT max(scan_size) FROM pgdeploy.backfill_ranges").await? > 20_000);
    assert!(bench.number("SELECT max(rows) FROM seen").await? <= 400);
    Ok(())
}

#[tokio::test]
async fn events_tell_the_way_and_are_not_too_many() -> Result<()> {
    let mut bench = Bench::counting("kinds_events", 3_000).await?;
    bench.slow();
    bench.run(COUNTING).await?;
    let events = bench.events.all();
    let names: Vec<_> = events
        .iter()
        .map(|event| {
            serde_json::to_value(event).map(|value| value["event"].as_str().unwrap_or("").to_owned())
        })
        .collect::<Result<_, _>>()?;
    assert_eq!(names.first().map(String::as_str), Some("backfill.started"));
    assert_eq!(names.last().map(String::as_str), Some("backfill.completed"));
    let last = events.iter().rev().find_map(|event| match event {
        Event::Progress { rows, milestone, batches, .. } => Some((*rows, *milestone, *batches)),
        _ => None,
    });
    let (rows, milestone, batches) = last.expect("progress is told");
    assert_eq!((rows, milestone), (3_000, true));
    let told = names.iter().filter(|name| *name == "backfill.progress").count() as u64;
    assert!(told < batches, "{told} of {batches}");
    Ok(())
}

#[tokio::test]
async fn the_planner_cannot_make_a_batch_take_more_rows_than_it_may() -> Result<()> {
    let mut bench = Bench::counting("kinds_planner", 20_000).await?;
    bench
        .sql("ALTER DATABASE kinds_planner SET enable_hashjoin = off; ALTER DATABASE kinds_planner SET enable_mergejoin = off; \
              ALTER DATABASE kinds_planner SET enable_material = off; TRUNCATE t; ANALYZE t; ALTER TABLE t SET (autovacuum_enabled = off); \
              INSERT INTO t (id) SELECT g FROM generate_series(1, 20000) g")
        .await?;
    bench.notes_rows_of_statements().await?;
    bench.settings.max_batch = 500;
    let outcome = bench.run(COUNTING).await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 20_000), "{outcome:?}");
    assert!(bench.number("SELECT max(rows) FROM seen").await? <= 500);
    assert_eq!(bench.touched(1).await?, 20_000);
    Ok(())
}
