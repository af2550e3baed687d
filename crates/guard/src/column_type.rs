//! Column types, and which changes of a type leave the table's rows as they are.

use std::fmt;

use sql::NodeEnum;
use sql::ast::{TypeName, a_const};

use crate::name::Name;

/// A type as the grammar gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ColumnType {
    pub(crate) name: Name,
    pub(crate) modifiers: Vec<i64>,
    pub(crate) array: bool,
}

/// What a change of type does to the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conversion {
    Free,
    Rewrites,
    /// The present type is not known and decides.
    Depends,
}

impl ColumnType {
    pub(crate) fn of(written: &TypeName) -> Self {
        let modifiers = written.typmods.iter().filter_map(|node| match &node.node {
            Some(NodeEnum::AConst(constant)) => match &constant.val {
                Some(a_const::Val::Ival(number)) => Some(i64::from(number.ival)),
                _ => None,
            },
            _ => None,
        });
        let mut name = Name::of_list(&written.names);
        if name.schema.as_deref() == Some("pg_catalog") {
            name.schema = None;
        }
        Self { name, modifiers: modifiers.collect(), array: !written.array_bounds.is_empty() }
    }

    /// A type as `format_type` prints it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let parsed = pg_query::parse(&format!("SELECT NULL::{text}"), 0).ok()?;
        let NodeEnum::SelectStmt(select) = parsed.protobuf.stmts.into_iter().next()?.stmt?.node? else {
            return None;
        };
        let NodeEnum::ResTarget(target) = select.target_list.into_iter().next()?.node? else { return None };
        match target.val?.node? {
            NodeEnum::TypeCast(cast) => cast.type_name.as_ref().map(Self::of),
            _ => None,
        }
    }

    /// What a change from `from` (if known) to this type does, without a USING clause.
    pub(crate) fn conversion(&self, from: Option<&Self>) -> Conversion {
        use Conversion::{Depends, Free, Rewrites};
        let (to, to_mods) = (self.name.name.as_str(), self.modifiers.as_slice());
        let Some(from) = from else {
            return match (to, to_mods) {
                _ if self.array => Rewrites,
                ("text" | "numeric" | "inet", []) | ("varchar", _) => Depends,
                _ => Rewrites,
            };
        };
        if from == self {
            return Free;
        }
        if from.array || self.array {
            return Rewrites;
        }
        match (from.name.name.as_str(), from.modifiers.as_slice(), to, to_mods) {
            ("varchar", _, "varchar" | "text", []) | ("text", _, "varchar", []) => Free,
            ("varchar", [from], "varchar", [to]) if to >= from => Free,
            ("varbit", [from], "varbit", [to]) if to >= from => Free,
            ("numeric", _, "numeric", []) => Free,
            ("numeric", [from], "numeric", [to]) if to >= from => Free,
            ("numeric", [from, scale], "numeric", [to, kept]) if to >= from && scale == kept => Free,
            ("timestamp", _, "timestamp", []) | ("timestamptz", _, "timestamptz", []) => Free,
            ("cidr", _, "inet", _) => Free,
            _ => Rewrites,
        }
    }
}

impl ColumnType {
    /// `timestamp` to `timestamptz` of the same precision, or back: no rewrite where TimeZone is UTC (12 and later).
    pub(crate) fn only_gains_a_zone(&self, from: &Self) -> bool {
        let pair = (from.name.name.as_str(), self.name.name.as_str());
        matches!(pair, ("timestamp", "timestamptz") | ("timestamptz", "timestamp"))
            && from.modifiers == self.modifiers
            && !from.array
            && !self.array
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.name)?;
        if !self.modifiers.is_empty() {
            let written: Vec<String> = self.modifiers.iter().map(ToString::to_string).collect();
            write!(out, "({})", written.join(", "))?;
        }
        out.write_str(if self.array { "[]" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_widening_is_free() {
        let change = |from: &str, to: &str| {
            ColumnType::parse(to).unwrap().conversion(ColumnType::parse(from).as_ref())
        };
        assert_eq!(change("varchar(20)", "character varying(50)"), Conversion::Free);
        assert_eq!(change("varchar(50)", "varchar(20)"), Conversion::Rewrites);
        assert_eq!(change("numeric(10,2)", "numeric(12,2)"), Conversion::Free);
        assert_eq!(change("numeric(10,2)", "numeric(12,4)"), Conversion::Rewrites);
        assert_eq!(change("int", "bigint"), Conversion::Rewrites);
        assert_eq!(ColumnType::parse("text").unwrap().conversion(None), Conversion::Depends);
    }
}
