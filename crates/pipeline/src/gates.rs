//! What has to be true before a deploy to an environment begins: read, and refused where nobody could ever meet it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gates::approval::Rule;
use gates::{Gate, PublicKey, SigningKey, Window};

use crate::at::At;
use crate::code;
use crate::limit as limits;
use crate::problem::Error;
use crate::raw::{self, PublicKeys};
use crate::reading::Reading;

/// The gates of an environment.
#[derive(Debug, Clone, Default)]
pub struct Gates {
    /// How long every pending file must have been upstream.
    pub soak: Option<Duration>,
    /// Who has to agree.
    pub approvals: Option<Approvals>,
    /// When it may be deployed to.
    pub windows: Vec<Window>,
    /// Which gates a person may override, with a reason.
    pub overrides: Vec<Gate>,
    /// What is written after a deploy that ended well; never there in an environment that was read without variables.
    pub receipt: Option<ReceiptSettings>,
    /// Where the evidence of the environments before this one comes from, in place of their databases.
    pub receipts: Option<ReceiptsSettings>,
}

/// Who has to agree to a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approvals {
    /// How many, and of whom.
    pub rule: Rule,
    /// How long an approval counts.
    pub valid_for: Duration,
}

/// The receipt that a deploy writes.
#[derive(Debug, Clone)]
pub struct ReceiptSettings {
    /// The file.
    pub path: PathBuf,
    /// The key, or why it cannot be had: only a deploy needs it.
    pub key: Result<SigningKey, Error>,
}

/// The receipts that stand for the environments before this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptsSettings {
    /// The files.
    pub from: Vec<PathBuf>,
    /// The keys of which one must have signed each.
    pub keys: Vec<PublicKey>,
    /// How old each may be.
    pub max_age: Duration,
}

impl raw::Environment {
    /// Whether something has to be true before a deploy.
    pub(crate) fn is_gated(&self) -> bool {
        let lists = self.after.as_ref().is_some_and(|after| !after.is_empty())
            || self.freeze.as_ref().is_some_and(|windows| !windows.is_empty());
        lists || self.soak.is_some() || self.approvals.is_some() || self.receipts.is_some()
    }
}

