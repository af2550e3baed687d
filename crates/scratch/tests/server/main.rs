//! The servers of this crate, started for real and killed for real.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::print_stdout)] // the helpers of tests are not tests to clippy

mod embedded;
mod owner;
mod support;
mod throwaway;
