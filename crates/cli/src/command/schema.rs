//! `pgdeploy schema`: the formats, for editors and programs.

use std::process::ExitCode;

use crate::arguments::SchemaOf;
use crate::context::Told;
use crate::render::{json, reference};

pub(crate) fn run(of: SchemaOf) -> Result<ExitCode, Told> {
    match of {
        SchemaOf::Pipeline => println!("{}", json::pretty(&pipeline::json_schema())),
        SchemaOf::Jsonl => println!("{}", json::pretty(&orchestrator::jsonl_schema())),
        SchemaOf::Reference => print!("{}", reference::page(&pipeline::json_schema())),
    }
    Ok(ExitCode::SUCCESS)
}
