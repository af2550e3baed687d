//! SET SCHEMA of a relation in use.

use sql::NodeEnum;
use sql::ast::ObjectType;

use crate::look::Look;
use crate::name::Name;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "set-schema",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a relation moves to another schema",
    lock: "ACCESS EXCLUSIVE, briefly",
    why: "The running application looks for it in the old schema.",
    rewrite: "CREATE VIEW crm.leads AS SELECT * FROM public.leads;",
    bad: &["alter table leads set schema crm", "alter type s set schema crm"],
    good: &["create table t (a int); alter table t set schema crm"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let Some(NodeEnum::AlterObjectSchemaStmt(alter)) = look.node() else { return Vec::new() };
    use ObjectType::{
        ObjectDomain, ObjectForeignTable, ObjectMatview, ObjectSequence, ObjectTable, ObjectType as Type,
        ObjectView,
    };
    let used = matches!(
        alter.object_type(),
        ObjectTable | ObjectView | ObjectMatview | ObjectForeignTable | ObjectSequence | Type | ObjectDomain
    );
    let new = alter.relation.as_ref().map(Name::of).is_some_and(|name| look.is_new(&name));
    if !used || new {
        return Vec::new();
    }
    vec![Found::new(format!(
        "the running release looks for it in its old schema, not in {}",
        alter.newschema
    ))]
}
