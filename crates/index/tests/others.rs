//! Others who hold what a build needs, or build the same.

use std::time::Duration;

use anyhow::Result;
use index::{Event, Outcome, Settled};
use postgres::Session;

use crate::database::{BUILDING, Database, SLOW, only};

#[tokio::test]
async fn an_old_snapshot_on_another_table_is_named_and_waited_for() -> Result<()> {
    let database =
        Database::new("others_snapshot", "CREATE TABLE t (a int); CREATE TABLE other (a int)").await?;
    let mut reader = database.session().await?;
    reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM other").await?;
    let pid = reader.pid();
    let named = |event: &Event| {
        matches!(event, Event::Waiting { phase, waits_for, .. } if phase == "waiting for old snapshots"
            && waits_for.iter().any(|each| each.pid == pid && each.application == "pgdeploy/somebody"
                && each.state == "idle in transaction"))
    };
    let (outcome, seen) = tokio::join!(database.run("CREATE INDEX t_a ON t (a)"), async {
        database.until_event(named).await?;
        reader.run("COMMIT").await?;
        anyhow::Ok(())
    });
    seen?;
    assert_eq!(only(&outcome?)?.outcome, Settled::Built);
    let waited = format!("SELECT waited_for -> 0 ->> 'pid' = '{pid}' FROM pgdeploy.index_builds");
    assert_eq!(database.one(&waited).await?, "true");
    Ok(())
}

/// The stage, while somebody else builds the same index.
async fn beside_a_build(database: &Database, other: &mut Session) -> Result<Outcome> {
    let begun = "count(*) > 0 FROM pg_index WHERE indexrelid = to_regclass('slow_a') AND NOT indisvalid";
    let (built, outcome) =
        tokio::join!(other.run("CREATE INDEX CONCURRENTLY slow_a ON t (slow(a))"), async {
            database.until(begun).await?;
            database.run("CREATE INDEX slow_a ON t (slow(a))").await
        });
    built?;
    outcome
}

#[tokio::test]
async fn the_build_of_somebody_else_is_adopted() -> Result<()> {
    let database = Database::new("others_build", SLOW).await?;
    let mut other = database.session().await?;
    let outcome = beside_a_build(&database, &mut other).await?;
    assert_eq!(only(&outcome)?.outcome, Settled::Adopted, "{outcome:#?}");
    assert_eq!(database.logged("CREATE INDEX CONCURRENTLY")?, 1);
    assert!(
        database.events().iter().any(|event| matches!(event, Event::Progress { .. })),
        "its progress is told"
    );
    Ok(())
}

#[tokio::test]
async fn a_build_that_cannot_be_waited_for_is_busy_and_never_dropped() -> Result<()> {
    let mut database = Database::new("others_busy", SLOW).await?;
    database.settings.budget = Duration::from_secs(1);
    let mut other = database.session().await?;
    let pid = other.pid();
    let outcome = beside_a_build(&database, &mut other).await?;
    assert_eq!(only(&outcome)?.outcome, Settled::Busy, "{outcome:#?}");
    assert!(outcome.warnings[0].message.contains(&format!("pid {pid} ")), "{outcome:#?}");
    assert_eq!((database.logged("DROP INDEX")?, database.invalid().await?), (0, "0".into()));
    Ok(())
}

#[tokio::test]
async fn a_lock_on_the_table_is_polled_for_and_never_queued_for() -> Result<()> {
    let database = Database::new("others_lock", "CREATE TABLE t (a int)").await?;
    let mut other = database.session().await?;
    other.run("BEGIN; LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE").await?;
    let pid = other.pid();
    let named = |event: &Event| {
        matches!(event, Event::Waiting { phase, waits_for, .. } if phase == "lock on the table"
            && waits_for.iter().any(|each| each.pid == pid))
    };
    let (outcome, seen) = tokio::join!(database.run("CREATE INDEX t_a ON t (a)"), async {
        database.until_event(named).await?;
        let queued = database
            .one("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass")
            .await?;
        other.run("COMMIT").await?;
        anyhow::Ok(queued)
    });
    assert_eq!((only(&outcome?)?.outcome, seen?.as_str()), (Settled::Built, "0"));
    Ok(())
}

#[tokio::test]
async fn a_writer_beyond_the_limit_blocks_the_build_and_nothing_is_left_of_it() -> Result<()> {
    let mut database = Database::new("others_writer", "CREATE TABLE t (a int)").await?;
    database.settings.writers_limit = Duration::from_secs(1);
    let mut writer = database.session().await?;
    writer.run("BEGIN; INSERT INTO t VALUES (1)").await?;
    let outcome = database.run("CREATE INDEX t_a ON t (a)").await?;
    assert_eq!(only(&outcome)?.outcome, Settled::Blocked, "{outcome:#?}");
    let message = &outcome.warnings[0].message;
    let named =
        format!("it waited for pid {} (postgres, pgdeploy/somebody, idle in transaction", writer.pid());
    assert!(message.contains("open for too long") && message.contains(&named), "{message}");
    writer.run("COMMIT").await?;
    database.until("NOT EXISTS (SELECT FROM pg_class WHERE relname = 't_a')").await?;
    assert_eq!(only(&database.run("CREATE INDEX t_a ON t (a)").await?)?.outcome, Settled::Built);
    Ok(())
}

/// `pg_stat_progress_create_index` shows such a role that somebody is building, and not what.
#[tokio::test]
async fn a_live_build_that_a_role_is_not_shown_is_busy_and_never_dropped() -> Result<()> {
    let setup = format!(
        "{SLOW}; CREATE ROLE plain_owner LOGIN; GRANT CREATE, TEMPORARY ON DATABASE others_hidden TO plain_owner; ALTER TABLE t OWNER TO plain_owner; \
         GRANT CREATE ON SCHEMA public TO plain_owner"
    );
    let mut database = Database::of_role("others_hidden", &setup, "plain_owner").await?;
    database.settings.budget = Duration::from_secs(1);
    let mut other = database.session().await?;
    let pid = other.pid();
    let text = "CREATE INDEX slow_a ON t (slow(a))";
    let (built, outcome) =
        tokio::join!(other.run("CREATE INDEX CONCURRENTLY slow_a ON t (slow(a))"), async {
            database.until(BUILDING).await?;
            database.run(text).await
        });
    built?;
    let outcome = outcome?;
    assert_eq!(only(&outcome)?.outcome, Settled::Busy, "{outcome:#?}");
    assert!(outcome.warnings[0].message.contains(&format!("pid {pid} (postgres")), "{outcome:#?}");
    assert_eq!((database.logged("DROP INDEX")?, database.invalid().await?), (0, "0".into()));
    assert_eq!(only(&database.run(text).await?)?.outcome, Settled::Unchanged);
    Ok(())
}
