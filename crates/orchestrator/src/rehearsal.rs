//! There and back and there again: whether what takes a migration back does, proven on a database that nobody needs.

use postgres::{RunLock, Session, Stage};
use schema::{Fingerprint, Phase, Undo};
use sql::Problem;
use tokio_util::sync::CancellationToken;

use crate::event::Event;
use crate::failure::Failure;
use crate::foundation::bootstrap;
use crate::plan::Plan;
use crate::reach;
use crate::record::Recorder;
use crate::request::Request;

/// What was found.
#[derive(Debug, Default)]
pub struct RoundTrips {
    /// Migrations with a way back, each gone there, back and there again.
    pub proven: usize,
    /// Migrations without one.
    pub without: usize,
    /// Ways back that lead elsewhere.
    pub problems: Vec<Problem>,
}

/// Applies the migrations of a release one by one to an empty database; each that has a down file is taken back and
/// applied again. The catalog must be the same before and after the way back, and the same after both ways there.
///
/// # Errors
/// A migration, or what takes it back, that fails.
pub async fn round_trips(request: &Request) -> Result<RoundTrips, Failure> {
    let (recorder, _records) = Recorder::new(&request.environment, &|_| {});
    let (mut session, lock) = reach::locked(request, &recorder).await?;
    bootstrap(request, &mut session, &lock).await?;
    let mut trips = RoundTrips::default();
    for migration in &request.release.migrations.0 {
        let Some(down) = &migration.down else {
            trips.without += 1;
            step(request, &lock, &recorder, &mut session, migration.version).await?;
            continue;
        };
        let before = look(request, &mut session).await?;
        step(request, &lock, &recorder, &mut session, migration.version).await?;
        let after = look(request, &mut session).await?;
        let (version, id) = (migration.version, migration.id().to_owned());
        back(request, &lock, &recorder, Undo { version, migration: id, down: down.clone() }).await?;
        let returned = look(request, &mut session).await?;
        step(request, &lock, &recorder, &mut session, migration.version).await?;
        let again = look(request, &mut session).await?;
        trips.proven += 1;
        let unlike = [
            ("does not lead back to where the migration began", before.difference(&returned)),
            ("leads to another place when the migration is applied again", after.difference(&again)),
        ];
        for (what, difference) in unlike.into_iter().filter(|(_, difference)| !difference.is_empty()) {
            let lines = difference.join("\n");
            trips.problems.push(Problem::with_file("E130", &down.path, format!("{what}:\n{lines}")));
        }
    }
    lock.release().await;
    Ok(trips)
}

/// What the catalog of a database looks like, without our ledger.
async fn look(request: &Request, session: &mut Session) -> Result<Fingerprint, Failure> {
    Fingerprint::of(session, &[&request.ledger]).await.map_err(Failure::session)
}

/// The catalog of the request's database.
pub async fn fingerprint(request: &Request) -> Result<Fingerprint, Failure> {
    let mut session = reach::for_reading(request).await?;
    let found = look(request, &mut session).await?;
    session.close().await;
    Ok(found)
}

/// Applies one migration, whatever else is pending. Conditions do not count: there is nothing yet that they could be about.
async fn step(
    request: &Request,
    lock: &RunLock,
    recorder: &Recorder<'_>,
    session: &mut Session,
    version: u64,
) -> Result<(), Failure> {
    let plan = Plan::read(session, request).await.map_err(Failure::session)?;
    let mut alone = plan.schema;
    let deferred = alone.deferred.drain(..).map(|deferred| deferred.migration);
    let mut one: Vec<_> =
        alone.pending.drain(..).chain(deferred).filter(|file| file.version == version).collect();
    for file in &mut one {
        file.header.when = None;
        file.header.requires_backfill.clear();
        file.header.phase = Phase::Pre;
    }
    alone.pending = one;
    (alone.fixtures, alone.snapshot) = (None, None);
    let events = |event| recorder.record(Event::Schema(event));
    let stage = stage(request, lock, &events);
    let run = schema::run(&stage, &alone, Phase::Pre, &request.schema, &plan.backfills).await;
    run.map(drop).map_err(|error| Failure::gate(error, 1))
}

async fn back(request: &Request, lock: &RunLock, recorder: &Recorder<'_>, undo: Undo) -> Result<(), Failure> {
    let events = |event| recorder.record(Event::Schema(event));
    let rollback = schema::Rollback { steps: vec![undo], ..Default::default() };
    let stage = stage(request, lock, &events);
    let result = schema::rollback(&stage, &rollback, "rehearsal", &request.schema).await;
    result.map(drop).map_err(|error| Failure::gate(error, 1))
}

fn stage<'a>(
    request: &'a Request,
    lock: &'a RunLock,
    events: postgres::Events<'a, schema::Event>,
) -> Stage<'a, schema::Event> {
    Stage { lock, ledger: &request.ledger, deployment: 0, events, stop: CancellationToken::new() }
}
