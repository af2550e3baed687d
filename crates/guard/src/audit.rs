//! `audit`: what hides in a directory of migrations, graded.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sql::{NodeEnum, Problem, Source};

use crate::act::Act;
use crate::error::Error;
use crate::judge::Judge;
use crate::knowledge::Knowledge;
use crate::name::Name;
use crate::script;
use crate::write::{Bound, Change, Write};

/// How urgent a hidden backfill is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Grade {
    /// By key, literal rows, or a small reference table.
    Low,
    /// A condition that bounds nothing.
    Medium,
    /// Every row, a hot or large table, or beside DDL that locks the same table.
    High,
}

/// What is told of the tables beside the text.
#[derive(Debug, Clone, Default)]
pub struct AuditSettings {
    /// Tables whose backfills are always HIGH.
    pub hot_tables: BTreeSet<String>,
    /// Reference tables whose backfills are always LOW.
    pub small_tables: BTreeSet<String>,
    /// What is known of the target.
    pub knowledge: Knowledge,
    /// A catalogued table of more rows than this is large; 1,000,000 where it is `None`.
    pub large_rows: Option<u64>,
}

/// One change of rows in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The file, relative to the directory.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// `UPDATE`, `DELETE`, ...
    pub change: String,
    /// The table, where the text tells.
    pub table: Option<String>,
    /// How urgent.
    pub grade: Grade,
    /// Why it has this grade.
    pub why: String,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    /// Files that were read.
    pub files: usize,
    /// Every change of rows, by file and line.
    pub items: Vec<Item>,
    /// Files that could not be read or parsed; by their words they are still in `items`.
    pub unreadable: Vec<Problem>,
}

/// Reads every migration below a directory, and reports the rows that it changes.
pub fn audit(directory: &Path, settings: &AuditSettings) -> Result<Audit, Error> {
    let mut paths = Vec::new();
    collect(directory, directory, &mut paths)?;
    paths.sort();
    let mut judge = Judge::new(settings.knowledge.clone());
    let mut audit = Audit { files: paths.len(), ..Audit::default() };
    for path in paths {
        match Source::read(directory, &path) {
            Ok(source) => audit.file(&mut judge, &source, settings),
            Err(problem) => audit.unreadable.push(problem),
        }
    }
    Ok(audit)
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or("")
}

fn collect(base: &Path, directory: &Path, paths: &mut Vec<PathBuf>) -> Result<(), Error> {
    let failed = |source| Error::Io { path: directory.into(), source };
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || matches!(name.as_str(), "node_modules" | "__pycache__") {
            continue;
        }
        if kind.is_dir() {
            collect(base, &path, paths)?;
        } else if matches!(extension(&path), "sql" | "py" | "rb" | "ts" | "js" | "php")
            && !name.ends_with(".down.sql")
            && name != "__init__.py"
        {
            paths.extend(path.strip_prefix(base).map(Path::to_path_buf));
        }
    }
    Ok(())
}

impl Audit {
    fn file(&mut self, judge: &mut Judge, source: &Source, settings: &AuditSettings) {
        if extension(&source.path) != "sql" {
            return self.script(extension(&source.path), source, settings);
        }
        match judge.read(source) {
            Ok((read, _)) => {
                let locked = locked(&read.acts);
                for finding in &read.findings {
                    if !finding.rule.starts_with("dml-") {
                        continue;
                    }
                    let act = read.acts.iter().find(|act| act.span == finding.span && !act.writes.is_empty());
                    let write =
                        act.and_then(|act| act.writes.iter().find(|write| named(write, finding.rule)));
                    let (change, table, bound) = match write {
                        Some(write) => (write.change.verb().to_owned(), write.table.clone(), write.bound),
                        None => (finding.message.clone(), None, Bound::All),
                    };
                    let (grade, why) = grade(settings, table.as_ref(), bound, &locked);
                    self.items.push(Item {
                        file: source.path.clone(),
                        line: finding.place().line,
                        change,
                        table: table.map(|table| table.to_string()),
                        grade,
                        why,
                    });
                }
            }
            Err(finding) => {
                self.unreadable.push(Problem::from(finding.as_ref()));
                self.script("sql", source, settings);
            }
        }
    }

    fn script(&mut self, extension: &str, source: &Source, settings: &AuditSettings) {
        for sighting in script::scan(extension, &source.text) {
            let table = sighting.write.as_ref().and_then(|write| write.table.clone());
            let (grade, why) = grade(settings, table.as_ref(), sighting.bound(), &[]);
            self.items.push(Item {
                file: source.path.clone(),
                line: sighting.line,
                change: sighting.what,
                table: table.map(|table| table.to_string()),
                grade,
                why,
            });
        }
    }

