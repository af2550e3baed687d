//! REFRESH MATERIALIZED VIEW.

use sql::NodeEnum;

use crate::look::Look;
use crate::name::Name;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "refresh-materialized-view",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a materialized view is refreshed",
    lock: "ACCESS EXCLUSIVE on the view while its query runs",
    why: "CONCURRENTLY lets readers through and needs a unique index. Either way the query's snapshot is held to COMMIT.",
    rewrite: "REFRESH MATERIALIZED VIEW CONCURRENTLY lead_counts; -- on a schedule, not in a release",
    bad: &["refresh materialized view lead_counts"],
    good: &["refresh materialized view concurrently lead_counts"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let Some(NodeEnum::RefreshMatViewStmt(refresh)) = look.node() else { return Vec::new() };
    let name = refresh.relation.as_ref().map(|relation| Name::of(relation).quoted()).unwrap_or_default();
    let found = Found::new(format!("REFRESH of {name} runs its query in the migration's transaction"));
    let found = found.rewrite(format!("REFRESH MATERIALIZED VIEW CONCURRENTLY {name};"));
    vec![if refresh.concurrent || refresh.skip_data { found.weighing(Severity::Hint) } else { found }]
}
