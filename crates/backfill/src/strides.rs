//! The texts of the walk: a range of heap blocks or of keys, in stripes.
//!
//! A chunk is done in stripes, each an even share of its rows and a committed batch of its own: what the first stripe
//! leaves behind is pruned by the next, which then finds room on the same page. Blocks and keys are literals, since only
//! those make a Tid Range Scan that the planner costs right.

use crate::chunk::Place;
use crate::definition::Definition;
use crate::edit::edited;
use crate::header::Mode;
use crate::key::Key;
use crate::names::{Names, Over, RANGE, STRIPE, Span};
use crate::range::{Range, Reach};
use crate::relation::Relation;
use crate::statement::Kind;
use crate::texts::lock;

/// Stripes of a chunk where rows are rewritten.
pub(crate) const STRIPES: i32 = 8;

/// The statements of a walk.
pub(crate) struct Strides {
    names: Names,
    pub(crate) over: Over,
    /// Whether the ledger alone tells which rows are done.
    pub(crate) once: bool,
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
    /// Finds where the next range of keys ends: $1 the key behind which it begins, $2 the bound, $3 how many keys.
    pub(crate) carve: String,
}

/// Composes the texts; `None` where the grammar's own text of the statement cannot be had.
pub(crate) fn compose(
    definition: &Definition,
    relation: &Relation,
    ledger: &str,
    over: Over,
) -> Option<Strides> {
    let names = Names::of(definition, relation, ledger)?;
    let names = if over == Over::Keys { names.by_key() } else { names };
    let source = &definition.source;
    let lock = lock(definition.kind);
    let locked = edited(source, &names, Span::Locked)?;
    let once = names.mode == Mode::Once;
    // Whoever waits for a row has not noted it, and in mode `once` all that is met is done or noted.
    let plain = match definition.kind {
        Kind::InsertSelect => None,
        _ if once => None,
        _ => Some(names.plain(&edited(source, &names, Span::Plain)?)),
    };
    let rewrites = matches!(definition.kind, Kind::Update | Kind::UpdateFrom);
    let striped = match (over, names.mode) {
        (Over::Blocks, _) => rewrites,
        // A row that is done has another place: with `once`, only the key can tell the stripe.
        (Over::Keys, Mode::Once) => rewrites && relation.follows && relation.spread,
        (Over::Keys, Mode::Predicate) => {
            rewrites && relation.follows && (relation.spread || !relation.keys.iter().all(Key::is_integer))
        }
    };
    Some(Strides {
        locking: names.locking(lock, &locked, true),
        locking_all: names.locking(lock, &locked, false),
        plain,
        note: names.noting(),
        stripes: if striped { STRIPES } else { 1 },
        carve: names.carving(),
        over,
        once,
        names,
    })
}

impl Strides {
    /// Whether rows can be changed without locking them first.
    pub(crate) fn has_plain(&self) -> bool {
        self.plain.is_some()
    }

    /// The statement of one batch. $1 range, $2 lease token, $3 the next block, $4 the next step, $5 the most rows,
    /// $6 the table's OID, $7 its relfilenode, $8 seconds of the lease, $9 rows it is made for, $10 the chunk's size,
    /// $11 unit, $12 stripes.
    pub(crate) fn text(&self, range: &Range, place: Place, plain: bool) -> String {
        let text = match (&self.plain, place.chunk.stripes) {
            (Some(text), _) if plain => text,
            (_, 1) => &self.locking_all,
            _ => &self.locking,
        };
        self.filled(text, range, place)
    }

    /// The statement that notes a batch's rows. $1 range, $2 lease token, $3 the next block, $4 the next step, $5 unit.
    pub(crate) fn note(&self, range: &Range, place: Place) -> String {
        self.filled(&self.note, range, place)
    }

    /// A text with a range and a stripe in the place of what stands for them.
    pub(crate) fn filled(&self, text: &str, range: &Range, place: Place) -> String {
        let names = &self.names;
        let of = |known_as: &str| match &range.reach {
            Reach::Blocks => Names::in_blocks(known_as, place.span()),
            Reach::Keys { lo, hi } => names.in_keys(known_as, (lo.as_deref(), hi)),
        };
        let stripe = place.stripe().to_string();
        // The ranges last and at once: a key may hold any text.
        let text =
            text.replace(STRIPE[0], &stripe).replace(STRIPE[1], &(place.chunk.stripes - 1).to_string());
        let filled = text.split(RANGE[0]).map(|part| part.replace(RANGE[1], &of(&names.inner)));
        filled.collect::<Vec<_>>().join(&of(&names.alias))
    }
}

