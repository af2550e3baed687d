//! `postmaster.pid`: what the server says about itself in its data directory.

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The lines of `postmaster.pid` that we use (PostgreSQL's miscadmin.h, LOCK_FILE_LINE_*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PidFile {
    /// Line 1.
    pub(crate) pid: u32,
    /// Line 8 says `ready`, as `pg_ctl --wait` looks for it.
    pub(crate) ready: bool,
}

impl PidFile {
    /// What the file says, `None` if there is none or it is only half written.
    pub(crate) fn read(data: &Path) -> Option<Self> {
        let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let mut lines = text.lines();
        let pid = lines.next()?.trim().parse().ok()?;
        Some(Self { pid, ready: lines.nth(6).is_some_and(|line| line.trim() == "ready") })
    }

    /// Ends a server whose keeper is gone too, and a file that speaks of somebody else's process.
    ///
    /// To be called where no keeper can be at work on `data`. A file whose process is gone is left to the
    /// server: it also looks for orphaned backends by it.
    pub(crate) fn clear(data: &Path) {
        let Some(Self { pid, .. }) = Self::read(data) else { return };
        let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
        if test_kill_process(raw).is_err() {
            return;
        }
        if !command_line(pid).contains(&*data.to_string_lossy()) {
            // The number went to another process, after a restart of the machine for one; the server would
            // refuse to start as long as that one runs.
            let _ = fs::remove_file(data.join("postmaster.pid"));
            return;
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        while kill_process(raw, Signal::QUIT).is_ok()
            && Self::read(data).is_some()
            && Instant::now() < deadline
        {
            sleep(Duration::from_millis(20));
        }
    }
}

/// A process's command line, from /proc or else `ps`.
fn command_line(pid: u32) -> String {
    if let Ok(bytes) = fs::read(format!("/proc/{pid}/cmdline")) {
        return String::from_utf8_lossy(&bytes).replace('\0', " ");
    }
    let output = Command::new("ps").args(["-ww", "-o", "command=", "-p", &pid.to_string()]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::PidFile;

    #[test]
    fn a_server_that_starts_is_told_from_one_that_is_ready() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("postmaster.pid");
        assert_eq!(PidFile::read(dir.path()), None);
        for (state, ready) in [("starting", false), ("ready   ", true)] {
            std::fs::write(&file, format!("4711\n/data\n1763700000\n5432\n/run\n\n  1 2\n{state}\n"))
                .unwrap();
            assert_eq!(PidFile::read(dir.path()), Some(PidFile { pid: 4711, ready }));
        }
    }

    #[test]
    fn a_file_that_names_somebody_elses_process_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("postmaster.pid");
        std::fs::write(&file, format!("{}\n/data\n", std::process::id())).unwrap();
        PidFile::clear(dir.path());
        assert!(!file.exists());
    }
}
