//! A fleet for people: while it is deployed to, at the end, and as it stands.

use orchestrator::fleet::{Standing, Status, WaveCount};
use orchestrator::{FleetEvent, FleetPlan, FleetReport, FleetStatus, Where};
use serde_json::{Value, json};

use crate::render::board::Board;
use crate::render::words::{counted, grouped, milliseconds};
use crate::render::{Style, ending, gates, json};

/// How many names are shown where there may be hundreds.
const SHOWN: usize = 20;

/// An event, as a line or two.
pub(crate) fn event(board: &mut Board, style: Style, event: &FleetEvent, environment: &str) {
    match event {
        FleetEvent::Planned { pipeline, control, release, plan, actor, databases, selected, waves } => {
            let of = if selected == databases {
                String::new()
            } else {
                format!("{} of ", grouped(*selected as u64))
            };
            board.stays(&format!(
                "{} -> {}   {of}{} in {} ({})   account at {control}   release {}   by {actor}",
                style.strong(pipeline),
                style.strong(environment),
                counted(*databases, "database", "databases"),
                counted(waves.len(), "wave", "waves"),
                waves.join(", "),
                &release[..12],
            ));
            board.stays(&format!("plan {}", &plan[..6]));
        }
        FleetEvent::LookedAt { wave, databases, up_to_date, unknown } => {
            let unknown = match unknown {
                0 => String::new(),
                number => style.warning(&format!(", {number} of them not reached yet")),
            };
            board.stays(&line(
                wave,
                &format!(
                    "{}: {} up to date, {} to do{unknown}",
                    counted(*databases, "database", "databases"),
                    grouped(*up_to_date as u64),
                    grouped((databases - up_to_date) as u64)
                ),
            ));
        }
        FleetEvent::Soaking { wave, for_ms } => {
            board.stays(&line(wave, &format!("soaking for another {}", milliseconds(*for_ms))));
        }
        FleetEvent::WaveStarted { .. } | FleetEvent::DatabaseStarted { .. } => {}
        FleetEvent::DatabaseFinished { database, status, duration_ms, code, message, .. } => {
            let why =
                format!("{} {}", code.as_deref().unwrap_or_default(), message.as_deref().unwrap_or_default());
            match *status {
                "done" => board.moves(database, &milliseconds(*duration_ms)),
                "warnings" => board.stays(&line("", &format!("{database}  {}", style.warning(&why)))),
                "failed" => {
                    board.stays(&line("", &format!("{database}  {}", style.bad(&format!("failed: {why}")))))
                }
                other => board.stays(&line("", &format!("{database}  {}", style.warning(other)))),
            }
        }
        FleetEvent::WaveFinished { wave, done, failed, not_begun, duration_ms, .. } => {
            let mut text = format!("{} done", grouped(*done as u64));
            if *failed > 0 {
                text.push_str(&style.bad(&format!(", {failed} failed")));
            }
            if *not_begun > 0 {
                text.push_str(&style.warning(&format!(", {not_begun} not begun")));
            }
            board.stays(&line(wave, &format!("{text}   {}", milliseconds(*duration_ms))));
        }
    }
}

fn line(wave: &str, text: &str) -> String {
    let label = if wave.is_empty() { String::new() } else { format!("[{wave}]") };
    format!("{label:<16}{text}")
}

/// How it ended.
pub(crate) fn of_deploy(report: &FleetReport, environment: &str, style: Style) -> String {
    let mut text = ending::of_deploy(&report.report, environment, style);
    let sum = |number: fn(&orchestrator::WaveReport) -> usize| report.waves.iter().map(number).sum::<usize>();
    let (up_to_date, done) = (sum(|wave| wave.up_to_date), sum(|wave| wave.done));
    let (failed, interrupted) = (sum(|wave| wave.failed), sum(|wave| wave.interrupted));
    if report.databases > 0 {
        let untouched = report.databases.saturating_sub(up_to_date + done + failed + interrupted);
        text.push_str(&format!(
            "  {}: {} deployed to, {} up to date before, {} failed, {} untouched\n",
            counted(report.databases, "database", "databases"),
            grouped(done as u64),
            grouped(up_to_date as u64),
            grouped((failed + interrupted) as u64),
            grouped(untouched as u64),
        ));
    }
    text
}

/// The same for programs.
pub(crate) fn json_of_deploy(report: &FleetReport, environment: &str) -> Value {
    let whole = &report.report;
    json!({
        "v": 1,
        "environment": environment,
        "deployment": whole.deployment,
        "nothing_to_do": whole.summary.nothing_to_do,
        "exit": whole.exit,
        "duration_ms": whole.duration.as_millis() as u64,
        "databases": report.databases,
        "waves": report.waves,
        "failed": report.failed,
        "warnings": whole.warnings,
        "failure": whole.failure.as_ref().map(|failure| json::of_failure(failure, environment)),
    })
}

