//! Approvals, holds and receipts.

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

use super::Environment;

/// Who acts.
#[derive(Debug, Args)]
pub(crate) struct Acting {
    /// Who, for the records; default: the CI's user, git's, or the operating system's
    #[arg(long, value_name = "NAME", env = "PGDEPLOY_ACTOR", hide_env_values = true)]
    pub(crate) actor: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Approve {
    #[command(flatten)]
    pub(crate) environment: Environment,
    /// The plan, by at least six digits of its hash, as `pgdeploy plan` shows it
    pub(crate) plan: String,
    /// A word on it, for the records
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    #[command(flatten)]
    pub(crate) acting: Acting,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Approvals {
    /// Every approval of the environment, the newest first, and whether it counts now
    List,
    /// Take one back
    Revoke {
        /// Its number
        number: i64,
        /// Why, for the records
        #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
        reason: String,
        #[command(flatten)]
        acting: Acting,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Hold {
    /// Stop deploys to the environment and the backfills in it, from now on
    Add {
        /// Why: whoever is stopped reads it
        #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
        reason: String,
        /// For how long, such as 2h; default: until it is lifted
        #[arg(long, value_name = "DURATION", value_parser = lasts)]
        until: Option<Duration>,
        /// Only this release, by at least six digits of its hash
        #[arg(long, value_name = "HASH", conflicts_with = "backfill", value_parser = release)]
        release: Option<String>,
        /// Only this backfill
        #[arg(long, value_name = "NAME")]
        backfill: Option<String>,
        #[command(flatten)]
        acting: Acting,
    },
    /// Every hold of the environment, the newest first
    List,
    /// Lift holds that are on
    Lift {
        /// Their numbers
        #[arg(required = true)]
        numbers: Vec<i64>,
        /// Why, for the records
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        acting: Acting,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Ledger {
    /// Make the ledger ahead of the first deploy, or bring it up to date, as the role that deploys: whoever makes it owns
    /// it. With rights for others; can be run again at any time
    Create {
        /// A role that may approve, and place and lift holds
        #[arg(long = "approver", value_name = "ROLE")]
        approvers: Vec<String>,
        /// A role that may read, such as that of applications that `wait`
        #[arg(long = "reader", value_name = "ROLE")]
        readers: Vec<String>,
        #[command(flatten)]
        acting: Acting,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Receipt {
    /// Make a pair of keys: one to sign receipts, for the secrets of the environment that writes them, and one to verify
    /// them, for pipeline.yaml
    Keys,
}

/// A gate that is overridden, and why.
#[derive(Debug, Args)]
pub(crate) struct Overriding {
    /// Let one gate not count this time, where the environment allows it (`overrides`); all others do
    #[arg(long = "override", value_name = "GATE", requires = "reason", value_parser = gate)]
    pub(crate) gate: Option<orchestrator::gates::Gate>,
    /// Why it is overridden, for the records
    #[arg(long, value_name = "TEXT", requires = "gate", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) reason: Option<String>,
}

fn gate(text: &str) -> Result<orchestrator::gates::Gate, String> {
    use orchestrator::gates::Gate;
    Gate::named(text).ok_or_else(|| {
        format!("the gates are {}", Gate::ALL.iter().map(|gate| gate.as_str()).collect::<Vec<_>>().join(", "))
    })
}

fn lasts(text: &str) -> Result<Duration, String> {
    let most = Duration::from_secs(366 * 86_400);
    let found = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if found.is_zero() || found > most {
        return Err("more than none, and at most 366 days".into());
    }
    Ok(found)
}

fn release(text: &str) -> Result<String, String> {
    let is_hash = text.len() >= 6 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { Ok(text.to_lowercase()) } else { Err("at least six hexadecimal digits".into()) }
}
