//! Stage 3: backfills, a warning stage. Every row exactly once per definition, whatever dies; no statement of the
//! application waits for longer than one batch takes; "complete" is only said after it was proven.
//!
//! # Flow
//!
//! [`load`] reads `backfills/*.sql`: each holds one plain statement, which `statement` takes apart with the server's
//! own grammar into a target, a predicate and what to do with a row. [`plan`] looks at the catalog (`relation`: the
//! table, its key) and at the ledger (`record`) and says what is left to do. [`run`] gives one definition after the
//! other to a `worker`, which takes the lease on a range of the table (`claim`) and goes over it in a `pass`: a sample
//! that is rolled back, then the walk; the `sweep` of the rows that were locked; the proof that nothing matches any more
//! (`verify`). A row that cannot be done goes to `quarantine`. What follows other errors is `recovery`'s.
//!
//! There are two walks. The `block_walk` is the one to be had where a table has heap blocks: some `walker`s, each with a
//! `range` of blocks of its own, go over it a `chunk` at a time, in `stripe`s, each of them a batch; the texts are
//! `blocks`'. The other `walk` goes along the key, a `batch` at a time, as large as fits the target (`size`); its texts
//! come from `texts`. Both have the user's statement from `edit`.
//!
//! All progress of a range lives in one row of the ledger that each batch locks first and updates last: rows and cursor
//! share one transaction, so whatever dies, they agree.
#![forbid(unsafe_code)]

mod aside;
mod chunk;
mod claim;
mod control;
mod definition;
mod edit;
mod event;
mod failure;
mod fence;
mod header;
mod live;
mod monitor;
mod names;
mod order;
mod outcome;
mod pace;
mod pass;
mod plan;
mod preflight;
mod progress;
mod proof;
mod quarantine;
mod range;
mod record;
mod recovery;
mod refusal;
mod relation;
mod run;
mod settings;
mod side_effects;
mod signals;
mod stage;
mod standing;
mod statement;
mod stoppable;
mod strides;
mod stripe;
mod sweep;
mod tables;
mod texts;
mod throttle;
mod unit;
mod unit_work;
mod verify;
mod walk;
mod walker;
mod worker;

pub use aside::{Aside, Settled, accept_quarantine, asides, retry_quarantine};
pub use control::{Ask, Asked, ask};
pub use definition::{Definition, Definitions, load};
pub use event::Event;
pub use header::{Mode, Priority};
pub use outcome::{ItemOutcome, Outcome, Verdict};
pub use plan::{Item, Plan, State, plan};
pub use preflight::{Preflight, preflight};
pub use proof::{Proof, Reason, proof};
pub use run::run;
pub use settings::{QuarantineLimit, Settings, Throttle, Walk};
pub use stage::Stage;
pub use standing::{Standing, UnitStanding, standing};
pub use statement::Kind;
pub use tables::LEDGER;
