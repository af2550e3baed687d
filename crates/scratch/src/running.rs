//! One process's use of the embedded server.

use crate::binaries::Binaries;
use crate::client;
use crate::error::Error;
use crate::keeper::Keeper;
use crate::location::Location;
use crate::lock::Lock;
use crate::postmaster::{OTHERS_WITHIN, TICK, socket_fits};
use crate::url::url;
use crate::users::Users;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Instant;

/// The embedded server while we use it. Dropping it ends our use, and the last user's end stops the server.
#[derive(Debug)]
pub struct Running {
    location: Location,
    binaries: Binaries,
    /// A shared lock, by which the last user finds out that it is the last.
    presence: Lock,
    /// `None` after we have left.
    users: Option<Users>,
    /// Where we started the server ourselves.
    keeper: Option<Keeper>,
    run: PathBuf,
    pid: u32,
    is_new: bool,
}

impl Running {
    pub(crate) fn new(
        location: Location,
        binaries: Binaries,
        presence: Lock,
        users: Users,
        keeper: Option<Keeper>,
        pid: u32,
        is_new: bool,
    ) -> Self {
        let run = users.run().to_owned();
        Self { location, binaries, presence, users: Some(users), keeper, run, pid, is_new }
    }

    /// Whether this start made the data directory, so that the server is empty.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether the server was not running and this start started it.
    #[must_use]
    pub fn was_started(&self) -> bool {
        self.keeper.is_some()
    }

    /// A connection URL for the superuser `postgres`, which sqlx and libpq understand. The same after every
    /// start where the project's path is short enough for a socket's address.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        url(&self.socket_dir(), database)
    }

    /// The directory of the socket `.s.PGSQL.5432`.
    #[must_use]
    pub fn socket_dir(&self) -> PathBuf {
        let link = self.location.socket_link();
        if socket_fits(&link) { link } else { self.run.clone() }
    }

    /// Creates a database, unless it exists; whether it was created.
    ///
    /// # Errors
    /// [`Error::Statement`] with what psql said.
    pub fn ensure_database(&self, name: &str) -> Result<bool, Error> {
        client::ensure_database(&self.binaries, &self.run, name)
    }

    /// What the sessions of others call themselves, in any database.
    ///
    /// # Errors
    /// [`Error::Statement`] with what psql said.
    pub fn sessions(&self) -> Result<Vec<String>, Error> {
        client::sessions(&self.binaries, &self.run)
    }

    /// The postmaster's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Where the server's files are.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The programs it runs on, `psql` among them.
    #[must_use]
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Ends our use and lets the server run without users, until [`crate::Embedded::stop`]: for a URL that is
    /// handed to another program.
    ///
    /// # Errors
    /// [`Error::Busy`] if the keeper does not answer.
    pub fn keep(mut self) -> Result<(), Error> {
        self.users.as_mut().map_or(Ok(()), Users::keep)
    }

    /// Ends our use; stops the server if we were the last user, and waits for it. Whether it was stopped.
    ///
    /// # Errors
    /// [`Error::Busy`] if it does not stop.
    pub fn stop(mut self) -> Result<bool, Error> {
        self.leave()
    }

    fn leave(&mut self) -> Result<bool, Error> {
        let Some(users) = self.users.take() else { return Ok(false) };
        let is_kept = users.is_kept();
        drop(users);
        // Others have their shared lock, or are about to have it and will find the server or its end.
        if is_kept || !self.presence.try_take()? {
            return Ok(false);
        }
        // The lock and not our own keeper: a user who left before us may have started the server.
        let (lock, deadline) = (self.location.server_lock()?, Instant::now() + OTHERS_WITHIN);
        while lock.is_taken()? {
            if Instant::now() > deadline {
                let dir = self.location.base().to_owned();
                return Err(Error::Busy { dir, seconds: OTHERS_WITHIN.as_secs() });
            }
            sleep(TICK);
        }
        if let Some(keeper) = &mut self.keeper {
            keeper.wait().map_err(Error::io("wait for the server in", self.location.home()))?;
        }
        Ok(true)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The keeper stops the server in any case; here is only nobody to tell.
        let _ = self.leave();
    }
}
