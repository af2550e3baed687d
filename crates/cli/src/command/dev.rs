//! `pgdeploy dev`: the embedded server, for people who want to look inside.

use std::process::{Command, ExitCode};

use scratch::Running;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::{Dev, Environment, Global};
use crate::context::Context;
use crate::database;
use crate::output::say;
use crate::render::words::counted;
use crate::told::Told;

pub(crate) async fn run(global: &Global, environment: &Environment, command: Dev) -> Result<ExitCode, Told> {
    let context = Context::load(global, environment.name.as_deref())?;
    if !matches!(context.environment.database, pipeline::Database::Embedded) {
        let message = anyhow::anyhow!(
            "the database of {} is not embedded: `pgdeploy dev` is for environments with `database: embedded`",
            context.environment.name
        );
        return Err(context.tell_error(&message));
    }
    // Ctrl-C is psql's, where it cancels a query: as long as this is held it does not end us.
    let _held = signal(SignalKind::interrupt()).map_err(|error| context.tell_error(&error.into()))?;
    let name = context.database_name(&context.environment);
    let directory = context.directory();
    // Every call of the embedded server blocks, and nothing else is going on here.
    let result = tokio::task::spawn_blocking(move || act(&directory, &name, command)).await;
    match result.map_err(anyhow::Error::from).and_then(|acted| acted) {
        Ok(code) => Ok(code),
        Err(error) => Err(context.tell_error(&error)),
    }
}

fn act(directory: &std::path::Path, name: &str, command: Dev) -> anyhow::Result<ExitCode> {
    let server = database::embedded(directory)?;
    match command {
        Dev::Psql { arguments } => {
            let running = server.start()?;
            running.ensure_database(name)?;
            let psql = running.binaries().program("psql");
            let status = Command::new(psql).arg(running.url(name)).args(arguments).status();
            running.stop()?;
            let code = status?.code().and_then(|code| u8::try_from(code).ok());
            return Ok(code.map_or(ExitCode::FAILURE, ExitCode::from));
        }
        Dev::Url => {
            let running = server.start()?;
            running.ensure_database(name)?;
            say(running.url(name));
            running.keep()?;
        }
        Dev::Stop => say(if server.stop()? { "stopped" } else { "was not running" }),
        Dev::Reset { force } => {
            if !force && server.is_running() {
                unused(&server.start()?)?;
            }
            server.reset()?;
            say("removed the embedded server's data; the next deploy starts from nothing");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses where others have sessions: their work would be lost without a word.
fn unused(running: &Running) -> anyhow::Result<()> {
    let sessions = running.sessions()?;
    if sessions.is_empty() {
        return Ok(());
    }
    let deploys = sessions.iter().any(|session| session == "pgdeploy/lock");
    let what = if deploys { "a deploy is at work" } else { "the database is in use" };
    anyhow::bail!(
        "{what}, {} connected ({}): wait for their end, or: pgdeploy dev reset --force",
        counted(sessions.len(), "session is", "sessions are"),
        sessions.join(", ")
    )
}
