//! What on the server slows a backfill down or holds it up (scenarios 22, 23, 24, windows).

use std::time::{Duration, Instant};

use anyhow::Result;
use backfill::Verdict;
use scratch::Server;
use tokio_util::sync::CancellationToken;
use trial::until_true;

use crate::bench::{Bench, COUNTING, asks_again, held_up, only};

const FILES: [(&str, &str); 1] = [("0001_a.sql", COUNTING)];

/// A server of the test's own, with a table on it.
async fn own(server: &Server, name: &str) -> Result<Bench> {
    server.create_database(name)?;
    let mut bench = Bench::at(server.url(name)).await?;
    bench.count(10_000).await?;
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
    assert_eq!(bench.touched(1).await?, 10_000);
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
    assert_eq!(bench.touched(1).await?, 10_000);
    Ok(())
}

#[tokio::test]
async fn while_it_vacuums_it_sees_all_the_same_and_leaves_no_vacuum_behind() -> Result<()> {
    let server = Server::throwaway()?;
    let mut bench = own(&server, "throttle_vacuum").await?;
    // Rows that leave their pages, and a VACUUM that takes for ever over them.
    bench
        .sql("ALTER TABLE t SET (autovacuum_enabled = off); CREATE INDEX ON t (touched); \
              ALTER DATABASE throttle_vacuum SET vacuum_cost_delay = '100ms'; ALTER DATABASE throttle_vacuum SET vacuum_cost_limit = 1")
        .await?;
    bench.sql("INSERT INTO t (id) SELECT g FROM generate_series(20001, 60000) g").await?;
    bench.settings.pause = Duration::from_millis(30);
    let mut other = bench.other().await?;
    let run = bench.beside(&FILES).await?;
    let vacuums = "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'VACUUM (SKIP_LOCKED%' AND state = 'active'";
    until_true(&mut other, vacuums).await?;
    other.run("SELECT pg_create_physical_replication_slot('gone', true)").await?;
    held_up(&mut bench, &FILES, "replication slot gone").await?;
    assert_eq!(bench.text(vacuums).await?, "true", "it was seen although it vacuums");
    bench.stop.cancel();
    assert!(run.await?.interrupted);
    until_true(&mut other, &format!("NOT ({vacuums})")).await?;
    Ok(())
}

