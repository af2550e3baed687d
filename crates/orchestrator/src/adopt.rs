//! Adopting a database whose history another tool has kept.

use std::collections::BTreeMap;
use std::path::Path;

use adopt::table::{self, Unreadable};
use adopt::{Carried, Manifest, Outcome, Settle};
use postgres::Session;
use serde::Serialize;
use sql::Problem;
use tokio_util::sync::CancellationToken;

use crate::act::Act;
use crate::event::DeployEvent;
use crate::failure::{Failure, counted};
use crate::plan::Plan;
use crate::reach;
use crate::record::Recorder;
use crate::request::Request;

/// What an adoption would do, or has done.
#[derive(Debug, Serialize)]
pub struct Adoption {
    /// The tool.
    pub tool: &'static str,
    /// Where it keeps its history.
    pub table: String,
    /// What is carried over, oldest first.
    pub imported: Vec<ImportedMigration>,
    /// What the next deploy will run.
    pub pending: Vec<String>,
    /// What the person has settled.
    pub settled: Vec<String>,
    /// The deployment that records it; `None` where it was only looked at.
    pub deployment: Option<i64>,
}

/// A migration that is carried over.
#[derive(Debug, Serialize)]
pub struct ImportedMigration {
    /// The file.
    pub migration: String,
    /// The tool's own name for it.
    pub id: String,
    /// When the tool has applied it, where it knows.
    pub applied_at: Option<String>,
}

/// Carries the other tool's history over, without running anything. Refused where the database has a history of ours, and
/// where the other one leaves a question open that `settle` does not answer. Without `act` it only says what it would do.
pub async fn adopt(
    request: &Request,
    manifest: &Manifest,
    settle: &BTreeMap<String, Settle>,
    reason: &str,
    act: bool,
    stop: &CancellationToken,
) -> Result<Adoption, Failure> {
    let (recorder, records) = Recorder::new(&request.environment, &|_| {});
    let (mut session, lock) = reach::to_act(request, &recorder, stop).await?;
    let plan = Plan::read(&mut session, request).await.map_err(Failure::session)?;
    if plan.schema.applied > 0 {
        return Err(Failure::adoption(vec![has_history(plan.schema.applied)]));
    }
    let (table, mut carried) = read(&mut session, manifest, settle).await?;
    let files = Files { request, manifest };
    carried.findings.extend(files.changed(&carried));
    carried.findings.extend(files.out_of_order(&carried));
    if carried.applied.is_empty() && carried.findings.is_empty() {
        carried.findings.push(empty(&table));
    }
    if !carried.findings.is_empty() {
        let (applied, pending) = (carried.applied.len(), carried.pending.len());
        let mut failure = Failure::adoption(carried.findings);
        failure.evidence.push(format!(
            "beside that, {applied} would be carried over and {pending} are pending; nothing was done"
        ));
        return Err(failure);
    }
    let mut adoption = files.adoption(&carried, table);
    if !act {
        return Ok(adoption);
    }
    let imported = files.imported(&carried);
    let event = DeployEvent::Imported {
        tool: adoption.tool.to_owned(),
        table: adoption.table.clone(),
        migrations: imported.len(),
        settled: adoption.settled.clone(),
        reason: reason.to_owned(),
    };
    let migrations: Vec<_> = imported.iter().map(|imported| imported.migration).collect();
    let act = Act { request, lock: &lock, plan: &plan, recorder, records, stop: stop.clone() };
    let (number, ()) = act
        .run(async |row, recorder| {
            schema::import(&lock, &imported, &request.ledger, row.number).await.map_err(Failure::session)?;
            row.have_had(request, &migrations).await?;
            recorder.record(event);
            Ok(())
        })
        .await?;
    lock.release().await;
    adoption.deployment = Some(number);
    Ok(adoption)
}

async fn read(
    session: &mut Session,
    manifest: &Manifest,
    settle: &BTreeMap<String, Settle>,
) -> Result<(String, Carried), Failure> {
    let found = table::of(session, manifest).await.map_err(unreadable)?;
    let records = manifest.tool.records(&found.rows, &manifest.migrations);
    let records = records.ok_or_else(|| {
        let message = format!("holds rows that {} does not write", manifest.tool.name());
        Failure::adoption(vec![Problem::with_file("E716", Path::new(&found.name), message)])
    })?;
    Ok((found.name, adopt::carry(&manifest.migrations, &records, settle)))
}

