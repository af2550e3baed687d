//! `guard --extract`: rows and indexes moved out of a migration, into the files of their own stages.

mod predicate;
mod text;

use std::ops::Range;
use std::path::{Path, PathBuf};

use sql::ast::{AlterTableType, ConstrType, ObjectType};
use sql::{NodeEnum, Place, Source, Statement};

use crate::finding::Finding;
use crate::judge::Judge;
use crate::name::Name;
use crate::tree::Tree;

/// A migration without what was moved, and the pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extraction {
    /// The migration, relative to the pipeline's directory.
    pub path: PathBuf,
    /// Its text without what was moved; `None` where nothing is left of it.
    pub rest: Option<String>,
    /// What was moved, in the file's order.
    pub pieces: Vec<Piece>,
    /// What the guard finds and what cannot be moved, or what has to follow, with the reason.
    pub kept: Vec<(Place, String)>,
}

/// One statement with the comment above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Whose folder it belongs in.
    pub kind: PieceKind,
    /// For a backfill the name of its file without the number, for an index its table.
    pub name: String,
    /// The text, with a semicolon and a line end.
    pub text: String,
}

/// Where a piece belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceKind {
    /// A file of its own in backfills/.
    Backfill,
    /// A line of the table's file in indexes/.
    Index,
}

/// Says why the stage would not take a piece.
pub type Refuse<'a> = &'a (dyn Fn(&Piece) -> Option<String> + Sync);

impl Judge {
    /// Moves what the guard finds in a migration to where it belongs, as far as it can be: `None` where there is nothing
    /// to move or to say. The judge must have seen the files before this one.
    pub fn extract(
        &mut self,
        source: &Source,
        refuse: Refuse<'_>,
    ) -> Result<Option<Extraction>, Box<Finding>> {
        let standing = self.migration(source);
        if let Some(syntax) = standing.iter().find(|finding| finding.rule == "syntax") {
            return Err(Box::new(syntax.clone()));
        }
        sql::parse(source, |statements| extraction(source, &statements, &standing, refuse))
            .map_err(|problem| Box::new(Finding::of_problem(problem, &source.sha256)))
    }
}

const MOVED: [&str; 4] = ["dml-update", "dml-delete", "dml-insert-select", "create-index"];

