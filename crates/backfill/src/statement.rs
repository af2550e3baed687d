//! The one plain statement of a file, taken apart by the grammar: which table, which rows, what to do with each.

use std::ops::Range;

use serde::Serialize;
use sql::{Node, NodeEnum, Problem, Source, Statement, ast};

use crate::header::Mode;
use crate::refusal::{Refusal, check, of_insert, of_other};

/// What is done with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `UPDATE t SET .. WHERE ..`
    Update,
    /// `UPDATE t SET .. FROM .. WHERE ..`
    UpdateFrom,
    /// `DELETE FROM t [USING ..] WHERE ..`
    Delete,
    /// `INSERT INTO x SELECT .. FROM t .. WHERE NOT EXISTS (..)`: the rows of `t` are walked.
    InsertSelect,
}

/// What the text of a statement says.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) kind: Kind,
    pub(crate) schema: Option<String>,
    pub(crate) table: String,
    pub(crate) alias: String,
    pub(crate) predicate: String,
    pub(crate) assigned: Vec<String>,
    pub(crate) span: Range<usize>,
}

/// A statement that may be batched, as its tree.
pub(crate) enum Parsed {
    Update(Box<ast::UpdateStmt>),
    Delete(Box<ast::DeleteStmt>),
    Insert(Box<ast::InsertStmt>, Box<ast::SelectStmt>),
}

/// Reads a file's statement, or says what is wrong with it and what to write instead.
pub(crate) fn shape(source: &Source, mode: Mode) -> Result<Shape, Problem> {
    let judged = sql::parse(source, |statements| {
        let (parsed, span) = parsed(source, statements, mode)?;
        parsed.shape(span.clone()).ok_or_else(|| {
            Problem::at("E240", source, span, "this statement cannot be taken apart")
                .help("write it in a simpler way: one table whose rows are changed, and a WHERE")
        })
    });
    match judged {
        Ok(result) => result,
        Err(problem) if problem.code == "E220" => Err(with_hint(source, problem)),
        Err(problem) => Err(problem),
    }
}

/// UPDATE and DELETE have no ORDER BY and LIMIT in PostgreSQL: whoever writes them wants batches.
fn with_hint(source: &Source, problem: Problem) -> Problem {
    let text = source.text.to_lowercase();
    if problem.help.is_none() && (text.contains("limit") || text.contains("order by")) {
        return problem.help("leave out ORDER BY and LIMIT: the batches are made by pgdeploy");
    }
    problem
}

/// The statement's tree, if it is one of the four kinds. Called on the thread with the large stack.
pub(crate) fn parsed(
    source: &Source,
    statements: Vec<Statement>,
    mode: Mode,
) -> Result<(Parsed, Range<usize>), Problem> {
    let mut statements = statements.into_iter();
    let Some(first) = statements.next() else {
        return Err(Problem::with_file("E243", &source.path, "holds no statement").help(
            "write the one UPDATE, DELETE or INSERT .. SELECT that would do it all; batches are made of it",
        ));
    };
    if let Some(second) = statements.next() {
        return Err(Problem::at("E244", source, second.span, "a second statement in one backfill")
            .help("give it a file of its own: each backfill has its own progress"));
    }
    let span = first.span.clone();
    let refuse = |refusal: Refusal| {
        let at = refusal.at.clone().unwrap_or(span.start..span.start + word_end(&source.text[span.clone()]));
        Problem::at(refusal.code, source, at, refusal.message).help(refusal.help)
    };
    let parsed = match first.node {
        NodeEnum::UpdateStmt(mut update) => {
            everywhere(mode, &mut update.where_clause);
            let parts =
                (&update.relation, &update.with_clause, &update.where_clause, &update.returning_clause);
            check(source, &span, "UPDATE", parts).map_err(refuse)?;
            Parsed::Update(update)
        }
        NodeEnum::DeleteStmt(mut delete) => {
            everywhere(mode, &mut delete.where_clause);
            let parts =
                (&delete.relation, &delete.with_clause, &delete.where_clause, &delete.returning_clause);
            check(source, &span, "DELETE", parts).map_err(refuse)?;
            Parsed::Delete(delete)
        }
        NodeEnum::InsertStmt(mut insert) => {
            if let Some(NodeEnum::SelectStmt(select)) =
                insert.select_stmt.as_deref_mut().and_then(|select| select.node.as_mut())
            {
                everywhere(mode, &mut select.where_clause);
            }
            let select = of_insert(source, &span, &insert, mode).map_err(refuse)?;
            Parsed::Insert(insert, select)
        }
        other => return Err(refuse(of_other(&other))),
    };
    Ok((parsed, span))
}

