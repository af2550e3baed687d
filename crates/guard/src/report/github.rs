//! Findings as workflow commands of GitHub Actions: one annotation a line.

use crate::finding::Finding;
use crate::severity::Severity;

/// `::error file=..,line=..,col=..,title=RULE::message`, one line each.
pub fn github(findings: &[Finding]) -> String {
    let mut lines = String::new();
    for finding in findings {
        let command = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Hint => "notice",
        };
        let place = finding.place();
        lines.push_str(&format!(
            "::{command} file={},line={},col={},title={}::{}\n",
            property(&finding.path.display().to_string()),
            place.line,
            place.column,
            property(finding.rule),
            data(&finding.message),
        ));
    }
    lines
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
