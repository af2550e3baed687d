//! The header of a backfill's file: which rows, how exact, in which order, how fast.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sql::{Problem, Source};

use crate::header_value;
use crate::settings::Settings;
use crate::window::{self, Window};

/// Keys that the documentation shows and this version does not know.
const NOT_YET: [&str; 2] = ["table", "verify"];
/// Between batches, and for one of them, at most.
pub(crate) const MAX_PAUSE: Duration = Duration::from_secs(600);
pub(crate) const MAX_TARGET: Duration = Duration::from_secs(60);

/// The order in which backfills are worked on; then by number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Before the others.
    High,
    /// Where nothing is said.
    #[default]
    Medium,
    /// After the others.
    Low,
}

/// What keeps a row from being done twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The change makes its own WHERE false.
    #[default]
    Predicate,
    /// The ledger: each row that is there at the start is done once, whatever it looks like after.
    Once,
}

/// Who sees to it that rows that come in mid-run are as they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NewRows {
    /// The application writes them so.
    App,
    /// The column has a default.
    Default,
    /// A trigger does.
    Trigger,
    /// Nobody: passes are repeated until one finds nothing.
    Sweep,
}

/// The keys of a header. What is not there is the stage's setting.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Header {
    pub(crate) tenant: Option<String>,
    pub(crate) priority: Priority,
    pub(crate) mode: Mode,
    #[serde(deserialize_with = "header_value::list")]
    pub(crate) key: Vec<String>,
    #[serde(deserialize_with = "header_value::list")]
    pub(crate) requires: Vec<String>,
    #[serde(deserialize_with = "header_value::list")]
    pub(crate) requires_migration: Vec<String>,
    pub(crate) new_rows: Option<NewRows>,
    pub(crate) workers: Option<u32>,
    pub(crate) batch_size: Option<u32>,
    #[serde(deserialize_with = "header_value::duration")]
    pub(crate) target: Option<Duration>,
    #[serde(deserialize_with = "header_value::duration")]
    pub(crate) pause: Option<Duration>,
    #[serde(deserialize_with = "header_value::percent")]
    pub(crate) duty: Option<f64>,
    #[serde(deserialize_with = "window::window")]
    pub(crate) window: Option<Window>,
    pub(crate) quarantine: Quarantine,
    pub(crate) constraint: Option<String>,
    #[serde(deserialize_with = "header_value::date")]
    pub(crate) delete_by: Option<String>,
}

/// How many rows may be set aside.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Quarantine {
    max_rows: Option<u64>,
    max_ratio: Option<f64>,
}

impl Header {
    pub(crate) fn of(source: &Source) -> Result<Self, Problem> {
        let header: Self = sql::header::read(source, &NOT_YET)?;
        for name in header.tenant.iter().chain(&header.key) {
            check_column(source, name, if header.key.contains(name) { "key" } else { "tenant" })?;
        }
        let limits = [
            ("workers", header.workers.map(u64::from), (1, 64)),
            ("batch_size", header.batch_size.map(u64::from), (1, 1_000_000)),
            ("pause", header.pause.map(millis), (0, millis(MAX_PAUSE))),
            ("target", header.target.map(millis), (1, millis(MAX_TARGET))),
        ];
        for (key, value, (least, most)) in limits {
            if let Some(value) = value.filter(|value| !(least..=most).contains(value)) {
                let message = format!("`{key}: {value}` is not within {least} and {most}");
                return Err(at_key(source, key, "E258", message).help("see docs/backfills.md for the keys"));
            }
        }
        if let Some(ratio) = header.quarantine.max_ratio.filter(|ratio| !(0.0..=1.0).contains(ratio)) {
            let message = format!("`max_ratio: {ratio}` is no share");
            return Err(
                at_key(source, "quarantine", "E258", message).help("write one from 0 to 1, such as 0.001")
            );
        }
        if header.mode == Mode::Once && header.tenant.is_some() {
            let message = "`tenant` and `mode: once` in one file";
            return Err(at_key(source, "tenant", "E258", message)
                .help("leave out `tenant`: the exactness of `once` comes from one walk along the key"));
        }
        Ok(header)
    }

