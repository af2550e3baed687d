//! What can go wrong with a server of our own, each with the next step where there is one.

use std::path::{Path, PathBuf};

/// Why a server could not be found, made, started or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No directory with the server's programs in any of the usual places.
    #[error(
        "no PostgreSQL server programs (initdb, postgres, psql) found; looked in: {}; {INSTALL}, or set \
         PGDEPLOY_PG_BINDIR to the directory that holds them",
        looked.join(", ")
    )]
    BinariesNotFound {
        /// Each place that was looked at, in order.
        looked: Vec<String>,
    },
    /// A directory was named and does not hold the server's programs.
    #[error("{variable} is `{}`, which has no `{program}`; point it to the directory of initdb, \
             postgres and psql, or unset it", dir.display())]
    BindirWrong {
        /// The variable that names it.
        variable: &'static str,
        /// The directory as it was given.
        dir: PathBuf,
        /// The first program that is missing in it.
        program: &'static str,
    },
    /// `postgres --version` did not answer with a version.
    #[error("`{} --version` says `{said}`, which is no PostgreSQL version", program.display())]
    NoVersion {
        /// The program that was asked.
        program: PathBuf,
        /// Its answer.
        said: String,
    },
    /// We are root, and there is no user the server could run as.
    #[error(
        "PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody` to run it as; \
             create one (`useradd --system postgres`) or run as an ordinary user"
    )]
    NoAccount,
    /// A file, directory or process could not be worked on.
    #[error("could not {doing} `{}`: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// No directory for the socket is short enough and open to the server's user.
    #[error("no directory for the server's socket: {} (a socket's path has at most {limit} bytes and the \
             server's user must be able to enter it); set TMPDIR to a short one", tried.join(", "))]
    NoSocketDir {
        /// The directories that were tried.
        tried: Vec<String>,
        /// The longest path of a socket, in bytes.
        limit: usize,
    },
    /// `initdb` failed.
    #[error("initdb failed; its last lines:\n{tail}")]
    InitFailed {
        /// The end of its output.
        tail: String,
    },
    /// The server ended instead of starting.
    #[error("the server did not start; the last lines of `{}`:\n{tail}", log.display())]
    StartFailed {
        /// The server's log.
        log: PathBuf,
        /// Its end.
        tail: String,
    },
    /// The server runs but did not get ready.
    #[error("the server was not ready after {seconds} s; the last lines of `{}`:\n{tail}", log.display())]
    NotReady {
        /// How long we waited.
        seconds: u64,
        /// The server's log.
        log: PathBuf,
        /// Its end.
        tail: String,
    },
    /// Another process starts or stops the embedded server and does not come to an end.
    #[error("another process starts or stops the server in `{}` and has not finished after {seconds} s; \
             try again, or stop it with `pgdeploy dev stop`", dir.display())]
    Busy {
        /// The embedded server's directory.
        dir: PathBuf,
        /// How long we waited.
        seconds: u64,
    },
    /// The data on disk were made by another major version.
    #[error("the data in `{}` are of PostgreSQL {data}, the programs in `{}` are {programs}; start afresh with \
             `pgdeploy dev reset` (all rows of the dev database are lost), or set PGDEPLOY_PG_BINDIR to the \
             programs of PostgreSQL {data}", dir.display(), bindir.display())]
    VersionChanged {
        /// The data directory.
        dir: PathBuf,
        /// The data's major version.
        data: String,
        /// Where the programs are.
        bindir: PathBuf,
        /// Their major version.
        programs: u32,
    },
    /// The data on disk belong to another user, so our server could not open them.
    #[error("`{}` belongs to user id {owner}, but the server would run as `{account}`; run as the user who made \
             it, or remove it", dir.display())]
    NotOurs {
        /// The directory with the server's files.
        dir: PathBuf,
        /// Its owner's id.
        owner: u32,
        /// Who the server would run as.
        account: String,
    },
    /// A statement of ours failed on the new server.
    #[error("psql failed: {said}")]
    Statement {
        /// What psql printed.
        said: String,
    },
    /// The server ended by itself after it had started.
    #[error("the server has ended ({said}); the last lines of `{}`:\n{tail}", log.display())]
    Ended {
        /// What its client said.
        said: String,
        /// The server's log.
        log: PathBuf,
        /// Its end.
        tail: String,
    },
}

/// What to install, by the system we were built for.
const INSTALL: &str = if cfg!(target_os = "macos") {
    "install them with `brew install postgresql@18`"
} else {
    "install them with `apt-get install postgresql` (Debian, Ubuntu) or `dnf install postgresql-server` (Fedora, \
     RHEL)"
};

impl Error {
    /// Wraps a system error, to be used as `.map_err(Error::io("create", &path))`.
    pub(crate) fn io(doing: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { doing, path, source }
    }
}
