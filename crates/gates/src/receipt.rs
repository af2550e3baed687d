//! A receipt: what has succeeded in an environment, signed, for those who cannot ask its database.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::key::{KeyError, PublicKey, SigningKey};
use crate::moment::{apart, shown};

/// Signed before the receipt's own bytes, so that the signature of something else never fits.
const CONTEXT: &[u8] = b"pgdeploy receipt v1\n";
/// How far two clocks may be apart.
const SKEW: SignedDuration = SignedDuration::from_secs(300);

/// What has succeeded in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Version of this format: 1.
    pub v: u32,
    /// Name of the pipeline.
    pub pipeline: String,
    /// Name of the environment.
    pub environment: String,
    /// Hash of the release that was deployed.
    pub release: String,
    /// Number of the deployment.
    pub deployment: i64,
    /// When it was written, in seconds since 1970.
    pub written_at: i64,
    /// The files of the release that have succeeded.
    pub files: Vec<Entry>,
    /// By the key of the environment, over all of the above.
    #[serde(default)]
    pub signature: String,
}

/// A file that has succeeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Whose file it is.
    pub stage: String,
    /// Relative to the pipeline's directory.
    pub path: String,
    /// SHA-256 of its text.
    pub sha256: String,
    /// When the first deploy with it ended well, in seconds since 1970.
    pub succeeded_at: i64,
}

/// Why a receipt is no evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptError(pub String);

impl fmt::Display for ReceiptError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for ReceiptError {}

impl Receipt {
    /// With the signature of a key.
    pub fn signed(mut self, key: &SigningKey) -> Result<Self, KeyError> {
        self.signature = key.sign(&self.message())?;
        Ok(self)
    }

    /// As it is kept in a file.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads a receipt and believes it only if the key has signed it for this pipeline, and not too long ago.
    pub fn verified(
        text: &str,
        keys: &[PublicKey],
        pipeline: &str,
        max_age: Duration,
        now: Timestamp,
    ) -> Result<Self, ReceiptError> {
        let receipt: Self =
            serde_json::from_str(text).map_err(|error| ReceiptError(format!("is no receipt: {error}")))?;
        let no = |why: String| Err(ReceiptError(why));
        if receipt.v != 1 {
            return no(format!("is of version {}, and this pgdeploy reads version 1", receipt.v));
        }
        let message = receipt.message();
        if !keys.iter().any(|key| key.verifies(&message, &receipt.signature)) {
            return no("is not signed by public_key: it was changed, or another key has signed it".into());
        }
        if receipt.pipeline != pipeline {
            return no(format!("is of the pipeline {}", receipt.pipeline));
        }
        let written = Timestamp::from_second(receipt.written_at)
            .map_err(|_| ReceiptError("was written at a time that does not exist".into()))?;
        if written.duration_since(now) > SKEW {
            return no(format!("was written in the future, at {}", shown(written)));
        }
        if now.duration_since(written) > SignedDuration::try_from(max_age).unwrap_or(SignedDuration::MAX) {
            let (age, most) = (apart(now, written), humantime::format_duration(max_age));
            return no(format!("was written {age} ago, at {}; max_age is {most}", shown(written)));
        }
        Ok(receipt)
    }

    /// What is signed: the fields in their order. A field that this version does not know is refused when it is read, so
    /// that nothing in a receipt is outside of its signature.
    fn message(&self) -> Vec<u8> {
        let unsigned = Self { signature: String::new(), ..self.clone() };
        let mut message = CONTEXT.to_vec();
        message.extend(serde_json::to_vec(&unsigned).unwrap_or_default());
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_262_400;
    const DAY: Duration = Duration::from_secs(86_400);

    fn receipt() -> Receipt {
        Receipt {
            v: 1,
            pipeline: "crm".into(),
            environment: "staging".into(),
            release: "4f1c".into(),
            deployment: 12,
            written_at: NOW - 3600,
            files: vec![Entry {
                stage: "schema".into(),
                path: "migrations/0001_a.sql".into(),
                sha256: "aa".into(),
                succeeded_at: NOW - 3600,
            }],
            signature: String::new(),
        }
    }

    fn verified(text: &str, key: &SigningKey) -> Result<Receipt, ReceiptError> {
        Receipt::verified(text, &[key.public().unwrap()], "crm", DAY, Timestamp::from_second(NOW).unwrap())
    }

    #[test]
    fn a_receipt_is_believed_as_it_was_signed() {
        let key = SigningKey::generate().unwrap();
        let signed = receipt().signed(&key).unwrap();
        assert_eq!(verified(&signed.to_json(), &key), Ok(signed.clone()));
        // White space and the order of keys mean nothing in JSON.
        let compact = serde_json::to_string(&signed).unwrap();
        assert_eq!(verified(&compact, &key), Ok(signed));
    }

    #[test]
    fn every_byte_of_a_receipt_is_under_its_signature() {
        let key = SigningKey::generate().unwrap();
        let text = receipt().signed(&key).unwrap().to_json();
        for (at, byte) in text.bytes().enumerate() {
            if byte.is_ascii_alphanumeric() {
                let mut bytes = text.clone().into_bytes();
                bytes[at] = if byte == b'0' { b'1' } else { b'0' };
                let changed = String::from_utf8(bytes).unwrap();
                assert!(verified(&changed, &key).is_err(), "{changed}");
            }
        }
        let more = text.replacen('{', "{ \"extra\": 1,", 1);
        assert!(verified(&more, &key).unwrap_err().0.contains("unknown field"));
        let twice = text.replacen('{', "{ \"environment\": \"production\",", 1);
        assert!(verified(&twice, &key).unwrap_err().0.contains("duplicate field"));
    }

    #[test]
    fn another_key_another_pipeline_and_another_time_are_refused() {
        let key = SigningKey::generate().unwrap();
        let foreign = receipt().signed(&SigningKey::generate().unwrap()).unwrap().to_json();
        assert!(verified(&foreign, &key).unwrap_err().0.contains("another key"));
        assert!(verified(&receipt().to_json(), &key).unwrap_err().0.contains("not signed"));
        let told = |change: fn(&mut Receipt)| {
            let mut one = receipt();
            change(&mut one);
            verified(&one.signed(&key).unwrap().to_json(), &key).unwrap_err().0
        };
        assert!(told(|one| one.pipeline = "shop".into()).contains("of the pipeline shop"));
        assert!(told(|one| one.written_at = NOW - 86_401).contains("max_age is 1day"));
        assert!(told(|one| one.written_at = NOW + 301).contains("in the future"));
        assert!(told(|one| one.written_at = i64::MAX).contains("does not exist"));
        assert!(told(|one| one.v = 2).contains("version 2"));
    }

    #[test]
    fn keys_can_be_rolled_over_and_any_text_is_refused() {
        let (old, new) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let keys = [new.public().unwrap(), old.public().unwrap()];
        let text = receipt().signed(&old).unwrap().to_json();
        assert!(Receipt::verified(&text, &keys, "crm", DAY, Timestamp::from_second(NOW).unwrap()).is_ok());
        for text in ["", "{}", "[]", "null", "\u{0}", "{\"v\":1}"] {
            assert!(verified(text, &new).is_err(), "{text}");
        }
    }
}
