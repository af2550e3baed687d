//! The databases of a fleet.

use clap::{Args, Subcommand};

use super::Environment;

#[derive(Debug, Subcommand)]
pub(crate) enum Fleet {
    /// Every database with its wave and how its last deploy ended; none of them is asked
    List(FleetList),
    /// Deploy once more to the databases that failed, or to those that are named, through the same waves and gates
    Retry(FleetRetry),
}

#[derive(Debug, Args)]
pub(crate) struct FleetList {
    #[command(flatten)]
    pub(crate) environment: Environment,
    /// Only those that failed or were interrupted
    #[arg(long)]
    pub(crate) failed: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FleetRetry {
    #[command(flatten)]
    pub(crate) environment: Environment,
    /// Those that failed or were interrupted; with names, only these of them
    #[arg(long, required_unless_present = "names")]
    pub(crate) failed: bool,
    /// Which databases
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Exit with 3 where the deploy succeeded with warnings
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Who deploys, for the records; default: the CI's user, git's, or the operating system's
    #[arg(long, value_name = "NAME", env = "PGDEPLOY_ACTOR", hide_env_values = true)]
    pub(crate) actor: Option<String>,
}
