//! The shell that runs the server and ends it when nobody is left who uses it.

use crate::account::Account;
use crate::error::Error;
use std::io;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};

/// Runs a program and waits for it, while a watcher reads the users' pipe.
///
/// End of file means that the last user is gone, by whatever way; then the program gets `$ending` until it is
/// gone too, and SIGQUIT (immediate shutdown) after half a minute. A user can also say a signal's name to end
/// it now, `join N` to be told (by a file) that it was seen in time, and `keep` to have no user needed.
/// The signal is repeated because one sent before the program has its handlers would be lost.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
ending=$1 run=$2 log=$3 sweep=$4; shift 4
exec 3<&0 </dev/null 2>/dev/null
"$@" >>"$log" 2>&1 3<&- &
kept=$!
echo "$kept" >"$run/pid"
(
    signal=$ending tries=0
    while read -r word token; do
        case $word in
        join) : >"$run/joined.$token" ;;
        keep) exec 4>"$run/users" && : >"$run/kept" ;;
        INT | QUIT) signal=$word && break ;;
        esac
    done <&3
    while kill -s "$signal" "$kept" && [ $tries -lt 3000 ]; do
        sleep 0.02 >/dev/null 3<&-
        tries=$((tries + 1))
        [ $tries -lt 1500 ] || signal=QUIT
    done
) &
watcher=$!
exec 3<&-
wait "$kept"
status=$?
kill -s KILL "$watcher"
[ -z "$sweep" ] || rm -rf "$sweep"
exit $status
"#;

/// How the kept program is ended when its last user is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// SIGINT: open transactions are rolled back, the data are written out.
    Fast,
    /// SIGQUIT: at once; the next start recovers from the write-ahead log.
    Immediate,
}

impl Ending {
    /// The signal by the name `kill -s` knows, as the users' pipe takes it.
    pub(crate) fn signal(self) -> &'static str {
        match self {
            Self::Fast => "INT",
            Self::Immediate => "QUIT",
        }
    }
}

/// What a keeper is started with.
pub(crate) struct Watch<'a> {
    pub(crate) account: &'a Account,
    pub(crate) ending: Ending,
    /// Where the keeper leaves the program's pid and its answers.
    pub(crate) run: &'a Path,
    /// The program's output goes here.
    pub(crate) log: &'a Path,
    /// Removed after the program has ended.
    pub(crate) sweep: Option<&'a Path>,
    /// The read end of the users' pipe.
    pub(crate) users: Stdio,
    /// Stays open until the program has ended: a lock, or the pipe of who waits for that.
    pub(crate) token: Stdio,
}

/// A running keeper; it ends when its program has.
#[derive(Debug)]
pub(crate) struct Keeper {
    child: Child,
}

impl Keeper {
    /// Starts `argv` under a keeper.
    pub(crate) fn start(watch: Watch<'_>, argv: &[String]) -> Result<Self, Error> {
        let none = Path::new("");
        let mut shell = watch.account.command("sh");
        shell.args(["-c", SCRIPT, "pgdeploy-keeper", watch.ending.signal()]);
        shell.arg(watch.run).arg(watch.log).arg(watch.sweep.unwrap_or(none)).args(argv);
        shell.stdin(watch.users).stdout(watch.token).stderr(Stdio::null());
        Ok(Self { child: shell.spawn().map_err(Error::io("run", "sh"))? })
    }

    /// Waits until the program has ended and gives its status.
    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }

    /// Whether the program has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)) | Err(_))
    }
}
