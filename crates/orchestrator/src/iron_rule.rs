//! The guard's verdict: no rows change in a migration, and no DDL that blocks a live table goes out unseen.

use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use guard::{Checked, Finding, GRANDFATHERED_FILE, Grandfathered, Judge, Knowledge};
use postgres::Session;
use sql::Problem;

use crate::catalog;
use crate::failure::Failure;
use crate::release::Release;
use crate::request::Request;

/// What the guard lets through.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// Warnings and hints.
    pub(crate) notes: Vec<Problem>,
    /// Changes of rows that a person answers for, with their bytes in their files.
    pub(crate) accepted_rows: Vec<(PathBuf, Range<usize>)>,
}

/// Judges the pending migrations of a plan: what refuses them, or the warnings and hints. What is applied is not judged
/// again, but what it made is known. A table that this deploy creates is new: nobody uses it yet. The catalog tells
/// what is proven already, and how large the tables are.
pub(crate) async fn ask(
    request: &Request,
    plan: &schema::Plan,
    session: &mut Session,
) -> Result<Judged, Failure> {
    // What is deferred may no longer be when its turn comes in this deploy.
    let deferred = plan.deferred.iter().map(|deferred| &deferred.migration);
    let pending: Vec<&schema::Migration> = plan.pending.iter().chain(deferred).collect();
    if pending.is_empty() {
        return Ok(Judged::default());
    }
    let names = pending.iter().flat_map(|pending| guard::names(&pending.source.text)).collect();
    let catalog = catalog::read(session, names).await.map_err(Failure::session)?;
    let mut judge = Judge::new(Knowledge {
        server_version: Some(session.version_number() / 10_000),
        one_deploy: true,
        ..Knowledge::default()
    });
    let versions: HashSet<u64> = pending.iter().map(|pending| pending.version).collect();
    let is_pending = |migration: &&schema::Migration| versions.contains(&migration.version);
    let migrations = request.release.migrations.0.iter();
    migrations
        .clone()
        .filter(|migration| !is_pending(migration))
        .for_each(|migration| judge.applied(&migration.source));
    judge.read_catalog(catalog);
    let in_phase = |phase| {
        let of =
            migrations.clone().filter(is_pending).filter(move |migration| migration.header.phase == phase);
        of.map(|migration| &migration.source)
    };
    let mut findings: Vec<Finding> =
        in_phase(schema::Phase::Pre).flat_map(|source| judge.migration(source)).collect();
    judge.served();
    findings.extend(in_phase(schema::Phase::Post).flat_map(|source| judge.migration(source)));
    let Checked { standing, excused, .. } = checked(&request.directory, findings)?;
    refused(&standing)?;
    let accepted = judge.accepted().iter().map(|accepted| &accepted.finding).chain(&excused);
    let rows = accepted.filter(|finding| finding.code == "E501");
    let accepted_rows = rows.map(|finding| (finding.path.clone(), finding.span.clone())).collect();
    Ok(Judged { notes: standing.iter().map(Problem::from).collect(), accepted_rows })
}

/// Judges every file of a release, for `check` and `guard`: the findings, and what the list of old ones excuses.
pub fn judged(directory: &Path, release: &Release) -> Result<Checked, Failure> {
    let mut judge = Judge::new(Knowledge::default());
    let mut findings: Vec<Finding> =
        release.migrations.0.iter().flat_map(|migration| judge.migration(&migration.source)).collect();
    // What a backfill's statement calls may change rows that no batch knows of.
    let backfills = release.backfills.items().iter();
    findings.extend(backfills.flat_map(|backfill| judge.backfill_file(&backfill.source)));
    checked(directory, findings)
}

/// Refuses what stands, and entries of the list that excuse nothing any more.
pub fn refuse(checked: Checked) -> Result<(), Failure> {
    let mut stale = checked.stale.iter();
    if let Some((entry, why)) = stale.next() {
        let path = Path::new(GRANDFATHERED_FILE);
        let message = format!("{} {}: {why}", entry.file, entry.rule);
        let problem =
            Problem::with_file("E504", path, message).help("pgdeploy guard --grandfather shrinks the list");
        return Err(Failure::guard(vec![problem]));
    }
    refused(&checked.standing)
}

fn refused(standing: &[Finding]) -> Result<(), Failure> {
    let problems: Vec<Problem> =
        standing.iter().filter(|finding| finding.refuses()).map(Problem::from).collect();
    if problems.is_empty() { Ok(()) } else { Err(Failure::guard(problems)) }
}

fn checked(directory: &Path, findings: Vec<Finding>) -> Result<Checked, Failure> {
    let path = directory.join(GRANDFATHERED_FILE);
    let list = Grandfathered::load(&path).map_err(|error| {
        Failure::guard(vec![Problem::with_file("E504", Path::new(GRANDFATHERED_FILE), error.to_string())])
    })?;
    Ok(list.check(findings))
}
