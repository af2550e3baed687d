//! Alembic: revisions in Python, a graph of them, and SQL through its offline mode.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sql::{NodeEnum, Problem, Source, Statement};

use crate::body::{Body, Ran};
use crate::history::{Record, Row};
use crate::manifest::Entry;
use crate::revision::Revision;
use crate::script::{Project, Script};
use crate::tree::{self, Tree};

/// What prints the SQL of all revisions; run where alembic.ini is.
pub(crate) const OFFLINE: [&str; 3] = ["upgrade", "base:heads", "--sql"];

const MARK: &str = "-- Running upgrade ";

/// The revisions of a project, by id.
pub(crate) fn revisions(tree: &Tree) -> Result<BTreeMap<String, Revision>, Vec<Problem>> {
    let (mut revisions, mut problems) = (BTreeMap::<String, Revision>::new(), Vec::new());
    let of_versions = |path: &&Path| {
        path.extension().is_some_and(|ending| ending == "py")
            && path.parent().is_some_and(|folder| folder.iter().any(|part| part == "versions"))
    };
    let paths: Vec<&Path> = tree.below(Path::new("")).filter(of_versions).collect();
    // The folder of the revisions itself may have been named.
    let paths = if paths.is_empty() {
        tree.in_folder(Path::new("")).filter(|path| tree::name(path).ends_with(".py")).collect()
    } else {
        paths
    };
    for path in paths {
        let revision =
            tree.read(path).map_err(|problem| vec![problem]).and_then(|file| Revision::of(&file.source));
        match revision {
            Ok(Some(revision)) => match revisions.get(&revision.id) {
                Some(other) => problems.push(crate::pair::twice_of(path, &other.path)),
                None => drop(revisions.insert(revision.id.clone(), revision)),
            },
            Ok(None) => {}
            Err(found) => problems.extend(found),
        }
    }
    problems.extend(resolve(&mut revisions));
    if problems.is_empty() && revisions.is_empty() {
        problems.push(tree.nothing("revisions of Alembic", &["versions/*.py below it"]));
    }
    if problems.is_empty() { Ok(revisions) } else { Err(problems) }
}

/// Names of branches become revisions; a name that is neither is a problem.
fn resolve(revisions: &mut BTreeMap<String, Revision>) -> Vec<Problem> {
    let labels: BTreeMap<String, String> = revisions
        .values()
        .flat_map(|each| each.labels.iter().map(|label| (label.clone(), each.id.clone())))
        .collect();
    let known: BTreeSet<String> = revisions.keys().cloned().collect();
    let mut problems = Vec::new();
    for revision in revisions.values_mut() {
        for parent in &mut revision.after {
            if let Some(id) = labels.get(parent) {
                parent.clone_from(id);
            } else if !known.contains(parent) {
                problems.push(
                    Problem::with_file(
                        "E705",
                        &revision.path,
                        format!("comes after {parent}, which is no revision here"),
                    )
                    .help("bring that file back, or name the directory that has all of them with --source"),
                );
            }
        }
    }
    problems
}

/// Cuts the offline SQL along its `-- Running upgrade a -> b` lines.
pub(crate) fn project(
    revisions: &BTreeMap<String, Revision>,
    offline: &Source,
) -> Result<Project, Vec<Problem>> {
    let marks = marks(revisions, offline);
    let table = version_table(offline, marks.first().map_or(offline.text.len(), |mark| mark.1))
        .unwrap_or_else(|| "alembic_version".into());
    let (mut scripts, mut problems) = (Vec::<Script>::new(), Vec::new());
    for (at, (id, _, start)) in marks.iter().enumerate() {
        let end = marks.get(at + 1).map_or(offline.text.len(), |next| next.1);
        let Some(revision) = revisions.get(id) else { continue };
        let table = table.clone();
        let ours = move |statement: &Statement| is_about(&statement.node, &table);
        match Body::part_without(offline, &(*start..end), Ran::InTransaction, ours) {
            Ok(body) => scripts.push(Script {
                after: revision.after.clone(),
                ..Script::new(id, revision.name(), revision.path.clone(), body)
            }),
            Err(found) => problems.extend(found),
        }
    }
    let missing = revisions.values().filter(|revision| scripts.iter().all(|script| script.id != revision.id));
    if problems.is_empty() {
        problems.extend(missing.map(|revision| {
            Problem::with_file(
                "E705",
                &revision.path,
                format!("revision {} is not in the SQL that Alembic printed", revision.id),
            )
            .help(
                "print it anew: alembic upgrade base:heads --sql > all.sql, then name it with --sql all.sql",
            )
        }));
    }
    if problems.is_empty() { Ok(Project { scripts, notes: Vec::new() }) } else { Err(problems) }
}

/// Revision, start of its line, start of its SQL.
fn marks(revisions: &BTreeMap<String, Revision>, offline: &Source) -> Vec<(String, usize, usize)> {
    let (mut marks, mut at) = (Vec::<(String, usize, usize)>::new(), 0);
    for line in offline.text.split_inclusive('\n') {
        let id = line.strip_prefix(MARK).and_then(|rest| rest.split_once("-> ")).map(|(_, id)| id.trim());
        if let Some(id) =
            id.filter(|id| revisions.contains_key(*id) && marks.iter().all(|mark| mark.0 != *id))
        {
            marks.push((id.to_owned(), at, at + line.len()));
        }
        at += line.len();
    }
    marks
}

/// The name of Alembic's own table: it is created before the first revision.
fn version_table(offline: &Source, before: usize) -> Option<String> {
    let head = Source { text: offline.text[..before].into(), ..offline.clone() };
    sql::parse(&head, |statements| {
        statements.into_iter().find_map(|statement| match statement.node {
            NodeEnum::CreateStmt(create) => create.relation.map(|relation| relation.relname),
            _ => None,
        })
    })
    .ok()
    .flatten()
}

fn is_about(node: &NodeEnum, table: &str) -> bool {
    let relation = match node {
        NodeEnum::InsertStmt(insert) => &insert.relation,
        NodeEnum::UpdateStmt(update) => &update.relation,
        NodeEnum::DeleteStmt(delete) => &delete.relation,
        NodeEnum::CreateStmt(create) => &create.relation,
        _ => return false,
    };
    relation.as_ref().is_some_and(|relation| relation.relname == table)
}

/// The table holds the heads: they and everything before them are in.
pub(crate) fn records(rows: &[Row<'_>], entries: &[Entry]) -> Option<Vec<Record>> {
    let mut waiting = rows.iter().map(|row| row.text("version_num")).collect::<Option<Vec<String>>>()?;
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if let Some(entry) = entries.iter().find(|entry| entry.id == id) {
            waiting.extend(entry.after.iter().filter(|parent| !seen.contains(*parent)).cloned());
        }
        seen.insert(id);
    }
    Some(seen.into_iter().map(Record::of).collect())
}

/// The directory in which Alembic is run: that of alembic.ini.
pub(crate) fn home(tree: &Tree) -> PathBuf {
    let base = tree.base();
    let above = std::iter::successors(Some(base), |path| path.parent()).take(3);
    let found = above.into_iter().find(|path| path.join("alembic.ini").is_file());
    found.unwrap_or(base).to_owned()
}
