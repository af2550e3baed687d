//! What is pending, and what contradicts the history: a pure function over (applied, files).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sql::Problem;

use crate::fixtures::Fixtures;
use crate::header::Phase;
use crate::history::{Applied, Progress};
use crate::migration::{Migration, Migrations};
use crate::snapshot::Snapshot;
use crate::state::State;

/// What the stage will do.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// To be applied, in this order.
    pub pending: Vec<Migration>,
    /// Not applied yet, and not now: what each waits for.
    pub deferred: Vec<Deferred>,
    /// Files of which some statements are in, by version.
    pub resumed: BTreeMap<u64, Progress>,
    /// How many are in already.
    pub applied: usize,
    /// The newest that is in, as `0042_name`.
    pub current: Option<String>,
    /// The snapshot that is loaded first; the files it stands for are not pending then.
    pub snapshot: Option<Snapshot>,
    /// Rows to load for an embedded database, where they are not in yet.
    pub fixtures: Option<Fixtures>,
    /// What kind of database it is, where the history is empty.
    pub state: Option<State>,
    /// Contradictions between history and files; while there is one, nothing may run.
    pub findings: Vec<Problem>,
}

/// A migration whose time has not come.
#[derive(Debug, Clone)]
pub struct Deferred {
    /// Which.
    pub migration: Migration,
    /// What it waits for.
    pub reason: String,
}

impl Plan {
    /// Whether the stage has nothing to do.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.fixtures.is_none() && self.snapshot.is_none()
    }

    /// Whether there is anything to run in a phase, or to look at again.
    pub fn has_steps(&self, phase: Phase) -> bool {
        let before = phase == Phase::Pre && (self.fixtures.is_some() || self.snapshot.is_some());
        before || !self.steps(phase).is_empty()
    }

    /// What is to be applied in a phase.
    pub fn pending_in(&self, phase: Phase) -> impl Iterator<Item = &Migration> {
        self.pending.iter().filter(move |migration| migration.header.phase == phase)
    }

    /// Everything that is not applied yet and belongs into a phase, in order: what is deferred may no longer be when its
    /// turn comes.
    pub(crate) fn steps(&self, phase: Phase) -> Vec<&Migration> {
        let deferred = self.deferred.iter().map(|deferred| &deferred.migration);
        let mut steps: Vec<_> =
            self.pending.iter().chain(deferred).filter(|migration| migration.header.phase == phase).collect();
        steps.sort_by_key(|migration| migration.place);
        steps
    }
}

/// Decides. Every finding is returned, not the first.
pub fn decide(applied: &[Applied], files: &Migrations) -> Plan {
    let mut findings = duplicates(files);
    let by_version: BTreeMap<u64, &Migration> = files.0.iter().map(|file| (file.version, file)).collect();
    for row in applied {
        match by_version.get(&row.version) {
            Some(file) => findings.extend(compare(row, file)),
            None => findings.push(absent(row, files)),
        }
    }
    let resumed: BTreeMap<u64, Progress> =
        applied.iter().filter_map(|row| Some((row.version, row.progress.clone()?))).collect();
    let is_applied = |version: u64| {
        applied.binary_search_by_key(&version, |row| row.version).is_ok() && !resumed.contains_key(&version)
    };
    let pending: Vec<_> = files.0.iter().filter(|file| !is_applied(file.version)).cloned().collect();
    let may_be_late = may_be_late(files);
    let in_turn = |file: &&Migration| !may_be_late.contains(file.id());
    if let Some(newest) = files.0.iter().filter(in_turn).rfind(|file| is_applied(file.version)) {
        let late = pending.iter().filter(in_turn).filter(|file| file.place < newest.place);
        findings.extend(late.map(|file| out_of_order(file, newest)));
    }
    let newest = applied.iter().rfind(|row| row.progress.is_none());
    let current = newest.and_then(|row| by_version.get(&row.version)).map(|file| file.id().to_owned());
    Plan {
        pending,
        deferred: Vec::new(),
        applied: applied.len() - resumed.len(),
        resumed,
        current,
        snapshot: None,
        fixtures: None,
        state: None,
        findings,
    }
}

/// Those that wait for something, and those that require one of these.
fn may_be_late(files: &Migrations) -> BTreeSet<&str> {
    let mut late = BTreeSet::new();
    // What a file requires comes before it.
    for file in &files.0 {
        let requires = &file.header.requires;
        if file.header.may_be_late() || requires.iter().any(|name| late.contains(name.as_str())) {
            late.insert(file.id());
        }
    }
    late
}

/// Versions that two files have.
pub(crate) fn duplicates(files: &Migrations) -> Vec<Problem> {
    let mut first: BTreeMap<u64, &Path> = BTreeMap::new();
    let mut findings = Vec::new();
    for file in &files.0 {
        let path = file.source.path.as_path();
        if let Some(other) = first.insert(file.version, path) {
            let message = format!("has the same version, {}, as {}", file.version, other.display());
            let help = "give the one that is not applied anywhere yet the next free number";
            findings.push(Problem::with_file("E105", path, message).help(help));
        }
    }
    findings
}

