//! The SQL of pending files, judged before the first of them runs.

use sql::ast::TransactionStmtKind;
use sql::{NodeEnum, Problem, Statement};

use crate::migration::Migration;

/// Parses the files with the server's grammar and finds what cannot run inside our transaction. Every problem of every
/// file is returned.
pub fn check(migrations: &[Migration]) -> Vec<Problem> {
    migrations.iter().flat_map(file).collect()
}

fn file(migration: &Migration) -> Vec<Problem> {
    let source = &migration.source;
    let judged = sql::parse(source, |statements| {
        if statements.is_empty() {
            let problem = Problem::with_file("E221", &source.path, "holds no statement");
            return vec![problem.help("write the change, or delete the file")];
        }
        let refused = statements.iter().filter_map(|statement| {
            let (message, help) = refuse(statement)?;
            let end =
                statement.span.start + source.text[statement.span.clone()].lines().next().map_or(0, str::len);
            Some(Problem::at("E222", source, statement.span.start..end, message).help(help))
        });
        refused.collect()
    });
    judged.unwrap_or_else(|problem| vec![problem])
}

/// What PostgreSQL or we do not allow inside the one transaction that a migration is.
fn refuse(statement: &Statement) -> Option<(&'static str, &'static str)> {
    const INDEX: &str =
        "declare the index in indexes/*.sql: it is built concurrently in the stage after this one";
    const OUTSIDE: &str = "this statement cannot run inside a transaction, and each migration is one";
    const BY_HAND: &str = "files that run outside of a transaction are not supported yet: run it by hand";
    match &statement.node {
        NodeEnum::TransactionStmt(transaction) => match transaction.kind() {
            TransactionStmtKind::TransStmtSavepoint
            | TransactionStmtKind::TransStmtRelease
            | TransactionStmtKind::TransStmtRollbackTo => None,
            _ => Some((
                "a migration is one transaction and cannot begin or end one itself",
                "delete this statement, or split the file where it stands",
            )),
        },
        NodeEnum::IndexStmt(index) if index.concurrent => Some((OUTSIDE, INDEX)),
        NodeEnum::DropStmt(drop) if drop.concurrent => Some((OUTSIDE, INDEX)),
        NodeEnum::ReindexStmt(reindex) if reindex.params.iter().any(is_concurrently) => {
            Some((OUTSIDE, INDEX))
        }
        NodeEnum::VacuumStmt(vacuum) if vacuum.is_vacuumcmd => Some((OUTSIDE, BY_HAND)),
        NodeEnum::CreatedbStmt(_) | NodeEnum::DropdbStmt(_) | NodeEnum::AlterSystemStmt(_) => {
            Some((OUTSIDE, BY_HAND))
        }
        NodeEnum::ListenStmt(_) => Some((
            "LISTEN belongs to a session of its own, and a migration has none",
            "delete it: the application listens for itself",
        )),
        NodeEnum::CreateTableSpaceStmt(_) | NodeEnum::DropTableSpaceStmt(_) => Some((OUTSIDE, BY_HAND)),
        NodeEnum::CopyStmt(copy) if copy.is_from && copy.filename.is_empty() && !copy.is_program => Some((
            "COPY FROM stdin needs data that follow the statement, and a migration has none",
            "write INSERT .. VALUES, or load the rows outside of a release",
        )),
        _ => None,
    }
}

fn is_concurrently(parameter: &sql::Node) -> bool {
    matches!(&parameter.node, Some(NodeEnum::DefElem(element)) if element.defname == "concurrently")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sql::Source;

    fn problems(text: &str) -> Vec<String> {
        let source = Source::from_bytes(Path::new("m/1_x.sql"), text.into()).unwrap();
        super::check(&crate::load(vec![source]).unwrap().0).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_cannot_run_in_a_transaction_is_refused_at_its_place() {
        let text = "alter table t add a int;\ncommit;\ncreate index concurrently i on t (a);\nvacuum t;\ncopy t from stdin;";
        let found = problems(text);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[0].starts_with("E222 m/1_x.sql:2:1"), "{found:?}");
        assert!(
            problems("savepoint a; drop table t; release a; analyze t; create index i on t (a)").is_empty()
        );
    }

    #[test]
    fn a_file_without_a_statement_is_refused() {
        assert_eq!(problems("-- later\n"), ["E221 m/1_x.sql: holds no statement"]);
    }
}
