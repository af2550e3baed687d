//! Where results and messages go. A reader that has gone away (`| head -1`) does not end a deploy.

use std::fmt::Display;
use std::io::Write;

/// A result, on stdout.
pub(crate) fn say(result: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{result}");
}

/// A message about what went wrong or is going on, on stderr.
pub(crate) fn tell(message: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{message}");
}
