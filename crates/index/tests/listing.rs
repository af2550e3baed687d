//! `index list` and `index repair`.

use anyhow::{Context, Result};
use index::{Condition, Event, Listed, Settled};

use crate::database::{BUILDING, Database, SLOW};

fn named<'l>(listed: &'l [Listed], name: &str) -> Result<&'l Listed> {
    listed.iter().find(|index| index.name == name).with_context(|| format!("{name} in {listed:#?}"))
}

#[tokio::test]
async fn the_list_says_what_is_invalid_unused_bloated_and_there_twice() -> Result<()> {
    let setup = "CREATE TABLE t (a int PRIMARY KEY, b int, c text); INSERT INTO t SELECT g, g, 'x' FROM generate_series(1, 50000) g; \
        CREATE INDEX t_b ON t (b); CREATE INDEX t_b2 ON t (b); CREATE INDEX t_a ON t (a); CREATE INDEX t_lower ON t (lower(c)); \
        CREATE UNIQUE INDEX odd ON t (b, a); CREATE INDEX t_b_ccnew ON t (c); \
        UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('odd'::regclass, 't_b_ccnew'::regclass); \
        CREATE TABLE p (a int, b int) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9); \
        CREATE INDEX p_b ON p (b); CREATE SCHEMA s; CREATE TABLE s.t (a int); CREATE INDEX t_b ON s.t (a); \
        DELETE FROM t WHERE a % 10 <> 0; VACUUM ANALYZE t";
    let (setup, vacuum) = setup.split_once("; VACUUM").context("a last statement")?;
    let database = Database::new("list_all", setup).await?;
    database.sql(&format!("VACUUM{vacuum}")).await?;
    let mut reader = database.session().await?;
    reader
        .run("SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT count(*) FROM t WHERE b = 10")
        .await?;
    reader.close().await;
    let text = "CREATE INDEX t_b ON t (b);\nCREATE INDEX t_lower ON t (lower(c));";
    database.until("(SELECT sum(idx_scan) > 0 FROM pg_stat_user_indexes WHERE relname = 't')").await?;
    let listed = database.list(text).await?;
    assert!(listed.iter().all(|index| index.schema != "pgdeploy" && index.size_bytes >= 0));
    let key = named(&listed, "t_pkey")?;
    assert_eq!(
        (key.constraint.as_deref(), key.condition, &key.duplicate_of),
        (Some("t_pkey"), Condition::Valid, &None)
    );
    assert_eq!(named(&listed, "t_a")?.duplicate_of.as_deref(), Some("t_pkey"), "a unique one does its work");
    assert_eq!(named(&listed, "t_b2")?.duplicate_of.as_deref(), Some("t_b"));
    let places: Vec<_> = listed.iter().filter_map(|index| index.declared_at.as_deref()).collect();
    assert_eq!(
        places,
        ["indexes/a.sql:1:1", "indexes/a.sql:2:1", "indexes/a.sql:1:1"],
        "public.t is not named as such"
    );
    let (odd, left) = (named(&listed, "odd")?, named(&listed, "t_b_ccnew")?);
    assert_eq!((odd.condition, odd.rejects_rows, odd.leftover), (Condition::Invalid, true, false));
    assert_eq!((left.condition, left.rejects_rows, left.leftover), (Condition::Invalid, false, true));
    let used = named(&listed, "t_b")?.scans + named(&listed, "t_b2")?.scans;
    assert!(used > 0 && named(&listed, "t_lower")?.scans == 0, "{listed:#?}");
    let key_bloat = key.bloat_bytes.context("an estimate")?;
    assert!(key_bloat * 10 > key.size_bytes * 8, "nine of ten rows are gone: {key:#?}");
    assert_eq!(named(&listed, "p1_b_idx")?.part_of.as_deref(), Some("p_b"));
    let sixteen = database.session().await?.version_number() >= 160_000;
    let last = listed.iter().any(|index| index.last_scan.as_deref().is_some_and(|last| last.ends_with('Z')));
    assert_eq!(last, sixteen);
    Ok(())
}

#[tokio::test]
async fn a_role_without_rights_lists_what_it_is_shown() -> Result<()> {
    let setup = "CREATE ROLE looker LOGIN; GRANT CREATE ON DATABASE list_plain TO looker; CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1)";
    let database = Database::of_role("list_plain", setup, "looker").await?;
    let listed = database.list("").await?;
    assert_eq!((listed.len(), named(&listed, "t_pkey")?.bloat_bytes), (1, None));
    Ok(())
}

