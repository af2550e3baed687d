//! The guard beside squawk and eugene on the guard's corpus: what each finds, what it is alarmed at, and how long it takes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ::guard::{AuditSettings, Finding, Judge, Knowledge, Source};
use anyhow::{Context, Result, bail};

use crate::table::Table;

/// The guard beside squawk (npm squawk-cli) and eugene on the guard's corpus
#[derive(Debug, clap::Args)]
pub(crate) struct Guard {
    /// A squawk that is there already; otherwise npm installs it into a temporary directory.
    #[arg(long, value_name = "PROGRAM")]
    squawk: Option<PathBuf>,
    /// A eugene that is there already; otherwise cargo builds it into a temporary directory.
    #[arg(long, value_name = "PROGRAM")]
    eugene: Option<PathBuf>,
    /// Only ourselves.
    #[arg(long)]
    alone: bool,
}

/// One file of the corpus.
struct File {
    path: PathBuf,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rows,
    Index,
    Ddl,
    Safe,
}

/// Rules about rows and about indexes; all others are about other DDL.
const ROWS: [&str; 4] = ["dml-", "unknown-", "row-locks", "set-sequence"];
const INDEXES: [&str; 7] = [
    "create-index",
    "drop-index",
    "reindex",
    "concurrently-in-transaction",
    "add-unique",
    "column-unique",
    "nullable-primary-key",
];

/// What is taste, or asks for settings that a deploy makes by itself: it counts for neither side.
const SQUAWK_STYLE: &str = "prefer-robust-stmts,prefer-bigint-over-int,prefer-bigint-over-smallint,prefer-text-field,\
    prefer-timestamp-tz,prefer-identity,ban-char-field,require-lock-timeout,require-statement-timeout";
const EUGENE_STYLE: [&str; 2] = ["E3", "E9"];

impl Guard {
    pub(crate) fn measure(&self) -> Result<Table> {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guard/tests/corpus");
        let files = files(&corpus)?;
        let thousand = tempfile::tempdir()?;
        for (at, file) in files.iter().cycle().take(1_000).enumerate() {
            std::fs::copy(&file.path, thousand.path().join(format!("{at:04}_x.sql")))?;
        }
        let title = format!("{} files; style rules left out", files.len());
        let columns =
            ["tool", "rows", "indexes", "other DDL", "false alarms", "1,000 files", "memory", "audit of 127"];
        let mut table = Table::new(title, &columns);
        let speed = own_speed(thousand.path())?;
        table.row(row(
            "pgdeploy",
            &files,
            |file| refuses(&file.path),
            [shown(speed.thousand), format!("{} MB", speed.peak_kib / 1024), shown(speed.audit)],
        )?);
        if self.alone {
            return Ok(table);
        }
        let tools = tempfile::tempdir()?;
        let squawk = match &self.squawk {
            Some(program) => program.clone(),
            None => install_squawk(tools.path())?,
        };
        let took =
            timed(Command::new(&squawk).args(["--exclude", SQUAWK_STYLE]).args(paths(thousand.path())?))?;
        let name = version(&squawk)?;
        let found =
            |file: &File| flagged(Command::new(&squawk).args(["--exclude", SQUAWK_STYLE]).arg(&file.path));
        table.row(row(&name, &files, found, [shown(took), "-".into(), "-".into()])?);
        let eugene = match &self.eugene {
            Some(program) => program.clone(),
            None => install_eugene(tools.path())?,
        };
        let lint = |path: &Path| {
            let mut command = Command::new(&eugene);
            command
                .args(["lint", "--format", "json"])
                .args(EUGENE_STYLE.iter().flat_map(|style| ["-i", style]));
            command.arg(path);
            command
        };
        let took = timed(&mut lint(thousand.path()))?;
        let found = |file: &File| -> Result<bool> {
            let output = lint(&file.path).stderr(Stdio::null()).output()?;
            // A file that it cannot read is not one that it has found something in.
            Ok(String::from_utf8_lossy(&output.stdout).contains("\"passed_all_checks\": false"))
        };
        table.row(row(&version(&eugene)?, &files, found, [shown(took), "-".into(), "-".into()])?);
        Ok(table)
    }
}

