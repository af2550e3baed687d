//! Rows, roles and schemas that do not do what the file expects.

use anyhow::Result;
use backfill::{State, Verdict};
use trial::until_true;

use crate::bench::{Bench, COUNTING, only};

#[tokio::test]
async fn a_value_that_stays_null_is_told_at_once_and_changes_nothing() -> Result<()> {
    let mut bench = Bench::counting("bad_null", 2_000).await?;
    bench.sql("ALTER TABLE t ADD direction text; CREATE TABLE calls (t_id bigint, direction text)").await?;
    let statement = "UPDATE t SET touched = touched + 1, direction = (SELECT c.direction FROM calls c WHERE c.t_id = t.id LIMIT 1) WHERE direction IS NULL";
    let outcome = bench.run(statement).await?;
    assert_eq!(only(&outcome).outcome, Verdict::Failed, "{outcome:?}");
    assert_eq!(outcome.warnings[0].code, "W204");
    assert!(outcome.warnings[0].message.contains("such as 1; 2; 3; nothing was changed"), "{outcome:?}");
    assert_eq!(bench.touched(0).await?, 2_000);
    // The corrected file is another generation and runs.
    let corrected = statement.replace("(SELECT", "coalesce((SELECT").replace("LIMIT 1)", "LIMIT 1), 'none')");
    let plan = bench.plan(&[("0001_a.sql", &corrected)]).await?;
    assert_eq!(plan.items()[0].state, State::Changed);
    assert_eq!(only(&bench.run(&corrected).await?).outcome, Verdict::Complete);
    assert_eq!(bench.touched(1).await?, 2_000);
    Ok(())
}

#[tokio::test]
async fn a_few_values_that_stay_null_are_named_and_never_looped_over() -> Result<()> {
    let mut bench = Bench::counting("bad_few_nulls", 2_000).await?;
    bench.sql("ALTER TABLE t ADD v text").await?;
    let statement = "UPDATE t SET touched = touched + 1, v = nullif(id % 500, 0)::text WHERE v IS NULL";
    let outcome = bench.run(statement).await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Failed, 2_000), "{outcome:?}");
    assert_eq!(outcome.warnings[0].code, "W204");
    assert!(outcome.warnings[0].message.contains("4 rows still match"), "{outcome:?}");
    assert!(outcome.warnings[0].message.contains("500; 1000; 1500"), "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 2_000);
    let outcome = bench.run(statement).await?;
    assert_eq!(outcome.warnings[0].code, "W204");
    assert_eq!(bench.touched(1).await?, 2_000);
    Ok(())
}

#[tokio::test]
async fn an_insert_that_never_settles_is_told_too() -> Result<()> {
    let mut bench = Bench::counting("bad_insert", 1_000).await?;
    bench.sql("CREATE TABLE x (id bigint PRIMARY KEY, t_id bigint); INSERT INTO x SELECT g * 100, 0 FROM generate_series(1, 5) g").await?;
    let statement = "INSERT INTO x (id, t_id) SELECT id, id FROM t WHERE NOT EXISTS (SELECT FROM x WHERE x.t_id = t.id) ON CONFLICT DO NOTHING";
    let outcome = bench.run(statement).await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Failed, 995), "{outcome:?}");
    assert_eq!(outcome.warnings[0].code, "W204");
    assert!(outcome.warnings[0].message.contains("100; 200; 300"), "{outcome:?}");
    Ok(())
}

#[tokio::test]
async fn a_definition_changed_in_mid_run_is_refused_with_the_choices() -> Result<()> {
    let mut bench = Bench::counting("bad_changed", 5_000).await?;
    bench.run_in_part(COUNTING).await?;
    let changed = "UPDATE t SET touched = touched + 2, done = true WHERE NOT done";
    let plan = bench.plan(&[("0001_a.sql", changed)]).await?;
    let refused = plan.items()[0].refused.as_ref().expect("it is refused");
    assert_eq!(refused.code, "E256");
    assert!(
        refused
            .help
            .as_deref()
            .is_some_and(|help| help.contains("put the text back") && help.contains("new number"))
    );
    let done = bench.touched(1).await?;
    let outcome = bench.run(changed).await?;
    assert_eq!(only(&outcome).outcome, Verdict::Refused, "{outcome:?}");
    assert_eq!((bench.touched(1).await?, bench.touched(2).await?), (done, 0));
    // Comments are not a change; neither are other settings.
    bench.settings.budget *= 2;
    assert_eq!(only(&bench.run(&format!("-- why\n{COUNTING}")).await?).outcome, Verdict::Complete);
    // A completed one that is changed runs anew.
    let anew = "UPDATE t SET touched = touched + 10 WHERE touched < 10";
    assert_eq!(only(&bench.run(anew).await?).outcome, Verdict::Complete);
    assert_eq!(bench.number("SELECT max(generation) FROM pgdeploy.backfills").await?, 2);
    assert_eq!(bench.touched(11).await?, 5_000);
    Ok(())
}

#[tokio::test]
async fn a_column_dropped_in_mid_run_is_told_with_its_place() -> Result<()> {
    let mut bench = Bench::counting("bad_dropped", 5_000).await?;
    bench.slow();
    let mut other = bench.other().await?;
    let (outcome, dropped) = tokio::join!(bench.run(COUNTING), async {
        until_true(&mut other, "SELECT count(*) >= 500 FROM t WHERE done").await?;
        other.run("ALTER TABLE t DROP COLUMN touched").await?;
        anyhow::Ok(())
    });
    dropped?;
    let outcome = outcome?;
    assert_eq!(only(&outcome).outcome, Verdict::Failed, "{outcome:?}");
    let message = &outcome.warnings[0].message;
    assert!(message.contains("backfills/0001_a.sql:1:24: column \"touched\""), "{message}");
    Ok(())
}

