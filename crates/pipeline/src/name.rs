//! Names: of the pipeline, of an environment, of the ledger's schema.

use crate::at::At;
use crate::code;
use crate::reading::Reading;

/// Names of pipelines and environments: part of a lock's key and of every record.
pub(crate) const PATTERN: &str = "^[a-z][a-z0-9_-]{0,62}$";

/// PostgreSQL truncates identifiers beyond this (NAMEDATALEN - 1).
const MAX_IDENTIFIER_BYTES: usize = 63;

impl Reading<'_> {
    /// The name of the pipeline or of an environment.
    pub(crate) fn name(&mut self, name: &At<String>, what: &str) {
        let text = name.value.as_str();
        let fits = text.len() <= MAX_IDENTIFIER_BYTES
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text
                .bytes()
                .all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || b"_-".contains(&one));
        if !fits {
            let help = "a name is 1 to 63 of a-z, 0-9, _ and -, and starts with a letter";
            self.refuse(code::BAD_VALUE, name.span(), format!("`{text}` cannot name {what}"), help);
        }
    }

    /// The schema that holds the ledger's tables.
    pub(crate) fn ledger_schema(&mut self, name: &At<String>) {
        let text = name.value.as_str();
        let plain = text.len() <= MAX_IDENTIFIER_BYTES
            && text.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
            && text.bytes().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == b'_');
        if !plain {
            let help = "an identifier that needs no quotes: 1 to 63 of a-z, 0-9 and _, no digit first";
            self.refuse(
                code::BAD_VALUE,
                name.span(),
                format!("`{text}` cannot name the ledger's schema"),
                help,
            );
        } else if text.starts_with("pg_") || text == "information_schema" {
            let message = format!("`{text}` is a name that PostgreSQL keeps for itself");
            self.refuse(code::BAD_VALUE, name.span(), message, "the default is pgdeploy");
        }
    }
}
