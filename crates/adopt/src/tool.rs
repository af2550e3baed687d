//! The tools, and what each of them is asked for.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sql::{Problem, Source};

use crate::history::{Record, Row};
use crate::manifest::Entry;
use crate::script::Project;
use crate::tree::Tree;
use crate::{alembic, dbmate, django, flyway, flyway_history, golang_migrate, goose, prisma, refinery, sqlx};

/// A tool whose projects can be adopted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "these are names")]
pub enum Tool {
    Alembic,
    Prisma,
    Flyway,
    Sqlx,
    Django,
    Dbmate,
    GolangMigrate,
    Goose,
    Refinery,
}

/// Where a tool keeps its history.
pub(crate) struct HistoryTable {
    pub(crate) name: &'static str,
    /// Columns that tell it from another tool's table of the same name.
    pub(crate) columns: &'static [&'static str],
    /// Columns that it does not have.
    pub(crate) without: &'static [&'static str],
    /// The order in which things happened.
    pub(crate) order: &'static str,
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Tool::Alembic,
        Tool::Prisma,
        Tool::Flyway,
        Tool::Sqlx,
        Tool::Django,
        Tool::Dbmate,
        Tool::GolangMigrate,
        Tool::Goose,
        Tool::Refinery,
    ];

    /// As it is typed.
    pub fn key(self) -> &'static str {
        match self {
            Tool::Alembic => "alembic",
            Tool::Prisma => "prisma",
            Tool::Flyway => "flyway",
            Tool::Sqlx => "sqlx",
            Tool::Django => "django",
            Tool::Dbmate => "dbmate",
            Tool::GolangMigrate => "golang-migrate",
            Tool::Goose => "goose",
            Tool::Refinery => "refinery",
        }
    }

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Tool::Alembic => "Alembic",
            Tool::Prisma => "Prisma",
            Tool::Flyway => "Flyway",
            Tool::Sqlx => "sqlx",
            Tool::Django => "Django",
            Tool::Dbmate => "dbmate",
            Tool::GolangMigrate => "golang-migrate",
            Tool::Goose => "goose",
            Tool::Refinery => "refinery",
        }
    }

    /// Whether its SQL has to be asked from the tool itself.
    pub fn is_python(self) -> bool {
        matches!(self, Tool::Alembic | Tool::Django)
    }

    /// Reads a project. `printed` is what a tool in Python has printed.
    pub fn read(self, tree: &Tree, printed: Option<&Source>) -> Result<Project, Vec<Problem>> {
        let unprinted = || vec![Problem::with_file("E707", tree.base(), "the tool's own SQL is needed")];
        let mut project = match self {
            Tool::Alembic => {
                let revisions = alembic::revisions(tree)?;
                alembic::project(&revisions, printed.ok_or_else(unprinted)?)
            }
            Tool::Django => django::project(printed.ok_or_else(unprinted)?),
            Tool::Prisma => prisma::read(tree),
            Tool::Flyway => flyway::read(tree),
            Tool::Sqlx => sqlx::read(tree),
            Tool::Dbmate => dbmate::read(tree),
            Tool::GolangMigrate => golang_migrate::read(tree),
            Tool::Goose => goose::read(tree),
            Tool::Refinery => refinery::read(tree),
        }?;
        if project.scripts.is_empty() {
            return Err(vec![tree.nothing(&format!("migrations of {}", self.name()), &[""])]);
        }
        let one_way = project.scripts.iter().filter(|script| script.down.is_some() && !script.can_go_back());
        let one_way: Vec<String> = one_way
            .map(|script| {
                let path = script.path.display();
                format!(
                    "{path}: what takes it back is left out, since pgdeploy goes back in one transaction only"
                )
            })
            .collect();
        project.notes.extend(one_way);
        Ok(project)
    }

    /// Understands the rows of the tool's table. `None` where they are not what the tool writes.
    pub fn records(self, rows: &[Map<String, Value>], entries: &[Entry]) -> Option<Vec<Record>> {
        let rows: Vec<Row<'_>> = rows.iter().map(Row).collect();
        let each = |record: fn(&Row<'_>) -> Option<Record>| rows.iter().map(record).collect();
        match self {
            Tool::Alembic => alembic::records(&rows, entries),
            Tool::GolangMigrate => golang_migrate::records(&rows, entries),
            Tool::Flyway => flyway_history::records(&rows, entries),
            Tool::Prisma => each(prisma::record),
            Tool::Sqlx => each(sqlx::record),
            Tool::Django => each(django::record),
            Tool::Dbmate => each(dbmate::record),
            Tool::Refinery => each(refinery::record),
            Tool::Goose => {
                let records: Option<Vec<Record>> = each(goose::record);
                records.map(|records| records.into_iter().filter(|record| record.id != "0").collect())
            }
        }
    }

    pub(crate) fn table(self) -> HistoryTable {
        let (name, columns, order): (_, &[&str], _) = match self {
            Tool::Alembic => ("alembic_version", &["version_num"], "version_num"),
            Tool::Prisma => {
                ("_prisma_migrations", &["migration_name", "finished_at", "rolled_back_at"], "started_at")
            }
            Tool::Flyway => {
                ("flyway_schema_history", &["installed_rank", "type", "success"], "installed_rank")
            }
            Tool::Sqlx => ("_sqlx_migrations", &["version", "success", "checksum"], "version"),
            Tool::Django => ("django_migrations", &["id", "app", "name"], "id"),
            Tool::Dbmate => ("schema_migrations", &["version"], "version"),
            Tool::GolangMigrate => ("schema_migrations", &["version", "dirty"], "version"),
            Tool::Goose => ("goose_db_version", &["id", "version_id", "is_applied"], "id"),
            Tool::Refinery => ("refinery_schema_history", &["version", "checksum"], "version"),
        };
        let without: &[&str] = if self == Tool::Dbmate { &["dirty"] } else { &[] };
        HistoryTable { name, columns, without, order }
    }
}

/// A migration that is a program.
pub(crate) fn code(path: &Path, language: &str) -> Problem {
    Problem::with_file("E702", path, format!("is a program in {language}, and what it does cannot be read from it")).help(
        "write what it does as plain SQL in a copy of the project, under the same version, and name that with --source",
    )
}
