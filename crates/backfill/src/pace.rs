//! How long a worker sleeps after a batch, and what its own batches tell about the server: where a row takes longer than
//! it did at its best, others want the same processors and disks, as a transport protocol knows of a full queue by the
//! time that its own packets take.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::pressure::Pressure;
use crate::settings::Settings;

/// How far back the best is looked for.
const MEMORY: Duration = Duration::from_secs(60);
/// Batches that are smaller tell nothing about a row.
const ROWS: u64 = 20;
/// Batches that are judged together.
const RECENT: usize = 12;
/// Batches between two steps, and at most before a faster one: each time that it did not last, the next is tried later.
const PATIENCE: (u32, u32) = (12, 192);
/// Where a row counts as slower, much slower, and as quick as before, against the best.
const SLOWER: (f64, f64, f64) = (1.5, 3.0, 1.25);
/// The share of batches that counts as the best.
const BEST: f64 = 0.05;

/// What a worker's batches tell.
#[derive(Debug)]
pub(crate) struct Pace {
    /// When, of which kind, and milliseconds per row.
    batches: VecDeque<(Instant, i32, f64)>,
    duty: f64,
    /// Batches since the last step, and before a faster one.
    since: u32,
    patience: u32,
    /// The last step was one to go faster.
    is_trial: bool,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { batches: VecDeque::new(), duty: 1.0, since: 0, patience: PATIENCE.0, is_trial: false }
    }

    /// Learns from a committed batch. Only batches of a kind are compared: the rows of a chunk's first stripe leave their
    /// pages and get new index entries, which takes more than twice as long as the others take.
    pub(crate) fn learn(&mut self, now: Instant, (took, rows): (Duration, u64), kind: i32) {
        if rows < ROWS {
            return;
        }
        self.batches.push_back((now, kind, took.as_secs_f64() * 1000.0 / rows as f64));
        while self.batches.front().is_some_and(|(at, ..)| now.duration_since(*at) > MEMORY)
            || self.batches.len() > 5000
        {
            self.batches.pop_front();
        }
        self.since += 1;
        if self.batches.len() < 3 * RECENT || self.since < PATIENCE.0 {
            return;
        }
        if self.is_trial && self.since >= 4 * PATIENCE.0 {
            // It lasted.
            (self.is_trial, self.patience) = (false, PATIENCE.0);
        }
        let slower = self.slower();
        let duty = if slower > SLOWER.1 {
            0.25
        } else if slower > SLOWER.0 {
            self.duty.min(0.5)
        } else if slower < SLOWER.2 && self.since >= self.patience {
            (self.duty * 2.0).min(1.0)
        } else {
            self.duty
        };
        if duty < self.duty && self.is_trial {
            self.patience = (self.patience * 2).min(PATIENCE.1);
        }
        if duty != self.duty {
            (self.is_trial, self.duty, self.since) = (duty > self.duty, duty, 0);
        }
    }

    /// The recent milliseconds per row against the best of their kind.
    fn slower(&self) -> f64 {
        let mut kinds = BTreeMap::<i32, Vec<f64>>::new();
        for (_, kind, per_row) in &self.batches {
            kinds.entry(*kind).or_default().push(*per_row);
        }
        let best: BTreeMap<i32, f64> =
            kinds.into_iter().map(|(kind, values)| (kind, at(values, BEST))).collect();
        let recent = self.batches.iter().rev().take(RECENT).map(|(_, kind, per_row)| {
            best.get(kind).filter(|best| **best > 0.0).map_or(1.0, |best| per_row / best)
        });
        at(recent.collect(), 0.5)
    }

    /// How long to sleep after a batch. `pressure` is what the server's state leaves.
    pub(crate) fn sleep(
        &self,
        settings: &Settings,
        pressure: &Pressure,
        took: Duration,
        rows: u64,
    ) -> Duration {
        let heeded = settings.throttle.congestion && !pressure.alone;
        sleep(settings, pressure.duty.min(if heeded { self.duty } else { 1.0 }), took, rows)
    }
}

/// How long to sleep after work that took so long. `outside` is the share of the time that is left to us.
pub(crate) fn sleep(settings: &Settings, outside: f64, took: Duration, rows: u64) -> Duration {
    let duty = settings.duty.min(outside).clamp(0.01, 1.0);
    let rest = took.mul_f64(1.0 / duty - 1.0);
    let share = f64::from(settings.workers.max(1));
    let rate = settings.rows_per_second.map_or(Duration::ZERO, |rate| {
        Duration::from_secs_f64(rows as f64 * share / (rate.max(1) as f64)).saturating_sub(took)
    });
    settings.pause.max(rest).max(rate)
}

