//! The stage on a real server: one server for all, a database for each test.

#![allow(clippy::expect_used)]

extern crate pgdeploy_backfill as backfill;

mod bad_input;
mod bench;
mod blocks;
mod control;
mod disk;
mod exactly_once;
mod gate;
mod keys;
mod kinds;
mod locked_rows;
mod misfortune;
mod newcomers;
mod once;
mod pair;
mod quarantine;
mod replicas;
mod restarts;
mod throttle;
mod units;
