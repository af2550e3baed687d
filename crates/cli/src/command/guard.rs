//! `pgdeploy guard`, `audit` and `explain`: what may be in which folder, and why.

use std::path::Path;
use std::process::ExitCode;

use guard::{AuditSettings, GRANDFATHERED_FILE, Grandfathered};
use orchestrator::Failure;

use crate::arguments::{Format, Global, Guard, GuardReport};
use crate::context::Files;
use crate::exit;
use crate::messages;
use crate::output::say;
use crate::render::words::counted;
use crate::render::{Style, diagnostic, json};
use crate::told::{Told, tell_error, tell_failure};

/// Judges every migration of the release.
pub(crate) fn run(global: &Global, arguments: &Guard) -> Result<ExitCode, Told> {
    let Files { directory, release } = Files::load(global, arguments.environment.name.as_deref())?;
    let style = Style::new(global.color);
    let tell = |failure: Failure| tell_failure(&failure, global.format, style, "");
    let checked = orchestrator::judged(&directory, &release).map_err(tell)?;
    if arguments.grandfather {
        return grandfather(global, &directory, &checked, arguments.reason.as_deref().unwrap_or_default());
    }
    match (arguments.report, global.format) {
        (Some(GuardReport::Sarif), _) => say(json::pretty(&guard::report::sarif(&checked.standing))),
        (Some(GuardReport::Github), _) => say(guard::report::github(&checked.standing).trim_end()),
        (None, Format::Text) => {
            let milder = checked.standing.iter().filter(|finding| !finding.refuses());
            let milder: Vec<sql::Problem> = milder.map(sql::Problem::from).collect();
            if !milder.is_empty() {
                say(diagnostic::all(&milder, style));
            }
            say(format_args!(
                "{} judged, {} excused by {GRANDFATHERED_FILE}",
                counted(release.migrations.0.len(), "migration", "migrations"),
                counted(checked.excused.len(), "old finding", "old findings")
            ));
        }
        (None, _) => say(json::pretty(&guard::report::json(&checked.standing))),
    }
    match orchestrator::refuse(checked) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(failure) if arguments.report.is_none() && global.format == Format::Text => Err(tell(failure)),
        Err(failure) => Ok(exit::of_verdict(failure.verdict)),
    }
}

/// Writes the list of what is found today; one that is there can only lose entries.
fn grandfather(
    global: &Global,
    directory: &Path,
    checked: &guard::Checked,
    reason: &str,
) -> Result<ExitCode, Told> {
    let findings: Vec<_> = checked.standing.iter().chain(&checked.excused).cloned().collect();
    let path = directory.join(GRANDFATHERED_FILE);
    let written = Grandfathered::load(&path).and_then(|before| {
        // What is on the list keeps its reason; what is no longer found leaves it.
        let (list, gone) = before.shrink(&findings);
        let list = if path.exists() { list } else { Grandfathered::of(&findings, reason) };
        list.write(&path, false).map(|()| (list.entries.len(), gone))
    });
    match written {
        Ok((entries, 0)) => {
            say(format_args!("{GRANDFATHERED_FILE} has {}", counted(entries, "entry", "entries")))
        }
        Ok((entries, gone)) => say(format_args!(
            "{GRANDFATHERED_FILE} has {}, {gone} fewer than before: well done",
            counted(entries, "entry", "entries")
        )),
        Err(error) => return Err(tell_error(&error.into(), global.format, Style::new(global.color))),
    }
    Ok(ExitCode::SUCCESS)
}

/// Grades what hides in a folder, whoever wrote it.
pub(crate) fn audit(global: &Global, directory: &Path) -> Result<ExitCode, Told> {
    let audit = guard::audit(directory, &AuditSettings::default())
        .map_err(|error| tell_error(&error.into(), global.format, Style::new(global.color)))?;
    say(audit.markdown().trim_end());
    Ok(ExitCode::SUCCESS)
}

/// The page of a rule or of a message's code, or the list of all rules.
pub(crate) fn explain(global: &Global, id: Option<&str>) -> Result<ExitCode, Told> {
    let page = match id {
        None => Some(guard::rules_page()),
        Some(id) => guard::explain(id).or_else(|| messages::explain(id)),
    };
    match page {
        Some(page) => {
            say(page.trim_end());
            Ok(ExitCode::SUCCESS)
        }
        None => {
            let known: Vec<&str> = guard::RULES.iter().map(|rule| rule.id).collect();
            let message =
                format!("there is no such rule, and no such code; the rules are {}", known.join(", "));
            let failure = Failure::usage(message).next("docs/messages.md lists the codes");
            Err(tell_failure(&failure, global.format, Style::new(global.color), ""))
        }
    }
}
