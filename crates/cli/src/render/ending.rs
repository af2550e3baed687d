//! The last lines of a deploy: how it ended, and what to do next.

use orchestrator::{Failure, LastDeployment, Report, Verdict};

use crate::render::words::time;
use crate::render::{Style, diagnostic};

/// What a person reads at the end of a deploy.
pub(crate) fn of_deploy(report: &Report, environment: &str, style: Style) -> String {
    let head = match report.verdict {
        Verdict::Succeeded if report.summary.nothing_to_do => {
            style.good("NOTHING TO DO: everything is already in")
        }
        Verdict::Succeeded => style.good("SUCCEEDED"),
        Verdict::Warnings => style.warning("SUCCEEDED WITH WARNINGS"),
        Verdict::TryAgain => style.bad("FAILED, try again"),
        Verdict::Interrupted => style.warning("INTERRUPTED"),
        Verdict::GateFailed | Verdict::ServiceFailed | Verdict::BeyondBudget | Verdict::Unreachable => {
            style.bad("FAILED")
        }
        // With a number it had begun, and something may be in.
        _ if report.deployment.is_some() => style.bad("FAILED"),
        Verdict::Refused | Verdict::Guard | Verdict::Integrity | Verdict::Unusable | Verdict::Denied => {
            style.bad("REFUSED, nothing was touched")
        }
    };
    let deployment = report.deployment.map(|number| format!("   deployment {number}")).unwrap_or_default();
    let mut text = format!("{head}{deployment}   {}   exit {}\n", time(report.duration), report.exit);
    for warning in &report.warnings {
        text.push_str(&format!("  {} {}\n", style.warning(warning.code), indented(&warning.message, 7)));
        if let Some(next) = &warning.next {
            text.push_str(&format!("       {}\n", indented(next, 7)));
        }
    }
    if let Some(failure) = &report.failure {
        text.push_str(&of_failure(failure, environment, style));
    }
    text
}

/// What a person reads of a failure.
pub(crate) fn of_failure(failure: &Failure, environment: &str, style: Style) -> String {
    let mut text = format!("  {} {}\n", style.bad(failure.code), failure.message);
    for line in &failure.evidence {
        text.push_str(&format!("       {}\n", indented(&named(line, environment), 7)));
    }
    if !failure.problems.is_empty() {
        text.push_str(&format!("\n{}\n\n", diagnostic::all(&failure.problems, style)));
    }
    if let Some(next) = &failure.next {
        text.push_str(&format!("  next: {}\n", named(next, environment)));
    }
    text
}

fn indented(text: &str, by: usize) -> String {
    text.replace('\n', &format!("\n{}", " ".repeat(by)))
}

/// A next step with the environment's name in it; without its option, where there is no environment.
pub(crate) fn named(next: &str, environment: &str) -> String {
    match environment {
        "" => next.replace(" --env {env}", ""),
        name => next.replace("{env}", name),
    }
}

/// The newest deployment of a database, on one line.
pub(crate) fn of_last(last: Option<&LastDeployment>) -> String {
    match last {
        None => "never deployed to\n".to_owned(),
        Some(last) => {
            let when = last.started_at.format("%Y-%m-%d %H:%M:%S UTC");
            let exit = last.exit.map(|exit| format!("   exit {exit}")).unwrap_or_default();
            format!("deployment {}   {} by {} at {when}{exit}\n", last.number, last.status, last.actor)
        }
    }
}
