//! The texts of the batches: the user's statement, edited as a tree, between our common table expressions.
//!
//! `AS MATERIALIZED` everywhere: a planner that may inline `.. LIMIT n FOR UPDATE` below a nested loop runs it once per
//! outer row and changes more than n rows. The key range is repeated on the statement's own target, so that no plan can
//! read more of the table than the batch spans.

use crate::definition::Definition;
use crate::edit::edited;
use crate::names::{Names, Span, row_comparison};
use crate::relation::Relation;
use crate::statement::Kind;

/// The statements of one backfill. Parameters are in the order that `batch.rs` and `sweep.rs` bind them.
#[derive(Debug, Clone)]
pub(crate) struct Texts {
    /// A batch from the beginning of the table.
    pub(crate) first: String,
    /// A batch behind the cursor.
    pub(crate) next: String,
    /// Instead of a batch from the beginning or behind the cursor: its rows are noted.
    pub(crate) note_first: String,
    pub(crate) note_next: String,
    /// Noted rows, those that are free now.
    pub(crate) sweep: String,
    /// Noted rows, waiting for each.
    pub(crate) wait: String,
    /// `<table> AS <alias> WHERE <it matches>`: the rows to do.
    pub(crate) matching: String,
    /// The rows that are set aside, of the backfill that is named behind it.
    quarantine: String,
    /// The table alone, with its alias.
    pub(crate) table: String,
    /// Whether a row matches.
    pub(crate) hit: String,
    /// The key of a row as `text[]`.
    pub(crate) key_text: String,
    /// The key of a row as a list.
    pub(crate) key_list: String,
    /// `key > $1`.
    pub(crate) behind: String,
    /// `key <= $1`.
    pub(crate) up_to: String,
    /// The key's columns in descending order.
    pub(crate) descending: String,
}

/// Composes the texts; `None` where the grammar's own text of the statement cannot be had.
pub(crate) fn compose(definition: &Definition, relation: &Relation, ledger: &str) -> Option<Texts> {
    let names = Names::of(definition, relation, ledger)?;
    let (scan, hit) = (&names.alias, &names.hit);
    let lock = if definition.kind == Kind::Delete { "FOR UPDATE" } else { "FOR NO KEY UPDATE" };
    let batch = |span| Some(names.batch(lock, &edited(&definition.source, &names, span)?, span));
    let noted = edited(&definition.source, &names, Span::Noted)?;
    Some(Texts {
        first: batch(Span::First)?,
        next: batch(Span::Next)?,
        note_first: names.noting(Span::First),
        note_next: names.noting(Span::Next),
        quarantine: format!(
            "SELECT FROM {0}.backfill_quarantine pgdeploy_q JOIN {0}.backfill_units pgdeploy_u ON pgdeploy_u.id = pgdeploy_q.unit_id \
             WHERE pgdeploy_u.backfill_id",
            names.ledger
        ),
        sweep: names.sweep(lock, "SKIP LOCKED", &noted),
        wait: names.sweep(lock, "", &noted),
        matching: format!("{} AS {scan} WHERE ({hit})", names.table),
        table: format!("{} AS {scan}", names.table),
        hit: hit.clone(),
        key_text: names.text_array(scan),
        key_list: names.columns(scan).join(", "),
        behind: names.compare(scan, ">", &names.parameter(1)),
        up_to: names.compare(scan, "<=", &names.parameter(1)),
        descending: names
            .columns(scan)
            .iter()
            .map(|column| format!("{column} DESC"))
            .collect::<Vec<_>>()
            .join(", "),
    })
}

impl Texts {
    /// The rows to do but those of a backfill that are set aside, accepted or not.
    pub(crate) fn left(&self, backfill: i64) -> String {
        let Self { matching, quarantine, key_text, .. } = self;
        format!("{matching} AND NOT EXISTS ({quarantine} = {backfill} AND pgdeploy_q.key = {key_text})")
    }
}

