//! A database with a table to work on, and everything a stage needs to run.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result};
use backfill::{Definitions, Event, Outcome, Plan, Settings, Stage, Verdict, Walk};
use postgres::{LockKey, Row, RunLock, Session, Target, ledger};
use scratch::Server;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use trial::Recorder;

/// The update that shows a row done twice.
pub(crate) const COUNTING: &str = "UPDATE t SET touched = touched + 1, done = true WHERE NOT done";

/// Ends with this process, however that ends.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::builder().setting("fsync", "off").start().expect("a throwaway server"))
}

pub(crate) struct Bench {
    pub(crate) target: Target,
    pub(crate) admin: Session,
    pub(crate) settings: Settings,
    pub(crate) stop: CancellationToken,
    pub(crate) events: Arc<Recorder<Event>>,
    url: String,
    deployment: i64,
}

impl Bench {
    /// An empty database named after the test.
    pub(crate) async fn new(name: &str) -> Result<Self> {
        Self::on(server(), name).await
    }

    /// The same on a server where nobody else has a transaction open: what others still see cannot be pruned.
    pub(crate) async fn alone(name: &str) -> Result<Self> {
        static SERVER: OnceLock<Server> = OnceLock::new();
        Self::on(SERVER.get_or_init(|| Server::throwaway().expect("a throwaway server")), name).await
    }

    async fn on(server: &'static Server, name: &str) -> Result<Self> {
        let owned = name.to_owned();
        tokio::task::spawn_blocking(move || server.create_database(&owned)).await??;
        Self::at(server.url(name)).await
    }

    /// A database that is there, on a server of the test's own.
    pub(crate) async fn at(url: String) -> Result<Self> {
        let target = Target::parse(&SecretString::from(url.clone()))?;
        let admin = target.connect("test").await?;
        let settings = Settings { lock_timeout: Duration::from_secs(2), ..Settings::default() };
        let (stop, events) = (CancellationToken::new(), Arc::default());
        Ok(Self { target, admin, settings, stop, events, url, deployment: 0 })
    }

    /// The same for a walk of its own.
    pub(crate) async fn walking(walk: Walk, name: &str, rows: u32) -> Result<Self> {
        let mut bench = Self::counting(&format!("{name}_{walk:?}").to_lowercase(), rows).await?;
        bench.settings.walk = walk;
        Ok(bench)
    }

    /// With `rows` rows to count on.
    pub(crate) async fn counting(name: &str, rows: u32) -> Result<Self> {
        let mut bench = Self::new(name).await?;
        bench.count(rows).await?;
        Ok(bench)
    }

    /// The table to count on.
    pub(crate) async fn count(&mut self, rows: u32) -> Result<()> {
        self
            .sql(&format!(
                "CREATE TABLE t (id bigint PRIMARY KEY, touched int NOT NULL DEFAULT 0, done bool NOT NULL DEFAULT false); \
                 INSERT INTO t (id) SELECT g FROM generate_series(1, {rows}) g; ANALYZE t"
            ))
            .await?;
        Ok(())
    }

    /// Another process, as it were: a run of its own with this one's settings, which goes on while the test does
    /// something else.
    pub(crate) async fn beside(
        &mut self,
        files: &[(&str, &str)],
    ) -> Result<tokio::task::JoinHandle<Outcome>> {
        self.ledger().await?;
        let plan = self.plan(files).await?;
        let (target, settings, stop, seen) =
            (self.target.clone(), self.settings.clone(), self.stop.clone(), self.events.clone());
        Ok(tokio::spawn(async move {
            let events = move |event| seen.record(event);
            let stage = Stage {
                target: &target,
                ledger: "pgdeploy",
                deployment: None,
                host: "beside",
                events: &events,
                stop,
            };
            backfill::run(&stage, &plan, &settings).await
        }))
    }

