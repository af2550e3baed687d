//! The user's statement, edited as a tree so that it does one batch.

use sql::{Node, NodeEnum, Source, ast};

use crate::names::{Names, Span};
use crate::statement::{Parsed, parsed};

/// The user's statement with `pgdeploy_todo` among its tables (where rows are locked first), the batch's rows as further
/// conditions, and a RETURNING that tells which rows still match with their new values.
pub(crate) fn edited(source: &Source, names: &Names, span: Span) -> Option<String> {
    sql::parse(source, |statements| {
        let (parsed, _) = parsed(source, statements).ok()?;
        let conjuncts = sql::parse_expression(&names.conjuncts(span))?;
        let todo = (span != Span::Plain).then(|| relation("pgdeploy_todo"));
        let still = parsed.condition()?.clone();
        let node = match parsed {
            Parsed::Update(mut update) => {
                update.from_clause.extend(todo);
                update.where_clause = and(update.where_clause, conjuncts);
                // The new row is what RETURNING sees: an update that leaves its own condition true is found at once.
                update.returning_clause = Some(returning(still));
                NodeEnum::UpdateStmt(update)
            }
            Parsed::Delete(mut delete) => {
                delete.using_clause.extend(todo);
                delete.where_clause = and(delete.where_clause, conjuncts);
                delete.returning_clause = Some(returning(sql::parse_expression("false")?));
                NodeEnum::DeleteStmt(delete)
            }
            Parsed::Insert(mut insert, mut select) => {
                select.from_clause.extend(todo);
                select.where_clause = and(select.where_clause, conjuncts);
                insert.select_stmt = Some(Box::new(Node { node: Some(NodeEnum::SelectStmt(select)) }));
                insert.returning_clause = Some(returning(sql::parse_expression("false")?));
                NodeEnum::InsertStmt(insert)
            }
        };
        sql::statement_text(node)
    })
    .ok()
    .flatten()
}

fn relation(name: &str) -> Node {
    let relation = ast::RangeVar {
        relname: name.to_owned(),
        inh: true,
        relpersistence: "p".to_owned(),
        ..Default::default()
    };
    Node { node: Some(NodeEnum::RangeVar(relation)) }
}

fn and(one: Option<Box<Node>>, other: Node) -> Option<Box<Node>> {
    let args = one.map(|node| *node).into_iter().chain([other]).collect();
    let and = ast::BoolExpr { boolop: ast::BoolExprType::AndExpr as i32, args, ..Default::default() };
    Some(Box::new(Node { node: Some(NodeEnum::BoolExpr(Box::new(and))) }))
}

fn returning(still: Node) -> ast::ReturningClause {
    let target = ast::ResTarget {
        name: "pgdeploy_still".to_owned(),
        val: Some(Box::new(still)),
        ..Default::default()
    };
    let exprs = vec![Node { node: Some(NodeEnum::ResTarget(Box::new(target))) }];
    ast::ReturningClause { options: Vec::new(), exprs }
}
