//! The end of a fleet's deploy, where nothing has ended it before.

use fleet::Status;
use pipeline::Point;
use postgres::Warning;
use tokio_util::sync::CancellationToken;

use super::border::Border;
use super::rollout::Rollout;
use crate::event::DeployEvent;
use crate::failure::Failure;
use crate::gate;

impl Rollout<'_, '_> {
    /// What failed within the budget is a warning.
    pub(super) fn tell_of_failures(&mut self) {
        let names = |names: Vec<&str>| {
            let more = names.len().saturating_sub(10);
            let told = names.into_iter().take(10).collect::<Vec<_>>().join(", ");
            if more > 0 { format!("{told} and {more} more") } else { told }
        };
        let environment = &self.request.environment;
        let mut warnings = Vec::new();
        if !self.failed.is_empty() {
            let failed = names(self.failed.iter().map(|failed| failed.name.as_str()).collect());
            warnings.push(Warning {
                code: "W450",
                message: format!(
                    "{} of {} databases failed, within the budget: {failed}",
                    self.failed.len(),
                    self.databases.len()
                ),
                next: Some(format!(
                    "mend what they say, then: pgdeploy fleet retry --failed --env {environment}"
                )),
            });
        }
        let fell_short: usize = self.waves.iter().map(|wave| wave.warnings).sum();
        if fell_short > 0 {
            warnings.push(Warning {
                code: "W451",
                message: format!("of {fell_short} databases an index or a backfill fell short"),
                next: Some(format!("pgdeploy fleet list --env {environment}")),
            });
        }
        for warning in warnings {
            self.run.recorder.record(DeployEvent::from(&warning));
            self.run.warnings.push(warning);
        }
    }

    /// Verifies the last wave, and writes down that the release has succeeded here where every database has it.
    pub(super) async fn ends_well(
        &mut self,
        has_work: bool,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let request = self.request;
        let deployment = self.number();
        self.clerk.revive().await.map_err(Failure::session)?;
        let border =
            Border { request, fleet: self.fleet, recorder: &self.run.recorder, book: &self.book, deployment };
        border.verify_at_the_end(&self.clerk, stop).await?;
        let standing =
            self.book.standing(&mut *self.clerk.session().await).await.map_err(Failure::session)?;
        if let (true, Some(row)) =
            (standing.iter().all(|one| one.status == Status::Done), &mut self.run.deployment)
        {
            row.succeeded(request.release.files.iter()).await.map_err(Failure::session)?;
            let unwritten =
                gate::write_receipt(request, &mut *self.clerk.session().await, row.number, true).await;
            self.run.warnings.extend(unwritten);
        }
        self.hooks(Point::AfterDeploy, has_work, stop).await?;
        if let Some(row) = &mut self.run.deployment {
            row.is_proven = true;
        }
        Ok(())
    }
}
