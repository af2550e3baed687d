//! How many rows the next batch takes: as many as fit the target duration.

use std::time::Duration;

use crate::settings::Settings;

/// Weight of the newest measurement.
const NEWEST: f64 = 0.3;
/// Growth from one batch to the next.
const GROWTH: f64 = 1.5;

/// The size of batches. Two numbers: a predicate that seldom matches must not scan without bound.
#[derive(Debug, Clone)]
pub(crate) struct Size {
    /// Matching rows to take.
    rows: f64,
    /// Rows to look at.
    scan: f64,
    /// Milliseconds per matching row.
    per_row: Option<f64>,
    /// While a failing row is being closed in on, batches do not grow.
    cap: Option<f64>,
    target: f64,
    min: f64,
    max: f64,
}

impl Size {
    pub(crate) fn new(settings: &Settings) -> Self {
        let max = f64::from(settings.max_batch.max(1));
        let rows = f64::from(settings.batch_size.max(1)).min(max);
        Self {
            rows,
            scan: (rows * 4.0).min(max),
            per_row: None,
            cap: None,
            target: settings.target.as_secs_f64().max(0.001) * 1000.0,
            min: f64::from(settings.min_batch.max(1)).min(max),
            max,
        }
    }

    /// Goes on with what an earlier run has learned.
    pub(crate) fn resume(&mut self, rows: i64, scan: i64) {
        if rows > 0 && scan > 0 {
            self.rows = (rows as f64).clamp(1.0, self.max);
            self.scan = (scan as f64).clamp(self.rows, self.max);
        }
    }

    pub(crate) fn rows(&self) -> i64 {
        self.rows.min(self.cap.unwrap_or(f64::MAX)).max(1.0) as i64
    }

    pub(crate) fn scan(&self) -> i64 {
        self.scan.max(self.rows).max(1.0) as i64
    }

    /// Learns from a committed batch.
    pub(crate) fn learn(&mut self, took: Duration, matched: u64, scanned: u64) {
        let (took, matched, scanned) = (took.as_secs_f64() * 1000.0, matched as f64, scanned as f64);
        if matched > 0.0 {
            let now = took / matched;
            let per_row = self.per_row.map_or(now, |before| before + NEWEST * (now - before));
            self.per_row = Some(per_row);
            let fitting = (self.target / per_row).clamp(self.min, self.max);
            self.rows = fitting.min((self.rows * GROWTH).ceil());
            if took > 1.5 * self.target {
                self.rows = self.rows.min(matched * self.target / took).max(1.0);
            }
        }
        if scanned > 0.0 {
            let wanted = if matched > 0.0 { self.rows * scanned / matched * 1.2 } else { self.max };
            let fitting = scanned * self.target / took.max(0.001);
            self.scan = wanted.min(fitting.max(self.rows)).min(self.scan * 2.0).clamp(self.rows, self.max);
        }
    }

    /// After a timeout: the same rows in smaller batches. `false` where it is one row already.
    pub(crate) fn halve(&mut self) -> bool {
        let smallest = self.rows() == 1;
        self.rows = (self.rows() as f64 / 2.0).floor().max(1.0);
        self.scan = (self.scan / 2.0).max(self.rows);
        self.per_row = None;
        !smallest
    }

    /// After an error that some row causes: closes in on it. `false` where it is one row already.
    pub(crate) fn bisect(&mut self) -> bool {
        let before = self.rows();
        self.cap = Some((before as f64 / 2.0).floor().max(1.0));
        before > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size() -> Size {
        Size::new(&Settings { target: Duration::from_millis(20), ..Settings::default() })
    }

    #[test]
    fn it_grows_by_half_to_what_fits_and_shrinks_at_once() {
        let mut size = size();
        for _ in 0..30 {
            let rows = size.rows();
            size.learn(Duration::from_micros(10 * rows as u64), rows as u64, rows as u64);
        }
        assert!((1900..=2000).contains(&size.rows()), "{}", size.rows());
        size.learn(Duration::from_millis(400), 2000, 2000);
        assert!(size.rows() <= 100, "{}", size.rows());
    }

    #[test]
    fn rows_that_never_match_do_not_make_the_scan_endless_nor_slow() {
        let mut size = size();
        for _ in 0..20 {
            let scan = size.scan();
            size.learn(Duration::from_micros(5 * scan as u64), 0, scan as u64);
        }
        assert!((3000..=4400).contains(&size.scan()), "{}", size.scan());
    }

    #[test]
    fn bisecting_ends_at_one_row() {
        let mut size = size();
        let mut steps = 0;
        while size.bisect() {
            size.learn(Duration::from_millis(1), 1, 1);
            steps += 1;
        }
        assert!(size.rows() == 1 && steps <= 7, "{steps}");
    }
}
