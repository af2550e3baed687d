//! Prisma: `prisma/migrations/<name>/migration.sql`. The name's timestamp orders it; a name without one has no order but
//! the one in which a database has had it.

use std::path::Path;

use sql::Problem;

use crate::body::{Body, Ran};
use crate::checksum;
use crate::history::{Outcome, Record, Row};
use crate::script::{Project, Script, Version};
use crate::tree::Tree;

const FOLDERS: [&str; 3] = ["prisma/migrations", "migrations", ""];
const FILE: &str = "migration.sql";
const LOCK: &str = "migration_lock.toml";

pub(crate) fn read(tree: &Tree) -> Result<Project, Vec<Problem>> {
    let folder = tree.folder(&FOLDERS, |name| name == FILE);
    let folder =
        folder.ok_or_else(|| vec![tree.nothing("migrations of Prisma (*/migration.sql)", &FOLDERS)])?;
    let mut problems: Vec<Problem> = other_database(tree, &folder).into_iter().collect();
    let mut scripts = Vec::new();
    for path in tree.below(&folder).filter(|path| path.ends_with(FILE)) {
        let directory = path.parent().unwrap_or(path);
        if directory.parent() != Some(folder.as_path()) {
            continue;
        }
        match script(tree, path, crate::tree::name(directory)) {
            Ok(script) => scripts.push(script),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(Project { scripts, notes: Vec::new() }) } else { Err(problems) }
}

/// The lock file says for which kind of database the files are.
fn other_database(tree: &Tree, folder: &Path) -> Option<Problem> {
    let path = folder.join(LOCK);
    let source = tree.has(&path).then(|| tree.read(&path)).and_then(Result::ok)?.source;
    let line = source.text.lines().find(|line| line.trim_start().starts_with("provider"))?;
    if line.contains("\"postgresql\"") || line.contains("\"postgres\"") || line.contains("\"cockroachdb\"") {
        return None;
    }
    let start = source.text.find(line)?;
    let problem =
        Problem::at("E709", &source, start..start + line.len(), "is for another database than PostgreSQL");
    Some(problem)
}

fn script(tree: &Tree, path: &Path, name: &str) -> Result<Script, Vec<Problem>> {
    let file = tree.read(path).map_err(|problem| vec![problem])?;
    // A file is one message to the server, so one transaction, unless it holds a statement that is not allowed in one.
    let body = Body::of(&file.source, Ran::InTransaction)?;
    let version = Version::leading(name).filter(|(_, rest)| rest.starts_with('_'));
    let about = version.as_ref().map_or(name, |(_, rest)| rest.trim_start_matches('_'));
    let script = Script::new(name, about, path.into(), body);
    let checksums = checksum::prisma(&file.raw);
    Ok(Script { checksums, ..script.numbered(version.map(|(version, _)| version)) })
}

/// A row is one attempt. Without an end it has failed, unless somebody has said that it is rolled back.
pub(crate) fn record(row: &Row<'_>) -> Option<Record> {
    let (finished, back) = (row.text("finished_at"), row.text("rolled_back_at"));
    let outcome = match (&finished, back) {
        (_, Some(_)) => Outcome::Undone,
        (Some(_), None) => Outcome::Applied,
        (None, None) => Outcome::Failed,
    };
    Some(Record {
        outcome,
        checksum: row.text("checksum"),
        started_at: row.text("started_at"),
        applied_at: finished,
        note: row.text("logs").as_deref().and_then(cause),
        ..Record::of(row.text("migration_name")?)
    })
}

/// The line of the log that says why; the first ones say that it has failed.
fn cause(logs: &str) -> Option<String> {
    let line = logs
        .lines()
        .find(|line| line.starts_with("ERROR"))
        .or_else(|| logs.lines().find(|line| !line.trim().is_empty()));
    line.map(|line| line.trim().to_owned())
}
