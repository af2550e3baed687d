//! Judges files before anything runs: the iron rule (a migration changes the schema, never rows; an index file holds
//! indexes; a backfill file one statement that changes rows) and the hazards of DDL, from text alone.
//!
//! # Flow
//!
//! A [`Judge`] with its [`Knowledge`] is fed files in order. Each statement is `expand`ed into `act`s: what it runs,
//! however deep it is hidden, with DO blocks read by PL/pgSQL's own parser (`block`), texts for EXECUTE `fold`ed from
//! literals and `variables`, and what cannot be told kept as such. `write` and `call` find row changes and calls in any
//! `tree`. Every [`Rule`] looks at every act, with what the files so far have made (`world`, `routine`, `taint`). A
//! [`Finding`] stands until an `acceptance` in the file or the [`Grandfathered`] list settles it. [`audit()`] grades
//! what hides in a directory, [`report`] formats, [`explain()`] is a rule's page.
#![forbid(unsafe_code)]

mod acceptance;
mod act;
mod audit;
mod block;
mod call;
mod catalog;
mod column_type;
mod dynamic;
mod error;
mod expand;
mod explain;
mod extract;
mod finding;
mod fold;
mod form;
mod grandfather;
mod judge;
mod knowledge;
mod look;
mod name;
pub mod report;
mod routine;
mod rule;
mod rules;
mod script;
mod severity;
mod taint;
mod tree;
mod variables;
mod words;
mod world;
mod write;

pub use acceptance::Accepted;
pub use audit::{Audit, AuditSettings, Grade, Item, audit};
pub use catalog::{Catalog, ConstraintFacts, TableFacts, names};
pub use error::Error;
pub use explain::{explain, rules_page};
pub use extract::{Extraction, Piece, PieceKind, Refuse};
pub use finding::Finding;
pub use form::FORM;
pub use grandfather::{Checked, Entry, FILE as GRANDFATHERED_FILE, Grandfathered};
pub use judge::Judge;
pub use knowledge::Knowledge;
pub use name::Name;
pub use rule::{Kind, Rule};
pub use rules::{ALL as RULES, rule};
pub use severity::Severity;
pub use sql::Source;
