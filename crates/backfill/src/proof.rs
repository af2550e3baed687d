//! Whether a backfill is complete: proven now, not believed. What a migration's `requires_backfill` and an index's
//! `after_backfill` stand on.

use std::fmt;

use postgres::{Error, Session};

use crate::definition::Definitions;
use crate::lookup::{self, Lookup};
use crate::outcome::grouped;
use crate::quarantine;
use crate::record::{self, Record};
use crate::texts;
use crate::verify;

/// Whether a backfill is complete.
#[derive(Debug, Clone, PartialEq)]
pub enum Proof {
    /// It is recorded as done with this very definition, nothing of it is in quarantine, and no row matches now.
    Complete,
    /// It is not, or nobody can tell.
    NotComplete {
        /// Why.
        reason: Reason,
        /// How far it is, where it has begun; never 100.
        percent: Option<u8>,
    },
}

/// Why a backfill cannot be called complete.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// The release has no file of that name.
    Unknown,
    /// Nobody has run it yet.
    NotStarted,
    /// It is in the middle of its work, or stopped there.
    Incomplete {
        /// Rows done.
        rows: u64,
        /// Rows that matched at the start, by a sample.
        estimated_rows: u64,
        /// Why it stopped, where it did.
        stopped: Option<String>,
    },
    /// It was given up.
    Failed {
        /// Why.
        error: Option<String>,
    },
    /// Somebody has cancelled it.
    Cancelled,
    /// What was run had another text.
    Changed,
    /// Rows that could not be done are set aside, and nobody has accepted that.
    Quarantine {
        /// How many.
        rows: u64,
        /// The last of them, with what the server said.
        example: String,
    },
    /// It was complete; since then rows match again.
    MatchesAgain,
    /// The table cannot be asked.
    CannotLook {
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Unknown => write!(f, "there is no such backfill in this release"),
            Reason::NotStarted => write!(f, "it has not been run yet"),
            Reason::Incomplete { rows, estimated_rows, stopped } => {
                write!(
                    f,
                    "it is incomplete: {} of {} rows",
                    grouped(*rows),
                    grouped(*estimated_rows.max(rows))
                )?;
                stopped.as_ref().map_or(Ok(()), |stopped| write!(f, ": {stopped}"))
            }
            Reason::Failed { error: Some(error) } => write!(f, "it has failed: {error}"),
            Reason::Failed { error: None } => write!(f, "it has failed"),
            Reason::Cancelled => write!(f, "it was cancelled"),
            Reason::Changed => write!(f, "what was run had another text than the file has now"),
            Reason::Quarantine { rows: 1, example } => write!(f, "1 row is in quarantine: {example}"),
            Reason::Quarantine { rows, example } => {
                write!(f, "{} rows are in quarantine, such as {example}", grouped(*rows))
            }
            Reason::MatchesAgain => write!(f, "it was complete, but rows match its WHERE again"),
            Reason::CannotLook { reason } => write!(f, "its table cannot be asked: {reason}"),
        }
    }
}

/// Proves that a backfill is complete, by the ledger and by a look at the live table; or says why it is not. Reads only.
pub async fn proof(
    session: &mut Session,
    definitions: &Definitions,
    id: &str,
    ledger: &str,
) -> Result<Proof, Error> {
    let not = |reason, percent| Ok(Proof::NotComplete { reason, percent });
    let Some(definition) = definitions.items().iter().find(|definition| definition.id == id) else {
        return not(Reason::Unknown, None);
    };
    let Some(record) = record::latest(session, ledger).await?.remove(id) else {
        return not(Reason::NotStarted, None);
    };
    let percent = Some(percent(&record));
    if record.def_sha256 != definition.def_sha256 {
        return not(Reason::Changed, percent);
    }
    if let Some((rows, example)) = quarantine::of_backfill(session, ledger, record.id).await? {
        return not(Reason::Quarantine { rows, example }, percent);
    }
    let Record { rows, estimated_rows, error, .. } = record;
    match record.state.as_str() {
        "done" => {}
        "failed" => return not(Reason::Failed { error }, percent),
        "cancelled" => return not(Reason::Cancelled, percent),
        _ => return not(Reason::Incomplete { rows, estimated_rows, stopped: error }, percent),
    }
    let relation = match lookup::look_up(session, definition).await? {
        Lookup::Ready(relation) if relation.name == record.table_name => relation,
        Lookup::Ready(relation) => {
            let reason = format!("it now means {}, and {} was done", relation.name, record.table_name);
            return not(Reason::CannotLook { reason }, percent);
        }
        Lookup::Waiting(problem) | Lookup::Refused(problem) => {
            return not(Reason::CannotLook { reason: problem.to_string() }, percent);
        }
    };
    let Some(texts) = texts::compose(definition, &relation, ledger) else {
        return not(Reason::CannotLook { reason: "its statement cannot be taken apart".into() }, percent);
    };
    // In mode `once` no look tells: the ledger has every key.
    if !definition.is_once() {
        match verify::any_matches(session, &texts, record.id).await {
            Ok(false) => {}
            Ok(true) => return not(Reason::MatchesAgain, percent),
            // The right to read it is there: it is a policy that would hide rows.
            Err(error) if error.sqlstate() == Some("42501") => {
                session.run("ROLLBACK").await?;
                return not(Reason::CannotLook { reason: error.to_string() }, percent);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Proof::Complete)
}

/// Never 100 before it is proven.
fn percent(record: &Record) -> u8 {
    let rows = record.rows.min(record.estimated_rows).saturating_mul(100);
    rows.checked_div(record.estimated_rows).map_or(0, |percent| u8::try_from(percent.min(99)).unwrap_or(99))
}
