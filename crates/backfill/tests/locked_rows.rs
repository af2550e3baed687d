//! Rows that the application holds locked, and what it feels of us.

use std::time::{Duration, Instant};

use anyhow::Result;
use backfill::{Verdict, Walk};
use trial::until_true;

use crate::bench::{Bench, COUNTING, only, over_both_walks};

over_both_walks! {
    rows_locked_during_the_walk_are_swept_afterwards,
    the_sweep_rests_for_its_share_of_the_time_as_the_walk_does,
    a_holder_that_never_ends_is_named_and_the_next_run_finishes,
    inserts_of_children_do_not_wait_for_batches,
    an_open_snapshot_does_not_hold_it_up,
    a_stop_is_obeyed_after_the_batch_and_the_next_run_goes_on_at_the_cursor,
    a_batch_that_takes_long_is_cancelled_on_a_stop,
}

async fn rows_locked_during_the_walk_are_swept_afterwards(walk: Walk) -> Result<()> {
    let mut bench = Bench::walking(walk, "locked_swept", 5_000).await?;
    bench.settings.lock_timeout = Duration::from_secs(20);
    let mut other = bench.other().await?;
    other.run("BEGIN; SELECT FROM t WHERE id BETWEEN 1000 AND 1049 FOR UPDATE").await?;
    let mut watcher = bench.other().await?;
    let (outcome, released) = tokio::join!(bench.run(COUNTING), async {
        until_true(&mut watcher, "SELECT state = 'sweeping' FROM pgdeploy.backfills").await?;
        other.run("COMMIT").await?;
        anyhow::Ok(())
    });
    released?;
    let outcome = outcome?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 5_000), "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 5_000);
    assert_eq!(bench.number("SELECT sum(rows_skipped) FROM pgdeploy.backfill_ranges").await?, 50);
    Ok(())
}

async fn the_sweep_rests_for_its_share_of_the_time_as_the_walk_does(walk: Walk) -> Result<()> {
    let mut bench = Bench::walking(walk, "locked_rests", 1_000).await?;
    bench.settings.lock_timeout = Duration::from_secs(20);
    bench.settings.min_batch = 20;
    bench.settings.duty = 0.1;
    // A row of those that are locked takes a millisecond, 100 of them a second at a tenth of the time.
    bench
        .sql("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.001); RETURN NEW; END $$; \
              CREATE TRIGGER slow BEFORE UPDATE ON t FOR EACH ROW WHEN (OLD.id <= 100) EXECUTE FUNCTION slow()")
        .await?;
    let (mut holder, mut watcher) = (bench.other().await?, bench.other().await?);
    holder.run("BEGIN; SELECT FROM t WHERE id <= 100 FOR UPDATE").await?;
    let (outcome, released) = tokio::join!(bench.run(COUNTING), async {
        until_true(&mut watcher, "SELECT state = 'sweeping' FROM pgdeploy.backfills").await?;
        holder.run("COMMIT").await?;
        anyhow::Ok(Instant::now())
    });
    let (outcome, swept) = (outcome?, released?.elapsed());
    assert_eq!(only(&outcome).outcome, Verdict::Complete, "{outcome:?}");
    assert!(swept >= Duration::from_millis(700), "{swept:?}");
    assert_eq!(bench.touched(1).await?, 1_000);
    Ok(())
}

async fn a_holder_that_never_ends_is_named_and_the_next_run_finishes(walk: Walk) -> Result<()> {
    let mut bench = Bench::walking(walk, "locked_named", 5_000).await?;
    bench.settings.lock_timeout = Duration::from_millis(700);
    let mut other = bench.other().await?;
    other.run("BEGIN; SELECT FROM t WHERE id BETWEEN 1000 AND 1049 FOR UPDATE").await?;
    let outcome = bench.run(COUNTING).await?;
    let item = only(&outcome);
    assert_eq!((item.outcome, item.rows, item.skipped), (Verdict::Incomplete, 4_950, 50), "{outcome:?}");
    let warning = &outcome.warnings[0];
    assert_eq!(warning.code, "W201");
    let who = format!("50 rows are locked by pid {} (postgres, pgdeploy/application)", other.pid());
    assert!(warning.message.contains(&who), "{}", warning.message);
    assert!(warning.message.contains("4,950 of 5,000 rows (99 %)"), "{}", warning.message);
    other.run("ROLLBACK").await?;
    let outcome = bench.run(COUNTING).await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 5_000), "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 5_000);
    Ok(())
}

