//! golang-migrate: `000001_create_leads.up.sql` and `.down.sql`; its history is one number, and whether it is dirty.

use sql::Problem;

use crate::body::Ran;
use crate::history::{Outcome, Record, Row};
use crate::manifest::Entry;
use crate::pair;
use crate::script::Project;
use crate::tree::Tree;

const FOLDERS: [&str; 5] = ["migrations", "db/migrations", "db/migration", "database/migrations", ""];

pub(crate) fn read(tree: &Tree) -> Result<Project, Vec<Problem>> {
    let folder = tree.folder(&FOLDERS, |name| name.ends_with(".up.sql"));
    let folder =
        folder.ok_or_else(|| vec![tree.nothing("migrations of golang-migrate (*.up.sql)", &FOLDERS)])?;
    // A file is one message to the server, so one transaction, unless it holds a statement that is not allowed in one.
    let scripts = pair::read(tree, &folder, false, |_| (Ran::InTransaction, Vec::new()))?;
    Ok(Project { scripts, notes: Vec::new() })
}

/// Everything up to the number is in; a dirty number has failed.
pub(crate) fn records(rows: &[Row<'_>], entries: &[Entry]) -> Option<Vec<Record>> {
    let Some(row) = rows.first() else { return Some(Vec::new()) };
    let (version, dirty) = (row.number("version")?, row.truth("dirty")?);
    let numbered = |entry: &Entry| entry.id.parse::<i64>().ok();
    let earlier = entries.iter().filter(|entry| numbered(entry).is_some_and(|number| number < version));
    let mut records: Vec<Record> = earlier.map(|entry| Record::of(entry.id.clone())).collect();
    if version >= 0 {
        let outcome = if dirty { Outcome::Failed } else { Outcome::Applied };
        records.push(Record { outcome, ..Record::of(version.to_string()) });
    }
    Some(records)
}
