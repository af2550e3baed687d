//! What the guard says about files and acceptances themselves.

use std::ops::Range;

use sql::{NodeEnum, Source, Statement};

use crate::act::Act;
use crate::finding::Finding;
use crate::rule::Kind;
use crate::severity::Severity;
use crate::taint;
use crate::world::World;
use crate::write::Change;

/// Ids beside those of the rules, with what they mean.
pub const FORM: &[(&str, &str)] = &[
    ("syntax", "the file does not parse"),
    ("acceptance", "an acceptance names no rule that exists, or gives no reason"),
    ("stale-acceptance", "an acceptance has nothing left to accept"),
    ("grandfathered", "the grandfather list is stale, was edited by hand or has grown"),
    (
        "index-file",
        "an index file holds something else than CREATE INDEX and DROP INDEX, or an index that cannot be told",
    ),
    ("backfill-file", "a backfill file holds something else than one statement that changes rows"),
];

pub(crate) fn finding(
    rule: &'static str,
    source: &Source,
    span: Range<usize>,
    message: impl Into<String>,
) -> Finding {
    Finding {
        rule,
        severity: Severity::Error,
        code: Finding::code_of(Kind::Form, Severity::Error),
        path: source.path.clone(),
        sha256: source.sha256.clone(),
        text: source.text.clone(),
        span,
        message: message.into(),
        rewrite: None,
        acceptable: false,
    }
}

/// What is wrong with an index file.
pub(crate) fn index_file(source: &Source, statements: &[Statement]) -> Vec<Finding> {
    let mut found = Vec::new();
    for statement in statements {
        let message = match &statement.node {
            NodeEnum::IndexStmt(index) if index.if_not_exists => {
                "IF NOT EXISTS reports success over an invalid index or another one of that name: leave it out"
            }
            NodeEnum::IndexStmt(index) if index.idxname.is_empty() => "an index needs a name here",
            NodeEnum::IndexStmt(index) if index.relation.as_ref().is_some_and(|relation| !relation.inh) => {
                "ON ONLY leaves an index without its partitions: leave it out"
            }
            NodeEnum::IndexStmt(_) => continue,
            NodeEnum::DropStmt(drop) if drop.remove_type() == sql::ast::ObjectType::ObjectIndex => continue,
            _ => "an index file holds CREATE INDEX and DROP INDEX, nothing else",
        };
        found.push(finding("index-file", source, statement.span.clone(), message));
    }
    found
}

/// What is wrong with a backfill file.
pub(crate) fn backfill_file(
    source: &Source,
    statements: &[Statement],
    acts: &[Act],
    world: &World,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, statement) in statements.iter().enumerate() {
        let span = statement.span.clone();
        if at > 0 {
            found.push(finding("backfill-file", source, span, "a backfill file holds one statement"));
            continue;
        }
        let top = acts.iter().find(|act| act.via.is_empty() && act.statement == at);
        let outer = top.and_then(|act| act.writes.first().filter(|write| !write.nested));
        let message = match (outer, top) {
            (Some(write), Some(act)) => match write.change {
                Change::Update | Change::Delete | Change::InsertSelect if act.writes.len() > 1 => {
                    "a backfill changes the rows of one table: this statement changes another one in WITH"
                        .into()
                }
                Change::Update | Change::Delete | Change::InsertSelect => {
                    match act.calls.iter().find_map(|call| taint::verb(world, call)) {
                        Some(verb) => format!("what this statement calls does {verb} by itself"),
                        None => continue,
                    }
                }
                change => {
                    format!("{} is not a backfill: write UPDATE, DELETE or INSERT .. SELECT", change.verb())
                }
            },
            _ => "a backfill is one UPDATE, DELETE or INSERT .. SELECT, not this".into(),
        };
        found.push(finding("backfill-file", source, span, message));
    }
    if statements.is_empty() {
        found.push(finding("backfill-file", source, 0..0, "holds no statement"));
    }
    found
}
