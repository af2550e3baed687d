//! INSERT .. VALUES into a table that exists.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use crate::write::Change;

pub(super) const RULE: Rule = Rule {
    id: "dml-insert-values",
    severity: Severity::Error,
    kind: Kind::IronRule,
    summary: "a migration inserts rows into a table that exists",
    lock: "ROW EXCLUSIVE on the table until COMMIT",
    why: "A list of rows is bounded, so a few of them (reference data) may be accepted with a reason, up to max_seed_rows. Into a table that the same file creates it passes. ON CONFLICT DO UPDATE changes rows that exist.",
    rewrite: "-- pgdeploy:allow dml-insert-values: three plans, read by the application at its start
INSERT INTO plans VALUES ('starter'), ('team'), ('enterprise');",
    bad: &["insert into plans values ('starter')", "insert into plans default values"],
    good: &["create table plans (name text); insert into plans values ('starter') on conflict do nothing"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for write in &look.act.writes {
        let Change::InsertValues(rows) = write.change else { continue };
        let table = write.table.as_ref();
        if table.is_some_and(|table| look.is_new(table)) {
            continue;
        }
        let name = table.map_or_else(|| "a table".to_owned(), ToString::to_string);
        let limit = look.knowledge.max_seed_rows;
        let plural = if rows == 1 { "row" } else { "rows" };
        let mut each = Found::new(format!("INSERT of {rows} {plural} into {name}{}", look.act.hidden()));
        if rows > limit {
            each.acceptable = false;
            each.message.push_str(&format!("; at most {limit} can be accepted as reference data"));
        }
        found.push(each);
    }
    found
}
