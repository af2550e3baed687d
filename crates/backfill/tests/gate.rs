//! What a step that needs a backfill's completeness stands on: proven at that moment, never believed (scenario 32).

use std::time::{Duration, Instant};

use anyhow::Result;
use backfill::{Proof, Reason, State, Verdict};
use trial::until_true;

use crate::bench::{Bench, COUNTING, definitions, only};

const ID: &str = "0001_a";

async fn proof(bench: &mut Bench, statement: &str, id: &str) -> Result<Proof> {
    let definitions = definitions(&[("0001_a.sql", statement)])?;
    let mut session = bench.target.connect_read_only("gate").await?;
    let proof = backfill::proof(&mut session, &definitions, id, "pgdeploy").await?;
    session.close().await;
    Ok(proof)
}

fn reason(proof: Proof) -> (Reason, Option<u8>) {
    match proof {
        Proof::NotComplete { reason, percent } => (reason, percent),
        Proof::Complete => panic!("it is not complete"),
    }
}

#[tokio::test]
async fn a_backfill_is_called_complete_only_where_that_is_proven_now() -> Result<()> {
    let mut bench = Bench::counting("gate_proof", 5_000).await?;
    assert_eq!(reason(proof(&mut bench, COUNTING, "0002_b").await?), (Reason::Unknown, None));
    assert_eq!(reason(proof(&mut bench, COUNTING, ID).await?), (Reason::NotStarted, None));
    bench.run_in_part(COUNTING).await?;
    let (why, percent) = reason(proof(&mut bench, COUNTING, ID).await?);
    assert!(matches!(why, Reason::Incomplete { estimated_rows: 5_000, .. }), "{why:?}");
    assert!(why.to_string().contains("the budget is over"), "{why}");
    assert!(percent.is_some_and(|percent| percent < 100), "{percent:?}");
    assert_eq!(only(&bench.run(COUNTING).await?).outcome, Verdict::Complete);
    assert_eq!(proof(&mut bench, COUNTING, ID).await?, Proof::Complete);
    // Comments are no change, a value is.
    assert_eq!(proof(&mut bench, &format!("-- why\n{COUNTING}"), ID).await?, Proof::Complete);
    let changed = COUNTING.replace("+ 1", "+ 2");
    assert_eq!(reason(proof(&mut bench, &changed, ID).await?).0, Reason::Changed);
    // An old client writes a row of the old kind.
    bench.sql("UPDATE t SET done = false WHERE id = 7").await?;
    assert_eq!(reason(proof(&mut bench, COUNTING, ID).await?).0, Reason::MatchesAgain);
    bench.sql("UPDATE t SET done = true WHERE id = 7").await?;
    assert_eq!(proof(&mut bench, COUNTING, ID).await?, Proof::Complete);
    bench.sql("ALTER TABLE t RENAME TO u").await?;
    assert!(matches!(reason(proof(&mut bench, COUNTING, ID).await?).0, Reason::CannotLook { .. }));
    Ok(())
}

#[tokio::test]
async fn rows_in_quarantine_keep_it_incomplete() -> Result<()> {
    let mut bench = Bench::counting("gate_quarantine", 5_000).await?;
    let poisoned = "UPDATE t SET touched = touched + 1, done = 1 / (id - 77) IS NOT NULL WHERE NOT done";
    assert_eq!(only(&bench.run(poisoned).await?).outcome, Verdict::Incomplete);
    let (why, percent) = reason(proof(&mut bench, poisoned, ID).await?);
    assert_eq!(
        why.to_string(),
        "1 row is in quarantine: the row with the key (77): division by zero (22012)"
    );
    assert_eq!(percent, Some(99));
    bench
        .sql("UPDATE pgdeploy.backfills SET state = 'cancelled'; DELETE FROM pgdeploy.backfill_quarantine")
        .await?;
    assert_eq!(reason(proof(&mut bench, poisoned, ID).await?).0, Reason::Cancelled);
    Ok(())
}

/// As crate schema writes it, when a migration was taken back.
const UNDONE: &str = "CREATE TABLE IF NOT EXISTS pgdeploy.migrations_undone (version bigint NOT NULL, name text NOT NULL, checksum text NOT NULL, \
    kind text NOT NULL, applied_by bigint NOT NULL, applied_at timestamptz, how text NOT NULL, reason text NOT NULL, deployment bigint NOT NULL, \
    undone_at timestamptz NOT NULL DEFAULT clock_timestamp()); \
    INSERT INTO pgdeploy.migrations_undone (version, name, checksum, kind, applied_by, how, reason, deployment) \
    VALUES (42, 'leads', '', 'applied', 1, 'rolled back', 'test', 2)";

