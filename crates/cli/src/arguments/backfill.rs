//! The commands of backfills.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Backfill {
    /// Where each stands: rows, who is at work, what slows it down, its revision
    #[command(visible_alias = "status")]
    List {
        /// Only these
        ids: Vec<String>,
    },
    /// Run them until they are complete, beside a deploy and others like this one; all of them, where none is named
    Run {
        /// Such as 0007_last_call_direction
        ids: Vec<String>,
        /// Say what a run would be like, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Stop after this time, such as 30m; what is left resumes
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        budget: Option<std::time::Duration>,
        /// Exit with 3 where one of them is not complete
        #[arg(long)]
        detailed_exitcode: bool,
    },
    /// Begin no further batch, wherever it runs, until `resume`
    Pause(Steer),
    /// Go on after `pause`, or after `cancel`
    Resume(Steer),
    /// End it wherever it runs: what is done stays done, the rest is left
    Cancel(Steer),
    /// Another speed from the next batch on, wherever it runs
    Speed {
        #[command(flatten)]
        steer: Steer,
        /// How long one batch may take, such as 20ms
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        target: Option<std::time::Duration>,
        /// Between batches, such as 50ms
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        pause: Option<std::time::Duration>,
        /// The share of the time in which a worker works, in percent, such as 50
        #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
        duty: Option<u8>,
        /// Sessions of each process
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=64))]
        workers: Option<u32>,
    },
    /// Prove now that they are complete; exit with 4 where one is not
    Verify {
        /// Only these
        ids: Vec<String>,
    },
    /// Rows that could not be done
    Quarantine {
        #[command(subcommand)]
        command: Quarantine,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Steer {
    /// Such as 0007_last_call_direction
    pub(crate) id: String,
    /// Only if nobody has asked for anything since this revision, which `list` shows
    #[arg(long, value_name = "NUMBER")]
    pub(crate) revision: Option<i32>,
    /// Who asks, for the records
    #[arg(long, value_name = "NAME", env = "PGDEPLOY_ACTOR", hide_env_values = true)]
    pub(crate) actor: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Quarantine {
    /// Which, and why
    List {
        /// Such as 0007_last_call_direction
        id: String,
    },
    /// The next run tries them again
    Retry(Steer),
    /// They stay as they are, and the backfill may be complete without them
    Accept {
        #[command(flatten)]
        steer: Steer,
        /// Only the row with this key, its values joined by commas; may be repeated
        #[arg(long = "key", value_name = "KEY")]
        keys: Vec<String>,
        /// Why, for the records
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}
