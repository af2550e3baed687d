//! A plan that was saved: a deploy runs exactly that one, or nothing.

use std::path::Path;

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

    /// Refuses every plan but this one.
    pub(crate) fn is(&self, plan: &Plan, request: &Request) -> Result<(), Failure> {
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
        let less = self.items.iter().filter(|item| !now.contains(item));
        evidence.extend(less.map(|item| format!("{item} is not to be done any more")));
        let more = now.iter().filter(|item| !self.items.contains(item));
        evidence.extend(more.map(|item| format!("{item} was not to be done")));
        if self.plan != plan.hash && evidence.is_empty() {
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

fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}