/// Edited or renamed since it was applied.
fn compare(row: &Applied, file: &Migration) -> Option<Problem> {
    let path = &file.source.path;
    // What is not done yet may be corrected; what of it is done is compared statement by statement when it goes on.
    if row.checksum != file.source.sha256 && row.progress.is_none() {
        let (was, is) = (&row.checksum[..12.min(row.checksum.len())], &file.source.sha256[..12]);
        let comments = row.token_checksum.is_some() && row.token_checksum == file.source.token_sha256();
        let what = if comments { "comments or blanks only" } else { "its SQL" };
        let message = format!("was edited after it was applied: {what} (recorded {was}, found {is})");
        let help = format!(
            "take the applied text back (git log -p -- {}) and put the change into a new migration, or, where the edit is meant: \
             pgdeploy repair accept-checksum {} --reason TEXT",
            path.display(),
            file.version
        );
        return Some(Problem::with_file("E102", path, message).help(help));
    }
    (row.name != file.name).then(|| {
        let message = format!("was renamed after it was applied: its name was {}", row.name);
        Problem::with_file("E106", path, message).help("rename it back: the text is the one that was applied")
    })
}

/// Applied, but no longer a file: deleted, or the database is ahead of this release.
fn absent(row: &Applied, files: &Migrations) -> Problem {
    let path = Path::new(&format!("{}.sql", row.id)).to_owned();
    if files.0.last().is_none_or(|newest| row.version > newest.version) {
        let message = "is applied, but newer than every file here: the database is ahead of this release";
        return Problem::with_file("E110", &path, message)
            .help("deploy the release that brought it, or a newer one");
    }
    Problem::with_file("E103", &path, "is applied, but its file is missing")
        .help("bring the file back: the history of a database is part of the release")
}

fn out_of_order(file: &Migration, newest: &Migration) -> Problem {
    let message = format!("is new, but sorts before {}, which is applied already", newest.id());
    Problem::with_file("E104", &file.source.path, message)
        .help("give it the next free number: on a fresh database it would run in another order than here")
}

#[cfg(test)]
mod tests {
    use sql::Source;

    use super::*;

    fn files(named: &[(&str, &str)]) -> Migrations {
        let sources = named
            .iter()
            .map(|(name, text)| Source::from_bytes(Path::new(name), text.as_bytes().to_vec()).unwrap());
        crate::load(sources.collect(), Vec::new()).unwrap()
    }

    fn history_of(files: &Migrations) -> Vec<Applied> {
        let row = |file: &Migration| Applied {
            version: file.version,
            name: file.name.clone(),
            id: file.id().to_owned(),
            progress: None,
            checksum: file.source.sha256.clone(),
            token_checksum: file.source.token_sha256(),
        };
        files.0.iter().map(row).collect()
    }

    fn codes(plan: &Plan) -> Vec<&str> {
        plan.findings.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn versions_are_ordered_as_numbers() {
        let plan = decide(&[], &files(&[("10_c.sql", ""), ("9_b.sql", ""), ("001_a.sql", "")]));
        assert_eq!(plan.pending.iter().map(Migration::id).collect::<Vec<_>>(), ["001_a", "9_b", "10_c"]);
        assert!(plan.findings.is_empty());
    }

    #[test]
    fn every_contradiction_is_found_at_once() {
        let before =
            files(&[("1_a.sql", "select 1"), ("2_b.sql", "select 2"), ("4_d.sql", ""), ("5_e.sql", "")]);
        let now = files(&[
            ("1_a.sql", "select 'other'"),
            ("2_b.sql", "select  2 -- why"),
            ("3_c.sql", ""),
            ("5_renamed.sql", ""),
            ("05_twice.sql", ""),
        ]);
        let plan = decide(&history_of(&before), &now);
        assert_eq!(codes(&plan), ["E105", "E102", "E102", "E103", "E106", "E104"]);
        assert!(plan.findings[1].message.contains("its SQL"));
        assert!(plan.findings[2].message.contains("comments or blanks only"));
    }

    #[test]
    fn what_requires_a_file_that_may_be_late_may_be_late_too() {
        let all = files(&[
            ("1_a.sql", "-- pgdeploy:\n--   when: false\nselect 1"),
            ("2_b.sql", "-- pgdeploy:\n--   requires: [1_a]\nselect 2"),
            ("3_c.sql", "select 3"),
            ("4_d.sql", "select 4"),
        ]);
        let mut applied = history_of(&all);
        applied.retain(|row| row.version == 4);
        let plan = decide(&applied, &all);
        assert_eq!(codes(&plan), ["E104"], "{:?}", plan.findings);
        assert!(plan.findings[0].to_string().contains("3_c"), "{:?}", plan.findings);
    }

    #[test]
    fn a_database_that_is_ahead_is_told_apart_from_a_missing_file() {
        let all = files(&[("1_a.sql", ""), ("2_b.sql", "")]);
        assert_eq!(codes(&decide(&history_of(&all), &files(&[("1_a.sql", "")]))), ["E110"]);
        assert_eq!(codes(&decide(&history_of(&all), &files(&[("2_b.sql", "")]))), ["E103"]);
    }
}
