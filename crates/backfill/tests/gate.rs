//! What a step that needs a backfill's completeness stands on: proven at that moment, never believed (scenario 32).

use std::time::Duration;

use anyhow::Result;
use backfill::{Proof, Reason, Verdict};

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
    bench.slow();
    bench.settings.budget = Duration::from_millis(200);
    assert_eq!(only(&bench.run(COUNTING).await?).outcome, Verdict::Incomplete);
    let (why, percent) = reason(proof(&mut bench, COUNTING, ID).await?);
    assert!(matches!(why, Reason::Incomplete { estimated_rows: 5_000, .. }), "{why:?}");
    assert!(why.to_string().contains("the budget is over"), "{why}");
    assert!(percent.is_some_and(|percent| percent < 100), "{percent:?}");
    bench.settings.budget = Duration::from_secs(60);
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