async fn inserts_of_children_do_not_wait_for_batches(walk: Walk) -> Result<()> {
    let mut bench = Bench::walking(walk, "locked_children", 20_000).await?;
    bench.sql("CREATE TABLE child (t_id bigint REFERENCES t); SET synchronous_commit = off").await?;
    let mut other = bench.other().await?;
    other.run("SET synchronous_commit = off").await?;
    bench.settings.pause = Duration::from_millis(1);
    let mut watcher = bench.other().await?;
    let inserts = async {
        until_true(&mut watcher, "SELECT count(*) > 0 FROM t WHERE done").await?;
        let (mut waited, mut count) = (0, 0);
        while count < 300 {
            // Where an insert would wait for a row lock of ours, this fails at once.
            let id = 1 + count * 61 % 20_000;
            let sent = other.run(&format!("SET lock_timeout = '1ms'; INSERT INTO child VALUES ({id})")).await;
            waited += i32::from(sent.is_err());
            count += 1;
        }
        anyhow::Ok(waited)
    };
    let (outcome, waited) = tokio::join!(bench.run(COUNTING), inserts);
    assert_eq!(only(&outcome?).outcome, Verdict::Complete);
    assert_eq!(waited?, 0);
    assert_eq!(bench.touched(1).await?, 20_000);
    Ok(())
}

async fn an_open_snapshot_does_not_hold_it_up(walk: Walk) -> Result<()> {
    let mut bench = Bench::walking(walk, "locked_snapshot", 20_000).await?;
    let mut other = bench.other().await?;
    other.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t").await?;
    let outcome = bench.run(COUNTING).await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 20_000), "{outcome:?}");
    other.run("COMMIT").await?;
    Ok(())
}

async fn a_stop_is_obeyed_after_the_batch_and_the_next_run_goes_on_at_the_cursor(walk: Walk) -> Result<()> {
    let mut bench = Bench::walking(walk, "locked_stop", 10_000).await?;
    bench.slow();
    let (stop, mut watcher) = (bench.stop.clone(), bench.other().await?);
    let (outcome, told) = tokio::join!(bench.run(COUNTING), async {
        until_true(&mut watcher, "SELECT count(*) >= 300 FROM t WHERE done").await?;
        stop.cancel();
        anyhow::Ok(Instant::now())
    });
    assert!(told?.elapsed() < Duration::from_secs(1));
    let outcome = outcome?;
    assert!(outcome.interrupted);
    assert_eq!(only(&outcome).outcome, Verdict::Incomplete, "{outcome:?}");
    let done = bench.number("SELECT count(*) FROM t WHERE done").await?;
    assert!((300..10_000).contains(&done));
    assert_eq!(bench.number("SELECT sum(rows_done) FROM pgdeploy.backfill_ranges").await?, done);
    bench.stop = Default::default();
    bench.settings.pause = Duration::ZERO;
    assert_eq!(only(&bench.run(COUNTING).await?).outcome, Verdict::Complete);
    assert_eq!(bench.touched(1).await?, 10_000);
    // Nothing was walked twice.
    assert_eq!(bench.number("SELECT sum(rows_scanned) FROM pgdeploy.backfill_ranges").await?, 10_000);
    Ok(())
}

async fn a_batch_that_takes_long_is_cancelled_on_a_stop(walk: Walk) -> Result<()> {
    let mut bench = Bench::walking(walk, "locked_cancel", 200).await?;
    let (stop, mut watcher) = (bench.stop.clone(), bench.other().await?);
    let slow = "UPDATE t SET done = (SELECT pg_sleep(1) IS NOT NULL), touched = touched + 1 WHERE NOT done AND pg_sleep(0.2) IS NOT NULL";
    let (outcome, told) = tokio::join!(bench.run(slow), async {
        until_true(&mut watcher, "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'WITH pgdeploy_%' AND state = 'active'").await?;
        stop.cancel();
        anyhow::Ok(Instant::now())
    });
    assert!(told?.elapsed() < Duration::from_secs(4));
    assert!(outcome?.interrupted);
    assert_eq!(bench.touched(0).await?, 200);
    Ok(())
}
