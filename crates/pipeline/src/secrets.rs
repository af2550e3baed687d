//! What must not be shown where other programs' words are.

use std::ops::Range;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use crate::spelling;
use crate::url::passwords;

/// Shorter values are no secrets, and would be found in every other word. A password is one whatever its length.
const LEAST: usize = 4;

const MASK: &str = "***";

/// Values of variables, URLs and their passwords.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Arc<Vec<SecretString>>);

impl Secrets {
    /// A value, and the passwords in it: as they are written, and as the server gets to see them.
    pub(crate) fn add(&mut self, value: &str) {
        for range in passwords(value) {
            self.add_password(&decoded(&value[range.clone()]));
            self.add_password(&value[range]);
        }
        if value.trim().chars().count() >= LEAST {
            self.keep(value.trim());
        }
    }

    /// What a login is proven with.
    pub(crate) fn add_password(&mut self, password: &str) {
        if !password.is_empty() {
            self.keep(password);
        }
    }

    fn keep(&mut self, value: &str) {
        if !self.0.iter().any(|known| known.expose_secret() == value) {
            // One copy for all that know the same ones: a fleet's deploys all do.
            Arc::make_mut(&mut self.0).push(SecretString::from(value.to_owned()));
        }
    }

    /// The secrets of another environment too.
    pub fn extend(&mut self, other: &Self) {
        other.0.iter().for_each(|one| self.keep(one.expose_secret()));
    }

    /// A text with `***` for each of them, however the program spelled it, and for the password of any URL.
    pub fn redact(&self, text: &str) -> String {
        let mut found: Vec<Range<usize>> =
            self.0.iter().flat_map(|secret| spelling::places(text, secret.expose_secret())).collect();
        found.sort_by_key(|range| range.start);
        // Those that overlap are one: nothing of either is left.
        let mut merged: Vec<Range<usize>> = Vec::new();
        for range in found {
            match merged.last_mut().filter(|last| range.start < last.end) {
                Some(last) => last.end = last.end.max(range.end),
                None => merged.push(range),
            }
        }
        let mut text = text.to_owned();
        merged.into_iter().rev().for_each(|range| text.replace_range(range, MASK));
        for range in passwords(&text).into_iter().rev() {
            text.replace_range(range, MASK);
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

    #[test]
    fn a_password_goes_whatever_its_length_and_an_empty_one_is_none() {
        let mut secrets = Secrets::default();
        secrets.add("postgres://u:x7@h/d");
        secrets.add("postgres://other:@h/d");
        secrets.add_password("");
        assert_eq!(secrets.redact("user=u pass=x7 of x and 7"), "user=u pass=*** of x and 7");
    }

    #[test]
    fn a_secret_in_another_one_and_two_that_overlap_leave_nothing() {
        let mut secrets = Secrets::default();
        ["abcdef", "cdef-ghi", "bcde"].iter().for_each(|one| secrets.add(one));
        assert_eq!(secrets.redact("1 abcdef 2 abcdef-ghi 3 bcde."), "1 *** 2 *** 3 ***.");
    }
}
