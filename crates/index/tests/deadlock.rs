//! Others who queue behind a build and would kill it at its end.

use anyhow::Result;
use index::{Event, Settled};

use crate::database::{BUILDING, Database, SLOW, only};

#[tokio::test]
async fn a_waiter_of_ours_is_cancelled_before_it_kills_the_build() -> Result<()> {
    let database = Database::new("deadlock_ours", SLOW).await?;
    // Each of two that wait for each other looks once, when it has waited for deadlock_timeout: the waiter has looked long
    // before the build waits for it, as one does that comes early in a long build; the build looks later than the watchdog
    // on the busiest machine.
    let name = database.one("SELECT current_database()").await?;
    database.sql(&format!("ALTER DATABASE \"{name}\" SET deadlock_timeout = '60s'")).await?;
    let mut other = database.session().await?;
    other.run("SET deadlock_timeout = '10ms'").await?;
    let (outcome, analyzed) = tokio::join!(database.run("CREATE INDEX slow_a ON t (slow(a))"), async {
        database.until(BUILDING).await?;
        anyhow::Ok(other.run("ANALYZE t").await)
    });
    let (outcome, analyzed) = (outcome?, analyzed?);
    assert_eq!((only(&outcome)?.outcome, only(&outcome)?.attempts), (Settled::Built, 1), "{outcome:#?}");
    assert_eq!(analyzed.unwrap_err().sqlstate(), Some("57014"));
    let told = |event: &Event| matches!(event, Event::Waiting { advice: Some(advice), .. } if advice.contains("is cancelled"));
    assert!(database.events().iter().any(told), "{:#?}", database.events());
    Ok(())
}

#[tokio::test]
async fn a_waiter_of_others_is_warned_about_at_once_and_the_build_is_made_again() -> Result<()> {
    let database = Database::new("deadlock_others", SLOW).await?;
    let mut other = database.session().await?;
    other.run("SET application_name = 'nightly'").await?;
    let pid = other.pid();
    let warned = |event: &Event| {
        matches!(event, Event::Waiting { queued, waits_for, advice: Some(advice), phase, .. }
            if phase.starts_with("building") && waits_for.is_empty() && queued.iter().any(|each| each.pid == pid && each.application == "nightly")
                && advice.contains(&format!("SELECT pg_cancel_backend({pid});")))
    };
    let (outcome, seen, analyzed) = tokio::join!(
        database.run("CREATE INDEX slow_a ON t (slow(a))"),
        async {
            database.until_event(warned).await?;
            database
                .one("SELECT count(*) FROM pg_stat_progress_create_index WHERE phase LIKE 'building%'")
                .await
        },
        async {
            database.until(BUILDING).await?;
            Ok(other.run("ANALYZE t").await?)
        }
    );
    let (outcome, analyzed): (_, Result<u64>) = (outcome?, analyzed);
    analyzed?;
    assert_ne!(seen?, "0", "while it was still built");
    assert_eq!((only(&outcome)?.outcome, only(&outcome)?.attempts), (Settled::Built, 2), "{outcome:#?}");
    let mutual = |event: &Event| matches!(event, Event::Waiting { queued, waits_for, .. } if !queued.is_empty() && queued == waits_for);
    assert!(database.events().iter().any(mutual), "{:#?}", database.events());
    assert_eq!(
        database.one("SELECT count(*) FROM pgdeploy.index_builds WHERE sqlstate = '40P01'").await?,
        "1"
    );
    assert_eq!(database.invalid().await?, "0");
    Ok(())
}
