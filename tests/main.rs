//! The scenarios, end to end: the real binary on a real server. A module per capability.

#![allow(clippy::expect_used)]

mod harness;

mod adopt;
mod adoption;
mod applications;
mod backfills;
mod bad_input;
mod concurrency;
mod configuration;
mod containers;
mod contracts;
mod database_states;
mod documented;
mod example;
mod fleets;
mod gates;
mod guard;
mod history;
mod hooks;
mod indexes;
mod integrity;
mod kill;
mod ledger;
mod manifests;
mod owed;
mod pooler;
mod promotion;
mod proof;
mod rollouts;
mod schema_gate;
mod services;
mod signals;
mod warnings;
