//! N small migrations in the format of each tool.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use scratch::Server;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// The files of one database.
pub(crate) struct Set {
    directory: TempDir,
    files: usize,
    pub(crate) url: String,
    pub(crate) socket: PathBuf,
    pub(crate) database: String,
}

/// Of three files the first makes a table, and the others give it a column each.
fn sql(nth: usize) -> String {
    let table = (nth - 1) / 3;
    match nth % 3 {
        1 => format!(
            "CREATE TABLE t_{table:04} (\n    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n    tenant_id bigint NOT NULL,\n    \
             name text,\n    created_at timestamptz NOT NULL DEFAULT now()\n);\n"
        ),
        2 => format!("ALTER TABLE t_{table:04} ADD COLUMN note text;\n"),
        _ => format!("ALTER TABLE t_{table:04} ADD COLUMN qty int NOT NULL DEFAULT 0;\n"),
    }
}

fn name(nth: usize) -> String {
    let table = (nth - 1) / 3;
    let what = ["add_qty", "create", "add_note"][nth % 3];
    format!("{what}_t_{table:04}")
}

const ALEMBIC_ENV: &str = "from alembic import context
from sqlalchemy import create_engine, pool
import os
with create_engine(os.environ['SA_URL'], poolclass=pool.NullPool).connect() as c:
    context.configure(connection=c, target_metadata=None, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
";

impl Set {
    pub(crate) fn new(files: usize, url: &str, socket: &Path, database: &str) -> Result<Self> {
        let directory = TempDir::new()?;
        let set = Self {
            directory,
            files,
            url: url.to_owned(),
            socket: socket.to_owned(),
            database: database.to_owned(),
        };
        set.write(
            "pipeline.yaml",
            "version: 1\nname: bench\nenvironments:\n  bench: { database: \"${BENCH_URL}\" }\n",
        )?;
        set.write("alembic.ini", "[alembic]\nscript_location = %(here)s/alembic\npath_separator = os\n")?;
        set.write("alembic/env.py", ALEMBIC_ENV)?;
        let mut raw = "\\set ON_ERROR_STOP 1\n\\set QUIET 1\nCREATE TABLE h (v int PRIMARY KEY, name text NOT NULL, sum bytea NOT NULL, at timestamptz NOT NULL DEFAULT now());\n".to_owned();
        for nth in 1..=files {
            let (text, name) = (sql(nth), name(nth));
            set.write(&format!("migrations/{nth:04}_{name}.sql"), &text)?;
            set.write(&format!("refinery/V{nth}__{name}.sql"), &text)?;
            set.write(
                &format!("dbmate/{nth:04}_{name}.sql"),
                &format!("-- migrate:up\n{text}\n-- migrate:down\n"),
            )?;
            let down = if nth == 1 { "None".to_owned() } else { format!("'r{:05}'", nth - 1) };
            set.write(
                &format!("alembic/versions/r{nth:05}_{name}.py"),
                &format!(
                    "from alembic import op\nrevision='r{nth:05}'\ndown_revision={down}\nbranch_labels=None\ndepends_on=None\n\
                     def upgrade():\n    op.execute({text:?})\ndef downgrade():\n    pass\n"
                ),
            )?;
            let hash: String =
                Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
            write!(
                raw,
                "BEGIN;\n{text}INSERT INTO h (v, name, sum) VALUES ({nth}, '{name}', '\\x{hash}');\nCOMMIT;\n"
            )?;
        }
        set.write("raw.sql", &raw)?;
        Ok(set)
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    fn write(&self, path: &str, text: &str) -> Result<()> {
        let full = self.path().join(path);
        if let Some(parent) = full.parent() {
            std::fs::create_dir_all(parent)?;
        }
        Ok(std::fs::write(full, text)?)
    }

    /// That the tool has done it all: the last table is there with all columns that the files give it.
    pub(crate) fn ensure_complete(&self, server: &Server) -> Result<()> {
        let query = "SELECT count(*) FROM pg_attribute WHERE attrelid IN (SELECT oid FROM pg_class WHERE relname ~ '^t_[0-9]{4}$') AND attnum > 0";
        let output = std::process::Command::new(server.binaries().program("psql"))
            .args(["-XAtc", query, &self.url])
            .output()?;
        let tables = self.files.div_ceil(3);
        let columns = tables * 4 + (self.files - tables);
        let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        ensure!(found == columns.to_string(), "{found} columns instead of {columns}");
        Ok(())
    }
}
