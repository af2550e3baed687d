//! Statements that cannot be cut into batches, and what to write instead.

use std::ops::Range;

use sql::{Node, NodeEnum, Source, ast};

use crate::header::Mode;
use crate::statement::leftmost;

/// Why a statement is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) help: String,
    /// Where; the statement's first word otherwise.
    pub(crate) at: Option<Range<usize>>,
}

const EACH_ROW: &str =
    "each row must stand by itself: a batch sees only its own rows, so this would give another result";

impl Refusal {
    pub(crate) fn new(code: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: help.into(), at: None }
    }

    pub(crate) fn with(source: &Source, with: &ast::WithClause) -> Self {
        let writes = with.ctes.iter().filter_map(|cte| cte.node.as_ref()).any(|cte| match cte {
            NodeEnum::CommonTableExpr(cte) => !matches!(
                cte.ctequery.as_deref().and_then(|query| query.node.as_ref()),
                Some(NodeEnum::SelectStmt(_))
            ),
            _ => false,
        });
        let (message, help) = if writes {
            (
                "WITH that changes data",
                "give each change a file of its own: a batch is one change to one table",
            )
        } else {
            ("WITH in a backfill", "write the query in its place, in FROM or as a subselect")
        };
        let at = usize::try_from(with.location).ok().map(|start| source.token_at(start));
        Self { at, ..Self::new("E247", message, help) }
    }

    pub(crate) fn returning(source: &Source, span: &Range<usize>) -> Self {
        Self {
            at: at_word(source, span, "returning"),
            ..Self::new("E247", "RETURNING in a backfill", "leave it out: nobody reads the rows")
        }
    }
}

/// A statement that is none of the four kinds.
pub(crate) fn of_other(node: &NodeEnum) -> Refusal {
    const PLAIN: &str =
        "write the one UPDATE, DELETE or INSERT .. SELECT that would do it all; batches are made of it";
    let (what, help) = match node {
        NodeEnum::DoStmt(_) => (
            "a DO block is one transaction, however it loops",
            "write the plain UPDATE of its loop, without LIMIT: the batches, commits and pauses are made by pgdeploy",
        ),
        NodeEnum::MergeStmt(_) => (
            "MERGE decides row by row between several changes",
            "write each of its branches as a backfill of its own",
        ),
        NodeEnum::CallStmt(_) => ("CALL runs code that cannot be cut into batches", PLAIN),
        NodeEnum::SelectStmt(_) => ("SELECT changes nothing that could be batched", PLAIN),
        NodeEnum::TransactionStmt(_) => ("a transaction statement: each batch is its own transaction", PLAIN),
        _ => ("not a change of rows", "schema changes belong in migrations/, indexes in indexes/"),
    };
    Refusal::new("E245", what, help)
}

/// Target, WITH, WHERE and RETURNING of a statement.
pub(crate) type Parts<'a> = (
    &'a Option<ast::RangeVar>,
    &'a Option<ast::WithClause>,
    &'a Option<Box<Node>>,
    &'a Option<ast::ReturningClause>,
);

/// What an UPDATE and a DELETE may not have.
pub(crate) fn check(
    source: &Source,
    span: &Range<usize>,
    verb: &str,
    parts: Parts<'_>,
) -> Result<(), Refusal> {
    let (relation, with, condition, returning) = parts;
    if let Some(with) = with {
        return Err(Refusal::with(source, with));
    }
    if let Some(relation) = relation.as_ref().filter(|relation| !relation.inh) {
        let table = usize::try_from(relation.location).unwrap_or(span.start);
        return Err(Refusal {
            at: at_word(source, &(span.start..table), "only"),
            ..Refusal::new(
                "E247",
                "ONLY leaves out rows of child tables",
                "name the table itself, without ONLY",
            )
        });
    }
    let help = match verb {
        "UPDATE" => {
            "say which rows are still to do, so that a row that is done no longer matches: WHERE new_column IS NULL"
        }
        _ => "say which rows are to go: WHERE ..; to empty a table, use TRUNCATE in a migration",
    };
    match condition.as_ref().and_then(|condition| condition.node.as_ref()) {
        None => return Err(Refusal::new("E246", format!("{verb} without WHERE"), help)),
        Some(NodeEnum::CurrentOfExpr(_)) => {
            return Err(Refusal {
                at: at_word(source, span, "current"),
                ..Refusal::new("E247", "WHERE CURRENT OF needs an open cursor", help)
            });
        }
        Some(_) => {}
    }
    if returning.is_some() {
        return Err(Refusal::returning(source, span));
    }
    Ok(())
}

