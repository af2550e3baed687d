//! The row changes in a syntax tree.

use crate::name::Name;
use crate::tree::Tree;

/// Which statement changes rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Update,
    Delete,
    Merge,
    /// `INSERT .. SELECT` and everything else that does not list its rows.
    InsertSelect,
    /// `INSERT .. VALUES` of so many rows, or `DEFAULT VALUES`.
    InsertValues(usize),
    Truncate,
    CopyFrom,
}

/// How many rows a change may touch, as far as its text tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Bound {
    /// By a key's value, or as many as are written in the statement.
    Key,
    /// There is a condition, but nothing bounds it.
    Condition,
    /// Every row.
    All,
}

/// One change of rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Write {
    pub(crate) change: Change,
    pub(crate) table: Option<Name>,
    pub(crate) bound: Bound,
    /// `INSERT .. ON CONFLICT DO UPDATE` changes rows that exist.
    pub(crate) upsert: bool,
    /// Whether it stands in a `WITH` or in another statement.
    pub(crate) nested: bool,
}

impl Change {
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Merge => "MERGE",
            Self::InsertSelect | Self::InsertValues(_) => "INSERT",
            Self::Truncate => "TRUNCATE",
            Self::CopyFrom => "COPY FROM",
        }
    }
}

/// What only defines something that runs later, so that what is in it does not run now.
pub(crate) fn only_defines(tree: &Tree) -> bool {
    match tree.kind() {
        "CreateFunctionStmt" | "RuleStmt" | "CreateTrigStmt" | "ViewStmt" | "CreatePolicyStmt"
        | "AlterPolicyStmt" | "PrepareStmt" | "DoStmt" => true,
        "ExplainStmt" => !analyzes(tree),
        "CreateTableAsStmt" => !tree.get("into").get("skip_data").is_nothing(),
        _ => false,
    }
}

/// Whether an `EXPLAIN` has ANALYZE and so runs its statement.
pub(crate) fn analyzes(explain: &Tree) -> bool {
    let last = explain.get("options").list().iter().rfind(|option| {
        option.get("defname").text().is_some_and(|name| name.eq_ignore_ascii_case("analyze"))
    });
    last.is_some_and(|option| {
        let value = option.get("arg");
        let word = value.string().or_else(|| value.get("boolval").text()).unwrap_or("");
        let off = ["false", "off", "0"].iter().any(|no| word.eq_ignore_ascii_case(no));
        let zero = value.kind() == "Integer" && value.get("ival").number() == 0
            || value.kind() == "Boolean" && value.get("boolval").number() == 0;
        !(off || zero)
    })
}

/// Every change of rows that running a statement would make, the outer first.
pub(crate) fn of(statement: &Tree) -> Vec<Write> {
    let mut writes = Vec::new();
    let mut outermost = true;
    statement.walk(&mut |tree| {
        if only_defines(tree) {
            return false;
        }
        let nested = !std::mem::take(&mut outermost);
        if let Some(write) = one(tree, nested) {
            writes.push(write);
        }
        true
    });
    writes
}

fn one(tree: &Tree, nested: bool) -> Option<Write> {
    let table = tree.get("relation").relation();
    let write = |change, bound| Some(Write { change, table: table.clone(), bound, upsert: false, nested });
    let condition = tree.get("where_clause");
    match tree.kind() {
        "UpdateStmt" => write(Change::Update, bound(condition, tree.get("from_clause"))),
        "DeleteStmt" => write(Change::Delete, bound(condition, tree.get("using_clause"))),
        "MergeStmt" if only_reads(tree) => None,
        "MergeStmt" => write(Change::Merge, Bound::Condition),
        "CopyStmt" if !tree.get("is_from").is_nothing() => write(Change::CopyFrom, Bound::Condition),
        "TruncateStmt" => {
            let table = tree.get("relations").list().first().and_then(Tree::relation);
            Some(Write { change: Change::Truncate, table, bound: Bound::All, upsert: false, nested })
        }
        "InsertStmt" => {
            let (change, bound) = insert(tree);
            let upsert = tree.get("on_conflict_clause").get("action").number()
                == sql::ast::OnConflictAction::OnconflictUpdate as i64;
            Some(Write { change, table, bound, upsert, nested })
        }
        _ => None,
    }
}

