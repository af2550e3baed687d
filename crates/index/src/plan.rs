//! What a deploy would do, and the same judgement for the deploy itself.

use std::collections::{BTreeMap, BTreeSet};

use postgres::{Error, Session};
use serde::Serialize;

use crate::compare::same;
use crate::declaration::{Declaration, Declarations, Tombstone};
use crate::ledger::Memory;
use crate::locks;
use crate::settings::Settings;
use crate::state::{self, Action, State};
use crate::survey::{self, Found, FoundName};

/// What the stage found and would do. Holds the declarations that [`crate::run`] works on; `run` reads the database again.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(crate) declarations: Declarations,
    items: Vec<Item>,
    /// Why backfills that indexes wait for are not complete, by their names.
    pub(crate) deferred: BTreeMap<String, String>,
    /// Whether some declarations are left out: then what lies beside the others is none of this plan's business.
    pub(crate) partial: bool,
}

/// One declaration and what a database has for it.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Item {
    /// The index.
    pub name: String,
    /// Its table, as it is declared; empty for a tombstone of an index that is not there.
    pub table: String,
    /// What is there.
    pub state: State,
    /// What a deploy will do.
    pub action: Action,
    /// Words on the state, where it needs some.
    pub note: Option<String>,
    /// Where it is declared, such as `indexes/leads.sql:3:1`.
    pub declared_at: String,
    /// The size of the table to be read by a build, in bytes.
    pub table_bytes: Option<i64>,
    /// Whether something of that name is there.
    #[serde(skip)]
    begun: bool,
}

impl Plan {
    /// Indexes first, then tombstones, each in the order of the files.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The backfills that indexes which are not there wait for.
    pub fn awaits(&self) -> BTreeSet<&str> {
        let indexes = self.declarations.indexes.iter().zip(&self.items);
        indexes
            .filter(|(_, item)| item.is_not_there())
            .filter_map(|(index, _)| index.after_backfill.as_deref())
            .collect()
    }

    /// Leaves out for now what waits for backfills that are not complete: `deferred` says why they are not, by their names.
    pub fn defer(mut self, deferred: BTreeMap<String, String>) -> Self {
        for (index, item) in self.declarations.indexes.iter().zip(&mut self.items) {
            let backfill = index.after_backfill.as_ref().filter(|_| item.is_not_there());
            if let Some((backfill, why)) = backfill.and_then(|id| deferred.get_key_value(id)) {
                (item.state, item.action) = (State::AwaitsBackfill, State::AwaitsBackfill.action());
                item.note = Some(format!("after backfill {backfill}: {why}"));
            }
        }
        self.deferred = deferred;
        self
    }

    /// Only the items of these names.
    pub fn only(self, names: &BTreeSet<String>) -> Self {
        let Self { mut declarations, mut items, deferred, .. } = self;
        declarations.indexes.retain(|index| names.contains(&index.name));
        declarations.tombstones.retain(|tombstone| names.contains(&tombstone.name));
        items.retain(|item| names.contains(&item.name));
        Self { declarations, items, deferred, partial: true }
    }

    /// The items that a deploy will do something about.
    pub fn pending(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.action != Action::None)
    }
}

impl Item {
    /// Whether nothing of the index is there.
    fn is_not_there(&self) -> bool {
        matches!(self.state, State::Missing | State::NoTable | State::AwaitsBackfill)
            || (self.state == State::Partitioned && !self.begun)
    }
}

/// A declared index with all that was read about it.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    pub(crate) state: State,
    pub(crate) note: Option<String>,
    pub(crate) found: Found,
    /// Whether a valid index was seen to be as declared; `None` where only the server can tell.
    pub(crate) same: Option<bool>,
    /// Whether the last build was left before its result was known.
    pub(crate) left: bool,
}

impl Judged {
    /// Whether an index of another definition can give its place away.
    fn replaceable(&self) -> bool {
        let partitioned = self.found.table.as_ref().is_some_and(|table| table.kind == "p");
        !partitioned
            && self.found.name.as_ref().is_some_and(|name| name.part_of.is_none() && name.kept_for.is_none())
    }
}

