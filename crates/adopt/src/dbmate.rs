//! dbmate: `20240105101500_create_leads.sql` with `-- migrate:up` and `-- migrate:down`.

use std::path::Path;

use sql::Problem;

use crate::body::{Body, Ran};
use crate::history::{Record, Row};
use crate::script::{Project, Script, Version};
use crate::sections::{below, malformed, marks};
use crate::tree::{self, Tree};

const FOLDERS: [&str; 3] = ["db/migrations", "migrations", ""];

pub(crate) fn read(tree: &Tree) -> Result<Project, Vec<Problem>> {
    // Other names are left alone by dbmate too.
    let is = |name: &str| name.ends_with(".sql") && Version::leading(name).is_some();
    let folder = tree.folder(&FOLDERS, is);
    let folder = folder.ok_or_else(|| vec![tree.nothing("migrations of dbmate (*.sql)", &FOLDERS)])?;
    Project::collect(
        tree.in_folder(&folder).filter(|path| is(tree::name(path))).map(|path| script(tree, path)),
    )
}

fn script(tree: &Tree, path: &Path) -> Result<Script, Vec<Problem>> {
    let source = tree.read(path).map_err(|problem| vec![problem])?.source;
    let marks = marks(&source, "migrate:");
    let starting = |word: &str| marks.iter().find(|mark| mark.words.split_whitespace().next() == Some(word));
    let (up, down) = (starting("up"), starting("down"));
    let up = up.ok_or_else(|| vec![malformed(&source, None, "has no line `-- migrate:up`")])?;
    let bare = |mark: &crate::sections::Mark<'_>| {
        mark.words.split_whitespace().any(|word| word == "transaction:false")
    };
    let body = |mark| {
        let ran = if bare(mark) { Ran::Bare } else { Ran::InTransaction };
        Body::part(&source, &below(&source, mark, &down.into_iter().collect::<Vec<_>>()), ran)
    };
    if down.is_some_and(|down| down.line.start < up.line.start) {
        return Err(vec![malformed(&source, down, "`-- migrate:down` stands before `-- migrate:up`")]);
    }
    let name = tree::name(path);
    let (version, rest) = Version::leading(name).unwrap_or((Version::padded(0), name));
    let rest = rest.trim_start_matches(['_', '-']).trim_end_matches(".sql");
    let id = version.written.clone();
    let script = Script::new(id, rest, path.into(), body(up)?).numbered(Some(version));
    let down = down.map(body).transpose()?.filter(|down| !down.is_empty());
    Ok(Script { down, ..script })
}

/// A row is a version that is in, and nothing else.
pub(crate) fn record(row: &Row<'_>) -> Option<Record> {
    row.text("version").map(Record::of)
}
