//! Between waves: the wave before has soaked, and what has to be so after it is so.

use std::time::Duration;

use postgres::Clerk;
use tokio_util::sync::CancellationToken;

use super::Fleet;
use crate::event::FleetEvent;
use crate::failure::Failure;
use crate::record::Recorder;
use crate::request::Request;
use crate::verification;

/// What is between two waves.
pub(super) struct Border<'a> {
    pub(super) request: &'a Request,
    pub(super) fleet: &'a Fleet,
    pub(super) recorder: &'a Recorder<'a>,
    pub(super) book: &'a fleet::Book,
    /// The fleet's deployment.
    pub(super) deployment: i64,
}

impl Border<'_> {
    /// Waits until every wave before this one has soaked, and asks what has to be so then, where nobody has since. Whether
    /// that took time. Whatever process has deployed the wave, its soak counts from the end of that.
    pub(super) async fn pass(
        &self,
        before: usize,
        clerk: &Clerk,
        stop: &CancellationToken,
    ) -> Result<bool, Failure> {
        let mut has_taken_time = false;
        for place in 0..before {
            let wave = &self.fleet.waves[place];
            let soaked =
                self.book.soaked(&mut *clerk.session().await, &wave.name).await.map_err(Failure::session)?;
            let Some((soaked, _)) = soaked else { continue };
            let left = wave.soak.saturating_sub(soaked);
            if !left.is_zero() {
                self.soak(&wave.name, left, stop).await?;
                has_taken_time = true;
                clerk.revive().await.map_err(Failure::session)?;
            }
            has_taken_time |= self.verify(place, clerk, stop).await?;
        }
        Ok(has_taken_time)
    }

    async fn soak(&self, wave: &str, left: Duration, stop: &CancellationToken) -> Result<(), Failure> {
        let for_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        self.recorder.record(FleetEvent::Soaking { wave: wave.to_owned(), for_ms });
        tokio::select! {
            biased;
            () = stop.cancelled() => {
                Err(Failure::interrupted(format!("interrupted while the wave {wave} soaked; the time counts")))
            }
            () = tokio::time::sleep(left) => Ok(()),
        }
    }

    /// Asks after the last wave too, and after those before it that have soaked.
    pub(super) async fn verify_at_the_end(
        &self,
        clerk: &Clerk,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let last = self.fleet.waves.len() - 1;
        for (place, wave) in self.fleet.waves.iter().enumerate() {
            let soaked =
                self.book.soaked(&mut *clerk.session().await, &wave.name).await.map_err(Failure::session)?;
            if place == last || soaked.is_some_and(|(soaked, _)| soaked >= wave.soak) {
                self.verify(place, clerk, stop).await?;
            }
        }
        Ok(())
    }

    /// Asks what has to be so after a wave that has been deployed, unless somebody has; whether it was
    /// asked.
    async fn verify(&self, place: usize, clerk: &Clerk, stop: &CancellationToken) -> Result<bool, Failure> {
        let (wave, verify) = (&self.fleet.waves[place], &self.fleet.verify[place]);
        let soaked =
            self.book.soaked(&mut *clerk.session().await, &wave.name).await.map_err(Failure::session)?;
        if verify.is_empty() || soaked.is_none_or(|(_, is_verified)| is_verified) {
            return Ok(false);
        }
        let request = Request { verify: verify.clone(), ..self.request.clone() };
        verification::run(&request, self.deployment, self.recorder, stop).await.map_err(|failure| {
            let message = format!("after the wave {}: {}", wave.name, failure.message);
            Failure { message, ..failure }
        })?;
        self.book.verified(&mut *clerk.session().await, &wave.name).await.map_err(Failure::session)?;
        Ok(true)
    }
}
