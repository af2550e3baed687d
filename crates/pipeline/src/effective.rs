//! The configuration of an environment as it takes effect, without secrets: part of a release's hash.
//!
//! References stay as they are written, so that no value of a variable gets into it. The environment's name, its
//! database and its gate are left out: the same release has the same hash wherever it is treated the same.

use std::time::Duration;

use serde_json::{Value, json};

use crate::environment::Environment;
use crate::pipeline::Pipeline;
use crate::services::Command;
use crate::settings::{OnDrift, OnInterrupt};
use crate::throttle::ThrottleSettings;
use crate::url::mask_passwords;

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
    let command = |command: &Command| {
        let run: Vec<String> = command.run.iter().map(|word| mask_passwords(word)).collect();
        json!({ "run": run, "timeout": show(command.timeout) })
    };
    let services = environment.services.as_ref().map(|services| {
        json!({ "stop": services.stop.as_ref().map(command), "start": services.start.as_ref().map(command) })
    });
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
    value.sort_all_objects();
    value
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