/// What the table's reader says, as a failure.
pub fn unreadable(error: Unreadable) -> Failure {
    match error {
        Unreadable::Problem(problem) => Failure::adoption(vec![problem]),
        Unreadable::Session(error) => Failure::session(error),
    }
}

fn has_history(applied: usize) -> Problem {
    let message =
        format!("the database has a history of pgdeploy already: {} in it", counted(applied, "migration"));
    Problem::with_file("E718", Path::new(adopt::MANIFEST_FILE), message)
        .help("there is nothing to adopt: pgdeploy status says where it stands")
}

fn empty(table: &str) -> Problem {
    Problem::with_file("E716", Path::new(table), "is empty: there is no history to carry over").help(format!(
        "an empty database needs none: DROP TABLE {table}, then deploy; one with objects needs: pgdeploy baseline --at VERSION"
    ))
}

/// The manifest beside the release.
struct Files<'a> {
    request: &'a Request,
    manifest: &'a Manifest,
}

impl Files<'_> {
    fn migration(&self, entry: usize) -> Option<&schema::Migration> {
        let file = self.manifest.migrations[entry].file.as_deref()?;
        self.request.release.migrations.0.iter().find(|migration| migration.id() == file)
    }

    /// Applied files that are not what init has written: what the history says of them would not be true. What is
    /// pending may be changed as anybody likes.
    fn changed(&self, carried: &Carried) -> Vec<Problem> {
        let entries = carried.applied.iter().map(|(at, _)| (*at, &self.manifest.migrations[*at]));
        let written = entries.filter(|(_, entry)| entry.file.is_some());
        let changed = written.filter_map(|(at, entry)| {
            let path = format!("{}.sql", entry.file.as_deref().unwrap_or_default());
            let problem = match self.migration(at) {
                None => Problem::with_file("E717", Path::new(&path), "is in adopt.yaml, and is no file here"),
                Some(migration) if Some(&migration.source.sha256) != entry.sha256.as_ref() => {
                    Problem::with_file("E717", &migration.source.path, "was edited since init has written it")
                }
                Some(_) => return None,
            };
            Some(problem.help(
                "take back what init has written: until it is adopted it is what the other tool has run",
            ))
        });
        changed.collect()
    }

    /// Pending files before applied ones: they could never run here.
    fn out_of_order(&self, carried: &Carried) -> Vec<Problem> {
        let place = |at: usize| self.migration(at).map(|migration| migration.place);
        let newest = carried.applied.iter().filter_map(|(at, _)| place(*at)).max();
        let late = carried.pending.iter().filter(|at| place(**at) < newest);
        late.filter_map(|at| {
            let migration = self.migration(*at)?;
            let tool = self.manifest.tool.name();
            Some(
                Problem::with_file("E720", &migration.source.path, "has not run here, though later ones have").help(format!(
                    "run it here with {tool} first; or run init --from again with --database naming this one, which puts it last"
                )),
            )
        })
        .collect()
    }

    fn adoption(&self, carried: &Carried, table: String) -> Adoption {
        let imported = carried.applied.iter().filter_map(|(at, record)| {
            Some(ImportedMigration {
                migration: self.migration(*at)?.id().to_owned(),
                id: self.manifest.migrations[*at].id.clone(),
                applied_at: record.applied_at.clone(),
            })
        });
        let mut imported: Vec<_> = imported.collect();
        imported.sort_by_key(|each| self.position(&each.migration));
        Adoption {
            tool: self.manifest.tool.name(),
            table,
            imported,
            pending: carried
                .pending
                .iter()
                .filter_map(|at| Some(self.migration(*at)?.id().to_owned()))
                .collect(),
            settled: carried.settled.clone(),
            deployment: None,
        }
    }

    fn position(&self, id: &str) -> Option<usize> {
        self.request.release.migrations.0.iter().position(|migration| migration.id() == id)
    }

    fn imported(&self, carried: &Carried) -> Vec<schema::Imported<'_>> {
        let rows = carried.applied.iter().filter_map(|(at, record)| {
            // Of a failed attempt that somebody has completed only the person's word is known.
            let own = (record.outcome == Outcome::Applied).then_some(record);
            Some(schema::Imported {
                migration: self.migration(*at)?,
                from: format!("{} {}", self.manifest.tool.name(), self.manifest.migrations[*at].id),
                started_at: own.and_then(|record| record.started_at.clone()),
                applied_at: own.and_then(|record| record.applied_at.clone()),
                duration_ms: own.and_then(|record| record.duration_ms),
            })
        });
        rows.collect()
    }
}
