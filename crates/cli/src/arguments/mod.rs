//! What can be typed.

mod backfill;
mod container;
mod deploy;
mod dev;
mod fleet;
mod gates;
mod guard;
mod history;
mod index;
mod init;
mod manifest;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use backfill::{Backfill, Quarantine, Steer};
pub(crate) use container::{Run, Until, Wait, WhenAhead};
pub(crate) use deploy::{Deploy, DeployProduction, Plan, Status};
pub(crate) use dev::{Dev, SchemaOf};
pub(crate) use fleet::{Fleet, FleetList, FleetRetry};
pub(crate) use gates::{Acting, Approvals, Approve, Hold, Ledger, Overriding, Receipt};
pub(crate) use guard::{Check, Guard, GuardReport};
pub(crate) use history::{Baseline, Repair, RepairKind, Rollback};
pub(crate) use index::{Index, IndexList, IndexRepair};
pub(crate) use init::{Adopt, Init, Kind};
pub(crate) use manifest::{Manifest, ManifestOf};

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
  pgdeploy fleet retry --failed       the databases of a fleet that have failed, once more

Exit codes:
  0 done (warnings allowed)   1 the schema gate failed   2 usage, configuration, files
  3 with --detailed-exitcode: changes pending / done with warnings
  6 the guard refused a file, nothing touched
  4 a gate refused, nothing touched   5 history and files contradict, nothing touched
  7 a service, a hook, a health check or verify failed
  8 more databases of a fleet failed than may   69 database unreachable in time   75 try again, nothing half applied
  74 the result could not be written to stdout
  77 login or permission   126 run, wait: the program cannot be executed
  130, 143 interrupted after a clean stop";

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
    #[command(after_help = guard::CHECK_EXAMPLES)]
    Check(Check),
    /// Say what a deploy would do, stage by stage; changes nothing
    Plan(Plan),
    /// Deploy, or go on where an earlier deploy ended
    Deploy(Deploy),
    /// Deploy, then become a program: the entry point of a container
    #[command(after_help = container::RUN_EXAMPLES)]
    Run(Run),
    /// Wait until a release is in, then become a program: for containers that do not deploy
    #[command(after_help = container::WAIT_EXAMPLES)]
    Wait(Wait),
    /// Say where an environment stands; changes nothing
    Status(Status),
    /// Print an environment's configuration as it takes effect, defaults included and secrets masked
    Config {
        #[command(flatten)]
        environment: Environment,
    },
    /// Agree to a plan, where the environment asks for approvals
    Approve(Approve),
    /// The approvals of an environment
    Approvals {
        #[command(subcommand)]
        command: Approvals,
        #[command(flatten)]
        environment: Environment,
    },
    /// The red button: stop deploys and backfills of an environment, and let them go on
    Hold {
        #[command(subcommand)]
        command: Hold,
        #[command(flatten)]
        environment: Environment,
    },
    /// Our own tables in an environment's database
    Ledger {
        #[command(subcommand)]
        command: Ledger,
        #[command(flatten)]
        environment: Environment,
    },
    /// Receipts, with which an environment shows others what has succeeded in it
    Receipt {
        #[command(subcommand)]
        command: Receipt,
    },
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
    #[command(after_help = history::REPAIR_EXAMPLES)]
    Repair(Repair),
    /// Take back every migration above a version, the last applied first, by the .down.sql that stood beside each
    #[command(after_help = history::ROLLBACK_EXAMPLES)]
    Rollback(Rollback),
    /// Write what all migrations make into one file, for databases that are empty (`when_empty: snapshot`)
    Snapshot,
    /// Every index of an environment's database, and the repair of those that are invalid
    Index {
        #[command(subcommand)]
        command: Index,
    },
    /// The databases of an environment that is a fleet: how each stands, and another try for those that failed
    Fleet {
        #[command(subcommand)]
        command: Fleet,
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
    /// Print what runs the deploys of an environment elsewhere: a Dockerfile, a compose file, a Kubernetes Job, a CI pipeline
    Manifest(Manifest),
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Environment {
    /// The environment; default: the only one, or `dev` where that one is embedded. NAME/DATABASE is one of a fleet
    #[arg(long = "env", global = true, value_name = "NAME", env = "PGDEPLOY_ENV", hide_env_values = true)]
    pub(crate) name: Option<String>,
}
