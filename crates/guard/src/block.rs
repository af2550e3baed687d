//! The body of a PL/pgSQL block: every query in it, by PL/pgSQL's own parser.

use std::ops::Range;

use serde_json::Value;

use crate::act::{Act, Origin};
use crate::expand::Expansion;
use crate::variables::Variables;
use crate::{dynamic, words};

/// Adds what the body of a DO block runs, on whatever branch.
pub(crate) fn expand(expansion: &mut Expansion<'_>, body: &str, origin: &Origin) {
    let Some(parsed) = parse(body) else {
        // The block does not compile by itself: its words still tell most of it.
        let writes = words::writes(body);
        if writes.is_empty() {
            expansion.acts.push(Act::unproven("a block that PL/pgSQL's parser does not accept", origin));
        } else {
            expansion.acts.push(Act::of_writes(writes, origin));
        }
        return;
    };
    walk(expansion, &parsed, body, origin);
}

/// Adds what a parsed body runs.
pub(crate) fn walk(expansion: &mut Expansion<'_>, parsed: &Value, body: &str, origin: &Origin) {
    let lines = Lines::of(expansion, body, origin);
    let mut walk = Walk { variables: Variables::of(parsed), expansion, lines, origin };
    walk.value(&parsed[0]["PLpgSQL_function"]["action"], 0);
    // Defaults of variables are evaluated when the block starts.
    walk.value(&parsed[0]["PLpgSQL_function"]["datums"], 0);
}

/// The block as PL/pgSQL's parser gives it.
fn parse(body: &str) -> Option<Value> {
    let quote = (0..).map(|n| format!("$guard{n}$")).find(|quote| !body.contains(quote))?;
    pg_query::parse_plpgsql(&format!("DO {quote}{body}{quote}")).ok()
}

/// Where the lines of a body stand in the file.
struct Lines {
    spans: Vec<Range<usize>>,
}

impl Lines {
    fn of(expansion: &Expansion<'_>, body: &str, origin: &Origin) -> Self {
        let mut spans = Vec::new();
        let found = expansion.source.filter(|_| origin.via.len() == 1).and_then(|source| {
            let start = origin.span.start + source.text.get(origin.span.clone())?.find(body)?;
            Some((source, start))
        });
        if let Some((source, start)) = found {
            let mut at = start;
            for line in source.text[start..start + body.len()].split('\n') {
                let indent = line.len() - line.trim_start().len();
                spans.push(at + indent..at + line.trim_end().len().max(indent));
                at += line.len() + 1;
            }
        }
        Self { spans }
    }

    fn span(&self, line: usize) -> Option<Range<usize>> {
        self.spans.get(line.checked_sub(1)?).filter(|span| !span.is_empty()).cloned()
    }
}

struct Walk<'w, 's> {
    expansion: &'w mut Expansion<'s>,
    variables: Variables,
    lines: Lines,
    origin: &'w Origin,
}

impl Walk<'_, '_> {
    fn value(&mut self, value: &Value, line: usize) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.value(item, line)),
            Value::Object(fields) => {
                for (kind, inner) in fields {
                    let line = inner["lineno"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(line);
                    self.node(kind, inner, line);
                }
            }
            _ => {}
        }
    }

    fn node(&mut self, kind: &str, inner: &Value, line: usize) {
        let origin = self.at(line);
        match kind {
            "PLpgSQL_expr" => self.query(inner, &origin),
            "PLpgSQL_stmt_commit" | "PLpgSQL_stmt_rollback" => {
                let text = if kind.ends_with("commit") { "COMMIT" } else { "ROLLBACK" };
                self.expansion.text(text, &origin);
            }
            "PLpgSQL_stmt_dynexecute" | "PLpgSQL_stmt_dynfors" => {
                self.dynamic(&inner["query"], &origin);
                self.value(&inner["params"], line);
                self.value(&inner["body"], line);
            }
            "PLpgSQL_stmt_open" | "PLpgSQL_stmt_return_query" if !inner["dynquery"].is_null() => {
                self.dynamic(&inner["dynquery"], &origin);
            }
            _ => self.value(inner, line),
        }
    }

    fn at(&self, line: usize) -> Origin {
        let span = self.lines.span(line).unwrap_or_else(|| self.origin.span.clone());
        Origin { span, ..self.origin.clone() }
    }

    fn dynamic(&mut self, expression: &Value, origin: &Origin) {
        let text = expression["PLpgSQL_expr"]["query"].as_str().unwrap_or("");
        dynamic::expand(self.expansion, &self.variables.texts(text), origin);
        self.query(&expression["PLpgSQL_expr"], origin);
    }

    /// A query, an expression, or the right side of an assignment.
    fn query(&mut self, expression: &Value, origin: &Origin) {
        let text = expression["query"].as_str().unwrap_or("");
        let before = self.expansion.acts.len();
        match expression["parseMode"].as_u64() {
            Some(0) | None => {
                if self.expansion.text(text, origin).is_none() {
                    self.expansion.acts.push(Act::of_writes(words::writes(text), origin));
                }
            }
            mode => {
                let right =
                    if mode == Some(2) { text } else { assigned(text).map_or(text, |(_, right)| right) };
                // An expression without a parenthesis calls nothing.
                if right.contains('(') {
                    self.expansion.text(&format!("SELECT {right}"), origin);
                }
                self.expansion.acts[before..].iter_mut().for_each(|act| act.expression = true);
            }
        }
    }
}

/// `v := 1` as `v` and `1`.
pub(crate) fn assigned(text: &str) -> Option<(&str, &str)> {
    let at = text.find('=')?;
    let left = text[..at].strip_suffix(':').unwrap_or(&text[..at]);
    Some((left.trim(), &text[at + 1..]))
}
