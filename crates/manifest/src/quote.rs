//! Values that come from outside, as each reader has to get them.

/// A text as a YAML scalar: plain where every reader takes it for a text, else quoted.
pub(crate) fn yaml(text: &str) -> String {
    // What YAML 1.1 takes for something else, as Kubernetes and compose still do.
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let is_plain = text.starts_with(|one: char| one.is_ascii_alphabetic() || one == '/')
        && text.chars().all(|one| one.is_ascii_alphanumeric() || "/_.-".contains(one))
        && !WORDS.contains(&text.to_lowercase().as_str());
    if is_plain { text.to_owned() } else { format!("\"{}\"", escaped(text)) }
}

/// The inside of a double-quoted scalar.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for one in text.chars() {
        match one {
            '"' | '\\' => escaped.extend(['\\', one]),
            // What a document may not hold, and what ends a line in one.
            _ if one.is_control() || matches!(one, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                escaped.push_str(&format!("\\u{:04x}", u32::from(one)));
            }
            _ => escaped.push(one),
        }
    }
    escaped
}

/// The same where `$` begins a variable: in compose files and GitLab pipelines.
pub(crate) fn without_variables(text: &str) -> String {
    yaml(&text.replace('$', "$$"))
}

/// The same for the value of a variable of a container in Kubernetes, where `$(NAME)` is one.
pub(crate) fn without_references(text: &str) -> String {
    yaml(&text.replace("$(", "$$("))
}

/// The same in a GitHub workflow.
pub(crate) fn without_expressions(text: &str) -> String {
    yaml(&text.replace("${{", "${{ '${{' }}"))
}

/// A word of a shell's command line.
pub(crate) fn shell(text: &str) -> String {
    let is_plain = |one: char| one.is_ascii_alphanumeric() || "/_.:=@%+,-".contains(one);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The inside of a word in double quotes of a shell.
pub(crate) fn within_quotes(text: &str) -> String {
    let mut escaped = String::new();
    for one in text.chars() {
        if matches!(one, '"' | '\\' | '$' | '`') {
            escaped.push('\\');
        }
        escaped.push(one);
    }
    escaped
}

/// Words of a comment: nothing ends its line.
pub(crate) fn comment(text: &str) -> String {
    text.chars().map(|one| if one.is_control() || one == '\u{2028}' { ' ' } else { one }).collect()
}

/// A key with its entries, if there are any.
pub(crate) fn list(text: &mut String, key: &str, entries: impl Iterator<Item = String>) {
    let entries: String = entries.collect();
    if !entries.is_empty() {
        text.push_str(&format!("{key}:\n{entries}"));
    }
}
