//! `guard --extract`: what each migration would lose to the other folders, and whether a file may still be changed.

use std::collections::BTreeSet;
use std::path::Path;

use guard::{Extraction, Judge, Knowledge, Piece, PieceKind};
use postgres::{Error, Target};
use sql::{Problem, Source};

use crate::failure::Failure;
use crate::release::Release;

/// The versions of the migrations that a database has had.
pub async fn applied_versions(target: &Target, ledger: &str) -> Result<BTreeSet<u64>, Error> {
    let mut session = target.connect_read_only("guard").await?;
    let history = schema::history(&mut session, ledger).await?;
    session.close().await;
    Ok(history.iter().map(|applied| applied.version).collect())
}

/// What can be moved out of the migrations that are in no database yet. A piece that its stage would refuse stays.
pub fn extractions(release: &Release, applied: &BTreeSet<u64>) -> Result<Vec<Extraction>, Failure> {
    let mut judge = Judge::new(Knowledge::default());
    let (mut found, mut unreadable) = (Vec::new(), Vec::new());
    for migration in &release.migrations.0 {
        if applied.contains(&migration.version) {
            judge.applied(&migration.source);
            continue;
        }
        match judge.extract(&migration.source, &refusal) {
            Ok(extraction) => found.extend(extraction),
            Err(finding) => unreadable.push(Problem::from(finding.as_ref())),
        }
    }
    if unreadable.is_empty() { Ok(found) } else { Err(Failure::files(unreadable)) }
}

/// Why the piece's stage would not take it.
fn refusal(piece: &Piece) -> Option<String> {
    let path = match piece.kind {
        PieceKind::Backfill => "backfills/1_x.sql",
        PieceKind::Index => "indexes/x.sql",
    };
    let told = |problem: &Problem| match &problem.help {
        Some(help) => format!("{}: {help}", problem.message),
        None => problem.message.clone(),
    };
    let source = match Source::from_bytes(Path::new(path), piece.text.clone().into_bytes()) {
        Ok(source) => [source],
        Err(problem) => return Some(told(&problem)),
    };
    let problems = match piece.kind {
        PieceKind::Backfill => backfill::load(&source).err(),
        PieceKind::Index => index::load(&source).err(),
    };
    problems.and_then(|problems| problems.first().map(told))
}
