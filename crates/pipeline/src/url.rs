//! PostgreSQL connection URLs as text: where their passwords are. See libpq, "Connection URIs".

use std::ops::Range;

/// Whether the text starts as a PostgreSQL URL does.
pub(crate) fn has_scheme(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// Overwrites the passwords of every URL in a text with `*`, byte for byte, so that offsets stay what they were.
pub(crate) fn mask_passwords(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for range in passwords(text) {
        bytes[range].fill(b'*');
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// Where passwords are written in a text: `scheme://user:HERE@host` and `password=HERE`.
pub(crate) fn passwords(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("://") {
        let start = at + 3;
        // White space ends a URL, but a password written by mistake may hold some.
        let ours = text[..at].ends_with("postgres") || text[..at].ends_with("postgresql");
        let ends = |one: char| matches!(one, '\n' | '\r' | '"' | '\'') || (!ours && one.is_whitespace());
        let end = start + text[start..].find(ends).unwrap_or(text.len() - start);
        // A password may hold an unescaped `@` or `/` by mistake: all up to the last `@` is taken as secret.
        let Some(host) = text[start..end].rfind('@') else { continue };
        if let Some(colon) = text[start..start + host].find(':') {
            found.push(start + colon + 1..start + host);
        }
    }
    // Byte for byte as long as the text: PGPASSWORD= is one too.
    for (at, key) in text.to_ascii_lowercase().match_indices("password=") {
        let start = at + key.len();
        let length = text[start..].find(['&', ' ', '\t', '\n', '\r', '"', '\'', '}']);
        found.push(start..start + length.unwrap_or(text.len() - start));
    }
    found.sort_by_key(|range| range.start);
    found.dedup_by(|later, earlier| later.start < earlier.end);
    found.retain(|range| !range.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked_without_moving_anything() {
        let masked =
            mask_passwords("a: \"postgres://u:hunter2@h/db\" # é\nb: postgres://h/db?password=x&y=z");
        assert_eq!(masked, "a: \"postgres://u:*******@h/db\" # é\nb: postgres://h/db?password=*&y=z");
        assert_eq!(mask_passwords("postgres://u:p@ss/w@h/d"), "postgres://u:******@h/d");
        assert_eq!(mask_passwords("postgres://u:a b@h/d"), "postgres://u:***@h/d");
        assert_eq!(mask_passwords("postgres://u:pé@h"), "postgres://u:***@h");
    }

    #[test]
    fn what_has_no_password_is_left_alone() {
        for text in
            ["postgres://user@host:5432/db", "postgres://host:5432/db", "http://127.0.0.1:8080/readyz"]
        {
            assert_eq!(mask_passwords(text), text);
        }
    }
}