fn files(corpus: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for folder in ["safe", "unsafe"] {
        for path in paths(&corpus.join(folder))? {
            let text = std::fs::read_to_string(&path)?;
            let expected =
                text.lines().next().and_then(|line| line.strip_prefix("-- expect: ")).unwrap_or_default();
            let kind = match folder {
                "safe" => Kind::Safe,
                // What is wrong with an acceptance is ours alone.
                _ if expected.contains("acceptance") => continue,
                _ if ROWS.iter().any(|rule| expected.starts_with(rule)) => Kind::Rows,
                _ if INDEXES.contains(&expected) => Kind::Index,
                _ => Kind::Ddl,
            };
            files.push(File { path, kind });
        }
    }
    Ok(files)
}

fn paths(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}

fn row(
    name: &str,
    files: &[File],
    found: impl Fn(&File) -> Result<bool>,
    speed: [String; 3],
) -> Result<Vec<String>> {
    let mut cells = vec![name.to_owned()];
    for kind in [Kind::Rows, Kind::Index, Kind::Ddl, Kind::Safe] {
        let of: Vec<&File> = files.iter().filter(|file| file.kind == kind).collect();
        let mut flagged = 0;
        for file in &of {
            flagged += usize::from(found(file)?);
        }
        cells.push(format!("{flagged} of {}", of.len()));
    }
    cells.extend(speed);
    Ok(cells)
}

fn source(path: &Path) -> Result<Source> {
    Source::from_bytes(path, std::fs::read(path)?).map_err(|problem| anyhow::anyhow!("{problem}"))
}

fn refuses(path: &Path) -> Result<bool> {
    Ok(Judge::new(Knowledge::default()).migration(&source(path)?).iter().any(Finding::refuses))
}

struct Speed {
    thousand: Duration,
    peak_kib: u64,
    audit: Duration,
}

/// One thread, files read from disk, one judge that keeps what they make.
fn own_speed(thousand: &Path) -> Result<Speed> {
    let started = Instant::now();
    let mut judge = Judge::new(Knowledge::default());
    let mut found = 0;
    for path in paths(thousand)? {
        found += judge.migration(&source(&path)?).len();
    }
    let took = started.elapsed();
    anyhow::ensure!(found > 0, "nothing was found");
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse().ok());
    Ok(Speed { thousand: took, peak_kib: peak.unwrap_or(0), audit: audit()? })
}

/// 127 files of which 25 hold a backfill.
fn audit() -> Result<Duration> {
    let folder = tempfile::tempdir()?;
    for at in 0..127 {
        let ddl = format!("ALTER TABLE t{at} ADD COLUMN a{at} text;\nCOMMENT ON TABLE t{at} IS 'x';\n");
        let rows =
            if at % 5 == 0 && at < 125 { format!("UPDATE t{at} SET a{at} = 'x';\n") } else { String::new() };
        std::fs::write(folder.path().join(format!("{at:04}_x.sql")), ddl + &rows)?;
    }
    let started = Instant::now();
    let audit = ::guard::audit(folder.path(), &AuditSettings::default())?;
    let took = started.elapsed();
    anyhow::ensure!((audit.files, audit.backfills().len()) == (127, 25), "{}", audit.markdown());
    Ok(took)
}

fn flagged(command: &mut Command) -> Result<bool> {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    Ok(!status.success())
}

fn timed(command: &mut Command) -> Result<Duration> {
    let started = Instant::now();
    flagged(command)?;
    Ok(started.elapsed())
}

fn version(program: &Path) -> Result<String> {
    let output = Command::new(program).arg("--version").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn install_squawk(folder: &Path) -> Result<PathBuf> {
    run(Command::new("npm")
        .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
        .arg(folder)
        .arg("squawk-cli"))?;
    Ok(folder.join("node_modules/.bin/squawk"))
}

fn install_eugene(folder: &Path) -> Result<PathBuf> {
    run(Command::new("cargo").args(["install", "--quiet", "--locked", "--root"]).arg(folder).arg("eugene"))?;
    Ok(folder.join("bin/eugene"))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    if status.success() { Ok(()) } else { bail!("{command:?}: {status}") }
}

fn shown(duration: Duration) -> String {
    format!("{:.0} ms", duration.as_secs_f64() * 1_000.0)
}
