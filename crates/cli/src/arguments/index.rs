//! The commands of indexes.

use clap::{Args, Subcommand};

use super::Environment;

const INDEX_LIST_EXAMPLES: &str = "\
Examples:
  pgdeploy index list --env production              all of them, by table
  pgdeploy index list --env production --troubled   only those that a person should look at
  pgdeploy index list --format json | jq '.indexes[] | select(.scans == 0 and .constraint == null) | .name'";

const INDEX_REPAIR_EXAMPLES: &str = "\
A declared index is made as its file says. Any other invalid index is built anew in its place (REINDEX CONCURRENTLY) and
never dropped, unless its name says that a REINDEX of PostgreSQL has left it. One that is being built is waited for.

Examples:
  pgdeploy index repair --env production                    every invalid index
  pgdeploy index repair leads_tenant_idx --env production   one
  pgdeploy index repair 'audit.\"Odd Name\"'                  with schema, quoted as in SQL

Exit codes: those of deploy; 0 also where there was nothing to repair, 2 where there is no index of that name.";

#[derive(Debug, Subcommand)]
pub(crate) enum Index {
    /// List every index: size, whether it is valid, bloat, uses, duplicates, what rejects rows now; changes nothing
    #[command(after_help = INDEX_LIST_EXAMPLES)]
    List(IndexList),
    /// Repair every invalid index, or the one that is named: under the lock of deploys, and recorded like one
    #[command(after_help = INDEX_REPAIR_EXAMPLES)]
    Repair(IndexRepair),
}

#[derive(Debug, Args)]
pub(crate) struct IndexList {
    #[command(flatten)]
    pub(crate) environment: Environment,
    /// Only indexes that are invalid, duplicates, bloated, or not used since uses are counted
    #[arg(long)]
    pub(crate) troubled: bool,
}

#[derive(Debug, Args)]
pub(crate) struct IndexRepair {
    /// The index, with its schema where the name alone is not enough; default: every invalid one
    #[arg(value_name = "NAME")]
    pub(crate) index: Option<String>,
    #[command(flatten)]
    pub(crate) environment: Environment,
    /// Exit with 3 where something could not be repaired
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Who, for the records
    #[arg(long, value_name = "NAME", env = "PGDEPLOY_ACTOR", hide_env_values = true)]
    pub(crate) actor: Option<String>,
}
