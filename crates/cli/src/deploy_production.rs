//! `deploy_production`: `pgdeploy deploy --env production`, with the flags of `deploy`.

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let fixed = ["deploy_production", "deploy", "--env", "production"].map(OsString::from);
    pgdeploy_cli::run(fixed.into_iter().chain(std::env::args_os().skip(1)))
}
