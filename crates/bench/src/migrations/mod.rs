//! The same small migrations by pgdeploy, by its peers, and by psql in the same transactions: fresh, again, `status`.

mod peers;
mod set;
mod tool;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scratch::Server;

use crate::table::Table;
use set::Set;
use tool::{Tool, Verb};

/// The program of ours, built beside this one.
pub(crate) fn pgdeploy() -> Result<std::path::PathBuf> {
    Ok(tool::pgdeploy()?.program().to_owned())
}

/// Many small migrations, by pgdeploy and by its peers, beside psql doing the same transactions
#[derive(Debug, clap::Args)]
pub(crate) struct Migrations {
    /// How many files; each number is measured fresh, the last also with nothing to do, and its status.
    #[arg(long, value_delimiter = ',', default_value = "127,1000")]
    files: Vec<usize>,
    /// Rounds; the medians count.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Installs the peers into target/peers, by cargo, npm and pip, instead of measuring.
    #[arg(long)]
    peers: bool,
    /// Measures the memory of pgdeploy with this many files instead.
    #[arg(long, value_name = "FILES")]
    memory: Option<usize>,
    /// Only these tools, beside psql.
    tools: Vec<String>,
}

impl Migrations {
    pub(crate) fn measure(&self) -> Result<Table> {
        let tools = tool::all()?;
        if self.peers {
            return peers::install();
        }
        // As a server in use: every COMMIT waits for the disk.
        let server = Server::builder()
            .setting("fsync", "on")
            .setting("full_page_writes", "on")
            .setting("max_wal_size", "8GB")
            .setting("checkpoint_timeout", "1h")
            .start()?;
        if let Some(files) = self.memory {
            return memory(&server, files);
        }
        let wanted = |tool: &&Tool| {
            tool.name == "psql" || self.tools.is_empty() || self.tools.iter().any(|name| name == tool.name)
        };
        let tools: Vec<&Tool> = tools.iter().filter(wanted).filter(|tool| tool.is_installed()).collect();
        let mut columns = vec!["tool".to_owned()];
        let mut cells: Vec<Vec<String>> = tools.iter().map(|tool| vec![tool.name.to_owned()]).collect();
        for (nth, files) in self.files.iter().enumerate() {
            let is_last = nth + 1 == self.files.len();
            columns.extend([format!("{files} files, fresh"), "of psql".to_owned()]);
            if is_last {
                columns.extend(["nothing to do".to_owned(), "status".to_owned()]);
            }
            let medians = self.set(&server, &tools, *files, is_last)?;
            let psql = medians[0][0].unwrap_or_default();
            for (row, of_tool) in cells.iter_mut().zip(&medians) {
                row.push(shown(of_tool[0]));
                row.push(
                    of_tool[0].map_or(String::new(), |took| {
                        format!("{:.2}", took.as_secs_f64() / psql.as_secs_f64())
                    }),
                );
                if is_last {
                    row.extend(of_tool[1..].iter().map(|took| shown(*took)));
                }
            }
        }
        let title =
            format!("small migrations, one transaction each; medians of {} rounds, fsync on", self.rounds);
        let mut table = Table::new(title, &columns.iter().map(String::as_str).collect::<Vec<_>>());
        cells.into_iter().for_each(|row| table.row(row));
        Ok(table)
    }

    /// The medians of each tool: fresh, nothing to do, status.
    fn set(
        &self,
        server: &Server,
        tools: &[&Tool],
        files: usize,
        again: bool,
    ) -> Result<Vec<[Option<Duration>; 3]>> {
        let mut took: Vec<[Vec<Duration>; 3]> = tools.iter().map(|_| Default::default()).collect();
        for round in 0..self.rounds {
            // In turn, and each round in another order: nobody has the fresh or the tired disk alone.
            for place in 0..tools.len() {
                let nth = (place + round) % tools.len();
                let tool = tools[nth];
                let database = format!("{}_{files}_{round}", tool.name.replace('-', "_"));
                server.create_database(&database)?;
                let set = Set::new(files, &server.url(&database), server.socket_dir(), &database)?;
                let verbs = if again { &[Verb::Up, Verb::Up, Verb::Status][..] } else { &[Verb::Up] };
                for (kind, verb) in verbs.iter().enumerate() {
                    if let Some(mut command) = tool.command(*verb, &set, kind > 0) {
                        let started = std::time::Instant::now();
                        let output = command.output().with_context(|| tool.name)?;
                        took[nth][kind].push(started.elapsed());
                        ensure!(
                            output.status.success(),
                            "{}: {}{}",
                            tool.name,
                            String::from_utf8_lossy(&output.stdout),
                            String::from_utf8_lossy(&output.stderr)
                        );
                    }
                }
                set.ensure_complete(server)?;
            }
        }
        Ok(took.into_iter().map(|of_tool| of_tool.map(median)).collect())
    }
}

fn median(mut took: Vec<Duration>) -> Option<Duration> {
    took.sort_unstable();
    took.get(took.len() / 2).copied()
}

fn shown(took: Option<Duration>) -> String {
    took.map_or("-".to_owned(), |took| format!("{:.0} ms", took.as_secs_f64() * 1000.0))
}

/// The largest resident set of pgdeploy's process, fresh and with nothing to do.
fn memory(server: &Server, files: usize) -> Result<Table> {
    let mut table = Table::new(format!("pgdeploy with {files} files"), &["command", "resident", "took"]);
    server.create_database("memory")?;
    let set = Set::new(files, &server.url("memory"), server.socket_dir(), "memory")?;
    let pgdeploy = tool::pgdeploy()?;
    for (what, verb) in
        [("deploy, fresh", Verb::Up), ("deploy, nothing to do", Verb::Up), ("status", Verb::Status)]
    {
        let mut command = pgdeploy.command(verb, &set, false).context("pgdeploy")?;
        let started = std::time::Instant::now();
        let mut child = command.stdout(std::process::Stdio::null()).spawn()?;
        let status = std::path::PathBuf::from(format!("/proc/{}/status", child.id()));
        let mut peak = 0;
        let ended = loop {
            // The high-water mark only grows: the last reading before the end is it, to a few milliseconds.
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
            peak = peak.max(kilobytes.unwrap_or(0));
            if let Some(ended) = child.try_wait()? {
                break ended;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        ensure!(ended.success(), "{what}: {ended}");
        table.row(vec![
            what.to_owned(),
            format!("{:.1} MB", peak as f64 / 1024.0),
            shown(Some(started.elapsed())),
        ]);
    }
    Ok(table)
}