/// A MERGE whose every action is DO NOTHING.
fn only_reads(merge: &Tree) -> bool {
    merge
        .get("merge_when_clauses")
        .list()
        .iter()
        .all(|when| when.get("command_type").number() == sql::ast::CmdType::CmdNothing as i64)
}

fn insert(tree: &Tree) -> (Change, Bound) {
    let rows = tree.get("select_stmt");
    if rows.is_nothing() {
        return (Change::InsertValues(1), Bound::Key);
    }
    let values = rows.get("values_lists").list();
    let reads = |part: &Tree| matches!(part.kind(), "SubLink" | "SelectStmt");
    let literal = !values.is_empty()
        && tree.get("with_clause").is_nothing()
        && rows.get("with_clause").is_nothing()
        && !values.iter().any(|row| row.any(reads));
    if literal {
        (Change::InsertValues(values.len()), Bound::Key)
    } else if rows.any(|part| part.kind() == "RangeVar") {
        let unbounded = rows.get("where_clause").is_nothing() && rows.get("limit_count").is_nothing();
        (Change::InsertSelect, if unbounded { Bound::All } else { Bound::Condition })
    } else {
        (Change::InsertSelect, Bound::Key)
    }
}

/// How far a WHERE bounds a change: by key if some conjunct compares a column that is named like a key with constants.
fn bound(condition: &Tree, others: &Tree) -> Bound {
    if condition.is_nothing() || always_true(condition) {
        return Bound::All;
    }
    if others.is_nothing() && by_key(condition) { Bound::Key } else { Bound::Condition }
}

fn always_true(condition: &Tree) -> bool {
    match condition.kind() {
        "AConst" => true,
        "AExpr" => condition.get("lexpr").kind() == "AConst" && condition.get("rexpr").kind() == "AConst",
        _ => false,
    }
}

fn by_key(condition: &Tree) -> bool {
    match condition.kind() {
        "BoolExpr" if condition.get("boolop").number() == sql::ast::BoolExprType::AndExpr as i64 => {
            condition.get("args").list().iter().any(by_key)
        }
        "AExpr" => {
            let equals = condition.get("name").qualified().name == "=";
            let column = condition.get("lexpr").get("fields").qualified().name;
            let key = matches!(column.as_str(), "id" | "uuid" | "key" | "code" | "slug" | "name")
                || column.ends_with("_id")
                || column.ends_with("_key");
            equals
                && key
                && !condition
                    .get("rexpr")
                    .any(|part| matches!(part.kind(), "SubLink" | "ColumnRef" | "FuncCall"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writes(text: &str) -> Vec<(&'static str, Bound)> {
        let parsed = pg_query::parse(text, 0).unwrap();
        of(&Tree::of(&parsed.protobuf.stmts[0].stmt)).iter().map(|w| (w.change.verb(), w.bound)).collect()
    }

    #[test]
    fn changes_are_found_at_any_depth_and_bounded_by_their_text() {
        assert_eq!(writes("update t set a = 1 where id = 3 and b"), [("UPDATE", Bound::Key)]);
        assert_eq!(writes("update t set a = 1 where true"), [("UPDATE", Bound::All)]);
        assert_eq!(writes("delete from t using u where t.id = u.id"), [("DELETE", Bound::Condition)]);
        let with = "with a as (delete from t returning *), b as (insert into u select * from a) select 1";
        assert_eq!(writes(with), [("DELETE", Bound::All), ("INSERT", Bound::All)]);
        assert_eq!(writes("explain (analyze off) update t set a = 1"), []);
        assert_eq!(writes("explain (costs, analyze) update t set a = 1").len(), 1);
        assert_eq!(writes("create rule r as on insert to t do also delete from u"), []);
    }
}
