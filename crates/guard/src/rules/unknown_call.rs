//! Calls of routines that no file defines.

use sql::NodeEnum;

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use crate::taint;

pub(super) const RULE: Rule = Rule {
    id: "unknown-call",
    severity: Severity::Warning,
    kind: Kind::Unproven,
    summary: "a migration calls a routine that no file defines",
    lock: "not known",
    why: "What it does cannot be told from the files. CALL is refused, a SELECT of a function is a warning.",
    rewrite: "-- pgdeploy:allow unknown-call: create_hypertable only changes the catalog of the extension",
    bad: &["call tidy()", "select tidy_up()"],
    good: &["select now()", "select count(*) from leads"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let plain =
        matches!(look.node(), Some(NodeEnum::SelectStmt(_) | NodeEnum::CallStmt(_))) && !look.act.expression;
    if !plain || !look.act.tree.relations().is_empty() {
        return Vec::new();
    }
    let unknown = look.act.calls.iter().filter(|call| {
        taint::is_unknown(look.world, call)
            && !call.sounds_like_a_write()
            && !call.only_schedules()
            && taint::texts(look.world, call).is_none()
    });
    let found = unknown.map(|call| {
        let severity = if call.procedure { Severity::Error } else { Severity::Warning };
        let message =
            format!("{}() is defined in none of the files: what it changes is not known", call.name);
        Found::new(message).weighing(severity)
    });
    found.collect()
}
