//! A database of a test's own, and the stage run on it.

use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use index::{Declarations, Event, ItemOutcome, Outcome, Plan, Settings};
use postgres::ledger::bootstrap;
use postgres::{LockKey, Row, RunLock, Session, Stage, Target};
use scratch::Server;
use secrecy::SecretString;
use sql::Source;
use tokio_util::sync::CancellationToken;
use trial::Recorder;

/// How long the run lock is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// 400 rows, and a function that makes each of them take ten milliseconds of a build.
pub(crate) const SLOW: &str = "CREATE FUNCTION slow(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS \
     'BEGIN PERFORM pg_catalog.pg_sleep(0.01); RETURN i; END'; \
     CREATE TABLE t AS SELECT g AS a, g % 10 AS b FROM generate_series(1, 400) g; CREATE TABLE other (a int)";

/// Somebody builds an index in this database, for `until`.
pub(crate) const BUILDING: &str = "count(*) > 0 FROM pg_stat_progress_create_index WHERE datname = current_database() AND phase LIKE 'building%'";
/// The server of this test run; it ends with it.
fn server() -> Result<&'static Server> {
    static SERVER: OnceLock<Result<Server, scratch::Error>> = OnceLock::new();
    let start =
        || Server::builder().setting("log_statement", "ddl").setting("log_line_prefix", "<%d> ").start();
    SERVER.get_or_init(start).as_ref().map_err(|error| anyhow!("{error}"))
}

pub(crate) struct Database {
    name: &'static str,
    pub(crate) target: Target,
    pub(crate) lock: RunLock,
    pub(crate) settings: Settings,
    pub(crate) stop: CancellationToken,
    deployment: Mutex<i64>,
    events: Recorder<Event>,
}

impl Database {
    /// An empty database with a ledger, as the superuser.
    pub(crate) async fn new(name: &'static str, setup: &str) -> Result<Self> {
        Self::of_role(name, setup, "postgres").await
    }

    /// The same for a deploy by another role, which `setup` has to create.
    pub(crate) async fn of_role(name: &'static str, setup: &str, role: &str) -> Result<Self> {
        Self::on(server()?, name, setup, role).await
    }

    /// The same on a server of the test's own.
    pub(crate) async fn on(server: &Server, name: &'static str, setup: &str, role: &str) -> Result<Self> {
        server.create_database(name)?;
        let url = server.url(name);
        let root = Target::parse(&SecretString::from(url.clone()))?;
        let mut session = root.connect("test").await?;
        session.run(setup).await?;
        session.close().await;
        let url = url.replace("user=postgres", &format!("user={role}"));
        let target = Target::parse(&SecretString::from(url))?;
        let lock = RunLock::acquire(&target, LockKey::of("pgdeploy", name), PATIENCE, |_| {}).await?;
        let mut session = lock.session("test").await?;
        bootstrap(&lock, &mut session, "pgdeploy", "0", &[index::LEDGER], &[]).await?;
        session.close().await;
        Ok(Self {
            name,
            target: root,
            lock,
            settings: Settings { budget: Duration::from_secs(120), ..Settings::default() },
            stop: CancellationToken::new(),
            deployment: Mutex::new(0),
            events: Recorder::default(),
        })
    }

    /// A session of somebody else.
    pub(crate) async fn session(&self) -> Result<Session> {
        Ok(self.target.connect("somebody").await?)
    }

    pub(crate) async fn sql(&self, text: &str) -> Result<()> {
        self.session().await?.run(text).await?;
        Ok(())
    }

    /// The first column of the first row.
    pub(crate) async fn one(&self, text: &str) -> Result<String> {
        Ok(self.session().await?.one(&format!("SELECT ({text})::text")).await?.try_get(0)?)
    }

    /// Waits until a query answers `true`.
    pub(crate) async fn until(&self, text: &str) -> Result<()> {
        trial::until_true(&mut self.session().await?, text).await
    }

    /// Waits for an event.
    pub(crate) async fn until_event(&self, what: impl Fn(&Event) -> bool) -> Result<()> {
        self.events.until(1, what).await
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.all()
    }

    pub(crate) async fn plan(&self, text: &str) -> Result<Plan> {
        let mut session = self.lock.target().connect_read_only("plan").await?;
        Ok(index::plan(&mut session, &declarations(text)?, &self.settings, "pgdeploy").await?)
    }

    /// One deployment's index stage.
    pub(crate) async fn run(&self, text: &str) -> Result<Outcome> {
        let plan = self.plan(text).await?;
        let deployment = self.next_deployment();
        let events = |event| self.events.record(event);
        let (ledger, stop) = ("pgdeploy", self.stop.clone());
        let stage = Stage { lock: &self.lock, ledger, deployment, events: &events, stop };
        Ok(index::run(&stage, &plan, &self.settings).await)
    }

    /// What is repaired on request.
    pub(crate) async fn repair(&self, text: &str, name: Option<&str>) -> Result<Option<Outcome>> {
        let events = |event| self.events.record(event);
        let (ledger, stop) = ("pgdeploy", self.stop.clone());
        let stage =
            Stage { lock: &self.lock, ledger, deployment: self.next_deployment(), events: &events, stop };
        Ok(index::repair(&stage, &declarations(text)?, &self.settings, name).await?)
    }

    fn next_deployment(&self) -> i64 {
        let mut deployment = self.deployment.lock().unwrap_or_else(PoisonError::into_inner);
        *deployment += 1;
        *deployment
    }

    /// Every index.
    pub(crate) async fn list(&self, text: &str) -> Result<Vec<index::Listed>> {
        let mut session = self.lock.target().connect_read_only("list").await?;
        Ok(index::list(&mut session, &declarations(text)?, "pgdeploy").await?)
    }

    /// How often the log has a statement of this database that begins so.
    pub(crate) fn logged(&self, statement: &str) -> Result<usize> {
        let begin = format!("<{}> LOG:  statement: {statement}", self.name);
        Ok(server()?.log().lines().filter(|line| line.starts_with(&begin)).count())
    }

    /// Whether every index of the database is fit for use.
    pub(crate) async fn invalid(&self) -> Result<String> {
        self.one("SELECT count(*) FROM pg_index WHERE NOT (indisvalid AND indisready AND indislive)").await
    }
}

pub(crate) fn declarations(text: &str) -> Result<Declarations> {
    if text.is_empty() {
        return Ok(Declarations::default());
    }
    let source = Source::from_bytes(Path::new("indexes/a.sql"), text.into())
        .map_err(|problem| anyhow!("{problem}"))?;
    index::load(&[source]).map_err(|problems| anyhow!("{problems:#?}"))
}

/// The only item.
pub(crate) fn only(outcome: &Outcome) -> Result<&ItemOutcome> {
    ensure!(outcome.items.len() == 1, "{outcome:#?}");
    outcome.items.first().context("an item")
}
