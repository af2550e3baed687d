//! Two files, one there and one back: what sqlx and golang-migrate have.

use std::collections::BTreeMap;
use std::path::Path;

use sql::Problem;

use crate::body::{Body, Ran};
use crate::script::{Script, Version};
use crate::tree::{self, File, Tree};

/// The files of one version.
#[derive(Default)]
struct Files<'t> {
    up: Vec<&'t Path>,
    down: Vec<&'t Path>,
}

/// Reads `1_name.up.sql` and `1_name.down.sql`, and `1_name.sql` where `plain` allows it.
pub(crate) fn read(
    tree: &Tree,
    folder: &Path,
    plain: bool,
    how: impl Fn(&File) -> (Ran, Vec<String>),
) -> Result<Vec<Script>, Vec<Problem>> {
    let (mut versions, mut problems) = (BTreeMap::<u64, Files<'_>>::new(), Vec::new());
    for path in tree.in_folder(folder).filter(|path| tree::name(path).ends_with(".sql")) {
        match (Version::leading(tree::name(path)), direction(path, plain)) {
            (_, None) => {}
            (Some((version, rest)), Some(down)) if rest.starts_with('_') => {
                let files = versions.entry(version.number).or_default();
                if down { &mut files.down } else { &mut files.up }.push(path);
            }
            _ => problems.push(unversioned(path)),
        }
    }
    let mut scripts = Vec::new();
    for files in versions.into_values() {
        let twice = files.up.iter().zip(files.up.iter().skip(1));
        problems.extend(twice.map(|(first, second)| twice_of(second, first)));
        match (files.up.first(), files.down.first()) {
            (None, Some(down)) => problems.push(
                Problem::with_file("E708", down, "takes back a migration that is not here")
                    .help("bring the other file back, or leave this one out"),
            ),
            (Some(up), down) => match script(tree, up, down.copied(), &how) {
                Ok(script) => scripts.push(script),
                Err(found) => problems.extend(found),
            },
            (None, None) => {}
        }
    }
    if problems.is_empty() { Ok(scripts) } else { Err(problems) }
}

/// Whether it goes back; `None` where it is no migration.
fn direction(path: &Path, plain: bool) -> Option<bool> {
    let name = tree::name(path);
    match (name.ends_with(".down.sql"), name.ends_with(".up.sql")) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => plain.then_some(false),
    }
}

fn script(
    tree: &Tree,
    up: &Path,
    down: Option<&Path>,
    how: impl Fn(&File) -> (Ran, Vec<String>),
) -> Result<Script, Vec<Problem>> {
    let file = tree.read(up).map_err(|problem| vec![problem])?;
    let (ran, checksums) = how(&file);
    let name = tree::name(up);
    let (version, rest) = Version::leading(name).ok_or_else(|| vec![unversioned(up)])?;
    let name = rest.trim_start_matches('_').trim_end_matches(".sql").trim_end_matches(".up");
    let body = Body::of(&file.source, ran)?;
    let script = Script::new(version.number.to_string(), name, up.into(), body).numbered(Some(version));
    let down = down.map(|down| {
        let file = tree.read(down).map_err(|problem| vec![problem])?;
        Body::of(&file.source, how(&file).0)
    });
    Ok(Script { checksums, down: down.transpose()?.filter(|down| !down.is_empty()), ..script })
}

pub(crate) fn unversioned(path: &Path) -> Problem {
    Problem::with_file("E703", path, "has no version that the tool would know")
        .help("take it out of the folder, or give it a name like 0042_add_email")
}

pub(crate) fn twice_of(path: &Path, other: &Path) -> Problem {
    Problem::with_file("E704", path, format!("has the same version as {}", other.display()))
        .help("the tool runs one of them at most: take out the one that it did not run")
}