#[tokio::test]
async fn what_a_pending_migration_may_create_is_waited_for() -> Result<()> {
    let mut bench = Bench::new("bad_waiting").await?;
    let plan = bench.plan(&[("0001_a.sql", COUNTING)]).await?;
    let item = &plan.items()[0];
    assert_eq!((item.state, item.estimated_rows), (State::WaitingForSchema, None));
    assert!(item.refused.is_none() && item.waiting_for.is_some());
    let outcome = bench.run(COUNTING).await?;
    assert_eq!((only(&outcome).outcome, outcome.warnings[0].code), (Verdict::Refused, "W201"), "{outcome:?}");
    Ok(())
}

#[tokio::test]
async fn roles_with_odd_settings_make_no_difference() -> Result<()> {
    let mut bench = Bench::counting("bad_settings", 2_000).await?;
    bench
        .sql("ALTER DATABASE bad_settings SET default_transaction_isolation = 'serializable'; \
              ALTER DATABASE bad_settings SET statement_timeout = '100ms'; \
              ALTER DATABASE bad_settings SET default_transaction_read_only = on; \
              ALTER DATABASE bad_settings SET lock_timeout = '1ms'; ALTER DATABASE bad_settings SET synchronous_commit = off")
        .await?;
    // A thousand times as slow as usual: longer than the role's timeout.
    bench.settings.batch_size = 1_000;
    bench.settings.min_batch = 1_000;
    let statement = "UPDATE t SET touched = touched + 1, done = pg_sleep(0.0002) IS NOT NULL WHERE NOT done";
    let outcome = bench.run(statement).await?;
    assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 2_000), "{outcome:?}");
    assert_eq!(bench.touched(1).await?, 2_000);
    Ok(())
}

#[tokio::test]
async fn a_role_without_the_right_or_behind_a_policy_is_told() -> Result<()> {
    let mut bench = Bench::counting("bad_rights", 1_000).await?;
    bench
        .sql("CREATE ROLE clerk LOGIN; GRANT CREATE ON DATABASE bad_rights TO clerk; GRANT SELECT ON t TO clerk")
        .await?;
    bench.connects_as("clerk")?;
    let outcome = bench.run(COUNTING).await?;
    assert_eq!(only(&outcome).outcome, Verdict::Refused, "{outcome:?}");
    assert!(outcome.warnings[0].message.contains("permission denied for table t (42501)"), "{outcome:?}");
    bench
        .sql("GRANT UPDATE ON t TO clerk; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id <= 500)")
        .await?;
    let outcome = bench.run(COUNTING).await?;
    assert_eq!(only(&outcome).outcome, Verdict::Failed, "{outcome:?}");
    assert!(outcome.warnings[0].message.contains("row-level security"), "{outcome:?}");
    assert!(outcome.warnings[0].message.contains("BYPASSRLS"), "{outcome:?}");
    // Nor is it complete where the ledger alone would know.
    bench.sql("DROP POLICY p ON t; CREATE POLICY p ON t USING (false)").await?;
    let once = [("0002_b.sql", "-- pgdeploy:\n--   mode: once\nUPDATE t SET touched = touched + 1")];
    let outcome = bench.run_files(&once).await?;
    assert_eq!(only(&outcome).outcome, Verdict::Failed, "{outcome:?}");
    assert!(outcome.warnings[0].message.contains("BYPASSRLS"), "{outcome:?}");
    assert_eq!(bench.touched(0).await?, 1_000);
    // The proof says that it cannot tell, and why.
    bench.sql("ALTER ROLE clerk BYPASSRLS").await?;
    assert_eq!(only(&bench.run(COUNTING).await?).outcome, Verdict::Complete);
    bench.sql("ALTER ROLE clerk NOBYPASSRLS").await?;
    let definitions = crate::bench::definitions(&[("0001_a.sql", COUNTING)])?;
    let mut session = bench.target.connect_read_only("proof").await?;
    let proof = backfill::proof(&mut session, &definitions, "0001_a", "pgdeploy").await?;
    assert!(format!("{proof:?}").contains("row-level security"), "{proof:?}");
    Ok(())
}

#[tokio::test]
async fn a_search_path_that_leads_to_another_table_in_mid_run_is_refused() -> Result<()> {
    let mut bench = Bench::counting("bad_path", 5_000).await?;
    bench.run_in_part(COUNTING).await?;
    bench.sql("CREATE SCHEMA other; CREATE TABLE other.t (LIKE public.t INCLUDING ALL); ALTER DATABASE bad_path SET search_path = other").await?;
    let plan = bench.plan(&[("0001_a.sql", COUNTING)]).await?;
    assert_eq!(plan.items()[0].refused.as_ref().map(|problem| problem.code), Some("E257"));
    assert_eq!(only(&bench.run(COUNTING).await?).outcome, Verdict::Refused);
    bench.sql("ALTER DATABASE bad_path SET search_path = nowhere").await?;
    let plan = bench.plan(&[("0001_a.sql", COUNTING)]).await?;
    assert_eq!(plan.items()[0].state, State::WaitingForSchema);
    Ok(())
}

#[tokio::test]
async fn one_failure_does_not_hold_up_the_next_backfill() -> Result<()> {
    let mut bench = Bench::counting("bad_next", 1_000).await?;
    let files =
        [("0001_a.sql", "UPDATE t SET touched = 1 / touched WHERE touched = 0"), ("0002_b.sql", COUNTING)];
    let outcome = bench.run_files(&files).await?;
    let verdicts: Vec<_> = outcome.items.iter().map(|item| item.outcome).collect();
    assert_eq!(verdicts, [Verdict::Failed, Verdict::Complete], "{outcome:?}");
    Ok(())
}
