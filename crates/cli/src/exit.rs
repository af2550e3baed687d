//! The exit code. The codes are a contract; docs/exit-codes.md lists them. Those of a deploy are in the records too, so
//! `orchestrator::Exit` decides them.

use std::process::ExitCode;

use orchestrator::{Exit, Failure, Verdict};

/// Done; warnings allowed.
pub(crate) const DONE: u8 = 0;
/// Usage, configuration, files.
pub(crate) const UNUSABLE: u8 = 2;
/// With `--detailed-exitcode`: changes are pending, or the deploy succeeded with warnings.
pub(crate) const DETAILED: u8 = 3;
/// What `run` and `wait` should have become could not be executed: the shells' number for it.
pub(crate) const NOT_EXECUTED: u8 = 126;
/// What was done could not be said: stdout cannot be written to. EX_IOERR of sysexits.h.
const UNWRITTEN: u8 = 74;

/// The code of any command that cannot be interrupted.
pub(crate) fn of_verdict(verdict: Verdict) -> ExitCode {
    of(verdict.exit_code())
}

/// The code of one that can.
pub(crate) fn of_failure(failure: &Failure, exit: &Exit) -> ExitCode {
    of(exit.code(failure.verdict))
}

/// A code as the system wants it.
pub(crate) fn of(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// The process's code: a success of which the result could not be written is none.
pub(crate) fn in_the_end(code: ExitCode, unwritten: bool) -> ExitCode {
    let is_success = code == ExitCode::from(DONE) || code == ExitCode::from(DETAILED);
    if unwritten && is_success { ExitCode::from(UNWRITTEN) } else { code }
}
