//! Defaults and bounds of the settings: the one place where they are written.

use std::time::Duration;

/// The default of a setting and what it may be instead.
pub(crate) struct Limit<T> {
    pub(crate) default: T,
    pub(crate) least: T,
    pub(crate) most: T,
}

impl Limit<Duration> {
    /// As it is written in YAML; for the JSON Schema.
    pub(crate) fn default_text(&self) -> String {
        humantime::format_duration(self.default).to_string()
    }
}

const fn limit<T>(default: T, least: T, most: T) -> Limit<T> {
    Limit { default, least, most }
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const HOUR: Duration = s(3600);
const DAY: Duration = s(24 * 3600);
const WEEK: Duration = s(7 * 24 * 3600);

pub(crate) const CONNECT_WAIT: Limit<Duration> = limit(s(60), ms(0), DAY);
pub(crate) const CONNECT_INITIAL: Limit<Duration> = limit(ms(250), ms(1), s(60));
pub(crate) const CONNECT_MAX: Limit<Duration> = limit(s(5), ms(1), s(600));
pub(crate) const LOCK_WAIT: Limit<Duration> = limit(s(0), ms(0), DAY);

// Zero means "no limit" to PostgreSQL, which is what these settings exist to rule out.
pub(crate) const SCHEMA_LOCK_TIMEOUT: Limit<Duration> = limit(ms(500), ms(1), s(600));
pub(crate) const SCHEMA_RETRY_FOR: Limit<Duration> = limit(s(300), ms(0), DAY);
pub(crate) const SCHEMA_STATEMENT_TIMEOUT: Limit<Duration> = limit(s(900), ms(1), WEEK);

pub(crate) const KILL_AFTER: Limit<Duration> = limit(s(300), s(1), DAY);
pub(crate) const WHEN_EMPTY: [&str; 2] = ["migrate", "snapshot"];
pub(crate) const WHEN_UNMANAGED: [&str; 2] = ["refuse", "baseline"];

pub(crate) const INDEX_BUDGET: Limit<Duration> = limit(s(2 * 3600), ms(0), WEEK);
pub(crate) const INDEX_PARALLEL: Limit<u64> = limit(2, 1, 32);

pub(crate) const BACKFILL_BUDGET: Limit<Duration> = limit(s(20 * 60), ms(0), WEEK);
pub(crate) const BATCH_SIZE: Limit<u64> = limit(200, 1, 1_000_000);
pub(crate) const MIN_BATCH: Limit<u64> = limit(50, 1, 1_000_000);
pub(crate) const MAX_BATCH: Limit<u64> = limit(20_000, 1, 1_000_000);
pub(crate) const BATCH_TARGET: Limit<Duration> = limit(ms(20), ms(1), s(60));
pub(crate) const BATCH_PAUSE: Limit<Duration> = limit(ms(0), ms(0), s(600));
pub(crate) const BACKFILL_LOCK_TIMEOUT: Limit<Duration> = limit(s(60), ms(1), HOUR);
pub(crate) const BACKFILL_STATEMENT_TIMEOUT: Limit<Duration> = limit(s(120), ms(1), DAY);
pub(crate) const BACKFILL_IDLE_TIMEOUT: Limit<Duration> = limit(s(120), ms(1), DAY);
pub(crate) const PROGRESS_EVERY: Limit<u64> = limit(10, 1, 1_000_000);

pub(crate) const WORKERS: Limit<u64> = limit(1, 1, 64);
pub(crate) const REPLICA_LAG: Limit<Duration> = limit(s(10), ms(0), DAY);
pub(crate) const LONGEST_TRANSACTION: Limit<Duration> = limit(s(300), ms(0), WEEK);
pub(crate) const BLOCKED_SESSIONS: Limit<Duration> = limit(s(1), ms(0), s(600));
pub(crate) const ACTIVE_SESSIONS: Limit<u64> = limit(0, 0, 100_000);
pub(crate) const ROWS_PER_SECOND: Limit<u64> = limit(0, 0, 100_000_000);

pub(crate) const STOP_TIMEOUT: Limit<Duration> = limit(s(60), ms(1), DAY);
pub(crate) const START_TIMEOUT: Limit<Duration> = limit(s(120), ms(1), DAY);
pub(crate) const QUIESCED_WITHIN: Limit<Duration> = limit(s(30), ms(0), HOUR);
pub(crate) const HEALTHY_WITHIN: Limit<Duration> = limit(s(60), ms(1), DAY);
pub(crate) const HOOK_TIMEOUT: Limit<Duration> = limit(s(300), ms(1), DAY);
pub(crate) const VERIFY_TIMEOUT: Limit<Duration> = limit(s(60), ms(1), DAY);
pub(crate) const AFTER_FAILED_GATE: [&str; 3] = ["start_if_unchanged", "start", "keep_stopped"];
pub(crate) const IDLE_SESSIONS: [&str; 2] = ["count", "ignore"];
pub(crate) const IF_INTERRUPTED: [&str; 2] = ["again", "ask"];

pub(crate) const SOAK: Limit<Duration> = limit(s(0), ms(0), s(365 * 24 * 3600));
pub(crate) const APPROVALS: Limit<u64> = limit(1, 1, 20);
pub(crate) const APPROVAL_VALID_FOR: Limit<Duration> = limit(WEEK, s(60), s(90 * 24 * 3600));
pub(crate) const WINDOW: Limit<Duration> = limit(s(3600), s(60), s(366 * 24 * 3600));
pub(crate) const RECEIPT_MAX_AGE: Limit<Duration> = limit(s(30 * 24 * 3600), s(60), s(3650 * 24 * 3600));

pub(crate) const FLEET_PARALLEL: Limit<u64> = limit(8, 1, 500);
pub(crate) const WAVE_SOAK: Limit<Duration> = limit(s(0), ms(0), s(30 * 24 * 3600));

pub(crate) const LEDGER_SCHEMA: &str = "pgdeploy";
pub(crate) const SCHEMA_PATH: &str = "migrations";
pub(crate) const SNAPSHOT_PATH: &str = "schema.sql";
pub(crate) const INDEX_PATH: &str = "indexes";
pub(crate) const BACKFILL_PATH: &str = "backfills";
