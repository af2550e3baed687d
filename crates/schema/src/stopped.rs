//! Why an attempt did not come to its end, and what that means: another attempt, or a failure.

use std::time::Duration;

use postgres::{Class, Error, ScriptError};

use crate::attempt::Attempt;
use crate::failure::Failure;
use crate::refusal::{Text, cancelled, refusal};

/// How an attempt ended.
pub(crate) enum Ended {
    /// It is in the database.
    Committed(Duration),
    /// Somebody is on the tables that were to be looked at; nothing was done.
    SawOthers,
    /// Others held what it needed (55P03, 40P01, 40001), or too many stood behind it; it was rolled back whole.
    GaveWay(ScriptError),
}

/// Why an attempt did not come to its end.
pub(crate) enum Stopped {
    /// Somebody is there whom we would have to wait for.
    SawOthers,
    /// It is in already, or may be: there is a record of it.
    MetARecord,
    /// The user's text failed.
    Text(ScriptError),
    /// A statement of our own failed, for another reason than that.
    Ours(Error),
    /// Anything else.
    For(Failure),
}

impl Stopped {
    /// What it means that an attempt of a text was rolled back after a time.
    pub(crate) fn means(
        self,
        attempt: &Attempt<'_>,
        text: &Text<'_>,
        took: Duration,
    ) -> Result<Ended, Failure> {
        let Attempt { stop, watch, settings, .. } = attempt;
        // Our own statements wait for locks too: for the history row of another runner.
        let (failed, is_ours) = match self {
            Stopped::For(failure) => return Err(failure),
            Stopped::MetARecord => return Err(Failure::LockLost),
            Stopped::SawOthers => return Ok(Ended::SawOthers),
            Stopped::Ours(error) => (ScriptError::from(error), true),
            Stopped::Text(failed) => (failed, false),
        };
        match failed.error.class() {
            Class::Contention => Ok(Ended::GaveWay(failed)),
            Class::Cancelled if stop.is_cancelled() => Err(Failure::Interrupted),
            Class::Cancelled if watch.gave_way() => Ok(Ended::GaveWay(failed)),
            _ if is_ours => Err(failed.error.into()),
            Class::Cancelled => Err(cancelled(text, &failed, took, settings.statement_timeout)),
            _ => Err(refusal("E108", text, failed)),
        }
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        match error.sqlstate() {
            // The row that we write is there: somebody else's.
            Some("23505") => Stopped::MetARecord,
            _ => Stopped::Ours(error),
        }
    }
}
