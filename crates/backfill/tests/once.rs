//! Changes that leave no trace in the row: the ledger alone knows which rows are done (mode `once`; scenarios 18, 1, 2).

use std::time::Duration;

use anyhow::Result;
use backfill::{Proof, Verdict};
use trial::until_true;

use crate::bench::{Bench, definitions, kill, only};

const DOUBLE: &str = "-- pgdeploy:\n--   mode: once\nUPDATE t SET touched = touched * 2 + 1";

async fn scattered(name: &str, rows: u32) -> Result<Bench> {
    let mut bench = Bench::counting(name, rows).await?;
    bench.settings.max_batch = 400;
    bench.settings.batch_size = 400;
    Ok(bench)
}

#[tokio::test]
async fn each_row_is_done_once_while_sessions_are_killed_and_rows_are_locked() -> Result<()> {
    let mut bench = scattered("once_killed", 30_000).await?;
    bench.settings.workers = 3;
    bench.settings.pause = Duration::from_millis(1);
    bench.settings.lock_timeout = Duration::from_secs(30);
    let (mut killer, mut holder) = (bench.other().await?, bench.other().await?);
    holder.run("BEGIN; SELECT FROM t WHERE id % 300 = 7 FOR UPDATE").await?;
    let run = bench.beside(&[("0001_a.sql", DOUBLE)]).await?;
    for round in 1..=12 {
        until_true(&mut killer, &format!("SELECT count(*) >= {} FROM t WHERE touched > 0", round * 2_000))
            .await?;
        kill(&mut killer, "pg_terminate_backend", 2).await?;
    }
    until_true(&mut killer, "SELECT count(*) >= 29900 FROM t WHERE touched > 0").await?;
    holder.run("COMMIT").await?;
    let outcome = run.await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 30_000), "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 30_000);
    assert_eq!(bench.number("SELECT sum(rows_skipped) FROM pgdeploy.backfill_ranges").await?, 100);
    // Again: it is known to be done.
    assert_eq!(only(&bench.run(DOUBLE).await?).outcome, Verdict::Unchanged);
    assert_eq!(bench.touched(1).await?, 30_000);
    Ok(())
}

#[tokio::test]
async fn rows_that_come_after_the_beginning_are_left_and_a_low_one_that_commits_late_is_done() -> Result<()> {
    let mut bench = scattered("once_bound", 5_000).await?;
    bench.sql("DELETE FROM t WHERE id = 100").await?;
    let (mut late, mut watcher) = (bench.other().await?, bench.other().await?);
    late.run("BEGIN; INSERT INTO t (id) VALUES (100)").await?;
    let run = bench.beside(&[("0001_a.sql", DOUBLE)]).await?;
    until_true(
        &mut watcher,
        "SELECT bound IS NOT NULL AND cardinality(writers) = 1 FROM pgdeploy.backfill_units",
    )
    .await?;
    watcher.run("INSERT INTO t (id) SELECT g FROM generate_series(5001, 5020) g").await?;
    assert_eq!(bench.touched(0).await?, 5_019, "it has not waited for the one that was writing");
    late.run("COMMIT").await?;
    let outcome = run.await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 5_000), "{outcome:?}");
    assert_eq!((bench.touched(1).await?, bench.touched(0).await?), (5_000, 20));
    let definitions = definitions(&[("0001_a.sql", DOUBLE)])?;
    let proof = backfill::proof(&mut bench.admin, &definitions, "0001_a", "pgdeploy").await?;
    assert_eq!(proof, Proof::Complete);
    Ok(())
}

#[tokio::test]
async fn rows_that_cannot_be_done_are_set_aside_and_not_done_twice_later() -> Result<()> {
    let mut bench = scattered("once_poison", 5_000).await?;
    let poisoned =
        "-- pgdeploy:\n--   mode: once\nUPDATE t SET touched = touched * 2 + 1 + 0 / (id % 1000)::int";
    let outcome = bench.run(poisoned).await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Incomplete, 4_995), "{outcome:?}");
    let accepted = backfill::accept_quarantine(
        &mut bench.admin,
        "pgdeploy",
        ("0001_a", "alice"),
        (&["1000".into()], "known"),
    )
    .await?;
    assert_eq!(accepted, backfill::Settled::Rows(1));
    assert_eq!(only(&bench.run(poisoned).await?).outcome, Verdict::Incomplete);
    let rows = backfill::asides(&mut bench.admin, "pgdeploy", "0001_a").await?;
    assert_eq!((rows.len(), rows[0].accepted.as_deref()), (5, Some("alice: known")), "{rows:?}");
    let rest =
        backfill::accept_quarantine(&mut bench.admin, "pgdeploy", ("0001_a", "bob"), (&[], "known too"))
            .await?;
    assert_eq!(rest, backfill::Settled::Rows(4));
    assert_eq!(only(&bench.run(poisoned).await?).outcome, Verdict::Complete);
    assert_eq!((bench.touched(1).await?, bench.touched(0).await?), (4_995, 5));
    Ok(())
}

