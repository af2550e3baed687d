//! `pgdeploy guard --extract`: rows and indexes moved out of migrations that no database has had.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use guard::{Extraction, PieceKind};
use sql::{Folder, Numbered};

use crate::arguments::{Format, Global, Guard};
use crate::context::existing_database;
use crate::output::{chain, say, tell};
use crate::render::words::counted;
use crate::render::{Style, diff, json};
use crate::told::{Told, tell_configuration, tell_error, tell_failure};

/// What is done to one file.
struct Change {
    path: PathBuf,
    before: Option<String>,
    /// `None`: the file goes.
    after: Option<String>,
}

/// Shows what would be moved, and moves it with `--write`.
pub(crate) async fn run(global: &Global, arguments: &Guard) -> Result<ExitCode, Told> {
    let style = Style::new(global.color);
    let tell_it = |error: pipeline::Error| tell_configuration(&error, global.format, style);
    let pipeline = pipeline::load(&global.config).map_err(tell_it)?;
    let settings = pipeline.settings(&|name| std::env::var(name).ok()).map_err(tell_it)?;
    let base = pipeline.base_dir().to_owned();
    let release = orchestrator::Release::load(&base, &settings).map_err(|problems| {
        tell_failure(&orchestrator::Failure::files(problems), global.format, style, "")
    })?;
    let applied = applied(&pipeline).await?;
    let extractions = orchestrator::extractions(&release, &applied)
        .map_err(|failure| tell_failure(&failure, global.format, style, ""))?;
    let changes =
        changes(&base, &settings, &extractions).map_err(|error| tell_error(&error, global.format, style))?;
    if global.format == Format::Text {
        for change in &changes {
            say(diff::of(&change.path, change.before.as_deref(), change.after.as_deref(), style).trim_end());
        }
        for extraction in &extractions {
            for (place, why) in &extraction.kept {
                say(format_args!("{}:{}:{}: {why}", extraction.path.display(), place.line, place.column));
            }
        }
    } else {
        let files: Vec<_> = changes
            .iter()
            .map(|change| serde_json::json!({"path": change.path, "before": change.before, "after": change.after}))
            .collect();
        let kept: Vec<_> = extractions.iter().flat_map(|extraction| {
            extraction.kept.iter().map(|(place, why)| {
                serde_json::json!({"path": extraction.path, "line": place.line, "column": place.column, "why": why})
            })
        }).collect();
        say(json::pretty(
            &serde_json::json!({"v": 1, "written": arguments.write, "files": files, "kept": kept}),
        ));
    }
    if arguments.write {
        write(&base, &changes).map_err(|error| tell_error(&error, global.format, style))?;
    }
    if global.format == Format::Text {
        say(match (changes.len(), arguments.write) {
            (0, _) => "nothing to move".to_owned(),
            (files, true) => format!("{} written; now: pgdeploy check", counted(files, "file", "files")),
            (files, false) => {
                format!("{} would be written; do it with --write", counted(files, "file", "files"))
            }
        });
    }
    Ok(ExitCode::SUCCESS)
}

/// The versions that any environment has had. Each one that cannot be asked is named: its files may be applied there, and
/// then the next deploy refuses the edit (E102).
async fn applied(pipeline: &pipeline::Pipeline) -> Result<BTreeSet<u64>, Told> {
    let mut versions = BTreeSet::new();
    for environment in pipeline.environments() {
        let name = environment.name;
        match asked(pipeline, name).await {
            Ok(found) => versions.extend(found),
            Err(why) => tell(format_args!("not asked: {name} ({why}); its files are taken to be new")),
        }
    }
    Ok(versions)
}

async fn asked(pipeline: &pipeline::Pipeline, name: &str) -> Result<BTreeSet<u64>, String> {
    let environment = pipeline.environment(name, &|name| std::env::var(name).ok()).map_err(|error| {
        error.problems.first().map_or_else(String::new, |problem| problem.message.clone())
    })?;
    if environment.fleet.is_some() {
        return Err("it is a fleet".into());
    }
    let existing = existing_database(pipeline, &environment).await;
    let Some(database) = existing.map_err(|error| chain(&error))? else {
        return Ok(BTreeSet::new());
    };
    let found = orchestrator::applied_versions(&database.target, pipeline.ledger_schema()).await;
    database.stop().await;
    found.map_err(|error| error.to_string())
}

fn changes(
    base: &Path,
    settings: &pipeline::Settings,
    extractions: &[Extraction],
) -> anyhow::Result<Vec<Change>> {
    let mut changes = Vec::new();
    let mut indexes: BTreeMap<PathBuf, String> = BTreeMap::new();
    let (sources, _) = Folder::new(base, &settings.backfill.path).sources();
    let newest =
        sources.iter().filter_map(|source| Numbered::of(source).ok()).max_by_key(|each| each.version);
    let (mut number, width) = newest.map_or((0, 4), |newest| (newest.version, newest.written.len()));
    for extraction in extractions.iter().filter(|extraction| !extraction.pieces.is_empty()) {
        let before = Some(read(&base.join(&extraction.path))?);
        changes.push(Change { path: extraction.path.clone(), before, after: extraction.rest.clone() });
        for piece in &extraction.pieces {
            let name: String =
                piece.name.chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '_' }).collect();
            match piece.kind {
                PieceKind::Backfill => {
                    number += 1;
                    let path = settings.backfill.path.join(format!("{number:0width$}_{name}.sql"));
                    changes.push(Change { path, before: None, after: Some(piece.text.clone()) });
                }
                PieceKind::Index => {
                    let path = settings.index.path.join(format!("{name}.sql"));
                    indexes.entry(path).or_default().push_str(&piece.text);
                }
            }
        }
    }
    for (path, added) in indexes {
        let full = base.join(&path);
        let before = if full.exists() { Some(read(&full)?) } else { None };
        let after = match &before {
            Some(text) => format!("{}\n\n{added}", text.trim_end()),
            None => added,
        };
        changes.push(Change { path, before, after: Some(after) });
    }
    Ok(changes)
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// New files first: if one of them cannot be written, nothing is lost.
fn write(base: &Path, changes: &[Change]) -> anyhow::Result<()> {
    let (new, old): (Vec<&Change>, Vec<&Change>) = changes.iter().partition(|change| change.before.is_none());
    for change in new.into_iter().chain(old) {
        let path = base.join(&change.path);
        let failed = || format!("{} cannot be written", path.display());
        match &change.after {
            Some(text) => {
                std::fs::create_dir_all(path.parent().unwrap_or(base)).with_context(failed)?;
                std::fs::write(&path, text).with_context(failed)?;
            }
            None => std::fs::remove_file(&path).with_context(failed)?,
        }
    }
    Ok(())
}
