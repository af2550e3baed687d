//! Backfills among kill -9, killed backends, frozen processes and COMMITs whose answer never comes, beside an
//! application at work: is each row done once?

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use backfill::{Settings, Walk};
use postgres::{LockKey, Row, RunLock, Session, Target, ledger};
use rustix::process::{Pid, Signal, kill_process};
use scratch::Server;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::lossy::Lossy;
use crate::table::Table;

/// Not idempotent: a row that is done twice shows it. A few cannot be done at all.
const ONCE: &str =
    "-- pgdeploy:\n--   mode: once\nUPDATE t SET touched = touched + 1 + 0 / (id % 25000)::int";
const PREDICATE: &str =
    "UPDATE t SET touched = touched + 1 + 0 / (id % 25000)::int, done = true WHERE NOT done";

/// Backfills among kills; each round fills and checks a table
#[derive(Debug, clap::Args)]
pub(crate) struct Chaos {
    /// How long; a round that has begun is ended.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Rows of each round's table.
    #[arg(long, default_value_t = 500_000)]
    rows: u64,
    /// Processes at work.
    #[arg(long, default_value_t = 4)]
    processes: usize,
}

/// One of the processes (started by `chaos`)
#[derive(Debug, clap::Args)]
pub(crate) struct ChaosWorker {
    /// The database, by way of the proxy.
    url: String,
    /// The statement's mode and walk.
    kind: String,
}

impl ChaosWorker {
    pub(crate) async fn work(&self) -> Result<()> {
        let target = Target::parse(&SecretString::from(self.url.clone()))?;
        let (statement, walk) = kind(&self.kind);
        let mut session = target.connect("plan").await?;
        let plan = backfill::plan(&mut session, &definitions(statement)?, "pgdeploy").await?;
        session.close().await;
        let stage = backfill::Stage {
            target: &target,
            ledger: "pgdeploy",
            deployment: None,
            host: "chaos",
            events: &|_| {},
            stop: CancellationToken::new(),
        };
        let settings = Settings {
            lease: Duration::from_millis(1500),
            idle_in_transaction_session_timeout: Duration::from_secs(1),
            workers: 2,
            walk,
            max_batch: 500,
            pause: Duration::from_millis(10),
            budget: Duration::from_secs(3600),
            ..Settings::default()
        };
        backfill::run(&stage, &plan, &settings).await;
        Ok(())
    }
}

fn kind(name: &str) -> (&'static str, Walk) {
    match name {
        "once" => (ONCE, Walk::Keyset),
        "keys" => (PREDICATE, Walk::Keyset),
        _ => (PREDICATE, Walk::Blocks),
    }
}

fn definitions(statement: &str) -> Result<backfill::Definitions> {
    let source = sql::Source::from_bytes(std::path::Path::new("backfills/0001_touch.sql"), statement.into())
        .map_err(|problem| anyhow::anyhow!("{problem}"))?;
    backfill::load(&[source]).map_err(|problems| anyhow::anyhow!("{problems:?}"))
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    kills: u64,
    terminated: u64,
    frozen: u64,
    lost: u64,
    take_overs: u64,
    application: u64,
}

impl Chaos {
    pub(crate) async fn measure(&self) -> Result<Table> {
        let mut table = Table::new(
            format!("backfills of {} rows among kills, {} processes of 2 workers", self.rows, self.processes),
            &[
                "round",
                "rows",
                "seconds",
                "kill -9",
                "backends",
                "frozen",
                "lost COMMITs",
                "take-overs",
                "twice",
                "missed",
                "poisoned",
                "statements",
                "errors",
            ],
        );
        let (began, mut round, mut all) = (Instant::now(), 0, [0_u64; 12]);
        while round == 0 || began.elapsed().as_secs_f64() < self.minutes * 60.0 {
            let kind = ["once", "blocks", "keys"][round % 3];
            let figures = self.round(kind, round as u64).await?;
            let mut cells = vec![kind.to_owned()];
            cells.extend(figures.iter().map(u64::to_string));
            table.row(cells);
            all.iter_mut().zip(figures).for_each(|(sum, one)| *sum += one);
            round += 1;
        }
        let mut cells = vec!["all".to_owned()];
        cells.extend(all.iter().map(u64::to_string));
        table.row(cells);
        Ok(table)
    }

