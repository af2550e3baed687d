//! The texts of the batches: the user's statement, edited as a tree, between our common table expressions.
//!
//! `AS MATERIALIZED` everywhere: a planner that may inline `.. LIMIT n FOR UPDATE` below a nested loop runs it once per
//! outer row and changes more than n rows. The key range is repeated on the statement's own target, so that no plan can
//! read more of the table than the batch spans.

use sql::{Node, NodeEnum, Source, ast};

use crate::definition::Definition;
use crate::relation::{Key, Relation};
use crate::statement::{Kind, Parsed, parsed};

/// The statements of one backfill. Parameters are in the order that `batch.rs` and `sweep.rs` bind them.
#[derive(Debug, Clone)]
pub(crate) struct Texts {
    /// A batch from the beginning of the table.
    pub(crate) first: String,
    /// A batch behind the cursor.
    pub(crate) next: String,
    /// Noted rows, those that are free now.
    pub(crate) sweep: String,
    /// Noted rows, waiting for each.
    pub(crate) wait: String,
    /// `<table> AS <alias> WHERE <it matches>`: the rows to do.
    pub(crate) matching: String,
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

/// How the rows of a batch are found.
#[derive(Clone, Copy, PartialEq)]
enum Span {
    First,
    Next,
    Noted,
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

/// The names that the texts are made of.
struct Names {
    table: String,
    ledger: String,
    keys: Vec<Key>,
    /// What our own scans call the table; quoted.
    alias: String,
    /// What the user's statement calls it; quoted.
    inner: String,
    hit: String,
}

impl Names {
    fn of(definition: &Definition, relation: &Relation, ledger: &str) -> Option<Self> {
        let inner = sql::identifier(&definition.alias);
        let mut names = Self {
            table: relation.name.clone(),
            ledger: sql::identifier(ledger),
            keys: relation.keys.clone(),
            alias: inner.clone(),
            inner,
            hit: String::new(),
        };
        let source = &definition.source;
        sql::parse(source, |statements| {
            let (parsed, _) = parsed(source, statements).ok()?;
            let condition = sql::expression(parsed.condition()?)?;
            names.hit = if parsed.is_plain() {
                condition
            } else {
                let others = sql::from_items(parsed.others())?;
                let same = match parsed {
                    Parsed::Insert(..) => {
                        names.alias = "pgdeploy_row".to_owned();
                        let pairs = names.columns(&names.inner).into_iter().zip(names.columns(&names.alias));
                        pairs.map(|(one, other)| format!(" AND {one} = {other}")).collect()
                    }
                    _ => String::new(),
                };
                format!("EXISTS (SELECT 1 FROM {others} WHERE ({condition}){same})")
            };
            Some(names)
        })
        .ok()
        .flatten()
    }

    fn columns(&self, of: &str) -> Vec<String> {
        self.keys.iter().map(|key| format!("{of}.{}", sql::identifier(&key.column))).collect()
    }

    /// The key's columns as our common table expressions call them, which no column of the user's can be mistaken for.
    fn own(&self, of: &str) -> Vec<String> {
        (1..=self.keys.len()).map(|n| format!("{of}pgdeploy_k{n}")).collect()
    }

    fn named_columns(&self) -> String {
        let pairs = self.columns(&self.alias).into_iter().zip(self.own(""));
        pairs.map(|(column, own)| format!("{column} AS {own}")).collect::<Vec<_>>().join(", ")
    }

    /// The key in a parameter of type `text[]`, cast to the columns' types.
    fn parameter(&self, n: usize) -> Vec<String> {
        (1..).zip(&self.keys).map(|(at, key)| format!("(${n}::text[])[{at}]::{}", key.type_name)).collect()
    }

    /// A row comparison, which a btree index answers (section 9.25.5).
    fn compare(&self, of: &str, operator: &str, with: &[String]) -> String {
        row_comparison(&self.columns(of), operator, with)
    }

    fn text_array(&self, of: &str) -> String {
        let texts: Vec<_> = self.columns(of).into_iter().map(|column| format!("{column}::text")).collect();
        format!("ARRAY[{}]", texts.join(", "))
    }

