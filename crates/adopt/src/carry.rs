//! What of a tool's history becomes ours: a pure function over (migrations, records).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sql::Problem;

use crate::history::{Outcome, Record};
use crate::manifest::Entry;

/// What a person says of a migration that the history leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settle {
    /// What it does is in the database.
    Applied,
    /// Nothing of it is: a deploy is to run it.
    Pending,
    /// It is in, and its text was changed since.
    Edited,
    /// Its file is gone, and nobody needs it.
    Gone,
}

impl FromStr for Settle {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "applied" => Ok(Settle::Applied),
            "pending" => Ok(Settle::Pending),
            "edited" => Ok(Settle::Edited),
            "gone" => Ok(Settle::Gone),
            other => Err(format!("`{other}` is none of applied, pending, edited, gone")),
        }
    }
}

/// The history, understood.
#[derive(Debug, Clone, Default)]
pub struct Carried {
    /// What is in, by its place among the entries.
    pub applied: Vec<(usize, Record)>,
    /// What is not, by its place among the entries, where there is something to run.
    pub pending: Vec<usize>,
    /// What a person has to settle first.
    pub findings: Vec<Problem>,
    /// What a person has settled, such as `add_x=applied`.
    pub settled: Vec<String>,
}

/// Goes through the entries and says of each where it stands. Every finding is returned.
pub fn carry(entries: &[Entry], records: &[Record], settle: &BTreeMap<String, Settle>) -> Carried {
    let mut carry = Carry { records: last(records), settle, carried: Carried::default() };
    for (at, entry) in entries.iter().enumerate() {
        carry.entry(at, entry);
    }
    carry.unknown(entries, records);
    carry.unused();
    carry.carried
}

/// The last record of each migration: an earlier attempt is history.
fn last(records: &[Record]) -> BTreeMap<&str, &Record> {
    records.iter().map(|record| (record.id.as_str(), record)).collect()
}

struct Carry<'a> {
    records: BTreeMap<&'a str, &'a Record>,
    settle: &'a BTreeMap<String, Settle>,
    carried: Carried,
}

impl Carry<'_> {
    fn entry(&mut self, at: usize, entry: &Entry) {
        match self.records.get(entry.id.as_str()).copied() {
            Some(record) if record.outcome == Outcome::Applied => self.applied(at, entry, record.clone()),
            Some(record) if record.outcome == Outcome::Failed => self.failed(at, entry, record.clone()),
            _ => self.absent(at, entry),
        }
    }

    fn applied(&mut self, at: usize, entry: &Entry, record: Record) {
        let other = record
            .checksum
            .as_ref()
            .filter(|found| !entry.checksums.is_empty() && !entry.checksums.contains(found));
        let Some(found) = other else { return self.carried.applied.push((at, record)) };
        if entry.repeatable {
            return self.pending(at, entry);
        }
        if self.settled(&entry.id, &[Settle::Edited]).is_some() {
            return self.carried.applied.push((at, record));
        }
        let expected = entry.checksums.first().map_or("", String::as_str);
        let message = format!(
            "was changed after it was applied: the history has checksum {}, the file {}",
            short(found),
            short(expected)
        );
        self.find("E711", entry, message, &format!(
            "take the applied text back and run init again; or, if what it does now is what the database has: --settle {}=edited",
            entry.id
        ));
    }

    fn failed(&mut self, at: usize, entry: &Entry, record: Record) {
        match self.settled(&entry.id, &[Settle::Applied, Settle::Pending]) {
            Some(Settle::Applied) => self.carried.applied.push((at, record)),
            Some(_) => self.carried.pending.push(at),
            None => {
                let when =
                    record.started_at.or(record.applied_at).map(|at| format!(" at {at}")).unwrap_or_default();
                let note = record.note.map(|note| format!(": {note}")).unwrap_or_default();
                self.find("E710", entry, format!("has failed here{when}{note}"), &format!(
                    "look at the database; if all of it is there: --settle {0}=applied; if nothing of it is, so that a deploy is to run it: --settle {0}=pending",
                    entry.id
                ));
            }
        }
    }

    fn absent(&mut self, at: usize, entry: &Entry) {
        let replaced: Vec<&Record> = entry
            .replaces
            .iter()
            .filter_map(|id| self.records.get(id.as_str()).copied())
            .filter(|record| record.outcome == Outcome::Applied)
            .collect();
        match replaced.last() {
            None => self.pending(at, entry),
            Some(record) if replaced.len() == entry.replaces.len() => {
                self.carried.applied.push((at, Record { id: entry.id.clone(), ..(*record).clone() }));
            }
            Some(_) => match self.settled(&entry.id, &[Settle::Applied, Settle::Pending]) {
                Some(Settle::Applied) => self.carried.applied.push((at, Record::of(entry.id.clone()))),
                Some(_) => self.carried.pending.push(at),
                None => {
                    let (done, all) = (replaced.len(), entry.replaces.len());
                    let message =
                        format!("stands for {all} migrations, of which this database has had {done}");
                    self.find("E714", entry, message, "apply the others with the tool itself first");
                }
            },
        }
    }

    fn pending(&mut self, at: usize, entry: &Entry) {
        if entry.not_carried.is_empty() {
            return if entry.file.is_some() {
                self.carried.pending.push(at)
            };
        }
        match self.settled(&entry.id, &[Settle::Applied, Settle::Pending]) {
            Some(Settle::Applied) => self.carried.applied.push((at, Record::of(entry.id.clone()))),
            Some(_) if entry.file.is_some() => self.carried.pending.push(at),
            Some(_) => {}
            None => {
                let message =
                    format!("has not run here, and part of it is no SQL: {}", entry.not_carried.join(", "));
                self.find("E713", entry, message, &format!(
                    "run it with the tool itself first; or, if the SQL of it is enough here: --settle {}=pending",
                    entry.id
                ));
            }
        }
    }

    /// What the history has and the files have not.
    fn unknown(&mut self, entries: &[Entry], records: &[Record]) {
        let known = |id: &String| entries.iter().any(|entry| entry.id == *id || entry.replaces.contains(id));
        let mut seen = Vec::new();
        for record in records.iter().filter(|record| !known(&record.id)) {
            let gone =
                self.records.get(record.id.as_str()).is_none_or(|last| last.outcome == Outcome::Undone);
            if gone || seen.contains(&&record.id) || self.settled(&record.id, &[Settle::Gone]).is_some() {
                continue;
            }
            seen.push(&record.id);
            let problem = Problem::with_file("E712", Path::new(&record.id), "is in the history, and its file is not here").help(format!(
                "bring the file back and run init again; or, if the files here make the whole schema without it: --settle {}=gone",
                record.id
            ));
            self.carried.findings.push(problem);
        }
    }

    fn settled(&mut self, id: &str, fitting: &[Settle]) -> Option<Settle> {
        let settle = self.settle.get(id).copied().filter(|settle| fitting.contains(settle))?;
        self.carried.settled.push(format!("{id}={}", format!("{settle:?}").to_lowercase()));
        Some(settle)
    }

    /// A settlement that settles nothing is a mistake.
    fn unused(&mut self) {
        for (id, settle) in self.settle {
            let word = format!("{id}={}", format!("{settle:?}").to_lowercase());
            if !self.carried.settled.contains(&word) {
                let problem = Problem::with_file(
                    "E719",
                    Path::new(id),
                    format!("--settle {word} settles nothing: there is no such question"),
                );
                self.carried
                    .findings
                    .push(problem.help("leave it out, or look at the names that are asked about"));
            }
        }
    }

    fn find(&mut self, code: &'static str, entry: &Entry, message: String, help: &str) {
        let path =
            entry.file.as_ref().map_or_else(|| PathBuf::from(&entry.id), |file| format!("{file}.sql").into());
        self.carried.findings.push(Problem::with_file(code, &path, message).help(help));
    }
}

