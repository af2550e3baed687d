//! The throwaway server: for checks and tests, gone without a trace when its owner is.

use crate::account::Account;
use crate::binaries::Binaries;
use crate::client;
use crate::error::Error;
use crate::initdb::initdb;
use crate::keeper::{Ending, Keeper, Watch};
use crate::pidfile::PidFile;
use crate::postmaster::{Mode, Postmaster, new_run_dir, tail};
use crate::sweeper::Sweeper;
use crate::url::url;
use std::fs;
use std::io::{self, PipeWriter, Write};
use std::path::{Path, PathBuf};

/// Nothing has to outlive a crash of the machine (manual 14.5, "Non-Durable Settings"). A crash of the server is
/// another matter: tests stop it at once and ask for what was committed, so commits stay synchronous.
/// The log is kept short: checkpoints cost nothing that way, and many servers share one disk.
const FAST: [(&str, &str); 3] = [("fsync", "off"), ("full_page_writes", "off"), ("max_wal_size", "256MB")];

/// The options of a throwaway server.
#[derive(Debug, Default)]
pub struct Builder {
    binaries: Option<Binaries>,
    settings: Vec<(String, String)>,
}

impl Builder {
    /// A server setting (manual 20), `wal_level` = `logical` for one.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The programs to use instead of those [`Binaries::find`] finds.
    #[must_use]
    pub fn binaries(mut self, binaries: Binaries) -> Self {
        self.binaries = Some(binaries);
        self
    }

    /// Makes the data directory and starts the server on it.
    ///
    /// # Errors
    /// No programs, no user to run them as, or the end of the log of what failed.
    pub fn start(self) -> Result<Server, Error> {
        let binaries = self.binaries.map_or_else(Binaries::find, Ok)?;
        let account = Account::for_server()?;
        let made = new_run_dir(&account)?;
        let sweeper = Sweeper::over(made.path(), &account)?;
        let dir = made.keep();
        let token = sweeper.token().map_err(Error::io("open a pipe for", &dir))?;
        initdb(&binaries, &account, &dir, &dir.join("data"), token)?;
        let fast = FAST.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings = fast.chain(self.settings).collect();
        let mut server = Server { running: None, sweeper, binaries, account, dir, settings };
        server.start()?;
        Ok(server)
    }
}

/// A server in a temporary directory. Dropping it stops it and removes everything; so does the end of our
/// process by any signal, SIGKILL included.
#[derive(Debug)]
pub struct Server {
    /// The pipe whose closing stops the server, and who waits for it. Closed before `sweeper` is dropped.
    running: Option<(PipeWriter, Keeper)>,
    sweeper: Sweeper,
    binaries: Binaries,
    account: Account,
    dir: PathBuf,
    settings: Vec<(String, String)>,
}

impl Server {
    /// A new server with nothing in it but the database `postgres`.
    ///
    /// # Errors
    /// See [`Builder::start`].
    pub fn throwaway() -> Result<Self, Error> {
        Self::builder().start()
    }

    /// The same with settings of one's own.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Starts it again after [`Server::stop`]; nothing happens if it runs.
    ///
    /// # Errors
    /// The end of its log.
    pub fn start(&mut self) -> Result<(), Error> {
        if self.running.is_some() {
            return Ok(());
        }
        let (users, ours) = io::pipe().map_err(Error::io("open a pipe for", &self.dir))?;
        let token = self.sweeper.token().map_err(Error::io("open a pipe for", &self.dir))?;
        let (data, log) = (self.data_dir(), self.log_path());
        let (account, run) = (&self.account, &*self.dir);
        let ending = Ending::Immediate;
        let watch = Watch { account, ending, run, log: &log, sweep: None, users: users.into(), token };
        let (binaries, settings) = (&self.binaries, &*self.settings);
        let keeper = Postmaster { binaries, data: &data, run, log: &log, settings }.start(watch)?;
        self.running = Some((ours, keeper));
        Ok(())
    }

    /// Stops it and keeps its data, to look at what clients do without it; nothing happens if it is stopped.
    ///
    /// # Errors
    /// Only if the process that watches it cannot be waited for.
    pub fn stop(&mut self, mode: Mode) -> Result<(), Error> {
        let Some((mut ours, mut keeper)) = self.running.take() else { return Ok(()) };
        // A keeper whose server has crashed is gone; then there is nothing to stop.
        let _ = writeln!(ours, "{}", mode.ending().signal());
        keeper.wait().map(drop).map_err(Error::io("wait for the server in", &self.dir))
    }

    /// Stops and starts it.
    ///
    /// # Errors
    /// Those of both.
    pub fn restart(&mut self, mode: Mode) -> Result<(), Error> {
        self.stop(mode)?;
        self.start()
    }

    /// A new, empty database.
    ///
    /// # Errors
    /// [`Error::Statement`], if the name is taken for one; [`Error::Ended`], if the server is gone.
    pub fn create_database(&self, name: &str) -> Result<(), Error> {
        client::create_database(&self.binaries, &self.dir, name).map_err(|error| match error {
            Error::Statement { said } if self.pid().is_none() => {
                let log = self.log_path();
                Error::Ended { said, tail: tail(&log), log }
            }
            other => other,
        })
    }

    /// A connection URL for the superuser `postgres`, which sqlx and libpq understand.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        url(&self.dir, database)
    }

    /// The directory of the socket `.s.PGSQL.5432`.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.dir
    }

    /// The data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// The server's log.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.dir.join("server.log")
    }

    /// The log's text, empty if there is none yet.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(self.log_path())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The postmaster's process id, `None` while it is stopped.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        PidFile::read(&self.data_dir()).map(|file| file.pid)
    }

    /// The programs it runs on.
    #[must_use]
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// The user it runs as.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((ours, mut keeper)) = self.running.take() {
            drop(ours);
            // The directory is removed by the sweeper in any case.
            let _ = keeper.wait();
        }
    }
}
