//! The SQL of a migration as pgdeploy runs it: without transaction control, which is ours.

use std::ops::Range;

use sql::ast::TransactionStmtKind;
use sql::{NodeEnum, Problem, Source, Statement};

/// What a file will hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Body {
    /// The statements; empty where there is none.
    pub text: String,
    /// Whether it runs in one transaction.
    pub transaction: bool,
}

/// How the tool ran it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ran {
    /// All of it in one transaction.
    InTransaction,
    /// Statement by statement.
    Bare,
}

impl Body {
    /// Takes the transaction control out of a text, and finds what cannot be carried. A text that changes in no other way
    /// is kept to the letter.
    pub(crate) fn of(source: &Source, ran: Ran) -> Result<Self, Vec<Problem>> {
        read(source, ran, |_| false)
    }

    /// The same for a part of a file. Places stay places in the file.
    pub(crate) fn part(source: &Source, part: &Range<usize>, ran: Ran) -> Result<Self, Vec<Problem>> {
        Self::part_without(source, part, ran, |_| false)
    }

    /// The same, and without some statements.
    pub(crate) fn part_without(
        source: &Source,
        part: &Range<usize>,
        ran: Ran,
        leave_out: impl Fn(&Statement) -> bool + Send,
    ) -> Result<Self, Vec<Problem>> {
        let body = read(&only(source, part), ran, leave_out)?;
        Ok(if body.is_empty() { body } else { Self { text: tidy(&body.text), ..body } })
    }

