//! A table of figures: printed for people, kept as JSON for comparing runs.

use serde_json::{Map, Value, json};

/// What was measured, a row a contestant.
pub(crate) struct Table {
    title: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        Self {
            title: title.into(),
            columns: columns.iter().map(ToString::to_string).collect(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.columns.len(), "a cell for each column");
        self.rows.push(cells);
    }

    /// On stdout, columns aligned, figures to the right.
    #[allow(clippy::print_stdout)]
    pub(crate) fn print(&self) {
        let width = |column: usize| {
            self.rows.iter().chain([&self.columns]).map(|row| row[column].chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        println!("{}", self.title);
        for row in [&self.columns].into_iter().chain(&self.rows) {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            println!("  {}", cells.collect::<Vec<_>>().join("   "));
        }
    }

    pub(crate) fn json(&self) -> String {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                Value::Object(
                    self.columns
                        .iter()
                        .cloned()
                        .zip(row.iter().cloned().map(Value::from))
                        .collect::<Map<_, _>>(),
                )
            })
            .collect();
        format!("{:#}\n", json!({ "title": self.title, "rows": rows }))
    }
}
