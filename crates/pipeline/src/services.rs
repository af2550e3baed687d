//! What is stopped before a schema change and started after it.

use std::time::Duration;

use crate::at::At;
use crate::code;
use crate::limit::{self as limits, Limit};
use crate::raw;
use crate::reading::Reading;

/// The services around a schema change; nothing of it runs where no schema change is pending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Services {
    /// Stops them.
    pub stop: Option<Command>,
    /// Starts them again.
    pub start: Option<Command>,
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
            start: raw.start.as_ref().and_then(|start| self.command(start, &limits::START_TIMEOUT)),
        }
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
