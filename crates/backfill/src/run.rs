//! The stage: one definition after the other within the budget. By type it cannot fail the deploy.

use std::time::Instant;

use crate::definition::Definition;
use crate::event::Event;
use crate::failure::Ended;
use crate::outcome::{ItemOutcome, Outcome, Verdict};
use crate::plan::{Item, Plan, State};
use crate::proof::{self, Proof};
use crate::settings::Settings;
use crate::stage::Stage;
use crate::worker::Worker;

/// Works on what is pending. What it cannot finish is a warning and resumes at the next run.
pub async fn run(stage: &Stage<'_>, plan: &Plan, settings: &Settings) -> Outcome {
    let deadline = Instant::now() + settings.budget;
    let mut outcome = Outcome::default();
    let mut abort: Option<String> = None;
    for (item, definition) in plan.work() {
        if !plan.is_selected(&item.id) {
            continue;
        }
        let started = Instant::now();
        let (ended, rows, estimated_rows, skipped) = if item.state == State::Complete {
            (Ended::Unchanged, item.rows_done, item.rows_done, 0)
        } else if let Some(reason) = hindered(stage, deadline, abort.as_deref()) {
            (reason, item.rows_done, item.rows_done + item.estimated_rows.unwrap_or(0), 0)
        } else if let Some(reason) = requires(stage, plan, definition, settings).await {
            (reason, item.rows_done, item.rows_done + item.estimated_rows.unwrap_or(0), 0)
        } else {
            let mut worker = Worker::new(stage, settings, definition, deadline);
            let ended = worker.work().await;
            (ended, worker.rows, worker.estimated_rows, worker.skipped)
        };
        if let Ended::Abort(reason) = &ended {
            abort = Some(reason.clone());
        }
        outcome.interrupted |= matches!(ended, Ended::Interrupted);
        outcome.warnings.extend(ended.warning(&item.id, rows, estimated_rows));
        let seconds = started.elapsed().as_secs_f64();
        if let Some(event) = event(item, definition, &ended, (rows, estimated_rows), seconds) {
            (stage.events)(event);
        }
        outcome.items.push(ItemOutcome {
            id: item.id.clone(),
            table: item.table.clone(),
            outcome: ended.verdict(),
            rows,
            estimated_rows,
            skipped,
            seconds,
            reason: ended.reason(),
        });
    }
    outcome
}

/// What has to come first, where that is not there.
async fn requires(
    stage: &Stage<'_>,
    plan: &Plan,
    definition: &Definition,
    settings: &Settings,
) -> Option<Ended> {
    let pending = &settings.pending_migrations;
    if let Some(name) = definition.header.requires_migration.iter().find(|name| pending.contains(name)) {
        return Some(Ended::Incomplete(format!(
            "not begun: it requires the migration {name}, which is not applied"
        )));
    }
    if definition.header.requires.is_empty() {
        return None;
    }
    let looked = async {
        let mut session = stage.session("backfill").await?;
        for name in &definition.header.requires {
            let proof = proof::proof(&mut session, plan.definitions(), name, stage.ledger).await?;
            if let Proof::NotComplete { reason, .. } = proof {
                return Ok(Some(format!("not begun: it requires {name}: {reason}")));
            }
        }
        session.close().await;
        Ok::<_, postgres::Error>(None)
    };
    match looked.await {
        Ok(reason) => reason.map(Ended::Incomplete),
        Err(error) => Some(Ended::Incomplete(format!("not begun: {error}"))),
    }
}

/// Why a definition is not even begun.
fn hindered(stage: &Stage<'_>, deadline: Instant, abort: Option<&str>) -> Option<Ended> {
    if stage.stop.is_cancelled() {
        return Some(Ended::Interrupted);
    }
    if let Some(reason) = abort {
        return Some(Ended::Incomplete(format!("not begun: {reason}")));
    }
    (Instant::now() >= deadline).then(|| Ended::Incomplete("not begun: the budget is over".into()))
}

fn event(
    item: &Item,
    definition: &Definition,
    ended: &Ended,
    (rows, estimated_rows): (u64, u64),
    seconds: f64,
) -> Option<Event> {
    let (id, table) = (item.id.clone(), definition.shown_table());
    let reason = ended.reason().unwrap_or_default();
    Some(match ended.verdict() {
        Verdict::Unchanged => return None,
        Verdict::Complete => Event::Completed { id, table, rows, seconds },
        Verdict::Incomplete => Event::Incomplete { id, table, rows, estimated_rows, seconds, reason },
        Verdict::Failed | Verdict::Refused => {
            let sqlstate = match ended {
                Ended::Failed { sqlstate, .. } => sqlstate.clone(),
                _ => None,
            };
            Event::Failed { id, table, rows, seconds, sqlstate, reason }
        }
    })
}
