//! A service that brings its own database up to date before it serves.
//!
//!     PRODUCTION_DATABASE_URL=postgresql://.. cargo run -p pgdeploy-orchestrator --example embedded_in_a_service -- pipeline.yaml production

#![allow(clippy::print_stdout)]

extern crate pgdeploy_orchestrator as orchestrator;

use std::path::PathBuf;

use anyhow::{Context, bail};
use orchestrator::{Event, Record, Verdict};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let file = PathBuf::from(arguments.next().context("usage: embedded_in_a_service PIPELINE ENVIRONMENT")?);
    let environment = arguments.next().context("usage: embedded_in_a_service PIPELINE ENVIRONMENT")?;

    // The service's own way to end: whatever cancels this token stops the deploy at its next safe point.
    let stop = CancellationToken::new();
    let on_signal = stop.clone();
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        on_signal.cancel();
    });

    let pipeline = pipeline::load(&file)?;
    let report = orchestrator::deploy_environment(&pipeline, &environment, &log, &stop).await?;
    match report.verdict {
        // An index or a backfill that is not there yet is no reason not to serve.
        Verdict::Succeeded | Verdict::Warnings => {}
        _ => bail!("{}", report.failure.map_or_else(String::new, |failure| failure.message)),
    }
    println!("serving");
    Ok(())
}

/// Into the service's own log.
fn log(record: &Record) {
    if let Event::Schema(orchestrator::schema::Event::Applied { migration, duration_ms, .. }) = &record.event
    {
        println!("applied {migration} in {duration_ms} ms");
    }
}
