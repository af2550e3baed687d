//! The hash of what the server would see: a file's tokens without comments and blanks.

use pg_query::protobuf::Token;
use sha2::{Digest, Sha256};

use crate::source::{Source, hexadecimal};

impl Source {
    /// SHA-256 over the tokens of the file, in hexadecimal: two files with the same value differ in comments and blanks
    /// at most. `None` where the text cannot be cut into tokens.
    pub fn token_sha256(&self) -> Option<String> {
        let scanned = pg_query::scan(&self.text).ok()?;
        let mut hash = Sha256::new();
        for token in &scanned.tokens {
            if !matches!(token.token(), Token::SqlComment | Token::CComment) {
                let (start, end) = (usize::try_from(token.start).ok()?, usize::try_from(token.end).ok()?);
                hash.update(self.text.get(start..end)?);
                hash.update([0]);
            }
        }
        Some(hexadecimal(&hash.finalize()))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn hash(text: &str) -> Option<String> {
        Source::from_bytes(Path::new("1_a.sql"), text.into()).unwrap().token_sha256()
    }

    #[test]
    fn comments_and_blanks_do_not_count_and_everything_else_does() {
        let plain = hash("create table t (a int, b text default 'é -- x');");
        assert!(plain.is_some());
        assert_eq!(plain, hash("-- why\ncreate table t (\n  a int, /* é */ b text default 'é -- x'\n);\n"));
        assert_ne!(plain, hash("create table t (a int, b text default 'é --  x');"));
        assert_ne!(hash("select 1"), hash("select1"));
    }
}
