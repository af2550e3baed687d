//! The texts around a unit's rows: which match, which are noted, and the user's statement on noted ones.
//!
//! `AS MATERIALIZED` everywhere: a planner that may inline `.. LIMIT n FOR UPDATE` below a nested loop runs it once per
//! outer row and changes more than n rows.

use crate::definition::Definition;
use crate::edit::edited;
use crate::names::{Names, Span, row_comparison};
use crate::relation::Relation;
use crate::statement::Kind;

/// The statements of one unit. Parameters are in the order that `sweep` and `verify` bind them.
#[derive(Debug, Clone)]
pub(crate) struct Texts {
    /// Noted rows, those that are free now and whose notes nobody has in hand.
    pub(crate) sweep: String,
    /// Noted rows, waiting for each and for its note.
    pub(crate) wait: String,
    /// Noted rows, to be rolled back: how many were changed. $1 the notes' ids.
    pub(crate) sample: String,
    /// The keys of noted rows that match. $1 the notes' ids.
    pub(crate) still: String,
    /// `<table> AS <alias> WHERE <it matches>`: the rows to do.
    pub(crate) matching: String,
    /// The rows that are set aside, of the backfill that is named behind it.
    quarantine: String,
    /// The table alone, with its alias.
    pub(crate) table: String,
    /// The unit's rows, whether they match or not: the table, or a tenant of it.
    pub(crate) rows: String,
    /// Whether a row matches.
    pub(crate) hit: String,
    /// The key of a row as `text[]`.
    pub(crate) key_text: String,
    /// The key of a row as a list.
    pub(crate) key_list: String,
    /// `key <= $1`.
    pub(crate) up_to: String,
    /// The key's columns in descending order.
    pub(crate) descending: String,
}

/// Composes the texts; `None` where the grammar's own text of the statement cannot be had.
pub(crate) fn compose(definition: &Definition, relation: &Relation, ledger: &str) -> Option<Texts> {
    let names = Names::of(definition, relation, ledger)?;
    let (scan, hit) = (&names.alias, &names.hit);
    let lock = lock(definition.kind);
    let noted = edited(&definition.source, &names, Span::Noted)?;
    let key = names.cast("$1::text[]");
    let descending: Vec<_> = names.columns(scan).iter().map(|column| format!("{column} DESC")).collect();
    Some(Texts {
        quarantine: format!(
            "SELECT FROM {0}.backfill_quarantine pgdeploy_q JOIN {0}.backfill_units pgdeploy_u ON pgdeploy_u.id = pgdeploy_q.unit_id \
             WHERE pgdeploy_u.backfill_id",
            names.ledger
        ),
        sweep: names.sweep(lock, "SKIP LOCKED", &noted),
        wait: names.sweep(lock, "", &noted),
        sample: names.sample(lock, &noted),
        still: format!(
            "WITH {} SELECT pg_catalog.array_to_string({}, ', ') FROM {} AS {scan} JOIN pgdeploy_noted pgdeploy_n ON {} WHERE ({hit}) ORDER BY pgdeploy_n.pgdeploy_id",
            names.noted(""),
            names.text_array(scan),
            names.table,
            names.joined()
        ),
        matching: format!("{} AS {scan} WHERE ({hit})", names.table),
        table: format!("{} AS {scan}", names.table),
        rows: match names.of_tenant(scan) {
            Some(tenant) => format!("{} AS {scan} WHERE {tenant}", names.table),
            None => format!("{} AS {scan}", names.table),
        },
        hit: hit.clone(),
        key_text: names.text_array(scan),
        key_list: names.columns(scan).join(", "),
        up_to: row_comparison(&names.columns(scan), "<=", &key),
        descending: descending.join(", "),
    })
}

/// The lock that a batch takes on its rows: the weaker one lets children be inserted meanwhile.
pub(crate) fn lock(kind: Kind) -> &'static str {
    if kind == Kind::Delete { "FOR UPDATE" } else { "FOR NO KEY UPDATE" }
}

