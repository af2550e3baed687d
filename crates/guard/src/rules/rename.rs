//! Renaming what a running application uses.

use sql::NodeEnum;
use sql::ast::ObjectType;

use crate::look::Look;
use crate::name::Name;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use crate::tree::Tree;

pub(super) const RULE: Rule = Rule {
    id: "rename",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a table, column, schema, type or enum value gets another name",
    lock: "ACCESS EXCLUSIVE, briefly; none for an enum value",
    why: "The running application still uses the old name, until it is replaced. A view under the old name in the same file keeps it working.",
    rewrite: "ALTER TABLE leads RENAME TO contacts;
CREATE VIEW leads AS SELECT * FROM contacts;",
    bad: &[
        "alter table leads rename to contacts",
        "alter table leads rename column a to b",
        "alter type s rename value 'a' to 'b'",
        "alter schema crm rename to sales",
        "alter view v rename to w",
        "alter type status rename to lead_status",
    ],
    good: &[
        "alter table leads rename to contacts; create view leads as select * from contacts",
        "alter index i rename to j",
        "alter table leads rename constraint a to b",
        "create type s as enum ('a'); alter type s rename to t",
    ],
    find,
};

fn names_new_type(look: &Look<'_>, rename: &sql::ast::RenameStmt) -> bool {
    let old = rename.object.as_ref().map_or(Tree::Nothing, Tree::of);
    look.world.types_here.contains(&old.qualified().name)
}

fn find(look: &Look<'_>) -> Vec<Found> {
    let (what, old) = match look.node() {
        Some(NodeEnum::RenameStmt(rename)) => {
            let table = rename.relation.as_ref().map(Name::of);
            if table.as_ref().is_some_and(|table| look.is_new(table)) {
                return Vec::new();
            }
            match rename.rename_type() {
                ObjectType::ObjectTable | ObjectType::ObjectView | ObjectType::ObjectMatview => {
                    ("relation", table)
                }
                ObjectType::ObjectColumn => ("column", None),
                ObjectType::ObjectAttribute => ("attribute", None),
                ObjectType::ObjectSchema => ("schema", None),
                ObjectType::ObjectType | ObjectType::ObjectDomain if !names_new_type(look, rename) => {
                    ("type", None)
                }
                _ => return Vec::new(),
            }
        }
        Some(NodeEnum::AlterEnumStmt(alter)) if !alter.old_val.is_empty() => {
            if look.world.types_here.contains(&Name::of_list(&alter.type_name).name) {
                return Vec::new();
            }
            ("enum value", None)
        }
        _ => return Vec::new(),
    };
    let kept = old.is_some_and(|old| {
        look.later().iter().any(|act| match &act.node {
            Some(NodeEnum::ViewStmt(view)) => {
                view.view.as_ref().is_some_and(|view| Name::of(view).same(&old))
            }
            _ => false,
        })
    });
    if kept {
        return Vec::new();
    }
    vec![Found::new(format!("the running release still uses the {what}'s old name"))]
}
