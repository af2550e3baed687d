//! What is left to do, decided by looking only.

use postgres::{Error, Session};
use serde::Serialize;
use sql::Problem;

use crate::definition::{Definition, Definitions};
use crate::lookup::{self, Lookup};
use crate::outcome::grouped;
use crate::record::{self, Record};
use crate::texts;
use crate::verify;

/// What the stage would do.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    items: Vec<Item>,
    definitions: Definitions,
    /// Only these are worked on, where it is said.
    only: Option<Vec<String>>,
}

/// One backfill and where it stands.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Item {
    /// File name without ending.
    pub id: String,
    /// The table whose rows are walked, as the statement names it.
    pub table: String,
    /// What is done with a row.
    pub kind: crate::Kind,
    /// Where it stands.
    pub state: State,
    /// Rows that match (left to do), by a sample of the table; exact for small tables, 0 for a complete one. Nothing
    /// where the table is not there yet.
    pub estimated_rows: Option<u64>,
    /// Rows that earlier deploys have done.
    pub rows_done: u64,
    /// Distinct values of the tenant column, as ANALYZE saw them.
    pub tenants: Option<i64>,
    /// SHA-256 of the definition.
    pub def_sha256: String,
    /// What a person should know about it.
    pub note: Option<String>,
    /// It was complete before a migration was taken back: the run has to look at it again.
    #[serde(skip)]
    pub(crate) is_doubtful: bool,
    /// Why it can never run as it is: exit 2, nothing touched.
    #[serde(skip)]
    pub refused: Option<Problem>,
    /// What is missing now and may come with a pending migration; with none pending it is as good as refused.
    #[serde(skip)]
    pub waiting_for: Option<Problem>,
}

/// Where a backfill stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Never run.
    New,
    /// Begun; resumes at its cursor.
    Incomplete,
    /// Proven complete.
    Complete,
    /// Was complete or had failed with another text, or rows match again since a migration was taken back: runs anew.
    Changed,
    /// Had failed; is tried again.
    Failed,
    /// A table, column or right is not there yet.
    WaitingForSchema,
    /// Cannot run as it is.
    Refused,
}

impl Plan {
    /// In the order they will be worked on.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Those that will be worked on.
    pub fn pending(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| !matches!(item.state, State::Complete | State::Refused))
    }

    pub(crate) fn work(&self) -> impl Iterator<Item = (&Item, &Definition)> {
        self.items.iter().zip(self.definitions.items())
    }

    /// Only these backfills, of all that there are.
    pub fn only(self, ids: Vec<String>) -> Self {
        Self { only: Some(ids), ..self }
    }

    /// Those of them, whether there is work left or not.
    pub fn selected(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| self.is_selected(&item.id))
    }

    pub(crate) fn is_selected(&self, id: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|one| one == id))
    }

    pub(crate) fn definitions(&self) -> &Definitions {
        &self.definitions
    }
}

/// Reads catalog and ledger; changes nothing, and needs neither the ledger nor the tables to exist.
pub async fn plan(session: &mut Session, definitions: &Definitions, ledger: &str) -> Result<Plan, Error> {
    let records =
        if definitions.is_empty() { Default::default() } else { record::latest(session, ledger).await? };
    let mut items = Vec::with_capacity(definitions.len());
    for definition in definitions.items() {
        items.push(item(session, definition, records.get(&definition.id), ledger).await?);
    }
    Ok(Plan { items, definitions: definitions.clone(), only: None })
}

