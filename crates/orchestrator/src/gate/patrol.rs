//! Backfills run for hours, and the clock and people may close the road meanwhile. They stop at the border, and go on when
//! it is open again.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use backfill::{ItemOutcome, Outcome, Verdict};
use gates::freeze::{Standing, closes_at, standing};
use gates::{Gate, Stage, Timestamp};
use postgres::{Error, Session, Warning};
use tokio_util::sync::CancellationToken;

use crate::event::DeployEvent;
use crate::failure::Failure;
use crate::gate::{Clock, holds};
use crate::record::Recorder;
use crate::request::Request;

/// How often the ledger is asked for holds.
const LOOK: Duration = Duration::from_secs(2);

/// Watches over backfills.
pub(crate) struct Patrol<'a> {
    request: &'a Request,
    recorder: &'a Recorder<'a>,
    clock: Clock,
    session: Session,
}

/// What of the backfills may run.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Road {
    /// Why none may, and until when.
    closed: Option<(String, Option<Timestamp>)>,
    /// Those that are on hold.
    held: BTreeSet<String>,
}

impl<'a> Patrol<'a> {
    /// Begins to look, by the server's clock.
    pub(crate) async fn new(request: &'a Request, recorder: &'a Recorder<'a>) -> Result<Self, Error> {
        let mut session = request.target.connect_read_only("gate").await?;
        session.bounded().await?;
        let clock = Clock::of(&mut session).await?;
        Ok(Self { request, recorder, clock, session })
    }

    /// Runs while the road is open. `run` is given what stops it, how much of its time is left, and which backfills are on
    /// hold; it is called again after each closure that ends within the time.
    pub(crate) async fn run(
        mut self,
        budget: Duration,
        stop: &CancellationToken,
        mut run: impl AsyncFnMut(CancellationToken, Duration, &BTreeSet<String>) -> Result<Outcome, Failure>,
    ) -> Result<Outcome, Failure> {
        let deadline = Instant::now() + budget;
        let mut so_far: Option<Outcome> = None;
        loop {
            let road = self.road().await;
            let left = deadline.saturating_duration_since(Instant::now());
            if let Some((why, until)) = &road.closed {
                let opens_in = until.map(|until| wait(until, self.clock.now()));
                // A hold without an end may be lifted at any time; a deploy does not wait for it.
                if opens_in.is_none_or(|opens_in| opens_in > left) && budget < crate::backfills::FOR_EVER {
                    return Ok(closed(so_far.unwrap_or_default(), why, *until));
                }
                self.recorder.record(DeployEvent::BackfillsPaused {
                    reason: why.clone(),
                    until: until.map(gates::shown),
                });
                if !self.opened(&road, stop).await {
                    let outcome = so_far.unwrap_or_default();
                    return Ok(Outcome { interrupted: true, ..outcome });
                }
                self.recorder.record(DeployEvent::BackfillsGoOn);
                continue;
            }
            let token = stop.child_token();
            let turned = {
                let running = run(token.clone(), left, &road.held);
                tokio::pin!(running);
                tokio::select! {
                    outcome = &mut running => return Ok(with_held(outcome?, &road.held)),
                    () = self.changed(&road) => {}
                }
                token.cancel();
                running.await?
            };
            if stop.is_cancelled() {
                return Ok(turned);
            }
            so_far = Some(turned);
        }
    }

    /// Waits until nothing is as it was; false where a stop came first.
    async fn opened(&mut self, road: &Road, stop: &CancellationToken) -> bool {
        tokio::select! {
            biased;
            () = stop.cancelled() => false,
            () = self.changed(road) => true,
        }
    }

    /// Returns when the clock or people have changed what may run.
    async fn changed(&mut self, road: &Road) {
        loop {
            let now = self.clock.now();
            let border = match &road.closed {
                Some((_, until)) => *until,
                None => closes_at(self.windows(), Stage::Backfill, now),
            };
            let sleep = border.map_or(LOOK, |border| wait(border, now).min(LOOK));
            tokio::time::sleep(sleep).await;
            let closed = |road: &Road| road.closed.is_some();
            let found = self.road().await;
            if closed(&found) != closed(road) || found.held != road.held {
                return;
            }
        }
    }

    fn windows(&self) -> &'a [gates::Window] {
        if self.overridden(Gate::Freeze) { &[] } else { &self.request.gates.windows }
    }

    fn overridden(&self, gate: Gate) -> bool {
        self.request.overridden.as_ref().is_some_and(|one| one.gate == gate)
    }

    /// What may run now. A ledger that cannot be read holds nothing up: the run itself will say so.
    async fn road(&mut self) -> Road {
        let now = self.clock.now();
        let holds = if self.overridden(Gate::Hold) { Vec::new() } else { self.holds().await };
        let on: Vec<_> = holds.iter().filter(|hold| hold.is_on(now)).collect();
        let release = &self.request.release;
        let all = on.iter().filter(|hold| hold.stops_release(&release.hash));
        let mut closed = None;
        for hold in all.clone() {
            closed = Some((hold.shown(), hold.until));
        }
        if all.clone().any(|hold| hold.until.is_none()) {
            closed = closed.map(|(why, _)| (why, None));
        }
        if let Standing::Closed { why, until } = standing(self.windows(), Stage::Backfill, now) {
            closed = closed.or(Some((why.join("; "), until)));
        }
        let ids = release.backfills.items().iter().map(|definition| definition.id.clone());
        let held = ids.filter(|id| on.iter().any(|hold| hold.stops_backfill(id, &release.hash)));
        Road { closed, held: held.collect() }
    }

    async fn holds(&mut self) -> Vec<gates::Hold> {
        match holds::read(&mut self.session, self.request).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "the holds cannot be read; they are looked at again");
                if error.is_lost_connection()
                    && let Ok(session) = self.request.target.connect_read_only("gate").await
                {
                    self.session = session;
                }
                Vec::new()
            }
        }
    }
}

fn wait(until: Timestamp, now: Timestamp) -> Duration {
    until.duration_since(now).try_into().unwrap_or(Duration::ZERO)
}

/// The backfills that are on hold are not complete, whatever else was done.
fn with_held(mut outcome: Outcome, held: &BTreeSet<String>) -> Outcome {
    for id in held {
        outcome.warnings.push(Warning {
            code: "W403",
            message: format!("{id} is on hold"),
            next: Some("pgdeploy hold list --env {env}".into()),
        });
    }
    outcome
}

/// How the stage ends when the road stays closed for longer than it may wait. What was interrupted is only paused.
fn closed(outcome: Outcome, why: &str, until: Option<Timestamp>) -> Outcome {
    let until = until
        .map_or("nobody can say until when".to_owned(), |until| format!("until {}", gates::shown(until)));
    let warning = Warning {
        code: "W401",
        message: format!("the backfills are paused {until}: {why}"),
        next: Some("they resume at the next deploy, or: pgdeploy backfill run --env {env}".into()),
    };
    Outcome { items: outcome.items, warnings: vec![warning], interrupted: false }
}

/// What is said of backfills that were not begun at all.
pub(crate) fn not_begun(items: impl Iterator<Item = backfill::Item>, reason: &str) -> Vec<ItemOutcome> {
    items
        .map(|item| ItemOutcome {
            id: item.id,
            table: item.table,
            outcome: Verdict::Incomplete,
            rows: item.rows_done,
            estimated_rows: item.rows_done + item.estimated_rows.unwrap_or(0),
            skipped: 0,
            seconds: 0.0,
            reason: Some(reason.to_owned()),
        })
        .collect()
}
