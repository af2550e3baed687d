//! Who deploys which commit: learned from flags, the CI's variables, git and the operating system.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use orchestrator::{Actor, Revision};

/// Variables in which CI systems name the person behind a run.
const CI_VARIABLES: [&str; 4] =
    ["GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILDKITE_BUILD_CREATOR", "CIRCLE_USERNAME"];

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

/// Who wrote which file below a directory, by version control: the authors of every commit that touched it, with name and
/// address. A merge is nobody's writing. Empty where there is no version control.
pub(crate) fn authors(directory: &Path) -> Vec<(PathBuf, Vec<String>)> {
    let log = output(Command::new("git").arg("-C").arg(directory).args([
        "-c",
        "core.quotePath=off",
        "log",
        "--no-merges",
        "--relative",
        "--name-only",
        "--format=%x01%an%x02%ae",
        "--",
        ".",
    ]));
    let mut files: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for commit in log.iter().flat_map(|log| log.split('\u{1}')) {
        let mut lines = commit.lines();
        let people: Vec<&str> = lines.next().unwrap_or_default().split('\u{2}').collect();
        for path in lines.filter(|line| !line.is_empty()) {
            let known = files.entry(path.into()).or_default();
            people.iter().filter(|one| !one.is_empty()).for_each(|one| {
                if !known.iter().any(|other| other == one) {
                    known.push((*one).to_owned());
                }
            });
        }
    }
    files.into_iter().collect()
}

fn output(command: &mut Command) -> Option<String> {
    let output =
        command.stdin(std::process::Stdio::null()).stderr(std::process::Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
