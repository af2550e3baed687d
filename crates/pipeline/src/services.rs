//! What is stopped before a schema change and started after it.

use std::time::Duration;

use crate::at::At;
use crate::code;
use crate::health::Health;
use crate::limit::{self as limits, Limit};
use crate::raw;
use crate::reading::Reading;

/// The services around a schema change; nothing of it runs where no schema change is pending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Services {
    /// Stops them.
    pub stop: Option<Command>,
    /// What is proven after the stop.
    pub quiesced: Option<Quiesced>,
    /// Starts them again.
    pub start: Option<Command>,
    /// What has to be so after the start.
    pub health: Vec<Health>,
    /// What happens to them where the gate has not passed.
    pub after_failed_gate: AfterFailedGate,
}

/// No session of these roles is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quiesced {
    /// Those that the application logs in as; never empty.
    pub roles: Vec<String>,
    /// How long their sessions may take to end.
    pub within: Duration,
    /// Whether sessions that are idle outside of a transaction do not count.
    pub ignore_idle: bool,
}

/// What happens to stopped services where the gate has not passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailedGate {
    /// They are started where nothing has been committed since the stop.
    StartIfUnchanged,
    /// They are started, even on a schema that is half way.
    Start,
    /// A person starts them, or the next deploy that succeeds.
    KeepStopped,
}

/// A program with its arguments, to be run without a shell in the pipeline's directory.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments; never empty.
    pub run: Vec<String>,
    /// After how long it is killed with all its processes; never zero.
    pub timeout: Duration,
}

/// The arguments may hold resolved secrets.
impl std::fmt::Debug for Command {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Command")
            .field("program", &self.run.first())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl Reading<'_> {
    pub(crate) fn services(&mut self, raw: &raw::Services) -> Services {
        Services {
            stop: raw.stop.as_ref().and_then(|stop| self.command(stop, &limits::STOP_TIMEOUT)),
            quiesced: raw.quiesced.as_ref().and_then(|quiesced| self.quiesced(quiesced)),
            start: raw.start.as_ref().and_then(|start| self.command(start, &limits::START_TIMEOUT)),
            health: raw.health.iter().flatten().filter_map(|health| self.health(health)).collect(),
            after_failed_gate: self.choice(
                raw.after_failed_gate.as_ref(),
                &[
                    (limits::AFTER_FAILED_GATE[0], AfterFailedGate::StartIfUnchanged),
                    (limits::AFTER_FAILED_GATE[1], AfterFailedGate::Start),
                    (limits::AFTER_FAILED_GATE[2], AfterFailedGate::KeepStopped),
                ],
            ),
        }
    }

    fn quiesced(&mut self, raw: &raw::Quiesced) -> Option<Quiesced> {
        let roles: Option<Vec<String>> = raw.roles.as_ref()?.iter().map(|role| self.resolve(role)).collect();
        let choices = [(limits::IDLE_SESSIONS[0], false), (limits::IDLE_SESSIONS[1], true)];
        let ignore_idle = self.choice(raw.idle.as_ref(), &choices);
        let within = self.duration(raw.within.as_ref(), &limits::QUIESCED_WITHIN);
        Some(Quiesced { roles: roles?, within, ignore_idle })
    }

    fn command(&mut self, raw: &raw::Command, timeout: &Limit<Duration>) -> Option<Command> {
        let timeout = self.duration(raw.timeout.as_ref(), timeout);
        Some(Command { run: self.arguments(raw.run.as_ref()?)?, timeout })
    }

    /// A program and its arguments; that the list is not empty is in the schema.
    pub(crate) fn arguments(&mut self, written: &[At<String>]) -> Option<Vec<String>> {
        let resolved: Vec<Option<String>> = written.iter().map(|one| self.resolve(one)).collect();
        let arguments: Vec<String> = resolved.into_iter().collect::<Option<_>>()?;
        if let (Some(program), Some(first)) = (arguments.first(), written.first())
            && program.trim().is_empty()
        {
            let help = "the first of the list is the program";
            self.refuse(code::BAD_VALUE, first.span(), "the name of the program is empty", help);
            return None;
        }
        Some(arguments)
    }
}
