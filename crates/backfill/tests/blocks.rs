//! What is particular to the walk over heap blocks: several workers, ranges that change hands, tables stored anew.

use std::time::Duration;

use anyhow::Result;
use backfill::Verdict;
use postgres::Row;
use trial::until_true;

use crate::bench::{Bench, COUNTING, kill, only};

const OWNERS: &str =
    "SELECT count(DISTINCT lease_owner) FROM pgdeploy.backfill_ranges WHERE parent IS NOT NULL";

#[tokio::test]
async fn several_workers_share_a_table_also_while_they_are_killed() -> Result<()> {
    let mut bench = Bench::counting("blocks_workers", 150_000).await?;
    bench.settings.workers = 3;
    bench.settings.max_batch = 400;
    bench.settings.pause = Duration::from_millis(1);
    let mut killer = bench.other().await?;
    let kills = async {
        let mut kills = 0;
        for round in 1..=12 {
            // Those of the round before may not be back yet.
            let sessions = "SELECT FROM pg_stat_activity WHERE application_name = 'pgdeploy/backfill' AND datname = current_database()";
            let far =
                format!("SELECT count(*) >= {} AND EXISTS ({sessions}) FROM t WHERE done", round * 10_000);
            until_true(&mut killer, &far).await?;
            // One of them, any of them, or all.
            let limit = 1 + round % 3;
            kills += kill(&mut killer, "pg_terminate_backend", limit).await?;
        }
        anyhow::Ok(kills)
    };
    let (outcome, kills) = tokio::join!(bench.run(COUNTING), kills);
    let outcome = outcome?;
    assert!(kills? >= 12);
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 150_000), "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 150_000);
    assert_eq!(bench.number("SELECT sum(rows_done) FROM pgdeploy.backfill_ranges").await?, 150_000);
    assert!(bench.number(OWNERS).await? > 1);
    Ok(())
}

#[tokio::test]
async fn a_range_whose_worker_has_died_is_taken_over_when_its_lease_is_over() -> Result<()> {
    let mut bench = Bench::counting("blocks_died", 8_000).await?;
    bench.slow();
    let mut other = bench.other().await?;
    let (outcome, expiry) = tokio::join!(bench.run(COUNTING), async {
        until_true(&mut other, "SELECT count(*) >= 1000 FROM t WHERE done").await?;
        // As if another machine had it and were never heard of again.
        other
            .run("UPDATE pgdeploy.backfill_ranges SET lease_token = lease_token + 1, lease_owner = 'elsewhere', \
                  lease_expires_at = clock_timestamp() + interval '1.5 seconds' WHERE parent IS NOT NULL AND state = 'leased'")
            .await?;
        let row = other.one("SELECT count(*) FROM t WHERE done").await?;
        let done: i64 = row.try_get(0)?;
        until_true(&mut other, "SELECT clock_timestamp() > min(lease_expires_at) FROM pgdeploy.backfill_ranges WHERE lease_owner = 'elsewhere'").await?;
        let row = other.one("SELECT count(*) FROM t WHERE done").await?;
        anyhow::Ok((done, row.try_get::<i64, _>(0)?))
    });
    let (before, after) = expiry?;
    assert_eq!(before, after, "whoever lost the lease wrote on");
    let outcome = outcome?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 8_000), "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 8_000);
    assert!(bench.number("SELECT sum(take_overs) FROM pgdeploy.backfill_ranges").await? > 0);
    Ok(())
}

#[tokio::test]
async fn a_table_that_is_stored_anew_in_mid_run_is_walked_from_its_first_block() -> Result<()> {
    let mut bench = Bench::counting("blocks_rewritten", 20_000).await?;
    bench.slow();
    bench.settings.lock_timeout = Duration::from_secs(20);
    let mut other = bench.other().await?;
    let (outcome, rewritten) = tokio::join!(bench.run(COUNTING), async {
        for rows in [3_000, 9_000] {
            until_true(&mut other, &format!("SELECT count(*) >= {rows} FROM t WHERE done")).await?;
            other.run("VACUUM FULL t").await?;
        }
        anyhow::Ok(())
    });
    rewritten?;
    let outcome = outcome?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 20_000), "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 20_000);
    let files = "SELECT count(DISTINCT relfilenode) FROM pgdeploy.backfill_ranges WHERE parent IS NOT NULL";
    assert_eq!(bench.number(files).await?, 3);
    // All of them were met by walking: nothing was left for the sweep.
    assert_eq!(bench.number("SELECT sum(rows_skipped) FROM pgdeploy.backfill_ranges").await?, 0);
    Ok(())
}

#[tokio::test]
async fn nearly_all_updates_stay_on_their_page_whatever_the_key() -> Result<()> {
    for (name, key, value) in
        [("int", "bigint", "g"), ("even", "bigint", "g * 8"), ("uuid", "uuid", "gen_random_uuid()")]
    {
        let mut bench = Bench::alone(&format!("blocks_hot_{name}")).await?;
        bench
            .sql(&format!(
                "CREATE TABLE t (id {key} PRIMARY KEY, touched int NOT NULL DEFAULT 0, done bool NOT NULL DEFAULT false, \
                   filler text NOT NULL DEFAULT repeat('x', 150)) WITH (autovacuum_enabled = off); \
                 INSERT INTO t (id) SELECT {value} FROM generate_series(1, 50000) g"
            ))
            .await?;
        bench.sql("VACUUM ANALYZE t").await?;
        let before = bench.number("SELECT pg_relation_size('t')").await?;
        assert_eq!(only(&bench.run(COUNTING).await?).outcome, Verdict::Complete);
        let after = bench.number("SELECT pg_relation_size('t')").await?;
        assert!(after as f64 / (before as f64) < 1.2, "{name}: {before} -> {after}");
        assert_eq!(bench.touched(1).await?, 50_000);
    }
    Ok(())
}

#[tokio::test]
async fn no_batch_takes_more_rows_than_it_may_where_matches_come_all_at_once() -> Result<()> {
    let mut bench = Bench::counting("blocks_sparse", 200_000).await?;
    bench.sql("UPDATE t SET done = true WHERE id <= 150000").await?;
    bench.sql("VACUUM FULL ANALYZE t").await?;
    bench.notes_rows_of_statements().await?;
    bench.settings.max_batch = 2_000;
    let outcome = bench.run(COUNTING).await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 50_000), "{outcome:?}");
    assert!(bench.number("SELECT max(rows) FROM seen").await? <= 2_000);
    Ok(())
}