async fn item(
    session: &mut Session,
    definition: &Definition,
    record: Option<&Record>,
    ledger: &str,
) -> Result<Item, Error> {
    let mut item = Item {
        id: definition.id.clone(),
        table: definition.shown_table(),
        kind: definition.kind,
        state: state(definition, record),
        estimated_rows: None,
        rows_done: record
            .filter(|record| record.def_sha256 == definition.def_sha256)
            .map_or(0, |record| record.rows),
        tenants: None,
        def_sha256: definition.def_sha256.clone(),
        note: None,
        is_doubtful: record.is_some_and(|record| record.is_undone),
        refused: record.and_then(|record| conflict(definition, record, None)),
        waiting_for: None,
    };
    let doubted = record.filter(|record| item.state == State::Complete && record.is_undone);
    if let Some(record) = doubted
        && matches_again(session, definition, record, ledger).await?
    {
        item.state = State::Changed;
        item.note =
            Some("a migration was taken back since it was complete, and rows match again: runs anew".into());
    }
    if item.state == State::Complete {
        item.estimated_rows = Some(0);
        return Ok(item);
    }
    if item.refused.is_none() {
        match lookup::look_up(session, definition).await? {
            Lookup::Ready(relation) => {
                item.tenants = relation.tenants;
                item.refused = record.and_then(|record| conflict(definition, record, Some(&relation.name)));
                match texts::compose(definition, &relation, ledger) {
                    Some(texts) => {
                        item.estimated_rows = Some(verify::estimate(session, &relation, &texts).await?)
                    }
                    None => item.refused = Some(not_composed(definition)),
                }
            }
            Lookup::Waiting(problem) => item.waiting_for = Some(problem),
            Lookup::Refused(problem) => item.refused = Some(problem),
        }
    }
    if let Some(problem) = &item.refused {
        (item.state, item.note) = (State::Refused, Some(problem.to_string()));
    } else if let Some(problem) = &item.waiting_for {
        (item.state, item.note) = (State::WaitingForSchema, Some(problem.to_string()));
    } else if item.note.is_none() {
        item.note = note(item.state, record);
    }
    Ok(item)
}

/// Whether rows match again that were done. What cannot be asked now is left to the run.
async fn matches_again(
    session: &mut Session,
    definition: &Definition,
    record: &Record,
    ledger: &str,
) -> Result<bool, Error> {
    if definition.is_once() {
        return Ok(false);
    }
    let Lookup::Ready(relation) = lookup::look_up(session, definition).await? else { return Ok(false) };
    let Some(texts) = texts::compose(definition, &relation, ledger) else { return Ok(false) };
    match verify::any_matches(session, &texts, record.id).await {
        Err(error) if !error.is_lost_connection() => {
            session.run("ROLLBACK").await?;
            Ok(false)
        }
        matches => matches,
    }
}

fn state(definition: &Definition, record: Option<&Record>) -> State {
    match record {
        None => State::New,
        Some(record) if record.def_sha256 != definition.def_sha256 => State::Changed,
        Some(record) if record.is_done() => State::Complete,
        Some(record) if record.has_failed() => State::Failed,
        Some(_) => State::Incomplete,
    }
}

fn note(state: State, record: Option<&Record>) -> Option<String> {
    let record = record?;
    match state {
        State::Changed if record.is_done() => Some("changed since it was complete: runs anew".into()),
        State::Changed => Some("changed since it failed: runs anew".into()),
        State::Failed => record.error.clone().map(|error| format!("failed before: {error}")),
        State::Incomplete => Some(format!("{} rows done so far", grouped(record.rows))),
        _ => None,
    }
}

/// A definition that was changed, or whose table became another one, in the middle of its work.
pub(crate) fn conflict(definition: &Definition, record: &Record, table: Option<&str>) -> Option<Problem> {
    if record.is_done() || record.has_failed() {
        return None;
    }
    let done = grouped(record.rows);
    if record.def_sha256 != definition.def_sha256 {
        let message =
            format!("was changed in the middle of its work: {done} rows were done with the text before");
        return Some(definition.problem("E256", message).help(
            "to go on, put the text back as it was; to do something else, give it a file with a new number, \
             and keep or delete this one",
        ));
    }
    let table = table.filter(|table| *table != record.table_name)?;
    let message = format!(
        "now means {table}, but {done} rows of {} were done: the search_path differs",
        record.table_name
    );
    Some(
        definition
            .problem("E257", message)
            .help("name the table with its schema in a new file, or set search_path back"),
    )
}

pub(crate) fn not_composed(definition: &Definition) -> Problem {
    definition
        .problem("E240", "this statement cannot be taken apart")
        .help("write it in a simpler way: one table whose rows are changed, and a WHERE")
}
