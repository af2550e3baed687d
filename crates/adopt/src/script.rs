//! One migration of another tool, as far as it can be carried over.

use std::path::PathBuf;

use sql::Problem;

use crate::body::Body;
use crate::pair::twice_of;

/// One migration of the tool.
#[derive(Debug, Clone)]
pub struct Script {
    /// How the tool's history calls it.
    pub id: String,
    /// What it is about, for the name of the file.
    pub name: String,
    /// Its number, where the tool's own name starts with one.
    pub version: Option<Version>,
    /// Where it comes from.
    pub path: PathBuf,
    /// What it runs; nothing for a merge.
    pub up: Body,
    /// What takes it back, where the tool has that.
    pub down: Option<Body>,
    /// Those that must have run before it, where the tool says more than an order.
    pub after: Vec<String>,
    /// Those that it stands for: it counts as applied where all of them are.
    pub replaces: Vec<String>,
    /// What the tool's history records for its text; one of them must be there.
    pub checksums: Vec<String>,
    /// What of it is no SQL.
    pub not_carried: Vec<String>,
    /// Whether the tool runs it again when it has changed.
    pub repeatable: bool,
}

/// A number, with the digits in which it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The number.
    pub number: u64,
    /// Such as `0001`.
    pub written: String,
}

/// What a tool's project holds.
#[derive(Debug, Clone, Default)]
pub struct Project {
    /// The migrations, in the order in which the tool would run them on a new database.
    pub scripts: Vec<Script>,
    /// What a person should know, and what stops nobody.
    pub notes: Vec<String>,
}

impl Project {
    /// Scripts of which no two have the same id; every problem of all of them.
    pub(crate) fn collect(
        found: impl Iterator<Item = Result<Script, Vec<Problem>>>,
    ) -> Result<Self, Vec<Problem>> {
        let (mut scripts, mut problems) = (Vec::<Script>::new(), Vec::new());
        for script in found {
            match script {
                Ok(script) => match scripts.iter().find(|other| other.id == script.id) {
                    Some(other) => problems.push(twice_of(&script.path, &other.path)),
                    None => scripts.push(script),
                },
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() { Ok(Self { scripts, notes: Vec::new() }) } else { Err(problems) }
    }

    /// By number, whatever its width.
    pub(crate) fn by_number(mut self) -> Self {
        self.scripts.sort_by_key(|script| script.version.as_ref().map(|version| version.number));
        self
    }
}

impl Script {
    /// A script of SQL files, which have neither a graph nor code.
    pub(crate) fn new(id: impl Into<String>, name: impl Into<String>, path: PathBuf, up: Body) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            version: None,
            path,
            up,
            down: None,
            after: Vec::new(),
            replaces: Vec::new(),
            checksums: Vec::new(),
            not_carried: Vec::new(),
            repeatable: false,
        }
    }

    /// Whether it can be taken back the way pgdeploy does it, in one transaction.
    pub(crate) fn can_go_back(&self) -> bool {
        self.up.transaction && self.down.as_ref().is_some_and(|down| down.transaction)
    }

    /// With its number.
    pub(crate) fn numbered(self, version: Option<Version>) -> Self {
        Self { version, ..self }
    }
}

impl Version {
    /// The number at the start of a text, and what follows it. `None` where there is none or it is too large.
    pub(crate) fn leading(text: &str) -> Option<(Self, &str)> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (written, rest) = text.split_at(digits);
        let number = written.parse::<i64>().ok()?.unsigned_abs();
        Some((Self { number, written: written.into() }, rest))
    }

    /// A number that the tool writes without leading zeros.
    pub(crate) fn padded(number: u64) -> Self {
        Self { number, written: format!("{number:04}") }
    }
}
