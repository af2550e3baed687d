//! The stage: one definition after the other within the budget. By type it cannot fail the deploy.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::definition::Definition;
use crate::event::Event;
use crate::failure::Ended;
use crate::live::Patience;
use crate::outcome::{ItemOutcome, Outcome, Verdict};
use crate::plan::{Item, Plan, State};
use crate::proof::{self, Proof};
use crate::settings::Settings;
use crate::stage::Stage;
use crate::worker::Worker;

/// Between two looks at backfills that a person or their windows hold up, where there are several.
const AGAIN: Duration = Duration::from_secs(2);

/// Works on what is pending. One that a person or its window holds up does not hold up the others. What it cannot finish is a warning and resumes at the next run.
pub async fn run(stage: &Stage<'_>, plan: &Plan, settings: &Settings) -> Outcome {
    let deadline = Instant::now() + settings.budget;
    let mut outcome = Outcome::default();
    let mut abort: Option<String> = None;
    let selected = plan.work().filter(|(item, _)| plan.is_selected(&item.id));
    let mut queue: VecDeque<_> =
        selected.map(|(item, definition)| Turn { item, definition, worker: None, seconds: 0.0 }).collect();
    // So many at the head of the queue have been put off one after the other.
    let mut put_off = 0;
    while let Some(mut turn) = queue.pop_front() {
        let (item, definition, started) = (turn.item, turn.definition, Instant::now());
        let patience = match (stage.deployment, queue.is_empty()) {
            (Some(_), last) => Patience::Deploy { last },
            (None, true) => Patience::Last,
            (None, false) => Patience::Others,
        };
        let left = || (item.rows_done, item.rows_done + item.estimated_rows.unwrap_or(0), 0);
        let begun = turn.worker.is_some();
        let (ended, (rows, estimated_rows, skipped)) = if item.state == State::Complete && !item.is_doubtful {
            (Ended::Unchanged, (item.rows_done, item.rows_done, 0))
        } else if let Some(reason) = hindered(stage, deadline, abort.as_deref()).filter(|_| !begun) {
            (reason, left())
        } else if let Some(reason) = requires(stage, plan, definition, settings).await {
            (reason, left())
        } else {
            let worker = turn
                .worker
                .get_or_insert_with(|| Box::new(Worker::new(stage, settings, definition, deadline)));
            worker.patience = patience;
            let ended = worker.work().await;
            (ended, (worker.rows, worker.estimated_rows, worker.skipped))
        };
        turn.seconds += started.elapsed().as_secs_f64();
        if matches!(ended, Ended::Later(_)) {
            queue.push_back(turn);
            put_off += 1;
            if put_off >= queue.len() {
                put_off = 0;
                wait(stage, deadline).await;
            }
            continue;
        }
        put_off = 0;
        if let Ended::Abort(reason) = &ended {
            abort = Some(reason.clone());
        }
        outcome.interrupted |= matches!(ended, Ended::Interrupted);
        outcome.warnings.extend(ended.warning(&item.id, rows, estimated_rows));
        let seconds = turn.seconds;
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

/// One that is to be worked on, or has been and was put off.
struct Turn<'a> {
    item: &'a Item,
    definition: &'a Definition,
    worker: Option<Box<Worker<'a>>>,
    seconds: f64,
}

/// All that are left are put off: until one of them is looked at again.
async fn wait(stage: &Stage<'_>, deadline: Instant) {
    tokio::select! {
        () = tokio::time::sleep_until((Instant::now() + AGAIN).min(deadline).into()) => {}
        () = stage.stop.cancelled() => {}
    }
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
