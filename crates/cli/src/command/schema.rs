//! `pgdeploy schema`: the formats, for editors and programs.

use std::process::ExitCode;

use crate::arguments::SchemaOf;
use crate::context::Told;
use crate::render::json;

pub(crate) fn run(of: SchemaOf) -> Result<ExitCode, Told> {
    let schema = match of {
        SchemaOf::Pipeline => pipeline::json_schema(),
        SchemaOf::Jsonl => orchestrator::jsonl_schema(),
    };
    println!("{}", json::pretty(&schema));
    Ok(ExitCode::SUCCESS)
}
