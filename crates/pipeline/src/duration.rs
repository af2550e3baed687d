//! Durations as people write them: `500ms`, `5m`, `1h 30m`. Always with a unit.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// Marks durations in the JSON Schema.
pub(crate) const TITLE: &str = "duration";

const UNITS: &str = "ms, s, m (minutes), h, d";

/// A duration as it was written.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Written(pub(crate) String);

impl JsonSchema for Written {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        TITLE.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "title": TITLE,
            "pattern": r"^\s*([0-9]+\s*(ns|us|ms|s|m|h|d|w|sec|min|hr|secs|mins|hrs|second|minute|hour|day|week|seconds|minutes|hours|days|weeks)\s*)+$",
        })
    }
}

/// Reads a duration; the error is a message and what to write instead.
pub(crate) fn parse(text: &str) -> Result<Duration, (String, String)> {
    let trimmed = text.trim();
    if trimmed.contains("${") {
        let help = "references are allowed in database, path and run only";
        return Err((format!("`{trimmed}`: no reference can stand for a duration"), help.into()));
    }
    if trimmed.parse::<f64>().is_ok() {
        let help = format!("write a unit, such as {trimmed}s; the units are {UNITS}");
        return Err((format!("`{trimmed}` has no unit"), help));
    }
    for unit in trimmed.split(|one: char| !one.is_alphabetic()) {
        if let "M" | "month" | "months" | "y" | "year" | "years" = unit {
            let meaning = if unit.starts_with('y') { "years" } else { "months" };
            let help = format!("minutes are `m`; the units are {UNITS}");
            return Err((format!("`{trimmed}`: `{unit}` means {meaning}, which have no fixed length"), help));
        }
    }
    let help = || format!("write a number and a unit, such as 500ms or 1h 30m; the units are {UNITS}");
    humantime::parse_duration(trimmed).map_err(|_| (format!("`{trimmed}` is not a duration"), help()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_of_fixed_length() {
        assert_eq!(parse("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse("0s"), Ok(Duration::ZERO));
        for text in [
            "500",
            "0",
            "1.5",
            "5M",
            "1month",
            "1y",
            "-5s",
            "",
            "soon",
            "5 m s",
            "${WAIT}",
            "99999999999999999999s",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("5M").unwrap_err().0.contains("means months"));
    }
}
