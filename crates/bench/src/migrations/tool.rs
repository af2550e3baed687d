//! How each tool is called.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use scratch::Binaries;

use super::peers;
use super::set::Set;

/// What a tool is asked to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Verb {
    /// Apply what is pending.
    Up,
    /// Say what is.
    Status,
}

/// A program that applies migrations.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    program: PathBuf,
}

/// psql first: it is what the others are compared with.
pub(crate) fn all() -> Result<Vec<Tool>> {
    let peers = peers::directory()?;
    Ok(vec![
        Tool { name: "psql", program: Binaries::find()?.program("psql") },
        pgdeploy()?,
        Tool { name: "sqlx-cli", program: peers.join("bin/sqlx") },
        Tool { name: "refinery_cli", program: peers.join("bin/refinery") },
        Tool { name: "dbmate", program: peers.join("node_modules/.bin/dbmate") },
        Tool { name: "alembic", program: peers.join("venv/bin/alembic") },
    ])
}

/// The release build beside this program.
pub(crate) fn pgdeploy() -> Result<Tool> {
    let program = std::env::current_exe()?.with_file_name("pgdeploy");
    std::fs::metadata(&program).context("no pgdeploy beside this program: cargo build --release")?;
    Ok(Tool { name: "pgdeploy", program })
}

impl Tool {
    pub(crate) fn program(&self) -> &std::path::Path {
        &self.program
    }

    pub(crate) fn is_installed(&self) -> bool {
        self.program.exists()
    }

    /// None where the tool has no such command, or does not look at what is there.
    pub(crate) fn command(&self, verb: Verb, set: &Set, again: bool) -> Option<Command> {
        let mut command = Command::new(&self.program);
        command.current_dir(set.path()).stdin(Stdio::null()).env("NO_COLOR", "1");
        let url = set.url.as_str();
        let socket = set.socket.display();
        match (self.name, verb) {
            ("psql", Verb::Up) if !again => command.args(["-X", "-q", "-f", "raw.sql", url]),
            ("psql", _) => return None,
            ("pgdeploy", Verb::Up) => command.args(["deploy", "--env", "bench"]).env("BENCH_URL", url),
            ("pgdeploy", Verb::Status) => command.args(["status", "--env", "bench"]).env("BENCH_URL", url),
            ("sqlx-cli", Verb::Up) => command.args([
                "migrate",
                "run",
                "--no-dotenv",
                "--source",
                "migrations",
                "--database-url",
                url,
            ]),
            ("sqlx-cli", Verb::Status) => command.args([
                "migrate",
                "info",
                "--no-dotenv",
                "--source",
                "migrations",
                "--database-url",
                url,
            ]),
            ("refinery_cli", Verb::Up) => command.args(["migrate", "-e", "BENCH_URL", "-p", "refinery"]).env(
                "BENCH_URL",
                format!("postgres://postgres@{}/{}", socket.to_string().replace('/', "%2F"), set.database),
            ),
            ("refinery_cli", Verb::Status) => return None,
            ("dbmate", _) => {
                let verb = if verb == Verb::Up { "migrate" } else { "status" };
                let url = format!("postgres://postgres@/{}?socket={socket}&sslmode=disable", set.database);
                command.args(["--url", &url, "--migrations-dir", "dbmate", "--no-dump-schema", verb])
            }
            (_, verb) => {
                let url = format!("postgresql+psycopg://postgres@/{}?host={socket}", set.database);
                command
                    .args(if verb == Verb::Up { ["upgrade", "head"] } else { ["current", "--check-heads"] })
                    .env("SA_URL", url)
            }
        };
        Some(command)
    }
}
