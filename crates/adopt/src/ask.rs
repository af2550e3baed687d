//! Asking a tool in Python for its SQL, by running it in its project.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sql::{Problem, Source};

use crate::alembic;
use crate::django;
use crate::tool::Tool;
use crate::tree::Tree;

/// A throwaway database for Django to look names up in.
#[derive(Debug, Clone)]
pub struct Scratch {
    /// The directory of the server's socket.
    pub host: String,
    /// The database.
    pub database: String,
    /// The role.
    pub user: String,
}

/// Runs the tool. `command` is what starts it, such as `poetry run alembic`; without it the project's own virtual
/// environment is looked for, and then the PATH.
pub fn ask(
    tool: Tool,
    tree: &Tree,
    command: Option<&str>,
    scratch: Option<&Scratch>,
) -> Result<Source, Vec<Problem>> {
    match tool {
        Tool::Alembic => {
            let home = alembic::home(tree);
            let (program, mut arguments) = start(&home, command, "alembic");
            arguments.extend(alembic::OFFLINE.map(str::to_owned));
            let all = run(&home, &program, &arguments, None, "alembic");
            all.map_err(|problem| one_by_one(tree, &home, command, problem))
        }
        Tool::Django => {
            let home = tree.base();
            if !tree.has("manage.py") {
                return Err(vec![tree.nothing("project of Django (manage.py)", &[""])]);
            }
            let (program, mut arguments) = start(home, command, "python");
            arguments.extend(["-c".to_owned(), django::SCRIPT.to_owned()]);
            run(home, &program, &arguments, scratch, "python").map_err(|problem| vec![problem])
        }
        _ => Err(vec![Problem::with_file("E707", tree.base(), "is not asked: its files are SQL")]),
    }
}

/// The command's words, or the program of the project's virtual environment, or the plain name.
fn start(home: &Path, command: Option<&str>, program: &str) -> (PathBuf, Vec<String>) {
    if let Some(command) = command {
        let mut words = command.split_whitespace().map(str::to_owned);
        return (words.next().unwrap_or_default().into(), words.collect());
    }
    let venv = std::env::var_os("VIRTUAL_ENV").map(PathBuf::from);
    let places = [Some(home.join(".venv")), Some(home.join("venv")), venv];
    let own =
        places.into_iter().flatten().map(|place| place.join("bin").join(program)).find(|path| path.is_file());
    let on_path = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()));
    let plain = if !on_path && program == "python" { "python3" } else { program };
    (own.unwrap_or_else(|| plain.into()), Vec::new())
}

fn run(
    home: &Path,
    program: &Path,
    arguments: &[String],
    scratch: Option<&Scratch>,
    what: &str,
) -> Result<Source, Problem> {
    let failed = |message: String| Problem::with_file("E707", home, message);
    let mut command = Command::new(program);
    command.args(arguments).current_dir(home).stdin(Stdio::null());
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONIOENCODING", "utf-8");
    if let Some(Scratch { host, database, user }) = scratch {
        let settings = serde_json::json!({"HOST": host, "PORT": "", "NAME": database, "USER": user});
        command.env("PGDEPLOY_SCRATCH", settings.to_string());
    }
    let output = command.output().map_err(|error| {
        failed(format!("{} cannot be started: {error}", program.display())).help(format!(
            "install {what} in the project, or say how it is started: --tool-command 'poetry run {what}'; or print the SQL where it is and name it with --sql FILE"
        ))
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said
            .lines()
            .rfind(|line| !line.trim().is_empty())
            .unwrap_or("nothing was said")
            .trim()
            .to_owned();
        return Err(failed(format!("{} failed: {last}", program.display())).help(format!(
            "run it by hand to see all of it, or say how it is started: --tool-command 'poetry run {what}'"
        )));
    }
    Source::from_bytes(Path::new(if what == "alembic" { "alembic.sql" } else { "django.sql" }), output.stdout)
}

/// Some revision cannot be printed: each is tried alone, so that all of them are told.
fn one_by_one(tree: &Tree, home: &Path, command: Option<&str>, whole: Problem) -> Vec<Problem> {
    let Ok(revisions) = alembic::revisions(tree) else { return vec![whole] };
    let (program, start) = start(home, command, "alembic");
    let (mut problems, mut tried) = (Vec::new(), 0);
    // A merge has no SQL, and no single revision before it.
    for revision in revisions.values().filter(|revision| revision.after.len() < 2) {
        tried += 1;
        let from = revision.after.first().map_or("base", String::as_str);
        let range = format!("{from}:{}", revision.id);
        let arguments = [start.clone(), vec!["upgrade".into(), range, "--sql".into()]].concat();
        if let Err(problem) = run(home, &program, &arguments, None, "alembic") {
            let message = format!("revision {} gives no SQL: {}", revision.id, problem.message);
            problems.push(Problem::with_file("E707", &revision.path, message).help(
                "it asks the database while it runs (op.get_bind()): write its SQL by hand into what `alembic upgrade base:heads --sql` prints for the others, and name that with --sql FILE",
            ));
        }
    }
    // Where none works alone, it is not the revisions.
    if problems.is_empty() || problems.len() == tried { vec![whole] } else { problems }
}
