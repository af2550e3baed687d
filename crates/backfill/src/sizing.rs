//! How many blocks the next chunk spans and how it is done: as much as fits the target duration in one stripe.

use std::time::Duration;

use crate::chunk::Chunk;
use crate::names::Over;
use crate::settings::Settings;

/// Growth and shrinkage from one chunk to the next.
const GROWTH: (f64, f64) = (0.05, 2.0);
/// A batch that takes so many times its target ends its chunk.
const SLOW: f64 = 2.5;
/// Matching rows in a block below which stripes are not worth their commits: nothing gets crowded.
const SPARSE: f64 = 4.0;
/// The same as a share of the keys, where a chunk is one of keys.
const SPARSE_KEYS: f64 = 0.1;
/// Weight of the newest measurement, and the rows from which on a batch is one.
const NEWEST: f64 = 0.3;
const FEW: u64 = 10;
/// Blocks of a chunk at most, 64 MB.
const MOST: f64 = 8192.0;
/// Keys of a range at most, where few match.
const MOST_KEYS: f64 = 200_000.0;
/// Batches that lock their rows first, after one had to wait for somebody else's.
const CAUTIOUS: u32 = 64;
/// Parts of a chunk where several of us work: a batch of one holds a snapshot in which the other's last batch is not yet
/// over, so that its dead rows cannot be pruned before that snapshot is gone, too.
const PARTS: i32 = 3;
/// Batches of a first stripe.
const FIRST: i32 = 2;
/// Rows in a block where nobody has counted them.
const DENSITY: f64 = 30.0;

/// Learns the size of chunks from the batches they took.
#[derive(Debug, Clone)]
pub(crate) struct Sizing {
    /// Blocks of a batch.
    blocks: f64,
    stripes: i32,
    parts: i32,
    /// Rows in a block, by the catalog.
    full: f64,
    /// Matching rows in a block, in the last chunk.
    matching: Option<f64>,
    /// Of the chunk under way: its slowest batch in milliseconds, and its matching rows.
    slowest: f64,
    rows: u64,
    cautious: u32,
    target: f64,
    rows_range: (f64, f64),
    /// After an error the least size does not hold.
    forced: bool,
    /// A chunk is one of keys: a block with a row, as it were.
    over_keys: bool,
    /// Milliseconds per matching row.
    per_row: Option<f64>,
    first: f64,
}

impl Sizing {
    /// `density` is rows in a block, where known.
    pub(crate) fn new(settings: &Settings, stripes: i32, over: Over, density: Option<f64>) -> Self {
        let over_keys = over == Over::Keys;
        let full = match density.filter(|density| *density > 0.0) {
            _ if over_keys => 1.0,
            Some(density) => density,
            None => DENSITY,
        };
        let most = f64::from(settings.max_batch.max(1));
        let first = f64::from(settings.batch_size.max(1)).min(most);
        Self {
            blocks: (first * f64::from(stripes) / full).clamp(1.0, if over_keys { MOST_KEYS } else { MOST }),
            stripes,
            parts: if settings.workers > 1 && stripes > 1 && !over_keys { PARTS } else { 1 },
            full,
            matching: None,
            slowest: 0.0,
            rows: 0,
            cautious: 0,
            target: settings.target.as_secs_f64().max(0.001) * 1000.0,
            rows_range: (f64::from(settings.min_batch.max(1)).min(most), most),
            forced: false,
            over_keys,
            per_row: None,
            first,
        }
    }

    /// Follows settings that may have changed meanwhile.
    pub(crate) fn aim(&mut self, settings: &Settings) {
        self.target = settings.target.as_secs_f64().max(0.001) * 1000.0;
        self.parts = if settings.workers > 1 && self.stripes > 1 && !self.over_keys { PARTS } else { 1 };
    }

    fn most(&self) -> f64 {
        if self.over_keys { MOST_KEYS } else { MOST }
    }

    fn is_sparse(&self) -> bool {
        let least = if self.over_keys { SPARSE_KEYS } else { SPARSE };
        self.matching.is_some_and(|matching| matching < least)
    }

