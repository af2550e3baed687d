//! Deploys that end before their builds do.

use std::time::Duration;

use anyhow::Result;
use index::{Action, Event, OnInterrupt, Settled, State};
use tokio::time::Instant;

use crate::database::{BUILDING, Database, SLOW, only};

const SLOW_INDEX: &str = "CREATE INDEX slow_a ON t (slow(a))";

#[tokio::test]
async fn a_build_whose_deploy_is_gone_is_adopted_by_the_next() -> Result<()> {
    let database = Database::new("interrupt_gone", SLOW).await?;
    tokio::select! {
        outcome = database.run(SLOW_INDEX) => anyhow::bail!("too early: {outcome:?}"),
        building = database.until(BUILDING) => building?,
    }
    let plan = database.plan(SLOW_INDEX).await?;
    assert_eq!((plan.items()[0].state, plan.items()[0].action), (State::Busy, Action::Adopt));
    let outcome = database.run(SLOW_INDEX).await?;
    assert_eq!(only(&outcome)?.outcome, Settled::Adopted, "{outcome:#?}");
    let events = database.events();
    assert!(events.iter().any(|event| matches!(event, Event::Adopting { .. })), "{events:#?}");
    assert_eq!(database.logged("CREATE INDEX CONCURRENTLY")?, 1);
    let rows = "SELECT string_agg(action || ' ' || outcome, ', ' ORDER BY id) FROM pgdeploy.index_builds";
    assert_eq!(database.one(rows).await?, "build interrupted, adopt adopted");
    assert_eq!(only(&database.run(SLOW_INDEX).await?)?.outcome, Settled::Unchanged);
    Ok(())
}

#[tokio::test]
async fn a_stop_leaves_the_server_to_finish_within_five_seconds() -> Result<()> {
    let mut database = Database::new("interrupt_stop", SLOW).await?;
    let text = format!("{SLOW_INDEX}; CREATE INDEX t_a ON t (a) WHERE a > 0; DROP INDEX gone");
    let (outcome, stopped) = tokio::join!(database.run(&text), async {
        database.until(BUILDING).await?;
        database.stop.cancel();
        anyhow::Ok(Instant::now())
    });
    let (outcome, stopped) = (outcome?, stopped?.elapsed());
    assert!(stopped < Duration::from_secs(5), "{stopped:?}");
    let outcomes: Vec<_> = outcome.items.iter().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Settled::Detached, Settled::Skipped, Settled::Unchanged], "{outcome:#?}");
    assert!(outcome.interrupted);
    assert_eq!(outcome.warnings.len(), 2);
    assert!(outcome.warnings[0].message.contains("the server goes on building it (pid "), "{outcome:#?}");
    database.stop = tokio_util::sync::CancellationToken::new();
    let outcome = database.run(&text).await?;
    let outcomes: Vec<_> = outcome.items.iter().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Settled::Adopted, Settled::Built, Settled::Unchanged], "{outcome:#?}");
    assert_eq!(database.logged("CREATE INDEX CONCURRENTLY")?, 2);
    Ok(())
}

#[tokio::test]
async fn a_stop_while_writers_are_waited_for_leaves_nothing_behind() -> Result<()> {
    let database = Database::new("interrupt_writers", SLOW).await?;
    let mut writer = database.session().await?;
    writer.run("BEGIN; INSERT INTO t VALUES (0, 0)").await?;
    let waiting = |event: &Event| matches!(event, Event::Waiting { phase, .. } if phase.contains("writers before build"));
    let (outcome, stopped) = tokio::join!(database.run(SLOW_INDEX), async {
        database.until_event(waiting).await?;
        database.stop.cancel();
        anyhow::Ok(Instant::now())
    });
    let (outcome, stopped) = (outcome?, stopped?.elapsed());
    assert!(stopped < Duration::from_secs(5), "{stopped:?}");
    assert_eq!(only(&outcome)?.outcome, Settled::Cancelled, "{outcome:#?}");
    let message = &outcome.warnings[0].message;
    // DROP INDEX CONCURRENTLY waits for the same writer.
    assert!(message.contains("the invalid index is still there: the server drops it"), "{message}");
    writer.run("COMMIT").await?;
    database.until("NOT EXISTS (SELECT FROM pg_class WHERE relname = 'slow_a')").await?;
    assert_eq!(database.logged("CREATE INDEX CONCURRENTLY")?, 1);
    Ok(())
}

#[tokio::test]
async fn a_budget_that_ends_while_snapshots_are_waited_for_leaves_the_server_to_finish() -> Result<()> {
    let mut database =
        Database::new("interrupt_budget", "CREATE TABLE t (a int); CREATE TABLE other (a int)").await?;
    (database.settings.budget, database.settings.parallel) = (Duration::from_secs(3), 1);
    let mut reader = database.session().await?;
    reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM other").await?;
    let text = "CREATE INDEX t_a ON t (a); CREATE INDEX other_a ON other (a)";
    let outcome = database.run(text).await?;
    let outcomes: Vec<_> = outcome.items.iter().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Settled::Detached, Settled::Skipped], "{outcome:#?}");
    assert!(!outcome.interrupted);
    let message = &outcome.warnings[0].message;
    assert!(
        message.contains(&format!("pid {} (postgres, pgdeploy/somebody, idle in transaction", reader.pid())),
        "{message}"
    );
    reader.run("COMMIT").await?;
    database.until("indisvalid FROM pg_index WHERE indexrelid = 't_a'::regclass").await?;
    let outcomes: Vec<_> = database.run(text).await?.items.iter().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Settled::Adopted, Settled::Built]);
    assert_eq!(database.invalid().await?, "0");
    Ok(())
}

#[tokio::test]
async fn without_a_budget_nothing_is_begun_and_all_of_it_is_told() -> Result<()> {
    let mut database = Database::new("interrupt_nothing", SLOW).await?;
    database.settings.budget = Duration::ZERO;
    let outcome = database.run("CREATE INDEX t_a ON t (a); CREATE INDEX t_b ON t (b)").await?;
    assert!(outcome.items.iter().all(|item| item.outcome == Settled::Skipped), "{outcome:#?}");
    assert_eq!((outcome.warnings.len(), database.logged("CREATE INDEX CONCURRENTLY")?), (2, 0));
    Ok(())
}

#[tokio::test]
async fn a_stop_cancels_the_build_and_drops_it_where_the_pipeline_wants_that() -> Result<()> {
    let mut database = Database::new("interrupt_cancel", SLOW).await?;
    database.settings.on_interrupt = OnInterrupt::Cancel;
    let (outcome, stopped) = tokio::join!(database.run(SLOW_INDEX), async {
        database.until(BUILDING).await?;
        database.stop.cancel();
        anyhow::Ok(Instant::now())
    });
    let (outcome, stopped) = (outcome?, stopped?.elapsed());
    assert!(stopped < Duration::from_secs(5), "{stopped:?}");
    assert_eq!(only(&outcome)?.outcome, Settled::Cancelled, "{outcome:#?}");
    assert!(outcome.warnings[0].message.contains("cancelled: the deploy had to stop"), "{outcome:#?}");
    assert_eq!(database.one("SELECT count(*) FROM pg_class WHERE relname = 'slow_a'").await?, "0");
    Ok(())
}
