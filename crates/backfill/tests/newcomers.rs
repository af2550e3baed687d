//! Rows that come in mid-run, regions that are slow, key spaces that are wide (scenarios 15, 17, 18, 38).

use std::time::{Duration, Instant};

use anyhow::Result;
use backfill::{Event, Verdict, Walk};
use trial::until_true;

use crate::bench::{Bench, COUNTING, only, over_both_walks};

over_both_walks! {
    a_low_key_that_is_committed_late_is_found,
    rows_of_the_old_kind_that_keep_coming_are_told_or_done,
    a_slow_region_makes_batches_small_and_then_they_grow_again,
}

async fn a_low_key_that_is_committed_late_is_found(walk: Walk) -> Result<()> {
    let mut bench = Bench::walking(walk, "new_late", 5_000).await?;
    bench.slow();
    bench.sql("DELETE FROM t WHERE id = 3").await?;
    let (mut late, mut watcher) = (bench.other().await?, bench.other().await?);
    late.run("BEGIN; INSERT INTO t (id) VALUES (3)").await?;
    let run = bench.beside(&[("0001_a.sql", COUNTING)]).await?;
    until_true(&mut watcher, "SELECT count(*) > 1000 FROM t WHERE done").await?;
    late.run("COMMIT").await?;
    let outcome = run.await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 5_000), "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 5_000);
    Ok(())
}

async fn rows_of_the_old_kind_that_keep_coming_are_told_or_done(walk: Walk) -> Result<()> {
    let mut bench = Bench::walking(walk, "new_old", 2_000).await?;
    let mut other = bench.other().await?;
    let over = tokio_util::sync::CancellationToken::new();
    let stop = over.clone();
    let inserting = tokio::spawn(async move {
        let mut id = 100_000;
        while !stop.is_cancelled() && other.run(&format!("INSERT INTO t (id) VALUES ({id})")).await.is_ok() {
            id += 1;
        }
    });
    bench.settings.budget = Duration::from_secs(2);
    let outcome = bench.run(COUNTING).await?;
    over.cancel();
    inserting.await?;
    let item = only(&outcome);
    if item.outcome != Verdict::Complete {
        // How many come is known after the first pass; a machine that is busy may not come so far.
        let message = &outcome.warnings[0].message;
        assert!(message.contains("per second") || message.contains("rows are left to do"), "{outcome:?}");
    }
    bench.settings.budget = Duration::from_secs(60);
    assert_eq!(only(&bench.run(COUNTING).await?).outcome, Verdict::Complete);
    assert_eq!(bench.number("SELECT count(*) FROM t WHERE touched <> 1").await?, 0);
    Ok(())
}

async fn a_slow_region_makes_batches_small_and_then_they_grow_again(walk: Walk) -> Result<()> {
    // So many that there is time to look behind the slow ones, too.
    let mut bench = Bench::walking(walk, "new_slow", 150_000).await?;
    bench.settings.throttle.congestion = false;
    bench
        .sql(
            "CREATE FUNCTION slow(i bigint) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN \
                IF i BETWEEN 10000 AND 11000 THEN PERFORM pg_sleep(0.001); END IF; RETURN 1; END $$",
        )
        .await?;
    let statement = "UPDATE t SET touched = touched + slow(id), done = true WHERE NOT done";
    let outcome = bench.run(statement).await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 150_000), "{outcome:?}");
    let sizes: Vec<u32> = bench
        .events
        .all()
        .iter()
        .filter_map(|event| match event {
            Event::Progress { batch_size, .. } => Some(*batch_size),
            _ => None,
        })
        .filter(|size| *size > 0)
        .collect();
    // At a millisecond a row, no more than about the target's twenty rows, but for the least that is set.
    let smallest = sizes.iter().copied().min().unwrap_or(0);
    let at = sizes.iter().position(|size| *size == smallest).unwrap_or(0);
    let largest_after = sizes[at..].iter().copied().max().unwrap_or(0);
    assert!(smallest <= 60 && largest_after > 100, "{sizes:?}");
    assert_eq!(bench.touched(1).await?, 150_000);
    Ok(())
}

#[tokio::test]
async fn a_wide_key_space_begins_at_once() -> Result<()> {
    let mut bench = Bench::walking(Walk::Keyset, "new_wide", 10).await?;
    bench
        .sql(
            "TRUNCATE t; INSERT INTO t (id) SELECT g::bigint * 1000000000 FROM generate_series(1, 2000) g; ANALYZE t",
        )
        .await?;
    bench.slow();
    let (mut watcher, started) = (bench.other().await?, Instant::now());
    let run = bench.beside(&[("0001_a.sql", COUNTING)]).await?;
    until_true(&mut watcher, "SELECT count(*) > 0 FROM t WHERE done").await?;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(only(&run.await?).outcome, Verdict::Complete);
    assert_eq!(bench.touched(1).await?, 2_000);
    Ok(())
}
