//! Acceptances: findings that a person answers for, with a reason, in the file itself.

use std::ops::Range;

use serde::Deserialize;
use sql::{Problem, Source};

use crate::finding::Finding;
use crate::rules;

const ANNOTATION: &str = "-- pgdeploy:allow";

/// The keys of the header that are ours; the others belong to the stages.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Header {
    allow: Vec<String>,
    reason: Option<String>,
    transaction: Option<bool>,
}

/// Whether the file's statements share one transaction.
pub(crate) fn is_one_transaction(source: &Source) -> bool {
    sql::header::read::<Header>(source, &[]).map_or(true, |header| header.transaction != Some(false))
}

/// One acceptance of one rule.
#[derive(Debug)]
struct Acceptance {
    rule: String,
    reason: String,
    /// Where it is written.
    span: Range<usize>,
    /// What it covers: the whole file, or one statement.
    covers: Range<usize>,
    used: bool,
}

/// A finding that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// What was found.
    pub finding: Finding,
    /// Why it may stay.
    pub reason: String,
}

/// Sorts findings into those that stand and those that are accepted. What is wrong with an acceptance stands as well:
/// no reason, no such rule, and, where `stale_counts`, nothing left to accept.
pub(crate) fn settle(
    source: &Source,
    spans: &[Range<usize>],
    found: Vec<Finding>,
    stale_counts: bool,
) -> (Vec<Finding>, Vec<Accepted>) {
    let (mut acceptances, mut standing) = read(source, spans);
    let mut accepted = Vec::new();
    for finding in found {
        let matching = acceptances.iter_mut().find(|acceptance| {
            acceptance.rule == finding.rule
                && acceptance.covers.start <= finding.span.start
                && finding.span.start < acceptance.covers.end.max(acceptance.covers.start + 1)
        });
        match matching.filter(|_| finding.acceptable) {
            Some(acceptance) => {
                acceptance.used = true;
                accepted.push(Accepted { finding, reason: acceptance.reason.clone() });
            }
            None => standing.push(finding),
        }
    }
    for stale in acceptances.iter().filter(|acceptance| stale_counts && !acceptance.used) {
        let message = format!("nothing here breaks {}: delete this acceptance", stale.rule);
        standing.push(crate::form::finding("stale-acceptance", source, stale.span.clone(), message));
    }
    standing.sort_by_key(|finding| (finding.span.start, finding.rule));
    (standing, accepted)
}

fn read(source: &Source, spans: &[Range<usize>]) -> (Vec<Acceptance>, Vec<Finding>) {
    let (mut acceptances, mut wrong) = (Vec::new(), Vec::new());
    let mut add = |rule: &str, reason: &str, span: Range<usize>, covers: Range<usize>| {
        let (rule, reason) = (rule.trim(), reason.trim());
        if rules::rule(rule).is_none() {
            let message = format!("there is no rule {rule:?}");
            wrong.push(crate::form::finding("acceptance", source, span, message));
        } else if reason.is_empty() {
            let message = format!("accepting {rule} needs a reason");
            wrong.push(crate::form::finding("acceptance", source, span, message));
        } else {
            acceptances.push(Acceptance {
                rule: rule.into(),
                reason: reason.into(),
                span,
                covers,
                used: false,
            });
        }
    };
    let mut unreadable = None;
    match sql::header::read::<Header>(source, &[]) {
        Ok(header) => {
            let line = source.text.find("allow:").unwrap_or(0);
            let span = line..line + source.text[line..].lines().next().map_or(0, str::len);
            for rule in &header.allow {
                add(rule, header.reason.as_deref().unwrap_or(""), span.clone(), 0..source.text.len());
            }
        }
        Err(problem) => unreadable = Some(Finding::of_problem(problem, &source.sha256)),
    }
    let mut at = 0;
    for line in source.text.split_inclusive('\n') {
        let (start, next) = (at, at + line.len());
        at = next;
        let trimmed = line.trim();
        let Some(rest) = trimmed.strip_prefix(ANNOTATION).filter(|rest| rest.starts_with(' ')) else {
            continue;
        };
        let from = start + line.len() - line.trim_start().len();
        let (rule, reason) = rest.split_once(':').unwrap_or((rest, ""));
        add(rule, reason, from..from + trimmed.len(), covered(source, spans, next));
    }
    wrong.extend(unreadable);
    (acceptances, wrong)
}

/// What an annotation above `next` covers: the statement that starts there, or the line of a block's body.
fn covered(source: &Source, spans: &[Range<usize>], next: usize) -> Range<usize> {
    if let Some(inside) = spans.iter().find(|span| span.start < next && next < span.end) {
        let mut at = next;
        for line in source.text[next..inside.end].split_inclusive('\n') {
            let blank = line.trim().is_empty() || line.trim_start().starts_with("--");
            if !blank {
                return at..at + line.len();
            }
            at += line.len();
        }
    }
    spans.iter().find(|span| span.start >= next).cloned().unwrap_or(next..next)
}

/// For callers that show acceptances beside problems.
impl From<&Accepted> for Problem {
    fn from(accepted: &Accepted) -> Self {
        Self { help: Some(format!("accepted: {}", accepted.reason)), ..Self::from(&accepted.finding) }
    }
}
