//! What changes a database's history by hand.

use clap::{Args, ValueEnum};

use super::Environment;

pub(super) const REPAIR_EXAMPLES: &str = "\
Examples:
  pgdeploy repair mark-applied 42 --reason 'ran it by hand in the incident'          shows what would change
  pgdeploy repair mark-applied 42 --reason 'ran it by hand in the incident' --yes    does it
  pgdeploy repair accept-checksum 42 --reason 'reformatted' --yes
A repair that the catalog contradicts is refused with what contradicts it (exit 5).";

pub(super) const ROLLBACK_EXAMPLES: &str = "\
Examples:
  pgdeploy rollback --to 41 --reason 'release 7 withdrawn'                             shows what would run
  pgdeploy rollback --to 41 --reason 'release 7 withdrawn' --allow-data-loss --yes     does it";

/// What every change of a history asks for.
#[derive(Debug, Args)]
pub(crate) struct Vouch {
    #[command(flatten)]
    pub(crate) environment: Environment,
    /// Why, for the records
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) reason: String,
    /// Do it; without this it only says what it would do
    #[arg(long)]
    pub(crate) yes: bool,
    /// Who, for the records
    #[arg(long, value_name = "NAME", env = "PGDEPLOY_ACTOR", hide_env_values = true)]
    pub(crate) actor: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Repair {
    /// What to mend
    #[arg(value_enum)]
    pub(crate) kind: RepairKind,
    /// The migration's version, such as 42
    pub(crate) version: u64,
    #[command(flatten)]
    pub(crate) vouch: Vouch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RepairKind {
    /// It is in the database, and the history does not know
    MarkApplied,
    /// It is not in the database, and the history says that it is
    MarkRolledBack,
    /// Its file was edited on purpose after it was applied
    AcceptChecksum,
    /// With `transaction: false`: the statement in doubt is in
    StatementApplied,
    /// With `transaction: false`: the statement in doubt is not in
    StatementMissing,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The version that is to be the newest; 0 takes back everything
    #[arg(long, value_name = "VERSION")]
    pub(crate) to: u64,
    /// Allow statements that take data with them, such as DROP TABLE
    #[arg(long)]
    pub(crate) allow_data_loss: bool,
    #[command(flatten)]
    pub(crate) vouch: Vouch,
}

#[derive(Debug, Args)]
pub(crate) struct Baseline {
    /// The newest migration that the database has had, such as 0042
    #[arg(long, value_name = "VERSION", required_unless_present = "none", conflicts_with = "none")]
    pub(crate) at: Option<u64>,
    /// None of them: what is in the database is not of this pipeline
    #[arg(long)]
    pub(crate) none: bool,
    #[command(flatten)]
    pub(crate) vouch: Vouch,
}