    /// Where the backfills of these files stand.
    pub(crate) async fn standing(&mut self, files: &[(&str, &str)]) -> Result<Vec<backfill::Standing>> {
        let definitions = definitions(files)?;
        let mut session = self.target.connect_read_only("standing").await?;
        let standing = backfill::standing(&mut session, &definitions, "pgdeploy").await?;
        session.close().await;
        Ok(standing)
    }

    /// The table `seen` gets how many rows each UPDATE of `t` changed.
    pub(crate) async fn notes_rows_of_statements(&mut self) -> Result<()> {
        self.sql(
            "CREATE TABLE seen (rows bigint); \
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen SELECT count(*) FROM n; RETURN NULL; END $$; \
             CREATE TRIGGER note AFTER UPDATE ON t REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION note()",
        )
        .await?;
        Ok(())
    }

    /// Small batches with pauses, so that a test has time to interfere.
    pub(crate) fn slow(&mut self) {
        self.settings.batch_size = 100;
        self.settings.min_batch = 100;
        self.settings.max_batch = 200;
        self.settings.pause = Duration::from_millis(10);
    }

    pub(crate) async fn sql(&mut self, text: &str) -> Result<u64> {
        self.admin.run(text).await.with_context(|| text.to_owned())
    }

    pub(crate) async fn number(&mut self, text: &str) -> Result<i64> {
        Ok(self
            .admin
            .one(&format!("SELECT ({text})::int8"))
            .await
            .with_context(|| text.to_owned())?
            .try_get(0)?)
    }

    pub(crate) async fn text(&mut self, text: &str) -> Result<String> {
        Ok(self
            .admin
            .one(&format!("SELECT ({text})::text"))
            .await
            .with_context(|| text.to_owned())?
            .try_get(0)?)
    }

    pub(crate) fn connects_as(&mut self, role: &str) -> Result<()> {
        self.target = Target::parse(&SecretString::from(
            self.url.replace("postgres", role).replacen(role, "postgres", 1),
        ))?;
        Ok(())
    }

    pub(crate) async fn plan(&mut self, files: &[(&str, &str)]) -> Result<Plan> {
        let definitions = definitions(files)?;
        let mut session = self.target.connect_read_only("plan").await?;
        let plan = backfill::plan(&mut session, &definitions, "pgdeploy").await?;
        session.close().await;
        Ok(plan)
    }

    /// A deploy's third stage, as the orchestrator runs it.
    pub(crate) async fn run(&mut self, statement: &str) -> Result<Outcome> {
        self.run_files(&[("0001_a.sql", statement)]).await
    }

    /// A run that its budget ends in the middle.
    pub(crate) async fn run_in_part(&mut self, statement: &str) -> Result<Outcome> {
        let budget = std::mem::replace(&mut self.settings.budget, Duration::from_millis(100));
        self.slow();
        self.settings.pause = Duration::from_millis(50);
        let outcome = loop {
            self.settings.budget *= 2;
            let outcome = self.run(statement).await?;
            assert_eq!(only(&outcome).outcome, Verdict::Incomplete, "{outcome:?}");
            if only(&outcome).rows > 0 {
                break outcome;
            }
        };
        self.slow();
        self.settings.budget = budget;
        Ok(outcome)
    }

    pub(crate) async fn run_files(&mut self, files: &[(&str, &str)]) -> Result<Outcome> {
        self.deployment += 1;
        self.ledger().await?;
        let plan = self.plan(files).await?;
        let seen = self.events.clone();
        let events = move |event| seen.record(event);
        let stage = Stage {
            target: &self.target,
            ledger: "pgdeploy",
            deployment: Some(self.deployment),
            host: "here",
            events: &events,
            stop: self.stop.clone(),
        };
        Ok(backfill::run(&stage, &plan, &self.settings).await)
    }

