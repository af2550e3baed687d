//! Why a deploy did not succeed: what a person reads, and what a program decides on.

use sql::Problem;

mod consumer;
mod fleet;
mod gate;
mod history;
mod server;
mod services;

pub(crate) use self::fleet::some;

/// How a deploy ended, by what the caller should do. The exit codes are derived from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All of it is in.
    Succeeded,
    /// The gate passed; a warning stage fell short.
    Warnings,
    /// The hard gate stayed shut.
    GateFailed,
    /// Configuration, files, or a server that cannot be deployed to.
    Unusable,
    /// A gate of the rollout refused; nothing was touched.
    Refused,
    /// History and files contradict each other; nothing was touched.
    Integrity,
    /// A migration breaks the iron rule, or holds a hazard that nobody has accepted; nothing was touched.
    Guard,
    /// A command of `services` failed.
    ServiceFailed,
    /// More databases of a fleet failed than its budget allows.
    BeyondBudget,
    /// The database could not be reached in time.
    Unreachable,
    /// Others were in the way; nothing was applied; the same deploy may succeed later.
    TryAgain,
    /// Who we are, or what we want to do, is refused by the server.
    Denied,
    /// A signal ended it, at a safe point.
    Interrupted,
}

/// Why a deploy did not succeed.
#[derive(Debug)]
pub struct Failure {
    /// What the caller should do.
    pub verdict: Verdict,
    /// Stable code, such as `E301`.
    pub code: &'static str,
    /// What happened: one lowercase sentence.
    pub message: String,
    /// Files with their places.
    pub problems: Vec<Problem>,
    /// More lines of evidence.
    pub evidence: Vec<String>,
    /// What to type or do next; `{env}` stands for the environment.
    pub next: Option<String>,
}

impl Failure {
    pub(crate) fn new(verdict: Verdict, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            verdict,
            code,
            message: message.into(),
            problems: Vec::new(),
            evidence: Vec::new(),
            next: None,
        }
    }

    /// What to type or do next.
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// What was typed cannot be done.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Verdict::Unusable, "E272", message)
    }

    /// The embedded server, or this machine's files.
    pub fn local(message: impl Into<String>) -> Self {
        Self::new(Verdict::Unusable, "E314", message)
    }

    /// Files that cannot be used.
    pub fn files(problems: Vec<Problem>) -> Self {
        let message = format!("{} in the release's files", counted(problems.len(), "problem"));
        Self { problems, ..Self::new(Verdict::Unusable, "E219", message) }
    }

    pub(crate) fn required_indexes(names: &[String], after_backfills: bool) -> Self {
        let message = format!("required indexes are not there: {}; the warnings say why", names.join(", "));
        let backfills = if after_backfills { "" } else { "; the backfills have not run" };
        let next = format!("correct what the warnings name, then: pgdeploy deploy --env {{env}}{backfills}");
        Self::new(Verdict::GateFailed, "E116", message).next(next)
    }

    pub(crate) fn unknown_index(name: &str) -> Self {
        let message = format!("there is no index {name}, and no file declares one");
        Self::new(Verdict::Unusable, "E134", message).next("pgdeploy index list --env {env}")
    }

    /// What the guard refuses, by the text or by a run on a throwaway server.
    pub fn guard(problems: Vec<Problem>) -> Self {
        let message = format!("the guard refuses the release: {}", counted(problems.len(), "finding"));
        Self { problems, ..Self::new(Verdict::Guard, "E500", message) }
            .next("pgdeploy explain RULE says why and what to write instead; rows belong in backfills/, indexes in indexes/")
    }

    /// Nothing can be run on a throwaway server.
    pub fn unprovable(why: &str) -> Self {
        Self::new(Verdict::Unusable, "E507", format!("nothing can be proven: {why}"))
            .next("install PostgreSQL's server programs here (initdb, postgres, psql, pg_dump), or plan without --prove")
    }

    pub(crate) fn no_such_backfill(id: &str, all: &[&str]) -> Self {
        let message = format!("there is no backfill {id} in this release");
        let known = if all.is_empty() { "it has none".into() } else { format!("it has {}", all.join(", ")) };
        Self::new(Verdict::Unusable, "E280", message).next(known)
    }

    pub(crate) fn nothing_to_steer(id: &str, state: Option<&str>) -> Self {
        let message = match state {
            Some(state) => format!("{id} is {state}: there is nothing to steer"),
            None => format!("{id} has not been run yet: there is nothing to steer"),
        };
        Self::new(Verdict::Unusable, "E281", message).next("pgdeploy backfill list --env {env}")
    }

    pub(crate) fn stale(id: &str, revision: i32, last: &str) -> Self {
        let message = format!("somebody else has asked for something of {id} meanwhile: {last}");
        Self::new(Verdict::Refused, "E403", message).next(format!(
            "look, and ask again: pgdeploy backfill list --env {{env}}, then --revision {revision}"
        ))
    }

    pub(crate) fn interrupted(what: impl Into<String>) -> Self {
        Self::new(Verdict::Interrupted, "E113", what).next("go on with: pgdeploy deploy --env {env}")
    }
}

/// `1 problem`, `2 problems`.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
