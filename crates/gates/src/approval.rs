//! Who has agreed to a plan, and whether that counts.

use jiff::Timestamp;

use crate::gate::Gate;
use crate::moment::shown;
use crate::refusal::Refusal;

/// What an environment asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// How many people.
    pub required: u64,
    /// Who may; anybody where it is empty.
    pub from: Vec<String>,
}

/// An approval as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Its number.
    pub number: i64,
    /// The plan it is for.
    pub plan: String,
    /// Who.
    pub by: String,
    /// Where that was learned, such as `GITHUB_ACTOR`.
    pub source: String,
    /// When.
    pub at: Timestamp,
    /// Until when it counts.
    pub expires: Timestamp,
    /// Who took it back.
    pub revoked_by: Option<String>,
    /// The plan is what is left of the approved one: a deploy of it has begun, and nothing has come in since.
    pub resumed: bool,
    /// Migrations have been taken back since.
    pub undone: bool,
}

/// What is to be approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The plan's hash.
    pub plan: String,
    /// Who deploys it.
    pub deployer: String,
    /// Who wrote what is pending, as version control knows them: names and addresses.
    pub authors: Vec<String>,
    /// The moment.
    pub now: Timestamp,
}

/// Whether one approval counts, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Counts,
    /// It does not.
    Void(String),
}

impl Approval {
    /// Whether it counts for what is asked.
    pub fn verdict(&self, rule: &Rule, asked: &Asked) -> Verdict {
        let why = if let Some(by) = &self.revoked_by {
            format!("was revoked by {by}")
        } else if self.undone {
            "came before a rollback".to_owned()
        } else if self.plan != asked.plan && !self.resumed {
            format!("is for the plan {}, not for {}", short(&self.plan), short(&asked.plan))
        } else if self.expires <= asked.now {
            format!("expired at {}", shown(self.expires))
        } else if let Some(why) = barred(rule, &self.by, asked) {
            why
        } else {
            return Verdict::Counts;
        };
        Verdict::Void(why)
    }
}

/// Why somebody cannot approve this, if so.
pub fn barred(rule: &Rule, who: &str, asked: &Asked) -> Option<String> {
    if !rule.from.is_empty() && !rule.from.iter().any(|one| one == who) {
        Some(format!("{who} is not one of {}", rule.from.join(", ")))
    } else if same_person(who, &asked.deployer) {
        Some(format!("{who} is the one who deploys"))
    } else {
        let author = asked.authors.iter().find(|author| same_person(who, author))?;
        Some(format!("{who} made the release: {author} wrote what is pending"))
    }
}

/// Passes with the names of those who have agreed, each counted once.
pub fn judge(rule: &Rule, approvals: &[Approval], asked: &Asked) -> Result<Vec<String>, Refusal> {
    let mut agreed: Vec<String> = Vec::new();
    let mut evidence = Vec::new();
    for approval in approvals {
        let void = match approval.verdict(rule, asked) {
            Verdict::Counts if agreed.iter().any(|one| same_person(one, &approval.by)) => {
                "is by somebody who is counted already".to_owned()
            }
            Verdict::Counts => {
                agreed.push(approval.by.clone());
                evidence.push(format!(
                    "approval {} by {} ({}) counts",
                    approval.number, approval.by, approval.source
                ));
                continue;
            }
            Verdict::Void(why) => why,
        };
        evidence.push(format!(
            "approval {} by {} ({}) does not count: it {void}",
            approval.number, approval.by, approval.source
        ));
    }
    let missing = rule.required.saturating_sub(u64::try_from(agreed.len()).unwrap_or(u64::MAX));
    if missing == 0 {
        return Ok(agreed);
    }
    let may = |who: &&String| barred(rule, who, asked).is_none() && !agreed.contains(who);
    let open: Vec<&str> = rule.from.iter().filter(may).map(String::as_str).collect();
    let who = match (rule.from.is_empty(), open.is_empty()) {
        (true, _) => "anybody but who deploys and who made the release".to_owned(),
        (false, true) => format!("none of {} may: each deploys or made the release", rule.from.join(", ")),
        (false, false) => format!("one of {}", open.join(", ")),
    };
    let message = format!(
        "the plan {} has {} of {} approvals; missing: {who}",
        short(&asked.plan),
        agreed.len(),
        rule.required
    );
    let next = format!("one of them: pgdeploy approve {} --env {{env}}", short(&asked.plan));
    Err(Refusal { gate: Gate::Approvals, message, evidence, earliest: None, next })
}

