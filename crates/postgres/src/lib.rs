//! Sessions with a PostgreSQL server: connecting, errors, the run lock, the ledger's tables.
//!
//! # Flow
//!
//! A [`Target`] is where a database is. [`wait::until_ready`] opens the first [`Session`] with it, patiently for what
//! passes (a server that starts) and at once for what does not (a wrong password), and [`fitness::check`] refuses what a
//! deploy cannot stand on (a transaction pooler). [`RunLock::acquire`] makes this process the only deployer; from then
//! on writing sessions come from [`RunLock::session`], and [`ledger::bootstrap`] brings the ledger's tables up to date.
//! What the server answers with an error is an [`Error`] with a [`Class`], which says what can be done about it.
#![forbid(unsafe_code)]

mod address;
mod backoff;
mod cancel;
mod clerk;
mod error;
pub mod fitness;
pub mod holders;
pub mod ledger;
mod lock;
mod notice;
mod query;
mod session;
mod stage;
mod target;
pub mod wait;

pub use backoff::Backoff;
pub use cancel::{Canceller, cancel_on};
pub use clerk::Clerk;
pub use error::{Class, Error, ScriptError, ServerError};
pub use lock::{Holder, LockError, LockKey, RunLock};
pub use notice::{Notice, Notices, Severity, notice_layer};
pub use query::{Query, query};
pub use session::Session;
pub use sqlx::Row;
pub use sqlx::postgres::PgRow;
pub use stage::{Events, Stage, Warning};
pub use target::Target;
