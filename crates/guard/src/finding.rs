//! What a rule has to say about one place of one file.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use sql::{Place, Problem};

use crate::rule::Kind;
use crate::severity::Severity;

/// A finding. It stands until it is accepted; see [`crate::Judge::accepted`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule's id; `syntax` and the ids of [`crate::FORM`] for what is no rule about statements.
    pub rule: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// Stable code of the message: E501 the iron rule, E502 a hazard, E503 what cannot be told, E504 acceptances, lists
    /// and files; W501 and H501 warnings and hints; another crate's code for a file that does not parse.
    pub code: &'static str,
    /// The file, relative to the pipeline's directory.
    pub path: PathBuf,
    /// The file's SHA-256; empty where the file could not be read.
    pub sha256: String,
    /// The file's text, which `span` points into.
    pub text: Arc<str>,
    /// The bytes to blame.
    pub span: Range<usize>,
    /// What is wrong: one sentence without a full stop.
    pub message: String,
    /// What to write instead, as SQL that can be pasted.
    pub rewrite: Option<String>,
    /// Whether an acceptance may settle it.
    pub acceptable: bool,
}

impl Finding {
    /// Line and column of the start, from 1.
    pub fn place(&self) -> Place {
        sql::place(&self.text, self.span.start)
    }

    /// Whether the list of old findings may excuse it: a file that is applied cannot change any more, so everything but
    /// its form, however many rows it wrote.
    pub fn is_listable(&self) -> bool {
        self.acceptable || matches!(self.code, "E501" | "E502" | "E503")
    }

    /// Whether it refuses the file.
    pub fn refuses(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The code of a rule's kind and weight.
    pub(crate) fn code_of(kind: Kind, severity: Severity) -> &'static str {
        match (severity, kind) {
            (Severity::Hint, _) => "H501",
            (Severity::Warning, _) => "W501",
            (Severity::Error, Kind::IronRule) => "E501",
            (Severity::Error, Kind::Hazard) => "E502",
            (Severity::Error, Kind::Unproven) => "E503",
            (Severity::Error, Kind::Form) => "E504",
        }
    }

    pub(crate) fn of_problem(problem: Problem, sha256: &str) -> Self {
        let message = match &problem.help {
            Some(help) => format!("{}: {help}", problem.message),
            None => problem.message,
        };
        Self {
            rule: "syntax",
            severity: Severity::Error,
            code: problem.code,
            path: problem.path,
            sha256: sha256.to_owned(),
            text: problem.text,
            span: problem.span.unwrap_or(0..0),
            message,
            rewrite: None,
            acceptable: false,
        }
    }
}

impl From<&Finding> for Problem {
    fn from(finding: &Finding) -> Self {
        let help = match &finding.rewrite {
            Some(rewrite) => format!("write instead:\n{rewrite}"),
            None => format!("pgdeploy explain {}", finding.rule),
        };
        // A caret can underline one line.
        let text = finding.text.get(finding.span.clone()).unwrap_or("");
        let end = finding.span.start + text.lines().next().map_or(0, str::len);
        Self {
            code: finding.code,
            message: format!("{} [{}]", finding.message, finding.rule),
            path: finding.path.clone(),
            text: finding.text.clone(),
            span: Some(finding.span.start..end),
            help: Some(help),
        }
    }
}
