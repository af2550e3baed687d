//! What the tests ask of a server and of the system.

use rustix::process::{Pid, Signal};
use scratch::Binaries;
use std::path::Path;
use std::process::Command;

/// One statement through psql; its answer, or what psql printed as an error.
pub(crate) fn psql(binaries: &Binaries, url: &str, statement: &str) -> Result<String, String> {
    let mut psql = Command::new(binaries.program("psql"));
    let output = psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, url]).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

pub(crate) fn pid(number: u32) -> Pid {
    Pid::from_raw(number.try_into().unwrap()).unwrap()
}

pub(crate) fn is_alive(number: u32) -> bool {
    rustix::process::test_kill_process(pid(number)).is_ok()
}

pub(crate) fn kill(number: u32) {
    rustix::process::kill_process(pid(number), Signal::KILL).unwrap();
}

/// A project's directory that the server's user can enter, as a clone in a home directory is.
pub(crate) fn project() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    open_to(dir.path(), 0o755);
    dir
}

pub(crate) fn open_to(dir: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(mode)).unwrap();
}
