//! The exit code, decided in one place. The codes are a contract; docs/exit-codes.md lists them.

use std::process::ExitCode;

use orchestrator::{Report, Verdict};

/// Done; warnings allowed.
pub(crate) const DONE: u8 = 0;
/// Usage, configuration, files.
pub(crate) const UNUSABLE: u8 = 2;
/// With `--detailed-exitcode`: changes are pending, or the deploy succeeded with warnings.
pub(crate) const DETAILED: u8 = 3;

/// The code of a deploy. `signal` is what interrupted it.
pub(crate) fn of_deploy(report: &Report, detailed: bool, signal: Option<u8>) -> u8 {
    match (report.verdict, signal) {
        (Verdict::Warnings, _) if detailed => DETAILED,
        (Verdict::Interrupted, Some(signal)) => 128 + signal,
        (verdict, _) => number(verdict),
    }
}

/// The code of any other command.
pub(crate) fn of_verdict(verdict: Verdict) -> ExitCode {
    ExitCode::from(number(verdict))
}

fn number(verdict: Verdict) -> u8 {
    u8::try_from(verdict.exit_code()).unwrap_or(1)
}
