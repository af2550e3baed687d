//! The header of a migration: what it needs, and how it is run.

use serde::Deserialize;
use sql::{NodeEnum, Problem, Source};

/// When a migration of a deploy runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// In the schema stage, before indexes and backfills.
    #[default]
    Pre,
    /// At the end, once the services are back.
    Post,
}

impl Phase {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Phase::Pre => "pre",
            Phase::Post => "post",
        }
    }
}

/// The header's keys. `allow` and `reason` are the guard's, which reads them itself; here they are only known, so that
/// others are refused.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Header {
    /// Other migrations, by file name without ending.
    pub requires: Vec<String>,
    /// Backfills that must be proven complete.
    pub requires_backfill: Vec<String>,
    /// Whether the file is one transaction; otherwise its statements run one by one, each recorded.
    pub transaction: bool,
    /// A condition in SQL; while it is not true, the migration is deferred.
    pub when: Option<String>,
    /// When it runs.
    pub phase: Phase,
    #[serde(rename = "allow")]
    _allow: serde::de::IgnoredAny,
    #[serde(rename = "reason")]
    _reason: serde::de::IgnoredAny,
}

impl Default for Header {
    fn default() -> Self {
        Self {
            requires: Vec::new(),
            requires_backfill: Vec::new(),
            transaction: true,
            when: None,
            phase: Phase::Pre,
            _allow: serde::de::IgnoredAny,
            _reason: serde::de::IgnoredAny,
        }
    }
}

impl Header {
    pub(crate) fn read(source: &Source) -> Result<Self, Problem> {
        let header: Self = sql::header::read(source, &[])?;
        if let Some(condition) = &header.when {
            one_expression(source, condition)?;
        }
        Ok(header)
    }

    /// Whether it may rightly be applied after migrations that come later in the order.
    pub(crate) fn may_be_late(&self) -> bool {
        self.when.is_some() || !self.requires_backfill.is_empty() || self.phase == Phase::Post
    }
}

/// A `when` is a single expression: it is asked as the one column of a query.
fn one_expression(source: &Source, condition: &str) -> Result<(), Problem> {
    let refused = |why: String| {
        Problem::with_file("E117", &source.path, format!("`when: {condition}` is not a condition: {why}"))
            .help("write one SQL expression that is true or false, such as to_regclass('users') is not null")
    };
    let asked = Source::from_bytes(&source.path, question(condition).into_bytes())?;
    let single = sql::parse(&asked, |statements| match statements.as_slice() {
        [one] => matches!(&one.node, NodeEnum::SelectStmt(select) if select.target_list.len() == 1
            && select.from_clause.is_empty() && select.where_clause.is_none() && select.into_clause.is_none()),
        _ => false,
    });
    match single {
        Ok(true) => Ok(()),
        Ok(false) => Err(refused("it is more than one expression".into())),
        Err(problem) => Err(refused(problem.message)),
    }
}

/// The condition as a query of one boolean.
pub(crate) fn question(condition: &str) -> String {
    // The line break ends a comment at the condition's end.
    format!("SELECT ({condition}\n)::pg_catalog.bool")
}
