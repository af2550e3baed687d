//! Manifests of containers and CI systems that run a deploy.
//!
//! # Flow
//!
//! [`Facts`] is all that a manifest depends on: names, the release's hash, variables, folders, and how long a deploy may
//! take. Each kind is one function from the facts to a text that a person reads, commits and changes; nothing here asks a
//! cluster or a daemon. Every value that comes from outside goes through `quote` or `name`. `exit_codes` says which ends of a deploy are worth another try, for the platforms that ask.
#![forbid(unsafe_code)]

mod compose;
mod docker_run;
mod dockerfile;
mod exit_codes;
mod facts;
mod github;
mod gitlab;
mod kubernetes;
mod name;
mod quote;

pub use compose::compose;
pub use dockerfile::dockerfile;
pub use exit_codes::{DONE, FINAL, NOT_OF_A_DEPLOY, TRY_AGAIN};
pub use facts::{Facts, SecretFile, USER, Value, Variable};
pub use github::github;
pub use gitlab::gitlab;
pub use kubernetes::kubernetes;
pub use name::image_name;
