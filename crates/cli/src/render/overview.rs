//! `plan` and `status` for people: the three stages as they stand.

use orchestrator::{
    BackfillPlan, IndexPlan, LastDeployment, PlanReport, SchemaPlan, StageName, Status, backfill, index,
};

use crate::render::Style;
use crate::render::stage_lines::StageLines;
use crate::render::words::{counted, grouped};
use crate::render::{ending, gates};

/// What a deploy would do.
pub(crate) fn of_plan(plan: &PlanReport, style: Style) -> String {
    let mut text = format!(
        "{} -> {}   PostgreSQL {} at {}{}   release {}\n",
        style.strong(&plan.pipeline),
        style.strong(&plan.environment),
        plan.server,
        plan.target,
        encrypted(&plan.tls),
        &plan.release[..12]
    );
    if plan.stops_services {
        text.push_str("services        would be stopped while the schema changes, and started after\n");
    }
    text.push_str(&gates::of_answers(&plan.gates, style));
    text.push_str(&schema(&plan.schema, style));
    for note in &plan.schema.notes {
        text.push_str(&format!("                {}\n", style.warning(note)));
    }
    text.push_str(&index(&plan.index, style, false));
    text.push_str(&backfill(&plan.backfill, style, false));
    text.push_str(&match plan.changes {
        true => {
            format!("plan {}   do it with: pgdeploy deploy --env {}\n", &plan.plan[..6], plan.environment)
        }
        false => format!("{}\n", style.good("NOTHING TO DO: everything is already in")),
    });
    text
}

/// Where an environment stands.
pub(crate) fn of_status(status: &Status, style: Style) -> String {
    let mut text = format!(
        "{} at {}   PostgreSQL {} at {}{}   release {}\n",
        style.strong(&status.pipeline),
        style.strong(&status.environment),
        status.server,
        status.target,
        encrypted(&status.tls),
        &status.release[..12]
    );
    text.push_str(&ending::of_last(status.last.as_ref()));
    let ended = status.last.as_ref().filter(|last| last.status != "running");
    if let Some(said) = ended.and_then(unsettled_services) {
        text.push_str(&format!("services        {}\n", style.warning(said)));
    }
    if ended.is_some_and(|last| last.unproven) {
        let said =
            "not proven: the next deploy runs verify and the hooks after_deploy, with nothing else to do too";
        text.push_str(&format!("last deploy     {}\n", style.warning(said)));
    }
    for hold in &status.holds {
        text.push_str(&format!("on hold         {}\n", style.warning(hold)));
    }
    text.push_str(&schema(&status.schema, style));
    text.push_str(&index(&status.index, style, true));
    text.push_str(&backfill(&status.backfill, style, true));
    let end = match (status.findings.len(), status.up_to_date) {
        (0, true) => style.good("UP TO DATE"),
        (0, false) => {
            style.warning(&format!("CHANGES PENDING: pgdeploy deploy --env {}", status.environment))
        }
        (findings, _) => {
            style.bad(&format!("HISTORY AND FILES CONTRADICT: {}", counted(findings, "finding", "findings")))
        }
    };
    text.push_str(&end);
    text.push('\n');
    text
}

/// ` (TLSv1.3)`; nothing for a connection in clear, which only a local one can be where it matters.
pub(crate) fn encrypted(tls: &Option<String>) -> String {
    tls.as_ref().map(|tls| format!(" ({tls})")).unwrap_or_default()
}

fn schema(plan: &SchemaPlan, style: Style) -> String {
    let mut lines = Lines::of(StageName::Schema);
    let current = plan.current.as_ref().map(|current| format!(", at {current}")).unwrap_or_default();
    let applied = format!("{} applied{current}", grouped(plan.applied as u64));
    if let Some((path, covers)) = &plan.snapshot {
        let files = counted(*covers, "migration", "migrations");
        lines.add(path, &format!("load, in place of {files}"));
    }
    for migration in &plan.pending {
        let last =
            if plan.post.contains(migration) { ", at the end, after the services are back" } else { "" };
        lines.add(migration, &format!("apply{last}"));
    }
    for deferred in &plan.deferred {
        lines.add(&deferred.migration, &style.warning(&format!("deferred: {}", deferred.reason)));
    }
    if let Some(fixtures) = &plan.fixtures {
        lines.add(fixtures, "load rows, once");
    }
    lines.or(&style.faint(&applied))
}

