//! DROP TABLE, SCHEMA CASCADE, and everything else that takes data with it.

use sql::NodeEnum;
use sql::ast::{DropBehavior, ObjectType};

use crate::look::Look;
use crate::name::Name;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use crate::tree::Tree;

pub(super) const RULE: Rule = Rule {
    id: "drop-table",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a table is dropped, or something with CASCADE that holds columns",
    lock: "ACCESS EXCLUSIVE, on referencing tables as well",
    why: "The data are lost, and the running application still uses them.",
    rewrite: "-- once no running version uses it
-- pgdeploy:allow drop-table: unused since release 41
DROP TABLE old_leads;",
    bad: &[
        "drop table leads",
        "drop table if exists leads cascade",
        "drop schema crm cascade",
        "drop type status cascade",
        "drop owned by app",
    ],
    good: &["create table t (a int); drop table t", "drop view v", "drop function f()", "drop type status"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    match look.node() {
        Some(NodeEnum::DropStmt(drop)) => {
            use ObjectType::{
                ObjectDomain, ObjectExtension, ObjectForeignTable, ObjectSchema, ObjectTable,
                ObjectType as Type,
            };
            let cascade = drop.behavior() == DropBehavior::DropCascade;
            let names: Vec<Name> = drop.objects.iter().map(name).collect();
            let names: Vec<String> =
                names.iter().filter(|name| !look.is_new(name)).map(Name::quoted).collect();
            match drop.remove_type() {
                _ if names.is_empty() => Vec::new(),
                ObjectTable | ObjectForeignTable => {
                    vec![Found::new(format!("the rows of {} are lost", names.join(", ")))]
                }
                ObjectSchema | Type | ObjectDomain | ObjectExtension if cascade => {
                    vec![Found::new(format!(
                        "CASCADE takes every table or column that depends on {}",
                        names.join(", ")
                    ))]
                }
                _ => Vec::new(),
            }
        }
        Some(NodeEnum::DropOwnedStmt(_)) => {
            vec![Found::new("DROP OWNED drops everything that the role owns")]
        }
        _ => Vec::new(),
    }
}

fn name(object: &sql::Node) -> Name {
    let tree = Tree::of(object);
    match tree.kind() {
        "String" => Name::plain(tree.string().unwrap_or("")),
        "TypeName" => tree.get("names").qualified(),
        _ => tree.qualified(),
    }
}
