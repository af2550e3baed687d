//! ALTER TABLE behind a long reader, in a table that is written to: how long writers stall, and when it is in.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use futures_util::future::try_join_all;
use postgres::{Class, LockKey, RunLock, Session, Stage, Target, ledger};
use scratch::Server;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::table::Table;

const DDL: &str = "ALTER TABLE accounts ADD COLUMN note text";
const DATA: &str = "CREATE TABLE accounts (id int PRIMARY KEY, n bigint NOT NULL DEFAULT 0); INSERT INTO accounts SELECT generate_series(1, 1000)";
/// Between two statements of a writer.
const THINK: Duration = Duration::from_millis(2);

/// How the statement is brought in.
#[derive(Debug, Clone, Copy)]
enum Policy {
    /// As it is written.
    NoTimeout,
    /// With a lock_timeout, and again after a pause.
    Retry { lock_timeout: Duration, pause: Duration },
    /// As a migration of ours.
    Pgdeploy { lock_timeout: Duration },
}

/// What a policy cost.
#[derive(Debug)]
struct Measured {
    /// How long each statement of a writer took.
    statements: Vec<Duration>,
    /// From the reader's end to the migration's.
    late: Duration,
    attempts: u32,
}

/// ALTER TABLE behind a long reader, with writers on the table
#[derive(Debug, clap::Args)]
pub(crate) struct Stall {
    /// How long the reader's transaction lasts, in seconds.
    #[arg(long, default_value_t = 6)]
    reader: u64,
    /// Sessions that write.
    #[arg(long, default_value_t = 4)]
    writers: i32,
    /// Rounds; the worst counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

impl Stall {
    pub(crate) async fn measure(&self) -> Result<Table> {
        let server = Server::throwaway()?;
        let seconds = Duration::from_secs;
        let policies = [
            ("no timeout", Policy::NoTimeout),
            (
                "lock_timeout 2 s, again after 1 s",
                Policy::Retry { lock_timeout: seconds(2), pause: seconds(1) },
            ),
            ("pgdeploy, 500 ms (default)", Policy::Pgdeploy { lock_timeout: Duration::from_millis(500) }),
            ("pgdeploy, 200 ms", Policy::Pgdeploy { lock_timeout: Duration::from_millis(200) }),
        ];
        let title = format!(
            "{DDL}, a reader of {} s, {} writers; the worst of {} rounds",
            self.reader, self.writers, self.rounds
        );
        let mut table = Table::new(
            title,
            &["policy", "worst stall of a writer", "p99", "in after the reader's end", "attempts"],
        );
        for (name, policy) in policies {
            let mut rounds = Vec::new();
            for round in 0..self.rounds {
                let database = format!("{}_{round}", name.replace(|c: char| !c.is_alphanumeric(), "_"));
                rounds.push(self.round(&server, &database, policy).await?);
            }
            let mut statements: Vec<Duration> =
                rounds.iter().flat_map(|round| round.statements.iter().copied()).collect();
            statements.sort_unstable();
            let p99 = statements.get(statements.len() * 99 / 100).copied().unwrap_or_default();
            let milliseconds = |duration: Duration| format!("{:.0} ms", duration.as_secs_f64() * 1000.0);
            let worst = |of: fn(&Measured) -> Duration| rounds.iter().map(of).max().unwrap_or_default();
            table.row(vec![
                name.to_owned(),
                milliseconds(statements.last().copied().unwrap_or_default()),
                format!("{:.1} ms", p99.as_secs_f64() * 1000.0),
                milliseconds(worst(|round| round.late)),
                rounds.iter().map(|round| round.attempts).max().unwrap_or(0).to_string(),
            ]);
        }
        Ok(table)
    }

