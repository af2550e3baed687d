//! One declared index, from what is there to what should be there: a loop over its state, read anew at each turn.

use std::time::Duration;

use postgres::{Backoff, Error};
use tokio::time::Instant;

use crate::build::{self, Reason};
use crate::clean::{self, Dropped};
use crate::compare::{self, Made};
use crate::declaration::Declaration;
use crate::ending::Ending;
use crate::event::{Event, named};
use crate::ledger::{Act, Ended};
use crate::outcome::{ItemOutcome, Settled};
use crate::plan::{Judged, judge};
use crate::state::State;
use crate::survey::{FoundName, Table};
use crate::unlimited;
use crate::watch::{Watch, lock, milliseconds};
use crate::worker::{Waited, Worker, who};

/// Builds that are begun at most.
const ATTEMPTS: u32 = 3;
/// How long the removal of a leftover is waited for before the server is left to finish it.
const CLEANING: Duration = Duration::from_secs(60);

/// What has happened to an index so far.
#[derive(Debug, Default)]
struct Story {
    attempts: u32,
    /// An invalid index that was there before us has been dropped.
    repaired: bool,
    /// A build of somebody else, or of a killed deploy, was waited for.
    adopted: bool,
    reconnects: u32,
}

/// What a turn comes to: the end, or another turn, which reads the state again.
type Turn = Option<Ending>;

