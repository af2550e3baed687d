//! pg_sleep() in a migration.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "sleep",
    severity: Severity::Error,
    kind: Kind::Hazard,
    summary: "a migration sleeps",
    lock: "every lock that the file has taken so far, for as long as it sleeps",
    why: "A migration is one transaction: what it waits for, everybody waits for who needs one of its locks.",
    rewrite: "-- delete the statement: retries and pauses are the deploy's",
    bad: &["select pg_sleep(1)", "do $$ begin perform pg_sleep_for('1 s'); end $$"],
    good: &["create function f() returns void language sql as 'select pg_sleep(1)'"],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let sleeps =
        look.act.calls.iter().any(|call| call.is_builtin() && call.name.name.starts_with("pg_sleep"));
    if sleeps { vec![Found::new("the migration's locks are held while it sleeps")] } else { Vec::new() }
}
