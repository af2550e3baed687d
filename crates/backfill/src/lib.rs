//! Stage 3: backfills, a warning stage. Every row exactly once per definition, whatever dies; no statement of the
//! application waits for longer than one batch takes; "complete" is only said after it was proven.
//!
//! # Flow
//!
//! [`load`] reads `backfills/*.sql`: each holds one plain statement, which `statement` takes apart with the server's
//! own grammar into a target, a predicate and what to do with a row. [`plan`] looks it up in the catalog (`lookup`: the
//! `relation`, its `key`) and in the ledger (`record`) and says what is left to do. [`run`] gives one definition after the
//! other to a `worker`. It works on one `unit` after the other (`unit_work`): the table, its partitions or its tenants. A
//! unit is gone over in passes (`claim`): a sample that is rolled back, then the `walk`; then (`pass`) the `sweep` of the
//! rows that were locked and the proof that nothing matches any more (`verify`). A row that cannot be done goes to
//! `quarantine`. When all units are over, `finish` says so. What follows errors is `recovery`'s.
//!
//! In a walk some `walker`s take a `range` of the pass each, of heap blocks or of keys, and go over it (`range_work`) a
//! `chunk` at a time, in stripes: each `stripe` is a batch, a transaction of its own. `sizing` learns how large chunks may
//! be, `pace` how much rest there is between batches, and `setback` is what follows an error in one. The texts are
//! `strides`', those of the sweep and the proof come from `texts`; both have the user's statement from `edit`. Beside
//! them a `monitor` looks at the server (`signals`) and judges what that leaves to us (`throttle`), and clears away what is
//! dead (`vacuum`).
//!
//! All progress of a range lives in one row of the ledger that each batch locks first and updates last: rows and cursor
//! share one transaction, so whatever dies, they agree.
#![forbid(unsafe_code)]

mod aside;
mod chunk;
mod claim;
mod company;
mod control;
mod definition;
mod edit;
mod event;
mod failure;
mod fence;
mod finish;
mod generation;
mod header;
mod header_value;
mod key;
mod live;
mod lookup;
mod monitor;
mod names;
mod order;
mod outcome;
mod pace;
mod part;
mod pass;
mod plan;
mod preflight;
mod pressure;
mod progress;
mod proof;
mod quarantine;
mod range;
mod range_work;
mod record;
mod recovery;
mod refusal;
mod relation;
mod run;
mod setback;
mod settings;
mod side_effects;
mod signals;
mod sizing;
mod stage;
mod standing;
mod statement;
mod stoppable;
mod strides;
mod stripe;
mod sweep;
mod tables;
mod tenant;
mod texts;
mod throttle;
mod unit;
mod unit_work;
mod vacuum;
mod verify;
mod walk;
mod walked;
mod walker;
mod window;
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
