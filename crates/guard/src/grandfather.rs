//! The grandfather list: findings in files that are applied already and cannot change any more.
//!
//! An entry holds for one rule in one file with one hash: an edit voids it. The list can only shrink; an entry that has
//! nothing left to excuse is an error, so that it goes.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::finding::Finding;
use crate::severity::Severity;

/// The list's file name, beside pipeline.yaml.
pub const FILE: &str = "guard.grandfathered.yaml";

/// One excused rule in one file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The file, relative to the pipeline's directory.
    pub file: String,
    /// SHA-256 of its text as the history records it.
    pub sha256: String,
    /// The rule.
    pub rule: String,
    /// The weight it had when it was listed.
    pub severity: Severity,
    /// Why it may stay.
    pub reason: String,
}

/// The list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grandfathered {
    /// Its entries.
    #[serde(default)]
    pub entries: Vec<Entry>,
}

/// Findings held against the list.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// What no entry excuses.
    pub standing: Vec<Finding>,
    /// What an entry excuses.
    pub excused: Vec<Finding>,
    /// Entries with nothing left to excuse, each with why; each is an error.
    pub stale: Vec<(Entry, String)>,
}

impl Grandfathered {
    /// Reads a list; an empty one where there is no file.
    pub fn load(path: &Path) -> Result<Self, Error> {
        match std::fs::read_to_string(path) {
            Ok(text) if text.trim().is_empty() => Ok(Self::default()),
            Ok(text) => {
                serde_yaml::from_str(&text).map_err(|source| Error::List { path: path.into(), source })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(Error::Io { path: path.into(), source }),
        }
    }

    /// The list that excuses what is found now, for `guard --grandfather --reason`.
    pub fn of(findings: &[Finding], reason: &str) -> Self {
        let mut entries: Vec<Entry> = findings
            .iter()
            .filter(|finding| finding.is_listable())
            .map(|finding| Entry {
                file: finding.path.display().to_string(),
                sha256: finding.sha256.clone(),
                rule: finding.rule.to_owned(),
                severity: finding.severity,
                reason: reason.to_owned(),
            })
            .collect();
        entries.sort();
        entries.dedup();
        Self { entries }
    }

    /// Holds findings against the list.
    pub fn check(&self, findings: Vec<Finding>) -> Checked {
        let mut checked = Checked::default();
        let mut used = vec![false; self.entries.len()];
        let mut edited = vec![false; self.entries.len()];
        for finding in findings {
            let file = finding.path.display().to_string();
            let at = self.entries.iter().enumerate().find_map(|(at, entry)| {
                let same = entry.file == file && entry.rule == finding.rule && finding.is_listable();
                let weight = finding.severity <= entry.severity;
                if same && entry.sha256 != finding.sha256 {
                    edited[at] = true;
                }
                (same && weight && entry.sha256 == finding.sha256 && !entry.reason.trim().is_empty())
                    .then_some(at)
            });
            match at {
                Some(at) => {
                    used[at] = true;
                    checked.excused.push(finding);
                }
                None => checked.standing.push(finding),
            }
        }
        for (at, entry) in self.entries.iter().enumerate().filter(|(at, _)| !used[*at]) {
            let why = if edited[at] {
                "the file was edited: the entry is void"
            } else {
                "listed but no longer violates: remove it"
            };
            checked.stale.push((entry.clone(), why.to_owned()));
        }
        checked
    }

    /// The list without entries that excuse nothing any more, and how many those were.
    pub fn shrink(&self, findings: &[Finding]) -> (Self, usize) {
        let stale = self.check(findings.to_vec()).stale;
        let kept = self.entries.iter().filter(|entry| stale.iter().all(|(gone, _)| gone != *entry));
        let list = Self { entries: kept.cloned().collect() };
        let gone = self.entries.len() - list.entries.len();
        (list, gone)
    }

    /// The list as its file holds it.
    pub fn text(&self) -> Result<String, Error> {
        serde_yaml::to_string(self).map_err(|source| Error::List { path: FILE.into(), source })
    }

    /// Writes the list. `allow_growth` permits entries that the file at `path` does not have; a first list is no growth.
    pub fn write(&self, path: &Path, allow_growth: bool) -> Result<(), Error> {
        let before = Self::load(path)?;
        if path.exists() && !allow_growth {
            let has = |entry: &Entry| {
                before
                    .entries
                    .iter()
                    .any(|old| old.file == entry.file && old.rule == entry.rule && old.sha256 == entry.sha256)
            };
            if let Some(new) = self.entries.iter().find(|entry| !has(entry)) {
                return Err(Error::Growth { file: new.file.clone(), rule: new.rule.clone() });
            }
        }
        std::fs::write(path, self.text()?).map_err(|source| Error::Io { path: path.into(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Judge, Knowledge, Source};

    fn findings(text: &str) -> Vec<Finding> {
        let source = Source::from_bytes(Path::new("migrations/1_x.sql"), text.into()).unwrap();
        Judge::new(Knowledge::default()).migration(&source)
    }

    #[test]
    fn an_entry_holds_for_one_hash_and_goes_stale() {
        let list = Grandfathered::of(&findings("delete from t"), "applied in 2021");
        let checked = list.check(findings("delete from t"));
        assert_eq!((checked.standing.len(), checked.excused.len(), checked.stale.len()), (0, 1, 0));
        let edited = list.check(findings("delete from t where a"));
        assert_eq!((edited.standing.len(), edited.stale[0].1.contains("edited")), (1, true));
        assert!(list.check(Vec::new()).stale[0].1.contains("remove it"));
        assert_eq!(list.shrink(&[]).1, 1);
    }

    #[test]
    fn the_list_can_only_shrink() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        let one = Grandfathered::of(&findings("delete from t"), "old");
        one.write(&path, false).unwrap();
        assert_eq!(Grandfathered::load(&path).unwrap(), one);
        let two = Grandfathered::of(&findings("delete from t; update t set a = 1"), "old");
        assert!(matches!(two.write(&path, false), Err(Error::Growth { .. })));
        Grandfathered::default().write(&path, false).unwrap();
        assert!(matches!(one.write(&path, false), Err(Error::Growth { .. })));
        one.write(&path, true).unwrap();
    }
}
