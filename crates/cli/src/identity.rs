//! Who deploys which commit: learned from flags, the CI's variables, git and the operating system.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use orchestrator::{Actor, AuthorsUnknown, Revision};

/// Variables in which CI systems name the person behind a run.
const CI_VARIABLES: [&str; 4] =
    ["GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILDKITE_BUILD_CREATOR", "CIRCLE_USERNAME"];

/// Files with their authors.
type Authors = Vec<(PathBuf, Vec<String>)>;

/// The person for the records.
pub(crate) fn actor(flag: Option<&str>) -> Actor {
    let named = |variable: &str| std::env::var(variable).ok().filter(|name| !name.is_empty());
    let from_ci =
        || CI_VARIABLES.iter().find_map(|variable| Some((named(variable)?, (*variable).to_owned())));
    let from_git = || Some((output(Command::new("git").args(["config", "user.email"]))?, "git".to_owned()));
    let from_system =
        || Some((named("USER").or_else(|| named("LOGNAME")).or_else(whoami)?, "operating system".to_owned()));
    let (name, source) = flag
        .filter(|name| !name.trim().is_empty())
        .map(|name| (name.to_owned(), "--actor".to_owned()))
        .or_else(from_ci)
        .or_else(from_git)
        .or_else(from_system)
        .unwrap_or_else(|| ("unknown".to_owned(), "nothing".to_owned()));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Actor { name, source, host }
}

fn whoami() -> Option<String> {
    output(Command::new("id").arg("-un"))
}

/// The commit that a directory has checked out; `None` where it is no checkout, or git is not there.
pub(crate) fn revision(directory: &Path) -> Option<Revision> {
    let git = |arguments: &[&str]| output(Command::new("git").arg("-C").arg(directory).args(arguments));
    let commit = git(&["rev-parse", "HEAD"])?;
    let dirty = git(&["status", "--porcelain", "--untracked-files=normal", "--", "."])
        .is_none_or(|changed| !changed.is_empty());
    Some(Revision { commit, dirty })
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
        let is_checkout = directory.canonicalize().is_ok_and(|full| full.ancestors().any(is_git));
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

fn is_git(directory: &Path) -> bool {
    directory.join(".git").exists()
}

fn output(command: &mut Command) -> Option<String> {
    let output =
        command.stdin(std::process::Stdio::null()).stderr(std::process::Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
