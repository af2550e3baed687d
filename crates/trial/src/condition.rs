//! Conditions that are asked for again and again.

use anyhow::{Result, bail};
use postgres::{Row, Session};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{PATIENCE, PAUSE};

/// Waits until a condition is so. `what` is what a failure tells.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut pauses = interval(PAUSE);
    pauses.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pauses.tick().await;
        if condition().await? {
            return Ok(());
        }
        if Instant::now() >= deadline {
            bail!("waited in vain for {PATIENCE:?}: {what}");
        }
    }
}

/// Waits until a query of one boolean says yes: the text behind a SELECT, or one with it. NULL is a no, and so is a table
/// or a schema that is not there yet.
pub async fn until_true(session: &mut Session, text: &str) -> Result<()> {
    let asked = format!(
        "SELECT coalesce(({}), false)",
        if is_query(text) { text.to_owned() } else { format!("SELECT {text}") }
    );
    until(text, async || match session.one(&asked).await {
        Ok(row) => Ok(row.try_get(0)?),
        Err(error) if matches!(error.sqlstate(), Some("42P01" | "3F000")) => Ok(false),
        Err(error) => Err(error.into()),
    })
    .await
}

fn is_query(text: &str) -> bool {
    text.trim_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case("select"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_condition_is_asked_until_it_is_so_and_a_failure_tells_what_was_waited_for() {
        let mut asked = 0;
        let third = async || {
            asked += 1;
            Ok(asked == 3)
        };
        until("the third time", third).await.unwrap();
        assert_eq!(asked, 3);
        let error = until("the moon", async || Ok(false)).await.unwrap_err();
        assert_eq!(error.to_string(), "waited in vain for 60s: the moon");
        let error = until("x", async || bail!("it broke")).await.unwrap_err();
        assert_eq!(error.to_string(), "it broke");
    }
}
