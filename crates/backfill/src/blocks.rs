//! The texts of the walk over heap blocks.
//!
//! A chunk of blocks is done in stripes, each an even share of its keys and a committed batch of its own: what the first
//! stripe leaves behind is pruned by the next, which then finds room on the same page. Block numbers are literals, since
//! only those make a Tid Range Scan that the planner costs right.

use crate::chunk::Chunk;
use crate::definition::Definition;
use crate::edit::edited;
use crate::names::{BATCH, Names, Span};
use crate::relation::Relation;
use crate::statement::Kind;

/// Stripes of a chunk where rows are rewritten.
pub(crate) const STRIPES: i32 = 8;

/// The statements of a walk over blocks.
#[derive(Debug, Clone)]
pub(crate) struct Blocks {
    /// Locks the rows first, skips those that others hold, and takes no more than a limit.
    locking: String,
    /// The same for all stripes at once.
    locking_all: String,
    /// The user's statement on the stripe as it is: it waits where others hold a row. Nothing where that cannot be.
    plain: Option<String>,
    /// Instead of a batch: its rows are noted.
    note: String,
    /// In how many stripes a chunk is done.
    pub(crate) stripes: i32,
}

/// Where a walk is: at a stripe of a part of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The chunk's first block.
    pub(crate) block: i64,
    pub(crate) chunk: Chunk,
    /// Counts the first stripe of each part, then the second of each, ..
    pub(crate) step: i32,
}

impl Place {
    /// The block behind the chunk's last.
    pub(crate) fn end(self) -> i64 {
        self.block + self.chunk.blocks
    }

    /// The cursor behind this batch.
    pub(crate) fn next(self) -> (i64, i32) {
        let steps = self.chunk.stripes * self.chunk.parts;
        if self.step + 1 < steps { (self.block, self.step + 1) } else { (self.end(), 0) }
    }

    /// The blocks of the batch.
    fn span(self) -> (i64, i64) {
        let (part, parts) = (i64::from(self.step % self.chunk.parts), i64::from(self.chunk.parts));
        let at = |part| self.block + self.chunk.blocks * part / parts;
        (at(part), at(part + 1))
    }
}

/// Composes the texts; `None` where the grammar's own text of the statement cannot be had.
pub(crate) fn compose(definition: &Definition, relation: &Relation, ledger: &str) -> Option<Blocks> {
    let names = Names::of(definition, relation, ledger)?;
    let source = &definition.source;
    let lock = if definition.kind == Kind::Delete { "FOR UPDATE" } else { "FOR NO KEY UPDATE" };
    let locked = edited(source, &names, Span::Blocks)?;
    let plain = match definition.kind {
        Kind::InsertSelect => None,
        _ => Some(names.plain_stripe(&edited(source, &names, Span::Plain)?)),
    };
    let rewrites = matches!(definition.kind, Kind::Update | Kind::UpdateFrom);
    Some(Blocks {
        locking: names.locking_stripe(lock, &locked, true),
        locking_all: names.locking_stripe(lock, &locked, false),
        plain,
        note: names.noting_stripe(),
        stripes: if rewrites { STRIPES } else { 1 },
    })
}

impl Blocks {
    /// Whether rows can be changed without locking them first.
    pub(crate) fn has_plain(&self) -> bool {
        self.plain.is_some()
    }

    /// The statement of one batch. $1 range, $2 lease token, $3 the next block, $4 the next stripe, $5 the most rows,
    /// $6 the table's OID, $7 its relfilenode, $8 seconds of the lease, $9 rows it is made for,
    /// $10 blocks of the chunk.
    pub(crate) fn text(&self, place: Place, plain: bool) -> String {
        let text = match (&self.plain, place.chunk.stripes) {
            (Some(text), _) if plain => text,
            (_, 1) => &self.locking_all,
            _ => &self.locking,
        };
        Self::at(text, place)
    }

    /// The statement that notes a batch's rows. $1 range, $2 lease token, $3 the next block, $4 the next step, $5 unit.
    pub(crate) fn note(&self, place: Place) -> String {
        Self::at(&self.note, place)
    }

    fn at(text: &str, place: Place) -> String {
        let ((lo, hi), stripe) = (place.span(), place.step / place.chunk.parts);
        let values = [
            format!("({lo},0)"),
            format!("({hi},0)"),
            stripe.to_string(),
            (place.chunk.stripes - 1).to_string(),
        ];
        BATCH.iter().zip(values).fold(text.to_owned(), |text, (name, value)| text.replace(name, &value))
    }
}

