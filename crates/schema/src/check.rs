//! The SQL of pending files, judged before the first of them runs.

use sql::ast::TransactionStmtKind;
use sql::{NodeEnum, Problem, Source, Statement};

use crate::decide::{Plan, duplicates};
use crate::history::Progress;
use crate::migration::{Migration, Migrations};
use crate::split::edited;

/// Parses the pending files with the server's grammar and finds what cannot run as they say. Every problem of every file
/// is returned.
pub fn check(plan: &Plan) -> Vec<Problem> {
    let pending = plan.pending.iter().chain(plan.deferred.iter().map(|deferred| &deferred.migration));
    pending.flat_map(|migration| file(migration, plan.resumed.get(&migration.version))).collect()
}

/// The same for files whose history is not known; and versions that come twice.
pub fn check_all(migrations: &Migrations) -> Vec<Problem> {
    let mut problems: Vec<Problem> =
        migrations.0.iter().flat_map(|migration| file(migration, None)).collect();
    problems.extend(duplicates(migrations));
    problems
}

fn file(migration: &Migration, progress: Option<&Progress>) -> Vec<Problem> {
    let source = &migration.source;
    let mut problems = one(source, migration.header.transaction, |statements| migration.parsed(statements));
    if let Some(down) = &migration.down {
        problems.extend(one(down, true, |_| {}));
    }
    if migration.header.transaction && progress.is_some_and(Progress::has_begun) {
        let message = "was begun statement by statement, and some are in the database already: it cannot be one transaction any more";
        let help = "take `transaction: false` back into its header";
        problems.push(Problem::with_file("E121", &source.path, message).help(help));
    }
    if let Some((nth, span)) = progress.and_then(|progress| edited(source, progress)) {
        let message = format!("statement {} is in the database already, and was edited since", nth + 1);
        let help = "take its text back; the statements after the last that is in may be changed";
        problems.push(Problem::at("E121", source, span, message).help(help));
    }
    problems
}

fn one(source: &Source, transaction: bool, parsed: impl FnOnce(&[Statement]) + Send) -> Vec<Problem> {
    let judged = sql::parse(source, |statements| {
        parsed(&statements);
        if statements.is_empty() {
            let problem = Problem::with_file("E221", &source.path, "holds no statement");
            return vec![problem.help("write the change, or delete the file")];
        }
        let refused = statements.iter().filter_map(|statement| {
            let (message, help) = refuse(&statement.node, transaction)?;
            let end =
                statement.span.start + source.text[statement.span.clone()].lines().next().map_or(0, str::len);
            Some(Problem::at("E222", source, statement.span.start..end, message).help(help))
        });
        refused.collect()
    });
    judged.unwrap_or_else(|problem| vec![problem])
}

/// What PostgreSQL or we do not allow: inside the one transaction that a migration is, or at all.
fn refuse(node: &NodeEnum, transaction: bool) -> Option<(&'static str, &'static str)> {
    const INDEX: &str =
        "declare the index in indexes/*.sql: it is built concurrently in the stage after this one";
    const ALONE: &str = "put it into a file of its own whose header says `transaction: false`";
    match node {
        NodeEnum::TransactionStmt(statement) => match statement.kind() {
            TransactionStmtKind::TransStmtSavepoint
            | TransactionStmtKind::TransStmtRelease
            | TransactionStmtKind::TransStmtRollbackTo
                if transaction =>
            {
                None
            }
            _ if transaction => Some((
                "a migration is one transaction and cannot begin or end one itself",
                "delete this statement, or split the file where it stands",
            )),
            _ => Some((
                "with `transaction: false` each statement stands alone: a transaction cannot span several",
                "delete this statement, or take `transaction: false` away",
            )),
        },
        NodeEnum::ListenStmt(_) => Some((
            "LISTEN belongs to a session of its own, and a migration has none",
            "delete it: the application listens for itself",
        )),
        NodeEnum::CopyStmt(copy) if copy.is_from && copy.filename.is_empty() && !copy.is_program => Some((
            "COPY FROM stdin needs data that follow the statement, and a migration has none",
            "write INSERT .. VALUES, or load the rows outside of a release",
        )),
        other if transaction && sql::refuses_a_block(other) => {
            let index =
                matches!(other, NodeEnum::IndexStmt(_) | NodeEnum::DropStmt(_) | NodeEnum::ReindexStmt(_));
            Some((
                "this statement cannot run inside a transaction, and each migration is one",
                if index { INDEX } else { ALONE },
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sql::Source;

    fn problems(text: &str) -> Vec<String> {
        let source = Source::from_bytes(Path::new("m/1_x.sql"), text.into()).unwrap();
        super::check_all(&crate::load(vec![source], Vec::new()).unwrap())
            .iter()
            .map(ToString::to_string)
            .collect()
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
