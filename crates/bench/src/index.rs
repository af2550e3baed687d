//! Concurrent index builds by one worker and by two, without the server's own parallel workers; the plan of many indexes.

use std::path::Path;
use std::time::{Duration, Instant};

use ::index::{self, Declarations, Settings, Settled};
use anyhow::{Result, ensure};
use postgres::{LockKey, RunLock, Session, Stage, Target, ledger};
use scratch::Server;
use secrecy::SecretString;

use crate::table::Table;

/// Two tables of the same size; text is what makes the sort work.
const DATA: &str = "SET synchronous_commit = off; SELECT setseed(0.42);
CREATE TABLE a AS SELECT g AS id, md5(random()::text) AS name, md5(random()::text) AS email FROM generate_series(1, {rows}) g;
CREATE TABLE b AS SELECT g AS id, md5(random()::text) AS name, md5(random()::text) AS email FROM generate_series(1, {rows}) g;";

const FOUR: &str = "CREATE INDEX a_name ON a (name); CREATE INDEX b_name ON b (name); \
     CREATE INDEX a_email ON a (email); CREATE INDEX b_email ON b (email);";

/// Tables of the plan's catalog.
const TABLES: usize = 50;

/// Four index builds on two tables by one worker and by two, and the plan of many declared indexes
#[derive(Debug, clap::Args)]
pub(crate) struct Index {
    /// Rows of each of the two tables.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// Rounds; the medians count.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Declared indexes of the plan.
    #[arg(long, default_value_t = 500)]
    declared: usize,
}

impl Index {
    pub(crate) async fn measure(&self) -> Result<Table> {
        let server = Server::builder()
            .setting("shared_buffers", "1GB")
            .setting("max_wal_size", "8GB")
            .setting("checkpoint_timeout", "1h")
            .setting("max_parallel_maintenance_workers", "0")
            .setting("log_statement", "ddl")
            .start()?;
        let mut table = Table::new(
            format!("{} rows a table, medians of {}", self.rows, self.rounds),
            &["what", "milliseconds", "of the first"],
        );
        let builds = self.builds(&server).await?;
        let plans = self.plans(&server).await?;
        let one = builds.first().map_or(1.0, |(_, first)| *first);
        for (what, milliseconds) in builds {
            table.row(vec![what, format!("{milliseconds:.0}"), format!("{:.2}", milliseconds / one)]);
        }
        for (what, milliseconds) in plans {
            table.row(vec![what, format!("{milliseconds:.1}"), String::new()]);
        }
        Ok(table)
    }

    async fn builds(&self, server: &Server) -> Result<Vec<(String, f64)>> {
        let database =
            Database::new(server, "builds", &DATA.replace("{rows}", &self.rows.to_string())).await?;
        database.session().await?.run("VACUUM (FREEZE, ANALYZE)").await?;
        let declarations = load(FOUR)?;
        let mut took = [Vec::new(), Vec::new()];
        for _ in 0..self.rounds {
            for (workers, all) in took.iter_mut().enumerate() {
                let mut session = database.session().await?;
                session.run("DROP INDEX IF EXISTS a_name, a_email, b_name, b_email; TRUNCATE pgdeploy.index_builds").await?;
                session.run("CHECKPOINT").await?;
                session.close().await;
                let started = Instant::now();
                database.run(&declarations, workers + 1, Settled::Built).await?;
                all.push(started.elapsed());
            }
        }
        Ok(took
            .iter_mut()
            .enumerate()
            .map(|(workers, all)| (format!("four builds, workers: {}", workers + 1), median(all)))
            .collect())
    }

    async fn plans(&self, server: &Server) -> Result<Vec<(String, f64)>> {
        let tables: Vec<_> =
            (0..TABLES).map(|table| format!("CREATE TABLE t{table} (a int, b int, c int, d int)")).collect();
        let database = Database::new(server, "plans", &tables.join(";")).await?;
        let columns = ["a", "b", "c", "d", "a, b", "b, c", "c, d", "a, d", "b, d", "a, c"];
        let wishes: Vec<_> = (0..self.declared)
            .map(|index| {
                let (table, column) = (index % TABLES, index / TABLES);
                format!("CREATE INDEX i{index} ON t{table} ({});", columns[column % columns.len()])
            })
            .collect();
        let declarations = load(&wishes.join("\n"))?;
        let mut session = database.session().await?;
        let (mut missing, mut there) = (Vec::new(), Vec::new());
        for _ in 0..11 {
            missing.push(plan(&mut session, &declarations).await?);
        }
        database.run(&declarations, 2, Settled::Built).await?;
        session.run("VACUUM ANALYZE").await?;
        for _ in 0..11 {
            there.push(plan(&mut session, &declarations).await?);
        }
        session.close().await;
        let logged = server.log().matches("statement: ").count();
        let started = Instant::now();
        database.run(&declarations, 2, Settled::Unchanged).await?;
        let nothing = started.elapsed().as_secs_f64() * 1000.0;
        ensure!(server.log().matches("statement: ").count() == logged, "DDL where nothing was to be done");
        let declared = self.declared;
        Ok(vec![
            (format!("plan, {declared} declared, none there"), median(&mut missing)),
            (format!("plan, {declared} declared, all there"), median(&mut there)),
            (format!("run, {declared} declared, nothing to do"), nothing),
        ])
    }
}

async fn plan(session: &mut Session, declarations: &Declarations) -> Result<Duration> {
    let started = Instant::now();
    index::plan(session, declarations, &Settings::default(), "pgdeploy").await?;
    Ok(started.elapsed())
}

struct Database {
    target: Target,
}

impl Database {
    async fn new(server: &Server, name: &str, setup: &str) -> Result<Self> {
        server.create_database(name)?;
        let database = Self { target: Target::parse(&SecretString::from(server.url(name)))? };
        let mut session = database.session().await?;
        session.run(setup).await?;
        let lock = database.lock().await?;
        ledger::bootstrap(&lock, &mut session, "pgdeploy", "bench", &[index::LEDGER], &[]).await?;
        lock.release().await;
        session.close().await;
        Ok(database)
    }

    async fn session(&self) -> Result<Session> {
        Ok(self.target.connect("bench").await?)
    }

    async fn lock(&self) -> Result<RunLock> {
        Ok(RunLock::acquire(&self.target, LockKey::of("pgdeploy", "bench"), Duration::from_secs(5), |_| {})
            .await?)
    }

    async fn run(&self, declarations: &Declarations, parallel: usize, expected: Settled) -> Result<()> {
        let lock = self.lock().await?;
        let mut session = lock.session("plan").await?;
        let settings = Settings { parallel, ..Settings::default() };
        let plan = index::plan(&mut session, declarations, &settings, "pgdeploy").await?;
        session.close().await;
        let stage = Stage {
            lock: &lock,
            ledger: "pgdeploy",
            deployment: 1,
            events: &|_| {},
            stop: Default::default(),
        };
        let outcome = index::run(&stage, &plan, &settings).await;
        lock.release().await;
        let short = outcome.items.iter().find(|item| item.outcome != expected);
        ensure!(short.is_none(), "{short:?}");
        Ok(())
    }
}

fn load(text: &str) -> Result<Declarations> {
    let source = sql::Source::from_bytes(Path::new("indexes/bench.sql"), text.into())
        .map_err(|problem| anyhow::anyhow!("{problem}"))?;
    index::load(&[source]).map_err(|problems| anyhow::anyhow!("{problems:?}"))
}

fn median(all: &mut [Duration]) -> f64 {
    all.sort();
    all[all.len() / 2].as_secs_f64() * 1000.0
}
