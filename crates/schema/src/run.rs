//! The stage's verbs: plan what is pending, run it.

use std::time::Duration;

use postgres::{Error, Session, Stage};

use crate::apply::{apply, milliseconds};
use crate::decide::{Plan, decide};
use crate::event::{BlockedBy, Event};
use crate::failure::{Failure, GateError};
use crate::fixtures::Fixtures;
use crate::history::{fixtures_loaded, history};
use crate::migration::{Migration, Migrations};
use crate::state::{self, State};

/// How patient the stage is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long one attempt may queue for a lock; everybody else queues behind it.
    pub lock_timeout: Duration,
    /// How long attempts go on.
    pub retry_for: Duration,
    /// The longest any statement of a migration may run.
    pub statement_timeout: Duration,
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
    migrations: &Migrations,
    fixtures: Option<&Fixtures>,
    ledger: &str,
) -> Result<Plan, Error> {
    let applied = history(session, ledger).await?;
    let mut plan = decide(&applied, migrations);
    plan.state = Some(if applied.is_empty() { state::of(session, ledger).await? } else { State::Managed });
    if let Some(fixtures) = fixtures {
        // Rows fit one version of the tables: once a later migration is in, it is too late for them.
        let in_time = applied.last().is_none_or(|newest| newest.version <= fixtures.after);
        if in_time && !fixtures_loaded(session, ledger, &fixtures.path()).await? {
            plan.fixtures = Some(fixtures.clone());
        }
    }
    Ok(plan)
}

/// Applies what is pending, in order; stops at the first failure.
pub async fn run(stage: &Stage<'_, Event>, plan: &Plan, settings: &Settings) -> Result<Vec<Done>, GateError> {
    let mut applied = Vec::new();
    match steps(stage, plan, settings, &mut applied).await {
        Ok(()) => Ok(applied),
        Err(failure) => Err(GateError { failure, applied }),
    }
}

async fn steps(
    stage: &Stage<'_, Event>,
    plan: &Plan,
    settings: &Settings,
    applied: &mut Vec<Done>,
) -> Result<(), Failure> {
    if plan.is_empty() {
        return Ok(());
    }
    let mut session = stage.lock.session("schema").await?;
    let mut fixtures = plan.fixtures.as_ref();
    for migration in &plan.pending {
        if let Some(due) = fixtures.take_if(|fixtures| fixtures.after < migration.version) {
            due.load(stage, &mut session).await?;
        }
        applied.push(step(stage, settings, &mut session, migration).await?);
    }
    if let Some(due) = fixtures {
        due.load(stage, &mut session).await?;
    }
    session.close().await;
    Ok(())
}

async fn step(
    stage: &Stage<'_, Event>,
    settings: &Settings,
    session: &mut Session,
    migration: &Migration,
) -> Result<Done, Failure> {
    if stage.stop.is_cancelled() {
        return Err(Failure::Interrupted);
    }
    // From version 14 on, the server ends a statement whose client has died; it refuses this where it cannot. Set for
    // each file: the file before may have undone it.
    let _ = session.run("SET client_connection_check_interval = '1s'").await;
    (stage.events)(Event::Started { migration: migration.id().to_owned() });
    let done = apply(stage, settings, session, migration).await.inspect_err(|failure| {
        (stage.events)(Event::Failed {
            migration: migration.id().to_owned(),
            code: failure.code().to_owned(),
            message: failure.to_string(),
        });
    })?;
    (stage.events)(Event::Applied {
        migration: done.migration.clone(),
        duration_ms: milliseconds(done.duration),
        retries: done.retries,
        waited_ms: milliseconds(done.waited),
        blocked_by: done.blocked_by.clone(),
    });
    Ok(done)
}
