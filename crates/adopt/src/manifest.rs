//! `adopt.yaml`: what `init --from` has read, for `adopt` to carry each database's history over with it.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sql::Problem;

use crate::script::Script;
use crate::tool::Tool;

/// Its name, beside pipeline.yaml.
pub const FILE: &str = "adopt.yaml";

const HEAD: &str = "# What `pgdeploy init --from` has read. `pgdeploy adopt` carries the history of each database over with it.\n\
                    # Delete it when every database is adopted.\n";

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Of this format.
    pub version: u32,
    /// Whose migrations these were.
    pub tool: Tool,
    /// The tool's history table, where it is not the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// In the order in which a new database gets them.
    pub migrations: Vec<Entry>,
}

/// One migration of the tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// How the tool's history calls it.
    pub id: String,
    /// The file it has become, without folder and ending; none where there was nothing to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// SHA-256 of that file's text when it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What the tool's history records for its own text; one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checksums: Vec<String>,
    /// Those before it, where the tool has a graph.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Those that it stands for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<String>,
    /// What of it is no SQL.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_carried: Vec<String>,
    /// Whether the tool would run it again when it has changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeatable: bool,
}

impl From<&Script> for Entry {
    fn from(script: &Script) -> Self {
        let mut checksums = script.checksums.clone();
        checksums.dedup();
        Self {
            id: script.id.clone(),
            file: None,
            sha256: None,
            checksums,
            after: script.after.clone(),
            replaces: script.replaces.clone(),
            not_carried: script.not_carried.clone(),
            repeatable: script.repeatable,
        }
    }
}

impl Manifest {
    /// Reads the file beside pipeline.yaml.
    pub fn load(directory: &Path) -> Result<Self, Problem> {
        let path = Path::new(FILE);
        let text = std::fs::read_to_string(directory.join(FILE)).map_err(|error| {
            let problem = Problem::with_file("E717", path, format!("cannot be read: {error}"));
            problem.help("it is written by: pgdeploy init --from TOOL")
        })?;
        let manifest: Self = serde_yaml::from_str(&text).map_err(|error| {
            Problem::with_file("E717", path, format!("is not what init has written: {error}"))
        })?;
        match manifest.version {
            1 => Ok(manifest),
            other => {
                Err(Problem::with_file("E717", path, format!("is of version {other}, and only 1 is known")))
            }
        }
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let yaml = serde_yaml::to_string(self).unwrap_or_default();
        format!("{HEAD}{yaml}")
    }
}