/// Reads the catalog and the ledger. Reads only; works without a ledger and without the tables.
pub async fn plan(
    session: &mut Session,
    declarations: &Declarations,
    settings: &Settings,
    ledger: &str,
) -> Result<Plan, Error> {
    let indexes: Vec<&Declaration> = declarations.indexes.iter().collect();
    let tombstones: Vec<&Tombstone> = declarations.tombstones.iter().collect();
    let judged = judge(session, &indexes, ledger).await?;
    let dropped = survey::tombstones(session, &tombstones).await?;
    let mut items: Vec<Item> =
        indexes.iter().zip(&judged).map(|(index, judged)| item(index, judged, settings)).collect();
    items.extend(
        tombstones.iter().zip(&dropped).map(|(tombstone, name)| item_of_tombstone(tombstone, name.as_ref())),
    );
    Ok(Plan { declarations: declarations.clone(), items, deferred: BTreeMap::new(), partial: false })
}

/// The state of each declared index, in their order.
pub(crate) async fn judge(
    session: &mut Session,
    declared: &[&Declaration],
    ledger: &str,
) -> Result<Vec<Judged>, Error> {
    if declared.is_empty() {
        return Ok(Vec::new());
    }
    let found = survey::indexes(session, declared).await?;
    let names: Vec<String> = declared.iter().map(|index| index.name.clone()).collect();
    let memory = Memory::read(session, ledger, &names).await?;
    let mut judged: Vec<Judged> =
        declared.iter().zip(found).map(|(index, found)| one(index, found, &memory)).collect();
    let table = |judged: &Judged| judged.found.table.as_ref().map(|table| table.oid);
    let invalid: Vec<i64> =
        judged.iter().filter(|each| each.state == State::Invalid).filter_map(table).collect();
    if !invalid.is_empty() {
        let holders = locks::on(session, &invalid).await?;
        for each in judged.iter_mut().filter(|each| each.state == State::Invalid) {
            let mut on_table = holders.iter().filter(|holder| Some(holder.table) == table(each));
            if let Some(holder) = on_table.find(|holder| !holder.gives_way) {
                let what =
                    if holder.building.is_some() { "is building an index on" } else { "holds a lock on" };
                each.state = State::Busy;
                each.note =
                    Some(format!("pid {} ({}) {what} the table", holder.who.pid, holder.who.application));
            }
        }
    }
    Ok(judged)
}

fn one(index: &Declaration, found: Found, memory: &Memory) -> Judged {
    let (mut state, mut note) = state::of(index, &found);
    let (mut same_text, mut left) = (None, false);
    if let (State::Valid, Some(table), Some(name)) = (state, &found.table, &found.name) {
        same_text = memory.text(index, table).map(|text| same(text, &name.text));
        left = memory.was_left(index, table);
        match same_text {
            Some(true) => {}
            Some(false) => {
                state = State::Drifted;
                note = Some(format!("what is there is another index: {}", name.text));
            }
            None => note = Some("its definition will be compared at the next deploy".into()),
        }
    }
    Judged { state, note, found, same: same_text, left }
}

fn item(index: &Declaration, judged: &Judged, settings: &Settings) -> Item {
    let table = match &index.schema {
        Some(schema) => format!("{schema}.{}", index.table),
        None => index.table.clone(),
    };
    let note = match judged.state {
        State::NoTable => {
            Some(format!("table {table} does not exist: waiting for the schema stage, which may create it"))
        }
        _ => judged.note.clone(),
    };
    Item {
        name: index.name.clone(),
        table,
        state: judged.state,
        action: match judged.state {
            State::Drifted if index.replaces(settings) && judged.replaceable() => Action::Replace,
            state => state.action(),
        },
        note,
        declared_at: index.place(),
        table_bytes: judged.found.table.as_ref().map(|table| table.size_bytes),
        begun: judged.found.name.is_some(),
    }
}

fn item_of_tombstone(tombstone: &Tombstone, name: Option<&FoundName>) -> Item {
    let (state, note) = state::of_tombstone(&tombstone.name, name);
    Item {
        name: tombstone.name.clone(),
        table: name.and_then(|name| name.of_table.clone()).unwrap_or_default(),
        state,
        action: state.action(),
        note,
        declared_at: tombstone.place(),
        table_bytes: None,
        begun: name.is_some(),
    }
}
