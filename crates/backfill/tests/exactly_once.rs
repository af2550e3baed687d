//! Every row once, whatever is killed.

use std::time::Duration;

use anyhow::Result;
use backfill::{Verdict, Walk};
use trial::until_true;

use crate::bench::{Bench, COUNTING, kill, only, over_both_walks};

over_both_walks! {
    killed_backends_cost_no_row_and_no_second_touch,
    runs_that_vanish_are_taken_over_at_the_cursor,
    a_runner_whose_lease_was_taken_over_writes_nothing_more,
    a_budget_ends_it_and_the_next_runs_finish_it,
    the_application_and_the_backfill_share_rows_in_any_order,
}

async fn killed_backends_cost_no_row_and_no_second_touch(walk: Walk) -> Result<()> {
    let mut bench = Bench::walking(walk, "once_terminated", 12_000).await?;
    bench.settings.batch_size = 200;
    bench.settings.max_batch = 200;
    bench.settings.pause = Duration::from_millis(5);
    let mut killer = bench.other().await?;
    let kills = async {
        let mut kills = 0;
        for round in 1..=15 {
            until_true(&mut killer, &format!("SELECT count(*) >= {} FROM t WHERE done", round * 600)).await?;
            kills += kill(&mut killer, "pg_terminate_backend", 9).await?;
        }
        anyhow::Ok(kills)
    };
    let (outcome, kills) = tokio::join!(bench.run(COUNTING), kills);
    let outcome = outcome?;
    assert!(kills? >= 10);
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 12_000), "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 12_000);
    Ok(())
}

async fn runs_that_vanish_are_taken_over_at_the_cursor(walk: Walk) -> Result<()> {
    let mut bench = Bench::walking(walk, "once_vanished", 20_000).await?;
    bench.settings.max_batch = 300;
    bench.settings.pause = Duration::from_millis(2);
    let mut watcher = bench.other().await?;
    for round in 1..=8 {
        // Not at the end of a range.
        let far = format!("SELECT count(*) >= {} FROM t WHERE done", round * 1_470);
        let watch = until_true(&mut watcher, &far);
        // The future is dropped wherever it is: no ROLLBACK, no farewell.
        tokio::select! {
            outcome = bench.run(COUNTING) => assert_eq!(only(&outcome?).outcome, Verdict::Complete),
            watched = watch => watched?,
        }
    }
    let outcome = bench.run(COUNTING).await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 20_000), "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 20_000);
    assert!(bench.number("SELECT sum(take_overs) FROM pgdeploy.backfill_ranges").await? > 0);
    Ok(())
}

async fn a_runner_whose_lease_was_taken_over_writes_nothing_more(walk: Walk) -> Result<()> {
    let mut bench = Bench::walking(walk, "once_fenced", 10_000).await?;
    bench.slow();
    bench.settings.budget = Duration::from_secs(2);
    let mut other = bench.other().await?;
    let (outcome, seen) = tokio::join!(bench.run(COUNTING), async {
        until_true(&mut other, "SELECT count(*) >= 500 FROM t WHERE done").await?;
        other.run("UPDATE pgdeploy.backfill_ranges SET lease_token = lease_token + 1, lease_owner = 'somebody else', lease_pid = NULL, \
                   lease_expires_at = clock_timestamp() + interval '1 hour', state = CASE state WHEN 'ready' THEN 'leased' ELSE state END \
                   WHERE parent IS NOT NULL; UPDATE pgdeploy.backfill_ranges SET block = end_block WHERE parent IS NULL").await?;
        use postgres::Row;
        anyhow::Ok(other.one("SELECT count(*) FROM t WHERE done").await?.try_get::<i64, _>(0)?)
    });
    let outcome = outcome?;
    assert_eq!(only(&outcome).outcome, Verdict::Incomplete, "{outcome:?}");
    assert!(outcome.warnings[0].message.contains("some of it is with somebody else"), "{outcome:?}");
    assert_eq!(bench.number("SELECT count(*) FROM t WHERE done").await?, seen?);
    assert_eq!(
        bench.text("SELECT string_agg(DISTINCT lease_owner, '') FROM pgdeploy.backfill_ranges WHERE parent IS NOT NULL").await?,
        "somebody else"
    );
    Ok(())
}

