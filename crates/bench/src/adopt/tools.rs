//! Installing the tools, each with its ordinary client, and running them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::Real;

/// Runs Prisma's own schema engine, the build that needs no download of its own.
const PRISMA: &str = include_str!("prisma.mjs");

pub(crate) struct Tools {
    pub(crate) home: PathBuf,
}

impl Tools {
    /// Installs a tool unless it is there, and says its version.
    pub(crate) fn install(&self, tool: Real) -> anyhow::Result<String> {
        std::fs::create_dir_all(&self.home)?;
        match tool {
            Real::Alembic => self.pip("alembic", &["alembic", "psycopg2-binary"]),
            Real::Django => self.pip("django", &["django", "psycopg[binary]"]),
            Real::Prisma => {
                let packages =
                    ["@prisma/schema-engine-wasm", "@prisma/adapter-pg", "@prisma/driver-adapter-utils"];
                let version = self.npm("@prisma/schema-engine-wasm", &packages)?;
                std::fs::write(self.home.join("node/prisma.mjs"), PRISMA)?;
                Ok(version)
            }
            Real::Dbmate => self.npm("dbmate", &["dbmate"]),
            Real::Sqlx => self.cargo("sqlx", "sqlx-cli", "postgres,native-tls"),
            Real::Refinery => self.cargo("refinery", "refinery_cli", "postgresql"),
        }
    }

    fn pip(&self, package: &str, packages: &[&str]) -> anyhow::Result<String> {
        let python = self.python();
        if !python.is_file() {
            run(Command::new("python3").args(["-m", "venv"]).arg(self.home.join("py")))?;
        }
        let pip = |arguments: &[&str]| run(Command::new(&python).args(["-m", "pip"]).args(arguments));
        let shown = || pip(&["show", package]);
        if shown().is_err() {
            pip(&[&["install", "--quiet"], packages].concat())?;
        }
        let shown = shown()?;
        let version = shown.lines().find_map(|line| line.strip_prefix("Version: "));
        Ok(version.context("pip names no version")?.to_owned())
    }

    fn npm(&self, package: &str, packages: &[&str]) -> anyhow::Result<String> {
        let node = self.home.join("node");
        std::fs::create_dir_all(&node)?;
        let manifest = node.join("node_modules").join(package).join("package.json");
        if !manifest.is_file() {
            run(Command::new("npm")
                .args(["install", "--silent", "--no-fund", "--no-audit"])
                .args(packages)
                .current_dir(&node))?;
        }
        let manifest: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(manifest)?)?;
        Ok(manifest["version"].as_str().unwrap_or_default().to_owned())
    }

    fn cargo(&self, program: &str, package: &str, features: &str) -> anyhow::Result<String> {
        if !self.program(program).is_file() {
            let root = self.home.display().to_string();
            run(Command::new("cargo").args([
                "install",
                "--quiet",
                "--debug",
                "--root",
                &root,
                package,
                "--no-default-features",
                "--features",
                features,
            ]))?;
        }
        let version = run(Command::new(self.program(program)).arg("--version"))?;
        Ok(version.split_whitespace().last().unwrap_or_default().to_owned())
    }

    /// Where cargo puts a program.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.home.join("bin").join(name)
    }

    pub(crate) fn python(&self) -> PathBuf {
        self.home.join("py/bin/python")
    }

    pub(crate) fn node(&self, path: &str) -> PathBuf {
        self.home.join("node").join(path)
    }
}

/// Runs a program to its end; what it said, or an error with it.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<String> {
    let program = Path::new(command.get_program()).file_name().unwrap_or(OsStr::new("")).to_owned();
    let output = command.output().with_context(|| format!("{} cannot be started", program.display()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    anyhow::ensure!(
        output.status.success(),
        "{} ended with {}\n{said}{}",
        program.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(said)
}
