//! Which calls change rows, by what the files say of the routines.

use sql::NodeEnum;

use crate::act::{Act, Origin, Via};
use crate::call::Call;
use crate::expand::Expansion;
use crate::name::Name;
use crate::words;
use crate::world::World;
use crate::write::{Bound, Change, Write};

const DEEPEST: usize = 16;

/// Every call of an act, those of views that it reads and of operators that it uses included.
pub(crate) fn calls(world: &World, act: &Act) -> Vec<Call> {
    let mut calls = act.calls.clone();
    if !world.views.is_empty() {
        for name in act.tree.relations() {
            calls.extend(world.views.get(&name.name).into_iter().flatten().cloned());
        }
    }
    if !world.operators.is_empty() {
        act.tree.walk(&mut |tree| {
            if crate::write::only_defines(tree) {
                return false;
            }
            let name = match tree.kind() {
                "AExpr" => tree.get("name").qualified().name,
                "FuncCall" => tree.get("funcname").qualified().name,
                _ => return true,
            };
            if let Some(routine) = world.operators.get(&name) {
                let name: Name = routine.clone();
                calls.push(Call { name, texts: Vec::new(), procedure: false, reads: false });
            }
            true
        });
    }
    calls
}

/// The verb of the first row change that a call leads to.
pub(crate) fn verb(world: &World, call: &Call) -> Option<&'static str> {
    if call.is_builtin_write() {
        return Some("a change of large objects");
    }
    follow(world, call, &|_| true, &mut Vec::new())
}

/// What a change of a table's rows, or a change of the schema, sets off by itself: a trigger, a rule, a default. A
/// trigger that writes a row for a row is what triggers are for; one that goes over a whole table is a hidden backfill.
pub(crate) fn set_off(world: &World, act: &Act) -> Option<(String, &'static str)> {
    let sweeps = |write: &Write| {
        write.bound == Bound::All
            && matches!(write.change, Change::Update | Change::Delete | Change::Truncate)
    };
    let swept = |call: &Call| follow(world, call, &sweeps, &mut Vec::new());
    for table in act.writes.iter().filter_map(|write| write.table.as_ref()) {
        let calls = world.on_write.get(&table.name).into_iter().flatten();
        let rules = world.rules.get(&table.name).into_iter().flatten();
        let ruled = rules.filter(|write| sweeps(write)).map(|write| write.change.verb());
        if let Some(verb) = calls.filter_map(swept).chain(ruled).next() {
            return Some((format!("a change of {table}"), verb));
        }
    }
    let ddl = act.writes.is_empty()
        && !act.expression
        && act.node.as_ref().is_some_and(|node| {
            !matches!(
                node,
                NodeEnum::SelectStmt(_) | NodeEnum::VariableSetStmt(_) | NodeEnum::TransactionStmt(_)
            )
        });
    let fired = world.on_ddl.iter().filter(|_| ddl).find_map(swept);
    fired.map(|verb| ("the event trigger of this file".into(), verb))
}

type Wanted<'a> = &'a dyn Fn(&Write) -> bool;

fn follow(world: &World, call: &Call, wanted: Wanted<'_>, open: &mut Vec<String>) -> Option<&'static str> {
    let name = &call.name.name;
    if open.len() > DEEPEST || open.contains(name) {
        return None;
    }
    let routine = world.routines.get(name)?;
    if let Some(write) = routine.writes.iter().find(|write| wanted(write)) {
        return Some(write.change.verb());
    }
    open.push(name.clone());
    let verb = routine.calls.iter().find_map(|inner| follow(world, inner, wanted, open));
    open.pop();
    verb
}

/// The verb of a row change in a text that a call hands to a routine that may run it.
pub(crate) fn texts(world: &World, call: &Call) -> Option<&'static str> {
    let runs = match world.routines.get(&call.name.name) {
        Some(routine) => routine.runs_texts || routine.unproven.is_some(),
        None => !call.is_builtin() && !call.only_schedules(),
    };
    if !runs {
        return None;
    }
    const BEGINNINGS: [&str; 9] =
        ["insert", "update", "delete", "merge", "with", "truncate", "do", "copy", "explain"];
    let origin = Origin { span: 0..0, statement: 0, via: vec![Via::Argument] };
    call.texts.iter().filter(|text| BEGINNINGS.contains(&words::first(text).as_str())).find_map(|text| {
        let acts = Expansion::of_text(text, &origin)?;
        acts.iter().find_map(|act| act.writes.first()).map(|write| write.change.verb())
    })
}

/// Whether neither PostgreSQL nor any file has a routine of the name.
pub(crate) fn is_unknown(world: &World, call: &Call) -> bool {
    !call.is_builtin()
        && !world.routines.contains_key(&call.name.name)
        && !world.operators.contains_key(&call.name.name)
}
