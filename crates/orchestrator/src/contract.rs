//! The backfills that migrations wait for, asked whether they are complete.

use std::collections::BTreeSet;
use std::path::Path;

use postgres::{Error, Session};
use sql::Problem;

use crate::release::Release;
use crate::request::Request;

/// What is known of the backfills that migrations name in `requires_backfill`, as far as those are not applied yet: a
/// complete one is looked at in its live table, and for what is in the history nobody has to.
pub(crate) async fn backfills(session: &mut Session, request: &Request) -> Result<schema::Backfills, Error> {
    let release = &request.release;
    let mut known = schema::Backfills::new();
    if release.migrations.0.iter().all(|migration| migration.header.requires_backfill.is_empty()) {
        return Ok(known);
    }
    let history = schema::history(session, &request.ledger).await?;
    let applied: BTreeSet<u64> = history.iter().map(|row| row.version).collect();
    let waiting = release.migrations.0.iter().filter(|migration| !applied.contains(&migration.version));
    let wanted: BTreeSet<&String> =
        waiting.flat_map(|migration| &migration.header.requires_backfill).collect();
    for id in wanted {
        let proof = backfill::proof(session, &release.backfills, id, &request.ledger).await?;
        let why = match proof {
            backfill::Proof::Complete => None,
            backfill::Proof::NotComplete { reason, percent: Some(percent) } => {
                Some(format!("{reason} ({percent} %)"))
            }
            backfill::Proof::NotComplete { reason, percent: None } => Some(reason.to_string()),
        };
        known.insert(id.clone(), why);
    }
    Ok(known)
}

/// A migration that waits for a backfill which is not in the release would wait for ever.
pub(crate) fn unknown(release: &Release) -> Vec<Problem> {
    let mut problems = Vec::new();
    for migration in &release.migrations.0 {
        for id in &migration.header.requires_backfill {
            if release.path_of_backfill(id).is_none() {
                let message = format!("requires the backfill {id}, and there is no such file");
                let near = release.backfills.items().first().map_or("0007_emails", |first| &first.id);
                let help = format!("write a file's name without its ending, such as {near}");
                let path: &Path = &migration.source.path;
                problems.push(Problem::with_file("E125", path, message).help(help));
            }
        }
    }
    problems
}
