//! The deploy as it happens: lines that stay, and on a terminal one line that moves.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use orchestrator::{DeployEvent, Event, Record, StageName, StageResult, backfill, index, schema};

use crate::render::Style;
use crate::render::stage_lines::StageLines;
use crate::render::words::{bar, bytes, counted, grouped, milliseconds, percent, seconds};

/// How often a moving line is repeated where there is no terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// Shows records to a person.
pub(crate) struct Screen {
    style: Style,
    state: Mutex<State>,
}

struct State {
    lines: StageLines,
    /// The line that moves, on a terminal.
    moving: Option<ProgressBar>,
    /// When a moving line was last repeated, elsewhere.
    repeated: Instant,
    told_of_waiting: bool,
}

impl Screen {
    pub(crate) fn new(style: Style) -> Self {
        let moving = std::io::stdout().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
            bar.set_style(
                ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar
        });
        let state =
            State { lines: StageLines::default(), moving, repeated: Instant::now(), told_of_waiting: false };
        Self { style, state: Mutex::new(state) }
    }

    /// Shows one record.
    pub(crate) fn show(&self, record: &Record) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &record.event {
            Event::Deploy(event) => self.deploy(&mut state, event, &record.env),
            Event::Schema(event) => self.schema(&mut state, event),
            Event::Index(event) => self.index(&mut state, event),
            Event::Backfill(event) => self.backfill(&mut state, event),
        }
    }

    /// Takes the moving line away.
    pub(crate) fn end(&self) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(moving) = &state.moving {
            moving.finish_and_clear();
        }
    }

    fn deploy(&self, state: &mut State, event: &DeployEvent, environment: &str) {
        match event {
            DeployEvent::ConnectRetrying { reason, retry_in_ms, .. } => {
                state.stays(&format!(
                    "waiting for the database: {reason}; again in {}",
                    milliseconds(*retry_in_ms)
                ));
            }
            DeployEvent::LockWaiting { pid, host, age_ms } if !state.told_of_waiting => {
                state.told_of_waiting = true;
                state.stays(&format!(
                    "waiting for another deploy: pid {pid} from {host}, for {} now",
                    milliseconds(*age_ms)
                ));
            }
            DeployEvent::Planned { .. } => self.header(state, event, environment),
            DeployEvent::ClosedEarlier { earlier } => {
                state.stays(&format!("deployment {earlier} ended without saying how; going on where it was"));
            }
            DeployEvent::ServicesStopped { duration_ms } => {
                state.stays(&format!("services        stopped  {}", milliseconds(*duration_ms)))
            }
            DeployEvent::ServicesStarted { duration_ms } => {
                state.stays(&format!("services        started  {}", milliseconds(*duration_ms)))
            }
            DeployEvent::ServicesFailed { action, message } => {
                state.stays(&format!(
                    "services        {}",
                    self.style.bad(&format!("{action} failed: {message}"))
                ));
            }
            DeployEvent::StageStarted { stage } => state.lines.begin(*stage),
            DeployEvent::StageFinished { stage, result, .. } if state.lines.is_silent() => {
                let said = match (result, stage) {
                    (StageResult::Unchanged | StageResult::Done, StageName::Schema) => "nothing to apply",
                    (StageResult::Unchanged | StageResult::Done, StageName::Index) => "nothing to build",
                    (StageResult::Unchanged | StageResult::Done, StageName::Backfill) => "nothing to fill",
                    _ => result.as_str(),
                };
                let line = state.lines.line(&self.style.faint(said), "");
                state.stays(&line);
            }
            _ => {}
        }
    }

    fn header(&self, state: &mut State, event: &DeployEvent, environment: &str) {
        let DeployEvent::Planned {
            pipeline,
            server,
            target,
            release,
            plan,
            commit,
            dirty,
            actor,
            migrations,
            indexes,
            backfills,
            backfill_rows,
        } = event
        else {
            return;
        };
        let git = commit.as_ref().map(|commit| {
            let changed = if *dirty { " + uncommitted changes" } else { "" };
            format!("   git {}{changed}", &commit[..7.min(commit.len())])
        });
        state.stays(&format!(
            "{} -> {}   PostgreSQL {server} at {target}   release {}{}   by {actor}",
            self.style.strong(pipeline),
            self.style.strong(environment),
            &release[..12],
            git.unwrap_or_default(),
        ));
        let rows =
            backfill_rows.filter(|rows| *rows > 0).map(|rows| format!(" (about {} rows)", grouped(rows)));
        state.stays(&format!(
            "plan {}   {}, {}, {}{}",
            &plan[..6],
            counted(*migrations, "migration", "migrations"),
            counted(*indexes, "index", "indexes"),
            counted(*backfills, "backfill", "backfills"),
            rows.unwrap_or_default(),
        ));
    }

    fn schema(&self, state: &mut State, event: &schema::Event) {
        match event {
            schema::Event::Started { migration } => state.moves(migration, "running"),
            schema::Event::Retrying { migration, attempt, retry_in_ms, blocked_by, .. } => {
                let by = blocked_by
                    .first()
                    .map(|by| format!("blocked by pid {} {}; ", by.pid, by.user))
                    .unwrap_or_default();
                let text = format!("{by}attempt {} in {}", attempt + 1, milliseconds(*retry_in_ms));
                state.moves_or_says(migration, &self.style.warning(&text));
            }
            schema::Event::Applied { migration, duration_ms, retries, waited_ms, blocked_by } => {
                let mut rest = milliseconds(*duration_ms);
                if *retries > 0 {
                    let by = blocked_by
                        .first()
                        .map(|by| format!(" by pid {} {}", by.pid, by.user))
                        .unwrap_or_default();
                    let times = counted(*retries as usize, "retry", "retries");
                    rest.push_str(
                        &self.style.warning(&format!("   {times}: blocked {}{by}", milliseconds(*waited_ms))),
                    );
                }
                state.done(migration, &rest);
            }
            schema::Event::Failed { migration, code, .. } => {
                state.done(migration, &self.style.bad(&format!("failed ({code})")))
            }
            schema::Event::Orphan { pid } => {
                state.moves_or_says(
                    &format!("pid {pid}"),
                    "of a killed deploy is still at work; waiting for its end",
                );
            }
            schema::Event::Fixtures { path, duration_ms } => state.done(path, &milliseconds(*duration_ms)),
        }
    }

    fn index(&self, state: &mut State, event: &index::Event) {
        match event {
            index::Event::Building { index, table_bytes, .. } => {
                state.moves(index, &format!("building on {}", bytes(*table_bytes)))
            }
            index::Event::Progress { index, phase, done, total, elapsed_ms, .. } => {
                let share =
                    if *total > 0 { bar(done.unsigned_abs(), total.unsigned_abs()) } else { String::new() };
                state.moves(index, &format!("{share}  {phase}  {}", milliseconds(*elapsed_ms)));
            }
            index::Event::Waiting { index, phase, waits_for, waited_ms, .. } => {
                let who = waits_for
                    .first()
                    .map(|who| format!(" for pid {} {}", who.pid, who.user))
                    .unwrap_or_default();
                state.moves_or_says(
                    index,
                    &self.style.warning(&format!("{phase}: waiting{who}, {}", milliseconds(*waited_ms))),
                );
            }
            index::Event::Repairing { index, .. } => {
                state.moves(index, "dropping the invalid leftover of an earlier build")
            }
            index::Event::Adopting { index, pid, .. } => {
                state.moves_or_says(index, &format!("being built by pid {pid}; waiting for it"))
            }
            index::Event::Retrying { index, message, .. } => {
                state.moves_or_says(index, &self.style.warning(&format!("again, after: {message}")))
            }
            index::Event::Built { index, outcome, duration_ms, size_bytes, .. } => {
                let word = if outcome.as_str() == "built" {
                    String::new()
                } else {
                    format!("  {}", outcome.as_str())
                };
                state.done(index, &format!("{}  {}{word}", milliseconds(*duration_ms), bytes(*size_bytes)));
            }
            index::Event::Dropped { index, duration_ms, .. } => {
                state.done(index, &format!("{}  dropped", milliseconds(*duration_ms)))
            }
            index::Event::Detached { index, pid, .. } => {
                state.done(
                    index,
                    &self
                        .style
                        .warning(&format!("left to the server (pid {pid}); the next deploy adopts it")),
                );
            }
            index::Event::Failed { index, outcome, .. } => {
                state.done(index, &self.style.warning(&format!("{} (W202)", outcome.as_str())))
            }
        }
    }

    fn backfill(&self, state: &mut State, event: &backfill::Event) {
        match event {
            backfill::Event::Started { id, rows, resumed, .. } => {
                let from = if *resumed {
                    format!("going on after {} rows", grouped(*rows))
                } else {
                    "starting".into()
                };
                state.moves(id, &from);
            }
            backfill::Event::Progress {
                id,
                rows,
                estimated_rows,
                rows_per_second,
                seconds_left,
                milestone,
                ..
            } => {
                let left =
                    seconds_left.map(|left| format!("  about {} left", seconds(left))).unwrap_or_default();
                let rate = format!("{} rows/s", grouped(*rows_per_second as u64));
                let of = format!("{} of {} rows", grouped(*rows), grouped(*rows.max(estimated_rows)));
                if state.moving.is_some() {
                    state.moves(id, &format!("{}  {of}  {rate}{left}", bar(*rows, *estimated_rows)));
                } else if *milestone && rows < estimated_rows && state.repeated.elapsed() > PLAIN_EVERY {
                    let line = state
                        .lines
                        .line(id, &format!("{of}  {}  {rate}{left}", percent(*rows, *estimated_rows)));
                    state.stays(&line);
                }
            }
            backfill::Event::Sweeping { id, skipped, .. } => {
                state.moves(
                    id,
                    &format!("visiting {} again that were locked", counted(*skipped as usize, "row", "rows")),
                );
            }
            backfill::Event::Verifying { id, .. } => state.moves(id, "proving that no row matches any more"),
            backfill::Event::Reconnecting { id, reason, .. } => {
                state.moves_or_says(id, &self.style.warning(&format!("reconnecting: {reason}")))
            }
            backfill::Event::Completed { id, rows, seconds: took, .. } => {
                let rate = if *took > 0.0 { *rows as f64 / took } else { 0.0 };
                let rows = counted(*rows as usize, "row", "rows");
                state.done(id, &format!("{}  {rows}  {} rows/s", seconds(*took), grouped(rate as u64)));
            }
            backfill::Event::Incomplete { id, rows, estimated_rows, .. } => {
                let of = format!(
                    "{} of {} rows  {}",
                    grouped(*rows),
                    grouped(*rows.max(estimated_rows)),
                    percent(*rows, *estimated_rows)
                );
                state.done(id, &self.style.warning(&format!("{of}  incomplete (W201)")));
            }
            backfill::Event::Failed { id, .. } => state.done(id, &self.style.warning("failed (W201)")),
        }
    }
}

impl State {
    /// A line that stays.
    fn stays(&mut self, line: &str) {
        self.repeated = Instant::now();
        let print = || {
            // A reader that has gone away (`| head`) does not end a deploy.
            let _ = writeln!(std::io::stdout(), "{line}");
        };
        match &self.moving {
            Some(moving) => moving.suspend(print),
            None => print(),
        }
    }

    /// An item's last line.
    fn done(&mut self, name: &str, rest: &str) {
        let line = self.lines.line(name, rest);
        if let Some(moving) = &self.moving {
            moving.set_message("");
        }
        self.stays(&line);
    }

    /// An item's line for now; nothing where there is no terminal.
    fn moves(&mut self, name: &str, rest: &str) {
        if let Some(moving) = &self.moving {
            moving.set_message(self.lines.peek(name, rest));
            moving.tick();
        }
    }

    /// The same, but said once in a while where there is no terminal.
    fn moves_or_says(&mut self, name: &str, rest: &str) {
        if self.moving.is_some() {
            self.moves(name, rest);
        } else if self.lines.is_silent() || self.repeated.elapsed() > PLAIN_EVERY {
            let line = self.lines.line(name, rest);
            self.stays(&line);
        }
    }
}
