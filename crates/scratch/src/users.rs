//! The pipe of an embedded server's users: as long as one of them has it open, the server runs.

use crate::account::Account;
use crate::error::Error;
use crate::keeper::Ending;
use crate::lock::Lock;
use crate::postmaster::TICK;
use rustix::fs::OFlags;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a living keeper may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Tells the users of one process apart.
static COUNTER: AtomicU32 = AtomicU32::new(0);

/// One user's writing end. The kernel counts the users and closes the end of one that is killed.
#[derive(Debug)]
pub(crate) struct Users {
    pipe: File,
    run: PathBuf,
}

impl Users {
    /// Makes the pipe in `run`: the first user's end, and the keeper's.
    pub(crate) fn first(run: &Path, account: &Account) -> Result<(Self, File), Error> {
        let path = run.join("users");
        let mut mkfifo = account.command("mkfifo");
        mkfifo.args(["-m", "600"]).arg(&path).stdin(Stdio::null());
        let output = mkfifo.output().map_err(Error::io("run", "mkfifo"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Error::io("make the pipe", &path)(std::io::Error::other(said)));
        }
        // Opened for both, no end has to wait for the other one.
        let open = |options: &mut OpenOptions| options.open(&path).map_err(Error::io("open", &path));
        let _both = open(OpenOptions::new().read(true).write(true))?;
        let reader = open(OpenOptions::new().read(true))?;
        let pipe = open(OpenOptions::new().write(true))?;
        Ok((Self { pipe, run: run.to_owned() }, reader))
    }

    /// Joins the users of the server whose socket directory `link` leads to; `None` if there is none, or if it
    /// had lost its last user before we came. `lock` is the keeper's, free when it is gone.
    pub(crate) fn join(link: &Path, lock: &Lock) -> Result<Option<Self>, Error> {
        let Some(mut users) = Self::open(link) else { return Ok(None) };
        let token = format!("{}.{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        if users.say(&format!("join {token}")).is_err() {
            return Ok(None);
        }
        let answer = users.run.join(format!("joined.{token}"));
        let seen = until(|| {
            if answer.exists() {
                return Some(true);
            }
            lock.is_taken().is_ok_and(|taken| !taken).then_some(false)
        });
        let _ = fs::remove_file(&answer);
        Ok((seen == Some(true)).then_some(users))
    }

    /// Has the keeper end the server now, if there is one.
    pub(crate) fn end(link: &Path, ending: Ending) {
        if let Some(mut users) = Self::open(link) {
            // A keeper that is gone has nothing to end.
            let _ = users.say(ending.signal());
        }
    }

    /// Has the keeper run the server without users, until it is stopped by name.
    pub(crate) fn keep(&mut self) -> Result<(), Error> {
        let kept = self.run.join("kept");
        self.say("keep").map_err(Error::io("write to", &kept))?;
        if until(|| self.is_kept().then_some(())).is_none() {
            return Err(Error::Busy { dir: self.run.clone(), seconds: ANSWER_WITHIN.as_secs() });
        }
        Ok(())
    }

    /// Whether the server goes on without users.
    pub(crate) fn is_kept(&self) -> bool {
        self.run.join("kept").exists()
    }

    /// The directory of the socket and of the pipe.
    pub(crate) fn run(&self) -> &Path {
        &self.run
    }

    /// Says it in one write: short ones are atomic (POSIX, "write"), and all users share one pipe.
    fn say(&mut self, words: &str) -> std::io::Result<()> {
        self.pipe.write_all(format!("{words}\n").as_bytes())
    }

    fn open(link: &Path) -> Option<Self> {
        let run = fs::canonicalize(link).ok()?;
        // Without NONBLOCK this would wait for a reader; with it, a pipe that nobody reads is an error.
        let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOFOLLOW).bits()).ok()?;
        let pipe = OpenOptions::new().write(true).custom_flags(flags).open(run.join("users")).ok()?;
        Some(Self { pipe, run })
    }
}

/// Asks until there is an answer or the keeper had its time.
fn until<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + ANSWER_WITHIN;
    loop {
        match ask() {
            Some(answer) => return Some(answer),
            None if Instant::now() > deadline => return None,
            None => sleep(TICK),
        }
    }
}
