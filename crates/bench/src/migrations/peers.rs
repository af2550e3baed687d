//! The peers, installed by the ordinary clients of their registries.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::table::Table;

/// `target/peers`.
pub(crate) fn directory() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.ancestors().nth(2).context("a target directory")?.join("peers"))
}

/// Installs them, and says which versions.
pub(crate) fn install() -> Result<Table> {
    let peers = directory()?;
    std::fs::create_dir_all(&peers)?;
    let root = peers.display().to_string();
    let venv = peers.join("venv").display().to_string();
    let pip = peers.join("venv/bin/pip").display().to_string();
    let commands: [&[&str]; 5] = [
        &[
            "cargo",
            "install",
            "--locked",
            "--root",
            &root,
            "sqlx-cli",
            "--no-default-features",
            "--features",
            "postgres",
        ],
        &[
            "cargo",
            "install",
            "--locked",
            "--root",
            &root,
            "refinery_cli",
            "--no-default-features",
            "--features",
            "postgresql",
        ],
        &["npm", "install", "--prefix", &root, "--no-audit", "--no-fund", "dbmate"],
        &["python3", "-m", "venv", &venv],
        &[&pip, "install", "--quiet", "alembic", "psycopg[binary]"],
    ];
    for command in commands {
        let status = Command::new(command[0]).args(&command[1..]).current_dir(&peers).status();
        let status = status.with_context(|| command.join(" "))?;
        ensure!(status.success(), "{}: {status}", command.join(" "));
    }
    let mut table = Table::new("peers", &["tool", "version"]);
    for (tool, program) in [
        ("sqlx-cli", "bin/sqlx"),
        ("refinery_cli", "bin/refinery"),
        ("dbmate", "node_modules/.bin/dbmate"),
        ("alembic", "venv/bin/alembic"),
    ] {
        let output = Command::new(peers.join(program)).arg("--version").output().with_context(|| tool)?;
        table.row(vec![tool.to_owned(), String::from_utf8_lossy(&output.stdout).trim().to_owned()]);
    }
    Ok(table)
}
