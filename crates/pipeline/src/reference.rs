//! References as in compose files: `${NAME}`, `${NAME:-default}`, `${NAME:?message}`, and `$$` for a dollar sign.

/// Text with references in it.
#[derive(Debug, PartialEq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    Variable { name: String, otherwise: Otherwise },
}

/// What to do when a variable is unset or empty.
#[derive(Debug, PartialEq)]
enum Otherwise {
    Refuse,
    Default(String),
    Message(String),
}

/// A variable without a value.
#[derive(Debug, PartialEq)]
pub(crate) struct NotSet {
    pub(crate) name: String,
    /// The message of `${NAME:?message}`.
    pub(crate) message: Option<String>,
}

impl Template {
    /// Takes a text apart. The error says what is wrong and where in the text; it quotes nothing.
    pub(crate) fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut at = 0;
        while let Some(dollar) = text[at..].find('$').map(|found| at + found) {
            literal.push_str(&text[at..dollar]);
            let rest = &text[dollar + 1..];
            if rest.starts_with('$') {
                literal.push('$');
                at = dollar + 2;
                continue;
            }
            let Some(inner) = rest.strip_prefix('{') else {
                return Err((dollar, "a lone `$`: write `${NAME}` for a variable, `$$` for a dollar sign"));
            };
            let Some(end) = inner.find('}') else { return Err((dollar, "`${` without its `}`")) };
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(variable(&inner[..end]).map_err(|message| (dollar, message))?);
            at = dollar + 2 + end + 1;
        }
        literal.push_str(&text[at..]);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Self(parts))
    }

    /// The text with its variables; an empty variable counts as not set where a default or message is given.
    pub(crate) fn resolve(&self, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, Vec<NotSet>> {
        let mut text = String::new();
        let mut not_set = Vec::new();
        for part in &self.0 {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Variable { name, otherwise } => {
                    match (variable(name).filter(|value| !value.is_empty()), otherwise) {
                        (Some(value), _) => text.push_str(&value),
                        (None, Otherwise::Default(default)) => text.push_str(default),
                        (None, Otherwise::Refuse) => {
                            not_set.push(NotSet { name: name.clone(), message: None })
                        }
                        (None, Otherwise::Message(message)) => {
                            not_set.push(NotSet { name: name.clone(), message: Some(message.clone()) });
                        }
                    }
                }
            }
        }
        if not_set.is_empty() { Ok(text) } else { Err(not_set) }
    }

    /// What is written out: the literal parts and the defaults, with `gap` for each variable that has none.
    pub(crate) fn written(&self, gap: &str) -> String {
        let part = |part: &Part| match part {
            Part::Text(literal) | Part::Variable { otherwise: Otherwise::Default(literal), .. } => {
                literal.clone()
            }
            Part::Variable { .. } => gap.to_owned(),
        };
        self.0.iter().map(part).collect()
    }

    /// The names of its variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.references().map(|(name, _)| name)
    }

    /// The names of its variables, and whether each has a default here.
    pub(crate) fn references(&self) -> impl Iterator<Item = (&str, bool)> {
        self.0.iter().filter_map(|part| match part {
            Part::Variable { name, otherwise } => {
                Some((name.as_str(), matches!(otherwise, Otherwise::Default(_))))
            }
            Part::Text(_) => None,
        })
    }
}

fn variable(inner: &str) -> Result<Part, &'static str> {
    let is_name = |one: char| one.is_ascii_alphanumeric() || one == '_';
    let length = inner.find(|one| !is_name(one)).unwrap_or(inner.len());
    let (name, rest) = inner.split_at(length);
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        return Err("the name of a variable is letters, digits and `_`, and starts with no digit");
    }
    if rest.contains('$') {
        return Err("references cannot be nested");
    }
    let otherwise = if rest.is_empty() {
        Otherwise::Refuse
    } else if let Some(default) = rest.strip_prefix(":-") {
        Otherwise::Default(default.into())
    } else if let Some(message) = rest.strip_prefix(":?") {
        Otherwise::Message(message.into())
    } else {
        return Err("after the name only `:-default` or `:?message` can follow");
    };
    Ok(Part::Variable { name: name.into(), otherwise })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Result<String, Vec<NotSet>> {
        Template::parse(text).unwrap().resolve(&|name| match name {
            "SET" => Some("value".into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        })
    }

    #[test]
    fn references_resolve_as_in_compose_files() {
        assert_eq!(resolve("a ${SET} $$ ${UNSET:-b c}").unwrap(), "a value $ b c");
        assert_eq!(resolve("${EMPTY:-b}").unwrap(), "b");
        assert_eq!(
            resolve("${UNSET:?needed for x}").unwrap_err()[0].message.as_deref(),
            Some("needed for x")
        );
        assert_eq!(resolve("${A}${B}").unwrap_err().len(), 2);
    }

    #[test]
    fn what_is_not_a_reference_is_refused_with_its_offset() {
        for (text, at) in
            [("a $HOME", 2), ("a${", 1), ("${1A}", 0), ("${A:-${B}}", 0), ("${A-b}", 0), ("${}", 0)]
        {
            assert_eq!(Template::parse(text).unwrap_err().0, at, "{text}");
        }
    }
}
