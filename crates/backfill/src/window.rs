//! The hours in which a backfill may work.

use std::fmt;
use std::time::Duration;

use postgres::{Error, Row, Session, query};
use serde::{Deserialize, Deserializer, de};

/// The hours in which it may work: from, to (the next day where that is less), and where that is the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) zone: String,
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{} {}", self.from, self.to, self.zone)
    }
}

/// `22:00-06:00 Europe/Paris`.
pub(crate) fn window<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Window>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let (hours, zone) = text.trim().split_once(' ').unwrap_or((text.trim(), "UTC"));
    let window = hours.split_once('-').filter(|(from, to)| is_time(from) && is_time(to) && from != to);
    let known = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
    match window.filter(|_| zone.trim().chars().all(known)) {
        Some((from, to)) => {
            Ok(Some(Window { from: from.into(), to: to.into(), zone: zone.trim().to_owned() }))
        }
        None => {
            let help = "write the hours and the time zone, such as 22:00-06:00 Europe/Paris";
            Err(de::Error::custom(format!("`{text}` is no window; {help}")))
        }
    }
}

fn is_time(text: &str) -> bool {
    let parts = text.split_once(':').map(|(hour, minute)| (hour.parse::<u8>(), minute.parse::<u8>()));
    text.len() == 5 && matches!(parts, Some((Ok(0..=23), Ok(0..=59))))
}

/// Whether the server knows the zone.
pub(crate) async fn is_known(session: &mut Session, window: &Window) -> Result<bool, Error> {
    let asked = query("SELECT clock_timestamp() AT TIME ZONE $1").bind(window.zone.clone());
    match asked.execute(session.connection()).await.map_err(Error::from) {
        Ok(_) => Ok(true),
        Err(error) if error.sqlstate() == Some("22023") => Ok(false),
        Err(error) => Err(error),
    }
}

/// A window that is closed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Closed {
    pub(crate) window: String,
    /// Until it opens.
    pub(crate) opens: Duration,
}

/// The window, where the server's clock is outside of it.
pub(crate) async fn outside(session: &mut Session, window: Option<&Window>) -> Result<Option<Closed>, Error> {
    let Some(window) = window else { return Ok(None) };
    let row = query(
        "SELECT CASE WHEN $1::time < $2::time THEN t.t >= $1::time AND t.t < $2::time ELSE t.t >= $1::time OR t.t < $2::time END, \
           (extract(epoch FROM $1::time - t.t)::float8 + CASE WHEN t.t < $1::time THEN 0 ELSE 86400 END)::float8 \
         FROM (SELECT (pg_catalog.clock_timestamp() AT TIME ZONE $3)::time) AS t (t)",
    )
    .bind(window.from.clone())
    .bind(window.to.clone())
    .bind(window.zone.clone())
    .fetch_one(session.connection())
    .await?;
    let (inside, seconds): (bool, f64) = (row.try_get(0)?, row.try_get(1)?);
    let opens = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    Ok((!inside).then(|| Closed { window: window.to_string(), opens }))
}
