//! Rows that cannot be done.

use anyhow::Result;
use backfill::{Proof, QuarantineLimit, Reason, Verdict, Walk};

use crate::bench::{Bench, definitions, only, over_both_walks};

over_both_walks! {
    rows_that_cannot_be_done_are_set_aside_and_their_neighbours_done,
    more_of_them_than_may_be_end_it,
    what_a_constraint_or_a_trigger_refuses_is_set_aside_with_its_reason,
}

const POISONED: &str =
    "UPDATE t SET touched = touched + 1 + 0 / (id % 2000)::int, done = true WHERE NOT done";

async fn rows_that_cannot_be_done_are_set_aside_and_their_neighbours_done(walk: Walk) -> Result<()> {
    let mut bench = Bench::walking(walk, "poison_aside", 20_000).await?;
    let outcome = bench.run(POISONED).await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Incomplete, 19_990), "{outcome:?}");
    let message = &outcome.warnings[0].message;
    assert_eq!(outcome.warnings[0].code, "W201");
    assert!(message.contains("10 rows are in quarantine, such as the row with the key ("), "{message}");
    assert!(message.contains("division by zero (22012)"), "{message}");
    assert_eq!(bench.touched(1).await?, 19_990);
    let aside = "SELECT string_agg(key[1], ' ' ORDER BY key[1]::int) FROM pgdeploy.backfill_quarantine WHERE sqlstate = '22012'";
    assert_eq!(bench.text(aside).await?, "2000 4000 6000 8000 10000 12000 14000 16000 18000 20000");
    // The next run tries them again; what is gone is gone.
    bench.sql("DELETE FROM t WHERE id % 4000 = 0").await?;
    let outcome = bench.run(POISONED).await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Incomplete, 19_990), "{outcome:?}");
    assert_eq!(bench.text(aside).await?, "2000 6000 10000 14000 18000");
    bench.sql("UPDATE t SET id = id + 100001 WHERE id % 2000 = 0").await?;
    let outcome = bench.run(POISONED).await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 19_995), "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 19_995);
    Ok(())
}

async fn more_of_them_than_may_be_end_it(walk: Walk) -> Result<()> {
    let mut bench = Bench::walking(walk, "poison_many", 20_000).await?;
    bench.settings.quarantine = QuarantineLimit { max_rows: 4, max_ratio: 0.5 };
    let outcome = bench.run(POISONED).await?;
    assert_eq!(only(&outcome).outcome, Verdict::Failed, "{outcome:?}");
    let message = &outcome.warnings[0].message;
    assert!(
        message.contains("5 rows cannot be done, 4 may be; the last one: division by zero (22012)"),
        "{message}"
    );
    assert_eq!(bench.text("SELECT state || ' ' || sqlstate FROM pgdeploy.backfills").await?, "failed 22012");
    assert_eq!(bench.number("SELECT count(*) FROM t WHERE touched > 1").await?, 0);
    // What needs it complete is refused.
    let definitions = definitions(&[("0001_a.sql", POISONED)])?;
    let proof = backfill::proof(&mut bench.admin, &definitions, "0001_a", "pgdeploy").await?;
    assert!(
        matches!(proof, Proof::NotComplete { reason: Reason::Quarantine { rows: 5, .. }, .. }),
        "{proof:?}"
    );
    Ok(())
}

async fn what_a_constraint_or_a_trigger_refuses_is_set_aside_with_its_reason(walk: Walk) -> Result<()> {
    let mut bench = Bench::walking(walk, "poison_kinds", 20_000).await?;
    bench
        .sql(
            "ALTER TABLE t ADD CONSTRAINT not_twelve CHECK (id <> 1200 OR NOT done); \
              CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                IF new.id = 3400 THEN RAISE EXCEPTION 'not this one'; END IF; RETURN new; END $$; \
              CREATE TRIGGER refuse BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        .await?;
    let outcome = bench.run(crate::bench::COUNTING).await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Incomplete, 19_998), "{outcome:?}");
    let told = "SELECT string_agg(format('%s %s %s', key[1], sqlstate, constraint_name), ', ' ORDER BY key[1]::int) FROM pgdeploy.backfill_quarantine";
    assert_eq!(bench.text(told).await?, "1200 23514 not_twelve, 3400 P0001 ");
    assert_eq!(bench.touched(1).await?, 19_998);
    Ok(())
}
