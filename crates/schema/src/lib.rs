//! Stage 1, the hard gate: versioned migrations, each in one transaction, each exactly once.
//!
//! # Flow
//!
//! [`load`] turns the files of `migrations/` into [`Migration`]s and finds what is wrong with their names and headers.
//! [`plan`] reads the history and decides, as a pure function over (applied, files), what is pending and what contradicts
//! the history; `condition` defers what waits for something. [`check`] parses the pending files, all of them before the
//! first one runs. [`run`] applies them one by one: `migrate` is one file, whole or as its `statements`, of which some run `alone`; `patience` tries a
//! text until it is in, `attempt` is one try, one transaction inside the `fence`. Meanwhile `watch` sees who stands in the
//! way, and between attempts `look` waits without queueing. A failure is a [`GateError`]: by type, this stage can stop the
//! deploy.
#![forbid(unsafe_code)]

mod alone;
mod attempt;
mod baseline;
mod check;
mod claimed;
mod claims;
mod closing;
mod condition;
mod decide;
mod event;
mod failure;
mod fence;
mod fingerprint;
mod fixtures;
mod header;
mod history;
mod import;
mod look;
mod migrate;
mod migration;
mod order;
mod orphan;
mod outcome;
mod patience;
mod probe;
mod progress;
mod refusal;
mod repair;
mod rollback;
mod run;
mod shape;
mod snapshot;
mod split;
mod state;
mod statements;
mod stopped;
mod transactions;
mod watch;

pub use baseline::{baseline, covered};
pub use check::{check, check_all};
pub use claims::Claims;
pub use condition::Backfills;
pub use decide::{Deferred, Plan, decide};
pub use event::{BlockedBy, Event};
pub use failure::{Failure, GateError};
pub use fingerprint::Fingerprint;
pub use fixtures::Fixtures;
pub use header::{Header, Phase};
pub use history::{Applied, LEDGER, Progress, history};
pub use import::{Imported, import};
pub use migration::{Migration, Migrations, load};
pub use repair::{Proposal, Repair, RepairError, propose, repair};
pub use rollback::{Rollback, Undo, plan_rollback, rollback};
pub use run::{Done, Files, Settings, plan, run};
pub use snapshot::{Snapshot, compose};
pub use state::State;
