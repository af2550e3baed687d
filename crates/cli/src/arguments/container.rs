//! Containers: deploy and become the application, or wait for the release and become it.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Deploy, Environment};

pub(crate) const RUN_EXAMPLES: &str = "\
As an image's entry point (any number of replicas at once: one deploys, the others wait):
  ENTRYPOINT [\"pgdeploy\", \"run\", \"--env\", \"production\", \"--\"]
  CMD [\"app\", \"--port\", \"8000\"]

The program gets this process: its number, its signals, and its exit code. After a deploy that failed it is never started.
What pgdeploy says goes to stderr; stdout is the program's.";

pub(crate) const WAIT_EXAMPLES: &str = "\
  pgdeploy wait --env production -- app           until the release of the files here is in
  pgdeploy wait --for-release 4f1c09ab77e2 -- app until that one is in; needs pipeline.yaml, no other file
  pgdeploy wait --timeout 0s                      only ask: 0 it is in, 75 it is not

It needs a role that may read the ledger, and nothing else:
  GRANT USAGE ON SCHEMA pgdeploy TO web; GRANT SELECT ON ALL TABLES IN SCHEMA pgdeploy TO web";

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) deploy: Deploy,
    /// How long to wait for another deploy, where lock.wait of the pipeline is not longer
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = humantime::parse_duration)]
    pub(crate) lock_wait: Duration,
    /// What happens where the database has migrations that are newer than every file here: a replica of the release before,
    /// started again in the middle of a rollout
    #[arg(long, value_enum, default_value_t = WhenAhead::Refuse)]
    pub(crate) when_ahead: WhenAhead,
    /// The program, with its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WhenAhead {
    /// The program is not started (5)
    Refuse,
    /// The program is started
    Start,
}

#[derive(Debug, Args)]
pub(crate) struct Wait {
    #[command(flatten)]
    pub(crate) environment: Environment,
    /// The release, by its hash or its commit, or how one of them begins; default: that of the files here
    #[arg(long, value_name = "SHA", value_parser = release)]
    pub(crate) for_release: Option<String>,
    /// What has to be in: the whole deploy, or the migrations
    #[arg(long, value_enum, default_value_t = Until::Deployed)]
    pub(crate) until: Until,
    /// How long to wait
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
    /// The program, with its arguments; without one it only waits
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Until {
    /// The deploy has ended well
    Deployed,
    /// Its migrations are in; indexes and backfills may still be at work
    Schema,
}

/// Short beginnings would name any release.
fn release(text: &str) -> Result<String, String> {
    let text = text.to_ascii_lowercase();
    match text.len() {
        7..=64 if text.bytes().all(|byte| byte.is_ascii_hexdigit()) => Ok(text),
        _ => Err("7 to 64 of 0-9 and a-f: a release's hash or a commit's, or how it begins".into()),
    }
}