impl Names {
    fn locking_stripe(&self, lock: &str, edited: &str, striped: bool) -> String {
        let Self { table, alias, hit, .. } = self;
        let (named, blocks) = (self.named_columns(), self.in_blocks(alias));
        let stripe = if striped { format!(" AND {}", self.in_stripe(alias)) } else { String::new() };
        format!(
            "WITH pgdeploy_todo AS MATERIALIZED (
  SELECT {named} FROM {table} AS {alias} WHERE {blocks}{stripe} AND ({hit}) LIMIT $5::int8 {lock} OF {alias} SKIP LOCKED
), pgdeploy_done AS (
  {edited}
), pgdeploy_batch AS MATERIALIZED (
  SELECT (SELECT count(*) FROM pgdeploy_todo) AS matched, count(*) AS done,
         count(*) FILTER (WHERE pgdeploy_still) AS unchanged FROM pgdeploy_done
)
{}",
            self.moved()
        )
    }

    fn plain_stripe(&self, edited: &str) -> String {
        format!(
            "WITH pgdeploy_done AS (
  {edited}
), pgdeploy_batch AS MATERIALIZED (
  SELECT count(*) AS matched, count(*) AS done, count(*) FILTER (WHERE pgdeploy_still) AS unchanged FROM pgdeploy_done
)
{}",
            self.moved()
        )
    }

    fn noting_stripe(&self) -> String {
        let Self { table, alias, hit, ledger, .. } = self;
        let (key, blocks, stripe) = (self.text_array(alias), self.in_blocks(alias), self.in_stripe(alias));
        format!(
            "WITH n AS (
  INSERT INTO {ledger}.backfill_skipped AS k (unit_id, key) SELECT $5::int8, {key} FROM {table} AS {alias} WHERE {blocks} AND {stripe} AND ({hit})
  ON CONFLICT (unit_id, key) DO UPDATE SET attempts = k.attempts + 1 RETURNING k.id
)
UPDATE {ledger}.backfill_ranges r
SET block = $3::int8, step = $4::int4, seq = r.seq + 1, state = CASE WHEN $3::int8 >= r.end_block THEN 'done' ELSE 'leased' END,
    updated_at = clock_timestamp()
WHERE r.id = $1::int8 AND r.lease_token = $2::int8
RETURNING coalesce((SELECT array_agg(id ORDER BY id) FROM n), '{{}}'), r.state = 'done'"
        )
    }

    /// Moves the cursor: to the next stripe, or, where as many rows as may be were taken, to the chunk's first. The
    /// table is locked by then, so that nobody rewrites it any more.
    fn moved(&self) -> String {
        let ledger = &self.ledger;
        format!(
            "UPDATE {ledger}.backfill_ranges r
SET block = CASE WHEN b.matched >= $5::int8 THEN r.block ELSE $3::int8 END, step = CASE WHEN b.matched >= $5::int8 THEN 0 ELSE $4::int4 END,
    seq = r.seq + 1, batch_size = $9::int8, scan_size = $10::int8,
    rows_done = r.rows_done + b.done, rows_scanned = r.rows_scanned + b.matched,
    state = CASE WHEN b.matched < $5::int8 AND $3::int8 >= r.end_block THEN 'done' ELSE 'leased' END,
    lease_expires_at = clock_timestamp() + $8::float8 * interval '1 second', updated_at = clock_timestamp()
FROM pgdeploy_batch b
WHERE r.id = $1::int8 AND r.lease_token = $2::int8 AND pg_catalog.pg_relation_filenode($6::int8::oid)::int8 = $7::int8
RETURNING b.matched, b.done, b.unchanged, r.state = 'done'"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_of_a_chunk_meet_every_stripe_of_every_part_once_and_not_soon_again() {
        let chunk = Chunk { blocks: 10, stripes: 8, parts: 3 };
        let mut place = Place { block: 100, chunk, step: 0 };
        let mut met = vec![];
        loop {
            met.push((place.span(), place.step / 3));
            match place.next() {
                (block, 0) => {
                    assert_eq!(block, 110);
                    break;
                }
                (_, step) => place.step = step,
            }
        }
        assert_eq!(&met[..4], [((100, 103), 0), ((103, 106), 0), ((106, 110), 0), ((100, 103), 1)]);
        assert_eq!(met.len(), 24);
    }
}