    /// The ledger's tables.
    pub(crate) async fn ledger(&mut self) -> Result<()> {
        let key = LockKey::of("pgdeploy", "test");
        let lock = RunLock::acquire(&self.target, key, Duration::from_secs(10), |_| {}).await?;
        let mut session = lock.session("work").await?;
        ledger::bootstrap(&lock, &mut session, "pgdeploy", "test", &[backfill::LEDGER], &[]).await?;
        session.close().await;
        lock.release().await;
        Ok(())
    }

    /// Rows by how often they were touched.
    pub(crate) async fn touched(&mut self, times: i32) -> Result<i64> {
        self.number(&format!("SELECT count(*) FROM t WHERE touched = {times}")).await
    }

    /// A second session for the test itself.
    pub(crate) async fn other(&self) -> Result<Session> {
        Ok(self.target.connect("application").await?)
    }
}

pub(crate) fn definitions(files: &[(&str, &str)]) -> Result<Definitions> {
    backfill::load(&sources(files)?).map_err(|problems| anyhow::anyhow!("{problems:?}"))
}

/// Kills so many sessions of workers, any of them, or cancels what they are at. How many there were.
pub(crate) async fn kill(session: &mut Session, how: &str, limit: u32) -> Result<usize> {
    let sessions = session
        .all(&format!(
            "SELECT {how}(pid) FROM pg_stat_activity WHERE application_name = 'pgdeploy/backfill' \
             AND datname = current_database() ORDER BY random() LIMIT {limit}"
        ))
        .await?;
    Ok(sessions.len())
}

pub(crate) fn sources(files: &[(&str, &str)]) -> Result<Vec<sql::Source>> {
    files
        .iter()
        .map(|(name, text)| {
            sql::Source::from_bytes(&Path::new("backfills").join(name), text.as_bytes().to_vec())
                .map_err(|problem| anyhow::anyhow!("{problem}"))
        })
        .collect()
}

/// Waits until a worker that may not go on has asked again what is wanted of it.
pub(crate) async fn asks_again(bench: &mut Bench, session: &mut Session) -> Result<()> {
    let now = bench.text("SELECT clock_timestamp()").await?;
    let asked = format!(
        "SELECT bool_or(query LIKE 'SELECT b.revision%' AND query_start > '{now}') FROM pg_stat_activity \
         WHERE application_name = 'pgdeploy/backfill' AND datname = current_database()"
    );
    trial::until_true(session, &asked).await
}

/// Waits until the server's state holds it up, with nothing in hand, for a reason.
pub(crate) async fn held_up(bench: &mut Bench, files: &[(&str, &str)], reason: &str) -> Result<()> {
    let mut other = bench.other().await?;
    trial::until_true(
        &mut other,
        &format!("SELECT level = 'pause' AND reasons::text LIKE '%{reason}%' FROM pgdeploy.backfills"),
    )
    .await?;
    trial::until_true(&mut other, "SELECT count(*) = 0 FROM pgdeploy.backfill_ranges WHERE state = 'leased'")
        .await?;
    let standing = bench.standing(files).await?.remove(0);
    assert_eq!(standing.state, "throttled", "{standing:?}");
    assert!(standing.reasons.iter().any(|one| one.contains(reason)), "{standing:?}");
    Ok(())
}

/// The one item's outcome.
pub(crate) fn only(outcome: &Outcome) -> &backfill::ItemOutcome {
    assert_eq!(outcome.items.len(), 1, "{outcome:?}");
    &outcome.items[0]
}

/// Each of the tests once over blocks and once along the key.
macro_rules! over_both_walks {
    ($($test:ident),* $(,)?) => {
        mod over_blocks { $(#[tokio::test] async fn $test() -> anyhow::Result<()> { super::$test(backfill::Walk::Blocks).await })* }
        mod along_the_key { $(#[tokio::test] async fn $test() -> anyhow::Result<()> { super::$test(backfill::Walk::Keyset).await })* }
    };
}
pub(crate) use over_both_walks;
