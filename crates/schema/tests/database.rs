//! A database of a test's own, and the stage run on it.

use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use postgres::ledger::bootstrap;
use postgres::{LockKey, Row, RunLock, Session, Stage, Target, notice_layer};
use schema::{Backfills, Done, Event, Failure, Files, GateError, Migrations, Phase, Plan, Settings};
use scratch::Server;
use secrecy::SecretString;
use sql::Source;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::layer::SubscriberExt;
use trial::Recorder;

/// How long the run lock is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// The server of this test run; it ends with it.
pub(crate) fn server() -> Result<&'static Server> {
    static SERVER: OnceLock<Result<Server, scratch::Error>> = OnceLock::new();
    let start = || {
        // Where a database asks for more than `local`, its COMMITs wait for a replica that does not exist.
        Server::builder()
            .setting("max_connections", "200")
            .setting("max_prepared_transactions", "4")
            .setting("synchronous_standby_names", "ghost")
            .setting("synchronous_commit", "local")
            .start()
    };
    SERVER.get_or_init(start).as_ref().map_err(|error| anyhow!("{error}"))
}

/// Notices go from the driver to whoever subscribes.
fn subscribe() {
    static SUBSCRIBED: OnceLock<()> = OnceLock::new();
    SUBSCRIBED.get_or_init(|| {
        let subscriber = tracing_subscriber::registry().with(notice_layer());
        let _ = tracing_subscriber::util::SubscriberInitExt::try_init(subscriber);
    });
}

pub(crate) struct Database {
    pub(crate) root: Target,
    pub(crate) lock: RunLock,
    pub(crate) settings: Settings,
    pub(crate) backfills: Backfills,
    pub(crate) stop: CancellationToken,
    deployment: Mutex<i64>,
    pub(crate) events: Recorder<Event>,
}

impl Database {
    /// A database with a ledger, as the superuser.
    pub(crate) async fn new(name: &str, setup: &str) -> Result<Self> {
        Self::of_role(name, setup, "postgres").await
    }

    /// The same for a deploy by another role, which `setup` has to create.
    pub(crate) async fn of_role(name: &str, setup: &str, role: &str) -> Result<Self> {
        Self::on(server()?, name, setup, role).await
    }

    /// The same on a server of the test's own.
    pub(crate) async fn on(server: &Server, name: &str, setup: &str, role: &str) -> Result<Self> {
        subscribe();
        server.create_database(name)?;
        let url = server.url(name);
        let root = Target::parse(&SecretString::from(url.clone()))?;
        let mut session = root.connect("test").await?;
        if !setup.is_empty() {
            session.run(setup).await?;
        }
        session.close().await;
        let target =
            Target::parse(&SecretString::from(url.replace("user=postgres", &format!("user={role}"))))?;
        let lock = RunLock::acquire(&target, LockKey::of("pgdeploy", name), PATIENCE, |_| {}).await?;
        let mut session = lock.session("test").await?;
        bootstrap(&lock, &mut session, "pgdeploy", "0", &[schema::LEDGER], &[]).await?;
        session.close().await;
        let settings = Settings {
            lock_timeout: Duration::from_millis(500),
            retry_for: Duration::from_secs(30),
            statement_timeout: Duration::from_secs(60),
            search_path: None,
            role: None,
            kill_blockers: None,
        };
        Ok(Self {
            root,
            lock,
            settings,
            backfills: Backfills::new(),
            stop: CancellationToken::new(),
            deployment: Mutex::new(0),
            events: Recorder::default(),
        })
    }

    /// The next deploy, after one that came to its end in this test by being dropped: what is left of it is on the server.
    pub(crate) async fn lock_again(self, name: &str) -> Result<Self> {
        let target = self.lock.target().clone();
        drop(self.lock);
        let lock = RunLock::acquire(&target, LockKey::of("pgdeploy", name), PATIENCE, |_| {}).await?;
        Ok(Self { lock, ..self })
    }

    /// A session of somebody else.
    pub(crate) async fn session(&self) -> Result<Session> {
        Ok(self.root.connect("somebody").await?)
    }

    pub(crate) async fn sql(&self, text: &str) -> Result<()> {
        self.session().await?.run(text).await.with_context(|| text.to_owned())?;
        Ok(())
    }

    /// The first column of the first row, `NULL` as such.
    pub(crate) async fn one(&self, text: &str) -> Result<String> {
        let text = format!("SELECT coalesce(({text})::text, 'NULL')");
        Ok(self.session().await?.one(&text).await.with_context(|| text.clone())?.try_get(0)?)
    }

