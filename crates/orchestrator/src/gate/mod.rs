//! Whether a deploy may begin: the environment's gates, one after the other, before anything is touched.

mod answer;
mod approvals;
mod clock;
mod evidence;
mod holds;
mod patrol;
mod plan_file;
mod receipt;

use std::collections::HashSet;

use gates::freeze::{Standing, standing};
use gates::{Gate, Refusal, Stage, Success};
use postgres::{Session, Warning};

pub(crate) use answer::Answer;
pub use answer::GateAnswer;
pub use approvals::{Approved, approvals, approve, revoke};
pub(crate) use clock::Clock;
pub(crate) use holds::that_are_on;
pub use holds::{add_hold, holds, lift_hold};
pub(crate) use patrol::{Patrol, not_begun};
pub use plan_file::PlanFile;
pub(crate) use receipt::{unwritten as no_receipt, write as write_receipt};

use crate::event::StageName;
use crate::failure::Failure;
use crate::gate::evidence::{Evidence, NoEvidence, key};
use crate::plan::Plan;
use crate::record::Recorder;
use crate::release::File;
use crate::request::{Request, Upstream};

/// What the gates say of a plan.
pub(crate) struct Looked {
    pub(crate) answers: Vec<Answer>,
    /// Warning stages that have something to do and may not begin now; the others go on without them.
    pub(crate) frozen: Vec<Frozen>,
}

/// A stage that may not begin now.
#[derive(Debug, Clone)]
pub(crate) struct Frozen {
    pub(crate) stage: StageName,
    /// Which windows, and until when.
    pub(crate) why: String,
}

impl Frozen {
    pub(crate) fn warning(&self) -> Warning {
        Warning {
            code: "W401",
            message: format!("the {} stage was left out: {}", self.stage.as_str(), self.why),
            next: Some("when it is open: pgdeploy deploy --env {env}".into()),
        }
    }
}

/// What a deploy knows when its gates have passed.
#[derive(Default)]
pub(crate) struct Passed {
    pub(crate) frozen: Vec<Frozen>,
    pub(crate) warnings: Vec<Warning>,
}

/// Asks every gate. Refused ones end the deploy, but for the one that a person overrides and the environment lets them.
pub(crate) async fn ask(
    request: &Request,
    plan: &Plan,
    session: &mut Session,
    recorder: &Recorder<'_>,
) -> Result<Passed, Failure> {
    let allowed = &request.gates.overrides;
    if let Some(one) = request.overridden.as_ref().filter(|one| !allowed.contains(&one.gate)) {
        return Err(Failure::override_not_allowed(one.gate, allowed, &request.environment));
    }
    let looked = look(request, plan, session).await?;
    let mut passed = Passed { frozen: looked.frozen, warnings: Vec::new() };
    let mut refused = Vec::new();
    for answer in &looked.answers {
        let overridden = request.overridden.as_ref().filter(|one| one.gate == answer.gate);
        recorder.record(answer.event(overridden));
        match (&answer.result, overridden) {
            (Err((_, refusal)), Some(one)) => passed.warnings.push(Warning {
                code: "W402",
                message: format!("{} was overridden ({}): {}", one.gate, one.reason, refusal.message),
                next: None,
            }),
            (Err(refusal), None) => refused.push(refusal.clone()),
            (Ok(_), _) => {}
        }
    }
    match Failure::shut(&refused, allowed) {
        Some(_) if request.starts_an_application && !is_hard(request, plan) => {
            let why =
                refused.iter().map(|(_, refusal)| refusal.message.as_str()).collect::<Vec<_>>().join("; ");
            let left_out = warning_stages(plan).into_iter().filter(|(.., has_work)| *has_work);
            passed.frozen = left_out.map(|(_, stage, _)| Frozen { stage, why: why.clone() }).collect();
            Ok(passed)
        }
        Some(failure) => Err(failure),
        None => Ok(passed),
    }
}

/// Whether a plan has more to do than what a deploy can go without.
fn is_hard(request: &Request, plan: &Plan) -> bool {
    plan.changes_schema() || plan.applies_migrations() || requires_index(request, plan)
}

