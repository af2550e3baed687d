//! The three stages, one after the other. The order is the product.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use postgres::{RunLock, Session, Stage, Warning};
use tokio_util::sync::CancellationToken;

use crate::contract;
use crate::deployment::Deployment;
use crate::event::{DeployEvent, Event, StageName, StageResult};
use crate::failure::Failure;
use crate::gate::{Frozen, Patrol, not_begun};
use crate::plan::Plan;
use crate::record::Recorder;
use crate::report::Summary;
use crate::request::Request;

/// What the stages share.
pub(crate) struct Stages<'a> {
    pub(crate) request: &'a Request,
    pub(crate) lock: &'a RunLock,
    pub(crate) recorder: &'a Recorder<'a>,
    pub(crate) stop: &'a CancellationToken,
    pub(crate) deployment: i64,
    pub(crate) summary: Summary,
    pub(crate) warnings: Vec<Warning>,
    /// Stages that may not begin now.
    pub(crate) frozen: &'a [Frozen],
    /// Migrations that were not in at the beginning: those that have not come in since have not succeeded.
    pub(crate) waiting: Vec<schema::Migration>,
}

impl Stages<'_> {
    /// Stage 1, the hard gate: its failure ends the deploy.
    pub(crate) async fn schema(&mut self, row: &mut Deployment, plan: &Plan) -> Result<(), Failure> {
        self.migrations(StageName::Schema, schema::Phase::Pre, row, plan).await
    }

    /// The migrations whose time is the end. On a database that was empty, those too that waited for a backfill of this
    /// deploy: nobody uses it yet.
    pub(crate) async fn post(
        &mut self,
        row: &mut Deployment,
        plan: &Plan,
        session: &mut Session,
    ) -> Result<(), Failure> {
        let fresh = plan.schema.state == Some(schema::State::Fresh) && !plan.schema.deferred.is_empty();
        if !fresh && plan.schema.pending_in(schema::Phase::Post).next().is_none() {
            return Ok(());
        }
        let plan = Plan::read(session, self.request).await.map_err(Failure::session)?;
        if fresh && plan.changes_schema() {
            self.migrations(StageName::Post, schema::Phase::Pre, row, &plan).await?;
        }
        self.migrations(StageName::Post, schema::Phase::Post, row, &plan).await
    }

    async fn migrations(
        &mut self,
        stage: StageName,
        phase: schema::Phase,
        row: &mut Deployment,
        plan: &Plan,
    ) -> Result<(), Failure> {
        let works = plan.schema.has_steps(phase);
        let started = self.begin(stage, works, row).await?;
        let events = |event| self.recorder.record(Event::Schema(event));
        let (settings, backfills) = (&self.request.schema, &plan.backfills);
        let result = schema::run(&self.stage(&events), &plan.schema, phase, settings, backfills).await;
        let ended = match &result {
            Ok(applied) if applied.is_empty() && plan.schema.fixtures.is_none() => StageResult::Unchanged,
            Ok(_) => StageResult::Done,
            Err(error) if matches!(error.failure, schema::Failure::Interrupted) => StageResult::Interrupted,
            Err(_) => StageResult::Failed,
        };
        let applied = match &result {
            Ok(applied) => applied.clone(),
            Err(error) => error.applied.clone(),
        };
        self.summary.migrations.extend(applied);
        // A stop that no signal asked for: the lock is lost.
        let lost = self.lock.lost().is_cancelled();
        let gate = result.map(drop).map_err(|error| match error.failure {
            schema::Failure::Interrupted if lost => Failure::lock_lost(),
            _ => Failure::gate(error, plan.schema.pending.len()),
        });
        // Why the gate stayed shut is worth more than that the row could not be written.
        let finished = self.finish(stage, ended, started, row).await;
        gate.and(finished)
    }

    /// Stage 3: what it cannot finish is a warning, and goes on at the next deploy.
    pub(crate) async fn backfill(
        &mut self,
        row: &mut Deployment,
        session: &mut Session,
    ) -> Result<(), Failure> {
        let plan = backfill::plan(session, &self.request.release.backfills, &self.request.ledger)
            .await
            .map_err(Failure::session)?;
        let unchanged = plan.pending().next().is_none();
        let started = self.begin(StageName::Backfill, !unchanged, row).await?;
        let outcome = match self.frozen_stage(StageName::Backfill) {
            _ if unchanged => self.backfills(plan).await?,
            Some(frozen) => backfill::Outcome {
                items: not_begun(plan.pending().cloned(), &frozen.why),
                warnings: vec![frozen.warning()],
                interrupted: false,
            },
            None => self.watched_backfills(session).await?,
        };
        let ended = warning_stage(outcome.interrupted, unchanged, &outcome.warnings);
        self.summary.backfills = outcome.items;
        self.warn(outcome.warnings);
        self.finish(StageName::Backfill, ended, started, row).await?;
        self.interrupted(ended, "interrupted in the backfill stage")
    }

    /// They stop where the clock or a hold closes the road, and go on if it opens within their time.
    async fn watched_backfills(&self, session: &mut Session) -> Result<backfill::Outcome, Failure> {
        let (request, mut held) = (self.request, Vec::new());
        let pending = contract::pending_migrations(session, request).await.map_err(Failure::session)?;
        let patrol = Patrol::new(request, self.recorder).await.map_err(Failure::session)?;
        let outcome = patrol
            .run(request.backfill.budget, self.stop, async |stop, budget, on_hold| {
                let plan = backfill::plan(session, &request.release.backfills, &request.ledger).await;
                let plan = plan.map_err(Failure::session)?;
                held = plan.pending().filter(|item| on_hold.contains(&item.id)).cloned().collect();
                let ids = plan.items().iter().map(|item| item.id.clone());
                let ids = ids.filter(|id| !on_hold.contains(id)).collect();
                let pending_migrations = pending.clone();
                let settings = backfill::Settings { budget, pending_migrations, ..request.backfill.clone() };
                Ok(self.backfills_until(plan.only(ids), &settings, stop).await)
            })
            .await?;
        let mut items = outcome.items;
        items.extend(not_begun(held.into_iter(), "on hold"));
        Ok(backfill::Outcome { items, ..outcome })
    }

    async fn backfills(&self, plan: backfill::Plan) -> Result<backfill::Outcome, Failure> {
        Ok(self.backfills_until(plan, &self.request.backfill, self.stop.clone()).await)
    }

    async fn backfills_until(
        &self,
        plan: backfill::Plan,
        settings: &backfill::Settings,
        stop: CancellationToken,
    ) -> backfill::Outcome {
        let events = |event| self.recorder.record(Event::Backfill(event));
        let stage = backfill::Stage {
            target: &self.request.target,
            ledger: &self.request.ledger,
            deployment: Some(self.deployment),
            host: &self.request.actor.host,
            events: &events,
            stop,
        };
        backfill::run(&stage, &plan, settings).await
    }

    /// Why a stage may not begin now, if so.
    pub(crate) fn frozen_stage(&self, stage: StageName) -> Option<&Frozen> {
        self.frozen.iter().find(|frozen| frozen.stage == stage)
    }

    pub(crate) fn stage<'s, E>(&'s self, events: postgres::Events<'s, E>) -> Stage<'s, E> {
        Stage {
            lock: self.lock,
            ledger: &self.request.ledger,
            deployment: self.deployment,
            events,
            stop: self.stop.clone(),
        }
    }

    /// `works`: whether there is anything to do in it. Else its end follows at once, and says so.
    pub(crate) async fn begin(
        &self,
        stage: StageName,
        works: bool,
        row: &mut Deployment,
    ) -> Result<Instant, Failure> {
        self.recorder.record(DeployEvent::StageStarted { stage });
        if works {
            row.begun(stage).await.map_err(Failure::session)?;
        }
        Ok(Instant::now())
    }

    /// Records how the stage ended, and which of its files may go on to the next environment.
    pub(crate) async fn finish(
        &self,
        stage: StageName,
        result: StageResult,
        started: Instant,
        row: &mut Deployment,
    ) -> Result<(), Failure> {
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.recorder.record(DeployEvent::StageFinished { stage, result, duration_ms });
        let short = self.fallen_short();
        let files = self.request.release.files.iter();
        let whose = if stage == StageName::Post { StageName::Schema } else { stage };
        let succeeded = files.filter(|file| file.stage == whose && !short.contains(file.path.as_path()));
        let complete = match stage {
            StageName::Schema | StageName::Post => result.is_success(),
            _ => !matches!(result, StageResult::Failed | StageResult::Interrupted),
        };
        let is_recorded =
            stage == StageName::Schema && result == StageResult::Unchanged && row.has_migrations;
        if complete && !is_recorded {
            row.succeeded(succeeded).await.map_err(Failure::session)?;
        }
        row.ended(stage, result).await.map_err(Failure::session)
    }

    /// Files with an item that did not end well.
    fn fallen_short(&self) -> HashSet<&Path> {
        let release = &self.request.release;
        let indexes = self.summary.indexes.iter().filter(|item| !item.outcome.is_fine());
        let indexes = indexes.filter_map(|item| release.path_of_index(&item.name));
        let complete =
            |outcome| matches!(outcome, backfill::Verdict::Complete | backfill::Verdict::Unchanged);
        let backfills = self.summary.backfills.iter().filter(|item| !complete(item.outcome));
        let backfills = backfills.filter_map(|item| release.path_of_backfill(&item.id));
        let done: HashSet<&str> =
            self.summary.migrations.iter().map(|done| done.migration.as_str()).collect();
        let waiting = self.waiting.iter().filter(|migration| !done.contains(migration.source.stem()));
        let waiting = waiting.map(|migration| migration.source.path.as_path());
        indexes.chain(backfills).chain(waiting).collect()
    }

    pub(crate) fn warn(&mut self, warnings: Vec<Warning>) {
        for warning in warnings {
            let warning = warning.at(&self.request.environment);
            self.recorder.record(DeployEvent::from(&warning));
            self.warnings.push(warning);
        }
    }

    pub(crate) fn interrupted(&self, ended: StageResult, what: &str) -> Result<(), Failure> {
        if self.lock.lost().is_cancelled() {
            return Err(Failure::lock_lost());
        }
        if ended == StageResult::Interrupted { Err(Failure::interrupted(what)) } else { Ok(()) }
    }
}

pub(crate) fn warning_stage(interrupted: bool, unchanged: bool, warnings: &[Warning]) -> StageResult {
    match (interrupted, warnings.is_empty(), unchanged) {
        (true, _, _) => StageResult::Interrupted,
        (_, false, _) => StageResult::Warnings,
        (_, _, true) => StageResult::Unchanged,
        _ => StageResult::Done,
    }
}
