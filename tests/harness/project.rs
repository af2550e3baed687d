//! A release in a temporary directory.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::harness::{Client, Outcome, database};

/// pipeline.yaml and the three folders, with one environment `prod` on a database of the test's own.
pub(crate) struct Project {
    directory: TempDir,
    pub(crate) url: String,
    variables: Vec<(String, String)>,
}

/// A run that has not ended yet.
pub(crate) struct Running {
    child: Child,
}

impl Project {
    /// An empty release for a new database.
    pub(crate) fn new() -> Self {
        Self::at(&database())
    }

    /// An empty release for a database that is already there.
    pub(crate) fn at(url: &str) -> Self {
        let project = Self {
            directory: TempDir::new().expect("a directory"),
            url: url.to_owned(),
            variables: Vec::new(),
        };
        project.pipeline("").variable("TEST_URL", url)
    }

    /// The pipeline's text: what every test has, and then `more`.
    pub(crate) fn pipeline(self, more: &str) -> Self {
        let text = format!(
            "version: 1\nname: test\nenvironments:\n  prod: {{ database: \"${{TEST_URL}}\" }}\n{more}"
        );
        self.file("pipeline.yaml", &text)
    }

    /// Writes a file of the release.
    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        self.write(path, text.as_bytes());
        self
    }

    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        let full = self.path().join(path);
        std::fs::create_dir_all(full.parent().expect("a parent")).expect("a folder");
        std::fs::write(full, bytes).expect("a file");
    }

    pub(crate) fn remove(&self, path: &str) {
        std::fs::remove_file(self.path().join(path)).expect("a file to remove");
    }

    /// A variable of the binary's environment.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A variable's value.
    pub(crate) fn value_of(&self, name: &str) -> &str {
        let found = self.variables.iter().rev().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// The same release, with its clients at another database.
    pub(crate) fn at_database(self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A session of somebody else with the same database.
    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.url)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(env!("CARGO_BIN_EXE_pgdeploy"), arguments)
    }

    fn command_of(&self, binary: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary);
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command.env_remove("PGDEPLOY_ENV").env_remove("PGDEPLOY_CONFIG").env("NO_COLOR", "1");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs `pgdeploy` with these arguments to its end.
    #[track_caller]
    pub(crate) fn pgdeploy(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command(arguments).output().expect("the binary"))
    }

    /// The same with another value of one variable.
    #[track_caller]
    pub(crate) fn pgdeploy_with(&self, arguments: &[&str], name: &str, value: &str) -> Outcome {
        Outcome::of(self.command(arguments).env(name, value).output().expect("the binary"))
    }

    /// Starts `pgdeploy` with another value of one variable.
    pub(crate) fn start_with(&self, arguments: &[&str], name: &str, value: &str) -> Running {
        let mut command = self.command(arguments);
        command.env(name, value).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running { child: command.spawn().expect("the binary") }
    }

    /// Runs `deploy_production` with these arguments to its end.
    pub(crate) fn deploy_production(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(
            self.command_of(env!("CARGO_BIN_EXE_deploy_production"), arguments).output().expect("the binary"),
        )
    }

    /// `pgdeploy deploy`.
    #[track_caller]
    pub(crate) fn deploy(&self) -> Outcome {
        self.pgdeploy(&["deploy"])
    }

    /// Starts `pgdeploy` and does not wait for it.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let child = self
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary");
        Running { child }
    }

    /// The same with a pipe on stdout that nobody reads any more.
    pub(crate) fn start_without_a_reader(&self, arguments: &[&str]) -> Running {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        Running {
            child: self.command(arguments).stdout(writer).stderr(Stdio::piped()).spawn().expect("the binary"),
        }
    }

    /// The same with stdout in a file, which a test can read while it runs.
    pub(crate) fn start_into(&self, arguments: &[&str], output: &Path) -> Running {
        let file = std::fs::File::create(output).expect("a file");
        Running {
            child: self.command(arguments).stdout(file).stderr(Stdio::piped()).spawn().expect("the binary"),
        }
    }
}

impl Running {
    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("a process to signal");
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// Waits for its end.
    pub(crate) fn wait(self) -> Outcome {
        Outcome::of(self.child.wait_with_output().expect("a child"))
    }
}
