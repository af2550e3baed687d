//! One release over many databases: each gets an ordinary deploy, in waves.
//!
//! # Flow
//!
//! [`databases`] says which databases there are, and in which wave each goes. [`deploy_fleet`] takes the run lock of the
//! control database, and takes wave after wave ([`rollout`]): every database is looked at ([`look`]); where one has
//! something to do, the gates are asked, the waves before have to be through ([`border`]), and the wave's deploys run
//! ([`wave`], [`one`]).

mod border;
mod databases;
mod ending;
mod look;
mod one;
mod report;
mod rollout;
mod selection;
mod view;
mod wave;

use secrecy::SecretString;

pub use one::fleet_member;
pub use report::{FailedTarget, FleetReport, WaveReport};
pub use rollout::deploy_fleet;
pub use selection::Selection;
pub use view::{DatabasePlan, FleetPlan, FleetStatus, Where, fleet_plan, fleet_status};

/// The databases of an environment, and the order in which they are deployed to.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// Where the databases come from.
    pub targets: Source,
    /// At least one.
    pub waves: Vec<fleet::Wave>,
    /// What has to be so after each.
    pub verify: Vec<Vec<pipeline::Verification>>,
}

/// Where the databases of a fleet come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Names and URLs.
    Listed(Vec<(String, SecretString)>),
    /// A query for them, on the control database.
    Query(String),
}
