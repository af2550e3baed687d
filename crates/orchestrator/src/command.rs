//! Running somebody else's program: without a shell, in a process group of its own, within a time.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use pipeline::Secrets;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::variables::Variables;

/// How much of a program's output is kept.
const TAIL: usize = 2_000;

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
    let (mut output, mut errors) = (child.stdout.take(), child.stderr.take());
    let reading = async {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        tokio::join!(read_to_end(&mut output, &mut out), read_to_end(&mut errors, &mut err));
        out.extend(err);
        out
    };
    tokio::pin!(reading);
    let ended = tokio::time::timeout(timeout, child.wait()).await;
    if ended.is_err() {
        group.kill();
        let _ = child.wait().await;
    }
    group.disarm();
    // A grandchild in the background may hold the pipe open for ever.
    let said = tokio::time::timeout(Duration::from_millis(500), &mut reading).await.unwrap_or_default();
    let tail = tail(&said, secrets);
    let said = if tail.is_empty() { String::new() } else { format!("; it said: {tail}") };
    match ended {
        Err(_) => {
            let limit = humantime::format_duration(timeout);
            Err(format!("{program} was ended after {limit}{said}"))
        }
        Ok(Ok(status)) if status.success() => Ok(tail),
        Ok(Ok(status)) => Err(format!("{program} failed: {status}{said}")),
        Ok(Err(error)) => Err(format!("{program} cannot be waited for: {error}")),
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

async fn read_to_end(pipe: &mut Option<impl tokio::io::AsyncRead + Unpin>, into: &mut Vec<u8>) {
    if let Some(pipe) = pipe {
        let _ = pipe.read_to_end(into).await;
    }
}

/// The end of what it said. Secrets go before it is cut, so that none is cut in two; a NUL could not be recorded.
fn tail(output: &[u8], secrets: &Secrets) -> String {
    let text = secrets.redact(&String::from_utf8_lossy(output)).replace('\0', "\u{fffd}");
    let text = text.trim();
    let cut = (text.len().saturating_sub(TAIL)..).find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    text[cut..].to_owned()
}
