//! What can be typed.

use std::path::PathBuf;

use adopt::{Settle, Tool};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Deploys a release's database changes to PostgreSQL in three stages: schema migrations (a hard gate), indexes built
/// concurrently, and batched backfills (both warn and go on). Run `pgdeploy deploy` again after anything: it resumes.
#[derive(Debug, Parser)]
#[command(name = "pgdeploy", version, max_term_width = 100, after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  pgdeploy init                       write a first pipeline here
  pgdeploy check                      read pipeline.yaml and every file; needs no database
  pgdeploy plan --env staging         what a deploy would do, without doing it
  pgdeploy deploy                     deploy to the only environment, or to an embedded `dev`
  pgdeploy deploy --env production    also: deploy_production
  pgdeploy status --env production    where an environment stands
  pgdeploy index list                 every index, and what is wrong with it
  pgdeploy backfill run               run the backfills, on any number of machines at once

Exit codes:
  0 done (warnings allowed)   1 the schema gate failed   2 usage, configuration, files
  3 with --detailed-exitcode: changes pending / done with warnings
  6 the guard refused a file, nothing touched
  4 a gate refused, nothing touched   5 history and files contradict, nothing touched
  7 a service command failed   69 database unreachable in time   75 try again, nothing applied
  74 the result could not be written to stdout
  77 login or permission   130, 143 interrupted after a clean stop";

#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The pipeline's file; its folder is the release
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "pipeline.yaml",
        env = "PGDEPLOY_CONFIG",
        hide_env_values = true
    )]
    pub(crate) config: PathBuf,
    /// How results are written: text for people, json at the end, jsonl as it happens
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Log what is going on to stderr (-vv: more)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Only the end, and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub(crate) color: Color,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
    Jsonl,
    /// `jsonl` of a command whose lines are events, refusals too.
    #[value(skip)]
    Events,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a first pipeline.yaml, the folders and an example of each kind of file; or, with --from, take the migrations of
    /// another tool over; never overwrites
    Init(Init),
    /// Write the next migration, index or backfill file
    New {
        /// Which kind
        #[arg(value_enum)]
        kind: Kind,
        /// What it is about, such as add_email
        name: String,
    },
    /// Read pipeline.yaml and every file of the release, and report all that is wrong; needs no database
    #[command(after_help = CHECK_EXAMPLES)]
    Check(Check),
    /// Say what a deploy would do, stage by stage; changes nothing
    Plan(Plan),
    /// Deploy, or go on where an earlier deploy ended
    Deploy(Deploy),
    /// Say where an environment stands; changes nothing
    Status(Status),
    /// Backfills outside of a deploy: run them, on any number of machines; look at them; steer them while they run
    Backfill {
        #[command(subcommand)]
        command: Backfill,
        #[command(flatten)]
        environment: Environment,
    },
    /// Judge the migrations: the iron rule (a migration changes the schema, never rows) and hazards for live tables
    Guard(Guard),
    /// Grade the changes of rows that hide in an existing folder of migrations, of any tool, as Markdown
    Audit {
        /// The folder
        directory: PathBuf,
    },
    /// Say why a rule is there, which lock it is about, and what to write instead; or what a message's code means
    Explain {
        /// The rule's id, or a code such as E104; without it, all rules
        rule: Option<String>,
    },
    /// Carry the history that another tool has kept in a database over, without running anything; after init --from
    Adopt(Adopt),
    /// Say which migrations a database has had, without running them: for one that has objects but no history
    Baseline(Baseline),
    /// Mend the history of one migration: shown first, held against the catalog, recorded with the reason
    #[command(after_help = REPAIR_EXAMPLES)]
    Repair(Repair),
    /// Take back every migration above a version, the last applied first, by the .down.sql that stood beside each
    #[command(after_help = ROLLBACK_EXAMPLES)]
    Rollback(Rollback),
    /// Write what all migrations make into one file, for databases that are empty (`when_empty: snapshot`)
    Snapshot,
    /// Every index of an environment's database, and the repair of those that are invalid
    Index {
        #[command(subcommand)]
        command: Index,
    },
    /// The embedded server of an environment with `database: embedded`
    Dev {
        #[command(subcommand)]
        command: Dev,
        #[command(flatten)]
        environment: Environment,
    },
    /// Print the JSON Schema of pipeline.yaml or of the lines of `--format jsonl`, or the reference of the keys
    Schema {
        /// Which format
        #[arg(value_enum, default_value_t = SchemaOf::Pipeline)]
        of: SchemaOf,
    },
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Environment {
    /// The environment; default: the only one, or `dev` where that one is embedded
    #[arg(long = "env", global = true, value_name = "NAME", env = "PGDEPLOY_ENV", hide_env_values = true)]
    pub(crate) name: Option<String>,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  pgdeploy check            files, order, headers, hashes, guard; in milliseconds
  pgdeploy check --apply    also: everything from nothing on a throwaway server, deployed twice; each .down.sql
                            there, back and there again; the snapshot held against the files";

const REPAIR_EXAMPLES: &str = "\
Examples:
  pgdeploy repair mark-applied 42 --reason 'ran it by hand in the incident'          shows what would change
  pgdeploy repair mark-applied 42 --reason 'ran it by hand in the incident' --yes    does it
  pgdeploy repair accept-checksum 42 --reason 'reformatted' --yes
A repair that the catalog contradicts is refused with what contradicts it (exit 5).";

const ROLLBACK_EXAMPLES: &str = "\
Examples:
  pgdeploy rollback --to 41 --reason 'release 7 withdrawn'                             shows what would run
  pgdeploy rollback --to 41 --reason 'release 7 withdrawn' --allow-data-loss --yes     does it";

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) environment: Environment,
    /// Prove it on a throwaway server; needs PostgreSQL's server programs on this machine
    #[arg(long)]
    pub(crate) apply: bool,
}

