//! goose: `00001_create_leads.sql` with `-- +goose Up`, `-- +goose Down` and lines that say how to cut and run it.

use std::path::Path;

use sql::{Problem, Source};

use crate::body::{Body, Ran};
use crate::history::{Outcome, Record, Row};
use crate::script::{Project, Script, Version};
use crate::sections::{Mark, below, malformed, marks};
use crate::tree::{self, Tree};

const FOLDERS: [&str; 5] = ["migrations", "db/migrations", "sql/migrations", "sql/schema", ""];

pub(crate) fn read(tree: &Tree) -> Result<Project, Vec<Problem>> {
    let is = |name: &str| {
        (name.ends_with(".sql") || is_code(name))
            && Version::leading(name).is_some_and(|(_, rest)| rest.starts_with('_'))
    };
    let folder = tree.folder(&FOLDERS, is);
    let folder = folder.ok_or_else(|| vec![tree.nothing("migrations of goose (*.sql)", &FOLDERS)])?;
    let found = tree.in_folder(&folder).filter(|path| is(tree::name(path))).map(|path| script(tree, path));
    Project::collect(found).map(Project::by_number)
}

fn is_code(name: &str) -> bool {
    name.ends_with(".go") && !name.ends_with("_test.go")
}

fn script(tree: &Tree, path: &Path) -> Result<Script, Vec<Problem>> {
    let name = tree::name(path);
    if is_code(name) {
        return Err(vec![crate::tool::code(path, "Go")]);
    }
    let source = tree.read(path).map_err(|problem| vec![problem])?.source;
    let marks = marks(&source, "+goose");
    let starting = |word: &str| marks.iter().find(|mark| mark.words.eq_ignore_ascii_case(word));
    if let Some(mark) = marks.iter().find(|mark| mark.words.to_ascii_uppercase().starts_with("ENVSUB ON")) {
        let span = mark.line.start..mark.line.end.saturating_sub(1);
        return Err(vec![
            Problem::at("E702", &source, span, "is filled in from variables when it runs").help(
                "write the values into a copy of the file, without the line, and name that with --source",
            ),
        ]);
    }
    let (up, down) = (starting("Up"), starting("Down"));
    let up = up.ok_or_else(|| vec![malformed(&source, None, "has no line `-- +goose Up`")])?;
    let ran = if starting("NO TRANSACTION").is_some() { Ran::Bare } else { Ran::InTransaction };
    let ends: Vec<_> = [Some(up), down].into_iter().flatten().collect();
    let body = |mark: &Mark<'_>| Body::part(&without(&source, &marks), &below(&source, mark, &ends), ran);
    let (version, rest) = Version::leading(name).unwrap_or((Version::padded(0), name));
    let rest = rest.trim_start_matches('_').trim_end_matches(".sql");
    let script =
        Script::new(version.number.to_string(), rest, path.into(), body(up)?).numbered(Some(version));
    let down = down.map(body).transpose()?.filter(|down| !down.is_empty());
    Ok(Script { down, ..script })
}

/// The tool's lines (StatementBegin and the like) blanked, at their places.
fn without(source: &Source, marks: &[Mark<'_>]) -> Source {
    let mut text = source.text.to_string();
    for mark in marks {
        let line =
            mark.line.start..mark.line.start + source.text[mark.line.clone()].trim_end_matches('\n').len();
        let blank = " ".repeat(line.len());
        text.replace_range(line, &blank);
    }
    Source { text: text.into(), ..source.clone() }
}

/// The last row of a version says whether it is in; a version that was taken back has `is_applied = false` or no row. The
/// row of version 0 is the table's own.
pub(crate) fn record(row: &Row<'_>) -> Option<Record> {
    let outcome = if row.truth("is_applied")? { Outcome::Applied } else { Outcome::Undone };
    Some(Record { outcome, applied_at: row.text("tstamp"), ..Record::of(row.text("version_id")?) })
}
