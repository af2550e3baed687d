//! `pgdeploy new`: the next file of a kind, with the next number.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use orchestrator::Failure;
use sql::{Folder, Numbered};

use crate::arguments::{Global, Kind};
use crate::command::init::write;
use crate::render::Style;
use crate::told::{Told, tell_configuration, tell_error, tell_failure};

const MIGRATION: &str = "-- Changes the schema, never rows.\n";
const INDEX: &str = "-- CREATE [UNIQUE] INDEX name ON table (column);\n";
const BACKFILL: &str = "-- One UPDATE, DELETE or INSERT .. SELECT that makes its own WHERE false.\n";

pub(crate) fn run(global: &Global, kind: Kind, name: &str) -> Result<ExitCode, Told> {
    let refuse = |error: pipeline::Error| tell_configuration(&error, global.format, Style::new(global.color));
    let pipeline = pipeline::load(&global.config).map_err(refuse)?;
    let settings = pipeline.settings(&|name| std::env::var(name).ok()).map_err(refuse)?;
    let (folder, text) = match kind {
        Kind::Migration => (settings.schema.path, MIGRATION),
        Kind::Index => (settings.index.path, INDEX),
        Kind::Backfill => (settings.backfill.path, BACKFILL),
    };
    let style = Style::new(global.color);
    let words = words(name);
    if words.is_empty() {
        let failure = Failure::usage(format!("`{name}` is no name: it needs a letter or a digit"))
            .next("say what the file is about, such as: pgdeploy new migration add_email");
        return Err(tell_failure(&failure, global.format, style, ""));
    }
    let path = path(pipeline.base_dir(), &folder, kind, &words);
    let written = std::fs::create_dir_all(path.parent().unwrap_or(&path))
        .map_err(anyhow::Error::from)
        .and_then(|()| write(&path, text));
    written.map(|()| ExitCode::SUCCESS).map_err(|error| tell_error(&error, global.format, style))
}

/// Lower case words with `_` between them.
fn words(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("_")
}

/// Numbered like the newest file of the folder: the next number, as wide as that one's.
fn path(base: &Path, folder: &Path, kind: Kind, name: &str) -> PathBuf {
    if kind == Kind::Index {
        return base.join(folder).join(format!("{name}.sql"));
    }
    let (sources, _) = Folder::new(base, folder).sources();
    let newest =
        sources.iter().filter_map(|source| Numbered::of(source).ok()).max_by_key(|numbered| numbered.version);
    let (version, width) = newest.map_or((1, 4), |newest| (newest.version + 1, newest.written.len()));
    base.join(folder).join(format!("{version:0width$}_{name}.sql"))
}
