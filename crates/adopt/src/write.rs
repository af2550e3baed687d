//! The files of the release, as they will be written.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use sql::{Problem, Source};

use crate::manifest::{Entry, Manifest};
use crate::order::Placed;
use crate::tool::Tool;

/// A file to be written, relative to the pipeline's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub text: String,
}

/// What an adoption writes: the migrations and the manifest.
#[derive(Debug, Clone)]
pub struct Written {
    /// The migrations.
    pub files: Vec<NewFile>,
    /// What `adopt` needs to know of them.
    pub manifest: Manifest,
}

/// Puts the files together.
pub fn files(tool: Tool, table: Option<String>, placed: &[Placed], folder: &Path) -> Written {
    let (mut files, mut migrations) = (Vec::new(), Vec::new());
    let mut previous = None;
    for (at, each) in placed.iter().enumerate() {
        let mut entry = Entry::from(&each.script);
        if let Some(stem) = &each.stem {
            let text = text(tool, each, requires(placed, at, previous));
            entry.file = Some(stem.clone());
            entry.sha256 = Some(sha256(&text));
            files.push(NewFile { path: folder.join(format!("{stem}.sql")), text });
            if let Some(down) = each.script.down.as_ref().filter(|_| each.script.can_go_back()) {
                files
                    .push(NewFile { path: folder.join(format!("{stem}.down.sql")), text: down.text.clone() });
            }
            previous = Some(stem.as_str());
        }
        migrations.push(entry);
    }
    Written { files, manifest: Manifest { version: 1, tool, table, migrations } }
}

/// SHA-256 of a text, as the history records it.
fn sha256(text: &str) -> String {
    Source::from_bytes(Path::new(""), text.into()).map(|source| source.sha256).unwrap_or_default()
}

/// A text with a header where it needs one; one that needs none is as the tool had it.
fn text(tool: Tool, placed: &Placed, requires: Vec<&str>) -> String {
    let script = &placed.script;
    let mut head = String::new();
    if tool.is_python() {
        head.push_str(&format!("-- {} {}, from {}\n", tool.name(), script.id, script.path.display()));
    }
    for what in &script.not_carried {
        head.push_str(&format!("-- Not carried over, it is no SQL: {what}\n"));
    }
    let mut keys = Vec::new();
    if !requires.is_empty() {
        keys.push(format!("--   requires: [{}]\n", requires.join(", ")));
    }
    if !script.up.transaction {
        keys.push("--   transaction: false\n".into());
    }
    if !keys.is_empty() {
        head.push_str("-- pgdeploy:\n");
        keys.iter().for_each(|key| head.push_str(key));
    }
    head + &script.up.text
}

/// The files that come before it in the tool's graph, where that is not simply the one before it.
fn requires<'p>(placed: &'p [Placed], at: usize, previous: Option<&str>) -> Vec<&'p str> {
    let by_id: BTreeMap<&str, &Placed> = placed.iter().map(|each| (each.script.id.as_str(), each)).collect();
    let (mut found, mut waiting) = (Vec::new(), placed[at].script.after.clone());
    while let Some(id) = waiting.pop() {
        match by_id.get(id.as_str()) {
            Some(Placed { stem: Some(stem), .. }) if !found.contains(&stem.as_str()) => found.push(stem),
            // A merge has no file: what it merges is required.
            Some(Placed { stem: None, script }) => waiting.extend(script.after.iter().cloned()),
            _ => {}
        }
    }
    found.sort_unstable();
    if found.len() == 1 && found.first().copied() == previous { Vec::new() } else { found }
}

/// The first of some folders in which nothing would be mixed with what is there already.
pub fn folder<'f>(base: &Path, candidates: &[&'f Path], names: impl Fn(&Path) -> Vec<NewFile>) -> &'f Path {
    let free = |folder: &&&Path| foreign(base, folder, &names(folder)).is_empty();
    candidates.iter().find(free).or(candidates.last()).copied().unwrap_or(Path::new("migrations"))
}

/// SQL files in a folder that are not ours, or not the same.
pub fn foreign(base: &Path, folder: &Path, files: &[NewFile]) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(base.join(folder)).into_iter().flatten().filter_map(Result::ok);
    let paths = entries.map(|entry| folder.join(entry.file_name()));
    let sql = paths.filter(|path| path.extension().is_some_and(|ending| ending == "sql"));
    let ours =
        |path: &PathBuf| files.iter().any(|file| file.path == *path && is_there(base, file) == Some(true));
    let mut foreign: Vec<PathBuf> = sql.filter(|path| !ours(path)).collect();
    foreign.sort();
    foreign
}

/// Whether a file is there with the same text; `None` where it is not there.
pub fn is_there(base: &Path, file: &NewFile) -> Option<bool> {
    match std::fs::read(base.join(&file.path)) {
        Ok(bytes) => {
            let same = Source::from_bytes(&file.path, bytes).is_ok_and(|found| *found.text == *file.text);
            Some(same)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(_) => Some(false),
    }
}

/// Files that are there with another text: they are never overwritten.
pub fn in_the_way(base: &Path, files: &[NewFile]) -> Vec<Problem> {
    let other = files.iter().filter(|file| is_there(base, file) == Some(false));
    other
        .map(|file| {
            Problem::with_file(
                "E715",
                &file.path,
                "is there already, with another text, and is not overwritten",
            )
            .help("move it away, or run this in another directory (--config DIRECTORY/pipeline.yaml)")
        })
        .collect()
}

/// Writes them all, or none: what was written before an error is taken away again. Says which were written.
pub fn write(base: &Path, files: &[NewFile]) -> Result<Vec<PathBuf>, (PathBuf, std::io::Error)> {
    let mut written: Vec<PathBuf> = Vec::new();
    for file in files.iter().filter(|file| is_there(base, file).is_none()) {
        let path = base.join(&file.path);
        let result = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::File::create_new(&path))
            .and_then(|mut open| {
                written.push(file.path.clone());
                open.write_all(file.text.as_bytes())
            });
        if let Err(error) = result {
            written.iter().for_each(|path| drop(std::fs::remove_file(base.join(path))));
            return Err((file.path.clone(), error));
        }
    }
    Ok(written)
}
