//! What surrounds the stages of a deploy: services, hooks, verification.

use pipeline::Point;
use postgres::RunLock;
use tokio_util::sync::CancellationToken;

use super::{Part, Run};
use crate::deployment::Deployment;
use crate::event::DeployEvent;
use crate::failure::{Failure, Verdict, counted};
use crate::hooks;
use crate::main_session::MainSession;
use crate::plan::Plan;
use crate::services;
use crate::services_state::ServicesState;
use crate::verification;

impl Run<'_> {
    /// Services are down while the schema changes, and up again whatever happens after, unless the gate failed with the
    /// schema half way: then the old application may not fit it any more, and a person decides.
    pub(super) async fn guarded_by_services(
        &mut self,
        plan: &Plan,
        row: &mut Deployment,
        session: &mut MainSession,
        lock: &RunLock,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let mut result = self.hooks(Point::BeforeDeploy, !plan.is_empty(), row, stop).await;
        if result.is_ok() && plan.changes_schema() {
            result = services::stop(self.request, row, &self.recorder, stop).await;
        }
        let mut passed_the_gate = false;
        if result.is_ok() {
            let part = Part::Stages(&mut passed_the_gate);
            result = self.stages(part, plan, row, session, lock, stop).await;
        }
        let is_settled = row.services == ServicesState::Untouched || lock.lost().is_cancelled();
        if !is_settled && services::may_start(self.request, row, passed_the_gate).await {
            let restarted = services::start(self.request, row, &self.recorder, stop).await;
            result = match (result, restarted) {
                // What came first is what has to be mended first; the other is told with it.
                (Err(mut first), Err(second)) => {
                    first.evidence.push(format!("{}: {}", second.code, second.message));
                    Err(first)
                }
                (result, restarted) => result.and(restarted),
            };
        }
        if result.is_ok() {
            result = self.stages(Part::Post, plan, row, session, lock, stop).await;
        }
        if result.is_ok() {
            result = self.proven(row, stop).await;
        }
        if let Err(failure) = &mut result {
            self.say_what_is_in(failure, row.services, passed_the_gate);
        }
        result
    }

    /// What comes at the end of a deploy that had something to do, or of the one after it, where it did not come that far:
    /// the proof that all is well, and the hooks.
    async fn proven(&self, row: &mut Deployment, stop: &CancellationToken) -> Result<(), Failure> {
        if self.summary.nothing_to_do {
            return Ok(());
        }
        verification::run(self.request, row.number, &self.recorder, stop).await?;
        self.hooks(Point::AfterDeploy, true, row, stop).await?;
        row.is_proven = true;
        Ok(())
    }

    pub(crate) async fn hooks(
        &self,
        point: Point,
        has_work: bool,
        row: &mut Deployment,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        if !has_work {
            return Ok(());
        }
        hooks::run(point, self.request, row, &self.recorder, stop).await
    }

    /// A failure around the stages names what is in, and where the services were touched it names how they are.
    fn say_what_is_in(&self, failure: &mut Failure, services: ServicesState, passed_the_gate: bool) {
        if failure.verdict == Verdict::ServiceFailed {
            let done = self.summary.migrations.len();
            failure.evidence.push(format!(
                "{} of this deploy {} in the database",
                counted(done, "migration"),
                if done == 1 { "is" } else { "are" }
            ));
        }
        if services != ServicesState::Untouched {
            let why = match services {
                ServicesState::Stopped | ServicesState::Quiesced if !passed_the_gate => {
                    ": the gate has not passed, and by services.after_failed_gate a person decides"
                }
                _ => "",
            };
            failure.evidence.push(format!("{}{why}", services.in_words()));
        } else if failure.verdict == Verdict::ServiceFailed && self.request.services.is_some() {
            failure.evidence.push(services.in_words().to_owned());
        }
    }

    /// Runs the hooks that tell others how it ended; what fails of them changes nothing about that.
    pub(super) async fn tell_others(&mut self, failure: &mut Option<Failure>) {
        let Some(row) = &mut self.deployment else { return };
        match failure {
            Some(failure) => {
                let ended =
                    (failure.verdict.status(), self.request.exit.code(failure.verdict), Some(&*failure));
                let failed = hooks::tell(Point::OnFailure, ended, self.request, row, &self.recorder).await;
                failure.evidence.extend(failed);
            }
            None if self.summary.nothing_to_do => {}
            None => {
                let verdict = if self.warnings.is_empty() { Verdict::Succeeded } else { Verdict::Warnings };
                let ended = (verdict.status(), self.request.exit.code(verdict), None);
                let failed = hooks::tell(Point::OnSuccess, ended, self.request, row, &self.recorder).await;
                self.warnings.extend(failed.into_iter().map(|message| {
                    let next = Some("the deploy itself has succeeded; mend the hook for the next one".into());
                    let warning = postgres::Warning { code: "W420", message, next };
                    self.recorder.record(DeployEvent::from(&warning));
                    warning
                }));
            }
        }
    }
}
