//! What ends the deploy of a fleet, or refuses it.

use super::{Failure, Verdict};

/// How many names and reasons are told; all of them are in the account.
const TOLD: usize = 20;

/// A few lines, and how many more there are.
pub(crate) fn some(all: impl ExactSizeIterator<Item = String>) -> Vec<String> {
    let more = all.len().saturating_sub(TOLD);
    let mut lines: Vec<String> = all.take(TOLD).collect();
    if more > 0 {
        lines.push(format!("and {more} more: pgdeploy fleet list --failed --env {{env}}"));
    }
    lines
}

impl Failure {
    /// More databases of a wave failed than may.
    pub(crate) fn beyond_budget(
        wave: &str,
        (failed, of): (usize, usize),
        may: usize,
        why: Vec<String>,
    ) -> Self {
        let databases = if of == 1 { "database" } else { "databases" };
        let message = format!(
            "{failed} of {of} {databases} of the wave {wave} failed, and {may} may: nothing more was begun"
        );
        let next = "mend what they say, then: pgdeploy fleet retry --failed --env {env}; and for all that is left: pgdeploy deploy --env {env}";
        Self { evidence: why, ..Self::new(Verdict::BeyondBudget, "E477", message) }.next(next)
    }

    /// The query for a fleet's databases does not give any that can be used.
    pub(crate) fn bad_fleet_query(why: impl Into<String>) -> Self {
        Self::new(
            Verdict::Unusable,
            "E475",
            format!("the fleet's databases cannot be had by its query: {}", why.into()),
        )
        .next("fleet.sql gives a row for each: a name of its own and a URL, both text")
    }

    /// Two names of a fleet are one database.
    pub(crate) fn same_database(one: &str, other: &str, shown: &str) -> Self {
        let message = format!("{one} and {other} are one database, {shown}");
        Self::new(Verdict::Unusable, "E476", message)
            .next("give each database one name, and none to the one that keeps account")
    }

    /// There is no such database in the fleet.
    pub(crate) fn no_such_database(name: &str, environment: &str) -> Self {
        Self::new(Verdict::Unusable, "E478", format!("{environment} has no database {name}"))
            .next(format!("pgdeploy fleet list --env {environment}"))
    }

    /// A database that is to be tried again has not failed.
    pub(crate) fn has_not_failed(name: &str) -> Self {
        Self::new(Verdict::Unusable, "E478", format!("{name} has not failed: there is nothing to retry"))
            .next("pgdeploy fleet list --failed --env {env}; without --failed it is deployed to whatever it was")
    }

    /// What is done with one database cannot be done with a fleet.
    pub fn not_with_a_fleet(environment: &str, what: &str) -> Self {
        Self::new(Verdict::Unusable, "E479", format!("{environment} is a fleet, and {what}")).next(format!(
            "name one of its databases: --env {environment}/NAME; pgdeploy fleet list --env {environment}"
        ))
    }

    /// What is done with a fleet cannot be done with a single database.
    pub fn no_fleet(environment: &str) -> Self {
        Self::new(Verdict::Unusable, "E479", format!("{environment} is one database and no fleet"))
            .next("fleet: { targets: [..] } in its environment makes one of it; docs/rollouts.md")
    }
}
