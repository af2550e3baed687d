//! The end of an attempt in one call: what is deferred, our record, the COMMIT, and a session as new.
//!
//! The server stops at the first statement that fails. So whatever stands behind the COMMIT runs in a transaction of its
//! own, never in one that the user's text has left open.

use postgres::{RunLock, ScriptError, Session};

use crate::fence::Fence;

/// What is sent before the record, a statement each. Deferred constraints and their triggers are checked first, with the
/// role and the search path that the text has left, as a COMMIT at its end would; the record is written as who we are.
const BEFORE: [&str; 4] = [
    "SET CONSTRAINTS ALL IMMEDIATE",
    "RESET SESSION AUTHORIZATION",
    "RESET ROLE",
    "SET LOCAL search_path = pg_catalog",
];
/// Which statement of it checks what was deferred, writes the record, commits.
const DEFERRED: usize = 0;
const RECORD: usize = BEFORE.len();
const COMMIT: usize = RECORD + 1;

/// The statements that end the transaction `xid`. `leave` is the record (see [`crate::attempt::Records`]).
pub(crate) fn statements(session: &Session, lock: &RunLock, xid: &str, leave: &str, reset: bool) -> String {
    let same = format!("{} AND {}", Fence::same_transaction(xid), lock.is_ours());
    let took =
        "(extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.transaction_timestamp()) * 1000)";
    let leave = leave.replace("{same}", &same).replace("{took}", took);
    // Fails where it is none, so that the COMMIT is not reached.
    let record = format!("WITH rows AS ({leave} RETURNING 1) SELECT 1 / pg_catalog.count(*) FROM rows");
    let after = if reset { session.as_new() } else { String::new() };
    format!("{}; {record}; COMMIT; {after}", BEFORE.join("; "))
}

/// How it ended.
pub(crate) enum Closed {
    /// It is in, and the session as new, where that was asked for.
    Committed,
    /// It is in; what the text has left in the session is still there.
    NotReset,
    /// The text failed, or what it has deferred.
    Text(ScriptError),
    /// There was nothing to record: another transaction than the one that began, or the run lock is not ours any more.
    NothingRecorded,
    /// A statement of ours failed before the COMMIT.
    Refused(ScriptError),
    /// No answer, or none that makes sense: only the server knows whether it is in.
    Unknown(ScriptError),
}

impl Closed {
    /// What the answer to the statements means, where `text` statements of the user's stood before them in the same call.
    pub(crate) fn of(answer: Result<(), ScriptError>, text: usize) -> Self {
        let failed = match answer {
            Ok(()) => return Closed::Committed,
            Err(failed) if failed.error.server().is_none() || failed.error.is_lost_connection() => {
                return Closed::Unknown(failed);
            }
            Err(failed) => failed,
        };
        let Some(nth) = failed.statement else { return Closed::Refused(failed) };
        match nth.checked_sub(text) {
            None => Closed::Text(failed),
            // Of the file as a whole: also a trigger of the text's that has become deferred again.
            Some(DEFERRED | COMMIT) => Closed::Text(failed.error.into()),
            Some(RECORD) if failed.error.sqlstate() == Some(DIVISION_BY_ZERO) => Closed::NothingRecorded,
            Some(later) if later > COMMIT => Closed::NotReset,
            Some(_) => Closed::Refused(failed),
        }
    }
}

const DIVISION_BY_ZERO: &str = "22012";
