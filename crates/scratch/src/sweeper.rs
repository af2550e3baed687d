//! The shell that removes a throwaway server's directory when everybody who uses it is gone.

use crate::account::Account;
use crate::error::Error;
use std::io::{self, PipeWriter};
use std::path::Path;
use std::process::{Child, Stdio};

const SCRIPT: &str = r#"
trap '' HUP INT TERM
read -r never
tries=0
until rm -rf "$1" || [ $tries -ge 50 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
"#;

/// Owns one directory. Dropping it removes the directory, and so does the end of our process by any signal:
/// the sweeper waits for the pipe's end of file, and every keeper holds a copy of the pipe, so that a server is
/// always gone before its directory.
#[derive(Debug)]
pub(crate) struct Sweeper {
    pipe: Option<PipeWriter>,
    child: Child,
}

impl Sweeper {
    pub(crate) fn over(dir: &Path, account: &Account) -> Result<Self, Error> {
        let (reader, writer) = io::pipe().map_err(Error::io("open a pipe for", dir))?;
        let mut shell = account.command("sh");
        shell.args(["-c", SCRIPT, "pgdeploy-sweeper"]).arg(dir);
        shell.stdin(reader).stdout(Stdio::null()).stderr(Stdio::null());
        let child = shell.spawn().map_err(Error::io("run", "sh"))?;
        Ok(Self { pipe: Some(writer), child })
    }

    /// A copy of the pipe for a keeper.
    pub(crate) fn token(&self) -> io::Result<Stdio> {
        match &self.pipe {
            Some(pipe) => Ok(pipe.try_clone()?.into()),
            None => Ok(Stdio::null()),
        }
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.pipe = None;
        // Nobody is left to tell; the directory is a temporary one.
        let _ = self.child.wait();
    }
}
