//! What people have stopped.

use jiff::Timestamp;

use crate::gate::Gate;
use crate::moment::shown;
use crate::refusal::Refusal;

/// What a hold stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every deploy to the environment, and every backfill in it.
    Environment,
    /// One release, by the beginning of its hash.
    Release(String),
    /// One backfill.
    Backfill(String),
}

/// A hold as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its number.
    pub number: i64,
    /// What it stops.
    pub scope: Scope,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Until when; `None` until somebody lifts it.
    pub until: Option<Timestamp>,
    /// Who lifted it.
    pub lifted_by: Option<String>,
}

impl Scope {
    /// As it is recorded: the kind, and what of it.
    pub fn named(&self) -> (&'static str, Option<&str>) {
        match self {
            Scope::Environment => ("environment", None),
            Scope::Release(hash) => ("release", Some(hash)),
            Scope::Backfill(id) => ("backfill", Some(id)),
        }
    }
}

impl Hold {
    /// Whether it holds.
    pub fn is_on(&self, now: Timestamp) -> bool {
        self.lifted_by.is_none() && self.until.is_none_or(|until| until > now)
    }

    /// Whether it stops a deploy of a release.
    pub fn stops_release(&self, release: &str) -> bool {
        match &self.scope {
            Scope::Environment => true,
            Scope::Release(prefix) => release.starts_with(prefix.as_str()),
            Scope::Backfill(_) => false,
        }
    }

    /// Whether it stops a backfill.
    pub fn stops_backfill(&self, id: &str, release: &str) -> bool {
        self.scope == Scope::Backfill(id.to_owned()) || self.stops_release(release)
    }

    /// In one line, with who and until when.
    pub fn shown(&self) -> String {
        let scope = match &self.scope {
            Scope::Environment => String::new(),
            Scope::Release(prefix) => format!(" on the release {prefix}"),
            Scope::Backfill(id) => format!(" on the backfill {id}"),
        };
        let until = match self.until {
            Some(until) => format!("until {}", shown(until)),
            None => "until it is lifted".to_owned(),
        };
        format!(
            "hold {}{scope} by {} since {}, {until}: {}",
            self.number,
            self.by,
            shown(self.at),
            self.reason
        )
    }
}

/// Passes when nothing that is on stops it.
pub fn judge(
    holds: &[Hold],
    what: &str,
    stops: impl Fn(&Hold) -> bool,
    now: Timestamp,
) -> Result<(), Refusal> {
    let on: Vec<&Hold> = holds.iter().filter(|hold| hold.is_on(now) && stops(hold)).collect();
    if on.is_empty() {
        return Ok(());
    }
    let open_ended = on.iter().any(|hold| hold.until.is_none());
    let earliest = if open_ended { None } else { on.iter().filter_map(|hold| hold.until).max() };
    let message = format!(
        "{what} is on hold: {}",
        on.iter().map(|hold| hold.reason.as_str()).collect::<Vec<_>>().join("; ")
    );
    let next = on.iter().map(|hold| hold.number.to_string()).collect::<Vec<_>>().join(" ");
    Err(Refusal {
        gate: Gate::Hold,
        message,
        evidence: on.iter().map(|hold| hold.shown()).collect(),
        earliest,
        next: format!("when the reason is gone: pgdeploy hold lift {next} --reason TEXT --env {{env}}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn hold(number: i64, scope: Scope, until: Option<&str>) -> Hold {
        Hold {
            number,
            scope,
            reason: format!("incident-{number}"),
            by: "alice".into(),
            at: at("2026-11-21T10:00:00Z"),
            until: until.map(at),
            lifted_by: None,
        }
    }

    #[test]
    fn a_hold_ends_when_it_is_lifted_or_its_time_is_over() {
        let now = at("2026-11-21T12:00:00Z");
        assert!(hold(1, Scope::Environment, None).is_on(now));
        assert!(hold(1, Scope::Environment, Some("2026-11-21T12:00:01Z")).is_on(now));
        assert!(!hold(1, Scope::Environment, Some("2026-11-21T12:00:00Z")).is_on(now));
        let lifted = Hold { lifted_by: Some("bob".into()), ..hold(1, Scope::Environment, None) };
        assert!(!lifted.is_on(now));
    }

    #[test]
    fn each_scope_stops_what_it_names() {
        let release = hold(1, Scope::Release("4f1c".into()), None);
        assert!(release.stops_release("4f1c09ab") && !release.stops_release("8f1c09ab"));
        assert!(release.stops_backfill("0007_x", "4f1c09ab"));
        let backfill = hold(1, Scope::Backfill("0007_x".into()), None);
        assert!(!backfill.stops_release("4f1c09ab"));
        assert!(backfill.stops_backfill("0007_x", "") && !backfill.stops_backfill("0007_xy", ""));
        assert!(hold(1, Scope::Environment, None).stops_backfill("0007_x", ""));
    }

    #[test]
    fn the_earliest_time_is_when_the_last_one_ends_and_none_with_one_without_an_end() {
        let now = at("2026-11-21T12:00:00Z");
        let one = hold(1, Scope::Environment, Some("2026-11-21T13:00:00Z"));
        let two = hold(2, Scope::Environment, Some("2026-11-21T14:00:00Z"));
        let all = |hold: &Hold| hold.stops_release("r");
        let refused = judge(&[one.clone(), two.clone()], "production", all, now).unwrap_err();
        assert_eq!(refused.earliest, two.until);
        assert_eq!(refused.message, "production is on hold: incident-1; incident-2");
        assert!(
            refused.evidence[1]
                .contains("hold 2 by alice since 2026-11-21 10:00:00 UTC, until 2026-11-21 14:00:00 UTC")
        );
        let open = hold(3, Scope::Environment, None);
        assert_eq!(judge(&[one, open], "production", all, now).unwrap_err().earliest, None);
        assert_eq!(judge(&[two], "production", |_| false, now), Ok(()));
    }
}
