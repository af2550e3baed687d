//! Compares the tree with the JSON Schema: the tool refuses what an editor underlines, and all of it at once.
//!
//! What has the right shape becomes a YAML value for the structs of `raw`, its leaves wrapped with their place.

use serde_json::Value as Schema;
use serde_yaml::value::{Tag, TaggedValue};
use serde_yaml::{Mapping, Value};

use crate::code;
use crate::node::{Content, Entry, Node};
use crate::problem::{MAX_PROBLEMS, Problem};
use crate::raw::Amount;
use crate::text::Document;

pub(crate) struct Shape<'a> {
    pub(crate) document: &'a Document,
    pub(crate) root: &'a Schema,
    pub(crate) problems: &'a mut Vec<Problem>,
}

impl Shape<'_> {
    /// What of a node is as the schema says; `name` is what the node is called in messages.
    pub(crate) fn check(&mut self, node: &Node, schema: &Schema, name: &str) -> Option<Value> {
        let schema = self.resolved(schema);
        if let Some(branches) = schema["anyOf"].as_array() {
            let fitting =
                branches.iter().map(|branch| self.resolved(branch)).find(|branch| fits(node, branch));
            let Some(branch) = fitting else { return self.wrong_type(node, &schema, name) };
            // A Rust enum whose variants are named by the kind of node they are read from.
            let value = self.check(node, &branch, name)?;
            return Some(Value::Tagged(Box::new(TaggedValue { tag: Tag::new(kind(node)), value })));
        }
        if !fits(node, &schema) {
            return self.wrong_type(node, &schema, name);
        }
        match &node.content {
            Content::Scalar { text, .. } if schema["type"] == "integer" => match text.parse::<u64>() {
                Ok(number) => Some(leaf(node, number.into())),
                Err(_) => {
                    let message = format!("{text} is too large for `{name}`");
                    self.report(code::OUT_OF_BOUNDS, node, message, None);
                    None
                }
            },
            Content::Scalar { text, .. } => Some(leaf(node, text.as_str().into())),
            Content::List(items) => {
                if items.is_empty() && schema["minItems"].as_u64() > Some(0) {
                    self.report(code::WRONG_TYPE, node, format!("`{name}` is empty"), None);
                }
                let items = items.iter().filter_map(|item| self.check(item, &schema["items"], name));
                Some(Value::Sequence(items.collect()))
            }
            Content::Mapping(entries) if schema["properties"].is_object() => {
                Some(self.keys(node, entries, &schema, name))
            }
            Content::Mapping(entries) => {
                if entries.is_empty() {
                    self.report(code::MISSING_KEY, node, format!("`{name}` is empty"), None);
                }
                let pair = |entry: &Entry| {
                    let value = self.check(&entry.value, &schema["additionalProperties"], &entry.key)?;
                    let key = place(&entry.key_span, entry.key.as_str().into());
                    Some(Value::Sequence(vec![key, value]))
                };
                Some(Value::Sequence(entries.iter().filter_map(pair).collect()))
            }
        }
    }

    /// A mapping whose keys the schema names.
    fn keys(&mut self, node: &Node, entries: &[Entry], schema: &Schema, name: &str) -> Value {
        let known: Vec<&str> =
            schema["properties"].as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        let mut fields = Mapping::new();
        for entry in entries {
            let key = entry.key.as_str();
            if known.contains(&key) {
                if let Some(value) = self.check(&entry.value, &schema["properties"][key], key) {
                    fields.insert(key.into(), value);
                }
                continue;
            }
            let later = schema[crate::schema::NOT_YET]
                .as_array()
                .is_some_and(|keys| keys.iter().any(|one| one == key));
            let problem = if later {
                self.document
                    .problem(code::NOT_YET, entry.key_span.clone(), format!("`{key}` is not supported yet"))
                    .help("remove it: this version would not do what it says")
            } else {
                let message = format!("unknown key `{key}`");
                let problem = self.document.problem(code::UNKNOWN_KEY, entry.key_span.clone(), message);
                problem.help(match nearest(key, &known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the keys here are {}", known.join(", ")),
                })
            };
            self.push(problem);
        }
        for key in schema["required"].as_array().into_iter().flatten().filter_map(Schema::as_str) {
            if !entries.iter().any(|entry| entry.key == key) {
                let property = self.resolved(&schema["properties"][key]);
                let about =
                    schema["properties"][key]["description"].as_str().or(property["description"].as_str());
                let help =
                    about.map(|about| format!("`{key}`: {}", about.lines().next().unwrap_or_default()));
                self.report(code::MISSING_KEY, node, format!("`{key}` is missing from `{name}`"), help);
            }
        }
        Value::Mapping(fields)
    }

    fn wrong_type(&mut self, node: &Node, schema: &Schema, name: &str) -> Option<Value> {
        let branches = schema["anyOf"].as_array().map_or(std::slice::from_ref(schema), Vec::as_slice);
        let expected: Vec<&str> = branches.iter().map(|branch| expected(&self.resolved(branch))).collect();
        let message = format!("`{name}`: expected {}, found {}", expected.join(" or "), found(node));
        let help = match &node.content {
            Content::Scalar { text, plain: true } if text.is_empty() => {
                Some("write a value or remove the key".into())
            }
            Content::Scalar { text, .. } if expected == ["text"] => {
                Some(format!("put it in quotes: \"{text}\""))
            }
            Content::Scalar { .. } if expected == ["a list"] => {
                Some("a list is written in brackets: `[first, second]`".into())
            }
            Content::Scalar { plain: false, text }
                if expected == ["a whole number"] && text.parse::<u64>().is_ok() =>
            {
                Some(format!("write it without quotes: {text}"))
            }
            _ => None,
        };
        self.report(code::WRONG_TYPE, node, message, help);
        None
    }

    fn report(&mut self, code: &'static str, node: &Node, message: String, help: Option<String>) {
        // A block is blamed at its first line only: a caret under a whole mapping says nothing.
        let text = &self.document.text[node.span.clone()];
        let length = text.find('\n').unwrap_or(text.len());
        let problem = self.document.problem(code, node.span.start..node.span.start + length, message);
        self.push(Problem { help, ..problem });
    }

    fn push(&mut self, problem: Problem) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        }
    }

    fn resolved(&self, schema: &Schema) -> Schema {
        match schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
            Some(pointer) => self.root.pointer(pointer).unwrap_or(&Schema::Null).clone(),
            None => schema.clone(),
        }
    }
}

