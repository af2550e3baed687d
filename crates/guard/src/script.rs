//! Migrations in other languages: what their text shows, for `audit` only.

use crate::words;
use crate::write::{Bound, Change, Write};

/// A row change in a script.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sighting {
    /// From 1.
    pub(crate) line: usize,
    pub(crate) what: String,
    pub(crate) write: Option<Write>,
}

/// Calls that change rows, in the migration tools of these languages.
const CALLS: [&str; 17] = [
    "exec_dml(",
    "execute_dml(",
    ".update_all(",
    ".delete_all",
    ".destroy_all",
    ".insert_all(",
    ".upsert_all(",
    "bulk_insert(",
    "bulk_update(",
    "bulk_create(",
    ".objects.update(",
    "bulkinsert(",
    "bulkupdate(",
    "bulkdelete(",
    "runpython(",
    ".find_each",
    ".in_batches",
];

/// Every row change that a script's text shows.
pub(crate) fn scan(extension: &str, text: &str) -> Vec<Sighting> {
    let code = without_comments(extension, text);
    let mut found = Vec::new();
    for (at, line) in code.lines().enumerate() {
        let lower = line.to_lowercase();
        for call in CALLS.iter().filter(|call| lower.contains(**call)) {
            let what = format!("{}..)", call.trim_start_matches('.'));
            found.push(Sighting { line: at + 1, what, write: None });
        }
        if lower.contains(".objects.") && (lower.contains(").update(") || lower.contains(").delete(")) {
            found.push(Sighting { line: at + 1, what: "a change of rows by the ORM".into(), write: None });
        }
    }
    // Statements run over lines, so they are looked for in the whole text; each is placed by its first words.
    let mut from = 0;
    for write in words::writes_loosely(&code) {
        let needle = match write.change {
            Change::InsertSelect | Change::InsertValues(_) => "insert",
            Change::Update => "update",
            Change::Delete => "delete",
            Change::Merge => "merge",
            _ => "truncate",
        };
        let lower = code.to_lowercase();
        let at = lower.get(from..).and_then(|rest| rest.find(needle)).map_or(from, |at| from + at);
        from = (at + needle.len()).min(code.len());
        let line = code.get(..at).unwrap_or("").matches('\n').count() + 1;
        found.push(Sighting { line, what: write.change.verb().into(), write: Some(write) });
    }
    if found.is_empty() {
        let comment = text.lines().position(|line| line.to_lowercase().contains("backfill"));
        found.extend(comment.map(|at| Sighting {
            line: at + 1,
            what: "mentions a backfill".into(),
            write: None,
        }));
    }
    found.sort_by_key(|sighting| sighting.line);
    found
}

impl Sighting {
    pub(crate) fn bound(&self) -> Bound {
        match &self.write {
            Some(write) => write.bound,
            None if self.what.starts_with("mentions") => Bound::Key,
            None => Bound::Condition,
        }
    }
}

/// The text with its comments blanked, line ends kept.
fn without_comments(extension: &str, text: &str) -> String {
    let hash = matches!(extension, "py" | "rb" | "php");
    let slashes = matches!(extension, "ts" | "js" | "php");
    let mut code = String::with_capacity(text.len());
    let mut block = false;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start();
        let starts = slashes && trimmed.starts_with("/*");
        let comment =
            block || starts || hash && trimmed.starts_with('#') || slashes && trimmed.starts_with("//");
        block = (block || starts) && !trimmed.contains("*/");
        if comment {
            code.push_str(if line.ends_with('\n') { "\n" } else { "" });
        } else {
            code.push_str(line);
        }
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_in_strings_are_seen_and_comments_are_not() {
        let python = "def upgrade():\n    # UPDATE t SET a = 1\n    op.execute(\"UPDATE leads SET a = 1\")\n    op.execute('''\n  INSERT INTO a\n  SELECT * FROM b''')\n";
        let found: Vec<_> = scan("py", python).into_iter().map(|s| (s.line, s.what)).collect();
        assert_eq!(found, [(3, "UPDATE".to_owned()), (5, "INSERT".to_owned())]);
        assert_eq!(scan("ts", "await q.query(`DELETE FROM leads WHERE a`)")[0].bound(), Bound::Condition);
        assert!(scan("rb", "add_column :leads, :a, :text\n").is_empty());
    }
}
