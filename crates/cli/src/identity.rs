//! Who deploys which commit: learned from flags, the CI's variables, git and the operating system.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;

use orchestrator::{Actor, AuthorsUnknown, Revision};

/// Variables in which CI systems name the person behind a run.
const CI_VARIABLES: [&str; 4] =
    ["GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILDKITE_BUILD_CREATOR", "CIRCLE_USERNAME"];

/// Files with their authors.
type Authors = Vec<(PathBuf, Vec<String>)>;

/// Who deploys what, while git is still asked.
pub(crate) struct Identity {
    /// Name and where it is from, where git need not be asked for it.
    told: Option<(String, String)>,
    email: Question,
    head: Question,
    changed: Question,
}

impl Identity {
    /// Asks git, which takes longer than what is done meanwhile.
    pub(crate) fn ask(actor: Option<&str>, directory: &Path) -> Self {
        let told = told(actor);
        let git = |useful: bool, place: &Path, arguments: &[&str]| {
            if !useful {
                return Question(None);
            }
            let mut command = Command::new("git");
            command.arg("-C").arg(place).args(arguments);
            Question::ask(command)
        };
        let email = git(told.is_none(), Path::new("."), &["config", "user.email"]);
        let here = may_be_checkout(directory);
        let head = git(here, directory, &["rev-parse", "HEAD"]);
        let changed = git(here, directory, &["status", "--porcelain", "--untracked-files=normal", "--", "."]);
        Self { told, email, head, changed }
    }

    /// Of somebody who leaves no trace.
    pub(crate) fn nobody() -> Self {
        Self { told: Some(unknown()), email: Question(None), head: Question(None), changed: Question(None) }
    }

    /// The person for the records, and the commit that the directory has checked out; `None` where it is no checkout, or
    /// git is not there.
    pub(crate) fn learn(self) -> (Actor, Option<Revision>) {
        let email = self.email;
        let actor = self.told.or_else(|| Some((email.answer()?, "git".to_owned()))).or_else(from_system);
        let revision = self.head.answer().map(|commit| Revision {
            commit,
            dirty: self.changed.answer().is_none_or(|changed| !changed.is_empty()),
        });
        (named(actor), revision)
    }
}

/// The person for the records of what happens in no checkout.
pub(crate) fn actor(name: &str) -> Actor {
    named(told(Some(name)))
}

fn named(actor: Option<(String, String)>) -> Actor {
    let (name, source) = actor.unwrap_or_else(unknown);
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Actor { name, source, host }
}

fn unknown() -> (String, String) {
    ("unknown".to_owned(), "nothing".to_owned())
}

/// What a flag or the CI says.
fn told(flag: Option<&str>) -> Option<(String, String)> {
    let flag = flag.filter(|name| !name.trim().is_empty());
    let from_ci = || CI_VARIABLES.iter().find_map(|variable| Some((set(variable)?, (*variable).to_owned())));
    flag.map(|name| (name.to_owned(), "--actor".to_owned())).or_else(from_ci)
}

fn from_system() -> Option<(String, String)> {
    let whoami = || output(Command::new("id").arg("-un"));
    let name = set("USER").or_else(|| set("LOGNAME")).or_else(whoami)?;
    Some((name, "operating system".to_owned()))
}

fn set(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}

/// Who wrote which of a release's files, by version control: the authors of every commit that touched it, with name and
/// address. A merge is nobody's writing. Empty where there is no version control; where there is and it cannot tell, those
/// of which it cannot.
pub(crate) fn authors(directory: &Path, files: Vec<PathBuf>) -> (Authors, Option<AuthorsUnknown>) {
    let git = |arguments: &[&str]| output(Command::new("git").arg("-C").arg(directory).args(arguments));
    let log = git(&[
        "-c",
        "core.quotePath=off",
        "-c",
        "log.showRoot=true",
        "log",
        "--no-merges",
        "--relative",
        "--name-only",
        "--format=%x01%P%x02%an%x02%ae",
        "--",
        ".",
    ]);
    let Some(log) = log else {
        let is_checkout = is_checkout(directory);
        let why = "git cannot read the history of this checkout";
        let unknown = AuthorsUnknown { files, why, next: "git log; it says what is in its way" };
        return (Vec::new(), is_checkout.then_some(unknown));
    };
    let is_shallow = git(&["rev-parse", "--is-shallow-repository"]).is_none_or(|answer| answer != "false");
    let mut known: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    let mut cut_off: BTreeSet<PathBuf> = BTreeSet::new();
    for commit in log.split('\u{1}') {
        let mut lines = commit.lines();
        let mut people = lines.next().unwrap_or_default().split('\u{2}');
        let is_first = people.next().is_none_or(str::is_empty);
        let people: Vec<&str> = people.filter(|one| !one.is_empty()).collect();
        for path in lines.filter(|line| !line.is_empty()).map(PathBuf::from) {
            if is_shallow && is_first {
                // A clone was cut here, perhaps in a merge: all that was there already is said to be this commit's.
                cut_off.insert(path);
                continue;
            }
            let authors = known.entry(path).or_default();
            for one in &people {
                if !authors.iter().any(|other| other == one) {
                    authors.push((*one).to_owned());
                }
            }
        }
    }
    let unknown = (!cut_off.is_empty()).then(|| AuthorsUnknown {
        files: cut_off.into_iter().collect(),
        why: "this is a shallow clone",
        next: "git fetch --unshallow; in CI: fetch-depth: 0 of actions/checkout, GIT_DEPTH: 0 of GitLab",
    });
    (known.into_iter().collect(), unknown)
}

fn is_checkout(directory: &Path) -> bool {
    let is_git = |directory: &Path| directory.join(".git").exists();
    directory.canonicalize().is_ok_and(|full| full.ancestors().any(is_git))
}

/// Git may be told by a variable where its repository is.
fn may_be_checkout(directory: &Path) -> bool {
    std::env::var_os("GIT_DIR").is_some() || is_checkout(directory)
}

/// A program that was asked something and may not have answered yet. Starting it takes as long as its answer, and so
/// that, too, is done aside.
struct Question(Option<JoinHandle<Option<String>>>);

impl Question {
    fn ask(mut command: Command) -> Self {
        Self(std::thread::Builder::new().spawn(move || output(&mut command)).ok())
    }

    fn answer(self) -> Option<String> {
        self.0?.join().ok()?
    }
}

/// What a program prints, if it succeeds.
fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