/// The key that was probably meant.
pub(crate) fn nearest<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let distance = |key: &str| strsim::damerau_levenshtein(&written.to_lowercase().replace('-', "_"), key);
    let nearest = known.iter().copied().min_by_key(|key| distance(key))?;
    (distance(nearest) <= nearest.len().max(3) / 3).then_some(nearest)
}

fn fits(node: &Node, schema: &Schema) -> bool {
    match &node.content {
        Content::Mapping(_) => schema["type"] == "object",
        Content::List(_) => schema["type"] == "array",
        Content::Scalar { text, plain } => match schema["type"].as_str() {
            Some("integer") => *plain && scalar(text) == Scalar::Whole,
            // What else it may be is told where it is read.
            None if schema["title"] == Amount::TITLE => !text.is_empty(),
            // A bare number is refused as a duration, where the message can say which unit to write.
            Some("string") if schema["title"] == crate::duration::TITLE && !text.is_empty() => true,
            Some("string") => !plain || scalar(text) == Scalar::Text,
            _ => false,
        },
    }
}

fn kind(node: &Node) -> &'static str {
    match node.content {
        Content::Scalar { .. } => "Text",
        Content::List(_) => "List",
        Content::Mapping(_) => "Mapping",
    }
}

fn expected(schema: &Schema) -> &'static str {
    match schema["type"].as_str() {
        Some("object") => "a mapping",
        Some("array") => "a list",
        Some("integer") => "a whole number",
        None if schema["title"] == Amount::TITLE => Amount::TITLE,
        _ if schema["title"] == crate::duration::TITLE => "a duration",
        _ => "text",
    }
}

/// What was found, without quoting text: it may be a secret.
fn found(node: &Node) -> String {
    match &node.content {
        Content::List(_) => "a list".into(),
        Content::Mapping(_) => "a mapping".into(),
        Content::Scalar { plain: false, .. } => "text".into(),
        Content::Scalar { text, .. } => match scalar(text) {
            Scalar::Nothing => "nothing".into(),
            Scalar::Boolean => format!("the boolean {text}"),
            Scalar::Whole | Scalar::Number => format!("the number {text}"),
            Scalar::Text => "text".into(),
        },
    }
}

#[derive(PartialEq)]
enum Scalar {
    Nothing,
    Boolean,
    Whole,
    Number,
    Text,
}

/// The type of a plain scalar by the core schema of YAML 1.2.
fn scalar(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Nothing,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Scalar::Boolean,
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => Scalar::Whole,
        _ if text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
            && (text.parse::<f64>().is_ok() || text.starts_with("0x") || text.starts_with("0o")) =>
        {
            Scalar::Number
        }
        _ => Scalar::Text,
    }
}

fn leaf(node: &Node, value: Value) -> Value {
    place(&node.span, value)
}

/// The form in which [`crate::at::At`] is read.
fn place(span: &std::ops::Range<usize>, value: Value) -> Value {
    let fields = [("start", span.start.into()), ("end", span.end.into()), ("value", value)];
    Value::Mapping(fields.into_iter().map(|(key, value): (&str, Value)| (key.into(), value)).collect())
}
