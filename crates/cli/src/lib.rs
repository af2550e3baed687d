//! The command line: arguments, rendering, exit codes. The only crate that prints and exits.
//!
//! # Flow
//!
//! [`run`] parses the arguments and hands them to a command. `context` turns pipeline.yaml and the environment's name
//! into an `orchestrator::Request`, starting the embedded server where the environment is one. The commands call the
//! orchestrator; `render` turns what comes back into text for people or JSON for programs; `exit` decides the code.
#![forbid(unsafe_code)]

mod arguments;
mod command;
mod context;
mod database;
mod exit;
mod identity;
mod logging;
mod output;
mod rehearsal;
mod render;
mod signals;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;
use crate::output::tell;

/// Runs the command line and says how the process is to end.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version go to stdout with 0, errors to stderr with 2.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    logging::start(&arguments.global);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tell(format_args!("pgdeploy: the runtime cannot be started: {error}"));
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(command::run(arguments))
}
