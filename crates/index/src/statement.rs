//! One statement of a file, taken apart: an index that should be there, or one that should not.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use sql::ast::{DropBehavior, DropStmt, IndexStmt};
use sql::{NodeEnum, Problem, Source, Statement};

use crate::declaration::{Declaration, Tombstone, first_line};
use crate::head::{self, Head, Word};
use crate::header::Header;
use crate::name::MAX_NAME_BYTES;

/// Ends of names that PostgreSQL and pgdeploy use for indexes that are being replaced.
const RESERVED: [&str; 4] = ["_ccnew", "_ccold", "_dpnew", "_dpold"];

/// `CREATE INDEX`.
pub(crate) fn declared(
    source: &Arc<Source>,
    header: &Header,
    statement: &Statement,
    index: &IndexStmt,
) -> Result<Declaration, Problem> {
    let unreadable = || {
        at(source, statement, "E239", "has a name that cannot be read")
            .help("write CREATE INDEX name ON table or schema.table, with plain or double-quoted names")
    };
    let head = Head::of(&source.text, statement.span.start).ok_or_else(unreadable)?;
    if let Some(span) = head.if_not_exists {
        return Err(Problem::at(
            "E233",
            source,
            span,
            "IF NOT EXISTS would hide an invalid or different index",
        )
        .help("leave it out: what is there and as declared is left alone anyway"));
    }
    let Some(name) = head.name else {
        return Err(at(source, statement, "E231", "the index has no name")
            .help("name it: CREATE INDEX name ON table (..); a name is how it is found again"));
    };
    checked(source, &name)?;
    if let Some(span) = head.only {
        return Err(Problem::at(
            "E234",
            source,
            span,
            "ON ONLY leaves an index on a partitioned table invalid",
        )
        .help("leave ONLY out"));
    }
    let (schema, table) = match head.table.as_slice() {
        [table] => (None, table),
        [schema, table] => (Some(schema), table),
        _ => return Err(unreadable()),
    };
    let definition = source.text[statement.span.clone()].to_owned();
    let elements = index.index_params.iter().filter_map(|element| match element.node.as_ref() {
        Some(NodeEnum::IndexElem(element)) => Some(element),
        _ => None,
    });
    let plain = index.where_clause.is_none() && elements.clone().all(|element| element.expr.is_none());
    let included = index.index_including_params.iter().filter_map(|element| match element.node.as_ref() {
        Some(NodeEnum::IndexElem(element)) => Some(element),
        _ => None,
    });
    let btree = matches!(index.access_method.as_str(), "" | "btree");
    let columns =
        (plain && btree).then(|| elements.chain(included).map(|element| element.name.clone()).collect());
    let sha256 = |wish: IndexStmt| {
        let canonical = sql::statement_text(NodeEnum::IndexStmt(Box::new(wish)));
        let digest = Sha256::digest(canonical.as_deref().unwrap_or(&definition).as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let wish = IndexStmt { concurrent: false, ..index.clone() };
    let nameless = IndexStmt { idxname: String::new(), ..wish.clone() };
    Ok(Declaration {
        name: name.text,
        schema: schema.map(|word| word.text.clone()),
        table: table.text.clone(),
        unique: head.unique,
        definition: definition.clone(),
        sha256: sha256(wish),
        likeness: sha256(nameless),
        required: header.required,
        on_drift: header.on_drift,
        timeout: header.timeout,
        after_backfill: header.after_backfill.clone(),
        source: source.clone(),
        span: statement.span.clone(),
        tail: head.tail,
        plain,
        columns,
        tablespace: Some(index.table_space.clone()).filter(|name| !name.is_empty()),
        derived: false,
    })
}

/// `DROP INDEX`.
pub(crate) fn tombstone(
    source: &Arc<Source>,
    statement: &Statement,
    drop: &DropStmt,
) -> Result<Tombstone, Problem> {
    let refuse = |message: &str, help: &str| Err(at(source, statement, "E237", message).help(help));
    if drop.objects.len() != 1 {
        return refuse("drops several indexes at once", "write one DROP INDEX name; for each");
    }
    if drop.behavior() == DropBehavior::DropCascade {
        return refuse(
            "CASCADE would also drop what depends on the index",
            "leave it out; a constraint's index goes with ALTER TABLE .. DROP CONSTRAINT in a migration",
        );
    }
    let names = head::dropped(&source.text, statement.span.start);
    let (schema, name) = match names.as_deref() {
        Some([name]) => (None, name),
        Some([schema, name]) => (Some(schema.text.clone()), name),
        _ => {
            return Err(at(source, statement, "E239", "has a name that cannot be read").help(
                "write DROP INDEX name; or DROP INDEX schema.name; with plain or double-quoted names",
            ));
        }
    };
    checked(source, name)?;
    Ok(Tombstone { name: name.text.clone(), schema, source: source.clone(), span: statement.span.clone() })
}

/// Refuses a name that the server would cut, or that a replacement in progress uses.
fn checked(source: &Source, name: &Word) -> Result<(), Problem> {
    let bytes = name.text.len();
    if bytes > MAX_NAME_BYTES {
        let message = format!("the name is {bytes} bytes long; PostgreSQL would cut it at {MAX_NAME_BYTES}");
        return Err(Problem::at("E232", source, name.span.clone(), message).help("choose a shorter name"));
    }
    if let Some(end) = RESERVED.iter().find(|end| name.text.ends_with(*end)) {
        let message = format!("names that end in {end} are used while an index is replaced");
        return Err(
            Problem::at("E236", source, name.span.clone(), message).help("choose a name without that end")
        );
    }
    Ok(())
}

/// A problem with a statement, at its first line.
pub(crate) fn at(source: &Source, statement: &Statement, code: &'static str, message: &str) -> Problem {
    Problem::at(code, source, first_line(source, &statement.span), message)
}
