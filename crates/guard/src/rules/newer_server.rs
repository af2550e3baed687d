//! Syntax that the target's server does not know yet.

use sql::NodeEnum;
use sql::ast::{AlterTableType, ConstrType};

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "newer-server",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a statement needs a newer server than the target is",
    lock: "none: the server refuses the statement",
    why: "The files are read with the grammar of PostgreSQL 18. `plan` and `deploy` know the target's version and say so before anything runs; `check` does not.",
    rewrite: "-- what the target's version has, or deploy after the upgrade",
    bad: &[],
    good: &["alter table leads add column d text generated always as (lower(email)) virtual"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    let mut needs = |major: u32, what: &str| {
        if look.knowledge.before(major) {
            found.push(Found::new(format!("{what} needs PostgreSQL {major} or later")));
        }
    };
    let tree = &look.act.tree;
    if !crate::write::only_defines(tree) {
        tree.walk(&mut |part| {
            let number = |field: &str| part.get(field).number();
            match part.kind() {
                "Constraint" if part.get("generated_kind").text() == Some("v") => {
                    needs(18, "a VIRTUAL column");
                }
                "Constraint" if number("contype") == ConstrType::ConstrAttrNotEnforced as i64 => {
                    needs(18, "NOT ENFORCED");
                }
                "Constraint"
                    if number("contype") == ConstrType::ConstrNotnull as i64
                        && part.get("skip_validation").number() == 1 =>
                {
                    needs(18, "NOT NULL .. NOT VALID");
                }
                "Constraint" | "IndexStmt" if part.get("nulls_not_distinct").number() == 1 => {
                    needs(15, "NULLS NOT DISTINCT");
                }
                "AlterTableCmd" if number("subtype") == AlterTableType::AtSetExpression as i64 => {
                    needs(17, "SET EXPRESSION");
                }
                "AlterTableCmd" if number("subtype") == AlterTableType::AtSetAccessMethod as i64 => {
                    needs(15, "SET ACCESS METHOD");
                }
                "AlterTableCmd" if number("subtype") == AlterTableType::AtSetCompression as i64 => {
                    needs(14, "SET COMPRESSION");
                }
                "PartitionCmd" if part.get("concurrent").number() == 1 => {
                    needs(14, "DETACH PARTITION .. CONCURRENTLY");
                }
                "MergeStmt" => needs(15, "MERGE"),
                _ => {}
            }
            true
        });
    }
    if let Some(NodeEnum::CreateFunctionStmt(function)) = look.node()
        && function.sql_body.is_some()
    {
        needs(14, "a routine with BEGIN ATOMIC");
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::{Judge, Knowledge, Source};

    #[test]
    fn a_server_is_told_what_it_does_not_know() {
        let text = "alter table leads add column d text generated always as (lower(email)) virtual";
        let source = Source::from_bytes(std::path::Path::new("1_x.sql"), text.into()).unwrap();
        let found = |version| {
            let knowledge = Knowledge { server_version: Some(version), ..Knowledge::default() };
            let found = Judge::new(knowledge).migration(&source);
            found.iter().map(|finding| finding.message.clone()).collect::<Vec<_>>()
        };
        assert_eq!(found(17), ["a VIRTUAL column needs PostgreSQL 18 or later"]);
        assert!(found(18).is_empty());
    }
}
