//! A PostgreSQL server of our own: throwaway for checks and tests, embedded for the dev environment.
//!
//! # Flow
//!
//! [`Binaries`] finds the server's programs and [`Account`] says who they run as (PostgreSQL refuses root).
//! `initdb` fills a data directory, and a `Postmaster` runs on it, always under a keeper: a small shell that
//! holds the read end of a pipe and stops the server when the last writer is gone, however that writer ended.
//! [`Server`] is the throwaway one: a temporary directory, removed by a sweeper once the keeper is done.
//! [`Embedded`] is the one kept on disk: a [`Location`] decides where, and each [`Running`] is one process
//! that uses it; the last one out stops it. Everything is on Unix sockets, no port is opened.
//!
//! All calls block; from async code they belong in `spawn_blocking`. Writing to a keeper that is gone must
//! be an error and not a signal: a program that uses this crate leaves SIGPIPE ignored, as Rust has it.

#![forbid(unsafe_code)]

mod account;
mod binaries;
mod client;
mod embedded;
mod error;
mod initdb;
mod keeper;
mod location;
mod lock;
mod pidfile;
mod postmaster;
mod running;
mod server;
mod sweeper;
mod url;
mod users;

pub use account::Account;
pub use binaries::Binaries;
pub use embedded::Embedded;
pub use error::Error;
pub use location::Location;
pub use postmaster::Mode;
pub use running::Running;
pub use server::{Builder, Server};
