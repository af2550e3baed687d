//! The files of `migrations/`, in the order in which they run.

use serde::Deserialize;
use sql::{Numbered, Problem, Source};

/// Header keys that a later version supports.
const NOT_YET: [&str; 6] = ["requires", "requires_backfill", "transaction", "when", "phase", "role"];

/// One file of `migrations/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The number that orders it.
    pub version: u64,
    /// What follows the number.
    pub name: String,
    /// The file.
    pub source: Source,
}

/// All files, ordered by version. Two may share one: that is a finding of the plan, with both names.
#[derive(Debug, Clone, Default)]
pub struct Migrations(pub Vec<Migration>);

/// The keys are the guard's, which reads them itself; here they are only known, so that others are refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Header {
    #[serde(rename = "allow")]
    _allow: serde::de::IgnoredAny,
    #[serde(rename = "reason")]
    _reason: serde::de::IgnoredAny,
}

impl Migration {
    /// `0042_add_email`: the file's name without its ending.
    pub fn id(&self) -> &str {
        self.source.stem()
    }
}

/// Reads names and headers; every problem of every file is returned. The SQL is not parsed yet: that is for the
/// pending ones, see [`crate::check`].
pub fn load(sources: Vec<Source>) -> Result<Migrations, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut migrations = Vec::new();
    for source in sources {
        if let Err(problem) = sql::header::read::<Header>(&source, &NOT_YET) {
            problems.push(problem);
        }
        match Numbered::of(&source) {
            Ok(Numbered { version, name, .. }) => migrations.push(Migration { version, name, source }),
            Err(problem) => problems.push(problem),
        }
    }
    migrations.sort_by(|a, b| (a.version, &a.source.path).cmp(&(b.version, &b.source.path)));
    if problems.is_empty() { Ok(Migrations(migrations)) } else { Err(problems) }
}
