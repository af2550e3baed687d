//! Events out of what is reported at the end.

use postgres::Warning;

use super::{DeployEvent, FileProblem};
use crate::report::Report;

impl DeployEvent {
    /// How a deploy has ended.
    pub(crate) fn finished(report: &Report, environment: &str) -> Self {
        let failure = report.failure.as_ref();
        let next = failure.and_then(|failure| failure.next.as_ref());
        DeployEvent::Finished {
            status: report.verdict.status().to_owned(),
            exit: report.exit,
            duration_ms: u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX),
            code: failure.map(|failure| failure.code.to_owned()),
            message: failure.map(|failure| failure.message.clone()),
            problems: failure
                .map_or_else(Vec::new, |failure| failure.problems.iter().map(FileProblem::from).collect()),
            next: next.map(|next| next.replace("{env}", environment)),
            services: report.services.map(str::to_owned),
        }
    }
}

impl From<&Warning> for DeployEvent {
    fn from(warning: &Warning) -> Self {
        DeployEvent::Warning {
            code: warning.code.to_owned(),
            message: warning.message.clone(),
            next: warning.next.clone(),
        }
    }
}
