//! How the stage ended. By type it cannot fail the deploy.

use postgres::Warning;
use serde::Serialize;

/// How the stage ended.
#[derive(Debug, Clone, Default, Serialize, schemars::JsonSchema)]
pub struct Outcome {
    /// One per definition, in the order they were worked on.
    pub items: Vec<ItemOutcome>,
    /// What fell short: W201 incomplete or failed, W204 rows that keep matching.
    pub warnings: Vec<Warning>,
    /// Whether the stage was told to stop.
    pub interrupted: bool,
}

/// How one backfill ended.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct ItemOutcome {
    /// File name without ending.
    pub id: String,
    /// The table whose rows are walked.
    pub table: String,
    /// How it ended.
    pub outcome: Verdict,
    /// Rows done, earlier runs included.
    pub rows: u64,
    /// Rows that matched at the start, by a sample of the table; exact for small tables.
    pub estimated_rows: u64,
    /// Rows that are still left because others hold them locked.
    pub skipped: u64,
    /// How long this run took.
    pub seconds: f64,
    /// Why it is not complete.
    pub reason: Option<String>,
}

/// How one backfill ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Proven complete in this run.
    Complete,
    /// Was complete before: nothing was done.
    Unchanged,
    /// Resumes at the next deploy.
    Incomplete,
    /// Cannot go on as it is.
    Failed,
    /// Refused before the first batch.
    Refused,
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0, 12, 999, 1000, 1_234_567].map(grouped), ["0", "12", "999", "1,000", "1,234,567"]);
    }
}
