//! Stage 2: declared indexes, built concurrently; a warning stage.
//!
//! # Flow
//!
//! [`load`] turns `indexes/*.sql` into [`Declarations`]: each `CREATE INDEX` says what should be there, each
//! `DROP INDEX` what should not (`head` takes the statements apart). [`plan()`] reads the catalog (`survey`) and the
//! ledger, decides the `state` of each and what follows from it. [`run()`] settles them one by one: it waits for the
//! table without ever queueing (`locks`), builds on a session of its own while another one `watch`es, drops what a
//! failed build leaves behind (`clean`), reads again what is there, and has the server itself `compare` what was there
//! already. By type it cannot fail a deploy: what falls short is in the [`Outcome`], with what to do next.
#![forbid(unsafe_code)]

mod attempt;
mod build;
mod clean;
mod compare;
mod declaration;
mod ending;
mod event;
mod head;
mod ledger;
mod leftover;
mod load;
mod locks;
mod outcome;
mod plan;
mod run;
mod settle;
mod state;
mod survey;
mod tombstone;
mod unlimited;
mod watch;
mod worker;

pub use declaration::{Declaration, Declarations, Tombstone};
pub use event::{Event, Unit, WaitsFor};
pub use ledger::LEDGER;
pub use load::load;
pub use outcome::{ItemOutcome, Outcome, Settled};
pub use plan::{Item, Plan, plan};
pub use run::{Settings, run};
pub use state::{Action, State};

/// The code of every warning of this stage.
pub(crate) const WARNING: &str = "W202";
