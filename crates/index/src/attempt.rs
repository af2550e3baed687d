//! An index that is not there: one attempt to build it, and what its end means.

use postgres::{Backoff, Error};

use crate::build::{self, Reason};
use crate::declaration::Declaration;
use crate::ending::Ending;
use crate::event::{Event, named};
use crate::ledger::Ended;
use crate::leftover::CLEANING;
use crate::outcome::Settled;
use crate::plan::judge;
use crate::room::Room;
use crate::settle::{Story, Turn, act};
use crate::state::State;
use crate::survey::Table;
use crate::unlimited::{self, LAST_CALL};
use crate::watch::{Watch, lock, milliseconds};
use crate::worker::{Waited, Worker, who};

/// Builds of one index that are begun at most.
const ATTEMPTS: u32 = 3;

impl Worker<'_> {
    /// Not there: one attempt to build it.
    pub(crate) async fn missing(
        &mut self,
        declaration: &Declaration,
        table: &Table,
        story: &mut Story,
        backoff: &mut Backoff,
    ) -> Result<Turn, Error> {
        if self.is_stopped() {
            return Ok(Some(Ending::skipped(Reason::Stopped)));
        }
        if self.is_over() {
            return Ok(Some(Ending::skipped(self.over)));
        }
        if story.attempts == 0
            && !story.repaired
            && let Some(other) = self.covered_by(declaration, table).await?
        {
            return Ok(Some(Ending::covered(declaration, &other)));
        }
        match self.wait_for_table(&declaration.name, table, None).await? {
            Waited::Free => {}
            Waited::Changed => return Ok(None),
            Waited::Held(holders) => return Ok(Some(Ending::busy(table, &who(&holders)))),
            Waited::Stopped(_) => return Ok(Some(Ending::skipped(Reason::Stopped))),
        }
        let room = match Room::of(&mut self.session, declaration, table).await {
            Ok(room) => room,
            // What cannot be estimated is built all the same.
            Err(error) if error.server().is_some() => None,
            Err(error) => return Err(error),
        };
        if let Some(words) = room.as_ref().and_then(Room::refusal) {
            return Ok(Some(Ending::no_room(words)));
        }
        story.attempts += 1;
        let mut session = unlimited::session(self.stage.lock).await?;
        let mut act = act("build", declaration, table, State::Missing);
        (act.attempt, act.pid) = (story.attempts, Some(session.pid()));
        let id = self.begin(act).await?;
        let mut watch = Watch::open(self.stage, &declaration.name, table).await;
        let seen = watch.seen();
        self.tell(Event::Building {
            index: declaration.name.clone(),
            table: declaration.table.clone(),
            attempt: story.attempts,
            table_bytes: table.size_bytes,
            estimated_bytes: room.and_then(|room| room.estimated_bytes),
        });
        let statement = declaration.statement(&table.quoted(), true);
        let text = statement.text();
        let ended = build::attempt(&mut session, &text, &mut watch, &self.limits()).await;
        if matches!(ended, build::Ended::Refused(_) | build::Ended::Cancelled(_)) {
            // An error is told before its locks are given back; the answer to something else comes after that.
            let _ = session.run("SELECT 1").await;
        }
        let (phases, waited_for) = {
            let seen = lock(&seen);
            (seen.phases(), seen.waited_for())
        };
        let result = Ended {
            phases: Some(phases),
            waited_for: (!waited_for.is_empty()).then(|| serde_json::json!(waited_for)),
            ..Ended::default()
        };
        let name = declaration.name.clone();
        match ended {
            build::Ended::Done => {
                session.close().await;
                let mut found = judge(&mut self.session, &[declaration], self.stage.ledger).await?;
                let built = found.pop().and_then(|judged| judged.found.name).filter(|name| name.valid);
                let Some(built) = built else {
                    let message = "the server reported success, and the index is not valid";
                    self.finish(id, Ended { outcome: "failed", message: Some(message), ..result }).await?;
                    return Ok(if story.attempts < ATTEMPTS {
                        None
                    } else {
                        Some(Ending::failed(message.into()))
                    });
                };
                let outcome = if story.repaired { Settled::Repaired } else { Settled::Built };
                let (size_bytes, index_text) = (Some(built.size_bytes), Some(built.text.as_str()));
                self.finish(id, Ended { outcome: outcome.as_str(), size_bytes, index_text, ..result })
                    .await?;
                if built.on_expressions {
                    self.analyze(table).await;
                }
                Ok(Some(Ending::there(outcome, &built)))
            }
            build::Ended::Refused(error) => {
                let message = error.to_string();
                let sqlstate = error.sqlstate();
                self.finish(id, Ended { outcome: "failed", sqlstate, message: Some(&message), ..result })
                    .await?;
                if build::is_worth_another_try(&error) && story.attempts < ATTEMPTS {
                    let wait = backoff.next_wait();
                    self.tell(Event::Retrying {
                        index: name,
                        table: declaration.table.clone(),
                        attempt: story.attempts,
                        message,
                        retry_in_ms: milliseconds(wait),
                    });
                    self.sleep(wait).await;
                    return Ok(None);
                }
                let ending = match error.server() {
                    Some(report) => Ending::bad_definition(statement.problem(report), report),
                    None => Ending::failed(message),
                };
                Ok(Some(self.without_leftover(declaration, ending, CLEANING).await))
            }
            build::Ended::Detached(reason) => {
                let (pid, why) = (session.pid(), reason.words());
                // Not closed: the server does not look at the connection before it is done.
                drop(session);
                self.finish(id, Ended { outcome: "detached", message: Some(why), ..result }).await?;
                self.tell(Event::Detached {
                    index: name,
                    table: declaration.table.clone(),
                    pid,
                    reason: why.into(),
                });
                Ok(Some(Ending::detached(pid, reason, &waited_for)))
            }
            build::Ended::Cancelled(reason) => {
                session.close().await;
                let outcome = if reason == Reason::Stopped { Settled::Cancelled } else { Settled::Blocked };
                let by = named(&waited_for);
                self.finish(id, Ended { outcome: outcome.as_str(), message: Some(&by), ..result }).await?;
                let ending = Ending::blocked(outcome, reason, &by);
                // The drop of what it left waits for the same writers.
                let patience = if reason == Reason::Writers { LAST_CALL } else { CLEANING };
                Ok(Some(self.without_leftover(declaration, ending, patience).await))
            }
        }
    }

    /// An index on expressions has statistics of its own, which only ANALYZE gathers. It is skipped where it would have
    /// to wait, and its failure is none of the index.
    async fn analyze(&mut self, table: &Table) {
        let Ok(mut session) = unlimited::session(self.stage.lock).await else { return };
        let text = format!("ANALYZE (SKIP_LOCKED) {}", table.quoted());
        let _ = unlimited::until(self.deadline, &self.stage.stop, session.run(&text)).await;
    }
}
