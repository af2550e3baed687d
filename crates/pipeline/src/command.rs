//! Runs the program that prints a database URL: no shell, a deadline, and its output never shown.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::secrets::Secrets;

const TIMEOUT: Duration = Duration::from_secs(30);
const MAX_OUTPUT: u64 = 64 * 1024;
const STDERR_TAIL: usize = 400;

/// What the program printed. The error continues a sentence that starts with its name, and quotes its stderr only,
/// without `secrets`.
pub(crate) fn output(arguments: &[String], directory: &Path, secrets: &Secrets) -> Result<String, String> {
    output_within(arguments, directory, TIMEOUT, secrets)
}

fn output_within(
    arguments: &[String],
    directory: &Path,
    timeout: Duration,
    secrets: &Secrets,
) -> Result<String, String> {
    let Some((program, rest)) = arguments.split_first() else { return Err("is no command".into()) };
    let mut child = Command::new(program)
        .args(rest)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own, so that what it started can be ended with it.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("cannot be started: {error}"))?;
    let deadline = Instant::now() + timeout;
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    // Both pipes end before the process does, so waiting for them is waiting for it and all that holds them open.
    let finished = receive(&stdout, deadline).zip(receive(&stderr, deadline));
    let Some(((stdout, stderr), status)) = finished.zip(wait(&mut child, deadline)) else {
        end(&mut child);
        return Err(format!("did not end within {}", humantime::format_duration(timeout)));
    };
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    if status.success() {
        return Ok(stdout.into_owned());
    }
    // Some programs repeat on stderr what they printed on stdout, or what they were given. Nothing is cut in two.
    let mut secrets = secrets.clone();
    secrets.add(stdout.trim());
    stdout.lines().for_each(|line| secrets.add(line));
    let told = secrets.redact(&stderr);
    let told = told.trim();
    let tail = told.char_indices().rev().nth(STDERR_TAIL - 1).map_or(told, |(at, _)| &told[at..]);
    let tail = if tail.is_empty() { String::new() } else { format!(": {}", tail.replace('\n', " / ")) };
    Err(format!("failed with {status}{tail}"))
}

/// Reads a pipe to its end on a thread of its own, keeping the first part.
fn drain(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is kept; a pipe has no errors worth telling.
            let _ = pipe.by_ref().take(MAX_OUTPUT).read_to_end(&mut bytes);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        // The other side is gone where the deadline passed.
        let _ = sender.send(bytes);
    });
    receiver
}

fn receive(receiver: &Receiver<Vec<u8>>, deadline: Instant) -> Option<Vec<u8>> {
    receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
}

/// Waits for the process; it may have closed its pipes long before it ends.
fn wait(child: &mut Child, deadline: Instant) -> Option<std::process::ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            _ => return None,
        }
    }
}

fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended by itself in this moment.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, timeout: Duration) -> Result<String, String> {
        let arguments = ["sh".to_owned(), "-c".to_owned(), script.to_owned()];
        output_within(&arguments, Path::new("."), timeout, &Secrets::default())
    }

    #[test]
    fn the_output_is_returned_and_never_part_of_an_error() {
        assert_eq!(sh("echo postgres://h/d", TIMEOUT).unwrap(), "postgres://h/d\n");
        let told = sh("echo canary; echo canary is bad >&2; exit 3", TIMEOUT).unwrap_err();
        assert_eq!(told, "failed with exit status: 3: *** is bad");
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_what_it_started() {
        let base = tempfile::tempdir().unwrap();
        let fifo = base.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        // Whoever holds the other end open is alive: the pipe ends with the last of them.
        let (sender, ended) = channel();
        let reader = fifo.clone();
        thread::spawn(move || sender.send(std::fs::read(reader).unwrap()));
        let script = format!("exec 9>{}; echo held >&9; sleep 600 & wait", fifo.display());
        let told = sh(&script, Duration::from_millis(500)).unwrap_err();
        assert_eq!(told, "did not end within 500ms");
        assert_eq!(ended.recv_timeout(Duration::from_secs(10)).unwrap(), b"held\n");
    }
}
