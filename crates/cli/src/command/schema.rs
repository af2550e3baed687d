//! `pgdeploy schema`: the formats, for editors and programs.

use std::process::ExitCode;

use crate::arguments::SchemaOf;
use crate::output::say;
use crate::render::{json, reference};
use crate::told::Told;

pub(crate) fn run(of: SchemaOf) -> Result<ExitCode, Told> {
    match of {
        SchemaOf::Pipeline => say(json::indented(&pipeline::json_schema())),
        SchemaOf::Jsonl => say(json::indented(&orchestrator::jsonl_schema())),
        SchemaOf::Reference => say(reference::page(&pipeline::json_schema()).trim_end()),
    }
    Ok(ExitCode::SUCCESS)
}