impl Names {
    /// The parameters of a batch. The rows it would take are noted, and the cursor moves behind them.
    fn noting(&self, span: Span) -> String {
        let Self { table, ledger, alias, hit, .. } = self;
        let (named, key_list, own) =
            (self.named_columns(), self.columns(alias).join(", "), self.own("").join(", "));
        let descending: Vec<_> = self.own("").into_iter().map(|own| format!("{own} DESC")).collect();
        let (descending, s_text) = (descending.join(", "), self.own_text_array("s."));
        let behind = match span {
            Span::Next => self.compare(alias, ">", &self.parameter(1)),
            _ => "$1::text[] IS NULL".to_owned(),
        };
        let up_to = self.compare(alias, "<=", &self.parameter(2));
        format!(
            "WITH s AS MATERIALIZED (
  SELECT {named}, ({hit}) AS pgdeploy_hit FROM {table} AS {alias} WHERE {behind} AND {up_to} ORDER BY {key_list} LIMIT least($3::int8, $4::int8 + 1)
), n AS (
  INSERT INTO {ledger}.backfill_skipped AS k (unit_id, key) SELECT $5::int8, {s_text} FROM s WHERE s.pgdeploy_hit
  ON CONFLICT (unit_id, key) DO UPDATE SET attempts = k.attempts + 1 RETURNING k.id
), e AS (SELECT {s_text} AS cut FROM (SELECT {own} FROM s ORDER BY {descending} LIMIT 1) AS s)
UPDATE {ledger}.backfill_ranges r
SET cursor = coalesce((SELECT cut FROM e), r.hi), seq = r.seq + 1, updated_at = clock_timestamp(), lease_expires_at = clock_timestamp() + interval '60 seconds',
    state = CASE WHEN coalesce((SELECT cut FROM e), r.hi) = r.hi THEN 'done' ELSE 'leased' END
WHERE r.id = $6::int8 AND r.lease_token = $7::int8
RETURNING coalesce((SELECT array_agg(id ORDER BY id) FROM n), '{{}}'), r.state = 'done'"
        )
    }

    /// $1 cursor, $2 upper bound, $3 rows to scan, $4 matches to take less one, $5 unit, $6 range, $7 lease token.
    fn batch(&self, lock: &str, edited: &str, span: Span) -> String {
        let Self { table, ledger, alias, hit, .. } = self;
        let (named, key_list) = (self.named_columns(), self.columns(alias).join(", "));
        let (own, to_cut) = (self.own("").join(", "), self.compare(alias, "<=", &self.cut()));
        let descending: Vec<_> = self.own("").into_iter().map(|own| format!("{own} DESC")).collect();
        let descending = descending.join(", ");
        let behind = match span {
            Span::Next => self.compare(alias, ">", &self.parameter(1)),
            _ => "$1::text[] IS NULL".to_owned(),
        };
        let up_to = self.compare(alias, "<=", &self.parameter(2));
        let scanned_to_cut = row_comparison(&self.own("s."), "<=", &self.cut());
        let (same, s_text, cut_text) =
            (self.same("t.", "s."), self.own_text_array("s."), self.own_text_array(""));
        format!(
            "WITH pgdeploy_scan AS MATERIALIZED (
  SELECT {named}, ({hit}) AS pgdeploy_hit FROM {table} AS {alias} WHERE {behind} AND {up_to} ORDER BY {key_list} LIMIT $3::int8
), pgdeploy_cut AS MATERIALIZED (
  SELECT {own} FROM (
    (SELECT {own}, 0 AS pgdeploy_rank FROM pgdeploy_scan WHERE pgdeploy_hit ORDER BY {own} OFFSET $4::int8 LIMIT 1)
    UNION ALL (SELECT {own}, 1 FROM pgdeploy_scan ORDER BY {descending} LIMIT 1)
  ) AS pgdeploy_ends ORDER BY pgdeploy_rank LIMIT 1
), pgdeploy_todo AS MATERIALIZED (
  SELECT {named} FROM {table} AS {alias} WHERE {behind} AND {to_cut} AND ({hit}) ORDER BY {key_list} {lock} OF {alias} SKIP LOCKED
), pgdeploy_done AS (
  {edited}
), pgdeploy_missed AS (
  INSERT INTO {ledger}.backfill_skipped AS k (unit_id, key)
  SELECT $5::int8, {s_text} FROM pgdeploy_scan s
  WHERE s.pgdeploy_hit AND {scanned_to_cut} AND NOT EXISTS (SELECT FROM pgdeploy_todo t WHERE {same})
  ON CONFLICT DO NOTHING RETURNING 1
), pgdeploy_batch AS MATERIALIZED (
  SELECT (SELECT {cut_text} FROM pgdeploy_cut) AS cut, (SELECT count(*) FROM pgdeploy_scan s WHERE {scanned_to_cut}) AS scanned,
         (SELECT count(*) FROM pgdeploy_todo) AS matched, (SELECT count(*) FROM pgdeploy_missed) AS missed,
         (SELECT count(*) FROM pgdeploy_done) AS done, (SELECT count(*) FROM pgdeploy_done WHERE pgdeploy_still) AS unchanged
)
UPDATE {ledger}.backfill_ranges r
SET cursor = coalesce(b.cut, r.hi), seq = r.seq + 1, batch_size = $4::int8 + 1, scan_size = $3::int8, rows_done = r.rows_done + b.done, rows_scanned = r.rows_scanned + b.scanned,
    rows_skipped = r.rows_skipped + b.missed, rows_unchanged = r.rows_unchanged + b.unchanged,
    state = CASE WHEN b.cut IS NULL OR b.cut = r.hi THEN 'done' ELSE 'leased' END,
    lease_expires_at = clock_timestamp() + interval '60 seconds', updated_at = clock_timestamp()
FROM pgdeploy_batch b WHERE r.id = $6::int8 AND r.lease_token = $7::int8
RETURNING b.scanned, b.matched, b.missed, b.done, r.state = 'done', b.cut"
        )
    }

    /// $1 the notes' ids, $2 range, $3 lease token.
    fn sweep(&self, lock: &str, wait: &str, edited: &str) -> String {
        let Self { table, ledger, alias, hit, .. } = self;
        let casts = (1..).zip(&self.keys);
        let noted: Vec<_> =
            casts.map(|(n, key)| format!("k.key[{n}]::{} AS pgdeploy_k{n}", key.type_name)).collect();
        let noted = noted.join(", ");
        let pairs = self.columns(alias).into_iter().zip(self.own("n."));
        let joined = pairs.map(|(column, own)| format!("{column} = {own}")).collect::<Vec<_>>().join(" AND ");
        let (named, same) = (self.named_columns(), self.same("t.", "s."));
        format!(
            "WITH pgdeploy_noted AS MATERIALIZED (
  SELECT k.id AS pgdeploy_id, {noted} FROM {ledger}.backfill_skipped k WHERE k.id = ANY ($1::int8[])
), pgdeploy_todo AS MATERIALIZED (
  SELECT {named} FROM {table} AS {alias} JOIN pgdeploy_noted n ON {joined} WHERE ({hit}) {lock} OF {alias} {wait}
), pgdeploy_done AS (
  {edited}
), pgdeploy_locked AS MATERIALIZED (
  SELECT s.pgdeploy_id FROM (SELECT n.* FROM {table} AS {alias} JOIN pgdeploy_noted n ON {joined} WHERE ({hit})) AS s
  WHERE NOT EXISTS (SELECT FROM pgdeploy_todo t WHERE {same})
), pgdeploy_settled AS (
  DELETE FROM {ledger}.backfill_skipped k
  WHERE k.id = ANY ($1::int8[]) AND k.id NOT IN (SELECT pgdeploy_id FROM pgdeploy_locked) RETURNING 1
), pgdeploy_batch AS MATERIALIZED (
  SELECT (SELECT count(*) FROM pgdeploy_settled) AS settled, (SELECT count(*) FROM pgdeploy_done) AS done,
         (SELECT count(*) FROM pgdeploy_done WHERE pgdeploy_still) AS unchanged
)
UPDATE {ledger}.backfill_ranges r
SET seq = r.seq + 1, rows_done = r.rows_done + b.done, rows_unchanged = r.rows_unchanged + b.unchanged,
    lease_expires_at = clock_timestamp() + interval '60 seconds', updated_at = clock_timestamp()
FROM pgdeploy_batch b WHERE r.id = $2::int8 AND r.lease_token = $3::int8
RETURNING b.settled, b.done"
        )
    }
}
