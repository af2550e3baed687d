//! What must not be shown where other programs' words are.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use crate::url::passwords;

/// Shorter values are no secrets, and would be found in every other word.
const LEAST: usize = 4;

/// Values of variables, URLs and their passwords.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Arc<Vec<SecretString>>);

impl Secrets {
    /// A value, and the passwords in it: as they are written, and as the server gets to see them.
    pub(crate) fn add(&mut self, value: &str) {
        let written: Vec<&str> = passwords(value).into_iter().map(|range| &value[range]).collect();
        for one in written {
            self.keep(&decoded(one));
            self.keep(one);
        }
        self.keep(value);
    }

    fn keep(&mut self, value: &str) {
        let value = value.trim();
        if value.chars().count() >= LEAST && !self.0.iter().any(|known| known.expose_secret() == value) {
            // One copy for all that know the same ones: a fleet's deploys all do.
            let all = Arc::make_mut(&mut self.0);
            all.push(SecretString::from(value.to_owned()));
            // What holds another one goes first.
            all.sort_by_key(|known| std::cmp::Reverse(known.expose_secret().len()));
        }
    }

    /// The secrets of another environment too.
    pub fn extend(&mut self, other: &Self) {
        other.0.iter().for_each(|one| self.keep(one.expose_secret()));
    }

    /// A text with `***` for each of them, and for the password of any URL.
    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.0.iter() {
            text = text.replace(secret.expose_secret(), "***");
        }
        for range in passwords(&text).into_iter().rev() {
            text.replace_range(range, "***");
        }
        text
    }
}

/// Percent-decoded; what cannot be decoded stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_passwords_go_and_the_rest_stays() {
        let mut secrets = Secrets::default();
        secrets.add("postgres://u:p%40ss%20word@h/d");
        secrets.add("eu");
        secrets.add("token-1234");
        assert_eq!(
            secrets.redact("eu token-1234: login as u with p@ss word at postgres://u:p%40ss%20word@h/d"),
            "eu ***: login as u with *** at ***"
        );
        assert_eq!(
            secrets.redact("PGPASSWORD=x1 see https://me:hunter2@host/x twice https://me:hunter2@host"),
            "PGPASSWORD=*** see https://me:***@host/x twice https://me:***@host"
        );
        assert!(!format!("{secrets:?}").contains("1234"));
    }
}
