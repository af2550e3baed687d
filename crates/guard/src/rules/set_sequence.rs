//! setval() from a table's rows.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "set-sequence",
    severity: Severity::Warning,
    kind: Kind::Hazard,
    summary: "a sequence is set from the rows of a table",
    lock: "ACCESS SHARE on the table",
    why: "The scan for max() may be long without an index, and a row inserted meanwhile makes the value stale.",
    rewrite: "SELECT setval('leads_id_seq', 1000000);",
    bad: &[
        "select setval('leads_id_seq', (select max(id) from leads))",
        "select setval('s', max(id)) from leads",
    ],
    good: &["select setval('leads_id_seq', 1000)"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let sets = look.act.calls.iter().any(|call| call.name.name == "setval");
    let reads = look.act.tree.relations().iter().any(|name| !look.is_new(name));
    if sets && reads { vec![Found::new("setval() reads a table that is in use")] } else { Vec::new() }
}
