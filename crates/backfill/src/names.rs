//! The names that the texts of a backfill are made of: its table, its key, and ours beside them.

use sql::Node;

use crate::definition::Definition;
use crate::header::Mode;
use crate::key::Key;
use crate::relation::{Division, Relation};
use crate::statement::{Parsed, parsed};

/// How the rows of a batch are found.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Span {
    /// Rows whose keys were noted.
    Noted,
    /// Rows of the range that were locked before.
    Locked,
    /// Rows of the range, as they come.
    Plain,
}

/// What a range is a span of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// Blocks of the heap.
    Blocks,
    /// Keys.
    Keys,
}

/// What stands for a batch's range, its stripe and the number of stripes less one, in texts that are composed once: as
/// our scans know the table, and as the user's statement does.
pub(crate) const RANGE: [&str; 2] = ["pgdeploy_in_range", "pgdeploy_of_range"];
pub(crate) const STRIPE: [&str; 2] = ["pgdeploy_stripe", "pgdeploy_mask"];

/// The names that the texts are made of.
pub(crate) struct Names {
    /// The relation that is walked: the table, or a partition of it.
    pub(crate) table: String,
    /// The same, unquoted, where it is not what the statement names.
    pub(crate) leaf: Option<(String, String)>,
    pub(crate) ledger: String,
    pub(crate) keys: Vec<Key>,
    /// What our own scans call the table; quoted.
    pub(crate) alias: String,
    /// What the user's statement calls it; quoted.
    pub(crate) inner: String,
    pub(crate) hit: String,
    /// For the unit of a tenant: its column, and how it compares with what.
    tenant: Option<(String, String)>,
    /// Whether the low bits of the key tell the stripe.
    bits: bool,
    pub(crate) mode: Mode,
}

impl Names {
    pub(crate) fn of(definition: &Definition, relation: &Relation, ledger: &str) -> Option<Self> {
        // What is filled in later must not be filled into the user's own words.
        let mut texts = relation.keys.iter().map(|key| key.column.as_str()).chain([&*definition.source.text]);
        if texts.any(|text| RANGE.iter().chain(&STRIPE).any(|mark| text.contains(mark))) {
            return None;
        }
        let inner = sql::identifier(&definition.alias);
        let tenant = match (&relation.tenant, &relation.division) {
            (Some(tenant), _) => {
                let value = format!("= {}::{}", sql::literal(&tenant.value), tenant.type_name);
                Some((sql::identifier(&tenant.column), value))
            }
            (None, Division::Tenants(column, type_name)) if !relation.except.is_empty() => {
                let others: Vec<_> = relation.except.iter().map(|value| sql::literal(value)).collect();
                let values = format!("<> ALL (ARRAY[{}]::{type_name}[])", others.join(", "));
                Some((sql::identifier(column), values))
            }
            _ => None,
        };
        let mut names = Self {
            table: relation.name.clone(),
            leaf: relation.leaf.clone(),
            ledger: sql::identifier(ledger),
            keys: relation.keys.clone(),
            alias: inner.clone(),
            inner,
            hit: String::new(),
            tenant,
            bits: relation.counts,
            mode: definition.header.mode,
        };
        let source = &definition.source;
        sql::parse(source, |statements| {
            let (parsed, _) = parsed(source, statements, names.mode).ok()?;
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
            if let Some(tenant) = names.of_tenant(&names.alias) {
                names.hit = format!("({}) AND {tenant}", names.hit);
            }
            Some(names)
        })
        .ok()
        .flatten()
    }

    /// For ranges of keys the stripe must not depend on where rows lie now: others may go on with one.
    pub(crate) fn by_key(self) -> Self {
        let bits = matches!(self.keys.as_slice(), [key] if key.is_integer());
        Self { bits, ..self }
    }