/// Where the ledger tells which rows are done, a statement may well be about all of them.
fn everywhere(mode: Mode, condition: &mut Option<Box<Node>>) {
    if mode == Mode::Once && condition.is_none() {
        *condition = sql::parse_expression("true").map(Box::new);
    }
}

/// The end of the first word.
fn word_end(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len())
}

impl Parsed {
    /// The table whose rows are walked: as the statement names it, with the alias it is known by.
    pub(crate) fn walked(&self) -> Option<&ast::RangeVar> {
        match self {
            Parsed::Update(update) => update.relation.as_ref(),
            Parsed::Delete(delete) => delete.relation.as_ref(),
            Parsed::Insert(_, select) => leftmost(select.from_clause.first()?),
        }
    }

    /// Whether a row of the walked table matches by the WHERE alone, without other tables.
    pub(crate) fn is_plain(&self) -> bool {
        match self {
            Parsed::Update(update) => update.from_clause.is_empty(),
            Parsed::Delete(delete) => delete.using_clause.is_empty(),
            Parsed::Insert(_, select) => {
                matches!(select.from_clause.as_slice(), [Node { node: Some(NodeEnum::RangeVar(_)) }])
            }
        }
    }

    /// The WHERE.
    pub(crate) fn condition(&self) -> Option<&Node> {
        match self {
            Parsed::Update(update) => update.where_clause.as_deref(),
            Parsed::Delete(delete) => delete.where_clause.as_deref(),
            Parsed::Insert(_, select) => select.where_clause.as_deref(),
        }
    }

    /// The tables beside the walked one; for an INSERT with all of its FROM.
    pub(crate) fn others(&self) -> &[Node] {
        match self {
            Parsed::Update(update) => &update.from_clause,
            Parsed::Delete(delete) => &delete.using_clause,
            Parsed::Insert(_, select) => &select.from_clause,
        }
    }

    fn shape(&self, span: Range<usize>) -> Option<Shape> {
        let walked = self.walked()?;
        let kind = match self {
            Parsed::Update(update) if update.from_clause.is_empty() => Kind::Update,
            Parsed::Update(_) => Kind::UpdateFrom,
            Parsed::Delete(_) => Kind::Delete,
            Parsed::Insert(..) => Kind::InsertSelect,
        };
        let assigned = match self {
            Parsed::Update(update) => update.target_list.iter().filter_map(assigned_column).collect(),
            _ => Vec::new(),
        };
        Some(Shape {
            kind,
            schema: Some(walked.schemaname.clone()).filter(|schema| !schema.is_empty()),
            table: walked.relname.clone(),
            alias: alias(walked),
            predicate: sql::expression(self.condition()?)?,
            assigned,
            span,
        })
    }
}

/// The name a statement knows a table by.
pub(crate) fn alias(relation: &ast::RangeVar) -> String {
    relation.alias.as_ref().map_or_else(|| relation.relname.clone(), |alias| alias.aliasname.clone())
}

fn assigned_column(node: &Node) -> Option<String> {
    match node.node.as_ref()? {
        NodeEnum::ResTarget(target) => Some(target.name.clone()),
        _ => None,
    }
}

