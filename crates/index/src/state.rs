//! The state of each declaration in a database, decided from what was read. First match wins.

use serde::Serialize;

use crate::declaration::Declaration;
use crate::survey::{Found, FoundName, Table};

/// What a database has for a declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its table does not exist; a pending migration may create it.
    NoTable,
    /// Its table's name belongs to something that cannot have an index.
    BadTable,
    /// We are not allowed to build on its table.
    NotOwner,
    /// Its name belongs to another kind of object, or to an index of another table.
    NameTaken,
    /// Its table is partitioned, and not all of it has the index.
    Partitioned,
    /// It is not there.
    Missing,
    /// It is not there, and is not to be built before a backfill is complete.
    AwaitsBackfill,
    /// It is there and valid.
    Valid,
    /// A valid index of its name has another definition.
    Drifted,
    /// It is there, not valid, and somebody holds a lock that a build takes.
    Busy,
    /// It is there and not valid: a leftover of a build that failed.
    Invalid,
    /// A tombstone's index, still there.
    Present,
    /// A tombstone's index, no longer there.
    Gone,
    /// A tombstone's index that cannot be dropped by itself: a constraint or a partitioned index needs it.
    Needed,
}

/// What a deploy will do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing.
    None,
    /// CREATE INDEX CONCURRENTLY.
    Build,
    /// CREATE INDEX CONCURRENTLY, once its backfill is complete: in the same deploy, or in a later one.
    Defer,
    /// DROP INDEX CONCURRENTLY, then CREATE INDEX CONCURRENTLY.
    Rebuild,
    /// Wait for the build of another session.
    Adopt,
    /// The declared one is built beside it, takes its name, and the other is dropped.
    Replace,
    /// DROP INDEX CONCURRENTLY.
    Drop,
}

impl State {
    /// The word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            State::NoTable => "no_table",
            State::BadTable => "bad_table",
            State::NotOwner => "not_owner",
            State::NameTaken => "name_taken",
            State::Partitioned => "partitioned",
            State::Missing => "missing",
            State::AwaitsBackfill => "awaits_backfill",
            State::Valid => "valid",
            State::Drifted => "drifted",
            State::Busy => "busy",
            State::Invalid => "invalid",
            State::Present => "present",
            State::Gone => "gone",
            State::Needed => "needed",
        }
    }

    /// What follows from the state.
    pub fn action(self) -> Action {
        match self {
            State::NoTable | State::Missing | State::Partitioned => Action::Build,
            State::AwaitsBackfill => Action::Defer,
            State::Invalid => Action::Rebuild,
            State::Busy => Action::Adopt,
            State::Present => Action::Drop,
            _ => Action::None,
        }
    }
}

/// The state of a declared index, with words where it is neither missing nor as declared. Whether an invalid one is
/// being built and whether a valid one has drifted is for the caller to find out.
pub(crate) fn of(declaration: &Declaration, found: &Found) -> (State, Option<String>) {
    let Some(table) = &found.table else {
        return (State::NoTable, Some(format!("table {} does not exist", declaration.table)));
    };
    let is = |what: &str| Some(format!("{} {what}", declaration.table));
    if !matches!(table.kind.as_str(), "r" | "p" | "m") {
        return (State::BadTable, is(&format!("is {}, which cannot have an index", kind(&table.kind))));
    }
    if !table.owned {
        return (
            State::NotOwner,
            is(&format!("belongs to {}: only its owner can build an index", table.owner)),
        );
    }
    let Some(name) = &found.name else {
        return match table.kind.as_str() {
            "p" => (State::Partitioned, is("is partitioned: built on each partition, then attached")),
            _ => (State::Missing, None),
        };
    };
    if let Some(note) = taken(&declaration.name, name, table) {
        return (State::NameTaken, Some(note));
    }
    if name.valid {
        return (State::Valid, None);
    }
    if table.kind == "p" {
        return (State::Partitioned, is("is partitioned: not all partitions have a valid index yet"));
    }
    let note = match name.rejects_rows() {
        true => "left invalid by a build that failed, and it rejects duplicate rows now",
        false => "left invalid by a build that failed",
    };
    (State::Invalid, Some(note.into()))
}

fn taken(wanted: &str, name: &FoundName, table: &Table) -> Option<String> {
    match &name.of_table {
        Some(_) if name.of_oid == Some(table.oid) => None,
        Some(of_table) => Some(format!("the name {wanted} belongs to an index of {of_table}")),
        None => Some(format!("the name {wanted} belongs to {}", kind(&name.kind))),
    }
}

/// The state of a tombstone, with words where it cannot be dropped.
pub(crate) fn of_tombstone(wanted: &str, name: Option<&FoundName>) -> (State, Option<String>) {
    let Some(name) = name else { return (State::Gone, None) };
    if name.of_table.is_none() {
        return (State::NameTaken, Some(format!("it is {}, not an index", kind(&name.kind))));
    }
    if !name.owned {
        return (State::NotOwner, Some("it belongs to another role".into()));
    }
    if let Some(constraint) = &name.constraint {
        let note = format!(
            "constraint {constraint} needs it: a migration can drop it with ALTER TABLE .. DROP CONSTRAINT"
        );
        return (State::Needed, Some(note));
    }
    // What PostgreSQL would say (2BP01 and 0A000; manual, DROP INDEX, "CONCURRENTLY"), said before it is tried.
    if let Some(parent) = &name.part_of {
        let note = format!("cannot drop index {wanted} because index {parent} requires it");
        return (State::Needed, Some(note));
    }
    if name.kind == "I" {
        let note = format!(
            "cannot drop partitioned index {wanted} concurrently: a migration can drop it with DROP INDEX, which locks the \
             table and its partitions for a moment"
        );
        return (State::Needed, Some(note));
    }
    if let Some(what) = &name.kept_for {
        return (State::Needed, Some(format!("it is kept as {what}")));
    }
    (State::Present, None)
}

/// `pg_class.relkind` in words (section 53.11).
pub(crate) fn kind(relkind: &str) -> &'static str {
    match relkind {
        "r" => "a table",
        "p" => "a partitioned table",
        "i" | "I" => "an index",
        "S" => "a sequence",
        "v" => "a view",
        "m" => "a materialized view",
        "c" => "a composite type",
        "f" => "a foreign table",
        "t" => "a TOAST table",
        _ => "another kind of relation",
    }
}
