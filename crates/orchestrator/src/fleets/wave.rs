//! The deploys of a wave, and the account that is kept of them.

use std::time::{Duration, Instant};

use fleet::{Account, Ended, Ending, Job, Limits, Status};
use postgres::Clerk;
use tokio_util::sync::CancellationToken;

use super::databases::Database;
use super::look::{self, Look, Work};
use super::one::{self, Done};
use super::report::{FailedTarget, WaveReport};
use crate::event::FleetEvent;
use crate::failure::Failure;
use crate::record::Recorder;
use crate::request::Request;

/// The fleet's own: the lock, and the one that keeps the account.
const CONTROL: usize = 2;
/// How long the server may take to see that a session has been closed.
const LINGER: Duration = Duration::from_millis(100);

/// What the deploys of a wave share.
pub(super) struct WaveRun<'a> {
    pub(super) request: &'a Request,
    pub(super) recorder: &'a Recorder<'a>,
    pub(super) book: &'a fleet::Book,
    pub(super) clerk: &'a Clerk,
    pub(super) deployment: i64,
    pub(super) report: &'a mut WaveReport,
    pub(super) failed: &'a mut Vec<FailedTarget>,
}

impl WaveRun<'_> {
    /// Deploys to those that have something to do, or of which that is not known. The budget is one of all databases of the
    /// wave, however many of them this deploy is about.
    pub(super) async fn run(
        mut self,
        wave: &fleet::Wave,
        of_wave: usize,
        work: Vec<(&Database, Look)>,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let control = self.request;
        let started = Instant::now();
        let limits = Limits {
            parallel: wave.max_parallel,
            connections: (wave.max_parallel * 3).saturating_sub(CONTROL),
            may_fail: wave.failure_budget.rounded_down(of_wave),
        };
        self.recorder.record(FleetEvent::WaveStarted {
            wave: wave.name.clone(),
            databases: work.len(),
            max_parallel: wave.max_parallel,
            may_fail: limits.may_fail,
        });
        let jobs = work.into_iter().map(|(database, look)| {
            let mut request = one::request_for(control, &database.name, database.target.clone());
            let connections = match look {
                Look::Work(Work { connections, .. }) => connections,
                Look::Unknown(_, took) => {
                    // It has had part of its time already.
                    request.patience.wait = request.patience.wait.saturating_sub(took);
                    look::SCHEMA
                }
                Look::UpToDate => 1,
            };
            Job { of: (database.name.clone(), request), connections }
        });
        let ran = fleet::run(jobs.collect(), limits, stop, &mut self, |(name, request)| {
            let stop = stop.clone();
            async move {
                let done = one::run(request, name, &stop).await;
                tokio::time::sleep(LINGER).await;
                done
            }
        })
        .await?;
        self.report.not_begun = ran.not_begun;
        if self.report.done > 0 {
            self.book
                .deployed(&mut *self.clerk.session().await, &wave.name)
                .await
                .map_err(Failure::session)?;
        }
        let report = &*self.report;
        self.recorder.record(FleetEvent::WaveFinished {
            wave: wave.name.clone(),
            done: report.done + report.up_to_date,
            up_to_date: report.up_to_date,
            failed: report.failed,
            not_begun: report.not_begun,
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        if ran.beyond_budget {
            let of_wave = self.failed.iter().filter(|failed| failed.wave == wave.name);
            let why: Vec<String> = of_wave
                .map(|failed| format!("{}: {} {}", failed.name, failed.code, failed.message))
                .collect();
            let why = crate::failure::some(why.into_iter());
            let numbers = (ran.failed, report.databases);
            return Err(Failure::beyond_budget(&wave.name, numbers, limits.may_fail, why));
        }
        Ok(())
    }
}

impl Account for WaveRun<'_> {
    type Job = (String, Request);
    type Done = Done;
    type Error = Failure;

    async fn begins(&mut self, (name, _): &(String, Request)) -> Result<(), Failure> {
        self.clerk.revive().await.map_err(Failure::session)?;
        self.book
            .begins(&mut *self.clerk.session().await, name, self.deployment)
            .await
            .map_err(Failure::session)?;
        let (wave, database) = (self.report.wave.clone(), name.clone());
        self.recorder.record(FleetEvent::DatabaseStarted { wave, database });
        Ok(())
    }

    async fn ended(&mut self, done: Done) -> Result<Ending, Failure> {
        let (ending, number) = match done.status {
            Status::Done | Status::Warnings => (Ending::Well, &mut self.report.done),
            Status::Interrupted => (Ending::Stopped, &mut self.report.interrupted),
            _ => (Ending::Failed, &mut self.report.failed),
        };
        *number += 1;
        self.report.warnings += usize::from(done.status == Status::Warnings);
        let wave = self.report.wave.clone();
        self.recorder.record(FleetEvent::DatabaseFinished {
            wave: wave.clone(),
            database: done.name.clone(),
            status: done.status.as_str(),
            of_database: done.of_target,
            duration_ms: u64::try_from(done.duration.as_millis()).unwrap_or(u64::MAX),
            code: done.code.clone(),
            message: done.message.clone(),
        });
        if ending == Ending::Failed {
            self.failed.push(FailedTarget {
                name: done.name.clone(),
                wave,
                code: done.code.clone().unwrap_or_default(),
                message: done.message.clone().unwrap_or_default(),
            });
        }
        self.clerk.revive().await.map_err(Failure::session)?;
        let ended = Ended {
            name: &done.name,
            status: done.status,
            deployment: done.of_target,
            code: done.code.as_deref(),
            message: done.message.as_deref(),
        };
        self.book.ended(&mut *self.clerk.session().await, &ended).await.map_err(Failure::session)?;
        Ok(ending)
    }
}
