//! Adoption from the real tools: each is installed, migrates a database, and pgdeploy takes that over.
//!
//! Fetching and building the tools takes minutes and a network, so this is no test; the tests run on what it records in
//! `tests/fixtures/adopt`.

mod journey;
mod proxy;
mod tools;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use clap::{Args, ValueEnum};
use scratch::Server;

use crate::table::Table;
use journey::Journey;
use proxy::Proxy;
use tools::Tools;

/// Databases made by the real tools, adopted.
#[derive(Debug, Args)]
pub(crate) struct Adopt {
    /// Only these tools
    #[arg(long, value_enum, value_delimiter = ',')]
    tools: Vec<Real>,
    /// Where they are installed; what is there is used as it is
    #[arg(long, value_name = "DIR", default_value = "target/adopt-tools")]
    home: PathBuf,
    /// The binary; default: beside this one
    #[arg(long, value_name = "FILE")]
    pgdeploy: Option<PathBuf>,
    /// Write the databases, and what the tools in Python print, into tests/fixtures/adopt
    #[arg(long)]
    record: bool,
}

/// A tool that an ordinary package client installs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Real {
    Alembic,
    Django,
    Prisma,
    Dbmate,
    Sqlx,
    Refinery,
}

impl Real {
    pub(crate) const ALL: [Self; 6] =
        [Self::Alembic, Self::Django, Self::Prisma, Self::Dbmate, Self::Sqlx, Self::Refinery];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Real::Alembic => "alembic",
            Real::Django => "django",
            Real::Prisma => "prisma",
            Real::Dbmate => "dbmate",
            Real::Sqlx => "sqlx",
            Real::Refinery => "refinery",
        }
    }
}

impl Adopt {
    pub(crate) async fn measure(&self) -> anyhow::Result<Table> {
        let pgdeploy = match &self.pgdeploy {
            Some(path) => path.clone(),
            None => std::env::current_exe()?.with_file_name("pgdeploy"),
        };
        anyhow::ensure!(pgdeploy.is_file(), "{} is not there: cargo build first", pgdeploy.display());
        let server = tokio::task::spawn_blocking(Server::throwaway).await??;
        // Some of the tools know TCP only.
        let proxy = Proxy::start(server.socket_dir().join(".s.PGSQL.5432")).await?;
        let tools = Tools { home: std::path::absolute(&self.home)? };
        let chosen = if self.tools.is_empty() { &Real::ALL[..] } else { &self.tools };
        let columns =
            ["tool", "version", "init ms", "adopt ms", "applied", "run again", "pending", "new database"];
        let mut table = Table::new("adopted from databases that the tools themselves have made", &columns);
        for tool in chosen {
            let version =
                tools.install(*tool).with_context(|| format!("{} cannot be installed", tool.name()))?;
            let journey = Journey {
                tool: *tool,
                tools: &tools,
                server: &server,
                port: proxy.port,
                pgdeploy: &pgdeploy,
            };
            let started = Instant::now();
            let told =
                journey.go(self.record).await.with_context(|| format!("{} is not adopted", tool.name()))?;
            done(tool.name(), started);
            let figures = [told.init, told.adopt].map(|time| time.as_millis().to_string());
            let [init, adopt] = figures;
            table.row(vec![
                tool.name().into(),
                version,
                init,
                adopt,
                told.imported.to_string(),
                told.run_again.to_string(),
                told.pending.to_string(),
                if told.difference.is_empty() { "the same".into() } else { told.difference.join("; ") },
            ]);
        }
        Ok(table)
    }
}

/// Says on the way which tool is done: the first run takes minutes.
#[allow(clippy::print_stderr)]
fn done(tool: &str, started: Instant) {
    eprintln!("{tool}: {:.1} s", started.elapsed().as_secs_f64());
}
