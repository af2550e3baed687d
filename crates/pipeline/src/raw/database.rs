//! Where an environment's database is, and what an embedded one begins with, as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::at::At;

/// `embedded` (a real PostgreSQL in .pgdeploy/, started and stopped by us), a URL, or where to get the URL.
// The variants are named by the kind of YAML they are read from; see `shape`. In the schema they are untagged.
#[derive(Deserialize, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum Database {
    Text(At<String>),
    Mapping(DatabaseSource),
}

/// Where to get the URL of a database. Exactly one of the three.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(crate) struct DatabaseSource {
    /// A URL: postgres://user@host:5432/database. ${NAME} is allowed.
    pub(crate) url: Option<At<String>>,
    /// A file that holds the URL, such as /run/secrets/production_url.
    pub(crate) url_file: Option<At<String>>,
    /// A program that prints the URL within 30s, such as [vault, kv, get, -field=url, secret/crm]. No shell.
    #[schemars(length(min = 1))]
    pub(crate) url_command: Option<Vec<At<String>>>,
}

/// Rows to work on, loaded once; for embedded databases only.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fixtures {
    /// The version of the migration after which they are loaded, in quotes: "0003".
    #[schemars(required, extend("pattern" = "^[0-9]+$"))]
    pub(crate) after: Option<At<String>>,
    /// The SQL file, beside pipeline.yaml.
    #[schemars(required)]
    pub(crate) sql: Option<At<String>>,
}
