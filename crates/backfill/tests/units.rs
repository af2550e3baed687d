//! Partitions and tenants, each with a progress of its own (scenarios 20, 31).

use std::time::Duration;

use anyhow::Result;
use backfill::Verdict;
use trial::until_true;

use crate::bench::{Bench, COUNTING, only};

const FILES: [(&str, &str); 1] = [("0001_a.sql", COUNTING)];

#[tokio::test]
async fn partitions_are_done_one_by_one_and_one_that_is_detached_in_mid_run_is_left() -> Result<()> {
    let mut bench = Bench::new("units_parts").await?;
    bench
        .sql("CREATE TABLE t (id bigint, day int, touched int NOT NULL DEFAULT 0, done bool NOT NULL DEFAULT false, PRIMARY KEY (id, day)) PARTITION BY LIST (day); \
              CREATE TABLE \"t One\" PARTITION OF t FOR VALUES IN (1); CREATE TABLE t_rest PARTITION OF t FOR VALUES IN (2, 3) PARTITION BY LIST (day); \
              CREATE TABLE t_two PARTITION OF t_rest FOR VALUES IN (2); CREATE TABLE t_three PARTITION OF t_rest FOR VALUES IN (3)")
        .await?;
    bench.sql("INSERT INTO t (id, day) SELECT g, CASE WHEN g <= 500 THEN 1 WHEN g <= 4000 THEN 2 ELSE 3 END FROM generate_series(1, 12000) g; ANALYZE").await?;
    bench.slow();
    let mut other = bench.other().await?;
    let run = bench.beside(&FILES).await?;
    until_true(&mut other, "SELECT count(*) >= 300 FROM t_three WHERE done").await?;
    other.run("ALTER TABLE t_rest DETACH PARTITION t_three").await?;
    let left = bench.number("SELECT count(*) FROM t_three WHERE NOT done").await?;
    let outcome = run.await?;
    assert_eq!(only(&outcome).outcome, Verdict::Complete, "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 4_000);
    assert_eq!(bench.number("SELECT count(*) FROM t_three WHERE touched > 1").await?, 0);
    assert!(left > 0);
    let standing = bench.standing(&FILES).await?.remove(0);
    let mut units: Vec<_> =
        standing.units.iter().map(|unit| (unit.name.as_str(), unit.rows)).take(2).collect();
    units.sort();
    assert_eq!(units, [("public.t One", 500), ("public.t_two", 3_500)], "{standing:?}");
    Ok(())
}

#[tokio::test]
async fn a_partition_that_is_attached_in_mid_run_is_done_too() -> Result<()> {
    let mut bench = Bench::new("units_attached").await?;
    bench
        .sql("CREATE TABLE t (id bigint, day int, touched int NOT NULL DEFAULT 0, done bool NOT NULL DEFAULT false, PRIMARY KEY (id, day)) PARTITION BY LIST (day); \
              CREATE TABLE t_one PARTITION OF t FOR VALUES IN (1); INSERT INTO t (id, day) SELECT g, 1 FROM generate_series(1, 4000) g; \
              CREATE TABLE t_two (LIKE t INCLUDING ALL); INSERT INTO t_two (id, day) SELECT g, 2 FROM generate_series(1, 700) g; ANALYZE")
        .await?;
    bench.slow();
    let mut other = bench.other().await?;
    let run = bench.beside(&FILES).await?;
    until_true(&mut other, "SELECT count(*) >= 300 FROM t WHERE done").await?;
    other.run("ALTER TABLE t ATTACH PARTITION t_two FOR VALUES IN (2)").await?;
    let outcome = run.await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 4_700), "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 4_700);
    Ok(())
}

