//! A file as its statements, each with a hash by which an edit is found out.

use std::ops::Range;

use sql::{NodeEnum, Source, refuses_a_block, waits_gently};

use crate::history::Progress;

/// One statement of a file.
pub(crate) struct Statement {
    pub(crate) span: Range<usize>,
    /// It refuses to run inside a transaction block.
    pub(crate) outside: bool,
    /// Its wait for locks holds up nobody.
    pub(crate) gentle: bool,
    /// It sets something for those after it.
    pub(crate) setting: bool,
    /// That is the search path.
    pub(crate) path: bool,
}

/// SHA-256 of each statement's tokens: comments and blanks may change.
pub(crate) fn hashes(source: &Source) -> Vec<String> {
    split(source).iter().map(|statement| hash(source, &statement.span)).collect()
}

fn hash(source: &Source, span: &Range<usize>) -> String {
    let alone = Source::from_bytes(&source.path, source.text[span.clone()].as_bytes().to_vec());
    alone.ok().and_then(|alone| alone.token_sha256()).unwrap_or_default()
}

pub(crate) fn split(source: &Source) -> Vec<Statement> {
    let all = |statements: Vec<sql::Statement>| {
        let one = |one: sql::Statement| Statement {
            span: one.span,
            outside: refuses_a_block(&one.node),
            gentle: waits_gently(&one.node),
            setting: matches!(&one.node, NodeEnum::VariableSetStmt(set) if !set.is_local),
            path: matches!(&one.node, NodeEnum::VariableSetStmt(set) if !set.is_local && set.name == "search_path"),
        };
        statements.into_iter().map(one).collect()
    };
    // The file was parsed before any file ran.
    sql::parse(source, all).unwrap_or_default()
}

/// The first statement that is in the database already and does not stand in the file any more as it was run.
pub(crate) fn edited(source: &Source, progress: &Progress) -> Option<(usize, Range<usize>)> {
    let now = split(source);
    (0..progress.done).find_map(|nth| {
        let same = now
            .get(nth)
            .is_some_and(|statement| Some(&hash(source, &statement.span)) == progress.statements.get(nth));
        let last = now.last().map_or(0..0, |statement| statement.span.clone());
        (!same).then(|| (nth, now.get(nth).map_or(last, |statement| statement.span.clone())))
    })
}
