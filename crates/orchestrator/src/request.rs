//! What a deploy is asked to do, with everything resolved that needs the outside world.

use std::path::PathBuf;
use std::sync::Arc;

use postgres::Target;
use postgres::wait::Patience;

use crate::fleets::{Fleet, Source};
use crate::gate::PlanFile;
use crate::hooks::SettledHook;
use crate::release::Release;
use crate::report::Exit;

/// Files whose authors cannot be known here: nobody can be shown not to be one of them.
#[derive(Debug, Clone)]
pub struct AuthorsUnknown {
    /// Which.
    pub files: Vec<PathBuf>,
    /// Why, as the end of a sentence.
    pub why: &'static str,
    /// What to type to know them.
    pub next: &'static str,
}

/// One deploy of one release to one environment.
#[derive(Debug, Clone)]
pub struct Request {
    /// Name of the pipeline.
    pub pipeline: String,
    /// Schema of the ledger in every database of the pipeline.
    pub ledger: String,
    /// Name of the environment.
    pub environment: String,
    /// Its database; of a fleet, the one that keeps account of it.
    pub target: Target,
    /// The databases in place of that one.
    pub fleet: Option<Fleet>,
    /// Whether it is one of many at once, and so makes do with few connections.
    pub frugal: bool,
    /// How long to wait for it.
    pub patience: Patience,
    /// How long to wait for another deploy.
    pub lock_wait: std::time::Duration,
    /// Environments in which every pending file must have succeeded.
    pub upstreams: Vec<Upstream>,
    /// What else has to be true before a deploy.
    pub gates: pipeline::Gates,
    /// Whether anything has to.
    pub gated: bool,
    /// The gate that a person overrides.
    pub overridden: Option<Override>,
    /// Whether an application starts behind it: what a shut gate keeps from happening does not keep that down, as long as
    /// it can go without.
    pub starts_an_application: bool,
    /// The plan that alone may be run.
    pub expected: Option<PlanFile>,
    /// Who wrote which file, by version control; empty where nobody asks.
    pub authors: Vec<(PathBuf, Vec<String>)>,
    /// The files of which version control could tell it, and does not here.
    pub authors_unknown: Option<AuthorsUnknown>,
    /// The files.
    pub release: Arc<Release>,
    /// Settings of the schema stage.
    pub schema: schema::Settings,
    /// Whether every file counts as applied in a database with objects but no history.
    pub baseline_when_unmanaged: bool,
    /// Settings of the index stage.
    pub index: index::Settings,
    /// Settings of the backfill stage.
    pub backfill: backfill::Settings,
    /// What to stop before a change of the schema, and to start after it.
    pub services: Option<pipeline::Services>,
    /// Programs at fixed points.
    pub hooks: pipeline::Hooks,
    /// What somebody says about hooks whose end nobody has seen.
    pub settled_hooks: Vec<SettledHook>,
    /// What has to be so at the end.
    pub verify: Vec<pipeline::Verification>,
    /// Where the pipeline's file is; commands run there.
    pub directory: PathBuf,
    /// Who asked.
    pub actor: Actor,
    /// The checkout's state, where it is one.
    pub revision: Option<Revision>,
    /// What else decides the exit code, which is in the records.
    pub exit: Exit,
    /// What came out of references and must not be shown.
    pub secrets: pipeline::Secrets,
    /// Version of the tool, for the records.
    pub tool_version: String,
}

/// One gate that does not count this time.
#[derive(Debug, Clone)]
pub struct Override {
    /// Which.
    pub gate: gates::Gate,
    /// Why, for the records.
    pub reason: String,
}

/// An environment that comes before this one.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Its name.
    pub name: String,
    /// Its database; `None` for an embedded one that was never started, and where a receipt stands for it.
    pub target: Option<Target>,
}

/// Who asked for the deploy, and where that was learned.
#[derive(Debug, Clone)]
pub struct Actor {
    /// Such as `alice`.
    pub name: String,
    /// Such as `--actor`, `GITHUB_ACTOR`, `operating system`.
    pub source: String,
    /// The machine.
    pub host: String,
}

/// The commit that is checked out.
#[derive(Debug, Clone)]
pub struct Revision {
    /// Its hash.
    pub commit: String,
    /// Whether files differ from it.
    pub dirty: bool,
}

