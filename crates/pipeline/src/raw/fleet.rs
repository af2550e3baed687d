//! The keys of a fleet, as they are written.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::Verification;
use crate::at::At;
use crate::duration::Written;
use crate::limit as limits;

/// Many databases that get the same release, in waves. Exactly one of targets, file and sql.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fleet {
    /// The databases, one by one; at most 500, more belong in a file.
    #[schemars(length(min = 1))]
    pub(crate) targets: Option<Vec<FleetTarget>>,
    /// A file with a database on each line, `name url` or `name: url`, relative to pipeline.yaml. ${NAME} is allowed, in it too; # begins a comment.
    pub(crate) file: Option<At<String>>,
    /// A query whose rows are name and url, asked on `database` in a session that cannot write.
    pub(crate) sql: Option<At<String>>,
    /// The waves, one after the other; each takes of what is left, and the last one the rest. Default: one wave, called all.
    #[schemars(length(min = 1))]
    pub(crate) waves: Option<Vec<Wave>>,
    /// How many databases are at work at once, where the wave does not say; pgdeploy has at most three times as many connections. Default: 8; at most 500.
    #[schemars(extend("default" = limits::FLEET_PARALLEL.default, "minimum" = 1, "maximum" = limits::FLEET_PARALLEL.most))]
    pub(crate) max_parallel: Option<At<u64>>,
    /// How many databases of a wave may fail before nothing more is begun, where the wave does not say: 3, or 2%. Default: 0.
    #[schemars(extend("default" = 0))]
    pub(crate) failure_budget: Option<At<Amount>>,
}

/// A database of a fleet. Exactly one of url, url_file and url_command.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FleetTarget {
    /// What it is called in waves, messages and records: letters, digits, `_`, `.`, `:` and `-`.
    #[schemars(required, extend("pattern" = crate::fleet::NAME_PATTERN))]
    pub(crate) name: Option<At<String>>,
    /// A URL: postgres://user@host:5432/database. ${NAME} is allowed.
    pub(crate) url: Option<At<String>>,
    /// A file that holds the URL.
    pub(crate) url_file: Option<At<String>>,
    /// A program that prints the URL within 30s. No shell.
    #[schemars(length(min = 1))]
    pub(crate) url_command: Option<Vec<At<String>>>,
}

/// Databases that are deployed to together, before those of the next wave.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wave {
    /// What it is called in messages and records.
    #[schemars(required, extend("pattern" = crate::name::PATTERN))]
    pub(crate) name: Option<At<String>>,
    /// Names that it takes, such as canary-*, or [eu-1, eu-2*]; * and ? as in file names.
    #[serde(rename = "match")]
    pub(crate) matching: Option<Match>,
    /// How many it takes at most, in the order of the fleet: 1, or 10% of all databases.
    pub(crate) take: Option<At<Amount>>,
    /// How many of its databases are at work at once. Default: the fleet's.
    #[schemars(extend("minimum" = 1, "maximum" = limits::FLEET_PARALLEL.most))]
    pub(crate) max_parallel: Option<At<u64>>,
    /// How long to wait after it before the next wave. Default: 0s; at most 30 days.
    #[schemars(extend("default" = limits::WAVE_SOAK.default_text()))]
    pub(crate) soak: Option<At<Written>>,
    /// What has to be so after its soak, asked once: sql on `database`, or run. A failure is exit 7, and no next wave.
    pub(crate) verify: Option<Vec<Verification>>,
    /// How many of its databases may fail: 3, or 2%. Default: the fleet's.
    pub(crate) failure_budget: Option<At<Amount>>,
}

/// Names, with * and ? as in file names: one, or a list.
// The variants are named by the kind of YAML they are read from; see `shape`. In the schema they are untagged.
#[derive(Deserialize, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum Match {
    Text(At<String>),
    List(#[schemars(length(min = 1))] Vec<At<String>>),
}

/// A number, or a share: as it was written.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Amount(pub(crate) String);

impl Amount {
    /// Marks amounts in the JSON Schema.
    pub(crate) const TITLE: &'static str = "a number or a percentage";
}

impl JsonSchema for Amount {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["integer", "string"],
            "title": Self::TITLE,
            "minimum": 0,
            "pattern": r"^\s*[0-9]{1,7}\s*%?\s*$",
        })
    }
}
