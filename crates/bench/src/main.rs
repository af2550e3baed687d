//! Measurements, side by side in one run, on throwaway servers: `cargo run --release -p pgdeploy-bench -- COMMAND`.
//!
//! A figure alone says nothing about another machine; each command measures what it is compared with in the same run,
//! prints a table, and writes the numbers with `--json FILE`. None of this is a test: nothing passes or fails by time.

mod adopt;
mod backfill;
mod chaos;
mod cores;
mod fleet;
mod guard;
mod index;
mod lossy;
mod measured;
mod migrations;
mod shapes;
mod stall;
mod table;
mod traffic;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(version, about = "Side-by-side measurements of pgdeploy and its peers")]
struct Arguments {
    /// Also writes the table as JSON to this file.
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Databases made by Alembic, Django, Prisma, dbmate, sqlx and refinery themselves, adopted.
    Adopt(adopt::Adopt),
    /// A full-table correlated UPDATE as one statement, along the key, and over blocks.
    Backfill(backfill::Backfill),
    /// One release over 200 databases in waves with some that fail, or over 1,500 with nothing to do.
    Fleet(fleet::Fleet),
    /// The guard beside squawk and eugene on its corpus: what is found, false alarms, time.
    Guard(guard::Guard),
    /// Four index builds on two tables by one worker and by two, and the plan of 500 declared indexes.
    Index(index::Index),
    /// Backfills among kills, killed backends, frozen processes and lost COMMITs: rows done twice, rows missed.
    Chaos(chaos::Chaos),
    #[command(hide = true)]
    ChaosWorker(chaos::ChaosWorker),
    /// Many small migrations, fresh and with nothing to do, beside psql and peers.
    Migrations(migrations::Migrations),
    /// A migration behind a long reader: how long writers stall.
    Stall(stall::Stall),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let table = match arguments.command {
        Command::Adopt(adopt) => adopt.measure().await?,
        Command::Backfill(backfill) => backfill.measure().await?,
        Command::Fleet(fleet) => fleet.measure().await?,
        Command::Guard(guard) => guard.measure()?,
        Command::Index(index) => index.measure().await?,
        Command::Chaos(chaos) => chaos.measure().await?,
        Command::ChaosWorker(worker) => return worker.work().await,
        Command::Migrations(migrations) => migrations.measure()?,
        Command::Stall(stall) => stall.measure().await?,
    };
    table.print();
    if let Some(path) = arguments.json {
        std::fs::write(path, table.json())?;
    }
    Ok(())
}
