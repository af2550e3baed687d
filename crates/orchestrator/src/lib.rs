//! One deploy from end to end: a release, its plan, the three stages, the report.
//!
//! # Flow
//!
//! [`Release::load`] reads and checks the files. [`deploy`] waits for the database, takes the run lock, reads the
//! [`Plan`], asks the gates (`gate`), opens the deployment's row, stops the services if the schema changes, runs the
//! stages and starts the services again. What happens on the way is one stream of [`Record`]s: for the eyes through an
//! [`Observer`], for later into the ledger's journal. [`plan`] and [`status`] go the same way as far as reading goes, so
//! that they cannot say something else than the deploy does.
#![forbid(unsafe_code)]

mod act;
mod adopt;
mod backfills;
mod baseline;
mod catalog;
mod clerks;
mod command;
mod consumer;
mod contract;
mod deploy;
mod deployment;
mod event;
mod extraction;
mod failure;
mod fleets;
mod foundation;
mod gate;
mod health;
mod hooks;
mod http;
mod index_repair;
mod index_stage;
mod iron_rule;
mod journal;
mod ledger;
mod library;
mod main_session;
mod plan;
mod plan_report;
mod question;
mod quiesced;
mod reach;
mod record;
mod rehearsal;
mod release;
mod repair;
mod report;
mod request;
mod rollback;
mod services;
mod services_state;
mod stages;
mod status;
mod variables;
mod verification;
mod verify;

pub use adopt::{Adoption, ImportedMigration, adopt, unreadable};
pub use backfills::{
    Settle, ask_backfill, backfills, preflight_backfills, quarantine, run_backfills, settle_quarantine,
    verify_backfills,
};
pub use baseline::{Baseline, baseline};
pub use consumer::{Awaited, Wanted, wait_for_release};
pub use deploy::deploy;
pub use event::{DeployEvent, Event, FileProblem, FleetEvent, StageName, StageResult};
pub use extraction::{applied_versions, extractions};
pub use failure::{Failure, Verdict};
pub use fleets::{
    DatabasePlan, FailedTarget, Fleet, FleetPlan, FleetReport, FleetStatus, Selection, WaveReport, Where,
    deploy_fleet, fleet_member, fleet_plan, fleet_status,
};
pub use foundation::{Beside, create_ledger};
pub use gate::{Approved, GateAnswer, PlanFile, add_hold, approvals, approve, holds, lift_hold, revoke};
pub use hooks::SettledHook;
pub use index_repair::{IndexList, list_indexes, repair_indexes};
pub use iron_rule::{judged, refuse};
pub use library::deploy_environment;
pub use plan::Plan;
pub use plan_report::{BackfillPlan, IndexPlan, PlanReport, SchemaPlan, plan};
pub use record::{Observer, Record, jsonl_schema};
pub use rehearsal::{RoundTrips, fingerprint, round_trips};
pub use release::{Folders, Release};
pub use repair::{Repaired, repair};
pub use report::{Exit, Report, Summary};
pub use request::{Actor, AuthorsUnknown, Override, Request, Revision, Upstream};
pub use rollback::{RollbackTo, RolledBack, rollback};
pub use status::{LastDeployment, Status, status};
pub use verify::{Proof, verify};

/// The stages, for whoever reads their events and plans.
pub use {backfill, fleet, gates, index, schema};
