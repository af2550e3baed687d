//! An application at a fixed rate beside what is measured: pgbench, each statement's latency counted from when it was due.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use scratch::Server;

/// Sessions of the application.
pub(crate) const CLIENTS: usize = 8;

/// What the application felt.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Felt {
    /// Milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) worst: f64,
    pub(crate) over_50: u64,
    pub(crate) per_second: f64,
}

/// Traffic under way.
pub(crate) struct Traffic {
    child: Child,
    directory: PathBuf,
}

impl Traffic {
    /// Starts reads and writes of random rows, two statements a transaction, `rate` statements a second; without one, as
    /// many as it comes to.
    pub(crate) fn start(
        server: &Server,
        database: &str,
        (rows, uuid, rate): (u64, bool, Option<u64>),
        core: Option<u32>,
    ) -> Result<Self> {
        let directory = std::env::temp_dir().join(format!("pgdeploy-traffic-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory)?;
        let key = if uuid { "md5(:id::text)::uuid" } else { ":id" };
        let script = directory.join("script.sql");
        std::fs::write(
            &script,
            format!(
                "\\set id random(1, {rows})\nSELECT id, tenant_id, status, score FROM leads WHERE id = {key};\n\\set id random(1, {rows})\n\
                 UPDATE leads SET score = score + 1, updated_at = now() WHERE id = {key};\n"
            ),
        )?;
        let program = server.binaries().program("pgbench");
        let mut command = match core {
            Some(core) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &core.to_string()]).arg(program);
                command
            }
            None => Command::new(program),
        };
        if let Some(rate) = rate {
            command.args(["-R", &(rate / 2).max(1).to_string()]);
        }
        let child = command
            .args([
                "-n",
                "-c",
                &CLIENTS.to_string(),
                "-j",
                "1",
                "-T",
                "3600",
                "-l",
                "--log-prefix=felt",
                "-f",
            ])
            .arg(&script)
            .args(["-h"])
            .arg(server.socket_dir())
            .args(["-U", "postgres", database])
            .current_dir(&directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("pgbench")?;
        Ok(Self { child, directory })
    }

    /// Stops it. What was felt since `began`.
    pub(crate) fn stop(mut self, began: SystemTime) -> Result<Felt> {
        let ended = SystemTime::now();
        // An interrupt is ignored by what a script has started in the background.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        self.child.wait()?;
        let felt = read(&self.directory, (epoch(began), epoch(ended)))?;
        let _ = std::fs::remove_dir_all(&self.directory);
        Ok(felt)
    }
}

fn epoch(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// `client transaction latency script epoch micros lag`: two statements in a transaction. Those that ended in a time.
fn read(directory: &Path, (began, ended): (f64, f64)) -> Result<Felt> {
    let mut latencies = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("felt")) {
            let text = std::fs::read_to_string(&path)?;
            latencies.extend(text.lines().filter_map(|line| {
                let fields: Vec<f64> = line.split(' ').map(|field| field.parse().unwrap_or(0.0)).collect();
                let at = fields.get(4)? + fields.get(5)? / 1e6;
                (at >= began && at <= ended).then_some(fields[2] / 1000.0)
            }));
        }
    }
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| latencies.get((latencies.len() as f64 * share) as usize).copied().unwrap_or(0.0);
    Ok(Felt {
        p50: at(0.5),
        p99: at(0.99),
        worst: latencies.last().copied().unwrap_or(0.0),
        over_50: latencies.iter().filter(|latency| **latency > 50.0).count() as u64,
        per_second: latencies.len() as f64 * 2.0 / (ended - began).max(0.1),
    })
}
