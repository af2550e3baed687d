//! Where an embedded server keeps its files.

use crate::account::Account;
use crate::error::Error;
use crate::lock::Lock;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Where the files go if the project's directory is closed to the server's user.
const ELSEWHERE: &str = "/var/lib/pgdeploy";

/// The directory beside pipeline.yaml, and where the server's own files really are.
#[derive(Debug, Clone)]
pub struct Location {
    base: PathBuf,
    home: PathBuf,
}

impl Location {
    /// Decides for `base` (`.pgdeploy/`), which need not exist.
    ///
    /// As root the server runs as another user, who cannot enter a clone under /root for one; then the files go
    /// to a directory of ours that is named after the project's path.
    pub(crate) fn of(base: &Path, account: &Account) -> Result<Self, Error> {
        let base = std::path::absolute(base).map_err(Error::io("find", base))?;
        // The real path, so that one project has one place whatever link it is reached by.
        let existing = base.ancestors().find(|dir| dir.is_dir()).unwrap_or(Path::new("/"));
        let real = fs::canonicalize(existing).map_err(Error::io("find", existing))?;
        let base = real.join(base.strip_prefix(existing).unwrap_or(Path::new("")));
        let home = if account.is_other() && !account.may(&["-x"], &real) {
            Path::new(ELSEWHERE).join(name_of(&base))
        } else {
            base.join("server")
        };
        Ok(Self { base, home })
    }

    /// `.pgdeploy/` itself: locks, notes and the link to the socket's directory.
    #[must_use]
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// The directory of the server's data and log.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Whether that is outside of [`Location::base`], which people should be told.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        !self.home.starts_with(&self.base)
    }

    /// The data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.home.join("data")
    }

    /// The server's log; the one of the run before is beside it, with `.old` at its end.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.home.join("server.log")
    }

    /// The lock of whoever runs the server, held by its keeper.
    pub(crate) fn server_lock(&self) -> Result<Lock, Error> {
        Lock::open(self.base.join("server.lock"))
    }

    /// The lock that every user shares, by which the last one finds out that it is the last.
    pub(crate) fn users_lock(&self) -> Result<Lock, Error> {
        Lock::open(self.base.join("users.lock"))
    }

    /// A link to the directory of the running server's socket.
    pub(crate) fn socket_link(&self) -> PathBuf {
        self.base.join("socket")
    }

    /// Where a person finds out that the files are elsewhere.
    fn note(&self) -> PathBuf {
        self.base.join("LOCATION")
    }

    /// Makes the directories, unless they are there.
    pub(crate) fn prepare(&self, account: &Account) -> Result<(), Error> {
        make(&self.base, 0o755)?;
        self.check_owner(account)?;
        let ignore = self.base.join(".gitignore");
        if !ignore.exists() {
            fs::write(&ignore, "*\n").map_err(Error::io("write", &ignore))?;
        }
        if self.is_elsewhere() {
            make(Path::new(ELSEWHERE), 0o755)?;
            let (note, home, user) = (self.note(), self.home.display(), account.name());
            let text = format!(
                "The files of this project's PostgreSQL server are in\n{home}\nbecause it runs as `{user}`, who \
                 cannot enter this directory. `pgdeploy dev reset` removes them.\n"
            );
            fs::write(&note, text).map_err(Error::io("write", &note))?;
        }
        make(&self.home, 0o700)?;
        account.own(&self.home)
    }

    /// Refuses files that were made by a server of another user.
    fn check_owner(&self, account: &Account) -> Result<(), Error> {
        let ours = |owner| owner == account.uid() || (account.is_other() && owner == 0);
        match fs::metadata(&self.home) {
            Ok(found) if !ours(found.uid()) => Err(Error::NotOurs {
                dir: self.home.clone(),
                owner: found.uid(),
                account: account.name().to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Removes the server's files; the locks stay, because somebody may wait for them.
    pub(crate) fn clear(&self) -> Result<(), Error> {
        let unless_gone = |result: std::io::Result<()>, path: &Path| match result {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("remove", path)(error))
            }
            _ => Ok(()),
        };
        unless_gone(fs::remove_dir_all(&self.home), &self.home)?;
        for path in [self.socket_link(), self.note()] {
            unless_gone(fs::remove_file(&path), &path)?;
        }
        Ok(())
    }
}

/// Makes a directory with these permissions whatever the umask says, unless it is there.
fn make(dir: &Path, mode: u32) -> Result<(), Error> {
    if dir.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    fs::set_permissions(dir, fs::Permissions::from_mode(mode))
        .map_err(Error::io("set the permissions of", dir))
}

/// The project's name for people, and a number of its whole path (FNV-1a, the same in every version of ours).
fn name_of(base: &Path) -> String {
    let project = base.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let hash = base.as_os_str().as_encoded_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{project}-{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::{Location, name_of};
    use std::path::Path;

    #[test]
    fn projects_of_one_name_get_directories_of_their_own() {
        let (one, other) =
            (name_of(Path::new("/root/a/crm/.pgdeploy")), name_of(Path::new("/root/b/crm/.pgdeploy")));
        assert!(one.starts_with("crm-") && other.starts_with("crm-"));
        assert_ne!(one, other);
    }

    #[test]
    fn files_that_lie_beside_the_pipeline_are_not_elsewhere() {
        let beside = Location { base: "/p/.pgdeploy".into(), home: "/p/.pgdeploy/server".into() };
        let away = Location { base: "/p/.pgdeploy".into(), home: "/var/lib/pgdeploy/p-1".into() };
        assert!(!beside.is_elsewhere() && away.is_elsewhere());
    }
}