fn index(plan: &IndexPlan, style: Style, all: bool) -> String {
    let mut lines = Lines::of(StageName::Index);
    for item in &plan.items {
        let note = item.note.as_ref().map(|note| format!("  {note}")).unwrap_or_default();
        let word = match item.action {
            index::Action::None => None,
            index::Action::Build => Some("build"),
            index::Action::Defer => Some("build when its backfill is complete"),
            index::Action::Rebuild => Some("drop the invalid leftover, build"),
            index::Action::Adopt => Some("wait for the build of another session"),
            index::Action::Replace => Some("build the declared one beside it, then swap"),
            index::Action::Drop => Some("drop"),
        };
        match word {
            Some(word) if item.state == index::State::NoTable => {
                lines.add(&item.name, &format!("{word}  on {}, after the schema stage", item.table));
            }
            Some(word) => lines.add(&item.name, &format!("{word}  on {}{note}", item.table)),
            None if all || item.note.is_some() => {
                lines.add(&item.name, &style.faint(&format!("{}{note}", shown(&item.state))))
            }
            None => {}
        }
    }
    lines.or(&style.faint(&format!("{} as declared", counted(plan.items.len(), "index", "indexes"))))
}

fn backfill(plan: &BackfillPlan, style: Style, all: bool) -> String {
    let mut lines = Lines::of(StageName::Backfill);
    for item in &plan.items {
        let note = item.note.as_ref().map(|note| format!("  {note}")).unwrap_or_default();
        let rows =
            item.estimated_rows.map(|rows| format!("about {} rows", grouped(rows))).unwrap_or_default();
        let done = match item.rows_done {
            0 => String::new(),
            rows => format!("  {} done", grouped(rows)),
        };
        match item.state {
            backfill::State::Complete if all => lines.add(&item.id, &style.faint(&format!("complete{done}"))),
            backfill::State::Complete => {}
            backfill::State::WaitingForSchema => {
                lines.add(&item.id, &format!("fill  on {}, after the schema stage", item.table));
            }
            state => {
                lines.add(&item.id, &format!("{}  on {}  {rows}{done}{note}", shown(&state), item.table))
            }
        }
    }
    lines.or(&style.faint(&format!("{} complete", counted(plan.items.len(), "backfill", "backfills"))))
}

/// What a deployment has left of the services for the next one to settle.
fn unsettled_services(last: &LastDeployment) -> Option<&'static str> {
    match last.services.as_str() {
        "stopped" | "quiesced" => {
            Some("stopped by it, and not started again: the next deploy that passes the gate starts them")
        }
        "stopping" => {
            Some("may be stopped, since it ended in the middle of stopping them: the next deploy starts them")
        }
        "starting" => {
            Some("may be stopped, since their start has not succeeded: the next deploy starts them")
        }
        "unhealthy" => Some("started by it and not healthy: the next deploy starts them again"),
        _ => None,
    }
}

/// A state's word: the one that JSON has, with blanks.
fn shown(state: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(state).unwrap_or_default();
    value.as_str().unwrap_or_default().replace('_', " ")
}

/// The lines of one stage.
struct Lines {
    lines: StageLines,
    text: String,
}

impl Lines {
    fn of(stage: StageName) -> Self {
        let mut lines = StageLines::default();
        lines.begin(stage);
        Self { lines, text: String::new() }
    }

    fn add(&mut self, name: &str, rest: &str) {
        self.text.push_str(&self.lines.line(name, rest));
        self.text.push('\n');
    }

    /// The text, or what is said where there is nothing.
    fn or(mut self, nothing: &str) -> String {
        if self.lines.is_silent() {
            self.add(nothing, "");
        }
        self.text
    }
}
