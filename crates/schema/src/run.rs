//! The stage's verbs: plan what is pending, run it.

use std::time::Duration;

use postgres::{Error, Session, Stage};
use sql::Source;

use crate::condition::{Backfills, unmet};
use crate::decide::{Deferred, Plan, decide};
use crate::event::{BlockedBy, Event, milliseconds};
use crate::failure::{Failure, GateError};
use crate::fixtures::Fixtures;
use crate::header::Phase;
use crate::history::{fixtures_loaded, history};
use crate::look::Young;
use crate::migrate::{Turn, migrate};
use crate::migration::{Migration, Migrations};
use crate::snapshot::Snapshot;
use crate::state::{self, State};

/// What the stage reads.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// The migrations.
    pub migrations: &'a Migrations,
    /// Rows for an embedded database.
    pub fixtures: Option<&'a Fixtures>,
    /// What an empty database gets instead of the files that it stands for.
    pub snapshot: Option<&'a Source>,
}

/// How patient the stage is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long one attempt may queue for a lock; everybody else queues behind it.
    pub lock_timeout: Duration,
    /// How long attempts go on.
    pub retry_for: Duration,
    /// The longest any statement of a migration may run.
    pub statement_timeout: Duration,
    /// The schemas in which a file's unqualified names are looked up, as SQL; else what the role has.
    pub search_path: Option<String>,
    /// The role that runs the files, and so owns what they make; else the one that logs in.
    pub role: Option<String>,
    /// After how long a session that stands idle in a transaction, and in the way, is ended; never, unless it is given.
    pub kill_blockers: Option<Duration>,
}

