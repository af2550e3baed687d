//! What on the server slows a backfill down or holds it up (scenarios 22, 23, 24, windows).

use std::time::Duration;

use anyhow::Result;
use backfill::Verdict;
use scratch::Server;
use trial::until_true;

use crate::bench::{Bench, COUNTING, held_up, only};

const FILES: [(&str, &str); 1] = [("0001_a.sql", COUNTING)];

/// A server of the test's own, with a table on it.
async fn own(server: &Server, name: &str) -> Result<Bench> {
    server.create_database(name)?;
    let mut bench = Bench::at(server.url(name)).await?;
    bench.count(20_000).await?;
    bench.slow();
    bench.settings.throttle.every = Duration::from_millis(50);
    Ok(bench)
}

#[tokio::test]
async fn a_slot_that_nobody_reads_holds_it_up_until_it_is_dropped() -> Result<()> {
    let server = Server::builder().setting("fsync", "off").start()?;
    let mut bench = own(&server, "throttle_slot").await?;
    let run = bench.beside(&FILES).await?;
    let mut other = bench.other().await?;
    until_true(&mut other, "SELECT count(*) >= 300 FROM t WHERE done").await?;
    other.run("SELECT pg_create_physical_replication_slot('gone', true)").await?;
    held_up(&mut bench, &FILES, "replication slot gone").await?;
    bench.sql("SELECT pg_drop_replication_slot('gone')").await?;
    let outcome = run.await?;
    assert_eq!(only(&outcome).outcome, Verdict::Complete, "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 20_000);
    Ok(())
}

#[tokio::test]
async fn an_archiver_that_fails_holds_it_up() -> Result<()> {
    let server = Server::builder()
        .setting("fsync", "off")
        .setting("archive_mode", "on")
        .setting("archive_command", "false")
        .start()?;
    let mut bench = own(&server, "throttle_archiver").await?;
    bench.sql("CREATE TABLE x (i int); SELECT pg_switch_wal()").await?;
    let mut other = bench.other().await?;
    until_true(&mut other, "SELECT failed_count > 0 FROM pg_stat_archiver").await?;
    let run = bench.beside(&FILES).await?;
    held_up(&mut bench, &FILES, "the archiver fails").await?;
    // As if it had never failed.
    bench.sql("SELECT pg_stat_reset_shared('archiver')").await?;
    let done = "SELECT count(*) FROM t WHERE done";
    let before = bench.number(done).await?;
    until_true(&mut other, &format!("SELECT ({done}) > {before}")).await?;
    bench.stop.cancel();
    assert!(run.await?.interrupted);
    Ok(())
}

#[tokio::test]
async fn an_old_snapshot_slows_it_down_and_an_older_one_holds_it_up() -> Result<()> {
    let server = Server::throwaway()?;
    let mut bench = own(&server, "throttle_snapshot").await?;
    bench.settings.throttle.longest_transaction = Some(Duration::from_millis(300));
    bench.settings.pause = Duration::from_millis(30);
    let mut holder = bench.other().await?;
    holder.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t").await?;
    let run = bench.beside(&FILES).await?;
    let mut other = bench.other().await?;
    let slow = "SELECT level = 'slow' AND reasons::text LIKE '%a snapshot or prepared transaction%' FROM pgdeploy.backfills";
    until_true(&mut other, slow).await?;
    held_up(&mut bench, &FILES, "what we leave behind cannot be pruned").await?;
    holder.run("COMMIT").await?;
    let outcome = run.await?;
    assert_eq!(only(&outcome).outcome, Verdict::Complete, "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 20_000);
    Ok(())
}

#[tokio::test]
async fn outside_of_its_window_it_waits_and_the_budget_tells_why() -> Result<()> {
    let mut bench = Bench::counting("throttle_window", 2_000).await?;
    bench.settings.throttle.every = Duration::from_millis(50);
    bench.slow();
    let hours = bench
        .text("SELECT to_char(now() AT TIME ZONE 'UTC' + interval '2 hours', 'HH24:MI') || '-' || to_char(now() AT TIME ZONE 'UTC' + interval '3 hours', 'HH24:MI')")
        .await?;
    let statement = format!("-- pgdeploy:\n--   window: {hours} UTC\n{COUNTING}");
    bench.settings.budget = Duration::from_millis(1500);
    let outcome = bench.run(&statement).await?;
    assert!(outcome.warnings[0].message.contains("outside of its window"), "{outcome:?}");
    assert!(bench.number("SELECT count(*) FROM t WHERE done").await? < 2_000);
    // The hours are no part of what it does: without them it goes on.
    bench.settings.budget = Duration::from_secs(60);
    assert_eq!(only(&bench.run(COUNTING).await?).outcome, Verdict::Complete);
    assert_eq!(bench.touched(1).await?, 2_000);
    Ok(())
}

#[tokio::test]
async fn a_stop_while_it_is_held_up_is_obeyed_at_once() -> Result<()> {
    let server = Server::builder().setting("fsync", "off").start()?;
    let mut bench = own(&server, "throttle_stop").await?;
    let run = bench.beside(&FILES).await?;
    let mut other = bench.other().await?;
    until_true(&mut other, "SELECT count(*) >= 300 FROM t WHERE done").await?;
    other.run("SELECT pg_create_physical_replication_slot('gone', true)").await?;
    held_up(&mut bench, &FILES, "gone").await?;
    bench.stop.cancel();
    let stopped = tokio::time::timeout(Duration::from_secs(1), run).await;
    assert!(stopped??.interrupted);
    Ok(())
}
