//! A plan that was saved: a deploy runs exactly that one, or nothing.

use std::path::Path;

use postgres::{Error, Row, Session, query};
use serde::Deserialize;

use crate::failure::{Failure, Verdict};
use crate::plan::Plan;
use crate::request::Request;

/// What `pgdeploy plan --out` has written, as far as a deploy compares it.
#[derive(Debug, Clone, Deserialize)]
pub struct PlanFile {
    v: u32,
    pipeline: String,
    environment: String,
    target: String,
    release: String,
    plan: String,
    items: Vec<String>,
}

impl PlanFile {
    /// Reads one.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let unreadable = |why: String| {
            let message = format!("{} is no plan: {why}", path.display());
            Failure::new(Verdict::Unusable, "E421", message)
                .next("write one: pgdeploy plan --env {env} --out FILE")
        };
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        let plan: Self = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        if plan.v != 1 {
            return Err(unreadable(format!("it is of version {}", plan.v)));
        }
        Ok(plan)
    }

    /// Refuses every plan but this one, and what is left of it once a deploy of it has begun.
    pub(crate) async fn is(
        &self,
        plan: &Plan,
        request: &Request,
        session: &mut Session,
    ) -> Result<(), Failure> {
        let mut evidence = Vec::new();
        let mut compare = |what: &str, saved: &str, now: &str| {
            if saved != now {
                evidence.push(format!("{what} was {saved} and is {now}"));
            }
        };
        compare("the pipeline", &self.pipeline, &request.pipeline);
        compare("the environment", &self.environment, &request.environment);
        compare("the database", &self.target, &request.target.to_string());
        compare("the release", short(&self.release), short(&request.release.hash));
        let now = plan.items();
        let has_begun =
            self.plan != plan.hash && self.has_begun(request, session).await.map_err(Failure::session)?;
        if !has_begun {
            let less = self.items.iter().filter(|item| !now.contains(item));
            evidence.extend(less.map(|item| format!("{item} is not to be done any more")));
        }
        let more = now.iter().filter(|item| !self.items.contains(item));
        evidence.extend(more.map(|item| format!("{item} was not to be done")));
        if self.plan != plan.hash && !has_begun && evidence.is_empty() {
            evidence.push("the same items would be done in another way".into());
        }
        if evidence.is_empty() {
            return Ok(());
        }
        let message = format!(
            "the plan {} was saved, and a deploy would have the plan {} now",
            short(&self.plan),
            plan.short_hash()
        );
        let next = "look at what has changed: pgdeploy plan --env {env} --out FILE; nothing was touched";
        Err(Failure { evidence, ..Failure::new(Verdict::Refused, "E420", message) }.next(next))
    }
}

impl PlanFile {
    /// Whether a deploy of this plan has changed something here that nobody has taken back.
    async fn has_begun(&self, request: &Request, session: &mut Session) -> Result<bool, Error> {
        if !postgres::ledger::exists(session, &request.ledger).await? {
            return Ok(false);
        }
        let text = format!(
            "SELECT EXISTS (SELECT FROM {0}.deployments d WHERE d.pipeline = $1 AND d.environment = $2 AND d.plan = $3 \
               AND d.release = $4 AND d.stages <> '{{}}' \
               AND NOT EXISTS (SELECT FROM {0}.migrations_undone u WHERE u.undone_at > d.started_at))",
            sql::identifier(&request.ledger)
        );
        let asked = query(&text).bind(&request.pipeline).bind(&request.environment);
        let row = asked.bind(&self.plan).bind(&self.release).fetch_one(session.connection()).await?;
        Ok(row.try_get(0)?)
    }
}

fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}
