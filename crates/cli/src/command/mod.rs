//! One file per command.

mod adopt;
mod apply;
mod backfill;
mod baseline;
mod check;
mod config;
mod deploy;
mod dev;
mod extract;
mod fleet;
mod gates;
mod guard;
mod index;
mod init;
pub(crate) mod init_from;
mod manifest;
mod new;
mod plan;
pub(crate) mod proof;
mod repair;
mod rollback;
mod run;
mod schema;
mod snapshot;
mod status;
mod wait;

use std::process::ExitCode;

use clap::CommandFactory;

use crate::arguments::{Arguments, Command, Fleet, Format, Index};
use crate::output::say_bytes;
use crate::render::json;

/// Runs the command that was typed.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let mut global = arguments.global;
    if global.format == Format::Jsonl {
        json::one_line_each();
        // Its lines are the events of a deploy, whatever comes of it.
        if matches!(
            arguments.command,
            Command::Deploy(_)
                | Command::Run(_)
                | Command::Index { command: Index::Repair(_) }
                | Command::Fleet { command: Fleet::Retry(_) }
        ) {
            global.format = Format::Events;
        }
    }
    let result = match arguments.command {
        Command::Init(arguments) => match arguments.from {
            Some(from) => init_from::run(&global, &arguments, from).await,
            None => init::run(&global),
        },
        Command::New { kind, name } => new::run(&global, kind, &name),
        Command::Check(check) => check::run(&global, &check).await,
        Command::Plan(arguments) => plan::run(&global, &arguments).await,
        Command::Deploy(deploy) => deploy::run(&global, &deploy).await,
        Command::Adopt(arguments) => adopt::run(&global, &arguments).await,
        Command::Backfill { command, environment } => backfill::run(&global, &environment, command).await,
        Command::Baseline(arguments) => baseline::run(&global, &arguments).await,
        Command::Repair(arguments) => repair::run(&global, &arguments).await,
        Command::Rollback(arguments) => rollback::run(&global, &arguments).await,
        Command::Snapshot => snapshot::run(&global).await,
        Command::Guard(arguments) if arguments.extract => extract::run(&global, &arguments).await,
        Command::Index { command: Index::List(list) } => index::list(&global, &list).await,
        Command::Index { command: Index::Repair(repair) } => index::repair(&global, &repair).await,
        Command::Guard(arguments) => guard::run(&global, &arguments),
        Command::Audit { directory } => guard::audit(&global, &directory),
        Command::Explain { rule } => guard::explain(&global, rule.as_deref()),
        Command::Run(arguments) => run::run(&global, &arguments).await,
        Command::Wait(arguments) => wait::run(&global, &arguments).await,
        Command::Config { environment } => config::run(&global, &environment),
        Command::Approve(arguments) => gates::approve(&global, &arguments).await,
        Command::Approvals { command, environment } => {
            gates::approvals(&global, &environment, &command).await
        }
        Command::Hold { command, environment } => gates::hold(&global, &environment, &command).await,
        Command::Ledger { command, environment } => gates::ledger(&global, &environment, &command).await,
        Command::Receipt { command } => gates::receipt(&global, &command),
        Command::Fleet { command: Fleet::List(list) } => fleet::list(&global, &list).await,
        Command::Fleet { command: Fleet::Retry(retry) } => fleet::retry(&global, &retry).await,
        Command::Status(arguments) => status::run(&global, &arguments).await,
        Command::Dev { command, environment } => dev::run(&global, &environment, command).await,
        Command::Manifest(arguments) => manifest::run(&global, &arguments),
        Command::Schema { of } => schema::run(of),
        Command::Completions { shell } => {
            // Written at once: the generator panics where nobody reads to its end.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "pgdeploy", &mut script);
            say_bytes(&script);
            Ok(ExitCode::SUCCESS)
        }
    };
    // An error has been told where it was found: what is left of it is its code.
    result.unwrap_or_else(|code| code)
}
