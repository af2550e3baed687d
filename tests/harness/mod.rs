//! A project in a temporary directory, a database of its own on a server of the test run's own, and the real binary.

mod client;
mod example;
mod outcome;
mod project;
mod server;

pub(crate) use client::Client;
pub(crate) use example::{Example, copy, root};
pub(crate) use outcome::Outcome;
pub(crate) use project::Project;
pub(crate) use server::{database, server};
pub(crate) use trial::blocking::until;
