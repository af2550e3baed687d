//! How an item ended, with the words a person needs: why, and what to do next.

use std::time::Duration;

use postgres::ServerError;

use crate::build::Reason;
use crate::declaration::Declaration;
use crate::event::{WaitsFor, named};
use crate::locks::Holder;
use crate::outcome::{ItemOutcome, Settled};
use crate::state::State;
use crate::survey::{FoundName, Table};

const AGAIN: &str = "pgdeploy deploy --env {env}";

/// An [`ItemOutcome`] without its name and times.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) outcome: Settled,
    pub(crate) reason: Option<String>,
    pub(crate) next: Option<String>,
    pub(crate) size_bytes: Option<i64>,
    pub(crate) sqlstate: Option<String>,
    pub(crate) problem: Option<sql::Problem>,
}

impl Ending {
    fn short(outcome: Settled, reason: String, next: &str) -> Self {
        let next = Some(next.to_owned());
        Self { outcome, reason: Some(reason), next, size_bytes: None, sqlstate: None, problem: None }
    }

    pub(crate) fn there(outcome: Settled, name: &FoundName) -> Self {
        let size_bytes = Some(name.size_bytes);
        Self { outcome, reason: None, next: None, size_bytes, sqlstate: None, problem: None }
    }

    pub(crate) fn fine(outcome: Settled) -> Self {
        Self { outcome, reason: None, next: None, size_bytes: None, sqlstate: None, problem: None }
    }

    /// Some partitions do not have it yet.
    pub(crate) fn incomplete(have: usize, all: usize, reasons: &[String]) -> Self {
        let mut reason = format!("{have} of {all} partitions have it");
        for each in reasons {
            reason = format!("{reason}; {each}");
        }
        let next = match (have == all, reasons) {
            (true, []) => "the parts are valid and the whole is not: write DROP INDEX in a migration and deploy it again".into(),
            _ => format!("the next deploy goes on: {AGAIN}"),
        };
        Self::short(Settled::Incomplete, reason, &next)
    }

    /// Not built, because it would be the same as another.
    pub(crate) fn covered(declaration: &Declaration, other: &str) -> Self {
        let reason = format!("not built: {other} is the same index under another name");
        let next = format!(
            "delete the declaration; or write DROP INDEX {}; to have it as {}",
            sql::identifier(other),
            declaration.name
        );
        Self::short(Settled::Covered, reason, &next)
    }

    /// What became of a step, as the end of the whole.
    pub(crate) fn of_part(part: ItemOutcome, what: &str) -> Self {
        let reason = part.reason.unwrap_or_default();
        Self {
            outcome: part.outcome,
            reason: Some(format!("{what} {} {}: {reason}", part.name, part.outcome.as_str())),
            next: part.next,
            size_bytes: None,
            sqlstate: None,
            problem: part.problem,
        }
    }

    /// Why, in words.
    pub(crate) fn words(&self) -> &str {
        self.reason.as_deref().unwrap_or_default()
    }

    pub(crate) fn failed(reason: String) -> Self {
        Self::short(Settled::Failed, reason, &format!("try again: {AGAIN}"))
    }

    /// Not repaired, because only its declaration would say how.
    pub(crate) fn undeclared(words: &str) -> Self {
        Self::short(
            Settled::Incomplete,
            words.to_owned(),
            "declare it in indexes/, then pgdeploy deploy --env {env}",
        )
    }

    /// The disk cannot hold it.
    pub(crate) fn no_room(words: String) -> Self {
        Self::short(Settled::Failed, words, &format!("free disk space, then {AGAIN}"))
    }

    /// A state in which nothing can be done.
    pub(crate) fn refused(state: State, note: Option<String>) -> Self {
        let next = match state {
            State::NoTable | State::BadTable => {
                "declare the index on a table that the migrations create, or delete the declaration"
            }
            State::NotOwner => "let the deploying role own the table, or be a member of the role that does",
            State::NameTaken => "choose another name in the declaration",
            State::Needed => "delete the DROP INDEX, and drop what needs the index in a migration",
            _ => AGAIN,
        };
        Self::short(Settled::Failed, note.unwrap_or_else(|| "nothing can be done about it".into()), next)
    }

    pub(crate) fn bad_definition(problem: sql::Problem, report: &ServerError) -> Self {
        let next = match report.code.as_str() {
            "23505" => format!("remove the duplicate rows (a backfill can), then {AGAIN}"),
            "53100" => format!("free disk space, then {AGAIN}"),
            code if code.starts_with("42") || code.starts_with("22") || code == "0A000" => {
                format!("correct the definition, then {AGAIN}")
            }
            _ => format!("try again: {AGAIN}"),
        };
        let mut ending = Self::short(Settled::Failed, problem.message.clone(), &next);
        ending.sqlstate = Some(report.code.clone());
        ending.problem = Some(problem);
        ending
    }

