//! The schema gate's own failures.

use std::time::Duration;

use super::{Failure, Verdict, counted};

impl Failure {
    /// The gate's own error, with what was applied before it.
    pub(crate) fn gate(error: schema::GateError, pending: usize) -> Self {
        let done = error.applied.len();
        let so_far = format!(
            "{done} of {} of this deploy {} in the database",
            counted(pending, "migration"),
            if done == 1 { "is" } else { "are" }
        );
        let verdict =
            if error.failure.is_worth_another_try() { Verdict::TryAgain } else { Verdict::GateFailed };
        let code = error.failure.code();
        let message = error.failure.to_string();
        let mut failure = match error.failure {
            schema::Failure::Session(error) => Self::session(error),
            schema::Failure::Interrupted => Self::interrupted("interrupted in the schema stage"),
            schema::Failure::LockLost => Self::lock_lost(),
            schema::Failure::Orphan { pid } => Self::new(verdict, code, message).next(format!(
                "it ends when the server notices that its client is gone, or with: SELECT pg_terminate_backend({pid}); then: \
                 pgdeploy deploy --env {{env}}"
            )),
            schema::Failure::Denied(problem) => {
                let message = format!("a right is missing for {}, which was rolled back", problem.path.display());
                Self { problems: vec![problem], ..Self::new(Verdict::Denied, code, message) }
                    .next("grant it to the role that deploys, or deploy as the owner of the objects")
            }
            schema::Failure::Cancelled(problem) => {
                let message = format!("{} was cancelled on the server and rolled back", problem.path.display());
                Self { problems: vec![problem], ..Self::new(verdict, code, message) }
                    .next("ask who did (pg_cancel_backend), then: pgdeploy deploy --env {env}")
            }
            schema::Failure::TooSlow(problem) => {
                let message = format!("{} took too long and was rolled back", problem.path.display());
                Self { problems: vec![problem], ..Self::new(verdict, code, message) }.next(
                    "move what takes long into backfills/ or indexes/, or raise stages.schema.statement_timeout; then: pgdeploy deploy --env {env}",
                )
            }
            schema::Failure::InDoubt(problem) => {
                let next = problem.help.clone();
                let message = format!("{} is half done, and how far is unknown", problem.path.display());
                Self { problems: vec![problem], next, ..Self::new(verdict, code, message) }
            }
            schema::Failure::EndedTransaction(problem) => {
                let next = problem.help.clone();
                Self {
                    problems: vec![problem],
                    next,
                    ..Self::new(verdict, code, "a migration ended its own transaction")
                }
            }
            schema::Failure::Refused { problem, report } => {
                let mut evidence: Vec<String> = Vec::new();
                evidence.extend(report.detail.map(|detail| format!("detail: {detail}")));
                evidence.extend(report.context.map(|context| format!("context: {context}")));
                let message = format!("{} failed and was rolled back whole", problem.path.display());
                Self { problems: vec![problem], evidence, ..Self::new(verdict, code, message) }
                    .next("correct the file, then: pgdeploy deploy --env {env}")
            }
            schema::Failure::Blocked { problem, blocked_by, .. } => {
                let message = format!("{} was blocked and was rolled back whole", problem.path.display());
                let evidence = blocked_by.iter().map(blocker).collect();
                Self { problems: vec![problem], evidence, ..Self::new(verdict, code, message) }
                    .next("when the blocking transaction has ended: pgdeploy deploy --env {env}")
            }
        };
        failure.evidence.push(so_far);
        failure
    }
}

/// Who stood in the way, on one line.
fn blocker(by: &schema::BlockedBy) -> String {
    let age = Duration::from_millis(by.age_ms).as_secs_f64();
    format!(
        "blocked by pid {} {} {} ({}), its transaction open for {age:.1}s",
        by.pid, by.user, by.application, by.state
    )
}
