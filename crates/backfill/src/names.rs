//! The names that the texts of a backfill are made of: its table, its key, and ours beside them.

use crate::definition::Definition;
use crate::relation::{Key, Relation};
use crate::statement::{Parsed, parsed};

/// How the rows of a batch are found.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Span {
    First,
    Next,
    Noted,
    /// Rows of heap blocks that were locked before.
    Blocks,
    /// Rows of heap blocks, as they come.
    Plain,
}

/// What stands for a batch's first block, the block behind its last, its stripe and the number of stripes less one, in
/// texts that are composed once.
pub(crate) const BATCH: [&str; 4] =
    ["(pgdeploy_lo,0)", "(pgdeploy_hi,0)", "pgdeploy_stripe", "pgdeploy_mask"];

/// The names that the texts are made of.
pub(crate) struct Names {
    pub(crate) table: String,
    pub(crate) ledger: String,
    pub(crate) keys: Vec<Key>,
    /// What our own scans call the table; quoted.
    pub(crate) alias: String,
    /// What the user's statement calls it; quoted.
    pub(crate) inner: String,
    pub(crate) hit: String,
    /// Whether the key is an integer whose low bits are spread evenly over the rows of each block.
    counts: bool,
}

impl Names {
    pub(crate) fn of(definition: &Definition, relation: &Relation, ledger: &str) -> Option<Self> {
        let inner = sql::identifier(&definition.alias);
        let mut names = Self {
            table: relation.name.clone(),
            ledger: sql::identifier(ledger),
            keys: relation.keys.clone(),
            alias: inner.clone(),
            inner,
            hit: String::new(),
            counts: relation.counts,
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

    pub(crate) fn columns(&self, of: &str) -> Vec<String> {
        self.keys.iter().map(|key| format!("{of}.{}", sql::identifier(&key.column))).collect()
    }

    /// The key's columns as our common table expressions call them, which no column of the user's can be mistaken for.
    pub(crate) fn own(&self, of: &str) -> Vec<String> {
        (1..=self.keys.len()).map(|n| format!("{of}pgdeploy_k{n}")).collect()
    }

    pub(crate) fn named_columns(&self) -> String {
        let pairs = self.columns(&self.alias).into_iter().zip(self.own(""));
        pairs.map(|(column, own)| format!("{column} AS {own}")).collect::<Vec<_>>().join(", ")
    }

    /// The key in a parameter of type `text[]`, cast to the columns' types.
    pub(crate) fn parameter(&self, n: usize) -> Vec<String> {
        (1..).zip(&self.keys).map(|(at, key)| format!("(${n}::text[])[{at}]::{}", key.type_name)).collect()
    }

    /// A row comparison, which a btree index answers (section 9.25.5).
    pub(crate) fn compare(&self, of: &str, operator: &str, with: &[String]) -> String {
        row_comparison(&self.columns(of), operator, with)
    }

    pub(crate) fn text_array(&self, of: &str) -> String {
        let texts: Vec<_> = self.columns(of).into_iter().map(|column| format!("{column}::text")).collect();
        format!("ARRAY[{}]", texts.join(", "))
    }

    pub(crate) fn own_text_array(&self, of: &str) -> String {
        let texts: Vec<_> = self.own(of).into_iter().map(|column| format!("{column}::text")).collect();
        format!("ARRAY[{}]", texts.join(", "))
    }

    /// The key at which the batch ends, as scalar subqueries: an index takes them as parameters.
    pub(crate) fn cut(&self) -> Vec<String> {
        self.own("").into_iter().map(|own| format!("(SELECT {own} FROM pgdeploy_cut)")).collect()
    }

    pub(crate) fn same(&self, one: &str, other: &str) -> String {
        let pairs = self.own(one).into_iter().zip(self.own(other));
        pairs.map(|(one, other)| format!("{one} = {other}")).collect::<Vec<_>>().join(" AND ")
    }

    /// What the user's statement gets for a WHERE beside its own.
    pub(crate) fn conjuncts(&self, span: Span) -> String {
        if span == Span::Plain {
            return format!("{} AND {}", self.in_blocks(&self.inner), self.in_stripe(&self.inner));
        }
        let pairs = self.columns(&self.inner).into_iter().zip(self.own("pgdeploy_todo."));
        let mut all: Vec<_> = pairs.map(|(column, own)| format!("{column} = {own}")).collect();
        match span {
            Span::Next => {
                all.push(self.compare(&self.inner, ">", &self.parameter(1)));
                all.push(self.compare(&self.inner, "<=", &self.cut()));
            }
            Span::First => all.push(self.compare(&self.inner, "<=", &self.cut())),
            Span::Blocks => all.push(self.in_blocks(&self.inner)),
            Span::Noted | Span::Plain => {}
        }
        all.join(" AND ")
    }

    /// The rows of a span of heap blocks. With literals it is a Tid Range Scan.
    pub(crate) fn in_blocks(&self, of: &str) -> String {
        let [lo, hi, ..] = BATCH;
        format!("{of}.ctid >= '{lo}'::tid AND {of}.ctid < '{hi}'::tid")
    }

    /// The rows of one stripe: an even share of the rows of each block. A key that counts along the heap gives that for
    /// next to nothing; otherwise it is the place of a row in its block, which stays while the row is not changed (the
    /// low byte of the offset in the `tid`'s external form).
    pub(crate) fn in_stripe(&self, of: &str) -> String {
        let [.., stripe, mask] = BATCH;
        match self.columns(of).as_slice() {
            [column] if self.counts => format!("({column} & {mask}) = {stripe}"),
            _ => format!("(pg_catalog.get_byte(pg_catalog.tidsend({of}.ctid), 5) & {mask}) = {stripe}"),
        }
    }
}

/// `(a, b) > (x, y)`, or without the parentheses for one column.
pub(crate) fn row_comparison(columns: &[String], operator: &str, with: &[String]) -> String {
    match (columns, with) {
        ([column], [value]) => format!("{column} {operator} {value}"),
        _ => format!("({}) {operator} ({})", columns.join(", "), with.join(", ")),
    }
}