/// The stages that a deploy can go without, and whether they have something to do.
fn warning_stages(plan: &Plan) -> [(Stage, StageName, bool); 2] {
    [
        (Stage::Index, StageName::Index, plan.index.pending().next().is_some()),
        (Stage::Backfill, StageName::Backfill, plan.backfill.pending().next().is_some()),
    ]
}

/// Asks every gate that the environment has. A plan without work passes all of them: there is nothing to hold back.
pub(crate) async fn look(request: &Request, plan: &Plan, session: &mut Session) -> Result<Looked, Failure> {
    let mut looked = Looked { answers: Vec::new(), frozen: Vec::new() };
    if plan.is_empty() && !promotes(request) {
        return Ok(looked);
    }
    let clock = Clock::of(session).await.map_err(Failure::session)?;
    promotion(request, session, clock, &mut looked).await?;
    if plan.is_empty() {
        return Ok(looked);
    }
    if let Some(settings) = &request.gates.approvals {
        let answer = approvals::judge(request, settings, plan, session, clock.now()).await?;
        looked.answers.push(answer);
    }
    if !request.gates.windows.is_empty() {
        freeze(request, plan, clock, &mut looked);
    }
    let holds = holds::read(session, request).await.map_err(Failure::session)?;
    let stops = |hold: &gates::Hold| hold.stops_release(&request.release.hash);
    match gates::hold::judge(&holds, &request.environment, stops, clock.now()) {
        Err(refusal) => looked.answers.push(Answer { gate: Gate::Hold, result: Err(("E408", refusal)) }),
        Ok(()) if request.gated => {
            looked.answers.push(Answer { gate: Gate::Hold, result: Ok("no hold".to_owned()) })
        }
        Ok(()) => {}
    }
    Ok(looked)
}

/// Refuses a plan whose files are not where they have to be before: nobody can agree to it yet. The other gates are told.
pub(crate) fn unreached(looked: &Looked, gates: &pipeline::Gates) -> Result<(), Failure> {
    let promotion = looked.answers.iter().filter(|answer| answer.gate == Gate::Promotion);
    let refused: Vec<_> = promotion.filter_map(|answer| answer.result.clone().err()).collect();
    Failure::shut(&refused, &gates.overrides).map_or(Ok(()), Err)
}

fn promotes(request: &Request) -> bool {
    !request.upstreams.is_empty()
}

/// Every file that has not succeeded here yet has succeeded upstream, and for long enough.
async fn promotion(
    request: &Request,
    session: &mut Session,
    clock: Clock,
    looked: &mut Looked,
) -> Result<(), Failure> {
    if !promotes(request) {
        return Ok(());
    }
    let here = evidence::succeeded(session, &request.ledger, &request.environment)
        .await
        .map_err(Failure::session)?;
    let here: HashSet<_> = here.into_keys().collect();
    let pending: Vec<&File> =
        request.release.files.iter().filter(|file| !here.contains(&key(file))).collect();
    if pending.is_empty() {
        return Ok(());
    }
    for upstream in &request.upstreams {
        let name = &upstream.name;
        let found = Evidence::of(request, upstream, clock.now()).await;
        let promoted = match &found {
            Ok(found) => promoted(request, upstream, found, &pending),
            Err(none) => Err(no_evidence(none)),
        };
        looked.answers.push(Answer { gate: Gate::Promotion, result: promoted });
        let Some(soak) = request.gates.soak else { continue };
        let found = found.unwrap_or_default();
        let files: Vec<Success> = pending
            .iter()
            .map(|file| Success { path: file.path.display().to_string(), at: found.since(file) })
            .collect();
        let result = match gates::soak::judge(name, &files, soak, found.now) {
            Ok(Some(since)) => Ok(format!("in {name} since {}", gates::shown(since))),
            Ok(None) => Ok(format!("nothing has to be in {name}")),
            Err(refusal) => Err(("E405", refusal)),
        };
        looked.answers.push(Answer { gate: Gate::Soak, result });
    }
    // What has to be there first is told before how long it has been there.
    looked.answers.sort_by_key(|answer| answer.gate);
    Ok(())
}