#[tokio::test]
async fn repair_mends_what_is_declared_and_what_is_not_and_drops_only_leftovers_of_reindex() -> Result<()> {
    let setup = "CREATE TABLE t (a int CONSTRAINT t_key UNIQUE, b int); INSERT INTO t SELECT g, g FROM generate_series(1, 10) g; \
        CREATE INDEX t_a ON t (a); CREATE UNIQUE INDEX \"Odd \"\"one\"\"\" ON t (a, b); CREATE INDEX t_a_ccold ON t (a); CREATE INDEX fine ON t (b); \
        CREATE TABLE p (a int, b int) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9); CREATE INDEX p_b ON p (b); \
        UPDATE pg_index SET indisvalid = false WHERE indexrelid::regclass::text IN ('t_a', 't_key', '\"Odd \"\"one\"\"\"', 't_a_ccold', 'p1_b_idx')";
    let database = Database::new("repair_all", setup).await?;
    let text = "CREATE INDEX t_a ON t (a);";
    let outcome = database.repair(text, None).await?.context("an outcome")?;
    let items: Vec<_> = outcome.items.iter().map(|item| (item.name.as_str(), item.outcome)).collect();
    let expected = [
        ("t_a", Settled::Repaired),
        ("p1_b_idx", Settled::Repaired),
        ("Odd \"one\"", Settled::Repaired),
        ("t_a_ccold", Settled::Dropped),
        ("t_key", Settled::Repaired),
    ];
    assert_eq!(items, expected, "{outcome:#?}");
    assert!(outcome.warnings.is_empty() && !outcome.interrupted, "{outcome:#?}");
    assert_eq!(database.invalid().await?, "0");
    let alarm = |event: &Event| matches!(event, Event::Repairing { rejects_rows: true, index, .. } if index == "Odd \"one\"");
    assert!(database.events().iter().any(alarm));
    let rows = "SELECT string_agg(action || ' ' || index_name || ' ' || outcome, ', ' ORDER BY id) FROM pgdeploy.index_builds WHERE deployment = 1";
    assert_eq!(
        database.one(rows).await?,
        "drop t_a dropped, build t_a repaired, reindex p1_b_idx repaired, reindex Odd \"one\" repaired, drop t_a_ccold dropped, reindex t_key repaired"
    );
    // Again: nothing to do. By name: what is valid is left alone, what is declared and missing is built.
    assert!(database.repair(text, None).await?.context("an outcome")?.items.is_empty());
    let outcome = database.repair(text, Some("public.\"Odd \"\"one\"\"\"")).await?.context("an outcome")?;
    assert_eq!(outcome.items[0].outcome, Settled::Unchanged);
    let outcome =
        database.repair("CREATE INDEX later ON t (b, a)", Some("later")).await?.context("an outcome")?;
    assert_eq!((outcome.items.len(), outcome.items[0].outcome), (1, Settled::Built));
    for unknown in ["nothing", "nowhere.fine", "t; DROP TABLE t", ""] {
        assert!(database.repair(text, Some(unknown)).await?.is_none(), "{unknown}");
    }
    Ok(())
}

#[tokio::test]
async fn what_belongs_to_another_role_is_told_and_the_others_are_repaired() -> Result<()> {
    let setup = "CREATE ROLE mender LOGIN; GRANT CREATE, TEMPORARY ON DATABASE repair_owner TO mender; GRANT CREATE ON SCHEMA public TO mender; \
        CREATE TABLE theirs (a int); CREATE INDEX theirs_a ON theirs (a); CREATE TABLE t (a int); CREATE INDEX t_a ON t (a); ALTER TABLE t OWNER TO mender; \
        UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('theirs_a'::regclass, 't_a'::regclass)";
    let database = Database::of_role("repair_owner", setup, "mender").await?;
    let outcome = database.repair("", None).await?.context("an outcome")?;
    let items: Vec<_> = outcome.items.iter().map(|item| (item.name.as_str(), item.outcome)).collect();
    assert_eq!(items, [("t_a", Settled::Repaired), ("theirs_a", Settled::Failed)], "{outcome:#?}");
    assert_eq!(outcome.warnings.len(), 1);
    assert!(outcome.warnings[0].message.contains("42501"), "{outcome:#?}");
    assert_eq!(
        outcome.warnings[0].next.as_deref(),
        Some("pgdeploy index repair '\"public\".\"theirs_a\"' --env {env}")
    );
    Ok(())
}

#[tokio::test]
async fn a_repair_waits_for_the_build_of_somebody_else_instead_of_taking_it_for_a_leftover() -> Result<()> {
    let database = Database::new("repair_building", SLOW).await?;
    let mut other = database.session().await?;
    let (built, outcome) =
        tokio::join!(other.run("CREATE INDEX CONCURRENTLY slow_a ON t (slow(a))"), async {
            database.until(BUILDING).await?;
            let building =
                database.list("").await?.iter().any(|index| index.condition == Condition::Building);
            anyhow::ensure!(building, "not shown as such");
            database.repair("", None).await
        });
    built?;
    let outcome = outcome?.context("an outcome")?;
    assert_eq!((outcome.items.len(), outcome.items[0].outcome), (1, Settled::Adopted), "{outcome:#?}");
    assert_eq!((database.logged("REINDEX")?, database.logged("DROP INDEX")?), (0, 0));
    Ok(())
}
