//! `initdb`: an empty data directory that is the same on every machine.

use crate::account::Account;
use crate::binaries::Binaries;
use crate::error::Error;
use crate::keeper::{Ending, Keeper, Watch};
use crate::postmaster::tail;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Stdio;

/// The superuser of every server of ours.
pub(crate) const SUPERUSER: &str = "postgres";

/// The character classes of Unicode by the plainest name the system has; the order of text stays by code point.
const CTYPE: &str = if cfg!(target_os = "macos") { "UTF-8" } else { "C.UTF-8" };

/// Fills `data` (manual, "initdb"). `token` is held until initdb is gone, also if we are killed.
///
/// Not synced: that takes seconds on a slow disk, for files that can be made again at any time.
pub(crate) fn initdb(
    binaries: &Binaries,
    account: &Account,
    run: &Path,
    data: &Path,
    token: Stdio,
) -> Result<(), Error> {
    let log = run.join("initdb.log");
    let mut argv = vec![binaries.program("initdb").display().to_string()];
    argv.extend(["--pgdata".into(), data.display().to_string(), format!("--username={SUPERUSER}")]);
    argv.extend(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"].map(String::from));
    argv.push(format!("--lc-ctype={CTYPE}"));
    let (users, ours) = io::pipe().map_err(Error::io("open a pipe for", data))?;
    let watch =
        Watch { account, ending: Ending::Immediate, run, log: &log, sweep: None, users: users.into(), token };
    let status = Keeper::start(watch, &argv)?.wait().map_err(Error::io("wait for", &log))?;
    drop(ours);
    if status.success() { Ok(()) } else { Err(Error::InitFailed { tail: tail(&log) }) }
}

/// The major version that made `data`, `None` where there is no finished data directory.
pub(crate) fn version_of(data: &Path) -> Option<String> {
    Some(fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().to_owned())
}