fn promoted(
    request: &Request,
    upstream: &Upstream,
    found: &Evidence,
    pending: &[&File],
) -> Result<String, (&'static str, Refusal)> {
    let missing: Vec<String> = pending
        .iter()
        .filter(|file| found.since(file).is_none())
        .map(|file| format!("{} {}", file.path.display(), found.why_not(file)))
        .collect();
    if missing.is_empty() {
        let files = crate::failure::counted(pending.len(), "file");
        return Ok(format!("{files} as in {}, by {}", upstream.name, found.source));
    }
    let have = if missing.len() == 1 { "1 file has".into() } else { format!("{} files have", missing.len()) };
    let name = &upstream.name;
    let message =
        format!("{have} not been deployed to {name} yet, and {} comes after it", request.environment);
    let mut next = format!("pgdeploy deploy --env {name}");
    if upstream.target.is_none() && request.gates.receipts.is_none() {
        next += &format!(
            "; what has succeeded in an embedded database is known in its own folder alone: in CI or an image give {name} a \
             URL, or leave it out of `after`"
        );
    }
    Err(("E401", Refusal { gate: Gate::Promotion, message, evidence: missing, earliest: None, next }))
}

fn no_evidence(none: &NoEvidence) -> (&'static str, Refusal) {
    let refusal = Refusal {
        gate: Gate::Promotion,
        message: none.message.clone(),
        evidence: none.evidence.clone(),
        earliest: None,
        next: none.next.clone(),
    };
    (none.code, refusal)
}

/// A hard stage with work that may not begin ends the deploy; a warning stage is left out, where others have work.
fn freeze(request: &Request, plan: &Plan, clock: Clock, looked: &mut Looked) {
    let now = clock.now();
    let [index, backfill] = warning_stages(plan);
    let stages = [(Stage::Schema, StageName::Schema, plan.applies_migrations()), index, backfill];
    let (mut evidence, mut earliest, mut ends) = (Vec::new(), None, true);
    let mut frozen = Vec::new();
    let with_work = stages.iter().filter(|(.., has_work)| *has_work);
    for (stage, name, _) in with_work.clone() {
        let Standing::Closed { why, until } = standing(&request.gates.windows, *stage, now) else { continue };
        let end =
            until.map_or("no end in sight".to_owned(), |until| format!("until {}", gates::shown(until)));
        let why = format!("{}, {end}", why.join("; "));
        evidence.push(format!("{}: {why}", name.as_str()));
        ends &= until.is_some();
        earliest = earliest.max(until);
        frozen.push(Frozen { stage: *name, why });
    }
    let overridden = request.overridden.as_ref().is_some_and(|one| one.gate == Gate::Freeze);
    let required = |frozen: &Frozen| frozen.stage == StageName::Index && requires_index(request, plan);
    let is_hard = frozen.iter().any(|one| one.stage == StageName::Schema || required(one));
    let result = if frozen.is_empty() {
        Ok("open".to_owned())
    } else if is_hard || overridden || frozen.len() == with_work.count() {
        let names: Vec<&str> = frozen.iter().map(|one| one.stage.as_str()).collect();
        let message = format!("nothing of {} may begin now", names.join(", "));
        let earliest = earliest.filter(|_| ends);
        let next = "wait, then: pgdeploy deploy --env {env}".to_owned();
        Err(("E407", Refusal { gate: Gate::Freeze, message, evidence, earliest, next }))
    } else {
        let names: Vec<&str> = frozen.iter().map(|one| one.stage.as_str()).collect();
        Ok(format!("open, but for {}", names.join(", ")))
    };
    if !overridden {
        looked.frozen = frozen;
    }
    looked.answers.push(Answer { gate: Gate::Freeze, result });
}

/// Whether a pending index is one that the deploy cannot go without.
fn requires_index(request: &Request, plan: &Plan) -> bool {
    let required = request.release.indexes.indexes.iter().filter(|index| index.required);
    let mut names = required.map(|index| index.name.as_str());
    names.any(|name| plan.index.pending().any(|item| item.name == name))
}
