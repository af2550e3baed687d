//! The judge: files in, findings out, in the order in which the files run.

use sql::{Source, Statement};

use crate::acceptance::{self, Accepted};
use crate::act::{Act, Origin};
use crate::catalog::Catalog;
use crate::expand::Expansion;
use crate::finding::Finding;
use crate::knowledge::Knowledge;
use crate::look::Look;
use crate::world::World;
use crate::{form, rules};

/// Judges files one after the other, and keeps what they make: routines that change rows, domains, column types.
#[derive(Debug, Default)]
pub struct Judge {
    knowledge: Knowledge,
    world: World,
    accepted: Vec<Accepted>,
}

/// A file that was taken apart.
pub(crate) struct Read {
    pub(crate) findings: Vec<Finding>,
    pub(crate) acts: Vec<Act>,
}

impl Judge {
    /// A judge that has seen no file.
    pub fn new(knowledge: Knowledge) -> Self {
        let mut world = World::default();
        if let Some(catalog) = &knowledge.catalog {
            world.catalog(catalog);
        }
        Self { knowledge, world, accepted: Vec::new() }
    }

    /// Takes in what the target's catalog says. It is later than every applied file, so it comes after them.
    pub fn read_catalog(&mut self, catalog: Catalog) {
        self.world.catalog(&catalog);
        self.knowledge.catalog = Some(catalog);
    }

    /// Takes in what a file makes without judging it: one that is applied already.
    pub fn applied(&mut self, source: &Source) {
        // A file that does not parse makes nothing; it was refused when it was pending.
        let _unparsable = self.read(source);
        // What it made is in use by now.
        self.world.new_here.clear();
    }

    /// From here on the application runs: what the files so far have made is in use.
    pub fn served(&mut self) {
        self.world.served();
    }

    /// What stands against a migration; accepted findings are in [`Judge::accepted`].
    pub fn migration(&mut self, source: &Source) -> Vec<Finding> {
        match self.read(source) {
            Ok((read, spans)) => {
                let (standing, accepted) =
                    acceptance::settle(source, &spans, read.findings, self.knowledge.is_text_alone());
                self.accepted.extend(accepted);
                standing
            }
            Err(finding) => vec![*finding],
        }
    }

    /// What stands against an index file.
    pub fn index_file(&mut self, source: &Source) -> Vec<Finding> {
        match sql::parse(source, |statements| form::index_file(source, &statements)) {
            Ok(findings) => findings,
            Err(problem) => vec![Finding::of_problem(problem, &source.sha256)],
        }
    }

    /// What stands against a backfill file.
    pub fn backfill_file(&mut self, source: &Source) -> Vec<Finding> {
        let world = &self.world;
        let judged = sql::parse(source, |statements| {
            let acts = expanded(source, &statements);
            form::backfill_file(source, &statements, &acts, world)
        });
        judged.unwrap_or_else(|problem| vec![Finding::of_problem(problem, &source.sha256)])
    }

    /// What was found and accepted with a reason, so far.
    pub fn accepted(&self) -> &[Accepted] {
        &self.accepted
    }

    /// What the rules find and what a file does, before acceptances; with the spans of its statements.
    #[allow(clippy::type_complexity)]
    pub(crate) fn read(
        &mut self,
        source: &Source,
    ) -> Result<(Read, Vec<std::ops::Range<usize>>), Box<Finding>> {
        let (world, knowledge) = (&mut self.world, &self.knowledge);
        let transaction = acceptance::is_one_transaction(source);
        world.next_file();
        let judged = sql::parse(source, |statements| {
            let acts = expanded(source, &statements);
            let mut findings: Vec<Finding> = Vec::new();
            for (at, act) in acts.iter().enumerate() {
                let look = Look {
                    act,
                    acts: &acts,
                    at,
                    statements: statements.len(),
                    transaction,
                    world,
                    knowledge,
                };
                for finding in judged(source, &look) {
                    // A text with alternatives is read several times.
                    let same = |other: &Finding| {
                        other.rule == finding.rule
                            && other.span == finding.span
                            && other.message == finding.message
                    };
                    if !findings.iter().rev().take(64).any(same) {
                        findings.push(finding);
                    }
                }
                let text = source.text.get(act.span.clone()).unwrap_or("");
                world.learn(act, text);
            }
            let spans = statements.iter().map(|statement| statement.span.clone()).collect();
            (Read { findings, acts }, spans)
        });
        judged.map_err(|problem| Box::new(Finding::of_problem(problem, &source.sha256)))
    }
}

fn expanded(source: &Source, statements: &[Statement]) -> Vec<Act> {
    let mut expansion = Expansion::new(Some(source));
    for (statement, Statement { span, node }) in statements.iter().enumerate() {
        let origin = Origin { span: span.clone(), statement, via: Vec::new() };
        expansion.statement(node.clone(), &origin);
    }
    expansion.acts
}

fn judged(source: &Source, look: &Look<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in rules::ALL {
        for found in (rule.find)(look) {
            let severity = found.severity.unwrap_or(rule.severity);
            let message = look.sized(&found);
            findings.push(Finding {
                rule: rule.id,
                severity,
                code: Finding::code_of(rule.kind, severity),
                path: source.path.clone(),
                sha256: source.sha256.clone(),
                text: source.text.clone(),
                span: found.span.unwrap_or_else(|| look.act.span.clone()),
                message,
                rewrite: found.rewrite,
                acceptable: found.acceptable,
            });
        }
    }
    findings
}
