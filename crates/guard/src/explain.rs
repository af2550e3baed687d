//! The page of a rule, and all of them as docs/rules.md.

use crate::form::FORM;
use crate::rule::{Kind, Rule};
use crate::rules;

/// What is no rule, and why: the rest of the catalogue of hazards.
const NOT_COVERED: &[(&str, &str)] = &[
    ("the style of types (json, integer keys, timestamp, char, varchar)", "taste: nothing blocks or is lost"),
    (
        "a primary key by USING INDEX over columns that may be NULL",
        "needs the catalog; the check scans the table",
    ),
    (
        "timestamp to timestamptz where TimeZone is UTC",
        "needs the server's setting: it is refused as a rewrite",
    ),
    (
        "which trigger or event trigger fires on a statement",
        "needs the catalog; rows that it changes need a run",
    ),
    ("the size of a table", "needs the catalog: a small table in use is judged as a large one"),
    ("functions of extensions", "their bodies are not in the files: unknown-call and the sound of the name"),
];

/// The page of a rule as Markdown; `None` if there is no such rule.
pub fn explain(id: &str) -> Option<String> {
    match rules::rule(id) {
        Some(rule) => Some(page(rule)),
        None => FORM.iter().find(|(form, _)| *form == id).map(|(id, text)| format!("# {id}\n\n{text}.\n")),
    }
}

fn page(rule: &Rule) -> String {
    let kind = match rule.kind {
        Kind::IronRule => "iron rule",
        Kind::Hazard => "hazard",
        Kind::Unproven => "cannot be told",
        Kind::Form => "form",
    };
    let code = |texts: &[&str]| texts.iter().map(|text| format!("{text};\n")).collect::<String>();
    let mut page = format!(
        "# {}\n\n{} ({}): {}.\n\nLock: {}.\n\n{}\n\nInstead:\n\n```sql\n{}\n```\n\nFound in:\n\n```sql\n{}```\n",
        rule.id,
        kind,
        rule.severity.as_str(),
        rule.summary,
        rule.lock,
        rule.why,
        rule.rewrite,
        code(rule.bad)
    );
    if !rule.good.is_empty() {
        page.push_str(&format!("\nNot found in:\n\n```sql\n{}```\n", code(rule.good)));
    }
    page.push_str(&format!("\nTo accept one: `-- pgdeploy:allow {}: why` above the statement.\n", rule.id));
    page
}

/// docs/rules.md.
pub fn rules_page() -> String {
    let mut text = String::from(
        "# Rules of the guard\n\nGenerated from the rules themselves. A migration changes the schema, never rows; and no DDL that blocks a live table \
         goes out unseen. `error` refuses the file. A table that the same file creates is new: no hazard.\n\n| rule | weight | finds |\n|---|---|---|\n",
    );
    for rule in rules::ALL {
        text.push_str(&format!(
            "| [{0}](#{0}) | {1} | {2} |\n",
            rule.id,
            rule.severity.as_str(),
            rule.summary
        ));
    }
    for (id, summary) in FORM {
        text.push_str(&format!("| {id} | error | {summary} |\n"));
    }
    text.push_str("\nNot covered:\n\n");
    for (what, why) in NOT_COVERED {
        text.push_str(&format!("- {what}: {why}.\n"));
    }
    for rule in rules::ALL {
        text.push_str(&format!("\n#{}", page(rule)));
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn docs_rules_md_is_current() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rules.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, super::rules_page()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == super::rules_page(), "docs/rules.md is stale: run the tests with UPDATE_DOCS=1");
    }

    #[test]
    fn every_rule_has_a_page() {
        assert!(super::explain("dml-update").unwrap().contains("Lock: ROW EXCLUSIVE"));
        assert!(super::explain("syntax").is_some());
        assert!(super::explain("nonsense").is_none());
    }
}
