//! `pgdeploy`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pgdeploy_cli::run(std::env::args_os())
}
