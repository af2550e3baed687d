//! How long a release has been upstream.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::gate::Gate;
use crate::moment::{apart, shown};
use crate::refusal::Refusal;

/// Files shown of those that are too new.
const SHOWN: usize = 5;

/// A pending file and when it was first in a deploy upstream that ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Success {
    /// The file.
    pub path: String,
    /// When; `None` while no deploy with it has.
    pub at: Option<Timestamp>,
}

/// Passes when every file has been upstream for as long as asked; says since when the newest has.
pub fn judge(
    upstream: &str,
    files: &[Success],
    soak: Duration,
    now: Timestamp,
) -> Result<Option<Timestamp>, Refusal> {
    let soak = SignedDuration::try_from(soak).unwrap_or(SignedDuration::MAX);
    let ends = |file: &Success| file.at.map(|at| at.saturating_add(soak).unwrap_or(Timestamp::MAX));
    let short: Vec<&Success> = files.iter().filter(|file| ends(file).is_none_or(|end| end > now)).collect();
    if short.is_empty() {
        return Ok(files.iter().filter_map(|file| file.at).max());
    }
    let unproven = short.iter().any(|file| file.at.is_none());
    let earliest = if unproven { None } else { short.iter().filter_map(|file| ends(file)).max() };
    let mut evidence: Vec<String> = short
        .iter()
        .take(SHOWN)
        .map(|file| match file.at {
            Some(at) => {
                format!("{} succeeded in {upstream} at {}, {} ago", file.path, shown(at), apart(now, at))
            }
            None => format!("{} is in {upstream}, but no deploy with it has ended well there", file.path),
        })
        .collect();
    if short.len() > SHOWN {
        evidence.push(format!("and {} more", short.len() - SHOWN));
    }
    let asked = humantime::format_duration(soak.unsigned_abs());
    let message = match earliest {
        Some(earliest) => {
            format!("has to be in {upstream} for {asked}, and {} are missing", apart(earliest, now))
        }
        None => format!("has to be in {upstream} for {asked}, and the time has not begun"),
    };
    let next = match earliest {
        Some(_) => "wait, then: pgdeploy deploy --env {env}".to_owned(),
        None => format!("pgdeploy deploy --env {upstream}"),
    };
    Err(Refusal { gate: Gate::Soak, message, evidence, earliest, next })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn file(path: &str, moment: Option<&str>) -> Success {
        Success { path: path.into(), at: moment.map(at) }
    }

    #[test]
    fn the_newest_file_decides_and_the_earliest_time_is_told() {
        let files = [file("a", Some("2026-11-19T10:00:00Z")), file("b", Some("2026-11-20T12:00:00Z"))];
        let refused = judge("staging", &files, DAY, at("2026-11-21T11:00:00Z")).unwrap_err();
        assert_eq!(refused.earliest, Some(at("2026-11-21T12:00:00Z")));
        assert_eq!(refused.message, "has to be in staging for 1day, and 1h are missing");
        assert_eq!(
            refused.evidence,
            ["b succeeded in staging at 2026-11-20 12:00:00 UTC, 23h ago"],
            "what is old enough is not in it"
        );
        let passed = judge("staging", &files, DAY, at("2026-11-21T12:00:00Z"));
        assert_eq!(passed, Ok(Some(at("2026-11-20T12:00:00Z"))));
    }

    #[test]
    fn without_a_deploy_that_ended_well_the_time_does_not_begin() {
        let files = [file("a", None), file("b", Some("2026-11-01T12:00:00Z"))];
        let refused = judge("staging", &files, DAY, at("2026-11-21T11:00:00Z")).unwrap_err();
        assert_eq!(refused.earliest, None);
        assert!(refused.message.contains("has not begun"), "{}", refused.message);
    }

    #[test]
    fn a_success_in_the_future_is_no_success_yet_and_nothing_pending_passes() {
        let files = [file("a", Some("2027-01-01T00:00:00Z"))];
        assert!(judge("staging", &files, Duration::ZERO, at("2026-11-21T11:00:00Z")).is_err());
        assert_eq!(judge("staging", &[], DAY, at("2026-11-21T11:00:00Z")), Ok(None));
        let huge = judge("staging", &files, Duration::MAX, at("2027-11-21T11:00:00Z")).unwrap_err();
        assert_eq!(huge.earliest, Some(Timestamp::MAX));
    }
}
