//! Findings as SARIF 2.1.0, which code hosts show beside the lines.

use serde_json::{Value, json};

use crate::finding::Finding;
use crate::form::FORM;
use crate::rules;
use crate::severity::Severity;

/// One run of the tool, with every rule's description.
pub fn sarif(findings: &[Finding]) -> Value {
    let of_statements = rules::ALL.iter().map(|rule| {
        json!({
            "id": rule.id,
            "shortDescription": { "text": rule.summary },
            "fullDescription": { "text": rule.why },
            "help": { "text": rule.rewrite, "markdown": crate::explain::explain(rule.id).unwrap_or_default() },
            "defaultConfiguration": { "level": level(rule.severity) },
        })
    });
    let of_files =
        FORM.iter().map(|(id, summary)| json!({ "id": id, "shortDescription": { "text": summary } }));
    let all: Vec<Value> = of_statements.chain(of_files).collect();
    let index = |id: &str| all.iter().position(|rule| rule["id"] == id);
    let results: Vec<Value> = findings.iter().map(|finding| result(finding, index(finding.rule))).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "pgdeploy guard", "version": env!("CARGO_PKG_VERSION"), "rules": all } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(finding: &Finding, index: Option<usize>) -> Value {
    let start = finding.place();
    let end = sql::place(&finding.text, finding.span.end);
    let message = match &finding.rewrite {
        Some(rewrite) => format!("{}\n\nWrite instead:\n{rewrite}", finding.message),
        None => finding.message.clone(),
    };
    let mut result = json!({
        "ruleId": finding.rule,
        "level": level(finding.severity),
        "message": { "text": message },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri(&finding.path.display().to_string()) },
            "region": {
                "startLine": start.line, "startColumn": start.column,
                "endLine": end.line, "endColumn": end.column,
            },
        }}],
    });
    if let Some(index) = index {
        result["ruleIndex"] = index.into();
    }
    result
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Hint => "note",
    }
}

/// A relative URI: what is not plain is escaped.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte);
    path.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
