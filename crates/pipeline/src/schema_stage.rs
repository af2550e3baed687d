//! The settings of stage 1.

use std::path::PathBuf;
use std::time::Duration;

use crate::at::At;
use crate::code;
use crate::limit as limits;
use crate::raw::KillBlockers;
use crate::reading::Reading;
use crate::settings::{Layers, pick};

/// Stage 1: migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaSettings {
    /// The folder, relative to the pipeline's directory.
    pub path: PathBuf,
    /// How long one attempt may queue for a lock; never zero.
    pub lock_timeout: Duration,
    /// How long whole transactions are retried after a lock_timeout.
    pub retry_for: Duration,
    /// How long one statement may run; never zero.
    pub statement_timeout: Duration,
    /// The schemas in which unqualified names are looked up; `None` for what the role has.
    pub search_path: Option<Vec<String>>,
    /// The role that runs the migrations; `None` for the one that logs in.
    pub role: Option<String>,
    /// After how long a session that stands idle in a transaction, and in the way, is ended; `None` for never.
    pub kill_blockers: Option<Duration>,
    /// Whether a database without any object gets the snapshot.
    pub snapshot_when_empty: bool,
    /// The snapshot's file, relative to the pipeline's directory.
    pub snapshot: PathBuf,
    /// Whether every file counts as applied in a database with objects but no history.
    pub baseline_when_unmanaged: bool,
}

/// Whether the second of two words is written; the first is the default.
fn second(words: [&str; 2]) -> [(&str, bool); 2] {
    [(words[0], false), (words[1], true)]
}

impl Reading<'_> {
    pub(crate) fn schema_stage(&mut self, layers: Layers<'_>) -> SchemaSettings {
        let search_path = pick!(layers, schema.search_path);
        SchemaSettings {
            path: self.path(pick!(layers, schema.path), limits::SCHEMA_PATH),
            lock_timeout: self.duration(pick!(layers, schema.lock_timeout), &limits::SCHEMA_LOCK_TIMEOUT),
            retry_for: self.duration(pick!(layers, schema.retry_for), &limits::SCHEMA_RETRY_FOR),
            statement_timeout: self
                .duration(pick!(layers, schema.statement_timeout), &limits::SCHEMA_STATEMENT_TIMEOUT),
            search_path: search_path
                .map(|names| names.iter().filter_map(|name| self.database_name(name)).collect()),
            role: pick!(layers, schema.role).and_then(|role| self.database_name(role)),
            kill_blockers: self.kill_blockers(pick!(layers, schema.kill_blockers)),
            snapshot_when_empty: self.choice(pick!(layers, schema.when_empty), &second(limits::WHEN_EMPTY)),
            snapshot: self.path(pick!(layers, schema.snapshot), limits::SNAPSHOT_PATH),
            baseline_when_unmanaged: self
                .choice(pick!(layers, schema.when_unmanaged), &second(limits::WHEN_UNMANAGED)),
        }
    }

    /// The name of a role or a schema.
    fn database_name(&mut self, written: &At<String>) -> Option<String> {
        let name = self.resolve(written)?;
        if name.is_empty() || name.len() > 63 {
            let help = "PostgreSQL's names have 1 to 63 bytes";
            self.refuse(code::BAD_VALUE, written.span(), format!("`{name}` is not a name"), help);
        }
        Some(name)
    }

    fn kill_blockers(&mut self, written: Option<&KillBlockers>) -> Option<Duration> {
        match written? {
            KillBlockers::Text(never) => {
                if never.value != "never" {
                    let message = format!("`{}` is not allowed", never.value);
                    let help = "write never, or { idle_in_transaction_over: 5m }";
                    self.refuse(code::BAD_VALUE, never.span(), message, help);
                }
                None
            }
            KillBlockers::Mapping(idle) => {
                Some(self.duration(idle.idle_in_transaction_over.as_ref(), &limits::KILL_AFTER))
            }
        }
    }
}
