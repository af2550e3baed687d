//! Runs pending migrations on a throwaway server and reports, statement by statement, what was measured there: locks on
//! relations that existed before, rewrites, full scans, changed rows, WAL, and how long it would take on the target.
//!
//! # Flow
//!
//! [`Shadow::of_target`] restores the target's schema on a throwaway server (`dump`), [`Shadow::of_files`] builds it from the
//! migration files instead. [`sizes`] are those of the target. [`prove`] runs each [`Subject`] in one transaction (`inside`),
//! with an `Observation` of the catalog and the counters between its statements; what cannot run in one is sampled from a
//! second connection (`outside`). The server's own words (`rewriting table ..`) are collected as notices, so the program's
//! subscriber has to have [`postgres::notice_layer`]. Everything becomes a [`FileReport`].
#![forbid(unsafe_code)]

mod dump;
mod error;
mod estimate;
mod inside;
mod lock_mode;
mod observation;
mod outside;
mod prove;
mod report;
mod shadow;
mod sizes;

pub use error::Error;
pub use lock_mode::LockMode;
pub use prove::{Subject, prove};
pub use report::{Estimate, FileReport, Held, LockReport, RowChange, Scan, StatementReport};
pub use shadow::Shadow;
pub use sizes::{Size, Sizes, sizes};