#[tokio::test]
async fn keys_for_which_it_cannot_be_exact_are_refused() -> Result<()> {
    let mut bench = Bench::new("once_keys").await?;
    bench.sql("CREATE TABLE t (id uuid PRIMARY KEY, touched int)").await?;
    let plan = bench.plan(&[("0001_a.sql", DOUBLE)]).await?;
    let refused = plan.items()[0].refused.as_ref().expect("it is refused");
    assert_eq!((refused.code, refused.place().map(|place| place.line)), ("E254", Some(2)), "{refused}");
    Ok(())
}

/// While one process visits rows by themselves, another finds nothing left to do but these.
async fn visited_by_two(bench: &mut Bench, statement: &str) -> Result<()> {
    let files = [("0001_a.sql", statement)];
    let mut other = bench.other().await?;
    let first = bench.beside(&files).await?;
    // The last half of them is being visited, in one transaction.
    until_true(&mut other, "SELECT count(*) = 20 FROM pgdeploy.backfill_skipped").await?;
    let second = bench.beside(&files).await?;
    for run in [first, second] {
        let outcome = run.await?;
        assert!(outcome.warnings[0].message.contains("1 row is in quarantine"), "{outcome:?}");
    }
    assert_eq!(bench.number("SELECT count(*) FROM pgdeploy.backfill_skipped").await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_row_that_two_processes_visit_by_itself_is_done_once() -> Result<()> {
    let mut bench = Bench::counting("once_visited", 40).await?;
    // Keys of which no stripes are made: all of them are one batch.
    bench
        .sql("UPDATE t SET id = id * 1000; CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                IF old.id = 1000 THEN RAISE EXCEPTION 'not this one'; END IF; PERFORM pg_sleep(0.05); RETURN new; END $$; \
              CREATE TRIGGER slow BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION slow()")
        .await?;
    visited_by_two(&mut bench, DOUBLE).await?;
    assert_eq!(bench.number("SELECT max(touched) FROM t").await?, 1);
    assert_eq!(bench.touched(1).await?, 39);
    Ok(())
}

#[tokio::test]
async fn a_row_that_two_processes_visit_by_itself_is_inserted_once() -> Result<()> {
    let mut bench = Bench::counting("once_inserted", 40).await?;
    bench
        .sql("CREATE TABLE copy (id bigint); \
              CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                IF new.id = 1 THEN RAISE EXCEPTION 'not this one'; END IF; PERFORM pg_sleep(0.05); RETURN new; END $$; \
              CREATE TRIGGER slow BEFORE INSERT ON copy FOR EACH ROW EXECUTE FUNCTION slow()")
        .await?;
    let copying = "INSERT INTO copy SELECT id FROM t WHERE NOT EXISTS (SELECT FROM copy c WHERE c.id = t.id)";
    visited_by_two(&mut bench, copying).await?;
    assert_eq!(bench.number("SELECT count(*) FROM copy").await?, 39);
    assert_eq!(bench.number("SELECT count(DISTINCT id) FROM copy").await?, 39);
    Ok(())
}

#[tokio::test]
async fn rows_that_come_into_a_partition_before_its_turn_are_left_and_so_are_partitions_that_come()
-> Result<()> {
    let mut bench = Bench::new("once_parts").await?;
    bench
        .sql(
            "CREATE TABLE t (id bigint PRIMARY KEY, touched int NOT NULL DEFAULT 0) PARTITION BY RANGE (id); \
              CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100000); \
              CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (100000) TO (200000); \
              CREATE TABLE t3 PARTITION OF t FOR VALUES FROM (200000) TO (300000); \
              INSERT INTO t (id) SELECT g FROM generate_series(1, 1000) g; \
              INSERT INTO t (id) SELECT 100000 + g FROM generate_series(1, 3000) g; ANALYZE t",
        )
        .await?;
    bench.slow();
    let mut other = bench.other().await?;
    let run = bench.beside(&[("0001_a.sql", DOUBLE)]).await?;
    until_true(&mut other, "SELECT count(*) >= 300 FROM t1 WHERE touched > 0").await?;
    other
        .run(
            "INSERT INTO t (id) SELECT 150000 + g FROM generate_series(1, 20) g; \
              INSERT INTO t (id) SELECT 200000 + g FROM generate_series(1, 20) g; \
              CREATE TABLE t4 PARTITION OF t FOR VALUES FROM (300000) TO (400000); \
              INSERT INTO t (id) SELECT 300000 + g FROM generate_series(1, 20) g",
        )
        .await?;
    assert_eq!(
        bench.number("SELECT count(*) FROM t2 WHERE touched > 0").await?,
        0,
        "it was t2's turn too early"
    );
    let outcome = run.await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 4_000), "{outcome:?}");
    assert_eq!((bench.touched(1).await?, bench.touched(0).await?), (4_000, 60));
    // Again: what has come since is known to be none of its.
    assert_eq!(only(&bench.run(DOUBLE).await?).outcome, Verdict::Unchanged);
    Ok(())
}