#[tokio::test]
async fn what_a_rollback_has_emptied_is_done_anew_and_what_it_has_not_stays_complete() -> Result<()> {
    let mut bench = Bench::counting("gate_undone", 3_000).await?;
    bench.sql("ALTER TABLE t ADD v bigint").await?;
    let files = [("0001_a.sql", COUNTING), ("0002_b.sql", "UPDATE t SET v = id WHERE v IS NULL")];
    for item in bench.run_files(&files).await?.items {
        assert_eq!((item.outcome, item.rows), (Verdict::Complete, 3_000), "{item:?}");
    }
    bench.sql(UNDONE).await?;
    bench.sql("ALTER TABLE t DROP v").await?;
    // While the column is not there, there is nothing to do and nothing to complain about.
    let outcome = bench.run_files(&files).await?;
    assert!(outcome.items.iter().all(|item| item.outcome == Verdict::Unchanged), "{outcome:?}");
    bench.sql("ALTER TABLE t ADD v bigint").await?;
    let plan = bench.plan(&files).await?;
    let states: Vec<_> = plan.items().iter().map(|item| (item.state, item.estimated_rows)).collect();
    assert_eq!(states, [(State::Complete, Some(0)), (State::Changed, Some(3_000))]);
    assert!(plan.items()[1].note.as_deref().is_some_and(|note| note.contains("taken back")), "{plan:?}");
    let outcome = bench.run_files(&files).await?;
    let verdicts: Vec<_> = outcome.items.iter().map(|item| (item.outcome, item.rows)).collect();
    assert_eq!(verdicts, [(Verdict::Unchanged, 3_000), (Verdict::Complete, 3_000)], "{outcome:?}");
    assert_eq!(bench.number("SELECT count(*) FROM t WHERE v = id AND touched = 1").await?, 3_000);
    assert_eq!(
        bench
            .text("SELECT string_agg(name || ' ' || generation, ', ' ORDER BY id) FROM pgdeploy.backfills")
            .await?,
        "0001_a 1, 0002_b 1, 0002_b 2"
    );
    // It has been looked at since: nobody asks the table again.
    bench.sql("UPDATE t SET done = false WHERE id = 7").await?;
    assert_eq!(bench.plan(&files).await?.items()[0].state, State::Complete);
    Ok(())
}

#[tokio::test]
async fn what_left_no_trace_is_not_called_complete_without_a_word_after_a_rollback() -> Result<()> {
    let mut bench = Bench::counting("gate_undone_once", 1_000).await?;
    let once = "-- pgdeploy:\n--   mode: once\nUPDATE t SET touched = touched + 1";
    assert_eq!(only(&bench.run(once).await?).outcome, Verdict::Complete);
    assert!(bench.run(once).await?.warnings.is_empty());
    bench.sql(UNDONE).await?;
    let outcome = bench.run(once).await?;
    assert_eq!(
        (only(&outcome).outcome, outcome.warnings[0].code),
        (Verdict::Unchanged, "W205"),
        "{outcome:?}"
    );
    let next = outcome.warnings[0].next.as_deref().unwrap_or_default();
    assert!(next.contains("pgdeploy new backfill"), "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 1_000);
    Ok(())
}

#[tokio::test]
async fn a_proof_that_takes_longer_than_the_budget_ends_with_it_and_hears_a_stop() -> Result<()> {
    let mut bench = Bench::counting("gate_long", 400).await?;
    bench
        .sql("CREATE TABLE slow (rows bool); INSERT INTO slow VALUES (false); CREATE FUNCTION is_done(bool) RETURNS bool STABLE LANGUAGE plpgsql AS $$ \
                BEGIN IF (SELECT rows FROM slow) THEN PERFORM pg_sleep(0.05); END IF; RETURN $1; END $$")
        .await?;
    let statement = "UPDATE t SET touched = touched + 1, done = true WHERE NOT is_done(done)";
    assert_eq!(only(&bench.run(statement).await?).outcome, Verdict::Complete);
    // As if it had stopped before the proof, which takes 20 s now.
    bench
        .sql("UPDATE pgdeploy.backfills SET state = 'running'; UPDATE pgdeploy.backfill_units SET state = 'running'; UPDATE slow SET rows = true")
        .await?;
    bench.settings.budget = Duration::from_secs(1);
    let started = Instant::now();
    let outcome = bench.run(statement).await?;
    assert_eq!(only(&outcome).outcome, Verdict::Incomplete, "{outcome:?}");
    assert!(
        outcome.warnings[0].message.contains("the budget is over, in the middle of the look"),
        "{outcome:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    let mut other = bench.other().await?;
    let proves = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT EXISTS%' AND state = 'active' AND datname = current_database()";
    assert_eq!(bench.number(proves).await?, 0, "it goes on without us");
    bench.settings.budget = Duration::from_secs(60);
    let run = bench.beside(&[("0001_a.sql", statement)]).await?;
    until_true(&mut other, &format!("SELECT ({proves}) > 0")).await?;
    bench.stop.cancel();
    assert!(tokio::time::timeout(Duration::from_secs(8), run).await??.interrupted);
    assert_eq!(bench.number(proves).await?, 0, "it goes on without us");
    assert_eq!(bench.touched(1).await?, 400);
    Ok(())
}
