//! Gates, approvals and holds for people.

use orchestrator::gates::{Hold, shown};
use orchestrator::{Approved, GateAnswer};
use serde_json::{Value, json};

use crate::render::Style;

/// What the gates of an environment say: a line each, and what was looked at where one stays shut.
pub(crate) fn of_answers(answers: &[GateAnswer], style: Style) -> String {
    let mut text = String::new();
    for (nth, answer) in answers.iter().enumerate() {
        let head = if nth == 0 { "gates" } else { "" };
        let code = answer.code.as_ref().map(|code| format!("{code} ")).unwrap_or_default();
        let word = if answer.passes { style.good("passes") } else { style.warning("refuses") };
        text.push_str(&format!("{head:<16}{:<10} {word}  {code}{}\n", answer.gate, answer.message));
        for line in answer.evidence.iter().filter(|_| !answer.passes) {
            text.push_str(&format!("{:<27}{}\n", "", style.faint(line)));
        }
        if let Some(earliest) = &answer.earliest {
            text.push_str(&format!("{:<27}earliest: {earliest}\n", ""));
        }
    }
    text
}

/// The approvals of an environment.
pub(crate) fn of_approvals(all: &[Approved], style: Style) -> String {
    let mut text = String::new();
    for one in all {
        let counts = match &one.void {
            None => style.good("counts"),
            Some(why) => style.faint(&format!("does not count: it {why}")),
        };
        text.push_str(&format!(
            "{:>4}  plan {}  by {} ({}) at {}, until {}  {counts}\n",
            one.number,
            &one.plan[..6],
            one.by,
            one.source,
            one.at,
            one.expires
        ));
    }
    if text.is_empty() { "no approvals".to_owned() } else { text }
}

/// The holds of an environment.
pub(crate) fn of_holds(all: &[(Hold, bool)], style: Style) -> String {
    let line = |(hold, is_on): &(Hold, bool)| match (is_on, &hold.lifted_by) {
        (true, _) => style.warning(&format!("on      {}", hold.shown())),
        (false, Some(by)) => style.faint(&format!("lifted  {} (by {by})", hold.shown())),
        (false, None) => style.faint(&format!("over    {}", hold.shown())),
    };
    let lines: Vec<String> = all.iter().map(line).collect();
    if lines.is_empty() { "no holds".to_owned() } else { lines.join("\n") }
}

/// The same for programs.
pub(crate) fn holds_json(all: &[(Hold, bool)]) -> Value {
    let one = |(hold, is_on): &(Hold, bool)| {
        let (scope, subject) = hold.scope.named();
        json!({
            "number": hold.number, "on": is_on, "scope": scope, "subject": subject, "reason": hold.reason, "by": hold.by,
            "at": shown(hold.at), "until": hold.until.map(shown), "lifted_by": hold.lifted_by,
        })
    };
    all.iter().map(one).collect()
}
