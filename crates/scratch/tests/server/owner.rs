//! Another process that owns a server: this test binary once more, in a role.

use crate::support::kill;
use scratch::{Binaries, Embedded, Server};
use std::env;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

const ROLE: &str = "SCRATCH_TEST_ROLE";
const DIR: &str = "SCRATCH_TEST_DIR";
const MARK: &str = "owner says ";

/// Plays the role that the environment names; as one of the tests, it has none and nothing to show.
#[test]
fn plays_the_role_it_is_started_for() {
    let Ok(role) = env::var(ROLE) else { return };
    match role.as_str() {
        "throwaway" => {
            let server = Server::throwaway().unwrap();
            println!("{MARK}{} {}", server.pid().unwrap(), server.socket_dir().display());
            until_told();
        }
        "embedded" => {
            let running = Embedded::at(Path::new(&env::var(DIR).unwrap())).unwrap().start().unwrap();
            println!("{MARK}{} {}", running.pid(), running.socket_dir().display());
            until_told();
        }
        "find" => println!("{MARK}0 {}", Binaries::find().map_or_else(|e| e.to_string(), |_| "found".into())),
        other => panic!("no role {other}"),
    }
}

fn until_told() {
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// The other process. It ends its role when told to or dropped.
pub(crate) struct Owner {
    child: Child,
    stdin: Option<ChildStdin>,
    out: BufReader<std::process::ChildStdout>,
}

impl Owner {
    /// Starts it, in a process group of its own and deaf to SIGINT.
    pub(crate) fn start(role: &str, environment: &[(&str, &Path)]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' INT; exec \"$@\"", "sh"]).arg(env::current_exe().unwrap());
        command.args(["--exact", "owner::plays_the_role_it_is_started_for", "--nocapture"]);
        command.env(ROLE, role).envs(environment.iter().copied()).process_group(0);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, out) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, stdin, out }
    }

    pub(crate) fn embedded(dir: &Path) -> Self {
        Self::start("embedded", &[(DIR, dir)])
    }

    /// The server's number and its directory, once it is ready.
    pub(crate) fn says(&mut self) -> (u32, PathBuf) {
        let mut seen = String::new();
        loop {
            let start = seen.len();
            assert_ne!(self.out.read_line(&mut seen).unwrap(), 0, "the owner ended: {seen}");
            // The test harness prints its own words, without a line end, before ours.
            if let Some((_, said)) = seen[start..].split_once(MARK) {
                let (number, rest) = said.trim().split_once(' ').unwrap();
                return (number.parse().unwrap(), rest.into());
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(mut self) {
        kill(self.child.id());
        self.child.wait().unwrap();
    }

    /// Lets it end in good order.
    pub(crate) fn finish(mut self) {
        self.stdin = None;
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.child.wait();
    }
}
