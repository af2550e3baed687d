//! Django: migrations in Python, of every installed app; a script of ours asks Django for graph and SQL.

use serde::Deserialize;
use sql::{Problem, Source};

use crate::body::{Body, Ran};
use crate::history::{Record, Row};
use crate::script::{Project, Script};

/// Runs in the project's own Python, on an empty database that `PGDEPLOY_SCRATCH` names: some operations look names up in
/// the catalog, so each migration's SQL is run there before the next is asked for.
pub const SCRIPT: &str = include_str!("django_export.py");

const MARK: &str = "-- pgdeploy: django ";

/// A line of [`SCRIPT`]'s output.
#[derive(Deserialize)]
struct Migration {
    app: String,
    name: String,
    after: Vec<String>,
    replaces: Vec<String>,
    atomic: bool,
    not_carried: Vec<String>,
}

/// Reads what [`SCRIPT`] has printed.
pub(crate) fn project(printed: &Source) -> Result<Project, Vec<Problem>> {
    let (mut marks, mut at) = (Vec::new(), 0);
    for line in printed.text.split_inclusive('\n') {
        if let Some(json) = line.strip_prefix(MARK) {
            let migration: Migration = serde_json::from_str(json.trim()).map_err(|error| {
                vec![Problem::at(
                    "E707",
                    printed,
                    at..at + line.len() - 1,
                    format!("cannot be read: {error}"),
                )]
            })?;
            marks.push((migration, at, at + line.len()));
        }
        at += line.len();
    }
    if marks.is_empty() {
        return Err(vec![Problem::with_file("E707", &printed.path, "holds no migration of Django")]);
    }
    let ends: Vec<usize> = marks.iter().skip(1).map(|mark| mark.1).chain([printed.text.len()]).collect();
    let (mut project, mut problems) = (Project::default(), Vec::new());
    for ((migration, _, start), end) in marks.into_iter().zip(ends) {
        let ran = if migration.atomic { Ran::InTransaction } else { Ran::Bare };
        match Body::part(printed, &(start..end), ran) {
            Ok(body) => project.scripts.push(script(migration, body)),
            Err(found) => problems.extend(found),
        }
    }
    for script in project.scripts.iter().filter(|script| !script.not_carried.is_empty()) {
        project.notes.push(format!(
            "{}: {} is Python and not carried over: where it has not run yet, run it with Django",
            script.id,
            script.not_carried.join(", ")
        ));
    }
    if problems.is_empty() { Ok(project) } else { Err(problems) }
}

fn script(migration: Migration, body: Body) -> Script {
    let Migration { app, name, after, replaces, not_carried, .. } = migration;
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    let about = format!("{app}_{}", name[digits..].trim_start_matches('_'));
    let path = format!("{app}/migrations/{name}.py").into();
    Script { after, replaces, not_carried, ..Script::new(format!("{app}.{name}"), about, path, body) }
}

pub(crate) fn record(row: &Row<'_>) -> Option<Record> {
    let id = format!("{}.{}", row.text("app")?, row.text("name")?);
    Some(Record { applied_at: row.text("applied"), ..Record::of(id) })
}
