//! Failures of programs that start behind a deploy.

use std::time::Duration;

use postgres::{Class, Error};

use super::{Failure, Verdict};

impl Failure {
    pub(crate) fn release_failed(number: i64, words: Option<String>, problems: Vec<String>) -> Self {
        let words = words.map(|words| format!(": {words}")).unwrap_or_default();
        let message = format!("deployment {number} of this release has failed{words}");
        Self { evidence: problems, ..Self::new(Verdict::TryAgain, "E460", message) }
            .next("mend what it says and deploy again: pgdeploy deploy --env {env}; nothing was started here")
    }

    /// Of the role that waits, and not of the one that deploys.
    pub(crate) fn unreadable(error: Error, ledger: &str) -> Self {
        let denied = error.class() == Class::Permission;
        let failure = Self::session(error);
        let ledger = sql::identifier(ledger);
        match denied {
            true => failure.next(format!(
                "this role needs USAGE on the schema {ledger} and SELECT on its tables: pgdeploy ledger create --reader ROLE --env {{env}}, \
                 as the role that deploys"
            )),
            false => failure,
        }
    }

    pub(crate) fn release_is_late(reason: &str, timeout: Duration) -> Self {
        let timeout = humantime::format_duration(timeout);
        Self::new(Verdict::TryAgain, "E461", format!("the release was not in within {timeout}: {reason}"))
            .next("see where it stands: pgdeploy status --env {env}; --timeout sets the patience")
    }

    pub(crate) fn stopped_waiting() -> Self {
        Self::new(
            Verdict::Interrupted,
            "E113",
            "interrupted while waiting for the release; nothing was started",
        )
    }

    /// The program that a command should become is not there.
    pub fn no_such_program(program: &str) -> Self {
        Self::new(
            Verdict::Unusable,
            "E462",
            format!("there is no program {program} here, or it may not be executed"),
        )
        .next("name a file, or a program on PATH; nothing was touched")
    }

    /// The program that a command should become could not be executed after all.
    pub fn not_executed(program: &str, error: &std::io::Error) -> Self {
        Self::new(Verdict::Unusable, "E463", format!("{program} could not be executed: {error}"))
    }
}
