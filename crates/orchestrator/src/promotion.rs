//! The promotion gate: nothing is deployed here that has not succeeded upstream, byte for byte.

use std::collections::HashSet;

use postgres::{Error, Row, Session};

use crate::failure::Failure;
use crate::release::File;
use crate::request::{Request, Upstream};

type Key = (String, String, String);

/// Passes if every file that has not succeeded here yet has succeeded in every upstream environment. The evidence is
/// read from their ledgers.
pub(crate) async fn ask(request: &Request, session: &mut Session) -> Result<(), Failure> {
    if request.upstreams.is_empty() {
        return Ok(());
    }
    let here = succeeded(session, &request.ledger).await.map_err(Failure::session)?;
    let pending: Vec<&File> =
        request.release.files.iter().filter(|file| !here.contains(&key(file))).collect();
    if pending.is_empty() {
        return Ok(());
    }
    for upstream in &request.upstreams {
        let there = evidence(request, upstream).await?;
        let missing: Vec<String> = pending
            .iter()
            .filter(|file| !there.contains(&key(file)))
            .map(|file| {
                let (stage, path, _) = key(file);
                let other = there.iter().any(|known| known.0 == stage && known.1 == path);
                let why = if other { "succeeded there with other bytes" } else { "has not succeeded there" };
                format!("{path} {why}")
            })
            .collect();
        if !missing.is_empty() {
            return Err(Failure::promotion(&upstream.name, &request.environment, missing));
        }
    }
    Ok(())
}

async fn evidence(request: &Request, upstream: &Upstream) -> Result<HashSet<Key>, Failure> {
    let Some(target) = &upstream.target else { return Ok(HashSet::new()) };
    let unreadable = |error: Error| Failure::upstream(&upstream.name, &error);
    let mut session = target.connect_read_only("gate").await.map_err(unreadable)?;
    session.bounded().await.map_err(unreadable)?;
    let known = succeeded(&mut session, &request.ledger).await.map_err(unreadable)?;
    session.close().await;
    Ok(known)
}

async fn succeeded(session: &mut Session, ledger: &str) -> Result<HashSet<Key>, Error> {
    if !postgres::ledger::exists(session, ledger).await? {
        return Ok(HashSet::new());
    }
    let text = format!("SELECT stage, path, sha256 FROM {}.succeeded_files", sql::identifier(ledger));
    let rows = session.all(&text).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
}

fn key(file: &File) -> Key {
    (file.stage.as_str().to_owned(), file.path.display().to_string(), file.sha256.clone())
}