impl Texts {
    /// The rows to do but those of a backfill that are set aside, accepted or not.
    pub(crate) fn left(&self, backfill: i64) -> String {
        let Self { matching, quarantine, key_text, .. } = self;
        format!("{matching} AND NOT EXISTS ({quarantine} = {backfill} AND pgdeploy_q.key = {key_text})")
    }
}

impl Names {
    /// The notes that are asked for, with their keys as columns. Who does a noted row has locked its note before, and the
    /// note goes with it: two of us may have the same note's number in hand, a walker that closes in on its rows and
    /// whoever sweeps what is left of the pass, and no look at a row may tell that it is done.
    fn noted(&self, lock: &str) -> String {
        let pairs = self.cast("k.key").into_iter().zip(self.own(""));
        let columns: Vec<_> = pairs.map(|(cast, own)| format!("{cast} AS {own}")).collect();
        format!(
            "pgdeploy_noted AS MATERIALIZED (
  SELECT k.id AS pgdeploy_id, {} FROM {}.backfill_skipped k WHERE k.id = ANY ($1::int8[]) {lock}
)",
            columns.join(", "),
            self.ledger
        )
    }

    fn joined(&self) -> String {
        let pairs = self.columns(&self.alias).into_iter().zip(self.own("pgdeploy_n."));
        pairs.map(|(column, own)| format!("{column} = {own}")).collect::<Vec<_>>().join(" AND ")
    }

    fn sample(&self, lock: &str, edited: &str) -> String {
        let Self { table, alias, hit, .. } = self;
        let (noted, named, joined) = (self.noted(""), self.named_columns(), self.joined());
        format!(
            "WITH {noted}, pgdeploy_todo AS MATERIALIZED (
  SELECT {named} FROM {table} AS {alias} JOIN pgdeploy_noted pgdeploy_n ON {joined} WHERE ({hit}) {lock} OF {alias} SKIP LOCKED
), pgdeploy_done AS (
  {edited}
) SELECT (SELECT count(*) FROM pgdeploy_todo), count(*) FROM pgdeploy_done"
        )
    }

    /// $1 the notes' ids, $2 range, $3 lease token, $4 seconds of the lease.
    fn sweep(&self, lock: &str, wait: &str, edited: &str) -> String {
        let Self { table, ledger, alias, hit, .. } = self;
        let (noted, named, joined, same) = (
            self.noted(&format!("FOR UPDATE OF k {wait}")),
            self.named_columns(),
            self.joined(),
            self.same("t.", "s."),
        );
        format!(
            "WITH {noted}, pgdeploy_todo AS MATERIALIZED (
  SELECT {named} FROM {table} AS {alias} JOIN pgdeploy_noted pgdeploy_n ON {joined} WHERE ({hit}) {lock} OF {alias} {wait}
), pgdeploy_done AS (
  {edited}
), pgdeploy_locked AS MATERIALIZED (
  SELECT s.pgdeploy_id FROM (SELECT pgdeploy_n.* FROM {table} AS {alias} JOIN pgdeploy_noted pgdeploy_n ON {joined} WHERE ({hit})) AS s
  WHERE NOT EXISTS (SELECT FROM pgdeploy_todo t WHERE {same})
), pgdeploy_settled AS (
  DELETE FROM {ledger}.backfill_skipped k
  WHERE k.id IN (SELECT pgdeploy_id FROM pgdeploy_noted) AND k.id NOT IN (SELECT pgdeploy_id FROM pgdeploy_locked) RETURNING 1
), pgdeploy_batch AS MATERIALIZED (
  SELECT (SELECT count(*) FROM pgdeploy_settled) AS settled, (SELECT count(*) FROM pgdeploy_done) AS done,
         (SELECT count(*) FROM pgdeploy_done WHERE pgdeploy_still) AS unchanged
)
UPDATE {ledger}.backfill_ranges r
SET seq = r.seq + (r.parent IS NOT NULL)::int, rows_done = r.rows_done + b.done, rows_unchanged = r.rows_unchanged + b.unchanged,
    lease_expires_at = clock_timestamp() + $4::float8 * interval '1 second', updated_at = clock_timestamp()
FROM pgdeploy_batch b WHERE r.id = $2::int8 AND r.lease_token = $3::int8
RETURNING b.settled, b.done"
        )
    }
}
