//! Which database an environment is: embedded, or a URL from the file, a secret's file, or a program.

use std::path::Path;

use secrecy::SecretString;

use crate::at::At;
use crate::code;
use crate::command;
use crate::raw;
use crate::reading::Reading;
use crate::url::{has_scheme, passwords};

/// The largest file that is taken for a URL.
const MAX_URL_BYTES: u64 = 16 * 1024;

const EMBEDDED: &str = "embedded";
const FORM: &str = "write `embedded`, or a URL: postgres://user@host:5432/database";

/// The database of an environment.
#[derive(Debug, Clone)]
pub enum Database {
    /// A real PostgreSQL in `.pgdeploy/`, started and stopped by us.
    Embedded,
    /// `postgres://` or `postgresql://`. It may hold a password.
    Url(SecretString),
}

/// Where a URL may come from: written out, from a file, from a program.
pub(crate) struct Source<'r>(
    pub(crate) Option<&'r At<String>>,
    pub(crate) Option<&'r At<String>>,
    pub(crate) Option<&'r [At<String>]>,
);

impl<'r> From<&'r raw::DatabaseSource> for Source<'r> {
    fn from(raw: &'r raw::DatabaseSource) -> Self {
        Self(raw.url.as_ref(), raw.url_file.as_ref(), raw.url_command.as_deref())
    }
}

impl<'r> From<&'r raw::FleetTarget> for Source<'r> {
    fn from(raw: &'r raw::FleetTarget) -> Self {
        Self(raw.url.as_ref(), raw.url_file.as_ref(), raw.url_command.as_deref())
    }
}

impl raw::Database {
    pub(crate) fn is_embedded(&self) -> bool {
        matches!(self, Self::Text(text) if text.value == EMBEDDED)
    }

    /// Where the URL comes from, as it was written, without passwords.
    pub(crate) fn origin(&self) -> String {
        let text = match self {
            Self::Text(text) => text.value.clone(),
            Self::Mapping(source) => match (&source.url, &source.url_file, &source.url_command) {
                (Some(url), ..) => url.value.clone(),
                (None, Some(file), _) => format!("the content of {}", file.value),
                (None, None, command) => {
                    let words = command.iter().flatten().map(|word| word.value.as_str());
                    format!("what is printed by {}", words.collect::<Vec<_>>().join(" "))
                }
            },
        };
        crate::url::mask_passwords(&text)
    }
}

