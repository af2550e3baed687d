//! `deploy_production`: `pgdeploy deploy --env production`, with the flags of `deploy`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pgdeploy_cli::run_deploy_production(std::env::args_os())
}
