//! ALTER DOMAIN ADD CONSTRAINT without NOT VALID.

use sql::NodeEnum;

use crate::look::Look;
use crate::name::Name;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "domain-constraint",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a domain in use gets a constraint",
    lock: "SHARE on every table with a column of the domain, while it is scanned",
    why: "NOT VALID takes no lock on any table; VALIDATE in a later file.",
    rewrite: "ALTER DOMAIN email ADD CONSTRAINT email_check CHECK (VALUE LIKE '%@%') NOT VALID;
-- in a later file
ALTER DOMAIN email VALIDATE CONSTRAINT email_check;",
    bad: &["alter domain email add constraint c check (value like '%@%')", "alter domain email set not null"],
    good: &[
        "alter domain email add constraint c check (value like '%@%') not valid",
        "create domain d as int; alter domain d add check (value > 0)",
    ],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let Some(NodeEnum::AlterDomainStmt(alter)) = look.node() else { return Vec::new() };
    let name = Name::of_list(&alter.type_name);
    let not_valid = !look.act.tree.get("def").get("skip_validation").is_nothing();
    if look.world.types_here.contains(&name.name) || not_valid || !matches!(alter.subtype.as_str(), "C" | "O")
    {
        return Vec::new();
    }
    vec![Found::new(format!(
        "every table with a column of {name} is scanned, and nobody writes to it meanwhile"
    ))]
}
