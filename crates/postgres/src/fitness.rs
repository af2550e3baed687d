//! What a deploy cannot stand on, found out before it starts.

use crate::error::Error;
use crate::session::Session;

/// The role of the second session.
pub const SECOND: &str = "lock";

/// Why a server that answers is not fit for a deploy.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Two open sessions are served by one backend.
    #[error("{0} is a connection pooler in transaction mode: sessions and their locks do not last there")]
    TransactionPooler(String),
    /// Older than what the tool is tested with.
    #[error("PostgreSQL {0} is too old: version 13 or newer is needed")]
    TooOld(String),
    /// The check itself failed.
    #[error(transparent)]
    Session(#[from] Error),
}

/// Looks at a second session beside the first: two open sessions with one backend pid are a transaction pooler. Both
/// pids are asked for again while both are open, since a pooler hands a backend out only for the time of a query.
/// `second` may be open already; where it is not, it is opened. Returns it: it can hold the run lock.
pub async fn check(first: &mut Session, second: Option<Session>) -> Result<Session, Unfit> {
    if first.version_number() < 130_000 {
        return Err(Unfit::TooOld(first.version().to_owned()));
    }
    let mut second = match second {
        Some(second) => second,
        None => first.target().connect(SECOND).await?,
    };
    // One after the other: asked at once, two backends would answer.
    let (one, other) = (pid(first).await?, pid(&mut second).await?);
    if one == other {
        return Err(Unfit::TransactionPooler(first.target().to_string()));
    }
    Ok(second)
}

async fn pid(session: &mut Session) -> Result<i32, Error> {
    use sqlx::Row;
    let row = session.answer("SELECT pg_backend_pid()").await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or_default())
}
