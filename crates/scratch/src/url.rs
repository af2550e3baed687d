//! A connection URL for a server on a Unix socket.

use crate::initdb::SUPERUSER;
use std::fmt::Write;
use std::path::Path;

/// A URL that libpq and sqlx read alike (manual 34.1.1.2). Host, port, user and sslmode are always said: what a
/// URL leaves open is taken from the PG* variables of whoever uses it.
pub(crate) fn url(socket_dir: &Path, database: &str) -> String {
    let (host, database) = (encode(&socket_dir.to_string_lossy()), encode(database));
    format!("postgresql:///{database}?host={host}&port=5432&user={SUPERUSER}&sslmode=disable")
}

/// Percent-encodes everything but the unreserved characters (RFC 3986) and the slash.
fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(byte.into());
        } else {
            // Writing to a String does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::url;
    use std::path::Path;

    #[test]
    fn odd_names_are_percent_encoded() {
        assert_eq!(
            url(Path::new("/tmp/a b+c"), "crm&x=ä?"),
            "postgresql:///crm%26x%3D%C3%A4%3F?host=/tmp/a%20b%2Bc&port=5432&user=postgres&sslmode=disable"
        );
    }
}