    async fn round(&self, kind: &'static str, seed: u64) -> Result<[u64; 12]> {
        let server = Server::builder()
            .setting("fsync", "on")
            .setting("max_connections", "200")
            .setting("max_wal_size", "4GB")
            .start()?;
        server.create_database("chaos")?;
        let target = Target::parse(&SecretString::from(server.url("chaos")))?;
        let mut admin = target.connect("bench").await?;
        admin
            .run(&format!(
                "CREATE TABLE t (id bigint PRIMARY KEY, touched int NOT NULL DEFAULT 0, done bool NOT NULL DEFAULT false, seen int NOT NULL DEFAULT 0, \
                   filler text NOT NULL DEFAULT repeat('x', 80)); INSERT INTO t (id) SELECT g FROM generate_series(1, {}) g; \
                 CREATE TABLE child (t_id bigint NOT NULL REFERENCES t); ANALYZE t",
                self.rows
            ))
            .await?;
        let lock =
            RunLock::acquire(&target, LockKey::of("pgdeploy", "chaos"), Duration::from_secs(5), |_| {})
                .await?;
        ledger::bootstrap(&lock, &mut admin, "pgdeploy", "chaos", &[backfill::LEDGER], &[]).await?;
        lock.release().await;
        let over = CancellationToken::new();
        let proxy = Lossy::listen(server.socket_dir(), over.clone()).await?;
        let url = server
            .url("chaos")
            .replace(&server.socket_dir().display().to_string(), &proxy.directory().display().to_string());
        let (statements, errors) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let clients: Vec<_> = (0..4)
            .map(|client| {
                tokio::spawn(application(
                    target.clone(),
                    client,
                    self.rows,
                    over.clone(),
                    statements.clone(),
                    errors.clone(),
                ))
            })
            .collect();
        let started = Instant::now();
        let mut counts = self.havoc(&mut admin, (&url, kind), seed).await?;
        let seconds = started.elapsed().as_secs();
        over.cancel();
        for client in clients {
            client.await?;
        }
        counts.lost = proxy.lost();
        counts.application = statements.load(Ordering::Relaxed);
        counts.take_overs =
            number(&mut admin, "SELECT coalesce(sum(take_overs), 0) FROM pgdeploy.backfill_ranges").await?;
        let twice = number(&mut admin, "SELECT count(*) FROM t WHERE touched > 1").await?;
        let missed =
            number(&mut admin, "SELECT count(*) FROM t WHERE touched = 0 AND id % 25000 <> 0").await?;
        let poisoned = number(&mut admin, "SELECT count(*) FROM pgdeploy.backfill_quarantine").await?;
        ensure!(poisoned == self.rows / 25_000, "{poisoned} rows are in quarantine");
        Ok([
            self.rows,
            seconds,
            counts.kills,
            counts.terminated,
            counts.frozen,
            counts.lost,
            counts.take_overs,
            twice,
            missed,
            poisoned,
            counts.application,
            errors.load(Ordering::Relaxed),
        ])
    }

    /// Keeps the processes at work, and kills one thing after the other, until nothing but the poisoned is left.
    async fn havoc(&self, admin: &mut Session, (url, kind): (&str, &str), seed: u64) -> Result<Counts> {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut counts, mut children): (Counts, Vec<Child>) = (Counts::default(), Vec::new());
        let give_up = Instant::now() + Duration::from_secs(900);
        loop {
            children.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
            while children.len() < self.processes {
                let child = Command::new(std::env::current_exe()?)
                    .args(["chaos-worker", url, kind])
                    .stdin(Stdio::null())
                    .spawn()
                    .context("a process of our own")?;
                children.push(child);
            }
            tokio::time::sleep(Duration::from_millis(random.u64(60..240))).await;
            let victim = random.usize(..children.len());
            let pid = Pid::from_child(&children[victim]);
            match random.u32(..100) {
                0..60 => {
                    let _ = kill_process(pid, Signal::KILL);
                    let _ = children.swap_remove(victim).wait();
                    counts.kills += 1;
                }
                60..97 => {
                    counts.terminated += admin
                        .all("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgdeploy/backfill' ORDER BY random() LIMIT 1")
                        .await?
                        .len() as u64;
                }
                _ => {
                    let _ = kill_process(pid, Signal::STOP);
                    tokio::time::sleep(Duration::from_millis(2500)).await;
                    let _ = kill_process(pid, Signal::CONT);
                    counts.frozen += 1;
                }
            }
            if over(admin, self.rows).await? {
                break;
            }
            ensure!(Instant::now() < give_up, "it does not end");
        }
        for mut child in children {
            let _ = child.kill();
            let _ = child.wait();
        }
        Ok(counts)
    }
}

/// Whether all is done, or set aside.
async fn over(admin: &mut Session, rows: u64) -> Result<bool> {
    // Cheap first: this is asked several times a second.
    let done = number(admin, "SELECT coalesce(sum(rows_done), 0) FROM pgdeploy.backfill_ranges").await?;
    if done + rows / 25_000 < rows {
        return Ok(false);
    }
    let aside = number(admin, "SELECT count(*) FROM pgdeploy.backfill_quarantine").await?;
    let noted = number(admin, "SELECT count(*) FROM pgdeploy.backfill_skipped").await?;
    let failed = number(admin, "SELECT count(*) FROM pgdeploy.backfill_units WHERE state = 'failed'").await?;
    Ok(aside == rows / 25_000 && noted == 0 && failed == 1)
}

/// What an application does: updates rows, inserts children. Whatever fails counts.
async fn application(
    target: Target,
    client: u64,
    rows: u64,
    over: CancellationToken,
    statements: Arc<AtomicU64>,
    errors: Arc<AtomicU64>,
) {
    let mut random = fastrand::Rng::with_seed(client);
    let Ok(mut session) = target.connect("application").await else { return };
    let _ = session.run("SET synchronous_commit = off").await;
    while !over.is_cancelled() {
        let (one, other) = (random.u64(1..=rows), random.u64(1..=rows));
        let text = format!(
            "BEGIN; UPDATE t SET seen = seen + 1 WHERE id = {one}; UPDATE t SET seen = seen + 1 WHERE id = {other}; COMMIT; \
             INSERT INTO child VALUES ({one})"
        );
        if session.run(&text).await.is_err() {
            errors.fetch_add(1, Ordering::Relaxed);
            let _ = session.run("ROLLBACK").await;
        }
        statements.fetch_add(3, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(8)).await;
    }
    session.close().await;
}

async fn number(session: &mut Session, text: &str) -> Result<u64> {
    let row = session.one(&format!("SELECT ({text})::int8")).await?;
    Ok(row.try_get::<i64, _>(0)?.unsigned_abs())
}
