//! What people ask of a backfill while it is at work, from wherever they are (scenarios 34, 35, 37, 41).

use std::time::Duration;

use anyhow::Result;
use backfill::{Ask, Asked, Verdict, Walk};
use trial::{until, until_true};

use crate::bench::{Bench, COUNTING, asks_again, definitions, only};

const FILES: [(&str, &str); 1] = [("0001_a.sql", COUNTING)];
const DONE: &str = "SELECT count(*) FROM t WHERE done";

async fn ask(bench: &mut Bench, what: Ask, revision: Option<i32>) -> Result<Asked> {
    Ok(backfill::ask(&mut bench.admin, "pgdeploy", ("0001_a", "alice"), &what, revision).await?)
}

async fn state(bench: &mut Bench) -> Result<String> {
    Ok(bench.standing(&FILES).await?.remove(0).state)
}

#[tokio::test]
async fn pause_resume_speed_and_cancel_act_at_the_next_batch() -> Result<()> {
    let mut bench = Bench::walking(Walk::Keyset, "control_asks", 20_000).await?;
    bench.slow();
    assert_eq!(state(&mut bench).await?, "new");
    bench.ledger().await?;
    assert_eq!(ask(&mut bench, Ask::Pause, None).await?, Asked::Nothing(None));
    let mut other = bench.other().await?;
    let run = bench.beside(&FILES).await?;
    until_true(&mut other, "SELECT count(*) >= 500 FROM t WHERE done").await?;
    // Between two ranges nobody has a lease.
    until("it is running", async || Ok(state(&mut bench).await? == "running")).await?;
    assert_eq!(ask(&mut bench, Ask::Pause, None).await?, Asked::Accepted(1));
    // What is under way ends, and the range is given back.
    until_true(&mut other, "SELECT count(*) = 0 FROM pgdeploy.backfill_ranges WHERE state = 'leased'")
        .await?;
    let paused = bench.number(DONE).await?;
    assert_eq!(state(&mut bench).await?, "paused");
    for _ in 0..2 {
        // It looks whether it may go on, and does nothing else.
        asks_again(&mut bench, &mut other).await?;
        assert_eq!(bench.number(DONE).await?, paused, "it works while it is paused");
    }
    // Two operators: the second has not seen what the first asked.
    let faster =
        Ask::Speed { target: None, pause: Some(Duration::from_millis(1)), duty: None, workers: Some(3) };
    let asked = ask(&mut bench, faster.clone(), Some(0)).await?;
    assert_eq!(asked, Asked::Stale { revision: 1, last: "alice: pause".into() });
    assert_eq!(ask(&mut bench, faster, Some(1)).await?, Asked::Accepted(2));
    assert_eq!(ask(&mut bench, Ask::Resume, Some(2)).await?, Asked::Accepted(3));
    until_true(
        &mut other,
        "SELECT count(DISTINCT lease_owner) = 3 FROM pgdeploy.backfill_ranges WHERE state = 'leased'",
    )
    .await?;
    assert_eq!(ask(&mut bench, Ask::Cancel, None).await?, Asked::Accepted(4));
    let outcome = run.await?;
    assert_eq!(only(&outcome).outcome, Verdict::Incomplete, "{outcome:?}");
    assert!(outcome.warnings[0].message.contains("cancelled"), "{outcome:?}");
    let next = outcome.warnings[0].next.as_deref().unwrap_or_default();
    assert!(next.contains("pgdeploy backfill resume 0001_a"), "{next}");
    assert_eq!(state(&mut bench).await?, "cancelled");
    // A deploy does not begin it again by itself; `resume` makes it one to work on.
    assert_eq!(only(&bench.run(COUNTING).await?).outcome, Verdict::Incomplete);
    assert_eq!(ask(&mut bench, Ask::Resume, None).await?, Asked::Accepted(5));
    bench.settings.pause = Duration::ZERO;
    assert_eq!(only(&bench.run(COUNTING).await?).outcome, Verdict::Complete);
    assert_eq!(bench.touched(1).await?, 20_000);
    let journal = "SELECT string_agg(trim(format('%s %s %s', revision, action, detail)), ', ' ORDER BY id) FROM pgdeploy.backfill_journal";
    assert_eq!(
        bench.text(journal).await?,
        "1 pause, 2 speed pause 1ms, workers 3, 3 resume, 4 cancel, 5 resume"
    );
    assert_eq!(ask(&mut bench, Ask::Pause, None).await?, Asked::Nothing(Some("done".into())));
    Ok(())
}

#[tokio::test]
async fn several_processes_share_one_backfill_and_each_row_is_done_once() -> Result<()> {
    let mut bench = Bench::counting("control_processes", 60_000).await?;
    bench.settings.max_batch = 300;
    bench.settings.pause = Duration::from_millis(1);
    let runs = [bench.beside(&FILES).await?, bench.beside(&FILES).await?, bench.beside(&FILES).await?];
    for run in runs {
        let outcome = run.await?;
        assert!(matches!(only(&outcome).outcome, Verdict::Complete | Verdict::Unchanged), "{outcome:?}");
    }
    assert_eq!(bench.touched(1).await?, 60_000);
    let owners = "SELECT count(DISTINCT lease_owner) FROM pgdeploy.backfill_ranges WHERE parent IS NOT NULL";
    assert_eq!(bench.number(owners).await?, 3);
    assert_eq!(bench.number("SELECT count(*) FROM pgdeploy.backfills").await?, 1);
    Ok(())
}

