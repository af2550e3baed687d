//! The name of a relation, a routine or a type, with or without its schema.

use std::fmt;

use sql::NodeEnum;
use sql::ast::RangeVar;

/// A possibly qualified name, folded as the grammar does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The schema as it is written; `None` leaves it to the search path.
    pub schema: Option<String>,
    /// The name itself.
    pub name: String,
}

impl Name {
    /// A name without a schema.
    pub fn plain(name: &str) -> Self {
        Self { schema: None, name: name.to_owned() }
    }

    /// The relation of a syntax tree.
    pub fn of(relation: &RangeVar) -> Self {
        Self {
            schema: Some(relation.schemaname.clone()).filter(|schema| !schema.is_empty()),
            name: relation.relname.clone(),
        }
    }

    /// A list of strings: `name`, `schema.name` or longer.
    pub fn of_list(parts: &[sql::Node]) -> Self {
        let words: Vec<&str> = parts.iter().filter_map(word).collect();
        match words.as_slice() {
            [] => Self::plain(""),
            [name] => Self::plain(name),
            [.., schema, name] => Self { schema: Some((*schema).to_owned()), name: (*name).to_owned() },
        }
    }

    /// Whether both may be the same object: the names are equal, and the schemas are where both are written.
    pub fn same(&self, other: &Self) -> bool {
        fn schema(of: &Name) -> Option<&str> {
            of.schema.as_deref().filter(|schema| *schema != "public" && *schema != "pg_temp")
        }
        self.name == other.name
            && match (schema(self), schema(other)) {
                (Some(a), Some(b)) => a == b,
                (None, None) => true,
                // `public` is written on one side and something else on the other: two tables.
                (Some(_), None) => other.schema.is_none(),
                (None, Some(_)) => self.schema.is_none(),
            }
    }

    /// The name quoted for SQL where it needs quotes.
    pub fn quoted(&self) -> String {
        let quote = |word: &str| {
            let plain = word.bytes().enumerate().all(|(at, byte)| {
                byte.is_ascii_lowercase() || byte == b'_' || (at > 0 && byte.is_ascii_digit())
            });
            if plain && !word.is_empty() { word.to_owned() } else { sql::identifier(word) }
        };
        match &self.schema {
            Some(schema) => format!("{}.{}", quote(schema), quote(&self.name)),
            None => quote(&self.name),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(out, "{schema}.{}", self.name),
            None => out.write_str(&self.name),
        }
    }
}

/// The text of a string node.
pub(crate) fn word(node: &sql::Node) -> Option<&str> {
    match &node.node {
        Some(NodeEnum::String(text)) => Some(&text.sval),
        _ => None,
    }
}