#[tokio::test]
async fn tenants_are_done_small_ones_first_and_one_that_fails_does_not_hold_up_the_others() -> Result<()> {
    let mut bench = Bench::counting("units_tenants", 30_000).await?;
    // 200 tenants; one has nine tenths, and some rows have none.
    bench
        .sql("ALTER TABLE t ADD tenant_id int; UPDATE t SET tenant_id = CASE WHEN id % 10 <> 0 THEN 1 ELSE 2 + id / 10 % 199 END; \
              UPDATE t SET tenant_id = NULL WHERE id % 5000 = 0; CREATE INDEX ON t (tenant_id)")
        .await?;
    bench.sql("VACUUM FULL ANALYZE t").await?;
    let statement = "-- pgdeploy:\n--   tenant: tenant_id\n--   quarantine: { max_rows: 2 }\n\
                     UPDATE t SET touched = touched + 1 + 0 / (CASE WHEN tenant_id IN (7, 70, 170) THEN 0 ELSE 1 END), done = true WHERE NOT done";
    let files = [("0001_a.sql", statement)];
    bench.settings.pause = Duration::from_micros(1);
    let mut other = bench.other().await?;
    let run = bench.beside(&files).await?;
    until_true(&mut other, "SELECT count(DISTINCT tenant_id) > 50 FROM t WHERE done").await?;
    other
        .run("INSERT INTO t (id, tenant_id) SELECT 40000 + g, 1000 + g % 5 FROM generate_series(1, 50) g")
        .await?;
    let outcome = run.await?;
    assert_eq!(only(&outcome).outcome, Verdict::Failed, "{outcome:?}");
    let message = &outcome.warnings[0].message;
    assert!(message.contains("(and 2 more)") && message.contains("22012"), "{message}");
    let bad = "tenant_id IN (7, 70, 170)";
    assert_eq!(
        bench.number(&format!("SELECT count(*) FROM t WHERE touched <> 1 AND ({bad}) IS NOT TRUE")).await?,
        0
    );
    assert_eq!(bench.number(&format!("SELECT count(*) FROM t WHERE touched <> 0 AND {bad}")).await?, 0);
    let standing = bench.standing(&files).await?.remove(0);
    let mut failed: Vec<_> =
        standing.units.iter().filter(|unit| unit.state == "failed").map(|unit| unit.name.as_str()).collect();
    failed.sort_unstable();
    assert_eq!(failed, ["170", "7", "70"], "{standing:?}");
    let late: u64 =
        standing.units.iter().filter(|unit| unit.name.starts_with("100")).map(|unit| unit.rows).sum();
    assert!(late >= 50, "{late}");
    assert_eq!(standing.units.len(), 206);
    // The one with nine tenths comes last of the tenants.
    let last = "SELECT name FROM pgdeploy.backfill_units WHERE kind = 'tenant' AND estimated_rows > 0 AND position < 2147483647 ORDER BY position DESC LIMIT 1";
    assert_eq!(bench.text(last).await?, "1");
    Ok(())
}

#[tokio::test]
async fn a_tenant_without_letters_and_rows_without_a_tenant_are_done_too() -> Result<()> {
    let mut bench = Bench::counting("units_empty", 3_000).await?;
    bench
        .sql("ALTER TABLE t ADD tenant text; UPDATE t SET tenant = CASE id % 3 WHEN 0 THEN '' WHEN 1 THEN 'a' END; CREATE INDEX ON t (tenant)")
        .await?;
    bench.sql("VACUUM ANALYZE t").await?;
    let outcome = bench.run(&format!("-- pgdeploy:\n--   tenant: tenant\n{COUNTING}")).await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 3_000), "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 3_000);
    Ok(())
}

#[tokio::test]
async fn partitions_whose_names_hold_dots_are_kept_apart() -> Result<()> {
    let mut bench = Bench::new("units_dots").await?;
    bench
        .sql("CREATE SCHEMA a; CREATE SCHEMA \"a.b\"; \
              CREATE TABLE t (id bigint, day int, touched int NOT NULL DEFAULT 0, done bool NOT NULL DEFAULT false, PRIMARY KEY (id, day)) PARTITION BY LIST (day); \
              CREATE TABLE a.\"b.c\" PARTITION OF t FOR VALUES IN (1); CREATE TABLE \"a.b\".c PARTITION OF t FOR VALUES IN (2); \
              INSERT INTO t (id, day) SELECT g, 1 + g % 2 FROM generate_series(1, 1000) g; ANALYZE t")
        .await?;
    let outcome = bench.run(COUNTING).await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 1_000), "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 1_000);
    Ok(())
}
