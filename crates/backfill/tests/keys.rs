//! Keys of all kinds, and tables of all sizes.

use std::time::Duration;

use anyhow::Result;
use backfill::{Verdict, Walk};

use crate::bench::{Bench, COUNTING, only};

#[tokio::test]
async fn every_kind_of_key_is_walked_in_its_own_order() -> Result<()> {
    let keys = [
        ("int_uuid", "a int, b uuid", "a, b", "g % 7, gen_random_uuid()"),
        ("uuid", "a uuid", "a", "gen_random_uuid()"),
        ("text", "a text", "a", "md5(g::text) || E' \\'\"\\\\ é,{}'"),
        ("text_c", "a text COLLATE \"C\"", "a", "chr(65 + g % 58) || g"),
        ("text_icu", "a text COLLATE \"en-x-icu\"", "a", "chr(65 + g % 58) || g"),
        ("varchar_char", "a varchar(20), b char(8)", "a, b", "g % 11, g"),
        ("numeric", "a numeric", "a", "(g * 1000000000000.5)::numeric"),
        (
            "time",
            "a timestamptz, b bigint",
            "a, b",
            "'2024-01-01'::timestamptz + (g % 50) * interval '1 microsecond', g",
        ),
        ("bytea", "a bytea", "a", "decode(md5(g::text), 'hex')"),
        ("gaps", "\"Odd \"\"name\" bigint", "\"Odd \"\"name\"", "g * 1000000000000"),
        ("negative", "a int", "a", "g - 500"),
    ];
    let mut bench = Bench::new("keys_kinds").await?;
    bench.settings.min_batch = 10;
    bench.settings.batch_size = 10;
    bench.settings.max_batch = 70;
    let (mut files, mut names) = (Vec::new(), Vec::new());
    for (at, (name, columns, key, values)) in keys.iter().enumerate() {
        bench
            .sql(&format!(
                "CREATE TABLE t_{name} ({columns}, touched int NOT NULL DEFAULT 0, done bool NOT NULL DEFAULT false, PRIMARY KEY ({key})); \
                 INSERT INTO t_{name} SELECT {values} FROM generate_series(1, 1000) g"
            ))
            .await?;
        files.push((
            format!("{at:04}_{name}.sql"),
            format!("UPDATE t_{name} SET touched = touched + 1, done = true WHERE NOT done"),
        ));
        names.push(format!("t_{name}"));
    }
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let outcome = bench.run_files(&files).await?;
    for item in &outcome.items {
        assert_eq!((item.outcome, item.rows), (Verdict::Complete, 1_000), "{item:?}");
    }
    for name in names {
        assert_eq!(
            bench.number(&format!("SELECT count(*) FROM {name} WHERE touched = 1")).await?,
            1_000,
            "{name}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn tables_of_no_one_and_just_a_batch_of_rows_are_complete() -> Result<()> {
    for rows in [0, 1, 200, 201] {
        let mut bench = Bench::counting(&format!("keys_size_{rows}"), rows).await?;
        let outcome = bench.run(COUNTING).await?;
        assert_eq!(
            (only(&outcome).outcome, only(&outcome).rows),
            (Verdict::Complete, u64::from(rows)),
            "{outcome:?}"
        );
        assert_eq!(bench.touched(1).await?, i64::from(rows));
    }
    Ok(())
}

#[tokio::test]
async fn rows_that_come_behind_the_bound_are_done_too() -> Result<()> {
    let mut bench = Bench::counting("keys_behind", 5_000).await?;
    bench.slow();
    let mut other = bench.other().await?;
    let (outcome, inserted) = tokio::join!(bench.run(COUNTING), async {
        trial::until_true(&mut other, "SELECT count(*) > 500 FROM t WHERE done").await?;
        other.run("INSERT INTO t (id) SELECT g FROM generate_series(-9, 0) g UNION ALL SELECT g FROM generate_series(5001, 5010) g").await?;
        anyhow::Ok(())
    });
    inserted?;
    let outcome = outcome?;
    assert_eq!(only(&outcome).outcome, Verdict::Complete, "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 5_020);
    Ok(())
}

#[tokio::test]
async fn batches_of_a_single_row_come_to_an_end() -> Result<()> {
    let once = "-- pgdeploy:\n--   mode: once\nUPDATE t SET touched = touched + 1";
    for (name, statement) in [("keys_single", COUNTING), ("keys_single_once", once)] {
        let mut bench = Bench::counting(name, 0).await?;
        // In no order, so that a range of keys is done at once and not in stripes.
        bench
            .sql("INSERT INTO t (id) SELECT g FROM generate_series(1, 40) g ORDER BY md5(g::text); ANALYZE t")
            .await?;
        (bench.settings.batch_size, bench.settings.min_batch, bench.settings.max_batch) = (1, 1, 1);
        bench.settings.budget = Duration::from_secs(20);
        bench.notes_rows_of_statements().await?;
        let outcome = bench.run(statement).await?;
        assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 40), "{outcome:?}");
        assert_eq!((bench.touched(1).await?, bench.number("SELECT max(rows) FROM seen").await?), (40, 1));
    }
    Ok(())
}

#[tokio::test]
async fn keys_that_look_like_words_of_ours_are_keys() -> Result<()> {
    let mut bench = Bench::new("keys_words").await?;
    bench
        .sql(
            "CREATE TABLE t (id text PRIMARY KEY, touched int NOT NULL DEFAULT 0, done bool NOT NULL DEFAULT false); \
              INSERT INTO t (id) SELECT w || g FROM unnest('{pgdeploy_in_range,pgdeploy_of_range,pgdeploy_stripe,pgdeploy_mask}'::text[]) w, \
                generate_series(1, 300) g; ANALYZE t",
        )
        .await?;
    bench.settings.walk = Walk::Keyset;
    bench.settings.max_batch = 50;
    let outcome = bench.run(COUNTING).await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 1_200), "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 1_200);
    assert_eq!(bench.number("SELECT sum(rows_skipped) FROM pgdeploy.backfill_ranges").await?, 0);
    // In the statement itself they cannot be told apart.
    let plan =
        bench.plan(&[("0002_b.sql", "UPDATE t SET done = 'pgdeploy_mask' <> '' WHERE NOT done")]).await?;
    assert!(plan.items()[0].refused.is_some());
    Ok(())
}