    /// Whether there is nothing to run.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

fn read(
    source: &Source,
    ran: Ran,
    leave_out: impl Fn(&Statement) -> bool + Send,
) -> Result<Body, Vec<Problem>> {
    let judged = sql::parse(source, |statements| judge(source, ran, &statements, leave_out));
    judged.unwrap_or_else(|problem| Err(vec![problem]))
}

fn judge(
    source: &Source,
    ran: Ran,
    statements: &[Statement],
    leave_out: impl Fn(&Statement) -> bool,
) -> Result<Body, Vec<Problem>> {
    let (mut problems, mut cuts) = (Vec::new(), Vec::<Range<usize>>::new());
    let (mut left, mut transaction) = (0, true);
    for statement in statements {
        match refuse(&statement.node) {
            Some(message) => {
                let line = source.text[statement.span.clone()].lines().next().map_or(0, str::len);
                let span = statement.span.start..statement.span.start + line;
                problems.push(Problem::at("E702", source, span, message).help(
                    "write what it does as plain SQL in a copy of the project, and name that with --source",
                ));
            }
            None if is_transaction_control(&statement.node) || leave_out(statement) => {
                cuts.push(statement.span.start..behind_semicolon(&source.text, statement.span.end));
            }
            None => {
                left += 1;
                transaction &= !needs_its_own(&statement.node, ran);
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    if left == 0 {
        return Ok(Body { text: String::new(), transaction: true });
    }
    let text = if cuts.is_empty() { source.text.to_string() } else { tidy(&cut(&source.text, &cuts)) };
    Ok(Body { text, transaction })
}

fn refuse(node: &NodeEnum) -> Option<&'static str> {
    match node {
        NodeEnum::TransactionStmt(statement) => match statement.kind() {
            TransactionStmtKind::TransStmtRollback => {
                Some("a migration that takes itself back cannot be carried over")
            }
            TransactionStmtKind::TransStmtPrepare
            | TransactionStmtKind::TransStmtCommitPrepared
            | TransactionStmtKind::TransStmtRollbackPrepared => {
                Some("two-phase commit cannot be carried over")
            }
            _ => None,
        },
        NodeEnum::CopyStmt(copy) if copy.is_from && copy.filename.is_empty() && !copy.is_program => {
            Some("COPY FROM stdin needs data that follow the statement, and a migration has none")
        }
        _ => None,
    }
}

fn is_transaction_control(node: &NodeEnum) -> bool {
    matches!(node, NodeEnum::TransactionStmt(statement) if matches!(
        statement.kind(),
        TransactionStmtKind::TransStmtBegin | TransactionStmtKind::TransStmtStart | TransactionStmtKind::TransStmtCommit
    ))
}

/// What PostgreSQL refuses inside a transaction, and what means something else there.
fn needs_its_own(node: &NodeEnum, ran: Ran) -> bool {
    let concurrently = |parameter: &sql::Node| matches!(&parameter.node, Some(NodeEnum::DefElem(element)) if element.defname == "concurrently");
    match node {
        NodeEnum::IndexStmt(index) => index.concurrent,
        NodeEnum::DropStmt(drop) => drop.concurrent,
        NodeEnum::ReindexStmt(reindex) => reindex.params.iter().any(concurrently),
        NodeEnum::VacuumStmt(vacuum) => vacuum.is_vacuumcmd,
        NodeEnum::CreatedbStmt(_)
        | NodeEnum::DropdbStmt(_)
        | NodeEnum::AlterSystemStmt(_)
        | NodeEnum::CreateTableSpaceStmt(_)
        | NodeEnum::DropTableSpaceStmt(_) => true,
        // A new enum value cannot be used in the transaction that adds it; a block may commit.
        NodeEnum::AlterEnumStmt(_) | NodeEnum::CallStmt(_) | NodeEnum::DoStmt(_) => ran == Ran::Bare,
        _ => false,
    }
}

fn behind_semicolon(text: &str, end: usize) -> usize {
    let next = sql::skip_blanks(text, end);
    if text[next..].starts_with(';') { next + 1 } else { end }
}

fn cut(text: &str, cuts: &[Range<usize>]) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    for range in cuts {
        kept.push_str(&text[at..range.start]);
        at = range.end;
    }
    kept.push_str(&text[at..]);
    kept
}

/// No blank lines at the ends, and one line end.
fn tidy(text: &str) -> String {
    let trimmed = text.trim_end().trim_start_matches(['\n', ' ', '\t']);
    format!("{trimmed}\n")
}

/// The text up to the end of a part, with everything before it blanked, so that places in it stay places in the file.
fn only(source: &Source, part: &Range<usize>) -> Source {
    let blanked = |text: &str| text.chars().filter(|c| *c == '\n').collect::<String>();
    let text = blanked(&source.text[..part.start]) + &source.text[part.clone()];
    Source { text: text.into(), ..source.clone() }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn body(text: &str, ran: Ran) -> Result<Body, Vec<String>> {
        let source = Source::from_bytes(Path::new("1.sql"), text.into()).unwrap();
        Body::of(&source, ran).map_err(|found| found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_tools_own_transaction_goes_and_the_text_stays() {
        let found = body("BEGIN;\n-- why\ncreate table t (a int);\nCOMMIT ;\n", Ran::Bare).unwrap();
        assert_eq!((found.text.as_str(), found.transaction), ("-- why\ncreate table t (a int);\n", true));
        let kept = "create table t (a int);\n\n\ncreate table u (a int);\n";
        assert_eq!(body(kept, Ran::InTransaction).unwrap().text, kept);
        assert!(body("begin; -- nothing\ncommit;", Ran::Bare).unwrap().is_empty());
    }

    #[test]
    fn only_what_cannot_run_in_a_transaction_runs_outside_of_one() {
        assert!(!body("create index concurrently i on t (a)", Ran::InTransaction).unwrap().transaction);
        assert!(body("create index i on t (a)", Ran::Bare).unwrap().transaction);
        assert!(!body("alter type t add value 'a'", Ran::Bare).unwrap().transaction);
    }

    #[test]
    fn what_cannot_be_carried_is_told_with_its_place() {
        let found = body("select 1;\nrollback;\ncopy t from stdin;", Ran::Bare).unwrap_err();
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with("E702 1.sql:2:1"), "{found:?}");
        assert!(body("select 1;\n\\d t\n", Ran::Bare).unwrap_err()[0].starts_with("E220 1.sql:2:1"));
    }
}
