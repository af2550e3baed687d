//! Becoming another program: the same process, so the same number, and its signals and exit code are that program's.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use orchestrator::Failure;

use crate::context::Context;
use crate::exit;
use crate::output::tell;
use crate::signals::Signals;

/// Refuses a program that is not there, before anything is done for it.
pub(crate) fn look_for(command: &[OsString]) -> Result<(), Failure> {
    let Some(program) = command.first() else { return Ok(()) };
    let found = match program.to_string_lossy().contains('/') {
        true => is_executable(Path::new(program)),
        false => {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).any(|folder| is_executable(&folder.join(program)))
        }
    };
    if found { Ok(()) } else { Err(Failure::no_such_program(&program.to_string_lossy())) }
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Ends this program and begins that one. Comes back only where it could not, or where a signal has asked for the end.
pub(crate) fn become_program(command: &[OsString], signals: &Signals, context: &Context) -> ExitCode {
    if let Some(signal) = signals.received() {
        // It came when there was nothing left to stop; the program never begins.
        return exit::of(128 + i32::from(signal));
    }
    let Some((program, arguments)) = command.split_first() else { return ExitCode::SUCCESS };
    // The standard library gives the new program an empty signal mask and the default for SIGPIPE.
    let error = Command::new(program).args(arguments).exec();
    let failure = Failure::not_executed(&OsStr::to_string_lossy(program), &error);
    context.tell(&failure);
    tell("what was deployed stays");
    ExitCode::from(exit::NOT_EXECUTED)
}
