//! The user's statement, edited as a tree so that it does one batch.

use sql::{Node, NodeEnum, Source, ast};

use crate::header::Mode;
use crate::names::{Names, Span};
use crate::statement::{Parsed, parsed};

/// The user's statement on the unit's relation, with `pgdeploy_todo` among its tables (where rows are locked first), the
/// batch's rows as further conditions, and a RETURNING that tells which rows still match with their new values.
pub(crate) fn edited(source: &Source, names: &Names, span: Span) -> Option<String> {
    sql::parse(source, |statements| {
        let (parsed, _) = parsed(source, statements, names.mode).ok()?;
        let conjuncts = names.conjuncts(span)?;
        let todo = (span != Span::Plain).then(|| relation("pgdeploy_todo"));
        // In mode `once` a row that matches again is what is meant.
        let still = match names.mode {
            Mode::Predicate => parsed.condition()?.clone(),
            Mode::Once => sql::parse_expression("false")?,
        };
        let node = match parsed {
            Parsed::Update(mut update) => {
                on_leaf(update.relation.as_mut()?, names);
                update.from_clause.extend(todo);
                update.where_clause = and(update.where_clause, conjuncts);
                // The new row is what RETURNING sees: an update that leaves its own condition true is found at once.
                update.returning_clause = Some(returning(still));
                NodeEnum::UpdateStmt(update)
            }
            Parsed::Delete(mut delete) => {
                on_leaf(delete.relation.as_mut()?, names);
                delete.using_clause.extend(todo);
                delete.where_clause = and(delete.where_clause, conjuncts);
                delete.returning_clause = Some(returning(sql::parse_expression("false")?));
                NodeEnum::DeleteStmt(delete)
            }
            Parsed::Insert(mut insert, mut select) => {
                on_leaf(leftmost_mut(select.from_clause.first_mut()?)?, names);
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

/// The relation of a unit in the place of the table: known by the same name as before.
fn on_leaf(relation: &mut ast::RangeVar, names: &Names) {
    let Some((schema, leaf)) = &names.leaf else { return };
    if relation.alias.is_none() {
        let alias = ast::Alias { aliasname: relation.relname.clone(), colnames: Vec::new() };
        relation.alias = Some(alias);
    }
    (relation.schemaname, relation.relname) = (schema.clone(), leaf.clone());
}

/// The first table of a FROM item.
fn leftmost_mut(item: &mut Node) -> Option<&mut ast::RangeVar> {
    match item.node.as_mut()? {
        NodeEnum::RangeVar(relation) => Some(relation),
        NodeEnum::JoinExpr(join) => leftmost_mut(join.larg.as_deref_mut()?),
        _ => None,
    }
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
