//! Indexes that are not there.

use anyhow::Result;
use index::{Action, Event, Settled, State};

use crate::database::{BUILDING, Database, SLOW, declarations, only};

const FOUR: &str = "CREATE INDEX t_a ON t (a); CREATE UNIQUE INDEX CONCURRENTLY \"T a, b\" ON public.t (b, a) INCLUDE (a) WHERE b > 0;\n\
     CREATE INDEX other_a ON other USING hash (a); -- why\nCREATE INDEX t_sum ON t ((a + b))";

#[tokio::test]
async fn four_indexes_on_two_tables_are_built_and_a_second_run_does_nothing() -> Result<()> {
    let database = Database::new("build_four", SLOW).await?;
    let plan = database.plan(FOUR).await?;
    assert!(plan.items().iter().all(|item| (item.state, item.action) == (State::Missing, Action::Build)));
    let outcome = database.run(FOUR).await?;
    assert!(outcome.items.iter().all(|item| item.outcome == Settled::Built), "{outcome:#?}");
    assert!(outcome.items.iter().all(|item| item.size_bytes > Some(0) || item.name == "other_a"));
    assert!(outcome.warnings.is_empty() && !outcome.interrupted);
    assert_eq!(database.logged("CREATE INDEX CONCURRENTLY")?, 3);
    assert_eq!(database.logged("CREATE UNIQUE INDEX CONCURRENTLY")?, 1);
    assert_eq!(database.invalid().await?, "0");
    let rows = "SELECT count(*) FROM pgdeploy.index_builds WHERE action = 'build' AND outcome = 'built' \
                AND pid IS NOT NULL AND backend_start IS NOT NULL AND finished_at >= started_at AND index_text LIKE 'CREATE %'";
    assert_eq!(database.one(rows).await?, "4");
    assert_eq!(database.one("SELECT count(*) FROM pg_stats WHERE tablename = 't_sum'").await?, "1");

    let statements = database.logged("")?;
    assert_eq!(database.plan(FOUR).await?.pending().count(), 0);
    let outcome = database.run(FOUR).await?;
    assert!(outcome.items.iter().all(|item| item.outcome == Settled::Unchanged), "{outcome:#?}");
    assert_eq!(database.logged("")?, statements, "DDL where nothing was to be done");
    Ok(())
}

#[tokio::test]
async fn progress_is_told_while_the_server_builds() -> Result<()> {
    let database = Database::new("build_progress", SLOW).await?;
    let outcome = database.run("CREATE INDEX slow_a ON t (slow(a))").await?;
    assert_eq!(only(&outcome)?.outcome, Settled::Built, "{outcome:#?}");
    let scanning = |event: &Event| {
        matches!(event, Event::Progress { index, table, phase, total, .. }
            if index == "slow_a" && table == "t" && phase.contains("scanning table") && *total > 0)
    };
    assert!(
        database.events().iter().filter(|event| scanning(event)).count() >= 3,
        "{:#?}",
        database.events()
    );
    let phases =
        "SELECT (phases ->> 'building index: scanning table')::int > 2000 FROM pgdeploy.index_builds";
    assert_eq!(database.one(phases).await?, "true");
    Ok(())
}

#[tokio::test]
async fn a_terminated_build_is_cleaned_and_made_again() -> Result<()> {
    let database = Database::new("build_terminated", SLOW).await?;
    let (outcome, ended) = tokio::join!(database.run("CREATE INDEX slow_a ON t (slow(a))"), async {
        database.until(BUILDING).await?;
        database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_progress_create_index WHERE datname = current_database()").await
    });
    ended?;
    let outcome = outcome?;
    assert_eq!((only(&outcome)?.outcome, only(&outcome)?.attempts), (Settled::Built, 2), "{outcome:#?}");
    assert_eq!(database.invalid().await?, "0");
    assert!(database.events().iter().any(|event| matches!(event, Event::Retrying { attempt: 1, .. })));
    let rows = "SELECT string_agg(action || ' ' || outcome, ', ' ORDER BY id) FROM pgdeploy.index_builds";
    assert_eq!(database.one(rows).await?, "build failed, drop dropped, build built");
    Ok(())
}

#[tokio::test]
async fn a_lock_timeout_of_the_role_does_not_reach_a_build() -> Result<()> {
    let setup = "CREATE ROLE impatient LOGIN SUPERUSER; ALTER ROLE impatient SET lock_timeout = '2s'; \
                 ALTER ROLE impatient SET statement_timeout = '3s'; CREATE TABLE t (a int); CREATE TABLE other (a int)";
    let database = Database::of_role("build_impatient", setup, "impatient").await?;
    let mut reader = database.session().await?;
    reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM other").await?;
    let long = |event: &Event| matches!(event, Event::Waiting { waited_ms, .. } if *waited_ms > 3_500);
    let (outcome, waited) = tokio::join!(database.run("CREATE INDEX t_a ON t (a)"), async {
        database.until_event(long).await?;
        reader.run("COMMIT").await?;
        anyhow::Ok(())
    });
    waited?;
    let outcome = outcome?;
    assert_eq!((only(&outcome)?.outcome, only(&outcome)?.attempts), (Settled::Built, 1), "{outcome:#?}");
    Ok(())
}

#[tokio::test]
async fn a_plan_needs_neither_a_ledger_nor_the_tables() -> Result<()> {
    let database = Database::new("build_plan", "CREATE TABLE t (a int)").await?;
    let mut session = database.target.connect_read_only("plan").await?;
    let declared =
        declarations("CREATE INDEX t_a ON t (a); CREATE INDEX s_a ON later.s (a); DROP INDEX gone")?;
    let plan = index::plan(&mut session, &declared, &database.settings, "elsewhere").await?;
    let states: Vec<_> = plan.items().iter().map(|item| (item.state, item.action)).collect();
    assert_eq!(
        states,
        [(State::Missing, Action::Build), (State::NoTable, Action::Build), (State::Gone, Action::None)]
    );
    let note = plan.items()[1].note.clone().unwrap_or_default();
    assert!(note.contains("later.s does not exist: waiting for the schema stage"), "{note}");
    Ok(())
}
