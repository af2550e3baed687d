//! Backfills outside of a deploy: run by any number of processes, looked at, and steered while they run.

use std::time::Duration;

use backfill::{Aside, Ask, Asked, Outcome, Preflight, Proof, Settled, Standing};
use postgres::ledger::Component;
use postgres::{Row, Session, query};
use tokio_util::sync::CancellationToken;

use crate::contract;
use crate::event::Event;
use crate::failure::{Failure, Verdict};
use crate::foundation::bootstrap_with;
use crate::gate::Patrol;
use crate::ledger::FOR_BACKFILLS;
use crate::reach;
use crate::record::{Observer, Recorder};
use crate::request::Request;

/// A run without a budget ends when the work does.
pub(crate) const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Runs the named backfills, or all of them, until they are complete; beside a deploy or others like it, if there are.
pub async fn run_backfills(
    request: &Request,
    ids: &[String],
    budget: Option<Duration>,
    observer: Observer<'_>,
    stop: &CancellationToken,
) -> Result<Outcome, Failure> {
    known(request, ids)?;
    let (recorder, _records) = Recorder::new(&request.environment, observer);
    let reached = async {
        let mut session = reach::for_writing(request, &recorder).await?;
        with_ledger(request, &mut session, &recorder, &FOR_BACKFILLS).await?;
        Ok(session)
    };
    let mut session = tokio::select! {
        biased;
        () = stop.cancelled() => return Err(Failure::interrupted("interrupted before anything was touched")),
        session = reached => session?,
    };
    let release = &request.release;
    let plan =
        backfill::plan(&mut session, &release.backfills, &request.ledger).await.map_err(Failure::session)?;
    let plan = if ids.is_empty() { plan } else { plan.only(ids.to_vec()) };
    let problems: Vec<_> = plan
        .selected()
        .filter_map(|item| item.refused.as_ref().or(item.waiting_for.as_ref()))
        .cloned()
        .collect();
    if !problems.is_empty() {
        return Err(Failure::files(problems));
    }
    let pending = contract::pending_migrations(&mut session, request).await.map_err(Failure::session)?;
    let mut settings = request.backfill.clone();
    settings.budget = budget.unwrap_or(FOR_EVER);
    settings.pending_migrations = pending;
    passed_here(request, &mut session).await?;
    let events = |event| recorder.record(Event::Backfill(event));
    let patrol = Patrol::new(request, &recorder).await.map_err(Failure::session)?;
    let mut outcome = patrol
        .run(settings.budget, stop, async |stop, budget, on_hold| {
            let plan = backfill::plan(&mut session, &release.backfills, &request.ledger).await;
            let plan = plan.map_err(Failure::session)?;
            let chosen = plan.items().iter().map(|item| &item.id);
            let chosen = chosen.filter(|id| (ids.is_empty() || ids.contains(id)) && !on_hold.contains(*id));
            let chosen = chosen.cloned().collect();
            let stage = backfill::Stage {
                target: &request.target,
                ledger: &request.ledger,
                deployment: None,
                host: &request.actor.host,
                events: &events,
                stop,
            };
            let settings = backfill::Settings { budget, ..settings.clone() };
            Ok(backfill::run(&stage, &plan.only(chosen), &settings).await)
        })
        .await?;
    session.close().await;
    outcome.warnings = outcome.warnings.into_iter().map(|warning| warning.at(&request.environment)).collect();
    Ok(outcome)
}

/// Behind gates, only a release of which a deploy has begun has passed them.
async fn passed_here(request: &Request, session: &mut Session) -> Result<(), Failure> {
    if !request.gated {
        return Ok(());
    }
    let text = format!(
        "SELECT EXISTS (SELECT FROM {}.deployments WHERE environment = $1 AND release = $2 AND stages <> '{{}}')",
        sql::identifier(&request.ledger)
    );
    let found = query(&text).bind(&request.environment).bind(&request.release.hash);
    let row = found.fetch_one(session.connection()).await;
    match row.and_then(|row| row.try_get(0)).map_err(postgres::Error::from).map_err(Failure::session)? {
        true => Ok(()),
        false => {
            let (name, release) = (&request.environment, request.release.short_hash());
            let message = format!("no deploy of the release {release} has passed the gates of {name}");
            Err(Failure::new(Verdict::Refused, "E418", message).next("pgdeploy deploy --env {env}"))
        }
    }
}

/// Where the release's backfills stand.
pub async fn backfills(request: &Request) -> Result<Vec<Standing>, Failure> {
    let mut session = reach::for_reading(request).await?;
    let standing = backfill::standing(&mut session, &request.release.backfills, &request.ledger).await;
    session.close().await;
    standing.map_err(Failure::session)
}

/// What runs of them would be like.
pub async fn preflight_backfills(request: &Request, ids: &[String]) -> Result<Vec<Preflight>, Failure> {
    known(request, ids)?;
    let mut session = reach::for_reading(request).await?;
    let definitions = &request.release.backfills;
    let plan = backfill::plan(&mut session, definitions, &request.ledger).await.map_err(Failure::session)?;
    let plan = if ids.is_empty() { plan } else { plan.only(ids.to_vec()) };
    let refused: Vec<_> = plan.selected().filter_map(|item| item.refused.clone()).collect();
    if !refused.is_empty() {
        return Err(Failure::files(refused));
    }
    let mut all = Vec::new();
    for item in plan.selected().filter(|item| item.waiting_for.is_none()) {
        let looked =
            backfill::preflight(&mut session, definitions, &item.id, &request.ledger, &request.backfill)
                .await;
        if let Ok(preflight) = looked.map_err(Failure::session)? {
            all.push(preflight);
        }
    }
    session.close().await;
    Ok(all)
}

