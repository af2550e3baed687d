//! Trees back to text, by libpg_query's deparser.

use pg_query::{Node, NodeEnum, protobuf};

/// The text of a whole statement; `None` for a tree that the deparser does not accept.
pub fn statement_text(node: NodeEnum) -> Option<String> {
    let stmt = Some(Box::new(Node { node: Some(node) }));
    let raw = protobuf::RawStmt { stmt, stmt_location: 0, stmt_len: 0 };
    pg_query::deparse(&protobuf::ParseResult { version: 0, stmts: vec![raw] }, Default::default()).ok()
}

/// The text of an expression, such as a WHERE clause.
pub fn expression(node: &Node) -> Option<String> {
    let target = protobuf::ResTarget { val: Some(Box::new(node.clone())), ..Default::default() };
    let target_list = vec![Node { node: Some(NodeEnum::ResTarget(Box::new(target))) }];
    let select = protobuf::SelectStmt { target_list, ..plain_select() };
    statement_text(NodeEnum::SelectStmt(Box::new(select)))?.strip_prefix("SELECT ").map(str::to_owned)
}

/// The text of the items of a FROM clause.
pub fn from_items(items: &[Node]) -> Option<String> {
    let select = protobuf::SelectStmt { from_clause: items.to_vec(), ..plain_select() };
    statement_text(NodeEnum::SelectStmt(Box::new(select)))?.strip_prefix("SELECT FROM ").map(str::to_owned)
}

/// A SELECT with the enumerations that protobuf would leave at "undefined" set to what the grammar gives a plain one.
fn plain_select() -> protobuf::SelectStmt {
    protobuf::SelectStmt {
        limit_option: protobuf::LimitOption::Default as i32,
        op: protobuf::SetOperation::SetopNone as i32,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_expression;

    #[test]
    fn expressions_and_from_items_come_back_as_text() {
        let node = parse_expression("t.a is distinct from 'x' and (b > 1 or c in (select 1))").unwrap();
        assert_eq!(expression(&node).unwrap(), "t.a IS DISTINCT FROM 'x' AND (b > 1 OR c IN (SELECT 1))");
        let parsed =
            pg_query::parse("update a set x = 1 from b join c on b.i = c.i, lateral f(a.x) d", 0).unwrap();
        let Some(NodeEnum::UpdateStmt(update)) =
            parsed.protobuf.stmts[0].stmt.clone().and_then(|node| node.node)
        else {
            panic!("an UPDATE")
        };
        assert_eq!(from_items(&update.from_clause).unwrap(), "b JOIN c ON b.i = c.i, LATERAL f(a.x) d");
    }
}
