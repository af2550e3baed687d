//! One clock for everybody: the server's.

use std::time::Instant;

use gates::Timestamp;
use postgres::{Error, Row, Session};

/// The server's clock, carried on by our own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    at: Timestamp,
    read: Instant,
}

impl Clock {
    /// As it is now.
    pub(crate) async fn of(session: &mut Session) -> Result<Self, Error> {
        let read = Instant::now();
        Ok(Self { at: now(session).await?, read })
    }

    /// The moment.
    pub(crate) fn now(&self) -> Timestamp {
        self.at.saturating_add(jiff_duration(self.read.elapsed())).unwrap_or(Timestamp::MAX)
    }
}

/// The server's moment.
pub(crate) async fn now(session: &mut Session) -> Result<Timestamp, Error> {
    let row = session.one("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8").await?;
    let microseconds: i64 = row.try_get(0)?;
    Ok(Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::MAX))
}

fn jiff_duration(duration: std::time::Duration) -> gates::SignedDuration {
    gates::SignedDuration::try_from(duration).unwrap_or(gates::SignedDuration::MAX)
}
