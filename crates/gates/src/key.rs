//! Ed25519 keys (RFC 8032), in the forms in which people have them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

/// What stands before the 32 bytes of a private key in PKCS #8 (RFC 8410, section 7).
const PKCS8: &[u8] =
    &[0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// What stands before the 32 bytes of a public key (RFC 8410, section 4).
const SPKI: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Why a text is no key. It never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyError(&'static str);

impl fmt::Display for KeyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0)
    }
}

impl std::error::Error for KeyError {}

/// A key that signs.
#[derive(Clone)]
pub struct SigningKey([u8; 32]);

/// A key that verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl SigningKey {
    /// Understands what `openssl genpkey -algorithm ed25519` writes, and the 32 bytes as base64.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        bytes(text, PKCS8).map(Self)
    }

    /// A new one.
    pub fn generate() -> Result<Self, KeyError> {
        let mut seed = [0; 32];
        let random = ring::rand::SystemRandom::new();
        ring::rand::SecureRandom::fill(&random, &mut seed)
            .map_err(|_| KeyError("cannot be made: the system has no random numbers"))?;
        Ok(Self(seed))
    }

    /// As base64: for where secrets are kept, and nowhere else.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// The one that verifies what this one signs.
    pub fn public(&self) -> Result<PublicKey, KeyError> {
        let pair = self.pair()?;
        let bytes = pair.public_key().as_ref().try_into().map_err(|_| KeyError("is not an Ed25519 key"))?;
        Ok(PublicKey(bytes))
    }

    /// A signature as base64.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<String, KeyError> {
        Ok(STANDARD.encode(self.pair()?.sign(message)))
    }

    fn pair(&self) -> Result<Ed25519KeyPair, KeyError> {
        Ed25519KeyPair::from_seed_unchecked(&self.0).map_err(|_| KeyError("is not an Ed25519 key"))
    }
}

/// Nothing of the key.
impl fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SigningKey")
    }
}

impl PublicKey {
    /// Understands what `openssl pkey -pubout` writes, and the 32 bytes as base64.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        bytes(text, SPKI).map(Self)
    }

    /// As base64.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// Whether a signature, as base64, is this key's for the message.
    pub(crate) fn verifies(&self, message: &[u8], signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature) else { return false };
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, &signature).is_ok()
    }
}

/// The 32 bytes of a key: PEM or base64, with or without the `wrapping` of its kind.
fn bytes(text: &str, wrapping: &[u8]) -> Result<[u8; 32], KeyError> {
    let body: String = text.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
    let all = STANDARD.decode(body.replace(' ', "")).map_err(|_| KeyError("is neither PEM nor base64"))?;
    let key = match all.strip_prefix(wrapping) {
        Some(key) => key,
        None if all.len() == 32 => &all,
        None if all.starts_with(SPKI) => {
            return Err(KeyError("is a public key, and a private one is needed"));
        }
        None if all.starts_with(PKCS8) => {
            return Err(KeyError("is a private key, and a public one is needed"));
        }
        None => return Err(KeyError("is not an Ed25519 key")),
    };
    key.try_into().map_err(|_| KeyError("is not an Ed25519 key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Section 7 and 4 of RFC 8410, and test 1 of RFC 8032, section 7.1.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn the_keys_of_the_rfc_belong_together() {
        let signing = SigningKey::parse(PRIVATE).unwrap();
        assert_eq!(signing.public().unwrap(), PublicKey::parse(PUBLIC).unwrap());
        let known = SigningKey::parse("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=").unwrap();
        assert_eq!(known.public().unwrap().to_base64(), "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
        assert_eq!(
            known.sign(b"").unwrap(),
            "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc+bRr0lv18FlbviRlUUFDjnoQCw=="
        );
    }

    #[test]
    fn a_key_survives_each_of_its_forms_and_is_never_shown() {
        let key = SigningKey::generate().unwrap();
        let again = SigningKey::parse(&key.to_base64()).unwrap();
        assert_eq!(again.public().unwrap(), key.public().unwrap());
        let public = PublicKey::parse(&key.public().unwrap().to_base64()).unwrap();
        assert!(public.verifies(b"text", &key.sign(b"text").unwrap()));
        assert!(!public.verifies(b"texT", &key.sign(b"text").unwrap()));
        assert!(!public.verifies(b"text", "not base64"));
        assert_eq!(format!("{key:?}"), "SigningKey");
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_quoted() {
        for (text, why) in [
            ("hunter2!", "neither"),
            ("aHVudGVyMg==", "not an Ed25519 key"),
            (PUBLIC, "a private one is needed"),
            ("", "not an Ed25519 key"),
        ] {
            let told = SigningKey::parse(text).unwrap_err().to_string();
            assert!(told.contains(why) && !told.contains("hunter"), "{told}");
        }
        assert!(PublicKey::parse(PRIVATE).unwrap_err().to_string().contains("a public one is needed"));
    }
}
