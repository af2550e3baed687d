//! Texts that are run and cannot be told.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;

pub(super) const RULE: Rule = Rule {
    id: "unknown-statement",
    severity: Severity::Error,
    kind: Kind::Unproven,
    summary: "a text is run that cannot be told before it runs",
    lock: "not known",
    why: "EXECUTE of a text that comes out of a table or a function can be anything. Literals, format(), || and variables that hold literals are followed.",
    rewrite: "-- write the statements out, or build the text from literals",
    bad: &[
        "do $$ declare q text; begin select v into q from settings; execute q; end $$",
        "do $$ declare r record; begin for r in select q from todo loop execute r.q; end loop; end $$",
        "execute nothing_prepared",
    ],
    good: &[
        "do $$ declare r record; begin for r in select tablename from pg_tables loop execute format('alter table %I owner to app', r.tablename); end loop; end $$",
        "do $$ declare r record; begin for r in select format('grant select on %I to app', relname) as q from pg_class loop execute r.q; end loop; end $$",
    ],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let why = look.act.unproven.iter().cloned();
    let called = look.act.calls.iter().filter_map(|call| {
        let routine = look.world.routines.get(&call.name.name)?;
        let why = routine.unproven.as_ref().filter(|_| routine.writes.is_empty() && call.texts.is_empty())?;
        Some(format!("{}() is called, and cannot be told: {why}", call.name))
    });
    why.chain(called).map(Found::new).collect()
}
