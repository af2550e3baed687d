//! From a statement to everything that it runs.

use std::collections::HashMap;

use sql::{Node, NodeEnum, Source};

use crate::act::{Act, Origin, Via};
use crate::tree::Tree;
use crate::{block, words, write};

/// How deep texts in texts are followed (`EXECUTE 'DO $$ .. EXECUTE .. $$'`).
const DEEPEST: usize = 6;

/// Collects the acts of a file in the order in which they run.
pub(crate) struct Expansion<'s> {
    pub(crate) source: Option<&'s Source>,
    pub(crate) acts: Vec<Act>,
    prepared: HashMap<String, NodeEnum>,
}

impl<'s> Expansion<'s> {
    pub(crate) fn new(source: Option<&'s Source>) -> Self {
        Self { source, acts: Vec::new(), prepared: HashMap::new() }
    }

    /// What a SQL text would run; `None` where it does not parse.
    pub(crate) fn of_text(text: &str, origin: &Origin) -> Option<Vec<Act>> {
        let mut expansion = Self::new(None);
        expansion.text(text, origin)?;
        Some(expansion.acts)
    }

    /// Adds what a SQL text runs; `None` where it does not parse.
    pub(crate) fn text(&mut self, text: &str, origin: &Origin) -> Option<()> {
        if origin.via.len() > DEEPEST {
            self.acts.push(Act::unproven("texts are nested too deeply to be followed", origin));
            return Some(());
        }
        let parsed = pg_query::parse(text, 0).ok()?;
        for node in parsed.protobuf.stmts.into_iter().filter_map(|raw| raw.stmt?.node) {
            self.statement(node, origin);
        }
        Some(())
    }

    pub(crate) fn statement(&mut self, node: NodeEnum, origin: &Origin) {
        match node {
            NodeEnum::ExplainStmt(explain) => {
                let analyzes = write::analyzes(&Tree::of(&explain));
                if let Some(query) = explain.query.and_then(|node| node.node).filter(|_| analyzes) {
                    self.statement(query, &origin.within(Via::Explain));
                }
            }
            NodeEnum::DoStmt(block) => self.block(&block.args, origin),
            NodeEnum::PrepareStmt(prepare) => {
                if let Some(query) = prepare.query.and_then(|node| node.node) {
                    self.prepared.insert(prepare.name, query);
                }
            }
            NodeEnum::ExecuteStmt(execute) => self.execute(&execute.name, origin),
            NodeEnum::CopyStmt(mut copy) => {
                if let Some(query) = copy.query.take().and_then(|node| node.node) {
                    self.statement(query, &origin.within(Via::Copy));
                }
                self.acts.push(Act::of(NodeEnum::CopyStmt(copy), origin));
            }
            NodeEnum::CreateTableAsStmt(mut create) => {
                let execute = create.query.as_ref().and_then(|node| match &node.node {
                    Some(NodeEnum::ExecuteStmt(execute)) => Some(execute.name.clone()),
                    _ => None,
                });
                if let Some(name) = execute {
                    match self.prepared.get(&name).cloned() {
                        Some(query) => create.query = Some(Box::new(Node { node: Some(query) })),
                        None => self.execute(&name, origin),
                    }
                }
                self.acts.push(Act::of(NodeEnum::CreateTableAsStmt(create), origin));
            }
            NodeEnum::CreateSchemaStmt(mut schema) => {
                let elements = std::mem::take(&mut schema.schema_elts);
                self.acts.push(Act::of(NodeEnum::CreateSchemaStmt(schema), origin));
                for node in elements.into_iter().filter_map(|node| node.node) {
                    self.statement(node, origin);
                }
            }
            other => self.acts.push(Act::of(other, origin)),
        }
    }

    fn execute(&mut self, name: &str, origin: &Origin) {
        match self.prepared.get(name).cloned() {
            Some(query) => self.statement(query, &origin.within(Via::Prepared)),
            None => self
                .acts
                .push(Act::unproven(format!("EXECUTE of {name}, which this file does not prepare"), origin)),
        }
    }

    fn block(&mut self, arguments: &[Node], origin: &Origin) {
        let argument = |wanted: &str| {
            arguments.iter().find_map(|node| match &node.node {
                Some(NodeEnum::DefElem(element)) if element.defname == wanted => {
                    match element.arg.as_ref()?.node.as_ref()? {
                        NodeEnum::String(text) => Some(text.sval.as_str()),
                        _ => None,
                    }
                }
                _ => None,
            })
        };
        let (body, origin) = (argument("as").unwrap_or(""), origin.within(Via::Do));
        if argument("language").is_some_and(|language| !language.eq_ignore_ascii_case("plpgsql")) {
            let writes = words::writes(&words::quoted_texts(body));
            match writes.is_empty() {
                true => self.acts.push(Act::unproven("a block in a language that is not read here", &origin)),
                false => self.acts.push(Act::of_writes(writes, &origin)),
            }
            return;
        }
        block::expand(self, body, &origin);
    }
}
