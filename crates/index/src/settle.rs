//! One declared index, from what is there to what should be there: a loop over its state, read anew at each turn.

use std::time::Duration;

use postgres::{Backoff, Error};
use tokio::time::Instant;

use crate::build::Reason;
use crate::compare::{self, Made};
use crate::declaration::Declaration;
use crate::ending::Ending;
use crate::event::Event;
use crate::ledger::{Act, Ended};
use crate::outcome::{ItemOutcome, Settled};
use crate::plan::{Judged, judge};
use crate::state::State;
use crate::survey::{FoundName, Table};
use crate::watch::milliseconds;
use crate::worker::Worker;

/// How often a lost connection is made again for one index.
const RECONNECTS: u32 = 3;

/// What has happened to an index so far.
#[derive(Debug, Default)]
pub(crate) struct Story {
    pub(crate) attempts: u32,
    /// An invalid index that was there before us has been dropped.
    pub(crate) repaired: bool,
    /// A build of somebody else, or of a killed deploy, was waited for.
    pub(crate) adopted: bool,
    pub(crate) reconnects: u32,
}

/// What a turn comes to: the end, or another turn, which reads the state again.
pub(crate) type Turn = Option<Ending>;

impl Worker<'_> {
    /// Settles one index. `judged` is what was read of it with all the others.
    pub(crate) async fn settle(&mut self, declaration: &Declaration, judged: Judged) -> ItemOutcome {
        let started = Instant::now();
        let stage_limit = (self.deadline, self.over);
        if let Some(timeout) = declaration.timeout
            && started + timeout < self.deadline
        {
            (self.deadline, self.over) = (started + timeout, Reason::Timeout);
        }
        let mut story = Story::default();
        let mut known = Some(judged);
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(8));
        let ending = loop {
            match self.turn(declaration, known.take(), &mut story, &mut backoff).await {
                Ok(Some(ending)) => break ending,
                Ok(None) => {}
                Err(error) if error.is_lost_connection() && story.reconnects < RECONNECTS => {
                    story.reconnects += 1;
                    if !self.sleep(backoff.next_wait()).await {
                        break Ending::skipped(Reason::Stopped);
                    }
                    if let Ok(session) = self.stage.lock.session("index").await {
                        self.session = session;
                    }
                }
                Err(error) => break Ending::failed(error.to_string()),
            }
        };
        (self.deadline, self.over) = stage_limit;
        let (index, table) = (declaration.name.clone(), declaration.table.clone());
        let duration = started.elapsed();
        match (&ending.reason, ending.outcome) {
            (_, outcome @ (Settled::Built | Settled::Repaired | Settled::Adopted | Settled::Replaced)) => {
                self.tell(Event::Built {
                    index: index.clone(),
                    table: table.clone(),
                    outcome,
                    duration_ms: milliseconds(duration),
                    size_bytes: ending.size_bytes.unwrap_or(0),
                })
            }
            (Some(reason), Settled::Deferred) => self.tell(Event::Deferred {
                index: index.clone(),
                table: table.clone(),
                backfill: declaration.after_backfill.clone().unwrap_or_default(),
                reason: reason.clone(),
            }),
            (Some(reason), outcome) if !outcome.is_fine() && outcome != Settled::Detached => {
                self.tell(Event::Failed {
                    index: index.clone(),
                    table: table.clone(),
                    outcome,
                    message: reason.clone(),
                    sqlstate: ending.sqlstate.clone(),
                });
            }
            _ => {}
        }
        ending.of(index, table, duration, story.attempts)
    }

    /// Settles an index that stands for a step of another's.
    pub(crate) async fn settle_derived(&mut self, derived: &Declaration) -> Result<ItemOutcome, Error> {
        let judged = judge(&mut self.session, &[derived], self.stage.ledger).await?.pop();
        let Some(judged) = judged else {
            let ending = Ending::failed("the catalog gave no answer".into());
            return Ok(ending.of(derived.name.clone(), derived.table.clone(), Duration::ZERO, 0));
        };
        Ok(Box::pin(self.settle(derived, judged)).await)
    }

    async fn turn(
        &mut self,
        declaration: &Declaration,
        known: Option<Judged>,
        story: &mut Story,
        backoff: &mut Backoff,
    ) -> Result<Turn, Error> {
        let judged = match known {
            Some(judged) => judged,
            None => {
                let mut all = judge(&mut self.session, &[declaration], self.stage.ledger).await?;
                match all.pop() {
                    Some(judged) => judged,
                    None => return Ok(Some(Ending::failed("the catalog gave no answer".into()))),
                }
            }
        };
        if let (Some((backfill, why)), State::Missing | State::NoTable | State::Partitioned, None) =
            (self.waits_for(declaration), judged.state, &judged.found.name)
        {
            return Ok(Some(Ending::deferred(backfill, why)));
        }
        let (Some(table), name) = (judged.found.table.clone(), judged.found.name.clone()) else {
            return Ok(Some(Ending::refused(judged.state, judged.note)));
        };
        match (judged.state, name) {
            (State::Valid | State::Drifted, Some(name)) => {
                self.valid(declaration, &table, &name, &judged, story).await
            }
            (State::Invalid | State::Busy, Some(name)) => {
                self.invalid(declaration, &table, &name, story).await
            }
            (State::Partitioned, name) => {
                Box::pin(self.partitioned(declaration, &table, story, name.is_some())).await
            }
            (State::Missing, _) => self.missing(declaration, &table, story, backoff).await,
            (state, _) => Ok(Some(Ending::refused(state, judged.note))),
        }
    }

    /// The backfill that is to be complete first, and why it is not.
    fn waits_for(&self, declaration: &Declaration) -> Option<(&'_ str, &'_ str)> {
        let (backfill, why) = self.deferred.get_key_value(declaration.after_backfill.as_ref()?)?;
        Some((backfill, why))
    }

    /// There and valid: is it what is declared?
    async fn valid(
        &mut self,
        declaration: &Declaration,
        table: &Table,
        name: &FoundName,
        judged: &Judged,
        story: &Story,
    ) -> Result<Turn, Error> {
        let outcome = match () {
            () if story.repaired => Settled::Repaired,
            () if story.adopted || judged.left => Settled::Adopted,
            () => Settled::Unchanged,
        };
        let mut act = act("compare", declaration, table, judged.state);
        if judged.same == Some(true) {
            if outcome == Settled::Adopted {
                act.action = "adopt";
                self.record(act, outcome, Some(&name.text), Some(name.size_bytes)).await?;
            }
            return Ok(Some(Ending::there(outcome, name)));
        }
        let ending = match compare::ask(&mut self.session, declaration, table).await? {
            Made::Text(text) if compare::same(&text, &name.text) => {
                if outcome == Settled::Adopted {
                    act.action = "adopt";
                }
                self.record(act, outcome, Some(&name.text), Some(name.size_bytes)).await?;
                Ending::there(outcome, name)
            }
            Made::Text(text) => {
                self.record(act, Settled::Drifted, Some(&text), Some(name.size_bytes)).await?;
                if declaration.replaces(self.settings) {
                    return Box::pin(self.replace(declaration, table, name, &text)).await;
                }
                Ending::drifted(declaration, name, &text)
            }
            Made::Refused(report) => {
                let copy = sql::qualified("pg_temp", &table.name);
                let problem = declaration.statement(&copy, false).problem(&report);
                Ending::bad_definition(problem, &report)
            }
            Made::Unable(why) => Ending::uncompared(name, &why),
        };
        Ok(Some(ending))
    }

    async fn record(
        &mut self,
        act: Act<'_>,
        outcome: Settled,
        index_text: Option<&str>,
        size_bytes: Option<i64>,
    ) -> Result<(), Error> {
        let id = self.begin(act).await?;
        let ended = Ended { outcome: outcome.as_str(), index_text, size_bytes, ..Ended::default() };
        self.finish(id, ended).await
    }
}

pub(crate) fn act<'d>(
    action: &'static str,
    declaration: &'d Declaration,
    table: &'d Table,
    state: State,
) -> Act<'d> {
    Act {
        action,
        schema: &table.schema,
        table: &table.name,
        index: &declaration.name,
        declaration: Some(declaration),
        state_before: state.as_str(),
        attempt: 1,
        pid: None,
    }
}
