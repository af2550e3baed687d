//! What an error means for a backfill: again, smaller, from a new connection, or not at all.

use postgres::{Error, Warning};

use crate::outcome::{Verdict, grouped};

/// How the work on one definition ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Proven.
    Complete,
    /// Was complete before.
    Unchanged,
    /// The budget is over, rows stay locked: it resumes at the next deploy.
    Incomplete(String),
    /// A person or its window holds it up: to be looked at again when the others are done.
    Later(String),
    /// Told to stop.
    Interrupted,
    /// Was complete before, and nobody can tell whether it still is.
    Unproven,
    /// Somebody wanted it ended.
    Cancelled,
    /// Somebody wants it to wait: looked at anew.
    Held,
    /// The partition is no longer one.
    Gone,
    /// All that can be done is; some rows are set aside.
    Quarantined(String),
    /// Rows match again after they were done.
    KeepMatching { rows: u64, examples: Vec<String>, sampled: bool },
    /// It cannot go on as it is.
    Failed { sqlstate: Option<String>, reason: String },
    /// Nothing can go on: the disk is full.
    Abort(String),
    /// The catalog or the ledger says that it cannot run.
    Refused(String),
}

impl Ended {
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Ended::Complete => Verdict::Complete,
            Ended::Unchanged | Ended::Unproven => Verdict::Unchanged,
            Ended::Gone => Verdict::Complete,
            Ended::Incomplete(_)
            | Ended::Later(_)
            | Ended::Quarantined(_)
            | Ended::Interrupted
            | Ended::Cancelled
            | Ended::Held
            | Ended::Abort(_) => Verdict::Incomplete,
            Ended::KeepMatching { .. } | Ended::Failed { .. } => Verdict::Failed,
            Ended::Refused(_) => Verdict::Refused,
        }
    }

    /// Why it is not complete.
    pub(crate) fn reason(&self) -> Option<String> {
        match self {
            Ended::Complete | Ended::Unchanged | Ended::Gone => None,
            Ended::Unproven => Some(
                "a migration was taken back since it began, and with `mode: once` no look at the rows tells whether \
                 what it did is still there"
                    .into(),
            ),
            Ended::Cancelled => Some("somebody has cancelled it".into()),
            Ended::Held => Some("somebody has paused it".into()),
            Ended::Interrupted => Some("the deploy had to stop".into()),
            Ended::Incomplete(reason)
            | Ended::Later(reason)
            | Ended::Abort(reason)
            | Ended::Refused(reason)
            | Ended::Quarantined(reason) => Some(reason.clone()),
            Ended::Failed { reason, .. } => Some(reason.clone()),
            Ended::KeepMatching { rows, examples, sampled } => Some(format!(
                "{}{} still match its WHERE after they were done, such as {}{}",
                if *sampled { "in a first sample, " } else { "" },
                if *rows == 1 { "1 row".to_owned() } else { format!("{} rows", grouped(*rows)) },
                examples.join("; "),
                if *sampled { "; nothing was changed" } else { "" }
            )),
        }
    }

    /// The warning to show, for everything short of complete.
    pub(crate) fn warning(&self, id: &str, rows: u64, estimated_rows: u64) -> Option<Warning> {
        let reason = self.reason()?;
        // Never 100 before it is proven.
        let percent =
            rows.min(estimated_rows).saturating_mul(100).checked_div(estimated_rows).unwrap_or(0).min(99);
        let of = format!("{} of {} rows ({percent} %)", grouped(rows), grouped(estimated_rows.max(rows)));
        let resumes =
            format!("it resumes at the next deploy, or now: pgdeploy backfill run {id} --env {{env}}");
        let (code, message, next) = match self {
            Ended::KeepMatching { .. } => (
                "W204",
                format!("{id}: {reason}"),
                "make the new value one that the WHERE no longer matches, such as coalesce(.., 'none'), then: \
                 pgdeploy deploy --env {env}"
                    .to_owned(),
            ),
            Ended::Unproven => (
                "W205",
                format!("{id} was complete: {reason}"),
                "look at its rows; to do it again, give it a file with a new number: pgdeploy new backfill NAME; \
                 where nothing of it is lost, delete the file"
                    .to_owned(),
            ),
            Ended::Quarantined(_) => (
                "W201",
                format!("{id} is incomplete: {of}: {reason}"),
                format!(
                    "correct the rows and try again: pgdeploy backfill quarantine retry {id} --env {{env}}; \
                     or leave them as they are: pgdeploy backfill quarantine accept {id} --reason TEXT --env {{env}}"
                ),
            ),
            Ended::Failed { .. } => (
                "W201",
                format!("{id} failed at {of}: {reason}"),
                "correct the rows or the file; what is done stays done, the rest is tried again by: \
                 pgdeploy deploy --env {env}"
                    .to_owned(),
            ),
            Ended::Refused(_) => {
                ("W201", format!("{id} cannot run: {reason}"), "then: pgdeploy deploy --env {env}".to_owned())
            }
            Ended::Abort(_) => {
                ("W201", format!("{id} is incomplete: {of}: {reason}"), format!("free disk space, then {resumes}"))
            }
            Ended::Cancelled | Ended::Held => (
                "W201",
                format!("{id} is incomplete: {of}: {reason}"),
                format!("no deploy goes on with it until: pgdeploy backfill resume {id} --env {{env}}"),
            ),
            _ => ("W201", format!("{id} is incomplete: {of}: {reason}"), resumes),
        };
        Some(Warning { code, message, next: Some(next) })
    }
}

/// A problem in one line: place, message, and what to do.
pub(crate) fn told(problem: &sql::Problem) -> String {
    match &problem.help {
        Some(help) => format!("{problem} ({help})"),
        None => problem.to_string(),
    }
}

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// A new connection, then on from the cursor.
    Reconnect,
    /// The same again after a short random wait.
    Retry,
    /// Somebody holds what we need: smaller, later.
    GiveWay,
    /// It took too long: smaller.
    Shrink,
    /// Some row of the batch causes it: close in on it.
    Bisect,
    /// The server is short of something that comes back.
    Wait,
    /// The disk is full.
    Abort,
    /// Trying again gives the same.
    Fail,
}

/// By SQLSTATE (Appendix A of the manual).
pub(crate) fn remedy(error: &Error) -> Remedy {
    if error.is_lost_connection() {
        return Remedy::Reconnect;
    }
    let Some(sqlstate) = error.sqlstate() else {
        // A half-read answer leaves the connection in an unknown state.
        return if matches!(error, Error::Protocol(_)) { Remedy::Reconnect } else { Remedy::Fail };
    };
    match sqlstate {
        "40001" | "40P01" => Remedy::Retry,
        "55P03" => Remedy::GiveWay,
        "57014" => Remedy::Shrink,
        "53100" => Remedy::Abort,
        "53200" | "53300" => Remedy::Wait,
        // A primary that has become a standby: the address may lead to the new one.
        "25006" | "25P03" | "25P04" => Remedy::Reconnect,
        "P0001" => Remedy::Bisect,
        code if code.starts_with("08") || code.starts_with("57P") => Remedy::Reconnect,
        code if code.starts_with("22") || code.starts_with("23") || code.starts_with("P0") => Remedy::Bisect,
        _ => Remedy::Fail,
    }
}
