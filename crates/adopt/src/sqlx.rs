//! sqlx: `20240105101500_create_leads.sql`, or a pair of `.up.sql` and `.down.sql`.

use sql::Problem;

use crate::body::Ran;
use crate::checksum;
use crate::history::{Outcome, Record, Row};
use crate::pair;
use crate::script::Project;
use crate::tree::Tree;

const FOLDERS: [&str; 2] = ["migrations", ""];

pub(crate) fn read(tree: &Tree) -> Result<Project, Vec<Problem>> {
    let folder = tree.folder(&FOLDERS, |name| name.ends_with(".sql"));
    let folder = folder.ok_or_else(|| vec![tree.nothing("migrations of sqlx (*.sql)", &FOLDERS)])?;
    let scripts = pair::read(tree, &folder, true, |file| {
        let bare = file.raw.starts_with("-- no-transaction");
        (if bare { Ran::Bare } else { Ran::InTransaction }, vec![checksum::sqlx(&file.raw)])
    })?;
    Ok(Project { scripts, notes: Vec::new() })
}

/// A row is there before its migration runs outside of a transaction, and says `success = false` until it has.
pub(crate) fn record(row: &Row<'_>) -> Option<Record> {
    let outcome = if row.truth("success")? { Outcome::Applied } else { Outcome::Failed };
    let nanoseconds = row.number("execution_time").filter(|time| *time >= 0);
    Some(Record {
        outcome,
        checksum: row.bytes("checksum"),
        applied_at: row.text("installed_on"),
        duration_ms: nanoseconds.map(|time| time / 1_000_000),
        ..Record::of(row.text("version")?)
    })
}