impl Worker<'_> {
    /// Settles one index. `judged` is what was read of it with all the others.
    pub(crate) async fn settle(&mut self, declaration: &Declaration, judged: Judged) -> ItemOutcome {
        let started = Instant::now();
        let mut story = Story::default();
        let mut known = Some(judged);
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(8));
        let ending = loop {
            match self.turn(declaration, known.take(), &mut story, &mut backoff).await {
                Ok(Some(ending)) => break ending,
                Ok(None) => {}
                Err(error) if error.is_lost_connection() && story.reconnects < ATTEMPTS => {
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
        let (index, table) = (declaration.name.clone(), declaration.table.clone());
        let duration = started.elapsed();
        match (&ending.reason, ending.outcome) {
            (_, outcome @ (Settled::Built | Settled::Repaired | Settled::Adopted)) => {
                self.tell(Event::Built {
                    index: index.clone(),
                    table: table.clone(),
                    outcome,
                    duration_ms: milliseconds(duration),
                    size_bytes: ending.size_bytes.unwrap_or(0),
                })
            }
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
            (State::Missing, _) => self.missing(declaration, &table, story, backoff).await,
            (state, _) => Ok(Some(Ending::refused(state, judged.note))),
        }
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
        let outcome = if story.adopted || judged.left { Settled::Adopted } else { Settled::Unchanged };
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

    /// There and not valid: somebody builds it, or somebody failed to.
    async fn invalid(
        &mut self,
        declaration: &Declaration,
        table: &Table,
        name: &FoundName,
        story: &mut Story,
    ) -> Result<Turn, Error> {
        if self.is_over() {
            return Ok(Some(Ending::skipped(Reason::Budget)));
        }
        match self.wait_for_table(&declaration.name, table, Some(name.oid)).await? {
            Waited::Changed => {
                story.adopted = true;
                return Ok(None);
            }
            Waited::Held(holders) => return Ok(Some(Ending::busy(table, &who(&holders)))),
            Waited::Stopped(holders) => return Ok(Some(Ending::stopped(name, &holders))),
            Waited::Free => {}
        }
        // Nobody has the lock, so nobody builds it now; what is dropped is what was looked at.
        let mut now = judge(&mut self.session, &[declaration], self.stage.ledger).await?;
        let same =
            now.pop().and_then(|judged| judged.found.name).filter(|now| now.oid == name.oid && !now.valid);
        let Some(name) = same else { return Ok(None) };
        if story.attempts == 0 {
            story.repaired = true;
            self.tell(Event::Repairing {
                index: declaration.name.clone(),
                table: declaration.table.clone(),
                rejects_rows: name.rejects_rows(),
            });
        }
        match self.clean(declaration, table, &name).await? {
            None => Ok(None),
            Some(left) => Ok(Some(Ending::failed(left).left_behind())),
        }
    }

    /// Removes an invalid index; words if it is still there.
    async fn clean(
        &mut self,
        declaration: &Declaration,
        table: &Table,
        name: &FoundName,
    ) -> Result<Option<String>, Error> {
        let id = self.begin(act("drop", declaration, table, State::Invalid)).await?;
        let quoted = sql::qualified(&name.schema, &declaration.name);
        let until = Instant::now() + CLEANING;
        let dropped = clean::drop_index(self.stage.lock, &quoted, until, &self.stage.stop).await;
        let harm = match name.rejects_rows() {
            true => "it rejects duplicate rows until it is gone",
            false if name.ready => "every write to the table keeps it up although no query can use it",
            false => "no query uses it and no write keeps it up",
        };
        let (outcome, left) = match dropped {
            Dropped::Gone => ("dropped", None),
            Dropped::Unfinished => (
                "detached",
                Some(format!(
                    "the invalid index is still there: the server drops it as soon as older transactions on {} end; until then {harm}",
                    table.name
                )),
            ),
            Dropped::Refused(error) => {
                ("failed", Some(format!("the invalid index could not be dropped ({error}); {harm}")))
            }
        };
        self.finish(id, Ended { outcome, message: left.as_deref(), ..Ended::default() }).await?;
        Ok(left)
    }

    /// Not there: one attempt to build it.
    async fn missing(
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
            return Ok(Some(Ending::skipped(Reason::Budget)));
        }
        match self.wait_for_table(&declaration.name, table, None).await? {
            Waited::Free | Waited::Changed => {}
            Waited::Held(holders) => return Ok(Some(Ending::busy(table, &who(&holders)))),
            Waited::Stopped(_) => return Ok(Some(Ending::skipped(Reason::Stopped))),
        }
        story.attempts += 1;
        let mut session = unlimited::session(self.stage.lock).await?;
        let mut act = act("build", declaration, table, State::Missing);
        (act.attempt, act.pid) = (story.attempts, Some(session.pid()));
        let id = self.begin(act).await?;
        let mut watch = Watch::open(self.stage, &declaration.name, &declaration.table).await;
        let seen = watch.seen();
        self.tell(Event::Building {
            index: declaration.name.clone(),
            table: declaration.table.clone(),
            attempt: story.attempts,
            table_bytes: table.size_bytes,
        });
        let statement = declaration.statement(&table.quoted(), true);
        let text = statement.text();
        let ended = build::attempt(&mut session, &text, &mut watch, self.deadline, &self.stage.stop).await;
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
                        Again
                    } else {
                        End(Ending::failed(message.into()))
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
                Ok(Some(self.without_leftover(declaration, ending).await))
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
                Ok(Some(self.without_leftover(declaration, Ending::blocked(outcome, reason, &by)).await))
            }
        }
    }

    /// Removes what a build of ours has left; if that cannot be done, the ending says so.
    async fn without_leftover(&mut self, declaration: &Declaration, ending: Ending) -> Ending {
        match self.try_clean(declaration).await {
            Ok(None) => ending,
            Ok(Some(left)) => ending.and(&left).left_behind(),
            Err(error) => ending.and(&format!("what it left could not be looked at ({error})")).left_behind(),
        }
    }

    async fn try_clean(&mut self, declaration: &Declaration) -> Result<Option<String>, Error> {
        let mut all = judge(&mut self.session, &[declaration], self.stage.ledger).await?;
        let Some(judged) = all.pop() else { return Ok(None) };
        let (State::Invalid | State::Busy, Some(table), Some(name)) =
            (judged.state, &judged.found.table, &judged.found.name)
        else {
            return Ok(None);
        };
        let free = self.is_stopped() || self.is_over();
        let free = match free {
            true => crate::locks::free(&mut self.session, table).await?,
            false => !matches!(
                self.wait_for_table(&declaration.name, table, Some(name.oid)).await?,
                Waited::Held(_) | Waited::Stopped(_)
            ),
        };
        if !free {
            return Ok(Some("the invalid index is still there: others hold the table".into()));
        }
        self.clean(declaration, table, name).await
    }

    /// An index on expressions has statistics of its own, which only ANALYZE gathers. It is skipped where it would have
    /// to wait, and its failure is none of the index.
    async fn analyze(&mut self, table: &Table) {
        let Ok(mut session) = unlimited::session(self.stage.lock).await else { return };
        let text = format!("ANALYZE (SKIP_LOCKED) {}", table.quoted());
        let _ = unlimited::until(self.deadline, &self.stage.stop, session.run(&text)).await;
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

fn act<'d>(action: &'static str, declaration: &'d Declaration, table: &'d Table, state: State) -> Act<'d> {
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
