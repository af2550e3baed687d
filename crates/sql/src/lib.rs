//! SQL as text: files, headers, statements with exact spans, quoting. No I/O to a database.
//!
//! # Flow
//!
//! A [`Folder`] of `*.sql` files is read into [`Source`]s: UTF-8 without BOM, LF line ends, hashed. The optional
//! [`header`] block is a YAML mapping in the leading comment. [`parse`] hands the text to the real PostgreSQL
//! grammar (libpg_query) on a thread with a large stack and returns [`Statement`]s; [`deparse`] goes the other way.
//! Everything that is wrong becomes a [`Problem`]: a code, a message, and a span that a caret can be drawn at.

mod blanks;
mod deparse;
mod error_position;
mod folder;
pub mod header;
mod outside;
mod parse;
mod place;
mod problem;
mod quote;
mod source;
mod tokens;

pub use blanks::skip_blanks;
pub use deparse::{expression, from_items, statement_text};
pub use folder::{Folder, Numbered};
pub use outside::{detaches_concurrently, is_outside, refuses_a_block, waits_gently};
pub use parse::{Statement, parse, parse_expression};
pub use pg_query::{Node, NodeEnum, protobuf as ast};
pub use place::{Place, place};
pub use problem::Problem;
pub use quote::{identifier, literal, qualified};
pub use source::{MAX_FILE_BYTES, Source};
