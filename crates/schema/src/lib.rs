//! Stage 1, the hard gate: versioned migrations, each in one transaction, each exactly once.
//!
//! # Flow
//!
//! [`load`] turns the files of `migrations/` into [`Migration`]s and finds what is wrong with their names and headers.
//! [`plan`] reads the history and decides, as a pure function over (applied, files), what is pending and what contradicts
//! the history. [`check`] parses the pending files, all of them before the first one runs. [`run`] applies them one by
//! one: `attempt` is one try of one file, `apply` tries until its patience ends while `watch` sees who stands in the
//! way. A failure is a [`GateError`]: by type, this stage can stop the deploy.
#![forbid(unsafe_code)]

mod apply;
mod attempt;
mod baseline;
mod check;
mod decide;
mod event;
mod failure;
mod fixtures;
mod history;
mod migration;
mod refusal;
mod run;
mod state;
mod watch;

pub use baseline::{baseline, covered};
pub use check::check;
pub use decide::{Plan, decide};
pub use event::{BlockedBy, Event};
pub use failure::{Failure, GateError};
pub use fixtures::Fixtures;
pub use history::{Applied, LEDGER, history};
pub use migration::{Migration, Migrations, load};
pub use run::{Done, Settings, plan, run};
pub use state::State;
