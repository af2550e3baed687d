//! Reads the migrations and the history of other tools, so that a database goes on under pgdeploy.
//!
//! # Flow
//!
//! A [`Tree`] lists the files of the tool's project. [`Tool::read`] makes [`Script`]s of them (a file per tool: `sqlx`,
//! `dbmate`, ...), each with a [`Body`] without transaction control; for tools in Python [`ask()`] has the tool print its
//! SQL. [`order()`] places them, by the tool's own rule and by what a history proves, and [`write::files`] puts the
//! release's files together with a [`Manifest`], `adopt.yaml`. In a database [`table::read`] finds the tool's history,
//! [`Tool::records`] understands its rows, and [`carry()`] says of each migration whether it is in, pending, or a question
//! for a person. All of it is pure over files and rows, but for `ask`, `table` and `write`.
#![forbid(unsafe_code)]

mod alembic;
mod ask;
mod body;
mod carry;
mod checksum;
mod dbmate;
mod django;
mod flyway;
mod flyway_history;
mod golang_migrate;
mod goose;
mod history;
mod manifest;
mod order;
mod pair;
mod prisma;
mod refinery;
mod revision;
mod script;
mod sections;
mod sqlx;
pub mod table;
mod tool;
mod tree;
pub mod write;

pub use ask::{Scratch, ask};
pub use body::Body;
pub use carry::{Carried, Settle, carry};
pub use django::SCRIPT as DJANGO_SCRIPT;
pub use history::{Outcome, Record};
pub use manifest::{Entry, FILE as MANIFEST_FILE, Manifest};
pub use order::{Placed, order};
pub use script::{Project, Script, Version};
pub use tool::Tool;
pub use tree::Tree;
