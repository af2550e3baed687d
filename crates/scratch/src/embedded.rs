//! The embedded server: kept on disk, shared by the processes that use it.

use crate::account::Account;
use crate::binaries::Binaries;
use crate::error::Error;
use crate::initdb::{initdb, version_of};
use crate::keeper::{Ending, Watch};
use crate::location::Location;
use crate::lock::Lock;
use crate::pidfile::PidFile;
use crate::postmaster::{OTHERS_WITHIN, Postmaster, TICK, new_run_dir};
use crate::running::Running;
use crate::users::Users;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread::sleep;
use std::time::Instant;

/// A server whose data are kept in a directory, with PostgreSQL's durable settings.
#[derive(Debug)]
pub struct Embedded {
    location: Location,
    account: Account,
    binaries: Option<Binaries>,
}

impl Embedded {
    /// The server of `dir`, which is `.pgdeploy/` beside pipeline.yaml. Nothing is made or started yet.
    ///
    /// # Errors
    /// [`Error::NoAccount`], or the path cannot be read.
    pub fn at(dir: &Path) -> Result<Self, Error> {
        let account = Account::for_server()?;
        Ok(Self { location: Location::of(dir, &account)?, account, binaries: None })
    }

    /// The programs to use instead of those [`Binaries::find`] finds.
    #[must_use]
    pub fn binaries(mut self, binaries: Binaries) -> Self {
        self.binaries = Some(binaries);
        self
    }

    /// Where its files are.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Whether there are data from an earlier start.
    #[must_use]
    pub fn is_initialised(&self) -> bool {
        version_of(&self.location.data_dir()).is_some()
    }

    /// Whether somebody runs it at the moment.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.location.base().is_dir()
            && self.location.server_lock().and_then(|lock| lock.is_taken()).unwrap_or(false)
    }

    /// Uses the server: joins the running one, or makes the data on first use and starts it.
    ///
    /// # Errors
    /// Data of another major version or another user, no programs, or the end of the log of what failed.
    pub fn start(&self) -> Result<Running, Error> {
        let binaries = self.binaries.clone().map_or_else(Binaries::find, Ok)?;
        self.location.prepare(&self.account)?;
        let deadline = Instant::now() + OTHERS_WITHIN;
        let presence = self.location.users_lock()?;
        // Waits while the last user before us stops the server.
        presence.share()?;
        loop {
            let lock = self.location.server_lock()?;
            if lock.try_take()? {
                return self.launch(binaries, presence, lock);
            }
            // Somebody's keeper has the lock: its server is running, starting or stopping.
            if let Some(users) = Users::join(&self.location.socket_link(), &lock)? {
                let run = users.run().to_owned();
                let (data, log) = (self.location.data_dir(), self.location.log_path());
                let server =
                    Postmaster { binaries: &binaries, data: &data, run: &run, log: &log, settings: &[] };
                let pid = server.wait_until_ready(|| lock.is_taken().is_ok_and(|taken| !taken))?;
                return Ok(Running::new(self.location.clone(), binaries, presence, users, None, pid, false));
            }
            self.busy_after(deadline)?;
        }
    }

    /// Starts the server; `lock` says that nobody else does and goes to the keeper.
    fn launch(&self, binaries: Binaries, presence: Lock, lock: Lock) -> Result<Running, Error> {
        let (data, log) = (self.location.data_dir(), self.location.log_path());
        PidFile::clear(&data);
        let is_new = !self.is_initialised();
        if is_new {
            self.initialise(&binaries, &lock)?;
        }
        let made_by = version_of(&data).unwrap_or_default();
        if made_by != binaries.major_version().to_string() {
            let (bindir, programs) = (binaries.dir().to_owned(), binaries.major_version());
            return Err(Error::VersionChanged { dir: data, data: made_by, bindir, programs });
        }
        // One log per run: what an error shows is of this start. There is none before the first.
        let _ = fs::rename(&log, log.with_extension("log.old"));

        let made = new_run_dir(&self.account)?;
        let run = made.path().to_owned();
        let (users, reader) = Users::first(&run, &self.account)?;
        let link = self.location.socket_link();
        // A link to a directory that is gone is what a killed machine leaves.
        let _ = fs::remove_file(&link);
        symlink(&run, &link).map_err(Error::io("link", &link))?;
        let (account, ending) = (&self.account, Ending::Fast);
        let (sweep, token) = (Some(&*run), lock.hand_over());
        let watch = Watch { account, ending, run: &run, log: &log, sweep, users: reader.into(), token };
        let server = Postmaster { binaries: &binaries, data: &data, run: &run, log: &log, settings: &[] };
        let keeper = server.start(watch)?;
        let pid = server.wait_until_ready(|| false)?;
        // From here the keeper removes it.
        let _ = made.keep();
        Ok(Running::new(self.location.clone(), binaries, presence, users, Some(keeper), pid, is_new))
    }

    /// Runs initdb beside the data directory and moves the result there: what is at its place is whole.
    fn initialise(&self, binaries: &Binaries, lock: &Lock) -> Result<(), Error> {
        let (home, data) = (self.location.home(), self.location.data_dir());
        let half = home.join("data.new");
        for leftover in [&half, &data] {
            if leftover.exists() {
                fs::remove_dir_all(leftover).map_err(Error::io("remove", leftover))?;
            }
        }
        initdb(binaries, &self.account, home, &half, lock.copy()?)?;
        fs::rename(&half, &data).map_err(Error::io("rename", &half))
    }

    /// Stops the server whoever uses it, as `pg_ctl stop` would; whether there was one.
    ///
    /// # Errors
    /// [`Error::Busy`] if it does not stop.
    pub fn stop(&self) -> Result<bool, Error> {
        if !self.location.base().is_dir() {
            return Ok(false);
        }
        self.halt().map(|(_, was_running)| was_running)
    }

    /// Stops the server and removes its data and log, wherever they are.
    ///
    /// # Errors
    /// [`Error::Busy`] if it does not stop, or a file cannot be removed.
    pub fn reset(&self) -> Result<(), Error> {
        if !self.location.base().is_dir() {
            return Ok(());
        }
        let _nobody_starts_it = self.halt()?;
        self.location.clear()
    }

    /// Ends the server and comes back with the lock that keeps others from starting it.
    fn halt(&self) -> Result<(Lock, bool), Error> {
        let deadline = Instant::now() + OTHERS_WITHIN;
        let lock = self.location.server_lock()?;
        let mut was_running = false;
        while !lock.try_take()? {
            was_running = true;
            // There is no pipe before the server starts and after it has stopped: then waiting is all there is.
            Users::end(&self.location.socket_link(), Ending::Fast);
            self.busy_after(deadline)?;
        }
        PidFile::clear(&self.location.data_dir());
        Ok((lock, was_running))
    }

    fn busy_after(&self, deadline: Instant) -> Result<(), Error> {
        if Instant::now() > deadline {
            let dir = self.location.base().to_owned();
            return Err(Error::Busy { dir, seconds: OTHERS_WITHIN.as_secs() });
        }
        sleep(TICK);
        Ok(())
    }
}