impl Reading<'_> {
    /// `base` is where relative files are found.
    pub(crate) fn gates(&mut self, raw: &raw::Environment, base: &Path) -> Gates {
        let comes_after = raw.after.as_ref().is_some_and(|after| !after.is_empty());
        if let Some(soak) = raw.soak.as_ref().filter(|_| !comes_after) {
            let help = "write after: [..] with the environment in which the release soaks";
            self.refuse(code::NO_UPSTREAM, soak.span(), "there is no environment to soak in", help);
        }
        let soak = raw.soak.as_ref().map(|soak| self.duration(Some(soak), &limits::SOAK));
        Gates {
            soak: soak.filter(|soak| !soak.is_zero()),
            approvals: raw.approvals.as_ref().map(|approvals| self.approvals(approvals)),
            windows: raw.freeze.iter().flatten().filter_map(|window| self.window(window)).collect(),
            overrides: raw.overrides.iter().flatten().filter_map(|gate| self.gate(gate)).collect(),
            receipt: raw.receipt.as_ref().and_then(|receipt| self.receipt(receipt, base)),
            receipts: raw.receipts.as_ref().and_then(|receipts| self.receipts(receipts, comes_after, base)),
        }
    }

    fn approvals(&mut self, raw: &raw::Approvals) -> Approvals {
        let required = self.number(raw.required.as_ref(), &limits::APPROVALS);
        let mut from: Vec<String> = Vec::new();
        for name in raw.from.iter().flatten() {
            let text = name.value.trim();
            let again = from.iter().any(|other| gates::approval::same_person(other, text));
            if text.is_empty() || again {
                let message = if again {
                    format!("`{text}` is counted once, and stands here twice")
                } else {
                    "a name is empty".into()
                };
                self.refuse(code::NO_APPROVER, name.span(), message, "name each person once");
            }
            from.push(text.to_owned());
        }
        let people = u64::try_from(from.len()).unwrap_or(u64::MAX);
        if let (Some(first), true) = (raw.from.iter().flatten().next(), people < required) {
            let message = format!("{required} approvals are required, and {people} can be given");
            let span = raw.required.as_ref().map_or(first.span(), At::span);
            self.refuse(code::NO_APPROVER, span, message, "name more people in from, or require fewer");
        }
        let valid_for = self.duration(raw.valid_for.as_ref(), &limits::APPROVAL_VALID_FOR);
        Approvals { rule: Rule { required, from }, valid_for }
    }

    fn gate(&mut self, written: &At<String>) -> Option<Gate> {
        let found = Gate::named(&written.value);
        if found.is_none() {
            let names: Vec<&str> = Gate::ALL.iter().map(|gate| gate.as_str()).collect();
            let help = match crate::shape::nearest(&written.value, &names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the gates are {}", names.join(", ")),
            };
            let message = format!("there is no gate `{}`", written.value);
            self.refuse(code::BAD_VALUE, written.span(), message, help);
        }
        found
    }

    fn receipt(&mut self, raw: &raw::Receipt, base: &Path) -> Option<ReceiptSettings> {
        let write = raw.write.as_ref()?;
        let path = base.join(self.resolve(write)?);
        let (key, file) = match (&raw.sign_key, &raw.sign_key_file) {
            (Some(key), None) => (key, false),
            (None, Some(file)) => (file, true),
            (key, _) => {
                let span = key.as_ref().unwrap_or(write).span();
                self.refuse(
                    code::BAD_KEY,
                    span,
                    "a receipt needs exactly one key",
                    "one of sign_key and sign_key_file",
                );
                return None;
            }
        };
        if !file && self.template(key)?.variables().next().is_none() {
            let help = "take it from a variable, \"${RECEIPT_KEY}\", or from sign_key_file";
            self.refuse(code::LITERAL_KEY, key.span(), "a private key is written in this file", help);
            return None;
        }
        // Whoever only looks at the environment does not have the key.
        let mut later = Reading::new(self.document, Some(self.variables?));
        let read = later.signing_key(key, file, base);
        self.secrets.extend(&later.secrets);
        let key = later.finish(()).and_then(|()| read.ok_or(Error { problems: Vec::new() }));
        Some(ReceiptSettings { path, key })
    }

    fn signing_key(&mut self, written: &At<String>, file: bool, base: &Path) -> Option<SigningKey> {
        let text = self.resolve(written)?;
        let text = match file {
            true => match std::fs::read_to_string(base.join(&text)) {
                Ok(text) => text,
                Err(error) => {
                    let message = format!("{text} cannot be read: {error}");
                    let help = "the file holds the key and nothing else";
                    self.refuse(code::BAD_KEY, written.span(), message, help);
                    return None;
                }
            },
            false => text,
        };
        self.secrets.add(text.trim());
        SigningKey::parse(&text).map_err(|error| self.no_key(written, &error)).ok()
    }

    fn no_key(&mut self, written: &At<String>, error: &gates::KeyError) {
        let help = "a pair of keys is made with: pgdeploy receipt keys";
        self.refuse(code::BAD_KEY, written.span(), format!("this {error}"), help);
    }

    fn receipts(&mut self, raw: &raw::Receipts, comes_after: bool, base: &Path) -> Option<ReceiptsSettings> {
        let from: Vec<&At<String>> = raw.from.iter().flatten().collect();
        if let (Some(first), false) = (from.first(), comes_after) {
            let message = "there is no environment before this one whose receipts these could be";
            let help = "write after: [..] with the environment that wrote them";
            self.refuse(code::NO_UPSTREAM, first.span(), message, help);
        }
        let from =
            from.into_iter().filter_map(|path| self.resolve(path)).map(|path| base.join(path)).collect();
        let written = match raw.public_key.as_ref()? {
            PublicKeys::Text(key) => std::slice::from_ref(key),
            PublicKeys::List(keys) => &keys[..],
        };
        let mut keys = Vec::new();
        for one in written {
            let Some(text) = self.resolve(one) else { continue };
            // Until its variable is known, a reference can stand for any key.
            let unknown = self.variables.is_none() && self.template(one)?.variables().next().is_some();
            match PublicKey::parse(&text) {
                Ok(key) => keys.push(key),
                Err(_) if unknown => {}
                Err(error) => self.no_key(one, &error),
            }
        }
        let max_age = self.duration(raw.max_age.as_ref(), &limits::RECEIPT_MAX_AGE);
        Some(ReceiptsSettings { from, keys, max_age })
    }
}