    pub(crate) fn drifted(declaration: &Declaration, name: &FoundName, made: &str) -> Self {
        let declared = crate::compare::as_if_of(made, &name.text);
        let reason =
            format!("it is there with another definition\n  there:    {}\n  declared: {declared}", name.text);
        let next = format!(
            "correct the declaration; or have it replaced (`on_drift: replace`); or declare it under a new name and write DROP INDEX {}; which drops the old one \
             after the new one is built",
            sql::identifier(&declaration.name)
        );
        Self { size_bytes: Some(name.size_bytes), ..Self::short(Settled::Drifted, reason, &next) }
    }

    pub(crate) fn uncompared(name: &FoundName, why: &str) -> Self {
        let reason = format!("it is there and valid, but could not be compared with its declaration: {why}");
        let next =
            "let the deploying role read the table and create temporary tables (GRANT TEMPORARY ON DATABASE)";
        Self { size_bytes: Some(name.size_bytes), ..Self::short(Settled::Uncompared, reason, next) }
    }

    pub(crate) fn busy(table: &Table, holders: &[WaitsFor]) -> Self {
        let by = if holders.is_empty() { "others".to_owned() } else { named(holders) };
        let reason = format!("{} is locked by {by}, for longer than is waited", table.name);
        Self::short(Settled::Busy, reason, &format!("when they are done: {AGAIN}"))
    }

    pub(crate) fn detached(pid: i32, reason: Reason, waited_for: &[WaitsFor]) -> Self {
        let waits = if waited_for.is_empty() {
            String::new()
        } else {
            format!("; it waited for {}", named(waited_for))
        };
        let reason = format!("{}; the server goes on building it (pid {pid}){waits}", reason.words());
        Self::short(Settled::Detached, reason, &format!("the next deploy adopts it: {AGAIN}"))
    }

    /// Stopped while an index that is not valid was waited for.
    pub(crate) fn stopped(name: &FoundName, holders: &[Holder]) -> Self {
        match holders.iter().find(|holder| holder.building == Some(name.oid)) {
            Some(builder) => Self::detached(builder.who.pid, Reason::Stopped, &[]),
            None => Self::skipped(Reason::Stopped),
        }
    }

    /// Cancelled: before anything was built, or because an interrupted deploy keeps nothing of it.
    pub(crate) fn blocked(outcome: Settled, reason: Reason, by: &str) -> Self {
        let by = if by.is_empty() { String::new() } else { format!("; it waited for {by}") };
        if reason == Reason::Stopped {
            return Self::short(outcome, format!("{}{by}", reason.words()), AGAIN);
        }
        let reason = format!("cancelled before anything was built: {}{by}", reason.words());
        Self::short(outcome, reason, &format!("when they are done: {AGAIN}"))
    }

    /// Its time comes when a backfill is complete.
    pub(crate) fn deferred(backfill: &str, why: &str) -> Self {
        let reason = format!("it is built after backfill {backfill}: {why}");
        Self::short(
            Settled::Deferred,
            reason,
            &format!("pgdeploy backfill run {backfill} --env {{env}}, then {AGAIN}"),
        )
    }

    pub(crate) fn skipped(reason: Reason) -> Self {
        Self::short(Settled::Skipped, format!("not begun: {}", reason.words()), AGAIN)
    }

    /// Adds words to the reason.
    pub(crate) fn and(mut self, words: &str) -> Self {
        self.reason =
            Some(self.reason.map_or_else(|| words.to_owned(), |reason| format!("{reason}; {words}")));
        self
    }

    /// An invalid index is left: the next deploy sees to it.
    pub(crate) fn left_behind(mut self) -> Self {
        let repair = format!("the next deploy drops the invalid index and builds it again: {AGAIN}");
        self.next = Some(match self.next {
            Some(next) if self.sqlstate.is_some() => format!("{next}; {repair}"),
            _ => repair,
        });
        self
    }

    pub(crate) fn of(self, name: String, table: String, duration: Duration, attempts: u32) -> ItemOutcome {
        ItemOutcome {
            name,
            table,
            declared_at: String::new(),
            outcome: self.outcome,
            duration,
            size_bytes: self.size_bytes,
            attempts,
            reason: self.reason,
            next: self.next,
            required: false,
            problem: self.problem,
        }
    }
}
