//! The header of an index file: what it wants for every index that it declares.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error};
use sql::{Problem, Source};

use crate::settings::OnDrift;

/// The most that `timeout` may be.
const MAX_TIMEOUT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The keys of a header.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Header {
    /// What is done about another index of the name; the stage's setting where it is not given.
    pub(crate) on_drift: Option<OnDrift>,
    /// How long one index may take inside a deploy.
    #[serde(deserialize_with = "timeout")]
    pub(crate) timeout: Option<Duration>,
    /// Whether an index that is not there at the end is a gate.
    pub(crate) required: bool,
    /// The backfill that must be complete before an index is built: one on a column that is being filled makes every
    /// update of it write to the index, too.
    pub(crate) after_backfill: Option<String>,
    /// The name of the index that the file's one index takes the place of.
    pub(crate) replaces: Option<String>,
}

impl Header {
    pub(crate) fn of(source: &Source) -> Result<Self, Problem> {
        sql::header::read(source, &[])
    }
}

/// `30m`, `1h 30m`: with a unit, and with none of those that have no fixed length.
fn timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let refused = |why: &str| {
        D::Error::custom(format!("timeout `{text}` {why}; write a number and a unit, such as 30m or 1h 30m"))
    };
    let has_month = text
        .split(|one: char| !one.is_alphabetic())
        .any(|unit| matches!(unit, "M" | "month" | "months" | "y" | "year" | "years"));
    if has_month {
        return Err(refused("has a unit of no fixed length (minutes are `m`)"));
    }
    let duration = humantime::parse_duration(text.trim()).map_err(|_| refused("is not a duration"))?;
    if duration.is_zero() || duration > MAX_TIMEOUT {
        return Err(refused("is not between 1ns and 7 days"));
    }
    Ok(Some(duration))
}
