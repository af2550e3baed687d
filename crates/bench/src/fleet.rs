//! One release over many databases: with some that fail, and with nothing to do. What has to come of it is asserted.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use postgres::{Row, Session, Target};
use scratch::Server;
use secrecy::SecretString;
use tokio::process::Command;

use crate::migrations::pgdeploy;
use crate::table::Table;

/// One release over many databases in waves, three of them broken and two unreachable; or, over more, with nothing to do
#[derive(Debug, clap::Args)]
pub(crate) struct Fleet {
    /// How many databases.
    #[arg(long, default_value_t = 200)]
    databases: usize,
    /// How many may be at work at once.
    #[arg(long, default_value_t = 8)]
    parallel: usize,
    /// Only a release that every database has already.
    #[arg(long)]
    nothing_to_do: bool,
}

/// What was seen of a run.
struct Seen {
    exit: i32,
    took: Duration,
    connections: i64,
    memory: u64,
    result: serde_json::Value,
}

impl Fleet {
    pub(crate) async fn measure(&self) -> Result<Table> {
        let server =
            Server::builder().setting("max_connections", "300").setting("autovacuum", "off").start()?;
        let project = tempfile::tempdir()?;
        server.create_database("control")?;
        server.create_database("template")?;
        let mut control = Target::parse(&SecretString::from(server.url("control")))?.connect("bench").await?;
        std::fs::create_dir(project.path().join("migrations"))?;
        std::fs::write(
            project.path().join("migrations/0001_a.sql"),
            "CREATE TABLE a (id int PRIMARY KEY, b text);",
        )?;
        let columns =
            ["run", "exit", "time", "done", "up to date", "failed", "untouched", "connections", "memory"];
        let title = format!("{} databases on one server, max_parallel {}", self.databases, self.parallel);
        let mut table = Table::new(title, &columns);
        if self.nothing_to_do {
            self.write(project.path(), &server, 0, &[])?;
            let first =
                self.run(project.path(), &["deploy", "--env", "template"], &server, &mut control).await?;
            ensure!(first.exit == 0, "the template: {}", first.result);
            self.create("template", &mut control).await?;
            for name in ["nothing to do", "again"] {
                let seen =
                    self.run(project.path(), &["deploy", "--env", "shards"], &server, &mut control).await?;
                ensure!(seen.exit == 0 && seen.result["nothing_to_do"] == true, "{}", seen.result);
                self.row(&mut table, name, &seen);
            }
            return Ok(table);
        }
        self.create("template0", &mut control).await?;
        // In the second wave, and in the third.
        let broken = [self.databases / 20, self.databases / 2, self.databases - 2];
        let gone = [self.databases / 2 + 1, self.databases - 1];
        for number in broken {
            control.run(&format!("ALTER DATABASE shard_{number} SET search_path TO nowhere")).await?;
        }
        let deploy = ["deploy", "--env", "shards"];
        self.write(project.path(), &server, 0, &gone)?;
        let seen = self.run(project.path(), &deploy, &server, &mut control).await?;
        self.row(&mut table, "budget 0", &seen);
        ensure!(seen.exit == 8 && seen.result["failure"]["code"] == "E477", "{}", seen.result);
        let waves = seen.result["waves"].as_array().context("waves")?;
        ensure!(waves.len() == 2, "it ends in the second wave: {waves:?}");
        let third: i64 = self.having(&server, self.databases / 5..self.databases, &gone).await?;
        ensure!(third == 0, "the third wave is untouched: {third}");
        self.write(project.path(), &server, 5, &gone)?;
        let seen = self.run(project.path(), &deploy, &server, &mut control).await?;
        self.row(&mut table, "budget 5", &seen);
        ensure!(
            seen.exit == 0 && seen.result["failed"].as_array().is_some_and(|failed| failed.len() == 5),
            "{}",
            seen.result
        );
        for number in broken {
            control.run(&format!("ALTER DATABASE shard_{number} RESET search_path")).await?;
        }
        self.write(project.path(), &server, 0, &[])?;
        let retry = ["fleet", "retry", "--failed", "--env", "shards"];
        let seen = self.run(project.path(), &retry, &server, &mut control).await?;
        self.row(&mut table, "retry --failed", &seen);
        ensure!(seen.exit == 0, "{}", seen.result);
        ensure!(self.having(&server, 0..self.databases, &[]).await? == self.databases as i64, "all have it");
        let seen = self.run(project.path(), &deploy, &server, &mut control).await?;
        self.row(&mut table, "nothing to do", &seen);
        ensure!(seen.exit == 0 && seen.result["nothing_to_do"] == true, "{}", seen.result);
        Ok(table)
    }