impl Names {
    fn locking(&self, lock: &str, edited: &str, striped: bool) -> String {
        let Self { table, alias, hit, ledger, .. } = self;
        let (named, [range, _]) = (self.named_columns(), RANGE);
        let stripe = if striped { format!(" AND {}", self.in_stripe(alias)) } else { String::new() };
        let rows = format!("SELECT {named} FROM {table} AS {alias} WHERE {range}{stripe} AND ({hit})");
        // In mode `once` a row that is not done now is noted now: no look at it will tell later.
        let missed = match self.mode {
            Mode::Predicate => String::new(),
            Mode::Once => format!(
                "), pgdeploy_scan AS MATERIALIZED (
  {rows}
), pgdeploy_missed AS (
  INSERT INTO {ledger}.backfill_skipped AS k (unit_id, key) SELECT $11::int8, {} FROM pgdeploy_scan s
  WHERE NOT EXISTS (SELECT FROM pgdeploy_todo t WHERE {}) ON CONFLICT DO NOTHING RETURNING 1
",
                self.own_text_array("s."),
                self.same("t.", "s.")
            ),
        };
        let skipped = match self.mode {
            Mode::Predicate => "0::int8",
            Mode::Once => "(SELECT count(*) FROM pgdeploy_missed)",
        };
        format!(
            "WITH pgdeploy_todo AS MATERIALIZED (
  {rows} LIMIT $5::int8 {lock} OF {alias} SKIP LOCKED
{missed}), pgdeploy_done AS (
  {edited}
), pgdeploy_batch AS MATERIALIZED (
  SELECT (SELECT count(*) FROM pgdeploy_todo) AS matched, count(*) AS done,
         count(*) FILTER (WHERE pgdeploy_still) AS unchanged, {skipped} AS skipped FROM pgdeploy_done
)
{}",
            self.moved()
        )
    }

    fn plain(&self, edited: &str) -> String {
        format!(
            "WITH pgdeploy_done AS (
  {edited}
), pgdeploy_batch AS MATERIALIZED (
  SELECT count(*) AS matched, count(*) AS done, count(*) FILTER (WHERE pgdeploy_still) AS unchanged, 0::int8 AS skipped
  FROM pgdeploy_done
)
{}",
            self.moved()
        )
    }

    fn noting(&self) -> String {
        let Self { table, alias, hit, ledger, .. } = self;
        let (key, [range, _], stripe) = (self.text_array(alias), RANGE, self.in_stripe(alias));
        format!(
            "WITH n AS (
  INSERT INTO {ledger}.backfill_skipped AS k (unit_id, key) SELECT $5::int8, {key} FROM {table} AS {alias} WHERE {range} AND {stripe} AND ({hit})
  ON CONFLICT (unit_id, key) DO UPDATE SET attempts = k.attempts + 1 RETURNING k.id
)
UPDATE {ledger}.backfill_ranges r
SET block = $3::int8, step = $4::int4, seq = r.seq + 1, state = CASE WHEN $3::int8 >= r.end_block THEN 'done' ELSE 'leased' END,
    updated_at = clock_timestamp()
WHERE r.id = $1::int8 AND r.lease_token = $2::int8
RETURNING coalesce((SELECT pg_catalog.array_agg(id ORDER BY id) FROM n), '{{}}'), r.state = 'done'"
        )
    }

    /// Moves the cursor: to the next stripe, or, where as many rows as may be were taken, to the chunk's first. The
    /// table is locked by then, so that nobody rewrites it any more.
    fn moved(&self) -> String {
        let ledger = &self.ledger;
        format!(
            "UPDATE {ledger}.backfill_ranges r
SET block = CASE WHEN b.matched >= $5::int8 THEN r.block ELSE $3::int8 END, step = CASE WHEN b.matched >= $5::int8 THEN 0 ELSE $4::int4 END,
    seq = r.seq + 1, batch_size = $9::int8, scan_size = $10::int8, stripes = $12::int4,
    rows_done = r.rows_done + b.done, rows_scanned = r.rows_scanned + b.matched, rows_skipped = r.rows_skipped + b.skipped,
    rows_unchanged = r.rows_unchanged + b.unchanged,
    state = CASE WHEN b.matched < $5::int8 AND $3::int8 >= r.end_block THEN 'done' ELSE 'leased' END,
    lease_expires_at = clock_timestamp() + $8::float8 * interval '1 second', updated_at = clock_timestamp()
FROM pgdeploy_batch b
WHERE r.id = $1::int8 AND r.lease_token = $2::int8
  AND (r.walk = 'keyset' OR pg_catalog.pg_relation_filenode($6::int8::oid)::int8 = $7::int8)
RETURNING b.matched, b.done, b.unchanged, r.state = 'done', b.skipped"
        )
    }

    /// The last of so many keys behind one, or the bound.
    fn carving(&self) -> String {
        let Self { table, alias, .. } = self;
        let (key_list, key_text) = (self.columns(alias).join(", "), self.text_array(alias));
        let behind = self.compare(alias, ">", &self.cast("$1::text[]"));
        let up_to = self.compare(alias, "<=", &self.cast("$2::text[]"));
        let tenant = self.of_tenant(alias).map(|tenant| format!(" AND {tenant}")).unwrap_or_default();
        format!(
            "SELECT {key_text} FROM {table} AS {alias} WHERE ($1::text[] IS NULL OR {behind}) AND {up_to}{tenant} \
             ORDER BY {key_list} OFFSET $3::int8 - 1 LIMIT 1"
        )
    }
}
