//! What only the catalog can tell to be wrong.

use anyhow::Result;
use backfill::State;

use crate::bench::{Bench, COUNTING, sources};

#[tokio::test]
async fn what_can_never_run_is_refused_with_place_and_reason() -> Result<()> {
    let mut bench = Bench::counting("input_refused", 10).await?;
    bench
        .sql("CREATE TABLE keyless (a int); CREATE VIEW v AS SELECT * FROM t; CREATE MATERIALIZED VIEW m AS SELECT * FROM t; \
              CREATE TABLE parted (id int, part int, PRIMARY KEY (id, part)) PARTITION BY RANGE (part); CREATE SEQUENCE s; \
              CREATE FUNCTION logs(i bigint) RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO keyless VALUES (i); RETURN 1; END $$; \
              CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE kid () INHERITS (parent)")
        .await?;
    let cases = [
        ("UPDATE keyless SET a = 1 WHERE a IS NULL", "E251", "no primary key"),
        ("UPDATE v SET done = true WHERE NOT done", "E250", "a view"),
        ("DELETE FROM m WHERE done", "E250", "a materialized view"),
        ("UPDATE parted SET part = 2 WHERE part = 1", "E252", "assigns to part"),
        ("UPDATE t SET touched = setval('s', 1) WHERE NOT done", "E254", "setval() has effects"),
        ("UPDATE t SET touched = logs(id) WHERE NOT done", "E254", "logs() is volatile and writes (insert)"),
        ("DELETE FROM parent WHERE id > 0", "E253", "child tables"),
        ("UPDATE t SET id = id + 1 WHERE id < 5", "E252", "the primary key"),
        ("UPDATE t SET done = 5 WHERE NOT done", "E255", "is of type boolean"),
    ];
    for (statement, code, reason) in cases {
        let plan = bench.plan(&[("0001_a.sql", statement)]).await?;
        let item = &plan.items()[0];
        let refused = item.refused.as_ref().unwrap_or_else(|| panic!("{statement}: {item:?}"));
        assert_eq!(refused.code, code, "{refused}");
        assert!(refused.to_string().contains(reason), "{refused}");
        assert!(refused.place().is_some());
        assert_eq!(item.state, State::Refused);
        assert_eq!(plan.pending().count(), 0);
    }
    Ok(())
}

#[tokio::test]
async fn an_unknown_column_has_its_place_in_the_file() -> Result<()> {
    let mut bench = Bench::counting("input_column", 10).await?;
    let text = "-- é\nUPDATE t\n   SET done = true\n WHERE nothing IS NULL";
    let plan = bench.plan(&[("0001_a.sql", text)]).await?;
    let waiting = plan.items()[0].waiting_for.as_ref().expect("a migration may add it");
    assert_eq!(
        waiting.to_string(),
        "E255 backfills/0001_a.sql:4:8: column \"nothing\" does not exist (42703)"
    );
    let tenant = format!("-- pgdeploy:\n--   tenant: nothing\n{COUNTING}");
    let plan = bench.plan(&[("0001_a.sql", &tenant)]).await?;
    assert_eq!(plan.items()[0].state, State::WaitingForSchema);
    Ok(())
}

#[tokio::test]
async fn a_plan_changes_nothing() -> Result<()> {
    let mut bench = Bench::counting("input_plan", 100).await?;
    bench.sql("ALTER TABLE t ADD tenant_id int; UPDATE t SET tenant_id = id % 3; ANALYZE t").await?;
    let before = bench.text("SELECT pg_current_wal_insert_lsn()").await?;
    let text = format!("-- pgdeploy:\n--   tenant: tenant_id\n{COUNTING}");
    let plan = bench.plan(&[("0001_a.sql", &text)]).await?;
    assert_eq!((plan.items()[0].tenants, plan.items()[0].estimated_rows), (Some(3), Some(100)));
    assert_eq!(bench.number("SELECT count(*) FROM pg_class WHERE relname LIKE 'backfill%'").await?, 0);
    assert_eq!(bench.touched(0).await?, 100);
    assert!(!before.is_empty());
    Ok(())
}

#[test]
fn texts_are_refused_all_at_once() {
    let files = [
        ("a.sql", COUNTING),
        ("1_a.sql", "DO $$ BEGIN END $$"),
        ("2_b.sql", ""),
        ("3_c.sql", "UPDATE t SET a = 1"),
    ];
    let problems = backfill::load(&sources(&files).expect("text")).expect_err("refused");
    let codes: Vec<_> = problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["E214", "E245", "E243", "E246"]);
}
