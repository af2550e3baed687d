//! Logs on stderr: for finding out what the program does, not part of its user interface.

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::arguments::Global;

/// Off unless `-v` or `PGDEPLOY_LOG` (the syntax of RUST_LOG) asks for them. Statements are never logged.
pub(crate) fn start(global: &Global) {
    let wanted = match global.verbose {
        0 => "off",
        1 => "info,sqlx=warn",
        _ => "debug,sqlx=info",
    };
    let filter = EnvFilter::try_from_env("PGDEPLOY_LOG").unwrap_or_else(|_| EnvFilter::new(wanted));
    // The driver logs unknown parameters of a URL with their values, which may be secrets.
    let filter = match "sqlx_postgres::options=off".parse() {
        Ok(silent) => filter.add_directive(silent),
        Err(_) => filter,
    };
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let shown = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    tracing_subscriber::registry().with(shown.with_filter(filter)).with(postgres::notice_layer()).init();
}