/// Whether two names may well be one person's: generous, since it only ever takes an approval away. `alice`,
/// `Alice`, `@alice` and `alice@example.com` are.
pub fn same_person(one: &str, other: &str) -> bool {
    let local =
        |name: &str| name.trim().trim_start_matches('@').split('@').next().unwrap_or_default().to_lowercase();
    local(one) == local(other)
}

/// A plan's hash as people see it.
fn short(plan: &str) -> &str {
    plan.get(..6).unwrap_or(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn rule(required: u64, from: &[&str]) -> Rule {
        Rule { required, from: from.iter().map(ToString::to_string).collect() }
    }

    fn approval(number: i64, by: &str) -> Approval {
        Approval {
            number,
            plan: "aaaaaaaa".into(),
            by: by.into(),
            source: "--actor".into(),
            at: at("2026-11-20T12:00:00Z"),
            expires: at("2026-11-27T12:00:00Z"),
            revoked_by: None,
            resumed: false,
            undone: false,
        }
    }

    fn asked() -> Asked {
        Asked {
            plan: "aaaaaaaa".into(),
            deployer: "carol".into(),
            authors: vec!["Alice Smith".into(), "alice@example.com".into()],
            now: at("2026-11-21T12:00:00Z"),
        }
    }

    #[test]
    fn an_approval_by_somebody_else_passes() {
        assert_eq!(judge(&rule(1, &[]), &[approval(1, "bob")], &asked()), Ok(vec!["bob".into()]));
        assert_eq!(judge(&rule(1, &["bob"]), &[approval(1, "bob")], &asked()), Ok(vec!["bob".into()]));
    }

    #[test]
    fn each_reason_why_one_does_not_count_is_told() {
        let change = |change: fn(&mut Approval)| {
            let mut one = approval(1, "bob");
            change(&mut one);
            one
        };
        for (one, why) in [
            (change(|one| one.plan = "bbbbbbbb".into()), "is for the plan bbbbbb, not for aaaaaa"),
            (change(|one| one.expires = at("2026-11-21T12:00:00Z")), "expired at 2026-11-21 12:00:00 UTC"),
            (change(|one| one.revoked_by = Some("dan".into())), "was revoked by dan"),
            (change(|one| one.by = "carol".into()), "carol is the one who deploys"),
            (change(|one| one.by = "alice".into()), "alice made the release: alice@example.com wrote"),
            (change(|one| one.by = "ALICE@corp".into()), "made the release"),
            (change(|one| one.by = "eve".into()), "eve is not one of alice, bob, carol"),
        ] {
            let may = ["alice", "bob", "carol", "ALICE@corp"];
            let may = if one.by == "eve" { &may[..3] } else { &may[..] };
            let refused = judge(&rule(1, may), &[one], &asked()).unwrap_err();
            assert!(refused.evidence[0].contains(why), "{:?}", refused.evidence);
            assert!(refused.message.contains("0 of 1"), "{}", refused.message);
            assert!(refused.message.ends_with("one of bob"), "{}", refused.message);
        }
    }

    #[test]
    fn one_person_counts_once_and_the_missing_ones_are_named() {
        let twice = [approval(1, "bob"), approval(2, "Bob"), approval(3, "bob@example.com")];
        let refused = judge(&rule(2, &[]), &twice, &asked()).unwrap_err();
        assert!(refused.message.contains("1 of 2 approvals; missing: anybody but"), "{}", refused.message);
        assert_eq!(refused.evidence.len(), 3);
        let named = judge(&rule(2, &["bob", "dan", "carol"]), &twice[..1], &asked()).unwrap_err();
        assert!(named.message.ends_with("missing: one of dan"), "{}", named.message);
        let nobody = judge(&rule(1, &["carol", "alice"]), &[], &asked()).unwrap_err();
        assert!(nobody.message.contains("none of carol, alice may"), "{}", nobody.message);
    }

    #[test]
    fn what_is_left_of_an_approved_plan_is_approved_and_nothing_else() {
        let mut one = approval(1, "bob");
        one.plan = "bbbbbbbb".into();
        one.resumed = true;
        assert!(judge(&rule(1, &[]), &[one.clone()], &asked()).is_ok());
        one.revoked_by = Some("dan".into());
        assert!(judge(&rule(1, &[]), &[one], &asked()).is_err());
    }

    #[test]
    fn a_name_is_compared_generously_where_it_takes_something_away_and_exactly_where_it_gives() {
        assert!(same_person("alice", "Alice@Example.com"));
        assert!(!same_person("alice", "alicia"));
        assert!(same_person("@alice", "alice"));
        assert!(same_person("@alice", "@alice"));
        assert!(!same_person("", "@x"));
        assert!(barred(&rule(1, &["bob"]), "Bob", &asked()).is_some());
    }
}
