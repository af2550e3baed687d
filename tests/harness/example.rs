//! The repository's own example, copied to a directory of the test's own, with as many rows as the test likes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::harness::Outcome;

pub(crate) struct Example {
    directory: TempDir,
}

impl Example {
    /// `leads` rows of leads and about three times as many calls; the real one has 300,000.
    pub(crate) fn with_leads(leads: u32) -> Self {
        let example = Self { directory: TempDir::new().expect("a directory") };
        for path in ["pipeline.yaml", "migrations", "indexes", "backfills", "tests/fixtures"] {
            copy(&root().join(path), &example.path().join(path));
        }
        let fixtures = example.path().join("tests/fixtures/crm.sql");
        let text = std::fs::read_to_string(&fixtures).expect("the fixtures");
        assert!(text.contains("300000") && text.contains("1000000"), "the sizes are spelled out");
        let calls = u64::from(leads) * 10 / 3;
        let text = text.replace("1000000", &calls.to_string()).replace("300000", &leads.to_string());
        std::fs::write(fixtures, text).expect("the fixtures");
        example
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgdeploy"));
        command
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.env_remove("PGDEPLOY_ENV").env_remove("PGDEPLOY_CONFIG").env("NO_COLOR", "1");
        command
    }

    #[track_caller]
    pub(crate) fn pgdeploy(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command(arguments).output().expect("the binary"))
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().expect("the binary")
    }

    /// The answer to a query on the embedded database, through `pgdeploy dev psql`.
    #[track_caller]
    pub(crate) fn query(&self, text: &str) -> String {
        self.pgdeploy(&["dev", "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", text])
            .exits(0)
            .stdout
            .trim()
            .to_owned()
    }
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Copies a folder.
pub(crate) fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        for entry in std::fs::read_dir(from).expect("a folder") {
            let entry = entry.expect("an entry");
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        std::fs::create_dir_all(to.parent().expect("a parent")).expect("a folder");
        std::fs::copy(from, to).expect("a file");
    }
}