/// What every change of a history asks for.
#[derive(Debug, Args)]
pub(crate) struct Vouch {
    #[command(flatten)]
    pub(crate) environment: Environment,
    /// Why, for the records
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) reason: String,
    /// Do it; without this it only says what it would do
    #[arg(long)]
    pub(crate) yes: bool,
    /// Who, for the records
    #[arg(long, value_name = "NAME", env = "PGDEPLOY_ACTOR", hide_env_values = true)]
    pub(crate) actor: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Backfill {
    /// Where each stands: rows, who is at work, what slows it down, its revision
    #[command(visible_alias = "status")]
    List {
        /// Only these
        ids: Vec<String>,
    },
    /// Run them until they are complete, beside a deploy and others like this one; all of them, where none is named
    Run {
        /// Such as 0007_last_call_direction
        ids: Vec<String>,
        /// Say what a run would be like, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Stop after this time, such as 30m; what is left resumes
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        budget: Option<std::time::Duration>,
        /// Exit with 3 where one of them is not complete
        #[arg(long)]
        detailed_exitcode: bool,
    },
    /// Begin no further batch, wherever it runs, until `resume`
    Pause(Steer),
    /// Go on after `pause`, or after `cancel`
    Resume(Steer),
    /// End it wherever it runs: what is done stays done, the rest is left
    Cancel(Steer),
    /// Another speed from the next batch on, wherever it runs
    Speed {
        #[command(flatten)]
        steer: Steer,
        /// How long one batch may take, such as 20ms
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        target: Option<std::time::Duration>,
        /// Between batches, such as 50ms
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        pause: Option<std::time::Duration>,
        /// The share of the time in which a worker works, in percent, such as 50
        #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
        duty: Option<u8>,
        /// Sessions of each process
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=64))]
        workers: Option<u32>,
    },
    /// Prove now that they are complete; exit with 4 where one is not
    Verify {
        /// Only these
        ids: Vec<String>,
    },
    /// Rows that could not be done
    Quarantine {
        #[command(subcommand)]
        command: Quarantine,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Steer {
    /// Such as 0007_last_call_direction
    pub(crate) id: String,
    /// Only if nobody has asked for anything since this revision, which `list` shows
    #[arg(long, value_name = "NUMBER")]
    pub(crate) revision: Option<i32>,
    /// Who asks, for the records
    #[arg(long, value_name = "NAME", env = "PGDEPLOY_ACTOR", hide_env_values = true)]
    pub(crate) actor: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Repair {
    /// What to mend
    #[arg(value_enum)]
    pub(crate) kind: RepairKind,
    /// The migration's version, such as 42
    pub(crate) version: u64,
    #[command(flatten)]
    pub(crate) vouch: Vouch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RepairKind {
    /// It is in the database, and the history does not know
    MarkApplied,
    /// It is not in the database, and the history says that it is
    MarkRolledBack,
    /// Its file was edited on purpose after it was applied
    AcceptChecksum,
    /// With `transaction: false`: the statement in doubt is in
    StatementApplied,
    /// With `transaction: false`: the statement in doubt is not in
    StatementMissing,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The version that is to be the newest; 0 takes back everything
    #[arg(long, value_name = "VERSION")]
    pub(crate) to: u64,
    /// Allow statements that take data with them, such as DROP TABLE
    #[arg(long)]
    pub(crate) allow_data_loss: bool,
    #[command(flatten)]
    pub(crate) vouch: Vouch,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Quarantine {
    /// Which, and why
    List {
        /// Such as 0007_last_call_direction
        id: String,
    },
    /// The next run tries them again
    Retry(Steer),
    /// They stay as they are, and the backfill may be complete without them
    Accept {
        #[command(flatten)]
        steer: Steer,
        /// Only the row with this key, its values joined by commas; may be repeated
        #[arg(long = "key", value_name = "KEY")]
        keys: Vec<String>,
        /// Why, for the records
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) look: Look,
    /// Also run the pending migrations on a throwaway server with the target's schema, and report what was measured:
    /// locks, rewrites, scans, changed rows, WAL
    #[arg(long)]
    pub(crate) prove: bool,
    /// Show the statement of each batch of the pending backfills
    #[arg(long)]
    pub(crate) sql: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Look {
    #[command(flatten)]
    pub(crate) environment: Environment,
    /// Exit with 3 where a deploy would have something to do
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) look: Look,
    /// Prove that the ledger is what was written into it: exit 5 where it is not
    #[arg(long)]
    pub(crate) verify: bool,
    /// A hash that --verify has printed earlier and that was noted elsewhere: it must still be there
    #[arg(long, value_name = "HASH", requires = "verify")]
    pub(crate) expect: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Deploy {
    #[command(flatten)]
    pub(crate) environment: Environment,
    /// Exit with 3 where the deploy succeeded with warnings
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Who deploys, for the records; default: the CI's user, or the operating system's
    #[arg(long, value_name = "NAME", env = "PGDEPLOY_ACTOR", hide_env_values = true)]
    pub(crate) actor: Option<String>,
}

/// `pgdeploy deploy --env production`: deploys a release's database changes to the environment `production`, in three stages:
/// schema migrations (a hard gate), indexes built concurrently, and batched backfills (both warn and go on). Run it again
/// after anything: it resumes.
#[derive(Debug, Parser)]
#[command(name = "deploy_production", version, max_term_width = 100)]
pub(crate) struct DeployProduction {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(flatten)]
    pub(crate) deploy: Deploy,
}

#[derive(Debug, Args)]
pub(crate) struct Guard {
    #[command(flatten)]
    pub(crate) environment: Environment,
    /// Another form of the findings: for code scanning, or for the annotations of a pull request
    #[arg(long, value_enum, value_name = "FORM")]
    pub(crate) report: Option<GuardReport>,
    /// Write the findings of today into guard.grandfathered.yaml, by hash; a list that is there can only shrink
    #[arg(long, requires = "reason")]
    pub(crate) grandfather: bool,
    /// Show what can be moved out of migrations that no environment has had: rows into backfills/, indexes into indexes/
    #[arg(long, conflicts_with = "grandfather")]
    pub(crate) extract: bool,
    /// Write what --extract shows
    #[arg(long, requires = "extract")]
    pub(crate) write: bool,
    /// Why they are accepted
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GuardReport {
    Sarif,
    Github,
}

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
    #[arg(long = "env", value_name = "NAME", default_value = "production", value_parser = name)]
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

#[derive(Debug, Args)]
pub(crate) struct Baseline {
    /// The newest migration that the database has had, such as 0042
    #[arg(long, value_name = "VERSION", required_unless_present = "none", conflicts_with = "none")]
    pub(crate) at: Option<u64>,
    /// None of them: what is in the database is not of this pipeline
    #[arg(long)]
    pub(crate) none: bool,
    #[command(flatten)]
    pub(crate) vouch: Vouch,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Index {
    /// List every index: size, whether it is valid, bloat, uses, duplicates, what rejects rows now; changes nothing
    #[command(after_help = INDEX_LIST_EXAMPLES)]
    List(IndexList),
    /// Repair every invalid index, or the one that is named: under the lock of deploys, and recorded like one
    #[command(after_help = INDEX_REPAIR_EXAMPLES)]
    Repair(IndexRepair),
}

const INDEX_LIST_EXAMPLES: &str = "\
Examples:
  pgdeploy index list --env production              all of them, by table
  pgdeploy index list --env production --troubled   only those that a person should look at
  pgdeploy index list --format json | jq '.indexes[] | select(.scans == 0 and .constraint == null) | .name'";

const INDEX_REPAIR_EXAMPLES: &str = "\
A declared index is made as its file says. Any other invalid index is built anew in its place (REINDEX CONCURRENTLY) and
never dropped, unless its name says that a REINDEX of PostgreSQL has left it. One that is being built is waited for.

Examples:
  pgdeploy index repair --env production                    every invalid index
  pgdeploy index repair leads_tenant_idx --env production   one
  pgdeploy index repair 'audit.\"Odd Name\"'                  with schema, quoted as in SQL

Exit codes: those of deploy; 0 also where there was nothing to repair, 2 where there is no index of that name.";

#[derive(Debug, Args)]
pub(crate) struct IndexList {
    #[command(flatten)]
    pub(crate) environment: Environment,
    /// Only indexes that are invalid, duplicates, bloated, or not used since uses are counted
    #[arg(long)]
    pub(crate) troubled: bool,
}

#[derive(Debug, Args)]
pub(crate) struct IndexRepair {
    /// The index, with its schema where the name alone is not enough; default: every invalid one
    #[arg(value_name = "NAME")]
    pub(crate) index: Option<String>,
    #[command(flatten)]
    pub(crate) environment: Environment,
    /// Exit with 3 where something could not be repaired
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Who, for the records
    #[arg(long, value_name = "NAME", env = "PGDEPLOY_ACTOR", hide_env_values = true)]
    pub(crate) actor: Option<String>,
}

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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Migration,
    Index,
    Backfill,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SchemaOf {
    Pipeline,
    Jsonl,
    Reference,
}
