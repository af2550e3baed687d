//! Calls of routines that change rows.

use crate::look::Look;
use crate::rule::{Found, Kind, Rule};
use crate::severity::Severity;
use crate::taint;

pub(super) const RULE: Rule = Rule {
    id: "dml-call",
    severity: Severity::Error,
    kind: Kind::IronRule,
    summary: "a migration calls a routine that changes rows",
    lock: "those of the statements in the routine, until COMMIT",
    why: "A function or procedure of this or an earlier file whose body changes rows, directly or through what it calls, does so when it is called. A routine that no file defines is judged by its name: backfill_.., migrate_.. and the like are taken at their word.",
    rewrite: "-- backfills/0001_fill.sql
-- what the routine does, as one UPDATE, DELETE or INSERT .. SELECT",
    bad: &[
        "create function f() returns void language sql as 'delete from leads'; select f()",
        "create procedure p() language plpgsql as $$ begin update leads set x = 1; end $$; call p()",
        "create function run(q text) returns void language plpgsql as $$ begin execute q; end $$; select run('delete from leads')",
        "select backfill_leads()",
        "do $$ begin perform migrate_users(); end $$",
        "create table t (a int); create rule r as on insert to t do also delete from leads; insert into t values (1)",
        "create function f() returns trigger language plpgsql as $$ begin update leads set a = 1; return new; end $$; create table t (a int); create trigger g after insert on t execute function f(); insert into t values (1)",
    ],
    good: &[
        "create function f() returns trigger language plpgsql as $$ begin insert into log values (1); return new; end $$; create trigger t after insert on leads for each row execute function f()",
        "select set_config('a.b', 'c', false)",
        "create function f() returns trigger language plpgsql as $$ begin insert into log values (new.a); return new; end $$; create table t (a int); create trigger g after insert on t for each row execute function f(); insert into t values (1)",
    ],
    find,
};

fn find(look: &Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    if let Some((cause, verb)) = taint::set_off(look.world, look.act) {
        found.push(Found::new(format!("{cause} sets off {verb} of a whole table")));
    }
    for call in taint::calls(look.world, look.act) {
        let name = &call.name;
        if let Some(verb) = taint::verb(look.world, &call) {
            found.push(Found::new(format!(
                "{name}() is called here, and what it runs does {verb}{}",
                look.act.hidden()
            )));
        } else if let Some(verb) = taint::texts(look.world, &call) {
            found.push(Found::new(format!("{name}() is handed a text that does {verb}")));
        } else if taint::is_unknown(look.world, &call) && call.sounds_like_a_write() {
            found.push(Found::new(format!(
                "{name}() is defined in none of the files and sounds as if it changes rows"
            )));
        }
    }
    found
}