/// The SELECT of an INSERT that may be batched.
pub(crate) fn of_insert(
    source: &Source,
    span: &Range<usize>,
    insert: &ast::InsertStmt,
    mode: Mode,
) -> Result<Box<ast::SelectStmt>, Refusal> {
    if let Some(with) = &insert.with_clause {
        return Err(Refusal::with(source, with));
    }
    if insert.returning_clause.is_some() {
        return Err(Refusal::returning(source, span));
    }
    let select = match insert.select_stmt.as_deref().and_then(|select| select.node.as_ref()) {
        Some(NodeEnum::SelectStmt(select)) if select.values_lists.is_empty() => select,
        _ => {
            return Err(Refusal::new(
                "E248",
                "INSERT without SELECT",
                "a handful of constant rows belongs in a migration",
            ));
        }
    };
    if let Some(with) = &select.with_clause {
        return Err(Refusal::with(source, with));
    }
    whole_set(source, span, select)?;
    if select.from_clause.first().and_then(leftmost).is_none() {
        let help = "name the table whose rows are walked first in FROM: FROM leads [JOIN ..], FROM leads, ..";
        return Err(Refusal::new("E248", "the SELECT does not start from a table", help));
    }
    let into = insert.relation.as_ref().map_or("", |relation| relation.relname.as_str());
    let help = format!(
        "say which rows are still to do, so that a row that is done no longer matches: \
         WHERE NOT EXISTS (SELECT FROM {into} WHERE ..)"
    );
    let Some(condition) = select.where_clause.as_deref().and_then(|condition| condition.node.as_ref()) else {
        return Err(Refusal::new("E246", "INSERT .. SELECT without WHERE", help));
    };
    let reads = |node: &NodeEnum| {
        node.nodes().iter().any(
            |(node, ..)| matches!(node.to_enum(), NodeEnum::RangeVar(relation) if relation.relname == into),
        )
    };
    let joined = select.from_clause.iter().filter_map(|item| item.node.as_ref()).any(reads);
    if mode == Mode::Predicate && !joined && !reads(condition) {
        let at = condition_text(source, span);
        return Err(Refusal {
            at,
            ..Refusal::new("E249", "this never becomes false: it does not look at what was inserted", help)
        });
    }
    Ok(select.clone())
}

/// Clauses that look at all rows together.
fn whole_set(source: &Source, span: &Range<usize>, select: &ast::SelectStmt) -> Result<(), Refusal> {
    let refuse = |word: &str, message: &str, help: &str| {
        Err(Refusal { at: at_word(source, span, word), ..Refusal::new("E248", message, help) })
    };
    if select.op != ast::SetOperation::SetopNone as i32 {
        let word =
            ["union", "intersect", "except"].into_iter().find(|word| at_word(source, span, word).is_some());
        return refuse(word.unwrap_or("union"), "a set operation", "give each SELECT a backfill of its own");
    }
    if !select.sort_clause.is_empty() {
        return refuse(
            "order",
            "ORDER BY in a backfill",
            "leave it out: the rows are walked in the order of the key",
        );
    }
    if select.limit_count.is_some() || select.limit_offset.is_some() {
        let word = if select.limit_count.is_some() { "limit" } else { "offset" };
        return refuse(word, "LIMIT in a backfill", "leave it out: the batches are made by pgdeploy");
    }
    if !select.locking_clause.is_empty() {
        return refuse(
            "for",
            "FOR UPDATE in a backfill",
            "leave it out: the rows of a batch are locked by pgdeploy",
        );
    }
    if !select.group_clause.is_empty() {
        return refuse("group", "GROUP BY in a backfill", EACH_ROW);
    }
    if select.having_clause.is_some() {
        return refuse("having", "HAVING in a backfill", EACH_ROW);
    }
    if !select.distinct_clause.is_empty() {
        return refuse("distinct", "DISTINCT in a backfill", EACH_ROW);
    }
    for item in &select.target_list {
        if let Some((name, at)) = whole_set_function(source, item) {
            let message = format!("{name}() over all rows");
            return Err(Refusal { at: Some(at), ..Refusal::new("E248", message, EACH_ROW) });
        }
    }
    Ok(())
}

/// An aggregate or window function at the top of a select list. Which functions are aggregates is in the catalog; the
/// usual ones are known by name.
fn whole_set_function(source: &Source, item: &Node) -> Option<(String, Range<usize>)> {
    const USUAL: [&str; 12] = [
        "count",
        "sum",
        "min",
        "max",
        "avg",
        "array_agg",
        "string_agg",
        "json_agg",
        "jsonb_agg",
        "bool_and",
        "bool_or",
        "jsonb_object_agg",
    ];
    let NodeEnum::ResTarget(target) = item.node.as_ref()? else { return None };
    let NodeEnum::FuncCall(call) = target.val.as_deref()?.node.as_ref()? else { return None };
    let NodeEnum::String(name) = call.funcname.last()?.node.as_ref()? else { return None };
    if call.over.is_some() || call.agg_star || USUAL.contains(&name.sval.as_str()) {
        let start = usize::try_from(call.location).ok()?;
        return Some((name.sval.clone(), source.token_at(start)));
    }
    None
}

/// The last place of a word in a span, whatever its case.
pub(crate) fn at_word(source: &Source, span: &Range<usize>, word: &str) -> Option<Range<usize>> {
    let text = source.text.get(span.clone())?.to_ascii_lowercase();
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let found = text.rmatch_indices(word).find(|(at, _)| {
        !is_word(text[..*at].chars().next_back()) && !is_word(text[at + word.len()..].chars().next())
    });
    found.map(|(at, _)| span.start + at..span.start + at + word.len())
}

/// What stands behind the last WHERE.
fn condition_text(source: &Source, span: &Range<usize>) -> Option<Range<usize>> {
    let keyword = at_word(source, span, "where")?;
    let blank = source.text[keyword.end..].len() - source.text[keyword.end..].trim_start().len();
    Some(keyword.end + blank..span.end)
}
