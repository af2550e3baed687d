//! The stage's run: every declaration settled, none of them able to fail the deploy.

use std::time::Duration;

use postgres::{Error, Stage};
use tokio::time::Instant;

use crate::declaration::{Declaration, Declarations};
use crate::ending::Ending;
use crate::event::Event;
use crate::ledger;
use crate::outcome::{ItemOutcome, Outcome};
use crate::plan::{Judged, Plan, judge};
use crate::worker::Worker;

/// How patient the stage is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For the whole stage; then the server is left to finish what it builds.
    pub budget: Duration,
}

/// Settles every declaration, in the order of the files: indexes first, then tombstones. What the plan saw may be over:
/// the schema stage has run since, so the database is read again.
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
    outcome.items = match open(stage, declarations, deadline).await {
        Ok((worker, judged)) => settle_all(worker, declarations, judged).await,
        Err(error) => {
            let names = declarations.indexes.iter().map(|index| (index.name.clone(), index.table.clone()));
            let dropped = declarations.tombstones.iter().map(|each| (each.name.clone(), String::new()));
            let failed = |(name, table)| Ending::failed(error.to_string()).of(name, table, Duration::ZERO, 0);
            names.chain(dropped).map(failed).collect()
        }
    };
    let places = declarations.indexes.iter().map(Declaration::place);
    let places = places.chain(declarations.tombstones.iter().map(crate::Tombstone::place));
    outcome.warnings =
        outcome.items.iter().zip(places).filter_map(|(item, place)| item.warning(&place)).collect();
    outcome.interrupted = stage.stop.is_cancelled();
    outcome
}

async fn open<'a>(
    stage: &'a Stage<'a, Event>,
    declarations: &Declarations,
    deadline: Instant,
) -> Result<(Worker<'a>, Vec<Judged>), Error> {
    let mut worker = Worker::open(stage, deadline).await?;
    ledger::close_left(&mut worker.session, stage.ledger, stage.deployment).await?;
    let indexes: Vec<&Declaration> = declarations.indexes.iter().collect();
    let judged = judge(&mut worker.session, &indexes, stage.ledger).await?;
    Ok((worker, judged))
}

async fn settle_all(
    mut worker: Worker<'_>,
    declarations: &Declarations,
    judged: Vec<Judged>,
) -> Vec<ItemOutcome> {
    let mut items = Vec::with_capacity(declarations.len());
    let mut unfinished = Vec::new();
    for (declaration, judged) in declarations.indexes.iter().zip(judged) {
        let table = judged.found.table.as_ref().map(|table| table.oid);
        let item = worker.settle(declaration, judged).await;
        unfinished.extend(table.filter(|_| !item.outcome.is_fine()));
        items.push(item);
    }
    for tombstone in &declarations.tombstones {
        items.push(worker.bury(tombstone, &unfinished).await);
    }
    worker.session.close().await;
    items
}