fn extraction(
    source: &Source,
    statements: &[Statement],
    standing: &[Finding],
    refuse: Refuse<'_>,
) -> Option<Extraction> {
    let (mut pieces, mut kept, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for (at, statement) in statements.iter().enumerate() {
        let mut found = standing.iter().filter(|finding| {
            finding.refuses()
                && finding.span.start >= statement.span.start
                && finding.span.end <= statement.span.end
        });
        let Some(first) = found.clone().find(|finding| MOVED.contains(&finding.rule)).or(found.next()) else {
            continue;
        };
        let place = sql::place(&source.text, statement.span.start);
        let later = &statements[at + 1..];
        let made = match MOVED.contains(&first.rule) && first.span == statement.span {
            true => {
                piece(source, statements, statement).and_then(|piece| match needed_later(statement, later) {
                    Some(why) => Err(why),
                    None => refuse(&piece).map_or(Ok(piece), Err),
                })
            }
            false => Err(first.message.clone()),
        };
        match made {
            Ok(piece) => {
                if let Some(note) = waits_for(statement, later) {
                    kept.push((place, note));
                }
                pieces.push(piece);
                gone.push(text::with_surroundings(&source.text, &statement.span));
            }
            Err(why) => kept.push((place, why)),
        }
    }
    if pieces.is_empty() && kept.is_empty() {
        return None;
    }
    let rest = (gone.len() < statements.len()).then(|| text::without(&source.text, &gone));
    // With the statements above it gone, a comment could open the file, and so become its header.
    if rest.as_ref().is_some_and(|rest| header(&source.path, rest) != header(&source.path, &source.text)) {
        kept.push((
            sql::place(&source.text, 0),
            "what is left would have another header: split it by hand".into(),
        ));
        return Some(Extraction {
            path: source.path.clone(),
            rest: Some(source.text.to_string()),
            pieces: Vec::new(),
            kept,
        });
    }
    Some(Extraction { path: source.path.clone(), rest, pieces, kept })
}

/// A text's header; `None` for one that cannot be read.
fn header(path: &Path, text: &str) -> Option<serde_yaml::Value> {
    let source = Source::from_bytes(path, text.as_bytes().to_vec()).ok()?;
    sql::header::read(&source, &[]).ok()
}

/// The statement in the form of its stage.
fn piece(source: &Source, statements: &[Statement], statement: &Statement) -> Result<Piece, String> {
    let comment = text::comment_above(&source.text, &statement.span);
    let written = &source.text[statement.span.clone()];
    let backfill = |relation: Option<&sql::ast::RangeVar>, what: &str, text: String| Piece {
        kind: PieceKind::Backfill,
        name: format!("{}{what}", relation.map_or("rows", |relation| relation.relname.as_str())),
        text: format!("{comment}{text};\n"),
    };
    match &statement.node {
        NodeEnum::UpdateStmt(update) => {
            let text = match &update.where_clause {
                Some(_) => written.to_owned(),
                None => format!("{written}\n WHERE {}", predicate::of(update, statements)?),
            };
            let column = update.target_list.first().and_then(|node| match &node.node {
                Some(NodeEnum::ResTarget(target)) => Some(format!("_{}", target.name)),
                _ => None,
            });
            Ok(backfill(update.relation.as_ref(), &column.unwrap_or_default(), text))
        }
        NodeEnum::DeleteStmt(delete) => match delete.where_clause {
            Some(_) => Ok(backfill(delete.relation.as_ref(), "_delete", written.to_owned())),
            None => Err("DELETE without WHERE: say which rows are to go, or accept a TRUNCATE".into()),
        },
        NodeEnum::InsertStmt(insert) => Ok(backfill(insert.relation.as_ref(), "_insert", written.to_owned())),
        NodeEnum::IndexStmt(index) => {
            let table = index.relation.as_ref().map(|relation| relation.relname.clone()).unwrap_or_default();
            let mut named = index.clone();
            if named.idxname.is_empty() {
                named.idxname = text::index_name(&table, index);
            }
            named.if_not_exists = false;
            let text = match named == *index {
                true => written.to_owned(),
                false => {
                    sql::statement_text(NodeEnum::IndexStmt(named)).ok_or("it cannot be written anew")?
                }
            };
            Ok(Piece { kind: PieceKind::Index, name: table, text: format!("{comment}{text};\n") })
        }
        _ => Err(
            "rows hidden in another statement: write the change as one UPDATE, DELETE or INSERT .. SELECT"
                .into(),
        ),
    }
}

/// A later statement of the file that takes away what this one reads: then it cannot run after the file.
fn needed_later(statement: &Statement, later: &[Statement]) -> Option<String> {
    let reads = Tree::of(&statement.node).relations();
    let read = |name: &Name| reads.iter().any(|relation| relation.same(name));
    let taken = later.iter().find_map(|statement| match &statement.node {
        NodeEnum::DropStmt(drop) if drop.remove_type() == ObjectType::ObjectTable => {
            drop.objects.iter().map(|object| Tree::of(object).qualified()).find(|name| read(name))
        }
        NodeEnum::AlterTableStmt(alter) => {
            let name = alter.relation.as_ref().map(Name::of).filter(|name| read(name))?;
            has(alter, &[AlterTableType::AtDropColumn, AlterTableType::AtAlterColumnType]).then_some(name)
        }
        NodeEnum::RenameStmt(rename) => rename.relation.as_ref().map(Name::of).filter(|name| read(name)),
        _ => None,
    });
    taken.map(|name| {
        format!("a later statement of the file drops or renames what this one reads of {name}: put that into a later release first")
    })
}

/// A later statement that stays in the file and needs the rows that are moved out of it.
fn waits_for(statement: &Statement, later: &[Statement]) -> Option<String> {
    let reads = Tree::of(&statement.node).relations();
    let needs = later.iter().any(|statement| match &statement.node {
        NodeEnum::AlterTableStmt(alter) => {
            alter
                .relation
                .as_ref()
                .map(Name::of)
                .is_some_and(|name| reads.iter().any(|read| read.same(&name)))
                && (has(alter, &[AlterTableType::AtSetNotNull, AlterTableType::AtValidateConstraint])
                    || adds_a_check(alter))
        }
        _ => false,
    });
    (needs && !matches!(statement.node, NodeEnum::IndexStmt(_))).then(|| {
        "a later statement of the file needs the rows that are filled in the last stage: move it into a later release".into()
    })
}

fn has(alter: &sql::ast::AlterTableStmt, kinds: &[AlterTableType]) -> bool {
    alter.cmds.iter().any(
        |node| matches!(&node.node, Some(NodeEnum::AlterTableCmd(command)) if kinds.contains(&command.subtype())),
    )
}

fn adds_a_check(alter: &sql::ast::AlterTableStmt) -> bool {
    Tree::of(alter).any(|part| {
        let kind = part.get("contype").number();
        part.kind() == "Constraint"
            && part.get("skip_validation").is_nothing()
            && (kind == ConstrType::ConstrCheck as i64 || kind == ConstrType::ConstrForeign as i64)
    })
}

/// The bytes of a file.
type Span = Range<usize>;