impl Settings {
    /// What is set in a migration's transaction before its own text.
    pub(crate) fn prologue(&self) -> Option<String> {
        let all = self.surroundings("SET LOCAL");
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// Role and search path, each as a statement.
    pub(crate) fn surroundings(&self, set: &str) -> Vec<String> {
        self.set_role(set).into_iter().chain(self.set_path(set)).collect()
    }

    pub(crate) fn set_role(&self, set: &str) -> Option<String> {
        self.role.as_ref().map(|role| format!("{set} ROLE {}", sql::identifier(role)))
    }

    pub(crate) fn set_path(&self, set: &str) -> Option<String> {
        self.search_path.as_ref().map(|path| format!("{set} search_path TO {path}"))
    }
}

/// A migration that this run applied.
#[derive(Debug, Clone)]
pub struct Done {
    /// File name without ending.
    pub migration: String,
    /// How long the attempt that succeeded took.
    pub duration: Duration,
    /// Attempts that gave way to others.
    pub retries: u32,
    /// How long those took.
    pub waited: Duration,
    /// Who stood in the way of the last one.
    pub blocked_by: Vec<BlockedBy>,
}

/// Reads the history and decides. Reads only; works without a ledger.
pub async fn plan(
    session: &mut Session,
    files: &Files<'_>,
    ledger: &str,
    settings: &Settings,
    backfills: &Backfills,
) -> Result<Plan, Error> {
    let Files { migrations, fixtures, snapshot } = *files;
    let applied = history(session, ledger).await?;
    let mut plan = decide(&applied, migrations);
    plan.state = Some(if applied.is_empty() { state::of(session, ledger).await? } else { State::Managed });
    if let (Some(snapshot), Some(State::Fresh)) = (snapshot, &plan.state) {
        match Snapshot::of(snapshot.clone(), migrations) {
            Ok(snapshot) => {
                let covers =
                    |file: &Migration| snapshot.covered.iter().any(|one| one.version == file.version);
                plan.pending.retain(|file| !covers(file));
                plan.snapshot = Some(snapshot);
            }
            Err(stale) => plan.findings.push(stale),
        }
    }
    defer(session, &mut plan, settings, backfills).await?;
    if let Some(fixtures) = fixtures {
        // Rows fit one version of the tables: once a later migration is in, it is too late for them.
        let in_time = applied.last().is_none_or(|newest| newest.version <= fixtures.after);
        if in_time && !fixtures_loaded(session, ledger, &fixtures.path()).await? {
            plan.fixtures = Some(fixtures.clone());
        }
    }
    Ok(plan)
}

/// Takes out of what is pending what waits for something, and what requires one of those.
async fn defer(
    session: &mut Session,
    plan: &mut Plan,
    settings: &Settings,
    backfills: &Backfills,
) -> Result<(), Error> {
    for migration in std::mem::take(&mut plan.pending) {
        let reason = match behind(&migration, &plan.deferred) {
            Some(reason) => Some(reason),
            None => unmet(session, &migration, backfills, settings.search_path.as_deref()).await?,
        };
        match reason {
            Some(reason) => plan.deferred.push(Deferred { migration, reason }),
            None => plan.pending.push(migration),
        }
    }
    Ok(())
}

/// Which deferred migration this one requires.
fn behind(migration: &Migration, deferred: &[Deferred]) -> Option<String> {
    let requires = &migration.header.requires;
    let first =
        deferred.iter().find(|deferred| requires.iter().any(|name| name == deferred.migration.id()))?;
    Some(format!("requires {}, which is deferred", first.migration.id()))
}

/// Applies what is pending in a phase, in order; stops at the first failure. What is deferred is looked at again in its
/// turn: a migration before it may have made what it waits for.
///
/// Only the COMMIT of the phase's last file waits for the disk and for synchronous replicas, and with it all before are
/// there (section 30.4 of the manual). Between two files a crash of the server may take the last ones back, each with its
/// record, and the next run applies them: whoever goes on after a failure, or after a last file that was deferred, first
/// writes something by a COMMIT that waits.
pub async fn run(
    stage: &Stage<'_, Event>,
    plan: &Plan,
    phase: Phase,
    settings: &Settings,
    backfills: &Backfills,
) -> Result<Vec<Done>, GateError> {
    let mut applied = Vec::new();
    match steps(stage, plan, phase, settings, backfills, &mut applied).await {
        Ok(()) => Ok(applied),
        Err(failure) => Err(GateError { failure, applied }),
    }
}

async fn steps(
    stage: &Stage<'_, Event>,
    plan: &Plan,
    phase: Phase,
    settings: &Settings,
    backfills: &Backfills,
    applied: &mut Vec<Done>,
) -> Result<(), Failure> {
    let mut fixtures = plan.fixtures.as_ref().filter(|_| phase == Phase::Pre);
    let steps = plan.steps(phase);
    let snapshot = plan.snapshot.as_ref().filter(|_| phase == Phase::Pre);
    if steps.is_empty() && fixtures.is_none() && snapshot.is_none() {
        return Ok(());
    }
    let mut session = stage.lock.session("schema").await?;
    if let Some(snapshot) = snapshot {
        applied.extend(snapshot.load(stage, settings, &mut session).await?);
    }
    let mut deferred = missing(&mut session, stage, plan, phase, &steps).await?;
    let last = steps.last().map(|migration| migration.version);
    let mut young = Young::default();
    for migration in steps {
        if let Some(due) = fixtures.take_if(|fixtures| fixtures.after < migration.version) {
            due.load(stage, &mut session).await?;
        }
        if stage.stop.is_cancelled() {
            return Err(Failure::Interrupted);
        }
        let waits = match behind(migration, &deferred) {
            Some(reason) => Some(reason),
            None => unmet(&mut session, migration, backfills, settings.search_path.as_deref()).await?,
        };
        match waits {
            Some(reason) => {
                let (migration, migration_id) = (migration.clone(), migration.id().to_owned());
                (stage.events)(Event::Deferred { migration: migration_id, reason: reason.clone() });
                deferred.push(Deferred { migration, reason });
            }
            None => {
                let turn = Turn {
                    progress: plan.resumed.get(&migration.version),
                    durable: last == Some(migration.version),
                    tables: young.without(migration.shape()),
                };
                applied.push(step(stage, settings, &mut session, migration, turn).await?);
                // One that ran statement by statement, perhaps for long, has let others in before its end.
                if migration.header.transaction {
                    young.add(migration.shape());
                }
            }
        }
    }
    if let Some(due) = fixtures {
        due.load(stage, &mut session).await?;
    }
    stage.lock.done_with(session).await;
    Ok(())
}

/// What of the phase before is still not in, where this one requires it.
async fn missing(
    session: &mut Session,
    stage: &Stage<'_, Event>,
    plan: &Plan,
    phase: Phase,
    steps: &[&Migration],
) -> Result<Vec<Deferred>, Failure> {
    let requires = |step: &&Migration| !step.header.requires.is_empty();
    if phase == Phase::Pre || !steps.iter().any(requires) {
        return Ok(Vec::new());
    }
    let applied = history(session, stage.ledger).await?;
    let is_in = |migration: &Migration| {
        applied.iter().any(|row| row.version == migration.version && row.progress.is_none())
    };
    let before = plan.steps(Phase::Pre).into_iter().filter(|migration| !is_in(migration));
    let reason = "not applied".to_owned();
    Ok(before.map(|migration| Deferred { migration: migration.clone(), reason: reason.clone() }).collect())
}

async fn step(
    stage: &Stage<'_, Event>,
    settings: &Settings,
    session: &mut Session,
    migration: &Migration,
    turn: Turn<'_>,
) -> Result<Done, Failure> {
    let id = || migration.id().to_owned();
    (stage.events)(Event::Started { migration: id() });
    let done = migrate(stage, settings, session, migration, turn).await.inspect_err(|failure| {
        let (code, message) = (failure.code().to_owned(), failure.to_string());
        (stage.events)(Event::Failed { migration: id(), code, message });
    })?;
    (stage.events)(Event::Applied {
        migration: id(),
        checksum: migration.source.sha256.clone(),
        duration_ms: milliseconds(done.duration),
        retries: done.retries,
        waited_ms: milliseconds(done.waited),
        blocked_by: done.blocked_by.clone(),
    });
    Ok(done)
}
