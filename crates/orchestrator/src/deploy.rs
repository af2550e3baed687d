//! The deploy: reads like the order of things.

use std::time::Instant;

use pipeline::Point;
use postgres::{RunLock, Session};
use tokio_util::sync::CancellationToken;

use crate::baseline;
use crate::clerks::clerks;
use crate::deployment::Deployment;
use crate::event::DeployEvent;
use crate::failure::{Failure, Verdict};
use crate::foundation::{bootstrap, bootstrap_with};
use crate::gate::{self, Passed};
use crate::hooks;
use crate::iron_rule;
use crate::journal::Journal;
use crate::main_session::MainSession;
use crate::plan::Plan;
use crate::reach;
use crate::record::{Observer, Recorder};
use crate::report::{Report, Summary};
use crate::request::Request;
use crate::services;
use crate::services_state::ServicesState;
use crate::stages::Stages;

/// Deploys, or goes on where an earlier deploy ended, whatever ended it. When `stop` fires, it stops at the next safe
/// point within seconds.
pub async fn deploy(request: &Request, observer: Observer<'_>, stop: &CancellationToken) -> Report {
    let started = Instant::now();
    let (recorder, records) = Recorder::new(&request.environment, observer);
    let mut run = Run::new(request, recorder);
    let (result, lock) = match run.reach(stop).await {
        Ok((session, lock)) => (run.under_lock(session, &lock, records, stop).await, Some(lock)),
        Err(failure) => (Err(failure), None),
    };
    let report = run.end(result, started).await;
    if let Some(lock) = lock {
        lock.release().await;
    }
    report
}

mod around;
mod beginning;

pub(crate) type Records = tokio::sync::mpsc::UnboundedReceiver<crate::record::Record>;

/// Which part of the work: around it, the services stop and start.
enum Part<'a> {
    /// The three stages; says whether the gate has passed.
    Stages(&'a mut bool),
    /// What comes after the services are back.
    Post,
}

/// A deploy under way.
pub(crate) struct Run<'a> {
    pub(crate) request: &'a Request,
    pub(crate) recorder: Recorder<'a>,
    pub(crate) deployment: Option<Deployment>,
    journal: Option<Journal>,
    pub(crate) summary: Summary,
    pub(crate) warnings: Vec<postgres::Warning>,
    passed: Passed,
}

impl<'a> Run<'a> {
    /// One that has not begun.
    pub(crate) fn new(request: &'a Request, recorder: Recorder<'a>) -> Self {
        Self {
            request,
            recorder,
            deployment: None,
            journal: None,
            summary: Summary::default(),
            warnings: Vec::new(),
            passed: Passed::default(),
        }
    }
}