    /// Files with a change of rows, each with the worst grade in it.
    pub fn backfills(&self) -> Vec<(&Path, Grade)> {
        let mut files: Vec<(&Path, Grade)> = Vec::new();
        for item in &self.items {
            match files.iter_mut().find(|(file, _)| *file == item.file) {
                Some((_, grade)) => *grade = (*grade).max(item.grade),
                None => files.push((&item.file, item.grade)),
            }
        }
        files
    }

    /// How many files have this as their worst grade.
    pub fn count(&self, grade: Grade) -> usize {
        self.backfills().iter().filter(|(_, worst)| *worst == grade).count()
    }

    /// The report.
    pub fn markdown(&self) -> String {
        let (high, medium, low) =
            (self.count(Grade::High), self.count(Grade::Medium), self.count(Grade::Low));
        let mut text = format!(
            "# Audit of migrations\n\n{} files, {} with a backfill: {high} HIGH, {medium} MEDIUM, {low} LOW.\n",
            self.files,
            high + medium + low,
        );
        if !self.items.is_empty() {
            text.push_str("\n| grade | file | change | table | why |\n|---|---|---|---|---|\n");
        }
        let mut items: Vec<&Item> = self.items.iter().collect();
        items.sort_by(|a, b| (b.grade, &a.file, a.line).cmp(&(a.grade, &b.file, b.line)));
        for item in items {
            let grade = format!("{:?}", item.grade).to_uppercase();
            let table = item.table.as_deref().unwrap_or("").replace('|', "\\|");
            let (file, line, change) = (item.file.display(), item.line, item.change.replace('|', "\\|"));
            text.push_str(&format!("| {grade} | {file}:{line} | {change} | {table} | {} |\n", item.why));
        }
        for problem in &self.unreadable {
            text.push_str(&format!("\nNot parsed, judged by its words: {problem}\n"));
        }
        text
    }
}

/// Whether a rule is about this change.
fn named(write: &Write, rule: &str) -> bool {
    match write.change {
        Change::Update => rule == "dml-update",
        Change::Delete => rule == "dml-delete",
        Change::Merge => rule == "dml-merge",
        Change::InsertSelect => rule == "dml-insert-select",
        Change::InsertValues(_) => rule == "dml-insert-values",
        Change::Truncate => rule == "dml-truncate",
        Change::CopyFrom => rule == "dml-copy",
    }
}

/// Tables that the file's DDL locks against all use.
fn locked(acts: &[Act]) -> Vec<Name> {
    let tables = acts.iter().filter_map(|act| match &act.node {
        Some(NodeEnum::AlterTableStmt(alter)) => alter.relation.as_ref().map(Name::of),
        _ => None,
    });
    tables.collect()
}

fn grade(settings: &AuditSettings, table: Option<&Name>, bound: Bound, locked: &[Name]) -> (Grade, String) {
    let listed = |list: &BTreeSet<String>| {
        table.is_some_and(|table| list.contains(&table.name) || list.contains(&table.to_string()))
    };
    let rows = table.and_then(|table| settings.knowledge.table(table)).and_then(|facts| facts.estimated_rows);
    let large = rows.is_some_and(|rows| rows > settings.large_rows.unwrap_or(1_000_000));
    let (grade, why) = if listed(&settings.small_tables) {
        (Grade::Low, "a small reference table")
    } else if listed(&settings.hot_tables) {
        (Grade::High, "a hot table")
    } else if large {
        (Grade::High, "a large table")
    } else if bound != Bound::Key && table.is_some_and(|table| locked.iter().any(|other| other.same(table))) {
        (Grade::High, "beside DDL that locks the same table")
    } else {
        match bound {
            Bound::All => (Grade::High, "no WHERE"),
            Bound::Condition => (Grade::Medium, "a WHERE that bounds nothing"),
            Bound::Key => (Grade::Low, "by key, or rows that are written out"),
        }
    };
    (grade, why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_counted_and_graded() {
        let directory = tempfile::tempdir().unwrap();
        let files = [
            ("1_a.sql", "update leads set a = 1"),
            ("2_b.sql", "delete from leads where a = 1"),
            ("3_c.sql", "update leads set a = 1 where id = 7"),
            ("4_d.sql", "alter table calls add b int; update calls set b = 1 where b is null"),
            ("5_e.sql", "create table t (a int); insert into t values (1)"),
            ("6_f.py", "op.execute('UPDATE leads SET a = 1 WHERE a IS NULL')"),
            ("7_g.sql", "\\set x\nupdate leads set a = 1"),
        ];
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let audit = audit(directory.path(), &AuditSettings::default()).unwrap();
        let counts = [Grade::High, Grade::Medium, Grade::Low].map(|grade| audit.count(grade));
        assert_eq!((audit.files, counts, audit.unreadable.len()), (7, [3, 2, 1], 1), "{}", audit.markdown());
        assert!(audit.markdown().contains("7 files, 6 with a backfill: 3 HIGH, 2 MEDIUM, 1 LOW."));
    }
}
