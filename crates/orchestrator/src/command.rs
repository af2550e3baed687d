//! Running somebody else's program: without a shell, in a process group of its own, within a time.

use std::collections::VecDeque;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pipeline::Secrets;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::variables::Variables;

/// How much of a program's output is kept.
const TAIL: usize = 2_000;
/// How much is read before it is cut: no secret of any length that people use is cut in two on the way.
const READ: usize = 64 * 1024;
/// How long the output is waited for once the program has ended.
const AFTER: Duration = Duration::from_millis(500);

/// Runs an argument list to its end; the end of its output, without `secrets`. The error says why it failed, with the same.
pub(crate) async fn run(
    argv: &[String],
    directory: &Path,
    variables: &Variables,
    timeout: Duration,
    secrets: &Secrets,
) -> Result<String, String> {
    let Some((program, arguments)) = argv.split_first() else { return Err("no program is named".into()) };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.envs(variables.iter()).process_group(0).kill_on_drop(true);
    let program = secrets.redact(program);
    let mut child = command.spawn().map_err(|error| format!("{program} cannot be started: {error}"))?;
    let group = Group(child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())));
    let (out, err) = (Said::default(), Said::default());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let reading = async { tokio::join!(out.drain(stdout), err.drain(stderr)) };
    tokio::pin!(reading);
    let limit = tokio::time::sleep(timeout);
    tokio::pin!(limit);
    let mut is_read = false;
    // A program whose output nobody takes stands still once the pipe is full.
    let ended = loop {
        tokio::select! {
            _ = &mut reading, if !is_read => is_read = true,
            ended = child.wait() => break Some(ended),
            () = &mut limit => break None,
        }
    };
    if ended.is_none() {
        group.kill();
        let _ = child.wait().await;
    }
    group.disarm();
    // A grandchild in the background may hold the pipe open for ever: what has come until now is what it said.
    if !is_read {
        let _ = tokio::time::timeout(AFTER, &mut reading).await;
    }
    let tail = tail(&[out.take(), err.take()].concat(), secrets);
    let said = if tail.is_empty() { String::new() } else { format!("; it said: {tail}") };
    match ended {
        None => {
            let limit = humantime::format_duration(timeout);
            Err(format!("{program} was ended after {limit}{said}"))
        }
        Some(Ok(status)) if status.success() => Ok(tail),
        Some(Ok(status)) => Err(format!("{program} failed: {status}{said}")),
        Some(Err(error)) => Err(format!("{program} cannot be waited for: {error}")),
    }
}

/// A program and all it has started, killed when the future that waits for it is dropped.
struct Group(Option<rustix::process::Pid>);

impl Group {
    fn kill(&self) {
        if let Some(leader) = self.0 {
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }

    /// It has ended by itself: what it left in the background is meant to stay.
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The end of what a program has said until now.
#[derive(Default)]
struct Said(Mutex<VecDeque<u8>>);

impl Said {
    /// Reads until nobody holds the other end any more.
    async fn drain(&self, pipe: Option<impl AsyncRead + Unpin>) {
        let Some(mut pipe) = pipe else { return };
        let mut chunk = vec![0; 8 * 1024];
        while let Ok(read @ 1..) = pipe.read(&mut chunk).await {
            let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            said.extend(&chunk[..read]);
            let too_much = said.len().saturating_sub(READ);
            said.drain(..too_much);
        }
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

/// The end of what it said. Secrets go before it is cut, so that none is cut in two; a NUL could not be recorded.
fn tail(output: &[u8], secrets: &Secrets) -> String {
    let text = secrets.redact(&String::from_utf8_lossy(output)).replace('\0', "\u{fffd}");
    let text = text.trim();
    let cut = (text.len().saturating_sub(TAIL)..).find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    text[cut..].to_owned()
}
