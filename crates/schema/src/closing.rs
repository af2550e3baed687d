//! The end of an attempt in one call: what is deferred, our record, the COMMIT, and a session as new.
//!
//! The server stops at the first statement that fails. So whatever stands behind the COMMIT runs in a transaction of its
//! own, never in one that the user's text has left open.

use postgres::{Notices, ScriptError, Session};

use crate::fence::Fence;

/// What is sent before the record, a statement each. Deferred constraints and their triggers are checked first, with the
/// role and the search path that the text has left, as a COMMIT at its end would; the record is written as who we are.
const BEFORE: [&str; 4] = [
    "SET CONSTRAINTS ALL IMMEDIATE",
    "RESET SESSION AUTHORIZATION",
    "RESET ROLE",
    "SET LOCAL search_path = pg_catalog",
];
/// Which statement of the call checks what was deferred, writes the record, commits.
const DEFERRED: usize = 0;
const RECORD: usize = BEFORE.len();
const COMMIT: usize = RECORD + 1;

/// How it ended.
pub(crate) enum Closed {
    /// It is in, and the session as new, where that was asked for.
    Committed,
    /// It is in; what the text has left in the session is still there.
    NotReset,
    /// What was deferred failed: the text's fault.
    Deferred(ScriptError),
    /// There was nothing to record: another transaction than the one that began, or the run lock is not ours any more.
    NothingRecorded,
    /// A statement of ours failed before the COMMIT.
    Refused(ScriptError),
    /// No answer, or none that makes sense: only the server knows whether it is in.
    Unknown(ScriptError),
}

/// Closes the transaction `xid`. `leave` is the record (see [`crate::attempt::Records`]).
pub(crate) async fn close(
    session: &mut Session,
    fence: &Fence,
    xid: &str,
    leave: &str,
    reset: bool,
    notices: &Notices,
) -> Closed {
    let same = format!("{} AND {}", Fence::same_transaction(xid), fence.lock_is_ours());
    let leave = leave.replace("{same}", &same);
    // Fails where it is none, so that the COMMIT is not reached.
    let record = format!("WITH rows AS ({leave} RETURNING 1) SELECT 1 / pg_catalog.count(*) FROM rows");
    let after = if reset { session.as_new() } else { String::new() };
    let text = format!("{}; {record}; COMMIT; {after}", BEFORE.join("; "));
    // Triggers of deferred constraints speak here.
    match notices.of(session.script(&text)).await {
        Ok(()) => Closed::Committed,
        Err(failed) if failed.error.server().is_none() || failed.error.is_lost_connection() => {
            Closed::Unknown(failed)
        }
        Err(failed) => match failed.statement {
            Some(DEFERRED) => Closed::Deferred(failed),
            Some(RECORD) if failed.error.sqlstate() == Some(DIVISION_BY_ZERO) => Closed::NothingRecorded,
            // A trigger of the text's that has become deferred again.
            Some(COMMIT) => Closed::Deferred(failed),
            Some(later) if later > COMMIT => Closed::NotReset,
            _ => Closed::Refused(failed),
        },
    }
}

const DIVISION_BY_ZERO: &str = "22012";