    async fn create(&self, template: &str, control: &mut Session) -> Result<()> {
        for number in 0..self.databases {
            control.run(&format!("CREATE DATABASE shard_{number} TEMPLATE {template}")).await?;
        }
        control.run("CHECKPOINT").await?;
        Ok(())
    }

    /// How many of some have the release.
    async fn having(&self, server: &Server, numbers: std::ops::Range<usize>, but: &[usize]) -> Result<i64> {
        let mut having = 0;
        for number in numbers.filter(|number| !but.contains(number)) {
            let url = SecretString::from(server.url(&format!("shard_{number}")));
            let mut session = Target::parse(&url)?.connect("bench").await?;
            let there =
                session.one("SELECT count(*) FROM pg_catalog.pg_tables WHERE tablename = 'a'").await?;
            having += there.try_get::<i64, _>(0)?;
            session.close().await;
        }
        Ok(having)
    }

    fn write(&self, project: &Path, server: &Server, budget: usize, gone: &[usize]) -> Result<()> {
        let pipeline = format!(
            "version: 1\nname: bench\nconnect: {{ wait: 1s }}\nenvironments:\n  template: {{ database: \"${{TEMPLATE}}\" }}\n  \
             shards:\n    database: \"${{CONTROL}}\"\n    fleet:\n      file: databases\n      max_parallel: {}\n      \
             failure_budget: {budget}\n      waves:\n        - {{ name: canary, take: 1% }}\n        - {{ name: tenth, take: 10% }}\n        \
             - {{ name: rest }}\n",
            self.parallel
        );
        std::fs::write(project.join("pipeline.yaml"), pipeline)?;
        let url = |number| match gone.contains(&number) {
            true => format!("postgresql://u@127.0.0.1:1/shard_{number}"),
            false => server.url(&format!("shard_{number}")),
        };
        let lines: String =
            (0..self.databases).map(|number| format!("shard_{number} {}\n", url(number))).collect();
        std::fs::write(project.join("databases"), lines)?;
        Ok(())
    }

    /// Runs it, and looks at the server and at the process meanwhile.
    async fn run(
        &self,
        project: &Path,
        arguments: &[&str],
        server: &Server,
        control: &mut Session,
    ) -> Result<Seen> {
        let started = Instant::now();
        let child = Command::new(pgdeploy()?)
            .args(arguments)
            .args(["--format", "json"])
            .current_dir(project)
            .env("CONTROL", server.url("control"))
            .env("TEMPLATE", server.url("template"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let pid = child.id().context("a process number")?;
        let ended = child.wait_with_output();
        tokio::pin!(ended);
        let (mut connections, mut memory) = (0, 0);
        let text = "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE application_name LIKE 'pgdeploy/%' \
                    AND pid <> pg_catalog.pg_backend_pid()";
        let output = loop {
            tokio::select! {
                biased;
                output = &mut ended => break output?,
                () = tokio::time::sleep(Duration::from_millis(10)) => {}
            }
            connections = connections.max(control.one(text).await?.try_get::<i64, _>(0)?);
            memory = memory.max(peak(pid).unwrap_or(0));
        };
        let took = started.elapsed();
        let result = serde_json::from_slice(&output.stdout)?;
        ensure!(
            connections <= (self.parallel * 3) as i64,
            "{connections} connections with max_parallel {}",
            self.parallel
        );
        Ok(Seen { exit: output.status.code().unwrap_or(-1), took, connections, memory, result })
    }

    fn row(&self, table: &mut Table, name: &str, seen: &Seen) {
        let waves = seen.result["waves"].as_array().cloned().unwrap_or_default();
        let sum = |key: &str| waves.iter().filter_map(|wave| wave[key].as_u64()).sum::<u64>();
        let (done, up_to_date, failed) = (sum("done"), sum("up_to_date"), sum("failed"));
        let untouched = self.databases as u64 - done - up_to_date - failed;
        table.row(vec![
            name.to_owned(),
            seen.exit.to_string(),
            format!("{:.1} s", seen.took.as_secs_f64()),
            done.to_string(),
            up_to_date.to_string(),
            failed.to_string(),
            untouched.to_string(),
            format!("{} of {}", seen.connections, self.parallel * 3),
            format!("{} MB", seen.memory / 1024),
        ]);
    }
}

/// The most memory that a process has had, in kB.
fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
