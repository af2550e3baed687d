//! The index of a partitioned table: on every level first, then built on each partition, then attached from below.

use std::collections::HashSet;

use postgres::Error;

use crate::compare::{self, Made};
use crate::declaration::Declaration;
use crate::ending::Ending;
use crate::ledger::Ended;
use crate::name::with_end;
use crate::outcome::Settled;
use crate::plan::judge;
use crate::settle::{Story, Turn, act};
use crate::state::State;
use crate::survey::Table;
use crate::tree::{Part, Step, Tree};
use crate::worker::Worker;

impl Worker<'_> {
    /// Takes step after step; each is decided from the catalog, so partitions that come meanwhile are seen.
    pub(crate) async fn partitioned(
        &mut self,
        declaration: &Declaration,
        table: &Table,
        story: &mut Story,
        was_there: bool,
    ) -> Result<Turn, Error> {
        let made = match compare::ask(&mut self.session, declaration, table).await? {
            Made::Text(text) => compare::anywhere(declaration, &text),
            Made::Refused(report) => {
                let copy = sql::qualified("pg_temp", &table.name);
                let problem = declaration.statement(&copy, false).problem(&report);
                return Ok(Some(Ending::bad_definition(problem, &report)));
            }
            Made::Unable(why) => return Ok(Some(Ending::failed(format!("it could not be compared: {why}")))),
        };
        let mut failed = HashSet::new();
        let mut reasons = Vec::new();
        loop {
            let tree = Tree::read(&mut self.session, table.oid).await?;
            if self.is_stopped() || self.is_over() {
                reasons.push(
                    if self.is_stopped() { "the deploy had to stop" } else { self.over.words() }.to_owned(),
                );
                break;
            }
            let Some(step) = tree.next(&declaration.name, &made, &failed) else { break };
            let node = match &step {
                Step::Level(node) | Step::Leaf(node) => *node,
                Step::Reindex { node, .. } | Step::Attach { node, .. } => *node,
                Step::Whole => 0,
            };
            if let Some(reason) = self.step(declaration, &tree, step, story).await? {
                failed.insert(tree.nodes[node].oid);
                reasons.push(format!("{}: {reason}", tree.nodes[node].name));
            }
        }
        let found = judge(&mut self.session, &[declaration], self.stage.ledger).await?.pop();
        let name = found.and_then(|judged| judged.found.name);
        if let Some(name) = name.as_ref().filter(|name| name.valid) {
            let outcome = if was_there { Settled::Repaired } else { Settled::Built };
            return Ok(Some(Ending::there(outcome, name)));
        }
        let tree = Tree::read(&mut self.session, table.oid).await?;
        if let (false, [reason]) = (tree.is_begun(&declaration.name), reasons.as_slice()) {
            return Ok(Some(Ending::failed(reason.clone())));
        }
        let (have, all) = tree.counted(&declaration.name, &made);
        Ok(Some(Ending::incomplete(have, all, &reasons)))
    }

    /// Takes one step; words where it fails.
    async fn step(
        &mut self,
        declaration: &Declaration,
        tree: &Tree,
        step: Step,
        story: &mut Story,
    ) -> Result<Option<String>, Error> {
        let attach = |index: &Part, parent: &Part| {
            let parent = sql::qualified(&parent.schema, &parent.name);
            format!("ALTER INDEX {parent} ATTACH PARTITION {}", sql::qualified(&index.schema, &index.name))
        };
        match step {
            Step::Level(node) => {
                let (wish, on) = (part(declaration, tree, node), &tree.nodes[node]);
                let text =
                    wish.statement(&format!("ONLY {}", sql::qualified(&on.schema, &on.name)), false).text();
                self.in_brief(&wish, &table_of(tree, node), "build", &text).await
            }
            Step::Whole => {
                let root = &tree.nodes[0];
                let text = declaration.statement(&sql::qualified(&root.schema, &root.name), false).text();
                self.in_brief(declaration, &table_of(tree, 0), "build", &text).await
            }
            Step::Leaf(node) => {
                let item = self.settle_derived(&part(declaration, tree, node)).await?;
                story.attempts += item.attempts;
                Ok((!item.outcome.is_fine())
                    .then(|| format!("{} ({})", item.reason.unwrap_or_default(), item.outcome.as_str())))
            }
            Step::Attach { node, index, parent } => {
                let wish = part(declaration, tree, node).named(index.name.clone());
                self.in_brief(&wish, &table_of(tree, node), "attach", &attach(&index, &parent)).await
            }
            Step::Reindex { node, index, parent } => {
                let wish = part(declaration, tree, node).named(index.name.clone());
                let table = table_of(tree, node);
                if let Some(words) = self.reindex(&wish.name, Some(&wish), &table).await? {
                    return Ok(Some(words));
                }
                // Newer servers look at the parent again; where the last partition is still to come, any does.
                self.in_brief(&wish, &table, "attach", &attach(&index, &parent)).await
            }
        }
    }

    /// A statement that needs its locks for a moment only, recorded; words where it fails.
    async fn in_brief(
        &mut self,
        declaration: &Declaration,
        table: &Table,
        action: &'static str,
        text: &str,
    ) -> Result<Option<String>, Error> {
        let id = self.begin(act(action, declaration, table, State::Partitioned)).await?;
        match self.briefly(text).await {
            Ok(()) => {
                let outcome = if action == "attach" { "attached" } else { "built" };
                self.finish(id, Ended { outcome, ..Ended::default() }).await?;
                Ok(None)
            }
            Err(error) if error.server().is_some() => {
                let (message, sqlstate) = (error.to_string(), error.sqlstate());
                let ended =
                    Ended { outcome: "failed", sqlstate, message: Some(&message), ..Ended::default() };
                self.finish(id, ended).await?;
                Ok(Some(message))
            }
            Err(error) => Err(error),
        }
    }
}

/// The declaration for one table of the tree.
fn part(declaration: &Declaration, tree: &Tree, node: usize) -> Declaration {
    let table = &tree.nodes[node];
    match node {
        0 => declaration.clone(),
        _ => {
            let name = name_of_part(&declaration.name, &table.name);
            declaration.on_partition(name, &table.schema, &table.name)
        }
    }
}

/// A table of the tree, as far as records and monitors need to know it.
fn table_of(tree: &Tree, node: usize) -> Table {
    let table = &tree.nodes[node];
    Table::known(table.oid, tree.nodes[0].oid, table.schema.clone(), table.name.clone(), table.kind.clone())
}

/// What a partition's part of an index is called.
pub(crate) fn name_of_part(index: &str, partition: &str) -> String {
    with_end(index, &format!("_{partition}"))
}
