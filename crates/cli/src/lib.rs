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
mod exec;
mod exit;
mod identity;
mod logging;
mod messages;
mod output;
mod rehearsal;
mod render;
mod signals;
mod told;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser};
use orchestrator::Failure;

use crate::arguments::{Arguments, Command, DeployProduction, Format};
use crate::output::{noted, tell};
use crate::render::Style;

/// Runs the command line and says how the process is to end.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let typed: Vec<OsString> = arguments.into_iter().collect();
    started(Arguments::try_parse_from(&typed), &typed)
}

/// The same for `deploy_production`, which is `pgdeploy deploy --env production`.
pub fn run_deploy_production(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let typed: Vec<OsString> = arguments.into_iter().collect();
    let fixed = ["--env", "production"].map(OsString::from);
    let all = typed.iter().take(1).cloned().chain(fixed).chain(typed.iter().skip(1).cloned());
    let command = DeployProduction::command().mut_arg("name", |environment| environment.hide(true));
    let parsed =
        command.try_get_matches_from(all).and_then(|found| DeployProduction::from_arg_matches(&found));
    let parsed =
        parsed.map(|found| Arguments { global: found.global, command: Command::Deploy(found.deploy) });
    started(parsed, &typed)
}

fn started(parsed: Result<Arguments, clap::Error>, typed: &[OsString]) -> ExitCode {
    let code = match parsed {
        Ok(arguments) => with_a_runtime(arguments),
        Err(error) => usage(&error, typed),
    };
    if let Some(why) = output::unwritten() {
        tell(format_args!("pgdeploy: the result could not be written to stdout: {why}"));
    }
    exit::in_the_end(code, output::unwritten().is_some())
}

fn with_a_runtime(arguments: Arguments) -> ExitCode {
    logging::start(&arguments.global);
    // One thread: the work is the server's, and an answer is taken up sooner where no other thread has to be woken for it.
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(command::run(arguments)),
        Err(error) => {
            tell(format_args!("pgdeploy: the runtime cannot be started: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Help and version go to stdout with 0, errors to stderr with 2: and to stdout, where a program reads it.
fn usage(error: &clap::Error, typed: &[OsString]) -> ExitCode {
    noted(error.print());
    let format = format_of(typed);
    if error.use_stderr() && format != Format::Text {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        render::json::one_line_each();
        told::tell_failure(&Failure::usage(first), format, Style { colours: false }, "");
    }
    exit::of(error.exit_code())
}

/// The format that was asked for, in a command line that could not be understood otherwise.
fn format_of(typed: &[OsString]) -> Format {
    let mut words = typed.iter().filter_map(|word| word.to_str());
    let said = words.by_ref().find_map(|word| match word.strip_prefix("--format") {
        Some("") => Some(None),
        Some(value) => Some(value.strip_prefix('=')),
        None => None,
    });
    let deploys = typed.iter().take(3).any(|word| word == "deploy" || word == "run")
        || typed.first().is_some_and(|word| word.to_string_lossy().ends_with("deploy_production"));
    match said.and_then(|value| value.or_else(|| words.next())) {
        Some("jsonl") if deploys => Format::Events,
        Some("json" | "jsonl") => Format::Json,
        _ => Format::Text,
    }
}
