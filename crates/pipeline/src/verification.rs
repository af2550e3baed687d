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
}
