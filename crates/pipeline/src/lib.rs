//! `pipeline.yaml`: from text to a validated [`Pipeline`] with source positions.
//!
//! # Flow
//!
//! [`load`] reads the file as text and builds a tree of nodes that know their bytes (duplicate keys, anchors and a
//! second document end here). The tree is compared with the JSON Schema that an editor also uses ([`json_schema`],
//! derived from the structs in `raw`): unknown keys, keys of later versions and wrong types. What has the right
//! shape becomes the raw structs, each value with its place. Every environment is then read as far as it can be
//! without its variables: durations, bounds, names, gates. All problems of a file are reported at once, as an
//! [`Error`] full of [`Problem`]s.
//!
//! References such as `${PRODUCTION_DATABASE_URL}` are resolved by [`Pipeline::environment`], and only those of the
//! environment that is asked for, so that `dev` works on a machine that has no secret of production.

#![forbid(unsafe_code)]

pub mod code;
mod problem;
mod text;
mod throttle;

mod node;
mod shape;

mod at;
mod limit;
mod raw;
mod schema;
mod schema_stage;

mod duration;
mod reading;
mod reference;
mod secrets;
mod spelling;
mod url;

mod command;
mod database;
mod expectation;
mod fleet;
mod fleet_file;
mod freeze;
mod gates;
mod health;
mod hooks;
mod http_address;
mod name;
mod promotion;
mod services;
mod settings;
mod verification;

mod effective;
mod environment;
mod needs;
mod pipeline;
mod shown;

pub use database::Database;
pub use environment::{Environment, Fixtures, Summary};
pub use expectation::Expectation;
pub use fleet::{Amount, Fleet, FleetTarget, Targets, Wave, is_target_name};
pub use gates::{Approvals, Gates, ReceiptSettings, ReceiptsSettings};
pub use health::{Health, Probe};
pub use hooks::{Hook, Hooks, IfInterrupted, Point};
pub use http_address::HttpAddress;
pub use needs::{Needed, Needs, Program, Supply};
pub use pipeline::{Connect, Lock, Pipeline, load, parse};
pub use problem::{Error, Problem};
pub use schema::json_schema;
pub use schema_stage::SchemaSettings;
pub use secrets::Secrets;
pub use services::{AfterFailedGate, Command, Quiesced, Services};
pub use settings::{BackfillSettings, IndexSettings, OnDrift, OnInterrupt, Settings};
pub use text::MAX_FILE_BYTES;
pub use throttle::ThrottleSettings;
pub use verification::{Question, Verification};
