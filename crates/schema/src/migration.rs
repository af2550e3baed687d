//! The files of `migrations/`, in the order in which they run.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use sql::{Numbered, Problem, Source, Statement};

use crate::header::Header;
use crate::order::order;
use crate::shape::Shape;

/// One file of `migrations/`.
#[derive(Debug, Clone)]
pub struct Migration {
    /// The number that orders it.
    pub version: u64,
    /// What follows the number.
    pub name: String,
    /// Its place in the order of all files, from 0.
    pub place: usize,
    /// What it needs, and how it is run.
    pub header: Header,
    /// The file.
    pub source: Source,
    /// What takes it back: the file beside it that ends in `.down.sql`.
    pub down: Option<Source>,
    /// Learned by whoever parses the file first.
    shape: Arc<OnceLock<Shape>>,
}

/// All files, in order. Two may share a version: that is a finding of the plan, with both names.
#[derive(Debug, Clone, Default)]
pub struct Migrations(pub Vec<Migration>);

impl Migration {
    /// `0042_add_email`: the file's name without its ending.
    pub fn id(&self) -> &str {
        self.source.stem()
    }

    pub(crate) fn shape(&self) -> &Shape {
        self.shape.get_or_init(|| Shape::of(&self.source))
    }

    /// Its statements, from somebody who has parsed it.
    pub(crate) fn parsed(&self, statements: &[Statement]) {
        self.shape.get_or_init(|| Shape::read(statements));
    }
}

/// Reads names and headers, and puts the files in order; every problem of every file is returned. The SQL is not parsed
/// yet: that is for the pending ones, see [`crate::check`]. Where there are problems it is, so that all of them come at once.
///
/// # Errors
/// E214 a name without version, E117 a `when` that is no condition, E118 and E119 a requirement that cannot be met, E120 a
/// down file on its own.
pub fn load(sources: Vec<Source>, downs: Vec<Source>) -> Result<Migrations, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut files = Vec::new();
    let mut downs: BTreeMap<String, Source> =
        downs.into_iter().map(|down| (down.stem().trim_end_matches(".down").to_owned(), down)).collect();
    for source in sources {
        let header = Header::read(&source).unwrap_or_else(|problem| {
            problems.push(problem);
            Header::default()
        });
        match Numbered::of(&source) {
            Ok(Numbered { version, name, .. }) => {
                let down = downs.remove(source.stem());
                if let (Some(down), false) = (&down, header.transaction) {
                    problems.push(without_transaction(down));
                }
                files.push(Migration {
                    version,
                    name,
                    place: 0,
                    header,
                    source,
                    down,
                    shape: Arc::default(),
                });
            }
            Err(problem) => problems.push(problem),
        }
    }
    problems.extend(downs.into_values().map(|down| alone(&down)));
    problems.extend(order(&mut files).err().into_iter().flatten());
    let files = Migrations(files);
    if problems.is_empty() {
        return Ok(files);
    }
    problems.extend(crate::check_all(&files));
    Err(problems)
}

fn alone(down: &Source) -> Problem {
    let message = "takes back a migration that is not there: no file of the same name ends in .sql";
    Problem::with_file("E120", &down.path, message).help("bring the migration back, or delete this file")
}

fn without_transaction(down: &Source) -> Problem {
    let message =
        "takes back a migration with `transaction: false`: pgdeploy rolls back in one transaction only";
    Problem::with_file("E120", &down.path, message)
        .help("delete it, and go forward with a new migration instead")
}
