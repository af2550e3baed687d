//! A disk that is full, for a server of the test's own.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};
use scratch::Server;

/// No file of the server's sessions that begin from now on may grow beyond so many bytes; `None`: as large as it likes.
/// Where that is no whole number of blocks, the kernel cuts a write short as a disk does that is full. A tablespace on a
/// small disk would need the right to mount one; a limit on the size of files is anybody's to set. `false`, with a word
/// on stderr, where the system lets nobody set it.
pub fn files_end_at(server: &Server, bytes: Option<u64>) -> Result<bool> {
    let postmaster = server.pid().context("a server that runs")?;
    // Said by the server's own user: root in a container may not say it to others.
    let mut prlimit = Command::new("prlimit");
    if server.account().is_other() {
        prlimit.uid(server.account().uid()).gid(server.account().gid());
    }
    let most = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
    // The soft limit alone: the hard one could not be taken back.
    let limited = prlimit.arg(format!("--pid={postmaster}")).arg(format!("--fsize={most}:")).output();
    match limited {
        Ok(output) if output.status.success() => Ok(true),
        #[allow(clippy::print_stderr)]
        other => {
            eprintln!("SKIPPED: the size of the server's files could not be limited with prlimit: {other:?}");
            Ok(false)
        }
    }
}
