//! `pgdeploy init --from`: a pipeline and its files out of the project of another tool.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use adopt::write::{self, NewFile};
use adopt::{Carried, MANIFEST_FILE, Placed, Project, Record, Scratch, Tool, Tree};
use guard::{Finding, GRANDFATHERED_FILE, Grandfathered, Judge, Knowledge};
use orchestrator::{Failure, unreadable};
use postgres::Target;
use scratch::Server;
use sql::{Problem, Source};

use crate::arguments::{Global, Init};
use crate::command::init;
use crate::output::{chain, say};
use crate::render::{Style, adoption};
use crate::told::{Told, tell_error, tell_failure};

/// What the database says, where one was named.
struct Found {
    table: String,
    records: Vec<Record>,
}

/// Everything that will be shown and written.
pub(crate) struct Outcome {
    pub(crate) tool: Tool,
    pub(crate) placed: Vec<Placed>,
    pub(crate) table: Option<String>,
    pub(crate) carried: Option<Carried>,
    pub(crate) notes: Vec<String>,
    /// Findings of the guard in what is applied already.
    pub(crate) excused: Vec<Finding>,
    /// Findings of the guard that stand.
    pub(crate) standing: Vec<Finding>,
    pub(crate) files: Vec<NewFile>,
    /// What was written; `None` where it was only looked at.
    pub(crate) written: Option<Vec<PathBuf>>,
    pub(crate) environment: String,
}

pub(crate) async fn run(global: &Global, arguments: &Init, from: Tool) -> Result<ExitCode, Told> {
    if arguments.print_script {
        return print_script(global, from);
    }
    let style = Style::new(global.color);
    let tell = |problems: Vec<Problem>| tell_failure(&Failure::files(problems), global.format, style, "");
    let base = base(&global.config);
    let source = arguments.source.clone().unwrap_or_else(|| base.clone());
    let tree = Tree::list(&source).map_err(|problem| tell(vec![problem]))?;
    let project = read(from, tree, arguments).await.map_err(tell)?;
    let found = match &arguments.database {
        Some(url) => Some(
            history(from, url, &project, arguments)
                .await
                .map_err(|failure| tell_failure(&failure, global.format, style, &arguments.environment))?,
        ),
        None => None,
    };
    let outcome = put_together(from, &base, project, found, arguments).map_err(tell)?;
    let outcome = if arguments.dry_run {
        outcome
    } else {
        outcome.write(&base).map_err(|error| tell_error(&error, global.format, style))?
    };
    adoption::show(&outcome, global.format, style);
    Ok(ExitCode::SUCCESS)
}

fn print_script(global: &Global, tool: Tool) -> Result<ExitCode, Told> {
    if tool != Tool::Django {
        let name = tool.name();
        let message = anyhow::anyhow!("--print-script is for Django: {name} needs no script");
        return Err(tell_error(&message, global.format, Style::new(global.color)));
    }
    say(adopt::DJANGO_SCRIPT.trim_end());
    Ok(ExitCode::SUCCESS)
}

/// The pipeline's directory.
fn base(config: &Path) -> PathBuf {
    config.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// Reads the tool's project, having the tool print its SQL where that is the only way. Programs are waited for with
/// blocking calls.
async fn read(tool: Tool, tree: Tree, arguments: &Init) -> Result<Project, Vec<Problem>> {
    let (command, printed) = (arguments.tool_command.clone(), arguments.sql.clone());
    let work = move || {
        let printed = match printed {
            Some(path) => Some(printed_before(&path).map_err(|problem| vec![problem])?),
            None if tool == Tool::Django => {
                let server = throwaway(&tree)?;
                let database = Scratch {
                    host: server.socket_dir().display().to_string(),
                    database: "postgres".into(),
                    user: "postgres".into(),
                };
                Some(adopt::ask(tool, &tree, command.as_deref(), Some(&database))?)
            }
            None if tool.is_python() => Some(adopt::ask(tool, &tree, command.as_deref(), None)?),
            None => None,
        };
        tool.read(&tree, printed.as_ref())
    };
    let gave_up = || vec![Problem::with_file("E707", Path::new(""), "reading the project was interrupted")];
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(gave_up()))
}

fn printed_before(path: &Path) -> Result<Source, Problem> {
    let bytes = std::fs::read(path)
        .map_err(|error| Problem::with_file("E210", path, format!("cannot be read: {error}")))?;
    Source::from_bytes(path, bytes)
}

fn throwaway(tree: &Tree) -> Result<Server, Vec<Problem>> {
    Server::throwaway().map_err(|error| {
        let message = format!("no throwaway server could be started for Django to look names up in: {error}");
        vec![Problem::with_file("E707", tree.base(), message)]
    })
}

