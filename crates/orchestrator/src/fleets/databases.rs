//! Which databases a fleet has now, and in which wave each goes.

use std::collections::HashMap;
use std::time::Duration;

use postgres::{Error, Row, Session, Target};
use secrecy::SecretString;

use super::{Fleet, Source};
use crate::failure::Failure;
use crate::request::Request;

/// How long the query for the databases may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A database of a fleet.
#[derive(Debug, Clone)]
pub(super) struct Database {
    pub(super) name: String,
    pub(super) target: Target,
    /// The place of its wave.
    pub(super) wave: usize,
}

/// All of them, in the order of the fleet. Two names for one database are refused, and so is the one that keeps account:
/// the lock of the fleet is there.
pub(super) async fn of(
    request: &Request,
    fleet: &Fleet,
    session: &mut Session,
) -> Result<Vec<Database>, Failure> {
    let asked;
    let all = match &fleet.targets {
        Source::Listed(all) => all,
        Source::Query(sql) => {
            asked = rows(session, sql).await?;
            &asked
        }
    };
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    let waves = fleet::assign(&names, &fleet.waves);
    let control = request.target.to_string();
    let mut shown = HashMap::from([(control, "the database that keeps account")]);
    let mut databases = Vec::new();
    for ((name, url), wave) in all.iter().zip(waves) {
        let target = Target::parse(url).map_err(|error| {
            let failure = Failure::session(error);
            Failure { message: format!("{name}: {}", failure.message), ..failure }
        })?;
        if let Some(other) = shown.insert(target.to_string(), name.as_str()) {
            return Err(Failure::same_database(other, name, &target.to_string()));
        }
        let target = if request.gated { target.demanding_tls() } else { target };
        databases.push(Database { name: name.clone(), target, wave });
    }
    Ok(databases)
}

/// What the query gives. Values of a table are not looked into for variables: who can write a row would read them.
async fn rows(session: &mut Session, sql: &str) -> Result<Vec<(String, SecretString)>, Failure> {
    let refused = |error: Error| match error.is_lost_connection() {
        true => Failure::session(error),
        false => Failure::bad_fleet_query(error.to_string()),
    };
    let asked = sql.trim().trim_end_matches(';');
    // In parentheses nothing but one query is one; the line break ends a comment of its last line.
    let text =
        format!("SELECT q.name::pg_catalog.text, q.url::pg_catalog.text FROM ({asked}\n) AS q(name, url)");
    let limits = format!("BEGIN READ ONLY; SET LOCAL statement_timeout = {}", PATIENCE.as_millis());
    session.run(&limits).await.map_err(Failure::session)?;
    let found = session.all(&text).await;
    session.run("ROLLBACK").await.map_err(Failure::session)?;
    let mut all: Vec<(String, SecretString)> = Vec::new();
    let mut names = std::collections::HashSet::new();
    for row in found.map_err(refused)? {
        let read = (|| Ok((row.try_get::<Option<String>, _>(0)?, row.try_get::<Option<String>, _>(1)?)))();
        let (name, url) = read.map_err(|error: sqlx::Error| refused(error.into()))?;
        let name = name.filter(|name| pipeline::is_target_name(name));
        let Some(name) = name else {
            let why = format!("row {} has no name of letters, digits, `_`, `.`, `:` and `-`", all.len() + 1);
            return Err(Failure::bad_fleet_query(why));
        };
        let Some(url) = url else { return Err(Failure::bad_fleet_query(format!("{name} has no URL"))) };
        if !names.insert(name.clone()) {
            return Err(Failure::bad_fleet_query(format!("{name} is there twice")));
        }
        all.push((name, SecretString::from(url)));
    }
    match all.is_empty() {
        true => Err(Failure::bad_fleet_query("it gives no row")),
        false => Ok(all),
    }
}
