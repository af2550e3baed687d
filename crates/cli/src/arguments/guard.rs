//! What is judged without a database.

use clap::{Args, ValueEnum};

use super::Environment;

pub(super) const CHECK_EXAMPLES: &str = "\
Examples:
  pgdeploy check            files, order, headers, hashes, guard; in milliseconds
  pgdeploy check --apply    also: everything from nothing on a throwaway server, deployed twice; each .down.sql
                            there, back and there again; the snapshot held against the files";

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) environment: Environment,
    /// Prove it on a throwaway server; needs PostgreSQL's server programs on this machine
    #[arg(long)]
    pub(crate) apply: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Guard {
    #[command(flatten)]
    pub(crate) environment: Environment,
    /// Another form of the findings: for code scanning, or for the annotations of a pull request
    #[arg(long, value_enum, value_name = "FORM")]
    pub(crate) report: Option<GuardReport>,
    /// Write the findings of today into guard.grandfathered.yaml, by hash; a list that is there can only shrink
    #[arg(long, requires = "reason")]
    pub(crate) grandfather: bool,
    /// Show what can be moved out of migrations that no environment has had: rows into backfills/, indexes into indexes/
    #[arg(long, conflicts_with = "grandfather")]
    pub(crate) extract: bool,
    /// Write what --extract shows
    #[arg(long, requires = "extract")]
    pub(crate) write: bool,
    /// Why they are accepted
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GuardReport {
    Sarif,
    Github,
}