impl Request {
    /// Translates what the pipeline says into what the stages are told; the one place that knows both.
    pub fn new(
        pipeline: &pipeline::Pipeline,
        environment: &pipeline::Environment,
        target: Target,
        release: Release,
    ) -> Self {
        let connect = pipeline.connect();
        let (schema, index, backfill) = (&environment.schema, &environment.index, &environment.backfill);
        let rows = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            pipeline: pipeline.name().to_owned(),
            ledger: pipeline.ledger_schema().to_owned(),
            environment: environment.name.clone(),
            target: if environment.is_gated() { target.demanding_tls() } else { target },
            patience: Patience { wait: connect.wait, initial: connect.initial, max: connect.max },
            lock_wait: pipeline.lock().wait,
            upstreams: Vec::new(),
            gates: environment.gates.clone(),
            gated: environment.is_gated(),
            overridden: None,
            starts_an_application: false,
            expected: None,
            authors: Vec::new(),
            fleet: environment.fleet.as_ref().map(Fleet::of),
            frugal: environment.fleet.is_some(),
            release: Arc::new(release),
            authors_unknown: None,
            schema: schema::Settings {
                lock_timeout: schema.lock_timeout,
                retry_for: schema.retry_for,
                statement_timeout: schema.statement_timeout,
                search_path: schema.search_path.as_ref().map(|names| {
                    names.iter().map(|name| sql::identifier(name)).collect::<Vec<_>>().join(", ")
                }),
                role: schema.role.clone(),
                kill_blockers: schema.kill_blockers,
            },
            baseline_when_unmanaged: schema.baseline_when_unmanaged,
            index: index::Settings {
                budget: index.budget,
                parallel: usize::try_from(index.parallel).unwrap_or(usize::MAX),
                on_drift: match index.on_drift {
                    pipeline::OnDrift::Warn => index::OnDrift::Warn,
                    pipeline::OnDrift::Replace => index::OnDrift::Replace,
                },
                on_interrupt: match index.on_interrupt {
                    pipeline::OnInterrupt::Detach => index::OnInterrupt::Detach,
                    pipeline::OnInterrupt::Cancel => index::OnInterrupt::Cancel,
                },
                ..Default::default()
            },
            backfill: backfill::Settings {
                budget: backfill.budget,
                batch_size: rows(backfill.batch_size),
                target: backfill.target,
                min_batch: rows(backfill.min_batch),
                max_batch: rows(backfill.max_batch),
                pause: backfill.pause,
                lock_timeout: backfill.lock_timeout,
                statement_timeout: backfill.statement_timeout,
                idle_in_transaction_session_timeout: backfill.idle_in_transaction_session_timeout,
                progress_every: rows(backfill.progress_every),
                workers: rows(backfill.workers),
                duty: backfill.duty_percent as f64 / 100.0,
                rows_per_second: backfill.throttle.rows_per_second,
                throttle: backfill::Throttle {
                    congestion: backfill.throttle.congestion,
                    replica_lag: backfill.throttle.replica_lag,
                    missing_replicas: backfill.throttle.missing_replicas,
                    archiver: backfill.throttle.archiver,
                    blocked_sessions: backfill.throttle.blocked_sessions,
                    longest_transaction: backfill.throttle.longest_transaction,
                    wal_per_second: backfill.throttle.wal_per_second,
                    active_sessions: backfill.throttle.active_sessions,
                    ..Default::default()
                },
                ..Default::default()
            },
            services: environment.services.clone(),
            hooks: environment.hooks.clone(),
            settled_hooks: Vec::new(),
            verify: environment.verify.clone(),
            directory: pipeline.base_dir().to_owned(),
            actor: Actor { name: "unknown".into(), source: "nothing".into(), host: String::new() },
            revision: None,
            exit: Exit::default(),
            secrets: environment.secrets.clone(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// The environments that come before this one.
    pub fn upstreams(self, upstreams: Vec<Upstream>) -> Self {
        Self { upstreams, ..self }
    }

    /// Who asks, for which commit.
    pub fn by(self, actor: Actor, revision: Option<Revision>) -> Self {
        Self { actor, revision, ..self }
    }
}

impl Fleet {
    fn of(written: &pipeline::Fleet) -> Self {
        let targets = match &written.targets {
            pipeline::Targets::Listed(all) => {
                Source::Listed(all.iter().map(|target| (target.name.clone(), target.url.clone())).collect())
            }
            pipeline::Targets::Query(sql) => Source::Query(sql.clone()),
        };
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let amount = |amount| match amount {
            pipeline::Amount::Number(number) => fleet::Amount::Number(size(number)),
            pipeline::Amount::Percent(share) => fleet::Amount::Percent(size(share)),
        };
        let wave = |wave: &pipeline::Wave| fleet::Wave {
            name: wave.name.clone(),
            matching: wave.matching.clone(),
            take: wave.take.map(amount),
            max_parallel: size(wave.max_parallel),
            soak: wave.soak,
            failure_budget: amount(wave.failure_budget),
        };
        Self {
            targets,
            waves: written.waves.iter().map(wave).collect(),
            verify: written.waves.iter().map(|wave| wave.verify.clone()).collect(),
        }
    }
}
