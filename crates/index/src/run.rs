//! The stage's run: every declaration settled, none of them able to fail the deploy.

use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::join_all;
use postgres::{Error, Stage, Warning, cancel_on};
use tokio::time::Instant;

use crate::declaration::{Declaration, Declarations, Tombstone};
use crate::ending::Ending;
use crate::event::Event;
use crate::ledger;
use crate::outcome::{ItemOutcome, Outcome, Settled};
use crate::plan::{Judged, Plan, judge};
use crate::schedule::{self, Queue, Schedule};
use crate::settings::Settings;
use crate::worker::Worker;

/// Settles every declaration, indexes first, then tombstones. What the plan saw may be over: the schema stage has run
/// since, so the database is read again.
///
/// When `stage.stop` fires, the server is left to finish a build that has begun in earnest, and this returns within five
/// seconds. Dropping this future leaves the server to finish, too; the next run adopts what it finds.
pub async fn run(stage: &Stage<'_, Event>, plan: &Plan, settings: &Settings) -> Outcome {
    let declarations = &plan.declarations;
    let mut outcome = Outcome::default();
    if declarations.is_empty() {
        return outcome;
    }
    let deadline = Instant::now() + settings.budget;
    outcome.items = match open(stage, plan, settings, deadline).await {
        Ok((worker, judged)) => settle_all(worker, plan, judged, &mut outcome.warnings).await,
        Err(error) => {
            let names = declarations.indexes.iter().map(|index| (index.name.clone(), index.table.clone()));
            let dropped = declarations.tombstones.iter().map(|each| (each.name.clone(), String::new()));
            let failed = |(name, table)| Ending::failed(error.to_string()).of(name, table, Duration::ZERO, 0);
            names.chain(dropped).map(failed).collect()
        }
    };
    for (item, declaration) in outcome.items.iter_mut().zip(&declarations.indexes) {
        item.required = declaration.required;
    }
    let places = declarations.indexes.iter().map(Declaration::place);
    let places = places.chain(declarations.tombstones.iter().map(Tombstone::place));
    for (item, place) in outcome.items.iter_mut().zip(places) {
        item.declared_at = place;
    }
    let told = outcome.items.iter().filter_map(|item| item.warning(&item.declared_at));
    // What the items say comes first, then what was found beside them.
    outcome.warnings = told.chain(std::mem::take(&mut outcome.warnings)).collect();
    outcome.warnings.extend(twins(declarations, &outcome.items));
    outcome.interrupted = stage.stop.is_cancelled();
    outcome
}

/// The same index under two names, where both are there: each write pays for both.
fn twins(declarations: &Declarations, items: &[ItemOutcome]) -> Vec<Warning> {
    let there = |number: usize| items[number].outcome.is_fine() && items[number].outcome != Settled::Covered;
    let mut warnings = Vec::new();
    for (number, index) in declarations.indexes.iter().enumerate().filter(|(number, _)| there(*number)) {
        let mut earlier = declarations.indexes[..number].iter().enumerate();
        let Some((_, twin)) = earlier.find(|(other, twin)| twin.likeness == index.likeness && there(*other))
        else {
            continue;
        };
        warnings.push(Warning {
            code: crate::WARNING,
            message: format!("{}: index {} is the same as {}", index.place(), index.name, twin.name),
            next: Some(format!(
                "delete one of the declarations and write DROP INDEX {};",
                sql::identifier(&index.name)
            )),
        });
    }
    warnings
}

async fn open<'a>(
    stage: &'a Stage<'a, Event>,
    plan: &'a Plan,
    settings: &'a Settings,
    deadline: Instant,
) -> Result<(Worker<'a>, Vec<Judged>), Error> {
    let declarations = &plan.declarations;
    let mut worker = Worker::open(stage, settings, declarations, &plan.deferred, deadline).await?;
    let indexes: Vec<&Declaration> = declarations.indexes.iter().collect();
    let canceller = worker.session.canceller();
    let read = async {
        ledger::close_left(&mut worker.session, stage.ledger, stage.deployment).await?;
        judge(&mut worker.session, &indexes, stage.ledger).await
    };
    let judged = cancel_on(&stage.stop, &canceller, read).await?;
    Ok((worker, judged))
}

async fn settle_all(
    mut worker: Worker<'_>,
    plan: &Plan,
    judged: Vec<Judged>,
    warnings: &mut Vec<Warning>,
) -> Vec<ItemOutcome> {
    let declarations = &plan.declarations;
    let declared = &declarations.indexes;
    let Schedule { at_rest, plain, others } = Schedule::of(declared, &judged);
    let mut settled = take(&mut worker, &Mutex::new([at_rest].into()), declared, &judged).await;
    let more = worker.settings.parallel.min(plain.len()).saturating_sub(1);
    let plain = Mutex::new(plain);
    let (stage, settings, deadline) = (worker.stage, worker.settings, worker.deadline);
    let helping = (0..more).map(async |_| {
        // Without a connection for it, the others do its part.
        let Ok(mut helper) = Worker::open(stage, settings, declarations, &plan.deferred, deadline).await
        else {
            return Vec::new();
        };
        let settled = take(&mut helper, &plain, declared, &judged).await;
        helper.session.close().await;
        settled
    });
    let (mine, theirs) = tokio::join!(take(&mut worker, &plain, declared, &judged), join_all(helping));
    settled.extend(mine);
    settled.extend(theirs.into_iter().flatten());
    settled.extend(take(&mut worker, &Mutex::new(others), declared, &judged).await);
    settled.sort_by_key(|(number, _)| *number);
    let mut items: Vec<ItemOutcome> = settled.into_iter().map(|(_, item)| item).collect();
    let fallen_short = items.iter().zip(&judged).filter(|(item, _)| !item.outcome.is_fine());
    let unfinished: Vec<i64> =
        fallen_short.filter_map(|(_, judged)| judged.found.table.as_ref().map(|table| table.oid)).collect();
    let all: Vec<_> = declared.iter().zip(&judged).map(|(index, judged)| (index, &judged.found)).collect();
    let fine = all.iter().zip(&items).filter(|(_, item)| item.outcome.is_fine());
    let fine: Vec<_> = fine.map(|(index, _)| *index).collect();
    if !plan.partial {
        warnings.extend(worker.sweep(&all, &fine).await);
    }
    for tombstone in &declarations.tombstones {
        items.push(worker.bury(tombstone, &unfinished).await);
    }
    worker.session.close().await;
    items
}

/// Settles what is in a queue, table by table, until it is empty.
async fn take(
    worker: &mut Worker<'_>,
    queue: &Queue,
    declared: &[Declaration],
    judged: &[Judged],
) -> Vec<(usize, ItemOutcome)> {
    let mut settled = Vec::new();
    while let Some(table) = schedule::next(queue) {
        for number in table {
            let item = worker.settle(&declared[number], judged[number].clone()).await;
            settled.push((number, item));
        }
    }
    settled
}