/// The value below which a share of them is.
fn at(mut values: Vec<f64>, share: f64) -> f64 {
    let place = (values.len() as f64 * share) as usize;
    if place >= values.len() {
        return 1.0;
    }
    *values.select_nth_unstable_by(place, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(pace: &mut Pace, now: &mut Instant, batches: u32, micros_per_row: u64) {
        for _ in 0..batches {
            *now += Duration::from_millis(20);
            pace.learn(*now, (Duration::from_micros(micros_per_row * 1000), 1000), 0);
        }
    }

    #[test]
    fn slower_rows_halve_the_pace_and_quicker_ones_bring_it_back_by_steps() {
        let (mut pace, mut now) = (Pace::new(), Instant::now());
        run(&mut pace, &mut now, 100, 10);
        assert_eq!(pace.duty, 1.0);
        run(&mut pace, &mut now, 40, 20);
        assert_eq!(pace.duty, 0.5);
        run(&mut pace, &mut now, 40, 40);
        assert_eq!(pace.duty, 0.25);
        run(&mut pace, &mut now, 10, 10);
        assert_eq!(pace.duty, 0.5);
        run(&mut pace, &mut now, 20, 10);
        assert_eq!(pace.duty, 1.0);
    }

    #[test]
    fn a_faster_pace_that_did_not_last_is_tried_later_each_time() {
        let (mut pace, mut now) = (Pace::new(), Instant::now());
        run(&mut pace, &mut now, 100, 10);
        let mut slow = Vec::new();
        for _ in 0..8 {
            // Half of the time harms nobody, all of it does.
            let mut batches = 0;
            while pace.duty < 1.0 {
                run(&mut pace, &mut now, 1, 10);
                batches += 1;
            }
            slow.push(batches);
            while pace.duty == 1.0 {
                run(&mut pace, &mut now, 1, 20);
            }
        }
        assert!(
            slow[0] < slow[2] && slow[2] < slow[4] && slow[4] < slow[5] && slow[6] == slow[7],
            "{slow:?}"
        );
        // Where it lasts, all is forgotten.
        run(&mut pace, &mut now, 400, 10);
        assert_eq!((pace.duty, pace.patience), (1.0, PATIENCE.0));
    }

    #[test]
    fn stripes_that_cost_more_than_others_are_no_congestion() {
        let (mut pace, mut now) = (Pace::new(), Instant::now());
        // One worker's chunks, and the dear ones first of all.
        for stripe in [vec![0; 20], (0..8).cycle().take(400).collect()].concat() {
            now += Duration::from_millis(20);
            let micros = if stripe < 5 { 20 } else { 8 };
            pace.learn(now, (Duration::from_micros(micros * 1000), 1000), stripe);
            assert_eq!(pace.duty, 1.0);
        }
    }

    #[test]
    fn nobody_is_spared_where_nobody_else_is_at_work() {
        let (mut pace, mut now) = (Pace::new(), Instant::now());
        run(&mut pace, &mut now, 100, 10);
        run(&mut pace, &mut now, 40, 40);
        let of = |alone| {
            let pressure = Pressure { alone, ..Pressure::default() };
            pace.sleep(&Settings::default(), &pressure, Duration::from_millis(20), 100)
        };
        assert_eq!((of(false), of(true)), (Duration::from_millis(60), Duration::ZERO));
    }

    #[test]
    fn a_share_of_the_time_a_pause_and_a_rate_are_all_kept() {
        let of = |settings: Settings, outside| sleep(&settings, outside, Duration::from_millis(20), 100);
        let base = Settings::default();
        assert_eq!(of(base.clone(), 1.0), Duration::ZERO);
        assert_eq!(of(base.clone(), 0.5), Duration::from_millis(20));
        assert_eq!(of(Settings { duty: 0.25, ..base.clone() }, 0.5), Duration::from_millis(60));
        assert_eq!(
            of(Settings { pause: Duration::from_millis(50), ..base.clone() }, 1.0),
            Duration::from_millis(50)
        );
        assert_eq!(of(Settings { rows_per_second: Some(1000), ..base }, 1.0), Duration::from_millis(80));
    }
}