    /// Waits until a query answers `true`.
    pub(crate) async fn until(&self, text: &str) -> Result<()> {
        let waited = trial::until_true(&mut self.session().await?, text).await;
        waited.with_context(|| format!("{:#?}", self.events.all()))
    }

    /// Waits for an event.
    pub(crate) async fn until_event(&self, what: impl Fn(&Event) -> bool) -> Result<()> {
        self.events.until(1, what).await
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.all()
    }

    pub(crate) async fn plan(&self, files: &Migrations) -> Result<Plan> {
        let mut session = self.lock.target().connect_read_only("plan").await?;
        Ok(schema::plan(
            &mut session,
            &Files { migrations: files, fixtures: None, snapshot: None },
            "pgdeploy",
            &self.settings,
            &self.backfills,
        )
        .await?)
    }

    /// One deployment's schema stage, of files that have nothing against them.
    pub(crate) async fn run(&self, named: &[(&str, &str)]) -> Result<Result<Vec<Done>, GateError>> {
        let plan = self.plan(&files(named)?).await?;
        ensure!(plan.findings.is_empty(), "{:#?}", plan.findings);
        let problems = schema::check(&plan);
        ensure!(problems.is_empty(), "{problems:#?}");
        Ok(self.run_plan(&plan, Phase::Pre).await)
    }

    /// The names of what came in.
    pub(crate) async fn applied(&self, named: &[(&str, &str)]) -> Result<Vec<String>> {
        let applied = self.run(named).await?.map_err(|error| anyhow!("{error:#?}"))?;
        Ok(applied.into_iter().map(|done| done.migration).collect())
    }

    /// Why the stage failed.
    pub(crate) async fn failure(&self, named: &[(&str, &str)]) -> Result<Failure> {
        match self.run(named).await? {
            Ok(applied) => Err(anyhow!("it did not fail: {applied:#?}")),
            Err(error) => Ok(error.failure),
        }
    }

    pub(crate) async fn run_plan(&self, plan: &Plan, phase: Phase) -> Result<Vec<Done>, GateError> {
        let deployment = {
            let mut deployment = self.deployment.lock().unwrap_or_else(PoisonError::into_inner);
            *deployment += 1;
            *deployment
        };
        let events = |event| self.events.record(event);
        let (ledger, stop) = ("pgdeploy", self.stop.clone());
        let stage = Stage { lock: &self.lock, ledger, deployment, events: &events, stop };
        schema::run(&stage, plan, phase, &self.settings, &self.backfills).await
    }

    /// The history as `1_a applied, 2_b running`.
    pub(crate) async fn history(&self) -> Result<String> {
        self.one("SELECT coalesce(string_agg(file || ' ' || status, ', ' ORDER BY version), '') FROM pgdeploy.migrations").await
    }

    /// The backend that the stage's migrations run in.
    pub(crate) async fn backend(&self) -> Result<i32> {
        Ok(self
            .one("SELECT pid FROM pg_stat_activity WHERE application_name = 'pgdeploy/schema' AND datname = current_database()")
            .await?
            .parse()?)
    }
}

/// The part of a query that counts the stage's sessions that are so.
pub(crate) fn at_work(condition: &str) -> String {
    format!(
        "EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'pgdeploy/schema' AND datname = current_database() AND {condition})"
    )
}

pub(crate) fn files(named: &[(&str, &str)]) -> Result<Migrations> {
    let source = |(name, text): &(&str, &str)| {
        let path = format!("migrations/{name}.sql");
        Source::from_bytes(Path::new(&path), text.as_bytes().to_vec()).map_err(|problem| anyhow!("{problem}"))
    };
    let sources = named.iter().map(source).collect::<Result<Vec<_>>>()?;
    schema::load(sources, Vec::new()).map_err(|problems| anyhow!("{problems:#?}"))
}

/// A header, and then the text.
pub(crate) fn with(header: &str, text: &str) -> String {
    let lines: Vec<String> = header.lines().map(|line| format!("--   {line}\n")).collect();
    format!("-- pgdeploy:\n{}{text}", lines.concat())
}

/// The same without a transaction around it.
pub(crate) fn one_by_one(text: &str) -> String {
    with("transaction: false", text)
}

/// A block that is refused inside a transaction before it has done anything, and outside of one commits at its end.
pub(crate) fn committing(text: &str) -> String {
    let refused = "IF pg_current_xact_id_if_assigned() IS NOT NULL THEN COMMIT; END IF";
    format!("DO $$ BEGIN {refused}; {text}; COMMIT; END $$")
}
