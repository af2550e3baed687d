//! One thing that a file does when it runs, however deep it is hidden.

use std::ops::Range;

use sql::NodeEnum;

use crate::call::{self, Call};
use crate::tree::Tree;
use crate::write::{self, Write};

/// What a statement is wrapped in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    Explain,
    Copy,
    Prepared,
    Do,
    Dynamic,
    Argument,
}

impl Via {
    /// As in "an UPDATE inside a DO block".
    pub(crate) fn phrase(self) -> &'static str {
        match self {
            Self::Explain => "run by EXPLAIN ANALYZE",
            Self::Copy => "inside COPY (..) TO",
            Self::Prepared => "prepared and executed",
            Self::Do => "inside a DO block",
            Self::Dynamic => "in a text that EXECUTE runs",
            Self::Argument => "in a text that is handed to a routine",
        }
    }
}

/// One statement that runs.
#[derive(Debug, Clone)]
pub(crate) struct Act {
    /// Its syntax tree; `None` where it is known by its words only.
    pub(crate) node: Option<NodeEnum>,
    /// The same in the shape for walks.
    pub(crate) tree: Tree,
    /// Where it stands in the file, as exactly as is known.
    pub(crate) span: Range<usize>,
    /// The number of the file's statement that it is part of.
    pub(crate) statement: usize,
    /// What it is wrapped in, the outer first.
    pub(crate) via: Vec<Via>,
    pub(crate) writes: Vec<Write>,
    pub(crate) calls: Vec<Call>,
    /// Why it cannot be told what runs.
    pub(crate) unproven: Option<String>,
    /// Whether it is an expression of a block and not a statement.
    pub(crate) expression: bool,
}

/// Where an act comes from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) span: Range<usize>,
    pub(crate) statement: usize,
    pub(crate) via: Vec<Via>,
}

impl Origin {
    /// The same place, wrapped once more.
    pub(crate) fn within(&self, via: Via) -> Self {
        let mut origin = self.clone();
        if !origin.via.contains(&via) {
            origin.via.push(via);
        }
        origin
    }
}

impl Act {
    pub(crate) fn of(node: NodeEnum, origin: &Origin) -> Self {
        let tree = Tree::of(&node);
        let (writes, calls) = (write::of(&tree), call::of(&tree));
        Self { node: Some(node), tree, writes, calls, ..Self::empty(origin) }
    }

    /// What is known by its words only.
    pub(crate) fn of_writes(writes: Vec<Write>, origin: &Origin) -> Self {
        Self { writes, ..Self::empty(origin) }
    }

    /// What cannot be proven.
    pub(crate) fn unproven(why: impl Into<String>, origin: &Origin) -> Self {
        Self { unproven: Some(why.into()), ..Self::empty(origin) }
    }

    fn empty(origin: &Origin) -> Self {
        let Origin { span, statement, via } = origin.clone();
        Self {
            node: None,
            tree: Tree::Nothing,
            span,
            statement,
            via,
            writes: Vec::new(),
            calls: Vec::new(),
            unproven: None,
            expression: false,
        }
    }

    /// ` inside a DO block`, or nothing for a statement that stands by itself.
    pub(crate) fn hidden(&self) -> String {
        self.via.iter().map(|via| format!(" {}", via.phrase())).collect()
    }
}
