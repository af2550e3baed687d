//! The keys around the stages: services, hooks, verification.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::at::At;
use crate::duration::Written;
use crate::limit as limits;

/// What is stopped before a schema change and started after it. Untouched where no schema change is pending.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-not-supported-yet" = ["strategy"]))]
pub(crate) struct Services {
    /// Stops the services. Default timeout: 60s.
    pub(crate) stop: Option<Command>,
    /// What is proven after the stop: no session of the application's roles is left.
    pub(crate) quiesced: Option<Quiesced>,
    /// Starts the services again; it may be run twice. Default timeout: 120s.
    pub(crate) start: Option<Command>,
    /// What has to be so after the start, each within its time.
    pub(crate) health: Option<Vec<Health>>,
    /// What happens after a gate that failed, or an interruption before it had passed: start_if_unchanged (start where nothing has been committed since the stop), start, or keep_stopped. Default: start_if_unchanged.
    #[schemars(extend("default" = limits::AFTER_FAILED_GATE[0], "enum" = limits::AFTER_FAILED_GATE))]
    pub(crate) after_failed_gate: Option<At<String>>,
}

/// What is proven after the stop: no session of the application's roles is left.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Quiesced {
    /// The roles that the application logs in as.
    #[schemars(required, length(min = 1))]
    pub(crate) roles: Option<Vec<At<String>>>,
    /// How long their sessions may take to end. Default: 30s; at most 1 hour.
    #[schemars(extend("default" = limits::QUIESCED_WITHIN.default_text()))]
    pub(crate) within: Option<At<Written>>,
    /// Idle sessions outside of a transaction, as a pool keeps them: count, or ignore. Default: count.
    #[schemars(extend("default" = limits::IDLE_SESSIONS[0], "enum" = limits::IDLE_SESSIONS))]
    pub(crate) idle: Option<At<String>>,
}

/// A question that is asked until its answer is good. Exactly one of http, run and sql.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Health {
    /// An address, such as "http://127.0.0.1:8080/readyz", that answers 200 to 299. For https use `run: [curl, -fsS, URL]`.
    pub(crate) http: Option<At<String>>,
    /// A program that ends with 0. No shell; ${NAME} is allowed.
    #[schemars(length(min = 1))]
    pub(crate) run: Option<Vec<At<String>>>,
    /// A query, in a transaction that cannot write; its first value counts.
    pub(crate) sql: Option<At<String>>,
    /// What the query's value has to be, such as "> 0" or "= ready". Default: true.
    pub(crate) expect: Option<At<String>>,
    /// How long it may take to become so. Default: 60s; at most 1 day.
    #[schemars(extend("default" = limits::HEALTHY_WITHIN.default_text()))]
    pub(crate) within: Option<At<Written>>,
}

/// Programs of yours at fixed points of a deploy that has something to do.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hooks {
    /// Before anything is touched, the services among it.
    pub(crate) before_deploy: Option<Vec<Hook>>,
    /// Before the migrations, after the services have stopped.
    pub(crate) before_schema: Option<Vec<Hook>>,
    /// After the migrations.
    pub(crate) after_schema: Option<Vec<Hook>>,
    /// Before the indexes.
    pub(crate) before_index: Option<Vec<Hook>>,
    /// After the indexes.
    pub(crate) after_index: Option<Vec<Hook>>,
    /// Before the backfills.
    pub(crate) before_backfill: Option<Vec<Hook>>,
    /// After the backfills.
    pub(crate) after_backfill: Option<Vec<Hook>>,
    /// At the end, after the services are back and everything is verified.
    pub(crate) after_deploy: Option<Vec<Hook>>,
    /// When all of it has succeeded. One that fails is a warning.
    pub(crate) on_success: Option<Vec<Hook>>,
    /// When the deploy has failed, whatever it had to do. One that fails is a line more of the failure.
    pub(crate) on_failure: Option<Vec<Hook>>,
}

/// A program at a fixed point of a deploy; it gets PGDEPLOY_* variables.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hook {
    /// What it is called in messages and records.
    #[schemars(required)]
    pub(crate) name: Option<At<String>>,
    /// The program and its arguments, such as [./scripts/backup.sh]. No shell; ${NAME} is allowed.
    #[schemars(required, length(min = 1))]
    pub(crate) run: Option<Vec<At<String>>>,
    /// After how long it is killed with all its processes. Default: 5m; at most 1 day.
    #[schemars(extend("default" = limits::HOOK_TIMEOUT.default_text()))]
    pub(crate) timeout: Option<At<Written>>,
    /// The environments in which it runs. Default: all.
    #[schemars(length(min = 1))]
    pub(crate) only: Option<Vec<At<String>>>,
    /// What the next deploy does where this one died while it ran: again (it is run again), or ask (the deploy stops until `--settle-hook` says how it ended). Default: again.
    #[schemars(extend("default" = limits::IF_INTERRUPTED[0], "enum" = limits::IF_INTERRUPTED))]
    pub(crate) if_interrupted: Option<At<String>>,
}

/// What has to be so after the deploy. Exactly one of sql and run.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Verification {
    /// What it is called in messages and records.
    #[schemars(required)]
    pub(crate) name: Option<At<String>>,
    /// A query, in a transaction that cannot write; its first value counts.
    pub(crate) sql: Option<At<String>>,
    /// What the query's value has to be, such as "> 0" or "= ready". Default: true.
    pub(crate) expect: Option<At<String>>,
    /// A program that ends with 0. No shell; ${NAME} is allowed.
    #[schemars(length(min = 1))]
    pub(crate) run: Option<Vec<At<String>>>,
    /// How long it may take. Default: 60s; at most 1 day.
    #[schemars(extend("default" = limits::VERIFY_TIMEOUT.default_text()))]
    pub(crate) timeout: Option<At<Written>>,
    /// The environments in which it is asked. Default: all.
    #[schemars(length(min = 1))]
    pub(crate) only: Option<Vec<At<String>>>,
}

/// A program with its arguments, run without a shell.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Command {
    /// The program and its arguments, such as [sh, service.sh, stop]. No shell; ${NAME} is allowed.
    #[schemars(required, length(min = 1))]
    pub(crate) run: Option<Vec<At<String>>>,
    /// After how long it is killed with all its processes; at most 1 day.
    pub(crate) timeout: Option<At<Written>>,
}
