//! The configuration of an environment as it takes effect, without secrets: part of a release's hash.
//!
//! References stay as they are written, so that no value of a variable gets into it. The environment's name, its
//! database and its gate are left out: the same release has the same hash wherever it is treated the same.

use std::time::Duration;

use serde_json::{Value, json};

use crate::environment::Environment;
use crate::health::{Health, Probe};
use crate::hooks::{Hook, IfInterrupted};
use crate::pipeline::Pipeline;
use crate::services::{AfterFailedGate, Command, Services};
use crate::settings::{OnDrift, OnInterrupt};
use crate::throttle::ThrottleSettings;
use crate::url::mask_passwords;
use crate::verification::Verification;

impl Environment {
    /// Everything in pipeline.yaml that changes what a deploy to this environment does, without secrets, as JSON
    /// with sorted keys. The same file gives the same text on every machine.
    pub fn effective_without_secrets(&self) -> String {
        self.effective.to_string()
    }
}

/// `environment` was read without variables.
pub(crate) fn effective(pipeline: &Pipeline, environment: &Environment) -> Value {
    let (schema, index, backfill) = (&environment.schema, &environment.index, &environment.backfill);
    let services = environment.services.as_ref().map(services);
    let fixtures = environment.fixtures.as_ref();
    let mut value = json!({
        "version": 1,
        "name": pipeline.name(),
        "ledger_schema": pipeline.ledger_schema(),
        "connect": {
            "wait": show(pipeline.connect().wait),
            "initial": show(pipeline.connect().initial),
            "max": show(pipeline.connect().max),
        },
        "lock": { "wait": show(pipeline.lock().wait) },
        "fixtures": fixtures.map(|fixtures| json!({ "after": fixtures.after, "sql": fixtures.sql })),
        "services": services,
        "schema": {
            "path": schema.path,
            "lock_timeout": show(schema.lock_timeout),
            "retry_for": show(schema.retry_for),
            "statement_timeout": show(schema.statement_timeout),
            "search_path": schema.search_path,
            "role": schema.role,
            "kill_blockers": schema.kill_blockers.map(show),
            "when_empty": if schema.snapshot_when_empty { "snapshot" } else { "migrate" },
            "snapshot": schema.snapshot,
            "when_unmanaged": if schema.baseline_when_unmanaged { "baseline" } else { "refuse" },
        },
        "index": {
            "path": index.path,
            "budget": show(index.budget),
            "parallel": index.parallel,
            "on_drift": match index.on_drift {
                OnDrift::Warn => "warn",
                OnDrift::Replace => "replace",
            },
            "on_interrupt": match index.on_interrupt {
                OnInterrupt::Detach => "detach",
                OnInterrupt::Cancel => "cancel",
            },
        },
        "backfill": {
            "path": backfill.path,
            "budget": show(backfill.budget),
            "batch_size": backfill.batch_size,
            "target": show(backfill.target),
            "min_batch": backfill.min_batch,
            "max_batch": backfill.max_batch,
            "pause": show(backfill.pause),
            "workers": backfill.workers,
            "duty": format!("{}%", backfill.duty_percent),
            "throttle": throttle(&backfill.throttle),
            "lock_timeout": show(backfill.lock_timeout),
            "statement_timeout": show(backfill.statement_timeout),
            "idle_in_transaction_session_timeout": show(backfill.idle_in_transaction_session_timeout),
            "progress_every": backfill.progress_every,
        },
    });
    // What an older version did not know is left out where it is not used: the release stays the same one.
    if environment.hooks.iter().next().is_some() {
        value["hooks"] = environment.hooks.iter().map(hook).collect();
    }
    if !environment.verify.is_empty() {
        value["verify"] = environment.verify.iter().map(verification).collect();
    }
    value.sort_all_objects();
    value
}

fn command(command: &Command) -> Value {
    let run: Vec<String> = command.run.iter().map(|word| mask_passwords(word)).collect();
    json!({ "run": run, "timeout": show(command.timeout) })
}

fn services(services: &Services) -> Value {
    let mut value =
        json!({ "stop": services.stop.as_ref().map(command), "start": services.start.as_ref().map(command) });
    if let Some(quiesced) = &services.quiesced {
        value["quiesced"] = json!({
            "roles": quiesced.roles,
            "within": show(quiesced.within),
            "idle": if quiesced.ignore_idle { "ignore" } else { "count" },
        });
    }
    if !services.health.is_empty() {
        value["health"] = services.health.iter().map(health).collect();
    }
    match services.after_failed_gate {
        AfterFailedGate::StartIfUnchanged => {}
        AfterFailedGate::Start => value["after_failed_gate"] = "start".into(),
        AfterFailedGate::KeepStopped => value["after_failed_gate"] = "keep_stopped".into(),
    }
    value
}

fn health(health: &Health) -> Value {
    let probe = match &health.probe {
        Probe::Http(address) => json!({ "http": address.to_string() }),
        Probe::Run(run) => command(run),
        Probe::Sql(question) => json!({ "sql": question.sql, "expect": question.expect.to_string() }),
    };
    json!({ "probe": probe, "within": show(health.within) })
}

fn hook(hook: &Hook) -> Value {
    json!({
        "point": hook.point.as_str(),
        "name": hook.name,
        "command": command(&hook.command),
        "if_interrupted": match hook.if_interrupted {
            IfInterrupted::Again => "again",
            IfInterrupted::Ask => "ask",
        },
    })
}

fn verification(verification: &Verification) -> Value {
    match verification {
        Verification::Sql { name, question, timeout } => {
            json!({ "name": name, "sql": question.sql, "expect": question.expect.to_string(), "timeout": show(*timeout) })
        }
        Verification::Run { name, command: run } => json!({ "name": name, "command": command(run) }),
    }
}

fn throttle(settings: &ThrottleSettings) -> Value {
    json!({
        "replica_lag": settings.replica_lag.map(show),
        "longest_transaction": settings.longest_transaction.map(show),
        "blocked_sessions": settings.blocked_sessions.map(show),
        "wal_per_second": settings.wal_per_second,
        "active_sessions": settings.active_sessions,
        "rows_per_second": settings.rows_per_second,
        "missing_replicas": settings.missing_replicas,
        "archiver": settings.archiver,
        "congestion": settings.congestion,
    })
}

fn show(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}
