//! Repair on request: what a deploy repairs of the declared indexes, and the invalid ones that no file declares.

use std::collections::BTreeMap;

use postgres::{Error, Stage};
use tokio::time::Instant;

use crate::declaration::{Declaration, Declarations};
use crate::ending::Ending;
use crate::event::Event;
use crate::head;
use crate::ledger;
use crate::listing::{self, Condition, Listed};
use crate::outcome::{ItemOutcome, Outcome, Settled};
use crate::plan::{Judged, judge};
use crate::settings::Settings;
use crate::state::State;
use crate::sweep::Stray;
use crate::watch::milliseconds;
use crate::worker::{Waited, Worker, changed, who};

/// Repairs every invalid index of the database, or the one of a name: `index` or `schema.index`, in quotes where SQL wants
/// them. A declared one is made as its file says; any other is built anew in its place (REINDEX CONCURRENTLY), and never
/// dropped unless PostgreSQL's own REINDEX has left it. `None`: there is no index of that name, and none is declared.
pub async fn repair(
    stage: &Stage<'_, Event>,
    declarations: &Declarations,
    settings: &Settings,
    name: Option<&str>,
) -> Result<Option<Outcome>, Error> {
    let deadline = Instant::now() + settings.budget;
    // Who asks for an index by its name does not wait for a backfill.
    let deferred = BTreeMap::new();
    let mut worker = Worker::open(stage, settings, declarations, &deferred, deadline).await?;
    ledger::close_left(&mut worker.session, stage.ledger, stage.deployment).await?;
    let wanted = name.map(Wanted::of);
    let all: Vec<&Declaration> = declarations.indexes.iter().collect();
    let judged = judge(&mut worker.session, &all, stage.ledger).await?;
    let listed = listing::list(&mut worker.session, declarations, stage.ledger).await?;
    let mut outcome = Outcome::default();
    for (declaration, judged) in all.into_iter().zip(judged) {
        let is_wanted = match &wanted {
            Some(wanted) => wanted.is_declared(declaration, &judged),
            None => is_broken(&judged),
        };
        if is_wanted {
            let mut item = worker.settle(declaration, judged).await;
            item.required = declaration.required;
            outcome.warnings.extend(item.warning(&declaration.place()));
            outcome.items.push(item);
        }
    }
    for index in listed.iter().filter(|index| index.declared_at.is_none()) {
        let is_wanted = match &wanted {
            Some(wanted) => wanted.is(&index.schema, &index.name),
            None => index.condition != Condition::Valid && !index.whole,
        };
        // A part of a declared index that has been repaired with it is not what it was.
        if is_wanted && (wanted.is_some() || !changed(&mut worker.session, index.oid).await?) {
            let item = worker.mend(index).await?;
            outcome.warnings.extend(item.warning(&format!("{}.{}", index.schema, index.name)));
            outcome.items.push(item);
        }
    }
    outcome.interrupted = stage.stop.is_cancelled();
    worker.session.close().await;
    Ok((wanted.is_none() || !outcome.items.is_empty()).then_some(outcome))
}

/// What a deploy would call a leftover, or has begun and not ended.
fn is_broken(judged: &Judged) -> bool {
    match judged.state {
        State::Invalid | State::Busy => true,
        State::Partitioned => judged.found.name.is_some(),
        _ => false,
    }
}

/// A name as it was typed.
struct Wanted {
    schema: Option<String>,
    name: String,
}

impl Wanted {
    fn of(typed: &str) -> Self {
        let words = head::dropped(&format!("DROP INDEX {typed}"), 0).unwrap_or_default();
        let words: Vec<String> = words.into_iter().map(|word| word.text).collect();
        match words.as_slice() {
            [schema, name] => Self { schema: Some(schema.clone()), name: name.clone() },
            [name] => Self { schema: None, name: name.clone() },
            _ => Self { schema: None, name: typed.to_owned() },
        }
    }

    fn is(&self, schema: &str, name: &str) -> bool {
        self.name == name && self.schema.as_deref().is_none_or(|wanted| wanted == schema)
    }

    fn is_declared(&self, declaration: &Declaration, judged: &Judged) -> bool {
        let found = judged.found.table.as_ref().map(|table| &table.schema).or(declaration.schema.as_ref());
        self.is(found.map_or("", String::as_str), &declaration.name)
    }
}

impl Worker<'_> {
    /// Repairs an index that no file declares.
    async fn mend(&mut self, index: &Listed) -> Result<ItemOutcome, Error> {
        let started = Instant::now();
        let (mut ending, attempts) = match self.mended(index).await {
            Ok(mended) => mended,
            // Such as an index of another role: the others are repaired all the same.
            Err(error) if error.server().is_some() => (Ending::failed(error.to_string()), 0),
            Err(error) => return Err(error),
        };
        if !ending.outcome.is_fine() && !index.whole {
            let name = sql::qualified(&index.schema, &index.name);
            ending.next = Some(format!("pgdeploy index repair '{name}' --env {{env}}"));
        }
        let duration = started.elapsed();
        let (name, table) = (index.name.clone(), index.table.clone());
        match (&ending.reason, ending.outcome) {
            (None, outcome @ Settled::Repaired) => self.tell(Event::Built {
                index: name.clone(),
                table: table.clone(),
                outcome,
                duration_ms: milliseconds(duration),
                size_bytes: index.size_bytes,
            }),
            (Some(message), outcome) if !outcome.is_fine() => self.tell(Event::Failed {
                index: name.clone(),
                table: table.clone(),
                outcome,
                message: message.clone(),
                sqlstate: None,
            }),
            _ => {}
        }
        Ok(ending.of(name, table, duration, attempts))
    }

    async fn mended(&mut self, index: &Listed) -> Result<(Ending, u32), Error> {
        let table = index.table();
        if index.condition == Condition::Valid {
            return Ok((Ending::fine(Settled::Unchanged), 0));
        }
        if index.whole {
            let words = "it is a partitioned table's index, and some part of it is missing or invalid";
            return Ok((Ending::undeclared(words), 0));
        }
        match self.wait_for_table(&index.name, &table, Some(index.oid)).await? {
            Waited::Free => {}
            Waited::Changed => return Ok((Ending::fine(Settled::Adopted), 0)),
            Waited::Held(holders) => return Ok((Ending::busy(&table, &who(&holders)), 0)),
            Waited::Stopped(_) => return Ok((Ending::skipped(crate::build::Reason::Stopped), 0)),
        }
        if index.leftover {
            let left = self.drop_stray(&Stray::of(index)).await?;
            return Ok((left.map_or(Ending::fine(Settled::Dropped), Ending::failed), 0));
        }
        self.tell(Event::Repairing {
            index: index.name.clone(),
            table: index.table.clone(),
            rejects_rows: index.rejects_rows,
        });
        let left = self.reindex(&index.name, None, &table).await?;
        Ok((left.map_or(Ending::fine(Settled::Repaired), Ending::failed), 1))
    }
}
