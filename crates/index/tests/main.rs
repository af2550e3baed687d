//! The stage on a real server: one server for all, a database for each test.

extern crate pgdeploy_index as index;

mod build;
mod database;
mod deadlock;
mod disk;
mod drift;
mod headers;
mod interrupt;
mod listing;
mod others;
mod parallel;
mod partitions;
mod refusals;
mod repair;
mod replace;
mod sweep;
mod tombstones;