    /// The stage's settings with what the file says instead.
    pub(crate) fn over(&self, settings: &Settings) -> Settings {
        let mut own = settings.clone();
        let batch_size = self.batch_size.unwrap_or(own.batch_size);
        own.batch_size = batch_size;
        own.min_batch = own.min_batch.min(batch_size);
        own.max_batch = own.max_batch.max(batch_size);
        own.workers = self.workers.unwrap_or(own.workers);
        own.target = self.target.unwrap_or(own.target);
        own.pause = self.pause.unwrap_or(own.pause);
        own.duty = self.duty.unwrap_or(own.duty);
        own.quarantine.max_rows = self.quarantine.max_rows.unwrap_or(own.quarantine.max_rows);
        own.quarantine.max_ratio = self.quarantine.max_ratio.unwrap_or(own.quarantine.max_ratio);
        own
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A problem at the line of a header's key.
pub(crate) fn at_key(source: &Source, key: &str, code: &'static str, message: impl Into<String>) -> Problem {
    let start = source.text.find(&format!("{key}:")).unwrap_or(0);
    let end = source.text[start..].find('\n').map_or(source.text.len(), |line| start + line);
    Problem::at(code, source, start..end, message)
}

/// A column's name and nothing else.
fn check_column(source: &Source, name: &str, key: &str) -> Result<(), Problem> {
    let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$')
        && name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
    if plain {
        return Ok(());
    }
    Err(at_key(source, key, "E242", format!("`{name}` is not the name of a column"))
        .help(format!("`{key}` names a column of the table that is walked, such as {key}_id")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn header(keys: &str) -> Result<Header, Problem> {
        let lines: String = keys.lines().map(|line| format!("--   {line}\n")).collect();
        let text = format!("-- pgdeploy:\n{lines}UPDATE t SET a = 1 WHERE a IS NULL");
        Header::of(&Source::from_bytes(Path::new("backfills/1_a.sql"), text.into_bytes()).unwrap())
    }

    #[test]
    fn a_file_has_its_own_speed_order_and_exactness() {
        let header = header(
            "mode: once\nkey: [id]\nrequires: 0001_a\nworkers: 3\nbatch_size: 10\ntarget: 40ms\npause: 1s\nduty: 25%\n\
             window: 22:00-06:00 Europe/Paris\nquarantine: { max_rows: 5 }\ndelete_by: 2027-01-31\nnew_rows: app",
        )
        .unwrap();
        assert_eq!((header.mode, header.requires.as_slice()), (Mode::Once, &["0001_a".to_owned()][..]));
        assert_eq!(
            header.window.as_ref().map(ToString::to_string).as_deref(),
            Some("22:00-06:00 Europe/Paris")
        );
        let own = header.over(&Settings::default());
        assert_eq!((own.workers, own.batch_size, own.min_batch, own.duty), (3, 10, 10, 0.25));
        assert_eq!((own.quarantine.max_rows, own.quarantine.max_ratio), (5, 0.001));
    }

    #[test]
    fn what_makes_no_sense_is_refused_at_its_line() {
        for (keys, code) in [
            ("mode: twice", "E215"),
            ("duty: 0%", "E215"),
            ("duty: 0.5", "E215"),
            ("pause: 5", "E215"),
            ("pause: 1M", "E215"),
            ("window: 22-6", "E215"),
            ("window: 22:00-22:00", "E215"),
            ("window: \"22:00-06:00 '; drop table t\"", "E215"),
            ("delete_by: soon", "E215"),
            ("delete_by: 2027-02-29", "E215"),
            ("workers: 0", "E258"),
            ("target: 2m", "E258"),
            ("quarantine: { max_ratio: 2.0 }", "E258"),
            ("quarantine: { most: 2 }", "E215"),
            ("mode: once\ntenant: a", "E258"),
            ("key: [a b]", "E242"),
            ("table: leads", "E216"),
        ] {
            let problem = header(keys).expect_err(keys);
            assert_eq!(problem.code, code, "{keys}: {problem}");
            assert!(problem.place().is_some_and(|place| place.line > 1), "{keys}: {problem}");
        }
    }
}
