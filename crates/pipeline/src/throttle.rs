//! What slows backfills down or holds them up, read like the other settings.

use std::time::Duration;

use crate::at::At;
use crate::code;
use crate::limit as limits;
use crate::reading::Reading;
use crate::settings::Layers;

/// What slows a backfill down or holds it up; `None` and `false` are not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThrottleSettings {
    /// How far a replica may be behind.
    pub replica_lag: Option<Duration>,
    /// How old a snapshot may be.
    pub longest_transaction: Option<Duration>,
    /// How long a session may wait for us.
    pub blocked_sessions: Option<Duration>,
    /// Bytes of WAL per second.
    pub wal_per_second: Option<u64>,
    /// Sessions of others at work.
    pub active_sessions: Option<u64>,
    /// Rows per second.
    pub rows_per_second: Option<u64>,
    /// Replicas that vanish, slots that nobody reads.
    pub missing_replicas: bool,
    /// An archiver that fails.
    pub archiver: bool,
    /// Our own rows that take longer than at their best.
    pub congestion: bool,
}

/// The first of the layers that holds the signal.
macro_rules! signal {
    ($layers:expr, $key:ident) => {
        $layers
            .iter()
            .flatten()
            .filter_map(|one| one.backfill.as_ref()?.throttle.as_ref()?.$key.as_ref())
            .next()
    };
}

impl Reading<'_> {
    pub(crate) fn throttle(&mut self, layers: Layers<'_>) -> ThrottleSettings {
        let some = |duration: Duration| Some(duration).filter(|duration| !duration.is_zero());
        let any = |number: u64| Some(number).filter(|number| *number > 0);
        ThrottleSettings {
            replica_lag: some(self.duration(signal!(layers, replica_lag), &limits::REPLICA_LAG)),
            longest_transaction: some(
                self.duration(signal!(layers, longest_transaction), &limits::LONGEST_TRANSACTION),
            ),
            blocked_sessions: some(
                self.duration(signal!(layers, blocked_sessions), &limits::BLOCKED_SESSIONS),
            ),
            wal_per_second: any(self.number(signal!(layers, wal_mb_per_second), &limits::ACTIVE_SESSIONS))
                .map(|megabytes| megabytes * 1_000_000),
            active_sessions: any(self.number(signal!(layers, active_sessions), &limits::ACTIVE_SESSIONS)),
            rows_per_second: any(self.number(signal!(layers, rows_per_second), &limits::ROWS_PER_SECOND)),
            missing_replicas: self.watched(signal!(layers, missing_replicas)),
            archiver: self.watched(signal!(layers, archiver)),
            congestion: self.watched(signal!(layers, congestion)),
        }
    }

    /// `watch`, the default, or `ignore`.
    fn watched(&mut self, written: Option<&At<String>>) -> bool {
        let Some(written) = written else { return true };
        if !matches!(written.value.as_str(), "watch" | "ignore") {
            let message = format!("`{}` is neither `watch` nor `ignore`", written.value);
            self.refuse(code::BAD_VALUE, written.span(), message, "write one of the two");
        }
        written.value != "ignore"
    }

    /// `50%` as 50.
    pub(crate) fn percent(&mut self, written: Option<&At<String>>) -> u64 {
        let Some(written) = written else { return 100 };
        let number =
            written.value.trim().strip_suffix('%').and_then(|number| number.trim().parse::<u64>().ok());
        match number.filter(|number| (1..=100).contains(number)) {
            Some(number) => number,
            None => {
                let message = format!("`{}` is no share of the time", written.value);
                self.refuse(code::BAD_VALUE, written.span(), message, "write one from 1% to 100%");
                100
            }
        }
    }
}
