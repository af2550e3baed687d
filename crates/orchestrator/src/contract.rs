//! The backfills that migrations wait for, asked whether they are complete.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

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
        let why = why_not_complete(session, request, id).await?;
        known.insert(id.clone(), why);
    }
    Ok(known)
}

/// The migrations that are not in, whatever they wait for: what requires one of them may not begin.
pub(crate) async fn pending_migrations(
    session: &mut Session,
    request: &Request,
) -> Result<Vec<String>, Error> {
    let history = schema::history(session, &request.ledger).await?;
    let pending = schema::decide(&history, &request.release.migrations).pending;
    Ok(pending.iter().map(|migration| migration.id().to_owned()).collect())
}

/// Leaves out of a plan the indexes whose `after_backfill` is not complete. Only those that are not there are asked for.
pub(crate) async fn without_waiting(
    session: &mut Session,
    request: &Request,
    plan: index::Plan,
) -> Result<index::Plan, Error> {
    let mut deferred = BTreeMap::new();
    for id in plan.awaits() {
        if let Some(why) = why_not_complete(session, request, id).await? {
            deferred.insert(id.to_owned(), why);
        }
    }
    Ok(plan.defer(deferred))
}

/// Words, unless a backfill is complete, by the ledger and by a look at its live table.
async fn why_not_complete(
    session: &mut Session,
    request: &Request,
    id: &str,
) -> Result<Option<String>, Error> {
    Ok(match backfill::proof(session, &request.release.backfills, id, &request.ledger).await? {
        backfill::Proof::Complete => None,
        backfill::Proof::NotComplete { reason, percent: Some(percent) } => {
            Some(format!("{reason} ({percent} %)"))
        }
        backfill::Proof::NotComplete { reason, percent: None } => Some(reason.to_string()),
    })
}

/// What waits for a backfill that is not in the release would wait for ever.
pub(crate) fn unknown(release: &Release) -> Vec<Problem> {
    let migrations = release.migrations.0.iter().flat_map(|migration| {
        migration.header.requires_backfill.iter().map(|id| (&migration.source.path, "requires", id))
    });
    let indexes = release
        .indexes
        .indexes
        .iter()
        .filter_map(|index| Some((&index.source.path, "waits for", index.after_backfill.as_ref()?)));
    // Every index of a file has the file's header.
    let wanted: BTreeSet<_> = migrations.chain(indexes).collect();
    let unknown = wanted.into_iter().filter(|(.., id)| release.path_of_backfill(id).is_none());
    let problem = |(path, what, id): (&PathBuf, &str, &String)| {
        let message = format!("{what} the backfill {id}, and there is no such file");
        let near = release.backfills.items().first().map_or("0007_emails", |first| &first.id);
        let help = format!("write a file's name without its ending, such as {near}");
        Problem::with_file("E125", path, message).help(help)
    };
    unknown.map(problem).collect()
}
