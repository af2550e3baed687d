//! One run of `postgres` on a data directory, from its start until it is ready.

use crate::account::Account;
use crate::binaries::Binaries;
use crate::error::Error;
use crate::keeper::{Keeper, Watch};
use crate::pidfile::PidFile;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub(crate) use crate::keeper::Ending;

/// How long a start may take; recovery after a crash is part of it.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// How long another process may take to start or stop a server; longer than it takes to give up.
pub(crate) const OTHERS_WITHIN: Duration = Duration::from_secs(150);

/// How often files are looked at while something is awaited.
pub(crate) const TICK: Duration = Duration::from_millis(5);

/// Room for the longest socket address: 108 bytes on Linux, 104 elsewhere, one of them the closing zero.
const SOCKET_LIMIT: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The socket's file name, by PostgreSQL's rule from the default port.
const SOCKET: &str = ".s.PGSQL.5432";

/// How a running server is asked to stop (manual 19.5, "Shutting Down the Server").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// SIGINT: sessions are ended, their transactions rolled back, the data written out.
    Fast,
    /// SIGQUIT: at once, as in a crash; the next start recovers from the write-ahead log.
    Immediate,
}

impl Mode {
    pub(crate) fn ending(self) -> Ending {
        match self {
            Self::Fast => Ending::Fast,
            Self::Immediate => Ending::Immediate,
        }
    }
}

/// What a server is started with.
pub(crate) struct Postmaster<'a> {
    pub(crate) binaries: &'a Binaries,
    pub(crate) data: &'a Path,
    /// The directory of the socket and of the keeper's answers.
    pub(crate) run: &'a Path,
    pub(crate) log: &'a Path,
    /// Settings by name (manual 20), the later one wins.
    pub(crate) settings: &'a [(String, String)],
}

impl Postmaster<'_> {
    /// Starts the server under a keeper and waits until it takes connections.
    pub(crate) fn start(&self, watch: Watch<'_>) -> Result<Keeper, Error> {
        let mut argv = vec![self.binaries.program("postgres").display().to_string()];
        argv.extend([
            "-D".into(),
            self.data.display().to_string(),
            "-k".into(),
            self.run.display().to_string(),
        ]);
        let fixed =
            [("port", "5432"), ("listen_addresses", "")].map(|(name, value)| (name.into(), value.into()));
        for (name, value) in fixed.iter().chain(self.settings) {
            argv.extend(["-c".to_owned(), format!("{name}={value}")]);
        }
        // A former server's number must not be taken for this one's.
        let _ = fs::remove_file(self.run.join("pid"));
        let mut keeper = Keeper::start(watch, &argv)?;
        self.wait_until_ready(|| keeper.has_ended())?;
        Ok(keeper)
    }

    /// Waits until the server that the keeper runs says that it is ready; its number.
    pub(crate) fn wait_until_ready(&self, mut has_ended: impl FnMut() -> bool) -> Result<u32, Error> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            // The file of a crashed server also says `ready`: it must name the process that runs now.
            if let Some(file) = PidFile::read(self.data)
                && file.ready
                && kept_pid(self.run) == Some(file.pid)
            {
                return Ok(file.pid);
            }
            if has_ended() {
                return Err(Error::StartFailed { log: self.log.to_owned(), tail: tail(self.log) });
            }
            if Instant::now() > deadline {
                let (log, tail) = (self.log.to_owned(), tail(self.log));
                return Err(Error::NotReady { seconds: READY_WITHIN.as_secs(), log, tail });
            }
            sleep(TICK);
        }
    }
}

/// The number the keeper noted for the program it runs.
fn kept_pid(run: &Path) -> Option<u32> {
    fs::read_to_string(run.join("pid")).ok()?.trim().parse().ok()
}

/// Whether a socket in `dir` has an address that fits.
pub(crate) fn socket_fits(dir: &Path) -> bool {
    dir.join(SOCKET).as_os_str().len() <= SOCKET_LIMIT
}

/// A new directory for a socket, which only the server's user can enter (and root): that is what keeps others
/// out of a server that trusts everybody who reaches it.
pub(crate) fn new_run_dir(account: &Account) -> Result<tempfile::TempDir, Error> {
    let mut tried = Vec::new();
    for parent in [std::env::temp_dir(), PathBuf::from("/tmp")] {
        let fits = socket_fits(&parent.join("pgdeploy-123456"));
        if fits && account.may(&["-w", "-x"], &parent) {
            let made = tempfile::Builder::new().prefix("pgdeploy-").tempdir_in(&parent);
            let dir = made.map_err(Error::io("make a directory in", &parent))?;
            account.own(dir.path())?;
            return Ok(dir);
        }
        tried.push(parent.display().to_string());
    }
    Err(Error::NoSocketDir { tried, limit: SOCKET_LIMIT })
}

/// The last lines of a log, for an error.
pub(crate) fn tail(log: &Path) -> String {
    const LINES: usize = 15;
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