impl Reading<'_> {
    /// The database; `base` is where relative files are found and programs run. `gated` is one with a gate.
    pub(crate) fn database(
        &mut self,
        raw: &raw::Database,
        name: &At<String>,
        gated: bool,
        base: &Path,
    ) -> Option<Database> {
        let url = match raw {
            raw::Database::Text(text) if text.value == EMBEDDED => return Some(Database::Embedded),
            raw::Database::Text(text) => self.url(text, gated)?,
            raw::Database::Mapping(source) => {
                let message = format!("`database` of `{}` needs exactly one source", name.value);
                self.source(source.into(), name, (code::BAD_DATABASE, message), gated, base)?
            }
        };
        Some(Database::Url(url))
    }

    /// The URL from its one source; what is said where there are none or two stands at the last of them.
    pub(crate) fn source(
        &mut self,
        Source(url, file, command): Source<'_>,
        name: &At<String>,
        (code, message): (&'static str, String),
        gated: bool,
        base: &Path,
    ) -> Option<SecretString> {
        match (url, file, command) {
            (Some(url), None, None) => self.url(url, gated),
            (None, Some(file), None) => self.url_file(file, base),
            (None, None, Some(command)) => self.url_command(command, base),
            (url, file, command) => {
                let written = [url, file, command.and_then(|words| words.first())];
                let place = written.into_iter().flatten().max_by_key(|one| one.start).unwrap_or(name);
                self.refuse(code, place.span(), message, "one of url, url_file and url_command");
                None
            }
        }
    }

    fn url(&mut self, written: &At<String>, gated: bool) -> Option<SecretString> {
        let template = self.template(written)?;
        // A gap cannot be part of a URL, so that it is seen where a password is nothing but a reference.
        let literal = template.written("\u{1}");
        if !literal.starts_with('\u{1}') && !may_have_scheme(&literal) {
            let near = strsim::damerau_levenshtein(literal.trim(), EMBEDDED) <= 2;
            let help = if near { "did you mean `embedded`?" } else { FORM };
            self.refuse(code::BAD_DATABASE, written.span(), "this is not a PostgreSQL URL", help);
            return None;
        }
        let secret = |range: std::ops::Range<usize>| !literal[range].replace('\u{1}', "").is_empty();
        if gated && passwords(&literal).into_iter().any(secret) {
            let help = "take it from a variable, \"${DATABASE_URL}\", or from url_file or url_command";
            self.refuse(code::LITERAL_PASSWORD, written.span(), "a password is written in this file", help);
            return None;
        }
        let origin = template.variables().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let origin = if origin.is_empty() { "the URL".to_owned() } else { format!("the URL in {origin}") };
        let resolved = self.resolve(written)?;
        self.checked(resolved, written, &origin)
    }

    fn url_file(&mut self, written: &At<String>, base: &Path) -> Option<SecretString> {
        let path = base.join(self.resolve(written)?);
        if self.variables.is_none() {
            return Some(SecretString::default());
        }
        let read = || {
            use std::io::Read;
            let mut text = String::new();
            let file = std::fs::File::open(&path)?;
            if !file.metadata()?.is_file() {
                return Err(std::io::Error::other("not a regular file"));
            }
            file.take(MAX_URL_BYTES).read_to_string(&mut text)?;
            Ok(text)
        };
        match read() {
            Ok(text) => self.checked(text, written, &format!("the content of {}", path.display())),
            Err(error) => {
                let message = format!("{} cannot be read: {error}", path.display());
                self.refuse(
                    code::URL_SOURCE_FAILED,
                    written.span(),
                    message,
                    "the file holds the URL and nothing else",
                );
                None
            }
        }
    }

    fn url_command(&mut self, written: &[At<String>], base: &Path) -> Option<SecretString> {
        let arguments = self.arguments(written)?;
        if self.variables.is_none() {
            return Some(SecretString::default());
        }
        let first = written.first()?;
        match command::output(&arguments, base, &self.secrets) {
            Ok(text) => self.checked(text, first, &format!("what `{}` printed", first.value)),
            Err(message) => {
                let message = format!("`{}` {message}", first.value);
                let help = "it prints the URL on stdout and ends with 0";
                self.refuse(code::URL_SOURCE_FAILED, first.span(), message, help);
                None
            }
        }
    }

    /// A resolved URL; messages name where it came from and never what it is.
    fn checked(&mut self, url: String, written: &At<String>, origin: &str) -> Option<SecretString> {
        let trimmed = url.trim();
        if let Some(wrong) = wrong_with(trimmed).filter(|_| self.variables.is_some()) {
            self.refuse(
                code::BAD_DATABASE,
                written.span(),
                format!("{origin} {wrong}"),
                "postgres://user@host:5432/database",
            );
            return None;
        }
        self.secrets.add(trimmed);
        // What the driver takes where the URL has no password.
        if let Some(password) = self.variables.and_then(|variable| variable("PGPASSWORD")) {
            self.secrets.add_password(&password);
        }
        Some(SecretString::from(trimmed.to_owned()))
    }
}

/// Why a resolved text is no URL of ours.
pub(crate) fn wrong_with(url: &str) -> Option<&'static str> {
    if url.is_empty() {
        Some("is empty")
    } else if url.chars().any(|one| one.is_whitespace() || one.is_control()) {
        Some("has white space in it")
    } else if !has_scheme(url) {
        Some("does not start with postgres://")
    } else {
        None
    }
}

/// Whether a text with gaps for references can be a URL: its scheme is written out, or broken by a gap.
fn may_have_scheme(literal: &str) -> bool {
    let start = literal.split('\u{1}').next().unwrap_or_default();
    has_scheme(start) || (start.len() < literal.len() && "postgresql://".starts_with(start))
}
