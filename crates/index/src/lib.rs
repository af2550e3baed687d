//! Stage 2: declared indexes, built concurrently; a warning stage.
//!
//! # Flow
//!
//! [`load`] turns `indexes/*.sql` into [`Declarations`]: each `CREATE INDEX` says what should be there, each
//! `DROP INDEX` what should not (`head` takes the statements apart). [`plan()`] reads the catalog (`survey`) and the
//! ledger, and decides the `state` of each and what follows from it. [`run()`] has a `worker` `settle` them one by one,
//! by their state: what is missing is built (`attempt`), on a session of its own (`build`) while another one `watch`es;
//! what is invalid is adopted from whoever builds it, or dropped (`leftover`, `clean`) and built; what is valid is
//! `compare`d by the server itself, once for each text. `locks` on a table are probed and never queued for. Each
//! `tombstone` comes last. By type the stage cannot fail a deploy: what falls short is in the [`Outcome`], with what to
//! do next.
#![forbid(unsafe_code)]

mod attempt;
mod build;
mod clean;
mod compare;
mod contradiction;
mod covered;
mod declaration;
mod ending;
mod event;
mod head;
mod header;
mod ledger;
mod leftover;
mod listing;
mod load;
mod locks;
mod name;
mod outcome;
mod partition;
mod plan;
mod queue;
mod reindex;
mod repair;
mod replace;
mod room;
mod run;
mod schedule;
mod settings;
mod settle;
mod state;
mod statement;
mod survey;
mod sweep;
mod tombstone;
mod tree;
mod unlimited;
mod watch;
mod worker;

pub use declaration::{Declaration, Declarations, Tombstone};
pub use event::{Event, Unit, WaitsFor};
pub use ledger::LEDGER;
pub use listing::{Condition, Listed, list};
pub use load::load;
pub use outcome::{ItemOutcome, Outcome, Settled};
pub use plan::{Item, Plan, plan};
pub use repair::repair;
pub use run::run;
pub use settings::{OnDrift, OnInterrupt, Settings};
pub use state::{Action, State};

/// The code of every warning of this stage.
pub(crate) const WARNING: &str = "W202";
