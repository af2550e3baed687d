//! Who the server runs as: ourselves, or `postgres` or `nobody` where we are root.

use crate::error::Error;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// The operating system user the server's processes run as.
///
/// PostgreSQL refuses to run as root (manual 19.1, "The PostgreSQL User Account").
#[derive(Debug, Clone)]
pub struct Account {
    name: String,
    uid: u32,
    gid: u32,
    /// We are root and have to become this user.
    switch: bool,
}

impl Account {
    /// The user for a server started by this process.
    ///
    /// # Errors
    /// [`Error::NoAccount`] where we are root and there is neither `postgres` nor `nobody`.
    pub fn for_server() -> Result<Self, Error> {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        if !uid.is_root() {
            let name = format!("user id {}", uid.as_raw());
            return Ok(Self { name, uid: uid.as_raw(), gid: gid.as_raw(), switch: false });
        }
        ["postgres", "nobody"].into_iter().find_map(Self::named).ok_or(Error::NoAccount)
    }

    /// Asked of `id`, because users need not be in /etc/passwd.
    fn named(name: &str) -> Option<Self> {
        let id = |flag: &str| -> Option<u32> {
            let output = Command::new("id").args([flag, name]).stderr(Stdio::null()).output().ok()?;
            String::from_utf8(output.stdout).ok()?.trim().parse().ok()
        };
        Some(Self { name: name.to_owned(), uid: id("-u")?, gid: id("-g")?, switch: true })
    }

    /// The user's name, or `user id N` where it is ourselves.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The user's id.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// The user's primary group.
    #[must_use]
    pub fn gid(&self) -> u32 {
        self.gid
    }

    /// Whether this is somebody else than we are, because we are root.
    #[must_use]
    pub fn is_other(&self) -> bool {
        self.switch
    }

    /// A program run as this user, in a process group of its own: a Ctrl-C in the terminal ends us, and we end
    /// the server when our work is rolled back.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = clean(program);
        // initdb and postgres take locale and time zone from here; the same everywhere is worth more than ours.
        command.env("LC_ALL", "C").env("TZ", "UTC").current_dir("/").process_group(0);
        if self.switch {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Hands a file or directory of ours to this user.
    pub(crate) fn own(&self, path: &Path) -> Result<(), Error> {
        if self.switch {
            chown(path, Some(self.uid), Some(self.gid)).map_err(Error::io("change the owner of", path))?;
        }
        Ok(())
    }

    /// Whether this user has the rights on `path` that `test` knows by these flags. Asking the system itself
    /// covers ACLs and mounts, which permission bits do not show.
    pub(crate) fn may(&self, flags: &[&str], path: &Path) -> bool {
        flags.iter().all(|flag| {
            let mut test = self.command("test");
            test.arg(flag).arg(path).stdin(Stdio::null()).stderr(Stdio::null());
            test.status().is_ok_and(|status| status.success())
        })
    }
}

/// A program without the PG* variables of our caller: PGPORT, PGDATA, PGOPTIONS and their like would reach the
/// server or a client of it.
pub(crate) fn clean(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("PG") && !name.starts_with("PGDEPLOY_")) {
            command.env_remove(name);
        }
    }
    command
}