#[tokio::test]
async fn rows_that_were_locked_are_not_swept_while_it_is_held_up() -> Result<()> {
    let server = Server::throwaway()?;
    let mut bench = own(&server, "throttle_sweep").await?;
    bench.settings.lock_timeout = Duration::from_secs(30);
    bench.settings.pause = Duration::ZERO;
    let (mut holder, mut other) = (bench.other().await?, bench.other().await?);
    holder.run("BEGIN; SELECT FROM t WHERE id <= 20 FOR UPDATE").await?;
    let run = bench.beside(&FILES).await?;
    until_true(&mut other, "SELECT state = 'sweeping' FROM pgdeploy.backfills").await?;
    other.run("SELECT pg_create_physical_replication_slot('gone', true)").await?;
    held_up(&mut bench, &FILES, "replication slot gone").await?;
    // It looks whether it may go on, and sweeps nothing: neither what it was waiting for nor anything else.
    asks_again(&mut bench, &mut other).await?;
    holder.run("COMMIT").await?;
    asks_again(&mut bench, &mut other).await?;
    assert_eq!(bench.number("SELECT count(*) FROM t WHERE NOT done").await?, 20);
    other.run("SELECT pg_drop_replication_slot('gone')").await?;
    let outcome = run.await?;
    assert_eq!(only(&outcome).outcome, Verdict::Complete, "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 10_000);
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
    assert_eq!(bench.number("SELECT count(*) FROM t WHERE done").await?, 0);
    let unknown = statement.replace("UTC", "Mars/Phobos");
    let refused = bench.run_files(&[("0002_b.sql", &unknown)]).await?;
    assert!(refused.warnings[0].message.contains("E258"), "{refused:?}");
    assert!(refused.warnings[0].message.contains("knows no time zone Mars/Phobos"), "{refused:?}");
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

/// An application's session at work, until it is told to stop.
async fn shop(bench: &Bench) -> Result<impl AsyncFnOnce() -> Result<()> + use<>> {
    let (mut session, over) = (bench.other().await?, CancellationToken::new());
    session.run("SET application_name = 'shop'").await?;
    let told = over.clone();
    let shop = tokio::spawn(async move {
        while !told.is_cancelled() {
            session.run("SELECT pg_sleep(0.01)").await?;
        }
        anyhow::Ok(())
    });
    Ok(async move || {
        over.cancel();
        shop.await?
    })
}

/// How much of the time from the first batch to the last nobody was at work on a row, where each row notes its batch and
/// its moment.
const AT_REST: &str = "SELECT (100 * sum(extract(epoch FROM began - before)) / extract(epoch FROM max(ended) - min(began)))::int8 FROM ( \
     SELECT began, max(at) AS ended, lag(max(at)) OVER (ORDER BY began) AS before FROM t GROUP BY began) AS batches";

#[tokio::test]
async fn rows_that_become_slower_slow_it_down_only_beside_somebody_else_at_work() -> Result<()> {
    let server = Server::throwaway()?;
    let mut at_rest = Vec::new();
    for name in ["throttle_alone", "throttle_beside"] {
        server.create_database(name)?;
        let mut bench = Bench::at(server.url(name)).await?;
        bench.count(4_000).await?;
        bench
            .sql(
                "ALTER TABLE t ADD began timestamptz, ADD at timestamptz; \
                  CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                    IF OLD.id > 2000 THEN PERFORM count(*) FROM generate_series(1, 8000); END IF; \
                    NEW.began = transaction_timestamp(); NEW.at = clock_timestamp(); RETURN NEW; END $$; \
                  CREATE TRIGGER slow BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION slow()",
            )
            .await?;
        // Up to version 14 numbers are half a second old, and the checkpoint of the server's start would come in meanwhile.
        let known = "SELECT coalesce(pg_stat_get_snapshot_timestamp() > pg_postmaster_start_time() + interval '2 s', true)";
        until_true(&mut bench.admin, known).await?;
        (bench.settings.min_batch, bench.settings.max_batch) = (50, 100);
        bench.settings.throttle.every = Duration::from_millis(50);
        let others = if at_rest.is_empty() { None } else { Some(shop(&bench).await?) };
        let outcome = bench.run(COUNTING).await?;
        assert_eq!(only(&outcome).outcome, Verdict::Complete, "{outcome:?}");
        assert_eq!(bench.touched(1).await?, 4_000);
        if let Some(end) = others {
            end().await?;
        }
        at_rest.push(bench.number(AT_REST).await?);
    }
    // By shares of the time, not by the time: a machine that is busy is slow in both.
    assert!(at_rest[1] >= at_rest[0] + 15, "{at_rest:?} %");
    Ok(())
}

#[tokio::test]
async fn one_that_is_paused_or_whose_window_opens_too_late_does_not_hold_up_the_next() -> Result<()> {
    let mut bench = Bench::counting("throttle_held", 2_000).await?;
    bench.settings.throttle.every = Duration::from_millis(50);
    bench.sql("ALTER TABLE t ADD v bigint, ADD w bigint").await?;
    let hours = bench
        .text("SELECT to_char(now() AT TIME ZONE 'UTC' + interval '2 hours', 'HH24:MI') || '-' || to_char(now() AT TIME ZONE 'UTC' + interval '3 hours', 'HH24:MI')")
        .await?;
    let windowed = format!("-- pgdeploy:\n--   window: {hours} UTC\nUPDATE t SET v = id WHERE v IS NULL");
    let files = [
        ("0001_a.sql", COUNTING),
        ("0002_b.sql", windowed.as_str()),
        ("0003_c.sql", "UPDATE t SET w = id WHERE w IS NULL"),
    ];
    bench.run_in_part(COUNTING).await?;
    let done = bench.touched(1).await?;
    backfill::ask(&mut bench.admin, "pgdeploy", ("0001_a", "alice"), &backfill::Ask::Pause, None).await?;
    // A deploy waits for neither.
    let started = Instant::now();
    let outcome = bench.run_files(&files).await?;
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}: {outcome:?}", started.elapsed());
    let verdicts: Vec<_> = outcome.items.iter().map(|item| (item.id.as_str(), item.outcome)).collect();
    let expected =
        [("0001_a", Verdict::Incomplete), ("0002_b", Verdict::Incomplete), ("0003_c", Verdict::Complete)];
    assert_eq!(verdicts, expected, "{outcome:?}");
    assert_eq!((outcome.warnings[0].code, outcome.warnings[1].code), ("W201", "W201"));
    assert!(outcome.warnings[0].message.contains("somebody has paused it"), "{outcome:?}");
    assert!(outcome.warnings[1].message.contains("opens only after the budget is over"), "{outcome:?}");
    assert_eq!(bench.number("SELECT count(*) FROM t WHERE w = id").await?, 2_000);
    // A run of its own comes back to them when the others are done.
    bench
        .sql(
            "UPDATE t SET w = NULL; UPDATE pgdeploy.backfills SET state = 'running' WHERE name = '0003_c'; \
               UPDATE pgdeploy.backfill_units SET state = 'running'",
        )
        .await?;
    bench.settings.budget = Duration::from_secs(100 * 60);
    let files = [files[0], files[2]];
    let mut other = bench.other().await?;
    let run = bench.beside(&files).await?;
    until_true(&mut other, "SELECT count(*) = 2000 FROM t WHERE w = id").await?;
    assert_eq!(bench.touched(1).await?, done);
    backfill::ask(&mut bench.admin, "pgdeploy", ("0001_a", "alice"), &backfill::Ask::Resume, None).await?;
    let outcome = run.await?;
    let mut verdicts: Vec<_> = outcome.items.iter().map(|item| (item.id.as_str(), item.outcome)).collect();
    verdicts.sort_unstable_by_key(|(id, _)| *id);
    assert_eq!(verdicts, [("0001_a", Verdict::Complete), ("0003_c", Verdict::Complete)], "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 2_000);
    Ok(())
}

#[tokio::test]
async fn a_window_that_opens_within_the_budget_is_waited_for_after_the_others() -> Result<()> {
    let mut bench = Bench::counting("throttle_opens", 2_000).await?;
    bench.settings.throttle.every = Duration::from_millis(50);
    bench.sql("ALTER TABLE t ADD v bigint").await?;
    let hours = bench
        .text("SELECT to_char(now() AT TIME ZONE 'UTC' + interval '2 hours', 'HH24:MI') || '-' || to_char(now() AT TIME ZONE 'UTC' + interval '3 hours', 'HH24:MI')")
        .await?;
    let windowed = format!("-- pgdeploy:\n--   window: {hours} UTC\nUPDATE t SET v = id WHERE v IS NULL");
    let files = [("0001_a.sql", windowed.as_str()), ("0002_b.sql", COUNTING)];
    bench.settings.budget = Duration::from_secs(5 * 60 * 60);
    let mut other = bench.other().await?;
    let run = bench.beside(&files).await?;
    until_true(&mut other, "SELECT count(*) = 2000 FROM t WHERE done").await?;
    let held = "SELECT bool_or(level = 'pause' AND reasons::text LIKE '%outside of its window%') FROM pgdeploy.backfills WHERE name = '0001_a'";
    until_true(&mut other, held).await?;
    bench.stop.cancel();
    assert!(run.await?.interrupted);
    assert_eq!(bench.number("SELECT count(*) FROM t WHERE v IS NOT NULL").await?, 0);
    Ok(())
}
