//! Plan, status and deploy.

use std::path::PathBuf;

use clap::{Args, Parser};
use orchestrator::SettledHook;

use super::{Environment, Global, Overriding};

#[derive(Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) look: Look,
    /// Also run the pending migrations on a throwaway server with the target's schema, and report what was measured:
    /// locks, rewrites, scans, changed rows, WAL
    #[arg(long)]
    pub(crate) prove: bool,
    /// Show the statement of each batch of the pending backfills
    #[arg(long)]
    pub(crate) sql: bool,
    /// Save the plan, for: pgdeploy deploy --plan FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Who would deploy, for the gate of approvals; default: the CI's user, git's, or the operating system's
    #[arg(long, value_name = "NAME", env = "PGDEPLOY_ACTOR", hide_env_values = true)]
    pub(crate) actor: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Look {
    #[command(flatten)]
    pub(crate) environment: Environment,
    /// Exit with 3 where a deploy would have something to do
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) look: Look,
    /// Prove that the ledger is what was written into it: exit 5 where it is not
    #[arg(long)]
    pub(crate) verify: bool,
    /// A hash that --verify has printed earlier and that was noted elsewhere: it must still be there
    #[arg(long, value_name = "HASH", requires = "verify")]
    pub(crate) expect: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Deploy {
    #[command(flatten)]
    pub(crate) environment: Environment,
    /// Exit with 3 where the deploy succeeded with warnings
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Run exactly the plan that was saved with `pgdeploy plan --out FILE`, or nothing
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) overriding: Overriding,
    /// Who deploys, for the records; default: the CI's user, git's, or the operating system's
    #[arg(long, value_name = "NAME", env = "PGDEPLOY_ACTOR", hide_env_values = true)]
    pub(crate) actor: Option<String>,
    /// Say how a hook with `if_interrupted: ask` ended that an earlier deploy died in, such as before_deploy/backup=done;
    /// =again runs it again
    #[arg(long, value_name = "HOOK=done|again", value_parser = settled_hook)]
    pub(crate) settle_hook: Vec<SettledHook>,
}

fn settled_hook(text: &str) -> Result<SettledHook, String> {
    match text.rsplit_once('=') {
        Some((hook, word @ ("done" | "again"))) if hook.contains('/') => {
            Ok(SettledHook { hook: hook.to_owned(), is_done: word == "done" })
        }
        _ => Err("write POINT/NAME=done or POINT/NAME=again, such as before_deploy/backup=done".into()),
    }
}

/// Deploys a release's database changes to the environment `production`, in three stages: schema migrations (a hard gate),
/// indexes built concurrently, and batched backfills (both warn and go on). Run it again after anything: it resumes.
#[derive(Debug, Parser)]
#[command(name = "deploy_production", version, max_term_width = 100)]
pub(crate) struct DeployProduction {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(flatten)]
    pub(crate) deploy: Deploy,
}
