//! The beginnings: a new pipeline, or another tool's.

use std::path::PathBuf;

use adopt::{Settle, Tool};
use clap::{Args, ValueEnum};

use super::Environment;

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The tool whose project it is
    #[arg(long, value_name = "TOOL", value_parser = tool())]
    pub(crate) from: Option<Tool>,
    /// The tool's project, or the folder of its migrations; default: the pipeline's directory
    #[arg(long, value_name = "DIR", requires = "from")]
    pub(crate) source: Option<PathBuf>,
    /// A database that the tool has migrated: its history is read, nothing is written to it
    #[arg(long, value_name = "URL", requires = "from")]
    pub(crate) database: Option<secrecy::SecretString>,
    /// The environment of that database in pipeline.yaml
    #[arg(long = "env", value_name = "NAME", default_value = "production", value_parser = name, requires = "from")]
    pub(crate) environment: String,
    /// The folder for the migrations; default: migrations, or pgdeploy/migrations where the tool has its own there
    #[arg(long, value_name = "DIR", requires = "from")]
    pub(crate) into: Option<PathBuf>,
    /// The order of migrations whose names do not tell it (Prisma): first,second
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "from")]
    pub(crate) order: Vec<String>,
    /// The tool's history table, where it is not the usual one
    #[arg(long, value_name = "SCHEMA.TABLE", requires = "from")]
    pub(crate) history_table: Option<String>,
    /// How the tool is started (Alembic, Django), such as 'poetry run alembic' or 'uv run python'
    #[arg(long, value_name = "COMMAND", requires = "from")]
    pub(crate) tool_command: Option<String>,
    /// What `alembic upgrade base:heads --sql`, or for Django the script of --print-script, has printed elsewhere
    #[arg(long, value_name = "FILE", requires = "from")]
    pub(crate) sql: Option<PathBuf>,
    /// Print the script that asks Django for its SQL, to be run where Django is
    #[arg(long, requires = "from", conflicts_with_all = ["sql", "tool_command"])]
    pub(crate) print_script: bool,
    /// Only say what would be written
    #[arg(long, requires = "from")]
    pub(crate) dry_run: bool,
}

/// The tools, by name.
fn tool() -> impl clap::builder::TypedValueParser<Value = Tool> {
    use clap::builder::TypedValueParser;
    let names = clap::builder::PossibleValuesParser::new(Tool::ALL.map(Tool::key));
    names.try_map(|name| Tool::ALL.into_iter().find(|tool| tool.key() == name).ok_or("no such tool"))
}

/// A name that can stand in pipeline.yaml.
fn name(text: &str) -> Result<String, String> {
    let fits = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-');
    if fits { Ok(text.to_owned()) } else { Err("a name of lowercase letters, digits, _ and -".into()) }
}

#[derive(Debug, Args)]
pub(crate) struct Adopt {
    #[command(flatten)]
    pub(crate) environment: Environment,
    /// Why, for the records
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// What a migration is that the history leaves open: applied, pending, edited or gone
    #[arg(long, value_name = "NAME=WHAT", value_parser = settlement)]
    pub(crate) settle: Vec<(String, Settle)>,
    /// Do it; without this it only says what it would do
    #[arg(long)]
    pub(crate) yes: bool,
    /// Who, for the records
    #[arg(long, value_name = "NAME", env = "PGDEPLOY_ACTOR", hide_env_values = true)]
    pub(crate) actor: Option<String>,
}

fn settlement(text: &str) -> Result<(String, Settle), String> {
    let (name, what) = text.rsplit_once('=').ok_or("NAME=WHAT is wanted, such as add_email=applied")?;
    Ok((name.to_owned(), what.parse()?))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Migration,
    Index,
    Backfill,
}
