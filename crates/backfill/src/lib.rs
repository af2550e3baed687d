//! Stage 3: backfills, a warning stage. Every row exactly once per definition, whatever dies; no statement of the
//! application waits for longer than one batch takes; "complete" is only said after it was proven.
//!
//! # Flow
//!
//! [`load`] reads `backfills/*.sql`: each holds one plain statement, which [`statement`] takes apart with the server's
//! own grammar into a target, a predicate and what to do with a row. [`plan`] looks at the catalog ([`relation`]: the
//! table, its key) and at the ledger ([`record`]) and says what is left to do. [`run`] takes one definition after the
//! other to a [`worker`]: a rolled-back sample ([`verify`]), then a walk along the key in short transactions
//! ([`batch`], [`size`]), then the rows that were locked ([`sweep`]), then the proof that nothing matches any more.
//! The texts it sends are composed by [`texts`] from the user's statement by editing its tree.
//!
//! All progress lives in one row of the ledger that each batch locks first and updates last: rows and cursor share one
//! transaction, so whatever dies, they agree.
#![forbid(unsafe_code)]

mod batch;
mod definition;
mod event;
mod failure;
mod outcome;
mod plan;
mod progress;
mod record;
mod refusal;
mod relation;
mod run;
mod settings;
mod size;
mod statement;
mod sweep;
mod texts;
mod verify;
mod worker;

pub use definition::{Definition, Definitions, Priority, load};
pub use event::Event;
pub use outcome::{ItemOutcome, Outcome, Verdict};
pub use plan::{Item, Plan, State, plan};
pub use record::LEDGER;
pub use run::run;
pub use settings::Settings;
pub use statement::Kind;
