//! The deploy of a fleet: wave after wave, under the lock of the control database.

use std::time::Instant;

use fleet::{Book, Member};
use futures_util::StreamExt;
use pipeline::Point;
use postgres::{Clerk, RunLock};
use tokio_util::sync::CancellationToken;

use super::Fleet;
use super::border::Border;
use super::databases::{self, Database};
use super::look::{self, Look};
use super::one;
use super::report::{FailedTarget, FleetReport, WaveReport};
use super::selection::Selection;
use super::wave::WaveRun;
use crate::clerks::clerks;
use crate::deploy::{Records, Run};
use crate::event::FleetEvent;
use crate::failure::Failure;
use crate::foundation::bootstrap_with;
use crate::gate;
use crate::hooks;
use crate::ledger::FOR_FLEETS;
use crate::plan::Plan;
use crate::record::{Observer, Recorder};
use crate::request::Request;

/// Deploys to the databases of a fleet, or goes on where an earlier deploy ended, whatever ended it. Which database has
/// what, is asked of itself.
pub async fn deploy_fleet(
    request: &Request,
    selection: &Selection,
    observer: Observer<'_>,
    stop: &CancellationToken,
) -> FleetReport {
    let started = Instant::now();
    let (recorder, records) = Recorder::new(&request.environment, observer);
    let mut run = Run::new(request, recorder);
    let (mut waves, mut failed, mut databases) = (Vec::new(), Vec::new(), 0);
    let (result, lock) = match (run.reach(stop).await, &request.fleet) {
        (Ok((session, lock)), Some(fleet)) => {
            let mut rollout = Rollout {
                run: &mut run,
                request,
                fleet,
                lock: &lock,
                clerk: Clerk::new(session),
                book: Book::new(&request.ledger, &request.environment, &request.release.hash),
                records: Some(records),
                up_to_date: Vec::new(),
                waves: Vec::new(),
                failed: Vec::new(),
                databases: Vec::new(),
            };
            let stop = lock.stop_or_lost(stop);
            let result = rollout.under_lock(selection, &stop).await;
            let result = if lock.lost().is_cancelled() { Err(Failure::lock_lost()) } else { result };
            (waves, failed, databases) = (rollout.waves, rollout.failed, rollout.databases.len());
            rollout.clerk.close().await;
            (result, Some(lock))
        }
        (Ok((_, lock)), None) => (Err(Failure::no_fleet(&request.environment)), Some(lock)),
        (Err(failure), _) => (Err(failure), None),
    };
    let report = run.end(result, started).await;
    if let Some(lock) = lock {
        lock.release().await;
    }
    FleetReport { report, waves, failed, databases }
}

pub(super) struct Rollout<'r, 'a> {
    pub(super) run: &'r mut Run<'a>,
    pub(super) request: &'a Request,
    pub(super) fleet: &'a Fleet,
    lock: &'r RunLock,
    pub(super) clerk: Clerk,
    pub(super) book: Book,
    /// Until the deployment has its row.
    records: Option<Records>,
    /// Those that were found so before the account was opened.
    up_to_date: Vec<String>,
    pub(super) waves: Vec<WaveReport>,
    pub(super) failed: Vec<FailedTarget>,
    pub(super) databases: Vec<Database>,
}

impl Rollout<'_, '_> {
    async fn under_lock(&mut self, selection: &Selection, stop: &CancellationToken) -> Result<(), Failure> {
        let request = self.request;
        if postgres::ledger::exists(&mut *self.clerk.session().await, &request.ledger)
            .await
            .map_err(Failure::session)?
        {
            bootstrap_with(request, &mut *self.clerk.session().await, self.lock, &[]).await?;
        }
        self.databases = databases::of(request, self.fleet, &mut *self.clerk.session().await).await?;
        let selected = self.selected(selection).await?;
        let plan = Plan::read(&mut *self.clerk.session().await, request).await.map_err(Failure::session)?;
        self.run.recorder.record(FleetEvent::Planned {
            pipeline: request.pipeline.clone(),
            control: request.target.to_string(),
            release: request.release.hash.clone(),
            plan: plan.hash.clone(),
            actor: request.actor.name.clone(),
            databases: self.databases.len(),
            selected: selected.len(),
            waves: self.fleet.waves.iter().map(|wave| wave.name.clone()).collect(),
        });
        let mut has_work = false;
        for place in 0..self.fleet.waves.len() {
            let of_wave = |database: &&Database| database.wave == place && selected.contains(&database.name);
            let databases: Vec<Database> = self.databases.iter().filter(of_wave).cloned().collect();
            if !databases.is_empty() {
                has_work |= self.wave(place, &databases, &plan, stop).await?;
            }
        }
        self.open(&plan, stop).await?;
        self.run.summary.nothing_to_do = !has_work;
        self.tell_of_failures();
        self.ends_well(has_work, stop).await
    }

