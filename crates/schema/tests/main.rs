//! The stage on a real server: one server for all, a database for each test.

extern crate pgdeploy_schema as schema;

mod answers;
mod autovacuum;
mod blockers;
mod commit;
mod conditions;
mod database;
mod doubt;
mod half_done;
mod notices;
mod order;
mod own_transaction;
mod statements;
mod surroundings;
mod waits;
