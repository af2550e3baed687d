//! Approvals: rows of the ledger, each bound to an environment and a plan.

use gates::approval::{Asked, Verdict, barred};
use gates::{Approval, Gate, Refusal, Timestamp};
use postgres::{Error, Row, Session, query};
use serde::Serialize;

use crate::backfills::with_ledger;
use crate::failure::Failure;
use crate::foundation;
use crate::gate::holds::taken_back;
use crate::gate::{Answer, Clock};
use crate::ledger::FOR_GATES;
use crate::plan::Plan;
use crate::reach;
use crate::record::Recorder;
use crate::request::Request;

/// The fewest digits of a plan's hash that a person has to name.
const SHORTEST: usize = 6;

/// An approval for people and programs.
#[derive(Debug, Clone, Serialize)]
pub struct Approved {
    /// Its number.
    pub number: i64,
    /// The plan it is for.
    pub plan: String,
    /// Who.
    pub by: String,
    /// Where that was learned.
    pub source: String,
    /// When.
    pub at: String,
    /// Until when it counts.
    pub expires: String,
    /// Whether it counts for what would be deployed now; if not, why.
    pub void: Option<String>,
}

/// What the gate says of a plan.
pub(super) async fn judge(
    request: &Request,
    settings: &pipeline::Approvals,
    plan: &Plan,
    session: &mut Session,
    now: Timestamp,
) -> Result<Answer, Failure> {
    let found = read(session, request, plan).await.map_err(Failure::session)?;
    let asked = asked(request, plan, now);
    let result = match (gates::approval::judge(&settings.rule, &found, &asked), unknown_author(request, plan))
    {
        (Ok(_), Some((message, next))) => {
            let message =
                format!("the approvals of the plan {} cannot be judged: {message}", plan.short_hash());
            let (evidence, next) = (Vec::new(), next.to_owned());
            Err(("E406", Refusal { gate: Gate::Approvals, message, evidence, earliest: None, next }))
        }
        (Ok(people), None) => Ok(format!("plan {} by {}", plan.short_hash(), people.join(", "))),
        (Err(refusal), _) => Err(("E406", refusal)),
    };
    Ok(Answer { gate: Gate::Approvals, result })
}

fn asked(request: &Request, plan: &Plan, now: Timestamp) -> Asked {
    let pending = |path: &std::path::Path| plan.names_file(&request.release, path);
    let authors = request.authors.iter().filter(|(path, _)| pending(path)).flat_map(|(_, people)| people);
    let mut authors: Vec<String> = authors.cloned().collect();
    authors.sort();
    authors.dedup();
    Asked { plan: plan.hash.clone(), deployer: request.actor.name.clone(), authors, now }
}

/// A pending file that anybody may have written, as far as can be seen here, and what to do about it.
fn unknown_author(request: &Request, plan: &Plan) -> Option<(String, &'static str)> {
    let unknown = request.authors_unknown.as_ref()?;
    let file = unknown.files.iter().find(|path| plan.names_file(&request.release, path))?;
    Some((format!("who wrote {} is not known: {}", file.display(), unknown.why), unknown.next))
}

/// Approves the plan whose hash begins like this, if it is the one that a deploy would have now.
pub async fn approve(request: &Request, hash: &str, note: Option<&str>) -> Result<Approved, Failure> {
    let Some(settings) = &request.gates.approvals else {
        let message = format!("{} asks for no approvals", request.environment);
        return Err(Failure::usage(message).next("write approvals: { required: 1 } in its environment"));
    };
    let (recorder, _records) = Recorder::new(&request.environment, &|_| {});
    let mut session = reach::for_writing(request, &recorder).await?;
    let plan = Plan::read(&mut session, request).await.map_err(Failure::session)?;
    plan.refuse()?;
    if hash.len() < SHORTEST || !plan.hash.starts_with(&hash.to_lowercase()) {
        return Err(Failure::other_plan_to_approve(hash, &plan));
    }
    if plan.is_empty() {
        return Err(Failure::usage("there is nothing to approve: everything is already in"));
    }
    let clock = Clock::of(&mut session).await.map_err(Failure::session)?;
    // Who will deploy is not known yet; who wrote it is.
    let asked = Asked { deployer: String::new(), ..asked(request, &plan, clock.now()) };
    if let Some(why) = barred(&settings.rule, &request.actor.name, &asked) {
        return Err(Failure::may_not_approve(&why).next("ask somebody else"));
    }
    if let Some((why, next)) = unknown_author(request, &plan) {
        return Err(Failure::may_not_approve(&why).next(next));
    }
    foundation::is_there(request, &mut session).await?;
    with_ledger(request, &mut session, &recorder, &FOR_GATES).await?;
    let text = format!(
        "INSERT INTO {}.approvals (environment, plan, release, items, approver, approver_source, host, note, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp() + $9::float8 * interval '1 second') \
         RETURNING number, approved_at, expires_at",
        sql::identifier(&request.ledger)
    );
    let inserted = query(&text)
        .bind(&request.environment)
        .bind(&plan.hash)
        .bind(&request.release.hash)
        .bind(plan.items())
        .bind(&request.actor.name)
        .bind(&request.actor.source)
        .bind(&request.actor.host)
        .bind(note)
        .bind(settings.valid_for.as_secs_f64())
        .fetch_one(session.connection())
        .await;
    let row = inserted.map_err(Error::from).map_err(Failure::session)?;
    let approved = (|| {
        Ok(Approved {
            number: row.try_get(0)?,
            plan: plan.hash.clone(),
            by: request.actor.name.clone(),
            source: request.actor.source.clone(),
            at: shown(row.try_get(1)?),
            expires: shown(row.try_get(2)?),
            void: None,
        })
    })();
    session.close().await;
    approved.map_err(|error: sqlx::Error| Failure::session(error.into()))
}