    /// Takes a wave through; whether it had anything to do.
    async fn wave(
        &mut self,
        place: usize,
        databases: &[Database],
        plan: &Plan,
        stop: &CancellationToken,
    ) -> Result<bool, Failure> {
        let wave = &self.fleet.waves[place];
        let mut report =
            WaveReport { wave: wave.name.clone(), databases: databases.len(), ..Default::default() };
        let looks = self.look(wave, databases, stop).await?;
        let (up_to_date, work): (Vec<_>, Vec<_>) =
            looks.into_iter().partition(|(_, look)| matches!(look, Look::UpToDate));
        report.up_to_date = up_to_date.len();
        self.run.recorder.record(FleetEvent::LookedAt {
            wave: wave.name.clone(),
            databases: databases.len(),
            up_to_date: up_to_date.len(),
            unknown: work.iter().filter(|(_, look)| matches!(look, Look::Unknown(..))).count(),
        });
        self.up_to_date.extend(up_to_date.into_iter().map(|(database, _)| database.name.clone()));
        let has_work = !work.is_empty();
        let result = match has_work {
            true => self.deploys(place, work, &mut report, plan, stop).await,
            false => self.told_of_those_up_to_date().await,
        };
        self.waves.push(report);
        result.map(|()| has_work)
    }

    /// Whether each database of a wave has the release.
    async fn look<'d>(
        &self,
        wave: &fleet::Wave,
        databases: &'d [Database],
        stop: &CancellationToken,
    ) -> Result<Vec<(&'d Database, Look)>, Failure> {
        let request = self.request;
        let looks = futures_util::stream::iter(databases).map(|database| async move {
            let request = one::request_for(request, &database.name, database.target.clone());
            (database, look::at(&request).await)
        });
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(Failure::interrupted(format!("interrupted before the wave {}", wave.name))),
            looks = looks.buffered(wave.max_parallel).collect() => Ok(looks),
        }
    }

    async fn deploys(
        &mut self,
        place: usize,
        work: Vec<(&Database, Look)>,
        report: &mut WaveReport,
        plan: &Plan,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let request = self.request;
        report.not_begun = work.len();
        self.clerk.revive().await.map_err(Failure::session)?;
        // What people or the clock have closed meanwhile stops the next wave.
        let passed = gate::ask(request, plan, &mut *self.clerk.session().await, &self.run.recorder).await?;
        let is_first = self.records.is_some();
        self.open(plan, stop).await?;
        if is_first {
            self.run.warnings.extend(passed.warnings);
            self.hooks(Point::BeforeDeploy, true, stop).await?;
        }
        self.told_of_those_up_to_date().await?;
        let deployment = self.number();
        let border =
            Border { request, fleet: self.fleet, recorder: &self.run.recorder, book: &self.book, deployment };
        if border.pass(place, &self.clerk, stop).await? {
            gate::ask(request, plan, &mut *self.clerk.session().await, &self.run.recorder).await?;
        }
        let run = WaveRun {
            request,
            recorder: &self.run.recorder,
            book: &self.book,
            clerk: &self.clerk,
            deployment,
            report,
            failed: &mut self.failed,
        };
        let of_wave = self.databases.iter().filter(|database| database.wave == place).count();
        run.run(&self.fleet.waves[place], of_wave, work, stop).await?;
        match stop.is_cancelled() {
            true => {
                Err(Failure::interrupted(format!("interrupted in the wave {}", self.fleet.waves[place].name)))
            }
            false => Ok(()),
        }
    }

    /// Opens the account, once: until then nothing has been touched.
    async fn open(&mut self, plan: &Plan, stop: &CancellationToken) -> Result<(), Failure> {
        let Some(records) = self.records.take() else { return Ok(()) };
        let request = self.request;
        hooks::ask(request, &mut *self.clerk.session().await).await?;
        bootstrap_with(request, &mut *self.clerk.session().await, self.lock, &FOR_FLEETS).await?;
        self.lock.share(self.clerk.clone());
        let row =
            self.run.open(clerks(self.run.request, self.lock, plan).await?, plan, records, stop).await?;
        let number = row.number;
        self.run.deployment = Some(row);
        let member = |database: &Database| Member {
            name: database.name.clone(),
            wave: self.fleet.waves[database.wave].name.clone(),
        };
        let members: Vec<Member> = self.databases.iter().map(member).collect();
        self.book
            .enlist(&mut *self.clerk.session().await, &members, number)
            .await
            .map_err(Failure::session)?;
        self.told_of_those_up_to_date().await?;
        Ok(())
    }

    async fn told_of_those_up_to_date(&mut self) -> Result<(), Failure> {
        let Some(row) = &self.run.deployment else { return Ok(()) };
        let number = row.number;
        let names: Vec<&str> = self.up_to_date.iter().map(String::as_str).collect();
        if !names.is_empty() {
            self.book
                .up_to_date(&mut *self.clerk.session().await, &names, number)
                .await
                .map_err(Failure::session)?;
            self.up_to_date.clear();
        }
        Ok(())
    }

    pub(super) fn number(&self) -> i64 {
        self.run.deployment.as_ref().map_or(0, |row| row.number)
    }

    /// Those of the fleet, around all of it.
    pub(super) async fn hooks(
        &mut self,
        point: Point,
        has_work: bool,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let Some(mut row) = self.run.deployment.take() else { return Ok(()) };
        let result = self.run.hooks(point, has_work, &mut row, stop).await;
        self.run.deployment = Some(row);
        result
    }
}
