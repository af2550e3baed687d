//! The page of a rule, and all of them as docs/rules.md.

use crate::form::FORM;
use crate::rule::{Kind, Rule};
use crate::rules;

/// What is no rule, and why: the rest of the catalogue of hazards.
const NOT_COVERED: &[(&str, &str)] = &[
    ("the style of types (json, integer keys, timestamp, char, varchar)", "taste: nothing blocks or is lost"),
    (
        "further statements behind one that takes ACCESS EXCLUSIVE",
        "it would be said of most files of two statements; what makes the lock long is said: a scan (scan-under-lock), several \
         tables (several-tables), sleeping (sleep), rows (the iron rule)",
    ),
    (
        "DROP CONSTRAINT of a foreign key, CREATE TABLE .. REFERENCES, CREATE TRIGGER, DROP TRIGGER, CREATE OR REPLACE VIEW",
        "brief locks without a weaker way to the same end",
    ),
    (
        "a volatile SQL function that PostgreSQL inlines to a constant",
        "only a run can tell: volatile-default takes every function that is not known to be stable for volatile",
    ),
    (
        "SET TABLESPACE to the tablespace in which the table is",
        "needs the catalog of tablespaces, and nobody writes it",
    ),
    (
        "the size of a table as a weight",
        "`plan` shows it, but a table that is tiny in staging is large in production: a verdict that comes only there comes too late",
    ),
    (
        "triggers that exist in the target and fire on a change of rows",
        "the change of rows is refused by itself; one that is accepted is counted by `plan --prove`",
    ),
    (
        "functions of extensions and functions in C",
        "their bodies cannot be read: unknown-call, and the sound of the name",
    ),
    (
        "casts with a function of your own, and functions in CHECKs of domains",
        "a body that changes rows there is unheard of; `plan --prove` counts what they change",
    ),
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
