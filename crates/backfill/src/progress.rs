//! How far the work is, told at most ten times a second.

use std::time::{Duration, Instant};

use crate::definition::Definition;
use crate::event::Event;
use crate::settings::Settings;

const EVERY: Duration = Duration::from_millis(100);

/// Counts batches and decides which of them are told.
#[derive(Debug)]
pub(crate) struct Progress {
    id: String,
    table: String,
    every: u64,
    /// Committed batches of this run.
    pub(crate) batches: u64,
    milestone: u64,
    started: Option<(Instant, u64)>,
    estimated_rows: u64,
    told: Instant,
}

impl Progress {
    pub(crate) fn new(definition: &Definition, settings: &Settings) -> Self {
        Self {
            id: definition.id.clone(),
            table: definition.shown_table(),
            every: u64::from(settings.progress_every.max(1)),
            batches: 0,
            milestone: 0,
            started: None,
            estimated_rows: 0,
            told: Instant::now(),
        }
    }

    /// Begins to count at `rows`; `false` if it had begun before.
    pub(crate) fn start(&mut self, rows: u64, estimated_rows: u64) -> bool {
        self.estimated_rows = estimated_rows;
        if self.started.is_some() {
            return false;
        }
        self.started = Some((Instant::now(), rows));
        true
    }

    /// The event to tell now, if any.
    pub(crate) fn due(&mut self, rows: u64, skipped: u64, batch_size: i64, last: bool) -> Option<Event> {
        let now = Instant::now();
        if !last && now.duration_since(self.told) < EVERY {
            return None;
        }
        self.told = now;
        let (started, before) = self.started.unwrap_or((now, rows));
        let seconds = now.duration_since(started).as_secs_f64().max(0.001);
        let rows_per_second = rows.saturating_sub(before) as f64 / seconds;
        let left = self.estimated_rows.saturating_sub(rows) as f64;
        let milestone = last || self.batches >= self.milestone + self.every;
        if milestone {
            self.milestone = self.batches;
        }
        Some(Event::Progress {
            id: self.id.clone(),
            table: self.table.clone(),
            rows,
            estimated_rows: self.estimated_rows,
            rows_per_second,
            batch_size: u32::try_from(batch_size).unwrap_or(u32::MAX),
            batches: self.batches,
            skipped,
            seconds_left: (rows_per_second > 0.0).then(|| left / rows_per_second),
            milestone,
        })
    }
}
