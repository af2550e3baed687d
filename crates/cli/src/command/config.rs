//! `pgdeploy config`: what pipeline.yaml comes to for one environment.

use std::process::ExitCode;

use crate::arguments::{Environment, Format, Global};
use crate::context::Context;
use crate::output::say;
use crate::render::{config, json};
use crate::told::Told;

pub(crate) fn run(global: &Global, environment: &Environment) -> Result<ExitCode, Told> {
    let context = Context::load(global, environment.name.as_deref())?;
    let shown = context.environment.shown();
    match context.format {
        Format::Text => say(config::yaml(&shown).trim_end()),
        _ => say(json::pretty(&shown)),
    }
    Ok(ExitCode::SUCCESS)
}