/// The first table of a FROM item, through joins that keep or drop its rows but never make up new ones.
pub(crate) fn leftmost(item: &Node) -> Option<&ast::RangeVar> {
    match item.node.as_ref()? {
        NodeEnum::RangeVar(relation) => Some(relation),
        NodeEnum::JoinExpr(join)
            if matches!(
                ast::JoinType::try_from(join.jointype),
                Ok(ast::JoinType::JoinInner | ast::JoinType::JoinLeft)
            ) && join.alias.is_none() =>
        {
            leftmost(join.larg.as_deref()?)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(text: &str) -> Result<Shape, Problem> {
        shape(&Source::from_bytes(Path::new("backfills/1_a.sql"), text.into()).unwrap(), Mode::Predicate)
    }

    #[test]
    fn the_four_kinds_are_taken_apart() {
        let of = |text: &str| {
            read(text).map(|shape| (shape.kind, shape.table, shape.alias, shape.predicate)).unwrap()
        };
        let expect = |kind, table: &str, alias: &str, predicate: &str| {
            (kind, table.into(), alias.into(), predicate.into())
        };
        assert_eq!(of("update app.t set a = 1 where a is null"), expect(Kind::Update, "t", "t", "a IS NULL"));
        assert_eq!(
            of("update t as x set a = y.b from y where y.i = x.i and x.a is null"),
            expect(Kind::UpdateFrom, "t", "x", "y.i = x.i AND x.a IS NULL")
        );
        assert_eq!(of("delete from t using y where y.i = t.i"), expect(Kind::Delete, "t", "t", "y.i = t.i"));
        let insert = "insert into x (id) select t.id from t join u on u.i = t.i where not exists (select 1 from x where x.id = t.id)";
        assert_eq!(of(insert).0, Kind::InsertSelect);
        assert_eq!(of(insert).1, "t");
    }

    #[test]
    fn everything_else_is_refused_with_its_place_and_what_to_write() {
        let cases = [
            ("-- nothing\n", "E243", ""),
            ("update t set a = 1 where a = 0; select 1", "E244", "select 1"),
            ("do $$ begin end $$", "E245", "do"),
            ("merge into t using s on t.i = s.i when matched then delete", "E245", "merge"),
            ("select 1", "E245", "select"),
            ("create table x (i int)", "E245", "create"),
            ("update t set a = 1", "E246", "update"),
            ("delete from t", "E246", "delete"),
            ("with d as (delete from t returning 1) update t set a = 1 where a = 0", "E247", "with"),
            ("update only t set a = 1 where a = 0", "E247", "only"),
            ("update t set a = 1 where current of c", "E247", "current"),
            ("update t set a = 1 where a = 0 returning a", "E247", "returning"),
            ("insert into x values (1)", "E248", "insert"),
            ("insert into x select * from t where not exists (select 1 from x) order by 1", "E248", "order"),
            ("insert into x select * from t where not exists (select 1 from x) limit 1", "E248", "limit"),
            ("insert into x select count(*) from t where not exists (select 1 from x)", "E248", "count"),
            ("insert into x select a from t where not exists (select 1 from x) group by a", "E248", "group"),
            ("insert into x select distinct a from t where not exists (select 1 from x)", "E248", "distinct"),
            ("insert into x select a from t where true union select 1", "E248", "union"),
            ("insert into x select a from t", "E246", "insert"),
            ("insert into x select a from t where a > 0", "E249", "a > 0"),
            (
                "insert into x select 1 from generate_series(1, 3) where not exists (select 1 from x)",
                "E248",
                "insert",
            ),
        ];
        for (text, code, at) in cases {
            let problem = read(text).unwrap_err();
            assert_eq!(problem.code, code, "{text}: {problem}");
            assert!(problem.help.is_some(), "{text}");
            if let Some(span) = problem.span {
                assert!(text[span.clone()].starts_with(at), "{text}: {:?}", &text[span]);
            }
        }
    }

    #[test]
    fn mysql_habits_get_a_hint() {
        let problem = read("update t set a = 1 where a is null limit 10").unwrap_err();
        assert!(problem.help.is_some_and(|help| help.contains("LIMIT")));
    }
}