#[tokio::test]
async fn a_row_of_the_ledger_that_somebody_has_frozen_is_waited_for_within_reason() -> Result<()> {
    let mut bench = Bench::walking(Walk::Keyset, "once_frozen", 6_000).await?;
    bench.run_in_part(COUNTING).await?;
    // As if another process were frozen in the middle of it.
    let mut frozen = bench.other().await?;
    frozen.run("BEGIN; SELECT FROM pgdeploy.backfill_ranges FOR UPDATE").await?;
    bench.settings.lock_timeout = Duration::from_millis(100);
    let outcome = bench.run(COUNTING).await?;
    assert!(outcome.warnings[0].message.contains("others hold what it needs"), "{outcome:?}");
    // Nobody has to wait to stop it, either.
    bench.settings.lock_timeout = Duration::from_secs(60);
    let run = bench.beside(&[("0001_a.sql", COUNTING)]).await?;
    let mut other = bench.other().await?;
    let waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'pgdeploy/backfill' AND wait_event_type = 'Lock' \
                 AND datname = current_database()";
    until_true(&mut other, waits).await?;
    bench.stop.cancel();
    assert!(tokio::time::timeout(Duration::from_secs(20), run).await??.interrupted);
    frozen.run("ROLLBACK").await?;
    bench.stop = Default::default();
    bench.settings.pause = Duration::ZERO;
    assert_eq!(only(&bench.run(COUNTING).await?).outcome, Verdict::Complete);
    assert_eq!(bench.touched(1).await?, 6_000);
    Ok(())
}

async fn a_budget_ends_it_and_the_next_runs_finish_it(walk: Walk) -> Result<()> {
    let mut bench = Bench::walking(walk, "once_budget", 5_000).await?;
    let outcome = bench.run_in_part(COUNTING).await?;
    assert!(outcome.warnings[0].message.contains("the budget is over"), "{outcome:?}");
    assert!(outcome.warnings[0].next.as_deref().is_some_and(|next| next.contains("--env {env}")));
    assert!(!outcome.interrupted);
    let plan = bench.plan(&[("0001_a.sql", COUNTING)]).await?;
    assert_eq!(plan.items()[0].state, backfill::State::Incomplete);
    assert!(plan.items()[0].rows_done > 0);
    bench.settings.budget = Duration::from_millis(400);
    let mut runs = 1;
    while only(&bench.run(COUNTING).await?).outcome != Verdict::Complete {
        runs += 1;
        assert!(runs < 50);
    }
    assert_eq!(bench.touched(1).await?, 5_000);
    assert_eq!(bench.number("SELECT sum(rows_scanned) FROM pgdeploy.backfill_ranges").await?, 5_000);
    Ok(())
}

async fn the_application_and_the_backfill_share_rows_in_any_order(walk: Walk) -> Result<()> {
    let mut bench = Bench::walking(walk, "once_shared", 5_000).await?;
    bench.sql("ALTER TABLE t ADD seen int NOT NULL DEFAULT 0").await?;
    bench.settings.pause = Duration::from_millis(1);
    bench.settings.max_batch = 200;
    let mut clients = Vec::new();
    for client in 0..8_u64 {
        let mut session = bench.other().await?;
        clients.push(tokio::spawn(async move {
            let mut errors = 0;
            for n in 0..200_u64 {
                // Rows that no other client has: whatever goes wrong is between it and the backfill.
                let (one, other) = (n * 7919 % 625 * 8 + client + 1, n * 104_729 % 625 * 8 + client + 1);
                let sent = session.run(&format!("BEGIN; UPDATE t SET seen = seen + 1 WHERE id = {one}; UPDATE t SET seen = seen + 1 WHERE id = {other}; COMMIT")).await;
                if sent.is_err() {
                    errors += 1;
                    let _ = session.run("ROLLBACK").await;
                }
            }
            errors
        }));
    }
    let outcome = bench.run(COUNTING).await?;
    for client in clients {
        assert_eq!(client.await?, 0, "errors of the application");
    }
    assert_eq!(only(&outcome).outcome, Verdict::Complete, "{outcome:?}");
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(bench.number(deadlocks).await?, 0);
    assert_eq!(bench.number("SELECT sum(seen) FROM t").await?, 8 * 200 * 2);
    assert_eq!(bench.touched(1).await?, 5_000);
    Ok(())
}