/// The history of the database that was named.
async fn history(
    tool: Tool,
    url: &secrecy::SecretString,
    project: &Project,
    arguments: &Init,
) -> Result<Found, Failure> {
    let mut session = Target::parse(url)
        .map_err(Failure::session)?
        .connect_read_only("init")
        .await
        .map_err(Failure::session)?;
    let table = adopt::table::read(&mut session, tool, arguments.history_table.as_deref())
        .await
        .map_err(unreadable)?;
    session.close().await;
    let entries: Vec<adopt::Entry> = project.scripts.iter().map(adopt::Entry::from).collect();
    let records = tool.records(&table.rows, &entries).ok_or_else(|| {
        let message = format!("holds rows that {} does not write", tool.name());
        Failure::adoption(vec![Problem::with_file("E716", Path::new(&table.name), message)])
    })?;
    Ok(Found { table: table.name, records })
}

fn put_together(
    tool: Tool,
    base: &Path,
    project: Project,
    found: Option<Found>,
    arguments: &Init,
) -> Result<Outcome, Vec<Problem>> {
    let notes = project.notes.clone();
    let records = found.as_ref().map(|found| found.records.as_slice());
    let placed = adopt::order(tool, project, records, &arguments.order)?;
    let into = |folder: &Path| write::files(tool, arguments.history_table.clone(), &placed, folder);
    let folder = match &arguments.into {
        Some(folder) => folder.as_path(),
        None => write::folder(base, &[Path::new("migrations"), Path::new("pgdeploy/migrations")], |folder| {
            into(folder).files
        }),
    };
    let written = into(folder);
    let carried =
        records.map(|records| adopt::carry(&written.manifest.migrations, records, &Default::default()));
    let (excused, standing) = judged(&written.files, carried.as_ref(), &written.manifest);
    let mut files = written.files;
    let mixed = write::foreign(base, folder, &files);
    let mut problems: Vec<Problem> = mixed
        .iter()
        .filter(|path| files.iter().all(|file| file.path != **path))
        .map(|path| mixed_in(path))
        .collect();
    files.push(NewFile { path: MANIFEST_FILE.into(), text: written.manifest.text() });
    let pipeline = init::pipeline_text(base, &arguments.environment, Some(folder));
    let pipeline = pipeline.map_err(|error| vec![Problem::with_file("E210", base, chain(&error))])?;
    files.push(NewFile { path: "pipeline.yaml".into(), text: pipeline });
    files.push(NewFile { path: "pipeline.schema.json".into(), text: init::schema_text() });
    if !excused.is_empty() {
        let reason = format!("imported from {}: applied before pgdeploy", tool.name());
        let list = Grandfathered::of(&excused, &reason).text();
        let list = list.map_err(|error| {
            vec![Problem::with_file("E504", Path::new(GRANDFATHERED_FILE), error.to_string())]
        })?;
        files.push(NewFile { path: GRANDFATHERED_FILE.into(), text: list });
    }
    problems.extend(write::in_the_way(base, &files));
    if !problems.is_empty() {
        return Err(problems);
    }
    let environment = arguments.environment.clone();
    let table = found.map(|found| found.table);
    Ok(Outcome { tool, placed, table, carried, notes, excused, standing, files, written: None, environment })
}

fn mixed_in(path: &Path) -> Problem {
    Problem::with_file("E715", path, "is in the folder for the migrations, and would become one of them")
        .help("name an empty folder with --into, or move the file away")
}

/// What the guard says. What a database has had already cannot change any more and goes on the list of old findings, where
/// `check` counts it; what is pending has to be settled like any new file.
fn judged(
    files: &[NewFile],
    carried: Option<&Carried>,
    manifest: &adopt::Manifest,
) -> (Vec<Finding>, Vec<Finding>) {
    let pending: Vec<&str> = carried
        .into_iter()
        .flat_map(|carried| &carried.pending)
        .filter_map(|at| manifest.migrations[*at].file.as_deref())
        .collect();
    let mut judge = Judge::new(Knowledge::default());
    let up = files.iter().filter(|file| !file.path.to_string_lossy().ends_with(".down.sql"));
    let sources = up.filter_map(|file| Source::from_bytes(&file.path, file.text.clone().into()).ok());
    let findings: Vec<Finding> = sources.flat_map(|source| judge.migration(&source)).collect();
    findings.into_iter().partition(|finding| {
        let stem = finding.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("");
        finding.is_listable() && !pending.contains(&stem)
    })
}

impl Outcome {
    fn write(self, base: &Path) -> anyhow::Result<Self> {
        let written = write::write(base, &self.files).map_err(|(path, error)| {
            anyhow::Error::from(error).context(format!("{} cannot be written; nothing was", path.display()))
        })?;
        Ok(Self { written: Some(written), ..self })
    }
}
