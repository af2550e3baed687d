//! Findings as one JSON object.

use serde_json::{Value, json};

use crate::finding::Finding;
use crate::severity::Severity;

/// `{"errors", "warnings", "hints", "findings": [{rule, severity, code, file, line, column, offset, length, message,
/// rewrite}]}`; lines and columns count characters from 1, `offset` and `length` bytes from 0.
pub fn json(findings: &[Finding]) -> Value {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let each = findings.iter().map(|finding| {
        let place = finding.place();
        json!({
            "rule": finding.rule,
            "severity": finding.severity,
            "code": finding.code,
            "file": finding.path.display().to_string(),
            "line": place.line,
            "column": place.column,
            "offset": finding.span.start,
            "length": finding.span.len(),
            "message": finding.message,
            "rewrite": finding.rewrite,
        })
    });
    json!({
        "errors": count(Severity::Error),
        "warnings": count(Severity::Warning),
        "hints": count(Severity::Hint),
        "findings": each.collect::<Vec<_>>(),
    })
}
