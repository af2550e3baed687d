//! The embedded server, and what describes the contracts.

use clap::{Subcommand, ValueEnum};

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Dev {
    /// Open psql on the database
    Psql {
        /// Passed on to psql, such as: -c 'select 1'
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Start the server, leave it running, and print the database's URL
    Url,
    /// Stop the server, whoever uses it
    Stop,
    /// Stop the server and delete its data; refused while somebody is connected
    Reset {
        /// Whoever is connected, a deploy among them
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SchemaOf {
    Pipeline,
    Jsonl,
    Reference,
}