    /// The next range of keys: how many, and in how many stripes. There no more rows than a batch may take are in all of
    /// its stripes together, since nothing tells how they are spread over them.
    pub(crate) fn keys(&mut self) -> Chunk {
        let chunk = self.next();
        let most = if self.is_sparse() { MOST_KEYS } else { self.rows_range.1 };
        // Among many that do not match, as many as may be could match all at once.
        Chunk { blocks: chunk.blocks.min(most as i64).max(1), ..chunk }
    }

    /// Goes on with what somebody else has learned.
    pub(crate) fn resume(&mut self, blocks: i64) {
        if blocks > 0 && self.matching.is_none() {
            self.blocks = (blocks as f64).clamp(1.0, self.most());
        }
    }

    /// The next chunk.
    pub(crate) fn next(&mut self) -> Chunk {
        (self.slowest, self.rows) = (0.0, 0);
        let sparse = self.is_sparse();
        let stripes = if sparse { 1 } else { self.stripes };
        let mut blocks = self.blocks;
        if !sparse {
            // Stripes differ in size: room for that.
            let most = 0.8 * self.rows_range.1 * f64::from(stripes) / self.density();
            let least =
                if self.forced { 1.0 } else { self.rows_range.0 * f64::from(stripes) / self.density() };
            blocks = blocks.max(least).min(most);
        }
        let parts = if sparse { 1 } else { self.parts };
        let blocks = blocks.clamp(1.0, self.most()) as i64;
        // Keys of a range are done from its beginning to its end in each stripe.
        let first = if stripes > 1 && blocks >= i64::from(FIRST) && !self.over_keys { FIRST } else { 1 };
        Chunk { blocks: blocks * i64::from(parts), stripes, parts, first }
    }

    /// Rows that one batch may take at most: twice what fits the target, since matches may come all at once.
    pub(crate) fn limit(&self) -> i64 {
        let fitting = self.per_row.map_or(self.first * 4.0, |per_row| 2.0 * self.target / per_row);
        fitting.clamp(self.rows_range.0, self.rows_range.1).max(1.0) as i64
    }

    /// Rows that a batch of the next chunk is expected to take.
    pub(crate) fn batch_rows(&self) -> i64 {
        let stripes = if self.is_sparse() { 1 } else { self.stripes };
        (self.blocks * self.matching.unwrap_or(self.full) / f64::from(stripes)).clamp(1.0, self.rows_range.1)
            as i64
    }

    /// Whether the next batch may do without locking its rows first: where it is known about how many they are, and
    /// nobody was met lately.
    pub(crate) fn is_bold(&self) -> bool {
        self.cautious == 0 && self.matching.is_some_and(|matching| matching * 3.0 >= self.full)
    }

    /// Learns from a committed batch.
    pub(crate) fn learn(&mut self, took: Duration, matched: u64) {
        let took = took.as_secs_f64() * 1000.0;
        if matched >= FEW {
            let now = took / matched as f64;
            self.per_row = Some(self.per_row.map_or(now, |before| before + NEWEST * (now - before)));
        }
        self.slowest = self.slowest.max(took);
        self.rows += matched;
        self.cautious = self.cautious.saturating_sub(1);
    }

    /// A batch of `chunk` took as many rows as it may: there are more in a block than was known.
    pub(crate) fn overfull(&mut self, chunk: Chunk, limit: i64) {
        let (limit, blocks) = (limit as f64, chunk.blocks.max(1) as f64 / f64::from(chunk.parts));
        let seen = (limit * f64::from(chunk.stripes) / blocks).max(if self.over_keys { 1.0 } else { SPARSE });
        self.full = if self.over_keys { 1.0 } else { self.full.max(1.5 * seen) };
        self.matching = Some(seen.min(self.full));
        self.blocks = (limit * f64::from(self.stripes) / self.full / 2.0).max(1.0);
    }

    /// After a batch that took far too long: the chunk is to be begun again as a smaller one.
    pub(crate) fn is_slow(&mut self, took: Duration, chunk: Chunk) -> bool {
        let took = took.as_secs_f64() * 1000.0;
        let blocks = chunk.blocks as f64 / f64::from(chunk.parts);
        let least = self.rows_range.0 * f64::from(chunk.stripes) / self.density();
        if took < SLOW * self.target || blocks <= least.max(1.0) {
            return false;
        }
        self.blocks = (blocks * (self.target / took).max(GROWTH.0)).max(1.0);
        true
    }

