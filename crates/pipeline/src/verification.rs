//! What has to be so after the deploy.

use std::time::Duration;

use crate::at::At;
use crate::code;
use crate::expectation::Expectation;
use crate::limit as limits;
use crate::raw::{self, Raw};
use crate::reading::Reading;
use crate::services::Command;

/// A named question that is asked once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// A query.
    Sql {
        /// What it is called.
        name: String,
        /// What is asked.
        question: Question,
        /// How long it may take; never zero.
        timeout: Duration,
    },
    /// A program that ends with 0.
    Run {
        /// What it is called.
        name: String,
        /// The program.
        command: Command,
    },
}

/// A query and what its value has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// One statement that returns a row.
    pub sql: String,
    /// What the first value of the row has to be.
    pub expect: Expectation,
}

impl Verification {
    /// What it is called in messages and records.
    pub fn name(&self) -> &str {
        match self {
            Verification::Sql { name, .. } | Verification::Run { name, .. } => name,
        }
    }
}

impl Reading<'_> {
    /// Those of a list that are asked in an environment.
    pub(crate) fn verification(
        &mut self,
        raw: &[raw::Verification],
        pipeline: &Raw,
        environment: &str,
    ) -> Vec<Verification> {
        let asked = raw.iter().filter_map(|one| {
            let here = self.is_here(one.only.as_deref(), pipeline, environment);
            self.one_verification(one).filter(|_| here)
        });
        asked.collect()
    }

    fn one_verification(&mut self, raw: &raw::Verification) -> Option<Verification> {
        let (name, timeout) =
            (raw.name.as_ref()?, self.duration(raw.timeout.as_ref(), &limits::VERIFY_TIMEOUT));
        if let (Some(expect), None) = (&raw.expect, &raw.sql) {
            self.refuse(code::BAD_VALUE, expect.span(), "`expect` is for sql", "run expects exit code 0");
        }
        if self.has_reference(name) {
            return None;
        }
        let named = name.value.clone();
        match (&raw.sql, &raw.run) {
            (Some(sql), None) => {
                let question = self.question(sql, raw.expect.as_ref())?;
                Some(Verification::Sql { name: named, question, timeout })
            }
            (None, Some(run)) => {
                let command = Command { run: self.arguments(run)?, timeout };
                Some(Verification::Run { name: named, command })
            }
            _ => {
                let message = format!("`{named}` asks exactly one question");
                self.refuse(code::BAD_VALUE, name.span(), message, "one of sql and run in each entry");
                None
            }
        }
    }

    /// A query with what its value has to be.
    pub(crate) fn question(&mut self, sql: &At<String>, expect: Option<&At<String>>) -> Option<Question> {
        if sql.value.trim().is_empty() {
            self.refuse(
                code::BAD_VALUE,
                sql.span(),
                "the query is empty",
                "such as: select count(*) from users",
            );
            return None;
        }
        if self.has_reference(sql) || expect.is_some_and(|expect| self.has_reference(expect)) {
            return None;
        }
        let Some(written) = expect else {
            return Some(Question { sql: sql.value.clone(), expect: Expectation::default() });
        };
        match Expectation::parse(&written.value) {
            Ok(expect) => Some(Question { sql: sql.value.clone(), expect }),
            Err(message) => {
                self.refuse(
                    code::BAD_VALUE,
                    written.span(),
                    message,
                    "such as \"> 0\", \"!= 3\" or \"= ready\"",
                );
                None
            }
        }
    }
    /// Refuses `${NAME}` where it stays what it is. In SQL it has to: `$$` quotes there, and a value put into the text would be
    /// SQL itself.
    fn has_reference(&mut self, written: &At<String>) -> bool {
        let is_name = |one: char| one.is_alphanumeric() || one == '_';
        let mut places = written.value.match_indices("${").map(|(at, _)| written.value.split_at(at));
        // `$${1,2}$$` and `$q${1,2}$q$` are quoted texts that begin with a brace.
        let found = places.find(|(before, rest)| {
            rest[2..].starts_with(|one: char| is_name(one) && !one.is_ascii_digit())
                && !before.trim_end_matches(is_name).ends_with('$')
        });
        let Some((_, rest)) = found else { return false };
        let reference = &rest[..rest.find('}').map_or(rest.len(), |end| end + 1)];
        let span = self.within(written, reference, '}');
        let message =
            format!("`{reference}` is not resolved here: queries and names are taken as they are written");
        let help = "write the value; a schema can be left to stages.schema.search_path, and a text that holds `${` is '$' || '{..'";
        self.refuse(code::BAD_REFERENCE, span, message, help);
        true
    }
}