    async fn round(&self, server: &Server, database: &str, policy: Policy) -> Result<Measured> {
        server.create_database(database)?;
        let target = Target::parse(&SecretString::from(server.url(database)))?;
        let mut session = target.connect("bench").await?;
        session.run(DATA).await?;
        let stage = match policy {
            Policy::Pgdeploy { .. } => Some(locked(&target).await?),
            _ => None,
        };
        let over = CancellationToken::new();
        let writers = try_join_all((0..self.writers).map(|number| write(&target, number, &over)));
        let work = async {
            let reader = read(&target, self.reader);
            let migration = async {
                until_read(&target).await?;
                let attempts = migrate(&mut session, stage.as_ref(), policy).await?;
                anyhow::Ok((attempts, Instant::now()))
            };
            let ended = tokio::try_join!(reader, migration);
            over.cancel();
            ended
        };
        let (statements, (read, (attempts, migrated))) = tokio::try_join!(writers, work)?;
        session.close().await;
        if let Some(lock) = stage {
            lock.release().await;
        }
        let late = migrated.saturating_duration_since(read);
        Ok(Measured { statements: statements.concat(), late, attempts })
    }
}

/// One transaction that has read the table, and does not end; when it did.
async fn read(target: &Target, seconds: u64) -> Result<Instant> {
    let mut session = target.connect("reader").await?;
    session.run(&format!("BEGIN; SELECT count(*) FROM accounts; SELECT pg_sleep({seconds})")).await?;
    session.run("COMMIT").await?;
    Ok(Instant::now())
}

async fn until_read(target: &Target) -> Result<()> {
    let mut session = target.connect("bench").await?;
    let reads = "SELECT 1 FROM pg_locks WHERE relation = 'accounts'::regclass AND mode = 'AccessShareLock' AND granted";
    while session.all(reads).await?.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    session.close().await;
    Ok(())
}

/// Writes until it is told to stop; how long each statement took.
async fn write(target: &Target, number: i32, over: &CancellationToken) -> Result<Vec<Duration>> {
    let mut session = target.connect("writer").await?;
    let mut took = Vec::new();
    while !over.is_cancelled() {
        let row = 1 + (took.len() * 7 + usize::try_from(number)? * 250) % 1000;
        let started = Instant::now();
        session.run(&format!("UPDATE accounts SET n = n + 1 WHERE id = {row}")).await?;
        took.push(started.elapsed());
        tokio::time::sleep(THINK).await;
    }
    session.close().await;
    Ok(took)
}

async fn locked(target: &Target) -> Result<RunLock> {
    let lock =
        RunLock::acquire(target, LockKey::of("pgdeploy", "bench"), Duration::from_secs(5), |_| {}).await?;
    let mut session = lock.session("work").await?;
    ledger::bootstrap(&lock, &mut session, "pgdeploy", "bench", &[schema::LEDGER], &[]).await?;
    session.close().await;
    Ok(lock)
}

/// Brings it in; the attempts it took.
async fn migrate(session: &mut Session, lock: Option<&RunLock>, policy: Policy) -> Result<u32> {
    match policy {
        Policy::NoTimeout => {
            session.run(DDL).await?;
            Ok(1)
        }
        Policy::Retry { lock_timeout, pause } => {
            let text = format!("BEGIN; SET LOCAL lock_timeout = {}; {DDL}; COMMIT", lock_timeout.as_millis());
            for attempt in 1.. {
                match session.run(&text).await {
                    Ok(_) => return Ok(attempt),
                    Err(error) if error.class() == Class::Contention => {
                        session.run("ROLLBACK").await?;
                        tokio::time::sleep(pause).await;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(0)
        }
        Policy::Pgdeploy { lock_timeout } => ours(session, lock.context("a lock")?, lock_timeout).await,
    }
}

async fn ours(session: &mut Session, lock: &RunLock, lock_timeout: Duration) -> Result<u32> {
    let source = sql::Source::from_bytes(Path::new("migrations/0001_note.sql"), DDL.into())
        .map_err(|problem| anyhow!("{problem}"))?;
    let files = schema::load(vec![source], Vec::new()).map_err(|problems| anyhow!("{problems:?}"))?;
    let settings = schema::Settings {
        lock_timeout,
        retry_for: Duration::from_secs(120),
        statement_timeout: Duration::from_secs(60),
        search_path: None,
        role: None,
        kill_blockers: None,
    };
    let backfills = schema::Backfills::new();
    let files = schema::Files { migrations: &files, fixtures: None, snapshot: None };
    let plan = schema::plan(session, &files, "pgdeploy", &settings, &backfills).await?;
    let stage =
        Stage { lock, ledger: "pgdeploy", deployment: 1, events: &|_| {}, stop: CancellationToken::new() };
    let done = schema::run(&stage, &plan, schema::Phase::Pre, &settings, &backfills).await?;
    Ok(done.first().context("a migration")?.retries + 1)
}
