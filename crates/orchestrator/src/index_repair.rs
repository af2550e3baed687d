//! `pgdeploy index list` and `pgdeploy index repair`: the index stage by itself.

use std::time::Instant;

use postgres::{Clerk, RunLock};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::deployment::Deployment;
use crate::event::{DeployEvent, Event, StageName, StageResult};
use crate::failure::{Failure, Verdict};
use crate::foundation::bootstrap_with;
use crate::journal::Journal;
use crate::ledger::COMPONENTS;
use crate::plan::Plan;
use crate::reach;
use crate::record::{Observer, Record, Recorder};
use crate::report::{Report, Summary};
use crate::request::Request;
use crate::stages::{Stages, warning_stage};

/// Every index of an environment's database.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct IndexList {
    /// Version of this format.
    pub v: u32,
    /// Name of the pipeline.
    pub pipeline: String,
    /// Name of the environment.
    pub environment: String,
    /// Host, port and database.
    pub target: String,
    /// Server version.
    pub server: String,
    /// By schema, table and name.
    pub indexes: Vec<index::Listed>,
}

/// Lists every index of the database. Reads only, without the run lock.
pub async fn list_indexes(request: &Request) -> Result<IndexList, Failure> {
    let mut session = reach::for_reading(request).await?;
    let indexes = index::list(&mut session, &request.release.indexes, &request.ledger)
        .await
        .map_err(Failure::session)?;
    let list = IndexList {
        v: 1,
        pipeline: request.pipeline.clone(),
        environment: request.environment.clone(),
        target: request.target.to_string(),
        server: session.version().to_owned(),
        indexes,
    };
    session.close().await;
    Ok(list)
}

/// Repairs the invalid indexes of the database, or the one of a name: under the run lock, with a row and a journal like a
/// deploy. Nothing of the other stages is done, and no file counts as succeeded for it.
pub async fn repair_indexes(
    request: &Request,
    name: Option<&str>,
    observer: Observer<'_>,
    stop: &CancellationToken,
) -> Report {
    let started = Instant::now();
    let (recorder, records) = Recorder::new(&request.environment, observer);
    let mut report = Report {
        deployment: None,
        verdict: Verdict::Succeeded,
        exit: 0,
        duration: started.elapsed(),
        warnings: Vec::new(),
        failure: None,
        services: None,
        summary: Summary::default(),
    };
    let reached = tokio::select! {
        biased;
        () = stop.cancelled() => Err(Failure::interrupted("interrupted before anything was touched")),
        lock = take_lock_when_ready(request, &recorder) => lock,
    };
    let (row, journal, lock) = match reached {
        Ok(lock) => {
            let (row, journal) =
                under_lock(request, name, &recorder, records, &lock, stop, &mut report).await;
            (row, journal, Some(lock))
        }
        Err(failure) => {
            report.failure = Some(failure);
            (None, None, None)
        }
    };
    report.verdict = match &report.failure {
        Some(failure) => failure.verdict,
        None if report.warnings.is_empty() => Verdict::Succeeded,
        None => Verdict::Warnings,
    };
    report.exit = request.exit.code(report.verdict);
    report.duration = started.elapsed();
    recorder.record(DeployEvent::finished(&report, &request.environment));
    // The journal ends when the recorder, which feeds it, is gone; the row is closed after its last line.
    drop(recorder);
    let missing = match journal {
        Some(journal) => journal.finish().await,
        None => 0,
    };
    if let Some(mut row) = row {
        row.journal_missing = missing;
        row.close_as(&report).await;
    }
    if let Some(lock) = lock {
        lock.release().await;
    }
    report
}

async fn take_lock_when_ready(request: &Request, recorder: &Recorder<'_>) -> Result<RunLock, Failure> {
    let (session, lock) = reach::locked(request, recorder).await?;
    session.close().await;
    Ok(lock)
}

async fn under_lock(
    request: &Request,
    name: Option<&str>,
    recorder: &Recorder<'_>,
    records: tokio::sync::mpsc::UnboundedReceiver<Record>,
    lock: &RunLock,
    stop: &CancellationToken,
    report: &mut Report,
) -> (Option<Deployment>, Option<Journal>) {
    let (mut row, journal) = match open(request, records, lock).await {
        Ok(opened) => opened,
        Err(failure) => {
            report.failure = Some(failure);
            return (None, None);
        }
    };
    recorder.number(row.number);
    report.deployment = Some(row.number);
    if let Some(earlier) = row.closed_earlier {
        recorder.record(DeployEvent::ClosedEarlier { earlier });
    }
    recorder.record(DeployEvent::RepairStarted {
        index: name.map(str::to_owned),
        actor: request.actor.name.clone(),
    });
    let stop = lock.stop_or_lost(stop);
    let mut stages = Stages {
        request,
        lock,
        recorder,
        stop: &stop,
        deployment: row.number,
        summary: Summary::default(),
        warnings: Vec::new(),
        frozen: &[],
        waiting: Vec::new(),
    };
    report.failure = stages.repair(&mut row, name).await.err();
    (report.summary, report.warnings) = (stages.summary, stages.warnings);
    (Some(row), Some(journal))
}

async fn open(
    request: &Request,
    records: tokio::sync::mpsc::UnboundedReceiver<Record>,
    lock: &RunLock,
) -> Result<(Deployment, Journal), Failure> {
    let mut session = lock.session("ledger").await.map_err(Failure::session)?;
    bootstrap_with(request, &mut session, lock, &COMPONENTS).await?;
    let plan = Plan::read(&mut session, request).await.map_err(Failure::session)?;
    let row = Deployment::open(Clerk::new(session), request, &plan, false).await.map_err(Failure::session)?;
    let journal = lock.session("journal").await.map_err(Failure::session)?;
    let journal = Journal::start(Clerk::new(journal), &request.ledger, row.number, records);
    Ok((row, journal))
}

impl Stages<'_> {
    async fn repair(&mut self, row: &mut Deployment, name: Option<&str>) -> Result<(), Failure> {
        let started = self.begin(StageName::Index, true, row).await?;
        let events = |event| self.recorder.record(Event::Index(event));
        let repaired =
            index::repair(&self.stage(&events), &self.request.release.indexes, &self.request.index, name)
                .await;
        let Some(outcome) = repaired.map_err(Failure::session)? else {
            row.ended(StageName::Index, StageResult::Failed).await.map_err(Failure::session)?;
            return Err(Failure::unknown_index(name.unwrap_or_default()));
        };
        self.summary.nothing_to_do =
            outcome.items.iter().all(|item| item.outcome == index::Settled::Unchanged);
        let ended = warning_stage(outcome.interrupted, self.summary.nothing_to_do, &outcome.warnings);
        self.summary.indexes = outcome.items;
        self.warn(outcome.warnings);
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.recorder.record(DeployEvent::StageFinished {
            stage: StageName::Index,
            result: ended,
            duration_ms,
        });
        row.ended(StageName::Index, ended).await.map_err(Failure::session)?;
        self.interrupted(ended, "interrupted while indexes were repaired")
    }
}
