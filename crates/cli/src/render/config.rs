//! A configuration as YAML, the way people write it.

use serde_json::Value;

/// A value as YAML: mappings with a key a line, lists and single values as in JSON, which is YAML.
pub(crate) fn yaml(value: &Value) -> String {
    let mut text = String::new();
    mapping(value, 0, &mut text);
    text
}

fn mapping(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    for (key, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                text.push_str(&format!("{indent}{key}:\n"));
                mapping(value, depth + 1, text);
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                text.push_str(&format!("{indent}{key}:\n"));
                items.iter().for_each(|item| text.push_str(&format!("{indent}  - {item}\n")));
            }
            other => text.push_str(&format!("{indent}{key}: {}\n", single(other))),
        }
    }
}

/// Words without quotes where they need none.
fn single(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        other => other.to_string(),
    }
}

fn is_plain(text: &str) -> bool {
    let starts = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/');
    starts
        && text.chars().all(|one| one.is_ascii_alphanumeric() || "_-./ ".contains(one))
        && !text.ends_with(' ')
        && !matches!(text, "true" | "false" | "null" | "yes" | "no" | "on" | "off")
}
