//! `pgdeploy new`: the next file of a kind, with the next number.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sql::{Folder, Numbered};

use crate::arguments::{Global, Kind};
use crate::command::init::write;
use crate::context::{Told, tell_configuration};
use crate::output::tell;
use crate::render::Style;

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
    let words: String =
        name.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    let path = path(pipeline.base_dir(), &folder, kind, &words);
    let written = std::fs::create_dir_all(path.parent().unwrap_or(&path))
        .map_err(anyhow::Error::from)
        .and_then(|()| write(&path, text));
    written.map(|()| ExitCode::SUCCESS).map_err(|error| {
        tell(format_args!("pgdeploy: {error:#}"));
        ExitCode::from(crate::exit::UNUSABLE)
    })
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
