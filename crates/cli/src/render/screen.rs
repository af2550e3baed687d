//! The deploy as it happens: lines that stay, and on a terminal one line that moves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use orchestrator::{DeployEvent, Event, Record, StageName, StageResult};

use crate::render::board::Board;
use crate::render::overview::encrypted;
use crate::render::words::{counted, grouped, milliseconds};
use crate::render::{Style, fleet, stages};

/// Shows records to a person.
pub(crate) struct Screen {
    style: Style,
    board: Mutex<Board>,
    told_of_waiting: AtomicBool,
}

impl Screen {
    pub(crate) fn new(style: Style) -> Self {
        Self { style, board: Mutex::new(Board::new()), told_of_waiting: AtomicBool::new(false) }
    }

    /// Shows one record.
    pub(crate) fn show(&self, record: &Record) {
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        match &record.event {
            Event::Deploy(event) => self.deploy(&mut board, event, &record.env),
            Event::Fleet(event) => fleet::event(&mut board, self.style, event, &record.env),
            Event::Schema(event) => stages::schema(&mut board, self.style, event),
            Event::Index(event) => stages::index(&mut board, self.style, event),
            Event::Backfill(event) => stages::backfill(&mut board, self.style, event),
        }
    }

    /// Without a deploy around it, a run of backfills is their stage.
    pub(crate) fn begin_backfills(&self) {
        self.board.lock().unwrap_or_else(PoisonError::into_inner).lines.begin(StageName::Backfill);
    }

    /// Takes the moving line away.
    pub(crate) fn end(&self) {
        let board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        board.end();
    }

    fn deploy(&self, board: &mut Board, event: &DeployEvent, environment: &str) {
        match event {
            DeployEvent::ConnectRetrying { reason, retry_in_ms, .. } => {
                board.stays(&format!(
                    "waiting for the database: {reason}; again in {}",
                    milliseconds(*retry_in_ms)
                ));
            }
            DeployEvent::LockWaiting { pid, host, age_ms }
                if !self.told_of_waiting.swap(true, Ordering::Relaxed) =>
            {
                board.stays(&format!(
                    "waiting for another deploy: pid {pid} from {host}, for {} now",
                    milliseconds(*age_ms)
                ));
            }
            DeployEvent::Planned { .. } => self.header(board, event, environment),
            DeployEvent::Gate { gate, answer, message, reason, .. } => {
                // Why one refuses stands at the end.
                let said = match (*answer, reason) {
                    ("passed", _) => self.style.faint(message),
                    ("overridden", Some(reason)) => {
                        self.style.warning(&format!("overridden ({reason}): {message}"))
                    }
                    _ => self.style.bad("refused"),
                };
                board.stays(&format!("gate            {gate:<10} {said}"));
            }
            DeployEvent::BackfillsPaused { reason, until } => {
                let until = until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
                board.stays(&format!(
                    "{:<16}{}",
                    "",
                    self.style.warning(&format!("paused{until}: {reason}"))
                ));
            }
            DeployEvent::BackfillsGoOn => board.stays(&format!("{:<16}going on", "")),
            DeployEvent::ClosedEarlier { earlier } => {
                board.stays(&format!("deployment {earlier} ended without saying how; going on where it was"));
            }
            DeployEvent::RepairStarted { index, actor } => {
                let what = index.as_ref().map_or("every invalid index", String::as_str);
                board.stays(&format!("repairing {what} at {environment}   by {actor}"));
            }
            DeployEvent::ServicesStopped { duration_ms } => {
                board.stays(&format!("services        stopped  {}", milliseconds(*duration_ms)))
            }
            DeployEvent::ServicesStarted { duration_ms } => {
                board.stays(&format!("services        started  {}", milliseconds(*duration_ms)))
            }
            DeployEvent::ServicesQuiesced { roles, duration_ms } => {
                let who = roles.join(", ");
                board.stays(&format!(
                    "services        no session of {who} is left  {}",
                    milliseconds(*duration_ms)
                ));
            }
            DeployEvent::ServicesHealthy { duration_ms } => {
                board.stays(&format!("services        healthy  {}", milliseconds(*duration_ms)))
            }
            DeployEvent::HookFinished { point, name, duration_ms } => {
                board.stays(&format!("hook            {point}/{name}  {}", milliseconds(*duration_ms)))
            }
            DeployEvent::HookFailed { point, name, message } => board.stays(&format!(
                "hook            {}",
                self.style.bad(&format!("{point}/{name} failed: {message}"))
            )),
            DeployEvent::Verified { name, duration_ms } => {
                board.stays(&format!("verify          {name}  {}", milliseconds(*duration_ms)))
            }
            DeployEvent::VerificationFailed { name, message } => {
                board.stays(&format!("verify          {}", self.style.bad(&format!("{name} {message}"))))
            }
            DeployEvent::ServicesFailed { action, message } => {
                board.stays(&format!(
                    "services        {}",
                    self.style.bad(&format!("{action} failed: {message}"))
                ));
            }
            DeployEvent::StageStarted { stage } => board.lines.begin(*stage),
            DeployEvent::StageFinished { stage, result, .. } if board.lines.is_silent() => {
                let said = match (result, stage) {
                    (StageResult::Unchanged | StageResult::Done, StageName::Schema | StageName::Post) => {
                        "nothing to apply"
                    }
                    (StageResult::Unchanged | StageResult::Done, StageName::Index) => "nothing to build",
                    (StageResult::Unchanged | StageResult::Done, StageName::Backfill) => "nothing to fill",
                    _ => result.as_str(),
                };
                let line = board.lines.line(&self.style.faint(said), "");
                board.stays(&line);
            }
            _ => {}
        }
    }

    fn header(&self, board: &mut Board, event: &DeployEvent, environment: &str) {
        let DeployEvent::Planned {
            pipeline,
            server,
            target,
            tls,
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
        board.stays(&format!(
            "{} -> {}   PostgreSQL {server} at {target}{}   release {}{}   by {actor}",
            self.style.strong(pipeline),
            self.style.strong(environment),
            encrypted(tls),
            &release[..12],
            git.unwrap_or_default(),
        ));
        let rows =
            backfill_rows.filter(|rows| *rows > 0).map(|rows| format!(" (about {} rows)", grouped(rows)));
        board.stays(&format!(
            "plan {}   {}, {}, {}{}",
            &plan[..6],
            counted(*migrations, "migration", "migrations"),
            counted(*indexes, "index", "indexes"),
            counted(*backfills, "backfill", "backfills"),
            rows.unwrap_or_default(),
        ));
    }
}
