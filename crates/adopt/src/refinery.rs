//! refinery: `V1__create_leads.sql`, or `U1__...` for those that may come out of order.

use std::path::Path;

use sql::Problem;

use crate::body::{Body, Ran};
use crate::checksum;
use crate::history::{Record, Row};
use crate::script::{Project, Script, Version};
use crate::tree::{self, Tree};

const FOLDERS: [&str; 4] = ["migrations", "src/migrations", "sql_migrations", ""];

pub(crate) fn read(tree: &Tree) -> Result<Project, Vec<Problem>> {
    let folder = tree.folder(&FOLDERS, |name| parts(name).is_some());
    let folder =
        folder.ok_or_else(|| vec![tree.nothing("migrations of refinery (V1__name.sql)", &FOLDERS)])?;
    let found = tree.below(&folder).filter_map(|path| {
        let (number, name) = parts(tree::name(path))?;
        let is_code = tree::name(path).ends_with(".rs");
        Some(if is_code {
            Err(vec![crate::tool::code(path, "Rust")])
        } else {
            script(tree, path, number, name)
        })
    });
    Project::collect(found).map(Project::by_number)
}

/// Number and name of a file that refinery reads.
fn parts(file: &str) -> Option<(u64, &str)> {
    let stem = file.strip_suffix(".sql").or_else(|| file.strip_suffix(".rs"))?;
    let rest = stem.strip_prefix(['V', 'U'])?;
    let (version, rest) = Version::leading(rest)?;
    let name = rest.strip_prefix("__")?;
    // refinery's own pattern takes word characters only, and stops at the first other one.
    let word = name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.is_empty();
    word.then_some((version.number, name))
}

fn script(tree: &Tree, path: &Path, number: u64, name: &str) -> Result<Script, Vec<Problem>> {
    let file = tree.read(path).map_err(|problem| vec![problem])?;
    let checksums = checksum::refinery(name, number.cast_signed(), &file.raw);
    let body = Body::of(&file.source, Ran::InTransaction)?;
    let script = Script::new(number.to_string(), name, path.into(), body);
    Ok(Script { checksums, ..script.numbered(Some(Version::padded(number))) })
}

pub(crate) fn record(row: &Row<'_>) -> Option<Record> {
    Some(Record {
        checksum: row.text("checksum"),
        applied_at: row.text("applied_on"),
        ..Record::of(row.text("version")?)
    })
}
