//! Where results and messages go. A reader that has gone away (`| head -1`) does not end a deploy; a result that could not
//! be written is an error at the end.

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Why the first result that could not be written was not.
static UNWRITTEN: OnceLock<String> = OnceLock::new();

/// Whether stdout belongs to somebody else.
static STDOUT_IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// From now on results go to stderr: stdout is for the program that this one becomes.
pub(crate) fn results_to_stderr() {
    STDOUT_IS_TAKEN.store(true, Ordering::Relaxed);
}

/// A result, on stdout.
pub(crate) fn say(result: impl Display) {
    say_bytes(format!("{result}\n").as_bytes());
}

/// The same for what ends as it should already.
pub(crate) fn say_bytes(bytes: &[u8]) {
    if STDOUT_IS_TAKEN.load(Ordering::Relaxed) {
        let _ = std::io::stderr().lock().write_all(bytes);
        return;
    }
    let mut stdout = std::io::stdout().lock();
    noted(stdout.write_all(bytes).and_then(|()| stdout.flush()));
}

/// Remembers that something could not be written, unless it is only that nobody reads any more.
pub(crate) fn noted(written: std::io::Result<()>) {
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        // The first one tells what is the matter.
        let _ = UNWRITTEN.set(error.to_string());
    }
}

/// Why results could not be written, if they could not.
pub(crate) fn unwritten() -> Option<&'static str> {
    UNWRITTEN.get().map(String::as_str)
}

/// A message about what went wrong or is going on, on stderr.
pub(crate) fn tell(message: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{message}");
}

/// An error with its causes, each said once: some repeat theirs.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    #[test]
    fn a_cause_that_is_part_of_its_error_is_said_once() {
        let cause = std::io::Error::other("the disk is full");
        let error = Err::<(), _>(cause).context("could not write: the disk is full").context("no server");
        let text = super::chain(&error.unwrap_err());
        assert_eq!(text, "no server: could not write: the disk is full");
    }
}