fn short(checksum: &str) -> &str {
    checksum.get(..12).unwrap_or(checksum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str) -> Entry {
        Entry {
            id: id.into(),
            file: Some(format!("0001_{id}")),
            sha256: None,
            checksums: vec!["right".into()],
            after: Vec::new(),
            replaces: Vec::new(),
            not_carried: Vec::new(),
            repeatable: false,
        }
    }

    fn record(id: &str, outcome: Outcome, checksum: &str) -> Record {
        Record { outcome, checksum: Some(checksum.into()), ..Record::of(id) }
    }

    fn codes(carried: &Carried) -> Vec<&str> {
        carried.findings.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn every_open_question_is_asked_at_once_and_can_be_settled() {
        let mut squashed = entry("squashed");
        squashed.replaces = vec!["s1".into(), "s2".into()];
        let mut code = entry("code");
        code.not_carried = vec!["RunPython f".into()];
        let entries = [entry("fine"), entry("changed"), entry("failed"), squashed, code, entry("new")];
        let records = [
            record("fine", Outcome::Applied, "right"),
            record("changed", Outcome::Applied, "wrong"),
            record("failed", Outcome::Failed, "right"),
            record("s1", Outcome::Applied, "x"),
            record("lost", Outcome::Applied, "x"),
        ];
        let asked = carry(&entries, &records, &BTreeMap::new());
        assert_eq!(codes(&asked), ["E711", "E710", "E714", "E713", "E712"]);
        assert_eq!((asked.applied.len(), &asked.pending), (1, &vec![5]));
        let answers = [
            ("changed", Settle::Edited),
            ("failed", Settle::Applied),
            ("squashed", Settle::Applied),
            ("code", Settle::Pending),
            ("lost", Settle::Gone),
        ];
        let answers = answers.map(|(id, settle)| (id.to_owned(), settle)).into();
        let settled = carry(&entries, &records, &answers);
        assert!(settled.findings.is_empty(), "{:?}", settled.findings);
        assert_eq!((settled.applied.len(), &settled.pending, settled.settled.len()), (4, &vec![4, 5], 5));
    }

    #[test]
    fn an_answer_to_no_question_is_a_finding() {
        let answers = [("fine".to_owned(), Settle::Applied)].into();
        let records = [record("fine", Outcome::Applied, "right")];
        assert_eq!(codes(&carry(&[entry("fine")], &records, &answers)), ["E719"]);
    }

    #[test]
    fn the_last_attempt_counts_and_a_changed_repeatable_one_runs_again() {
        let again = [
            record("a", Outcome::Failed, "x"),
            record("a", Outcome::Undone, "x"),
            record("a", Outcome::Applied, "right"),
        ];
        assert_eq!(carry(&[entry("a")], &again, &BTreeMap::new()).applied.len(), 1);
        let repeatable = Entry { repeatable: true, ..entry("r") };
        let changed = carry(&[repeatable], &[record("r", Outcome::Applied, "old")], &BTreeMap::new());
        assert_eq!((changed.pending, changed.findings.len()), (vec![0], 0));
    }
}