    /// Learns from a chunk that is done.
    pub(crate) fn chunk_done(&mut self, chunk: Chunk) {
        self.matching = Some(self.rows as f64 / chunk.blocks.max(1) as f64);
        let factor = (self.target / self.slowest.max(0.01)).clamp(GROWTH.0, GROWTH.1);
        // Not from what was planned: a chunk may have been cut short by the end of its range.
        let base = if factor > 1.0 {
            self.blocks
        } else {
            self.blocks.min(chunk.blocks as f64 / f64::from(chunk.parts))
        };
        self.blocks = (base * factor).clamp(1.0, self.most());
        if factor > 1.0 {
            self.forced = false;
        }
    }

    /// Somebody else's row was waited for.
    pub(crate) fn contended(&mut self) {
        self.cautious = CAUTIOUS;
    }

    /// After a timeout: the same blocks in smaller chunks. `false` where it is one block already.
    pub(crate) fn halve(&mut self) -> bool {
        let chunk = self.next();
        let before = chunk.blocks / i64::from(chunk.parts);
        self.forced = true;
        self.blocks = (before as f64 / 2.0).floor().max(1.0);
        before > 1
    }

    fn density(&self) -> f64 {
        self.matching
            .map_or(self.full, |matching| matching.max(if self.over_keys { SPARSE_KEYS } else { 1.0 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizing() -> Sizing {
        Sizing::new(&Settings::default(), 8, Over::Blocks, Some(40.0))
    }

    fn chunk(sizing: &mut Sizing, micros_per_row: u64, rows_per_block: u64) -> Chunk {
        let chunk = sizing.next();
        for _ in 0..chunk.stripes {
            let rows = chunk.blocks as u64 * rows_per_block / chunk.stripes as u64;
            sizing.learn(Duration::from_micros(rows * micros_per_row), rows);
        }
        sizing.chunk_done(chunk);
        chunk
    }

    #[test]
    fn a_stripe_grows_to_what_fits_the_target_and_shrinks_with_it() {
        let mut sizing = sizing();
        for _ in 0..10 {
            chunk(&mut sizing, 10, 40);
        }
        let grown = chunk(&mut sizing, 10, 40);
        assert!((350..=410).contains(&grown.blocks), "{grown:?}");
        for _ in 0..6 {
            chunk(&mut sizing, 200, 40);
        }
        let shrunk = chunk(&mut sizing, 200, 40);
        assert!((15..=25).contains(&shrunk.blocks), "{shrunk:?}");
    }

    #[test]
    fn where_nothing_matches_the_chunks_get_long_and_lose_their_stripes() {
        let mut sizing = sizing();
        for _ in 0..12 {
            chunk(&mut sizing, 0, 0);
        }
        assert_eq!(sizing.next(), Chunk { blocks: 8192, stripes: 1, parts: 1, first: 1 });
        assert!(!sizing.is_bold());
    }

    #[test]
    fn the_most_rows_of_a_batch_bound_the_chunk() {
        let mut sizing =
            Sizing::new(&Settings { max_batch: 500, ..Settings::default() }, 8, Over::Blocks, Some(200.0));
        for _ in 0..10 {
            let chunk = chunk(&mut sizing, 0, 200);
            assert!(chunk.blocks * 200 / 8 <= 500, "{chunk:?}");
        }
    }

    #[test]
    fn halving_ends_at_one_block_and_boldness_comes_back() {
        let mut sizing = sizing();
        let mut steps = 0;
        while sizing.halve() {
            steps += 1;
        }
        assert!(steps <= 7 && sizing.next().blocks == 1, "{steps}");
        chunk(&mut sizing, 10, 40);
        assert!(sizing.is_bold());
        sizing.contended();
        assert!(!sizing.is_bold());
        for _ in 0..8 {
            chunk(&mut sizing, 10, 40);
        }
        assert!(sizing.is_bold());
    }
}