/// Proves them complete, now; or says why they are not.
pub async fn verify_backfills(request: &Request, ids: &[String]) -> Result<Vec<(String, Proof)>, Failure> {
    known(request, ids)?;
    let mut session = reach::for_reading(request).await?;
    let definitions = &request.release.backfills;
    let all = definitions.items().iter().map(|definition| definition.id.clone());
    let mut proofs = Vec::new();
    for id in all.filter(|id| ids.is_empty() || ids.contains(id)) {
        let proof = backfill::proof(&mut session, definitions, &id, &request.ledger).await;
        proofs.push((id, proof.map_err(Failure::session)?));
    }
    session.close().await;
    Ok(proofs)
}

/// Asks something of a backfill that is at work. The new revision.
pub async fn ask_backfill(
    request: &Request,
    id: &str,
    what: &Ask,
    revision: Option<i32>,
) -> Result<i32, Failure> {
    let mut session = steering(request, id).await?;
    let asked = backfill::ask(&mut session, &request.ledger, (id, &request.actor.name), what, revision).await;
    session.close().await;
    match asked.map_err(Failure::session)? {
        Asked::Accepted(revision) => Ok(revision),
        Asked::Nothing(state) => Err(Failure::nothing_to_steer(id, state.as_deref())),
        Asked::Stale { revision, last } => Err(Failure::stale(id, revision, &last)),
    }
}

/// The rows of a backfill that are set aside.
pub async fn quarantine(request: &Request, id: &str) -> Result<Vec<Aside>, Failure> {
    known(request, &[id.to_owned()])?;
    let mut session = reach::for_reading(request).await?;
    if !begun(&mut session, request, &[backfill::LEDGER]).await? {
        return Ok(Vec::new());
    }
    let rows = backfill::asides(&mut session, &request.ledger, id).await;
    session.close().await;
    rows.map_err(Failure::session)
}

/// What is to become of rows in quarantine.
#[derive(Debug)]
pub enum Settle {
    /// The next run tries them again.
    Retry,
    /// They stay as they are, for this reason; those with these keys, or all.
    Accept {
        /// Each as its values joined by commas.
        keys: Vec<String>,
        /// Why.
        reason: String,
    },
}

/// Settles rows in quarantine. How many.
pub async fn settle_quarantine(request: &Request, id: &str, settle: &Settle) -> Result<u64, Failure> {
    let mut session = steering(request, id).await?;
    let who = (id, request.actor.name.as_str());
    let settled = match settle {
        Settle::Retry => backfill::retry_quarantine(&mut session, &request.ledger, who).await,
        Settle::Accept { keys, reason } => {
            backfill::accept_quarantine(&mut session, &request.ledger, who, (keys, reason)).await
        }
    };
    session.close().await;
    match settled.map_err(Failure::session)? {
        Settled::Rows(rows) => Ok(rows),
        Settled::NotBegun => Err(Failure::nothing_to_steer(id, None)),
    }
}

/// A session that writes what people ask, into a ledger that is there.
async fn steering(request: &Request, id: &str) -> Result<Session, Failure> {
    known(request, &[id.to_owned()])?;
    let (recorder, _records) = Recorder::new(&request.environment, &|_| {});
    let mut session = reach::for_writing(request, &recorder).await?;
    if !begun(&mut session, request, &[backfill::LEDGER]).await? {
        return Err(Failure::nothing_to_steer(id, None));
    }
    Ok(session)
}

/// Whether these tables are there.
async fn begun(session: &mut Session, request: &Request, components: &[Component]) -> Result<bool, Failure> {
    postgres::ledger::is_current(session, &request.ledger, components).await.map_err(Failure::session)
}

/// The ledger's tables that something needs. The run lock is needed for no longer than it takes to make them, and where
/// they are there, as beside a deploy, not at all.
pub(crate) async fn with_ledger(
    request: &Request,
    session: &mut Session,
    recorder: &Recorder<'_>,
    needed: &[Component],
) -> Result<(), Failure> {
    if begun(session, request, needed).await? {
        return Ok(());
    }
    let second = request.target.connect("lock").await.map_err(Failure::session)?;
    let lock = reach::take_lock(request, recorder, second).await?;
    let made = bootstrap_with(request, session, &lock, needed).await;
    lock.release().await;
    made
}

/// Every name is one of the release's.
pub(crate) fn known(request: &Request, ids: &[String]) -> Result<(), Failure> {
    let all: Vec<&str> =
        request.release.backfills.items().iter().map(|definition| definition.id.as_str()).collect();
    match ids.iter().find(|id| !all.contains(&id.as_str())) {
        Some(id) => Err(Failure::no_such_backfill(id, &all)),
        None => Ok(()),
    }
}