    /// The rows of the unit's tenant.
    pub(crate) fn of_tenant(&self, of: &str) -> Option<String> {
        self.tenant.as_ref().map(|(column, value)| match value.starts_with('=') {
            true => format!("{of}.{column} {value}"),
            false => format!("({of}.{column} IS NULL OR {of}.{column} {value})"),
        })
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

    /// The columns of a key that is given as text, cast to their types.
    pub(crate) fn cast(&self, of: &str) -> Vec<String> {
        (1..).zip(&self.keys).map(|(at, key)| format!("({of})[{at}]::{}", key.type_name)).collect()
    }

    /// A row comparison, which a btree index answers (section 9.25.5).
    pub(crate) fn compare(&self, of: &str, operator: &str, with: &[String]) -> String {
        row_comparison(&self.columns(of), operator, with)
    }

    pub(crate) fn text_array(&self, of: &str) -> String {
        array(self.columns(of))
    }

    pub(crate) fn own_text_array(&self, of: &str) -> String {
        array(self.own(of))
    }

    pub(crate) fn same(&self, one: &str, other: &str) -> String {
        let pairs = self.own(one).into_iter().zip(self.own(other));
        pairs.map(|(one, other)| format!("{one} = {other}")).collect::<Vec<_>>().join(" AND ")
    }

    /// What the user's statement gets for a WHERE beside its own.
    pub(crate) fn conjuncts(&self, span: Span) -> Option<Node> {
        let [_, in_range] = RANGE;
        let pairs = self.columns(&self.inner).into_iter().zip(self.own("pgdeploy_todo."));
        let locked = pairs.map(|(column, own)| format!("{column} = {own}"));
        let mut all: Vec<String> = match span {
            Span::Plain => vec![in_range.to_owned(), self.in_stripe(&self.inner)],
            Span::Locked => locked.chain([in_range.to_owned()]).collect(),
            Span::Noted => locked.collect(),
        };
        all.extend(self.of_tenant(&self.inner));
        sql::parse_expression(&all.join(" AND "))
    }

    /// The rows of a span of heap blocks. With literals it is a Tid Range Scan.
    pub(crate) fn in_blocks(of: &str, (lo, hi): (i64, i64)) -> String {
        format!("({of}.ctid >= '({lo},0)'::tid AND {of}.ctid < '({hi},0)'::tid)")
    }

    /// The rows of a span of keys, the upper end included.
    pub(crate) fn in_keys(&self, of: &str, (lo, hi): (Option<&[String]>, &[String])) -> String {
        let up_to = self.compare(of, "<=", &self.literals(hi));
        match lo {
            Some(lo) => format!("({} AND {up_to})", self.compare(of, ">", &self.literals(lo))),
            None => format!("({up_to})"),
        }
    }

    fn literals(&self, key: &[String]) -> Vec<String> {
        let pairs = key.iter().zip(&self.keys);
        pairs.map(|(text, key)| format!("{}::{}", sql::literal(text), key.type_name)).collect()
    }

    /// The rows of one stripe: an even share of the rows of each block. A key that counts along the heap gives that for
    /// next to nothing; otherwise it is the place of a row in its block, which stays while the row is not changed (the
    /// low byte of the offset in the `tid`'s external form).
    pub(crate) fn in_stripe(&self, of: &str) -> String {
        let [stripe, mask] = STRIPE;
        match self.columns(of).as_slice() {
            [column] if self.bits => format!("({column} & {mask}) = {stripe}"),
            _ => format!("(pg_catalog.get_byte(pg_catalog.tidsend({of}.ctid), 5) & {mask}) = {stripe}"),
        }
    }
}

fn array(columns: Vec<String>) -> String {
    let texts: Vec<_> = columns.into_iter().map(|column| format!("{column}::text")).collect();
    format!("ARRAY[{}]", texts.join(", "))
}

/// `(a, b) > (x, y)`, or without the parentheses for one column.
pub(crate) fn row_comparison(columns: &[String], operator: &str, with: &[String]) -> String {
    match (columns, with) {
        ([column], [value]) => format!("{column} {operator} {value}"),
        _ => format!("({}) {operator} ({})", columns.join(", "), with.join(", ")),
    }
}