/// What a deploy would do.
pub(crate) fn of_plan(plan: &FleetPlan, style: Style) -> String {
    let mut text = format!(
        "{} -> {}   {}   account at {}   release {}\n",
        style.strong(&plan.pipeline),
        style.strong(&plan.environment),
        counted(plan.databases.len(), "database", "databases"),
        plan.control,
        &plan.release[..12]
    );
    text.push_str(&gates::of_answers(&plan.gates, style));
    let mut waves: Vec<&str> = plan.databases.iter().map(|database| database.wave.as_str()).collect();
    waves.dedup();
    for wave in waves {
        let of_wave = plan.databases.iter().filter(|database| database.wave == wave);
        let count = |state| of_wave.clone().filter(|database| database.state == state).count() as u64;
        let mut counts = format!(
            "{} up to date, {} to do",
            grouped(count(Where::UpToDate)),
            grouped(count(Where::Pending))
        );
        for (state, word) in [(Where::Refused, "would be refused"), (Where::Unknown, "cannot be looked at")] {
            if count(state) > 0 {
                counts.push_str(&style.bad(&format!(", {} {word}", grouped(count(state)))));
            }
        }
        text.push_str(&line(wave, &counts));
        text.push('\n');
        // Databases with the same to do are told together.
        let mut together: Vec<(&[String], Vec<&str>)> = Vec::new();
        for database in of_wave.clone().filter(|database| database.state == Where::Pending) {
            match together.iter_mut().find(|(items, _)| *items == database.items.as_slice()) {
                Some((_, names)) => names.push(&database.name),
                None => together.push((&database.items, vec![&database.name])),
            }
        }
        for (items, names) in together.iter().take(SHOWN) {
            text.push_str(&line("", &format!("{}: {}\n", some(names), items.join(", "))));
        }
        let wrong = of_wave.filter(|database| database.code.is_some());
        for database in wrong.take(SHOWN) {
            let (code, message) = (database.code.as_deref(), database.message.as_deref());
            let why = format!("{} {}", code.unwrap_or_default(), message.unwrap_or_default());
            text.push_str(&line("", &format!("{}: {}\n", database.name, style.bad(&why))));
        }
    }
    text.push_str(&match plan.changes {
        true => {
            format!("plan {}   do it with: pgdeploy deploy --env {}\n", &plan.plan[..6], plan.environment)
        }
        false => format!("{}\n", style.good("NOTHING TO DO: everything is already in")),
    });
    text
}

fn some(names: &[&str]) -> String {
    let told = names.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(5) {
        0 => told,
        more => format!("{told} and {} more", grouped(more as u64)),
    }
}

/// How the databases stand.
pub(crate) fn of_status(status: &FleetStatus, style: Style) -> String {
    let mut text = format!(
        "{} at {}   {}   account at {}   release {}\n",
        style.strong(&status.pipeline),
        style.strong(&status.environment),
        counted(status.databases.len(), "database", "databases"),
        status.control,
        &status.release[..12]
    );
    text.push_str(&ending::of_last(status.last.as_ref()));
    for wave in &status.waves {
        text.push_str(&line(&wave.wave, &counts(wave, style)));
        text.push('\n');
    }
    let failed: Vec<&Standing> = status
        .databases
        .iter()
        .filter(|one| matches!(one.status, Status::Failed | Status::Interrupted))
        .collect();
    for one in failed.iter().take(SHOWN) {
        text.push_str(&format!("  {}\n", of_one(one, style)));
    }
    if failed.len() > SHOWN {
        let more = grouped((failed.len() - SHOWN) as u64);
        text.push_str(&format!(
            "  and {more} more: pgdeploy fleet list --failed --env {}\n",
            status.environment
        ));
    }
    text.push_str(&match (status.up_to_date, failed.is_empty()) {
        (true, _) => format!("{}\n", style.good("UP TO DATE")),
        (_, false) => format!("  next: pgdeploy fleet retry --failed --env {}\n", status.environment),
        _ => format!("  next: pgdeploy deploy --env {}\n", status.environment),
    });
    text
}

fn counts(wave: &WaveCount, style: Style) -> String {
    let mut text =
        format!("{}: {} done", counted(wave.databases, "database", "databases"), grouped(wave.done as u64));
    for (number, word, bad) in [
        (wave.warnings, "with warnings", false),
        (wave.failed, "failed", true),
        (wave.interrupted, "interrupted", true),
        (wave.running, "running", false),
        (wave.pending, "pending", false),
    ] {
        let said = format!(", {} {word}", grouped(number as u64));
        match (number, bad) {
            (0, _) => {}
            (_, true) => text.push_str(&style.bad(&said)),
            (_, false) => text.push_str(&said),
        }
    }
    text
}

/// A line for each database.
pub(crate) fn of_list(databases: &[Standing], style: Style) -> String {
    if databases.is_empty() {
        return "none\n".into();
    }
    databases.iter().map(|one| format!("{}\n", of_one(one, style))).collect()
}

fn of_one(one: &Standing, style: Style) -> String {
    let word = one.status.as_str();
    let word = match one.status {
        Status::Failed | Status::Interrupted => style.bad(word),
        Status::Warnings => style.warning(word),
        _ => word.to_owned(),
    };
    let why =
        [one.code.as_deref(), one.message.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    format!("{:<30}  {:<16}  {word:<12}  {why}", one.name, one.wave).trim_end().to_owned()
}
