//! Whether a migration's time has come.

use std::collections::BTreeMap;

use postgres::{Error, Row, Session};

use crate::header::question;
use crate::migration::Migration;

/// What is known of the backfills that migrations wait for, by id: `None` where one is proven complete, else why not.
pub type Backfills = BTreeMap<String, Option<String>>;

/// What a migration waits for; `None` when its time has come.
pub(crate) async fn unmet(
    session: &mut Session,
    migration: &Migration,
    backfills: &Backfills,
    search_path: Option<&str>,
) -> Result<Option<String>, Error> {
    for id in &migration.header.requires_backfill {
        match backfills.get(id) {
            Some(None) => {}
            Some(Some(why)) => return Ok(Some(format!("waits for the backfill {id}: {why}"))),
            None => return Ok(Some(format!("waits for the backfill {id}: nothing is known of it"))),
        }
    }
    match &migration.header.when {
        Some(condition) => ask(session, condition, search_path).await,
        None => Ok(None),
    }
}

/// Asks in a transaction of its own that cannot write and does not last.
async fn ask(
    session: &mut Session,
    condition: &str,
    search_path: Option<&str>,
) -> Result<Option<String>, Error> {
    let path = search_path.map_or(String::new(), |path| format!("SET LOCAL search_path TO {path}; "));
    let text = format!(
        "BEGIN READ ONLY; SET LOCAL statement_timeout = '10s'; SET LOCAL lock_timeout = '1s'; {path}{}",
        question(condition)
    );
    let answer = session.answer(&text).await;
    if !matches!(&answer, Err(error) if error.is_lost_connection()) {
        session.run("ROLLBACK").await?;
    }
    match answer {
        Ok(row) => {
            let met = row.map(|row| row.try_get::<Option<bool>, _>(0)).transpose()?.flatten();
            Ok((met != Some(true)).then(|| format!("when: {condition}")))
        }
        // What it asks about may be made by a migration that has not run yet, or be locked, or be nobody's business.
        Err(error) if error.server().is_some() && !error.is_lost_connection() => {
            Ok(Some(format!("when: {condition} (it cannot be asked yet: {error})")))
        }
        Err(error) => Err(error),
    }
}