#[tokio::test]
async fn two_backfills_of_two_processes_share_one_table() -> Result<()> {
    let mut bench = Bench::counting("control_two", 20_000).await?;
    bench.sql("ALTER TABLE t ADD other int NOT NULL DEFAULT 0, ADD second bigint").await?;
    bench.settings.lock_timeout = Duration::from_secs(20);
    let second = [("0002_b.sql", "UPDATE t SET other = other + 1, second = id WHERE second IS NULL")];
    for run in [bench.beside(&FILES).await?, bench.beside(&second).await?] {
        let outcome = run.await?;
        assert_eq!((only(&outcome).outcome, only(&outcome).rows), (Verdict::Complete, 20_000), "{outcome:?}");
    }
    let once = "SELECT count(*) FROM t WHERE touched = 1 AND done AND other = 1 AND second = id";
    assert_eq!(bench.number(once).await?, 20_000);
    Ok(())
}

#[tokio::test]
async fn it_is_never_said_to_run_without_somebody_who_does() -> Result<()> {
    let mut bench = Bench::counting("control_standing", 20_000).await?;
    bench.slow();
    let mut other = bench.other().await?;
    let run = bench.beside(&FILES).await?;
    until_true(&mut other, "SELECT count(*) >= 300 FROM t WHERE done").await?;
    let standing = bench.standing(&FILES).await?.remove(0);
    assert_eq!((standing.state.as_str(), standing.workers.len()), ("running", 1), "{standing:?}");
    assert!(standing.workers[0].starts_with("backfill run on beside, pid "), "{standing:?}");
    assert!((1..100).contains(&standing.percent), "{standing:?}");
    // It vanishes without a word; its lease would last for a minute.
    run.abort();
    until_true(&mut other, "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'pgdeploy/backfill' AND datname = current_database()").await?;
    let standing = bench.standing(&FILES).await?.remove(0);
    assert_eq!((standing.state.as_str(), standing.workers.len()), ("stopped", 0), "{standing:?}");
    bench.settings.pause = Duration::ZERO;
    assert_eq!(only(&bench.run(COUNTING).await?).outcome, Verdict::Complete);
    let standing = bench.standing(&FILES).await?.remove(0);
    assert_eq!((standing.state.as_str(), standing.percent), ("done", 100));
    assert_eq!(bench.touched(1).await?, 20_000);
    Ok(())
}

#[tokio::test]
async fn a_preflight_tells_what_a_run_would_be_like_and_changes_nothing() -> Result<()> {
    let mut bench = Bench::counting("control_preflight", 5_000).await?;
    bench
        .sql("CREATE INDEX t_done ON t (done); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$; \
              CREATE TRIGGER fires BEFORE UPDATE OF done ON t FOR EACH ROW EXECUTE FUNCTION f(); \
              CREATE TRIGGER silent BEFORE UPDATE OF id ON t FOR EACH ROW EXECUTE FUNCTION f()")
        .await?;
    bench.sql("VACUUM ANALYZE t").await?;
    let definitions = definitions(&FILES)?;
    let mut session = bench.target.connect_read_only("preflight").await?;
    let settings = bench.settings.clone();
    let looked = backfill::preflight(&mut session, &definitions, "0001_a", "pgdeploy", &settings).await?;
    let preflight = looked.map_err(anyhow::Error::msg)?;
    assert_eq!((preflight.estimated_rows, preflight.hot_percent), (5_000, Some(0)), "{preflight:?}");
    assert_eq!(preflight.indexes, ["t_done"]);
    assert_eq!(preflight.triggers, ["fires calls f"]);
    assert!(preflight.explain.iter().any(|line| line.contains("Tid Range Scan")), "{preflight:?}");
    assert!(
        preflight.sql.contains("SKIP LOCKED") && preflight.sql.contains("'(8,0)'::tid"),
        "{}",
        preflight.sql
    );
    assert_eq!(bench.touched(0).await?, 5_000);
    assert_eq!(bench.number("SELECT count(*) FROM pg_class WHERE relname LIKE 'backfill%'").await?, 0);
    Ok(())
}

#[tokio::test]
async fn what_is_required_comes_first_and_is_proven() -> Result<()> {
    let mut bench = Bench::counting("control_chain", 2_000).await?;
    bench.sql("ALTER TABLE t ADD second int").await?;
    let second =
        "-- pgdeploy:\n--   requires: 0002_first\nUPDATE t SET second = touched WHERE second IS NULL";
    let files = [("0001_second.sql", second), ("0002_first.sql", COUNTING)];
    let outcome = bench.run_files(&files).await?;
    let ids: Vec<_> = outcome.items.iter().map(|item| (item.id.as_str(), item.outcome)).collect();
    assert_eq!(ids, [("0002_first", Verdict::Complete), ("0001_second", Verdict::Complete)], "{outcome:?}");
    assert_eq!(bench.number("SELECT count(*) FROM t WHERE second = 1").await?, 2_000);
    // What was complete once and is not now is not enough.
    bench.sql("UPDATE t SET done = false, second = NULL WHERE id = 5; DELETE FROM pgdeploy.backfill_ranges; \
               DELETE FROM pgdeploy.backfill_units; DELETE FROM pgdeploy.backfills WHERE name = '0001_second'").await?;
    let outcome = bench.run_files(&files).await?;
    assert!(
        outcome.warnings[0].message.contains("requires 0002_first: it was complete, but rows match"),
        "{outcome:?}"
    );
    Ok(())
}