    fn own_text_array(&self, of: &str) -> String {
        let texts: Vec<_> = self.own(of).into_iter().map(|column| format!("{column}::text")).collect();
        format!("ARRAY[{}]", texts.join(", "))
    }

    /// The key at which the batch ends, as scalar subqueries: an index takes them as parameters.
    fn cut(&self) -> Vec<String> {
        self.own("").into_iter().map(|own| format!("(SELECT {own} FROM pgdeploy_cut)")).collect()
    }

    fn same(&self, one: &str, other: &str) -> String {
        let pairs = self.own(one).into_iter().zip(self.own(other));
        pairs.map(|(one, other)| format!("{one} = {other}")).collect::<Vec<_>>().join(" AND ")
    }

    /// What the user's statement gets for a WHERE beside its own.
    fn conjuncts(&self, span: Span) -> String {
        let pairs = self.columns(&self.inner).into_iter().zip(self.own("pgdeploy_todo."));
        let mut all: Vec<_> = pairs.map(|(column, own)| format!("{column} = {own}")).collect();
        if span == Span::Next {
            all.push(self.compare(&self.inner, ">", &self.parameter(1)));
        }
        if span != Span::Noted {
            all.push(self.compare(&self.inner, "<=", &self.cut()));
        }
        all.join(" AND ")
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

/// `(a, b) > (x, y)`, or without the parentheses for one column.
fn row_comparison(columns: &[String], operator: &str, with: &[String]) -> String {
    match (columns, with) {
        ([column], [value]) => format!("{column} {operator} {value}"),
        _ => format!("({}) {operator} ({})", columns.join(", "), with.join(", ")),
    }
}

/// The user's statement with `pgdeploy_todo` among its tables, the batch's rows as further conditions, and a RETURNING
/// that tells which rows still match with their new values.
fn edited(source: &Source, names: &Names, span: Span) -> Option<String> {
    sql::parse(source, |statements| {
        let (parsed, _) = parsed(source, statements).ok()?;
        let conjuncts = sql::parse_expression(&names.conjuncts(span))?;
        let todo = relation("pgdeploy_todo");
        let still = parsed.condition()?.clone();
        let node = match parsed {
            Parsed::Update(mut update) => {
                update.from_clause.push(todo);
                update.where_clause = and(update.where_clause, conjuncts);
                // The new row is what RETURNING sees: an update that leaves its own condition true is found at once.
                update.returning_clause = Some(returning(still));
                NodeEnum::UpdateStmt(update)
            }
            Parsed::Delete(mut delete) => {
                delete.using_clause.push(todo);
                delete.where_clause = and(delete.where_clause, conjuncts);
                delete.returning_clause = Some(returning(sql::parse_expression("false")?));
                NodeEnum::DeleteStmt(delete)
            }
            Parsed::Insert(mut insert, mut select) => {
                select.from_clause.push(todo);
                select.where_clause = and(select.where_clause, conjuncts);
                insert.select_stmt = Some(Box::new(Node { node: Some(NodeEnum::SelectStmt(select)) }));
                insert.returning_clause = Some(returning(sql::parse_expression("false")?));
                NodeEnum::InsertStmt(insert)
            }
        };
        sql::statement_text(node)
    })
    .ok()
    .flatten()
}

fn relation(name: &str) -> Node {
    let relation = ast::RangeVar {
        relname: name.to_owned(),
        inh: true,
        relpersistence: "p".to_owned(),
        ..Default::default()
    };
    Node { node: Some(NodeEnum::RangeVar(relation)) }
}

fn and(one: Option<Box<Node>>, other: Node) -> Option<Box<Node>> {
    let args = one.map(|node| *node).into_iter().chain([other]).collect();
    let and = ast::BoolExpr { boolop: ast::BoolExprType::AndExpr as i32, args, ..Default::default() };
    Some(Box::new(Node { node: Some(NodeEnum::BoolExpr(Box::new(and))) }))
}

fn returning(still: Node) -> ast::ReturningClause {
    let target = ast::ResTarget {
        name: "pgdeploy_still".to_owned(),
        val: Some(Box::new(still)),
        ..Default::default()
    };
    let exprs = vec![Node { node: Some(NodeEnum::ResTarget(Box::new(target))) }];
    ast::ReturningClause { options: Vec::new(), exprs }
}