impl Run<'_> {
    /// Everything that may wait for others: the server, then the lock. Before that is held there is nothing to wind down.
    pub(crate) async fn reach(&self, stop: &CancellationToken) -> Result<(Session, RunLock), Failure> {
        reach::to_act(self.request, &self.recorder, stop).await
    }

    /// All refusals come first: until the deployment has its row, nothing has been touched.
    async fn under_lock(
        &mut self,
        mut session: Session,
        lock: &RunLock,
        records: Records,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let plan = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(Failure::interrupted("interrupted before anything was touched")),
            plan = self.plan(&mut session, lock, stop) => plan?,
        };
        let request = self.request;
        let prepared = async {
            // Servers' processes start while the tables are made.
            let (made, clerks) =
                tokio::join!(bootstrap(request, &mut session, lock), clerks(request, lock, &plan));
            made.and(clerks)
        };
        let clerks = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(Failure::interrupted("interrupted before anything was touched")),
            clerks = prepared => clerks?,
        };
        let mut row = self.open(clerks, &plan, records, stop).await?;
        self.summary.nothing_to_do = plan.is_empty() && !row.owes_proof;
        let mut session = MainSession::new(session);
        let result = self.guarded_by_services(&plan, &mut row, &mut session, lock, stop).await;
        if result.is_ok() {
            let unwritten = match session.here(lock).await {
                Ok(session) => gate::write_receipt(request, session, row.number, true).await,
                Err(failure) => gate::no_receipt(request, &failure.message),
            };
            unwritten.iter().for_each(|warning| self.recorder.record(DeployEvent::from(warning)));
            self.warnings.extend(unwritten);
        }
        self.deployment = Some(row);
        session.close(lock).await;
        result
    }

    /// Reads what is to be done and asks everything that may refuse it. An old ledger is brought up to date for that; what
    /// is missing of one is not made yet.
    async fn plan(
        &mut self,
        session: &mut Session,
        lock: &RunLock,
        stop: &CancellationToken,
    ) -> Result<Plan, Failure> {
        let request = self.request;
        if postgres::ledger::exists(session, &request.ledger).await.map_err(Failure::session)? {
            bootstrap_with(request, session, lock, &[]).await?;
        }
        let mut plan = Plan::read(session, request).await.map_err(Failure::session)?;
        if let Some(expected) = &request.expected {
            expected.is(&plan, request, session).await?;
        }
        let mut passed = None;
        if request.baseline_when_unmanaged
            && matches!(plan.schema.state, Some(schema::State::Unmanaged { .. }))
        {
            // It writes, and so the gates come before it.
            passed = Some(gate::ask(request, &plan, session, &self.recorder).await?);
            baseline::adopt(request, session, lock, &plan, stop).await?;
            plan = Plan::read(session, request).await.map_err(Failure::session)?;
        }
        self.planned(&plan, session).await?;
        plan.refuse()?;
        iron_rule::ask(request, &plan.schema, session).await?;
        self.passed = match passed {
            Some(passed) => passed,
            None => gate::ask(request, &plan, session, &self.recorder).await?,
        };
        hooks::ask(request, session).await?;
        services::ask(request.services.as_ref().filter(|_| plan.changes_schema()), session).await?;
        self.warnings.extend(self.passed.warnings.clone());
        Ok(plan)
    }

    async fn stages(
        &mut self,
        part: Part<'_>,
        plan: &Plan,
        row: &mut Deployment,
        session: &mut MainSession,
        lock: &RunLock,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let stop = lock.stop_or_lost(stop);
        let deferred = plan.schema.deferred.iter().map(|deferred| &deferred.migration);
        let waiting = plan.schema.pending.iter().chain(deferred).cloned().collect();
        let mut stages = Stages {
            request: self.request,
            lock,
            recorder: &self.recorder,
            stop: &stop,
            deployment: row.number,
            summary: std::mem::take(&mut self.summary),
            warnings: Vec::new(),
            frozen: &self.passed.frozen,
            waiting,
        };
        let result = match part {
            Part::Stages(passed_the_gate) => {
                let (migrates, builds, fills) = (
                    plan.changes_schema(),
                    plan.index.pending().next().is_some(),
                    plan.backfill.pending().next().is_some(),
                );
                async {
                    self.hooks(Point::BeforeSchema, migrates, row, &stop).await?;
                    if self.request.frugal {
                        session.lend(lock);
                    }
                    stages.schema(row, plan).await?;
                    *passed_the_gate = true;
                    self.hooks(Point::AfterSchema, migrates, row, &stop).await?;
                    self.hooks(Point::BeforeIndex, builds, row, &stop).await?;
                    stages.index(row, session.here(lock).await?).await?;
                    self.hooks(Point::AfterIndex, builds, row, &stop).await?;
                    self.hooks(Point::BeforeBackfill, fills, row, &stop).await?;
                    stages.backfill(row, session.here(lock).await?).await?;
                    stages.deferred_indexes(row, session.here(lock).await?).await?;
                    self.hooks(Point::AfterBackfill, fills, row, &stop).await
                }
                .await
            }
            Part::Post => match session.here(lock).await {
                Ok(session) => stages.post(row, plan, session).await,
                Err(failure) => Err(failure),
            },
        };
        self.summary = stages.summary;
        self.warnings.extend(stages.warnings);
        result
    }

    /// Writes down how it ended. The lock is given back by the caller, after this.
    pub(crate) async fn end(mut self, result: Result<(), Failure>, started: Instant) -> Report {
        let mut failure = result.err();
        self.tell_others(&mut failure).await;
        let verdict = match &failure {
            Some(failure) => failure.verdict,
            None if self.warnings.is_empty() => Verdict::Succeeded,
            None => Verdict::Warnings,
        };
        let deployment = self.deployment.as_ref().map(|row| row.number);
        let services = self.deployment.as_ref().map(|row| row.services);
        let services = services.filter(|state| *state != ServicesState::Untouched).map(ServicesState::as_str);
        let report = Report {
            deployment,
            verdict,
            exit: self.request.exit.code(verdict),
            duration: started.elapsed(),
            warnings: self.warnings,
            failure,
            services,
            summary: self.summary,
        };
        self.recorder.record(DeployEvent::finished(&report, &self.request.environment));
        // The journal ends when the recorder, which feeds it, is gone; the row is closed after its last line.
        drop(self.recorder);
        let missing = match self.journal.take() {
            Some(journal) => journal.finish().await,
            None => 0,
        };
        if let Some(mut row) = self.deployment.take() {
            row.journal_missing = missing;
            row.close_as(&report).await;
        }
        report
    }
}