/// All approvals of an environment, the newest first, and whether each counts now.
pub async fn approvals(request: &Request) -> Result<Vec<Approved>, Failure> {
    let mut session = reach::for_reading(request).await?;
    let plan = Plan::read(&mut session, request).await.map_err(Failure::session)?;
    let found = read(&mut session, request, &plan).await.map_err(Failure::session)?;
    let clock = Clock::of(&mut session).await.map_err(Failure::session)?;
    session.close().await;
    let rule = request.gates.approvals.as_ref().map(|settings| settings.rule.clone());
    let rule = rule.unwrap_or(gates::approval::Rule { required: 0, from: Vec::new() });
    // Whoever looks is not whoever deploys.
    let asked = Asked { deployer: String::new(), ..asked(request, &plan, clock.now()) };
    let unknown = unknown_author(request, &plan).map(|(why, _)| why);
    let told = |approval: Approval| Approved {
        void: match approval.verdict(&rule, &asked) {
            Verdict::Counts => unknown.clone(),
            Verdict::Void(why) => Some(why),
        },
        number: approval.number,
        plan: approval.plan,
        by: approval.by,
        source: approval.source,
        at: gates::shown(approval.at),
        expires: gates::shown(approval.expires),
    };
    Ok(found.into_iter().rev().map(told).collect())
}

/// Takes an approval back.
pub async fn revoke(request: &Request, number: i64, reason: &str) -> Result<(), Failure> {
    let text = "UPDATE {ledger}.approvals SET revoked_at = clock_timestamp(), revoked_by = $3, revoked_source = $4, revoke_reason = $5 \
         WHERE number = ANY ($1) AND environment = $2 AND revoked_at IS NULL";
    if taken_back(request, text, &[number], Some(reason)).await? == 0 {
        let message = format!("{} has no approval {number} that could be revoked", request.environment);
        return Err(Failure::not_there(message, "pgdeploy approvals list --env {env}"));
    }
    Ok(())
}

/// The approvals of an environment, oldest first. One of another plan counts for this one too where this is what is left
/// of it: the same release, a deploy of which has begun, and nothing to do that it did not name.
async fn read(session: &mut Session, request: &Request, plan: &Plan) -> Result<Vec<Approval>, Error> {
    let ledger = sql::identifier(&request.ledger);
    if !super::holds::is_there(session, &request.ledger, "approvals").await? {
        return Ok(Vec::new());
    }
    let text = format!(
        "SELECT number, plan, approver, approver_source, approved_at, expires_at, revoked_by, \
           release = $2 AND items @> $3 AND EXISTS (SELECT FROM {ledger}.deployments d WHERE d.environment = $1 \
             AND d.plan = a.plan AND d.release = a.release AND d.started_at >= a.approved_at AND d.stages <> '{{}}'), \
           EXISTS (SELECT FROM {ledger}.migrations_undone u WHERE u.undone_at > a.approved_at) \
         FROM {ledger}.approvals a WHERE environment = $1 ORDER BY number"
    );
    let rows = query(&text)
        .bind(&request.environment)
        .bind(&request.release.hash)
        .bind(plan.items())
        .fetch_all(session.connection())
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Approval {
                number: row.try_get(0)?,
                plan: row.try_get(1)?,
                by: row.try_get(2)?,
                source: row.try_get(3)?,
                at: moment(row.try_get(4)?),
                expires: moment(row.try_get(5)?),
                revoked_by: row.try_get(6)?,
                resumed: row.try_get(7)?,
                undone: row.try_get(8)?,
            })
        })
        .collect()
}

/// A time of the ledger.
pub(super) fn moment(time: chrono::DateTime<chrono::Utc>) -> Timestamp {
    Timestamp::from_microsecond(time.timestamp_micros()).unwrap_or(Timestamp::MAX)
}

pub(super) fn shown(time: chrono::DateTime<chrono::Utc>) -> String {
    gates::shown(moment(time))
}

impl Failure {
    fn other_plan_to_approve(named: &str, plan: &Plan) -> Self {
        let message = match plan.hash.starts_with(named) {
            true => format!("`{named}` is too short: a plan is named by at least {SHORTEST} of its digits"),
            false => format!("a deploy would have the plan {} now, not {named}", plan.short_hash()),
        };
        Self::new(crate::failure::Verdict::Refused, "E422", message)
            .next("look at it, then approve it: pgdeploy plan --env {env}")
    }

    fn may_not_approve(why: &str) -> Self {
        let message = format!("this approval would not count: {why}");
        Self::new(crate::failure::Verdict::Refused, "E423", message)
    }

    pub(super) fn not_there(message: String, next: &str) -> Self {
        Self::new(crate::failure::Verdict::Unusable, "E424", message).next(next)
    }
}
