//! Digests of what is public, keyed fingerprints of what is not.

use std::fmt;
use std::sync::{Arc, OnceLock};

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::ZeroizeOnDrop;

/// The SHA-256 of something, in hexadecimal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(Arc<str>);

impl Digest {
    /// The digest of some bytes.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(hex(&Sha256::digest(bytes)).into())
    }

    /// The digest of a value's canonical JSON. Use it with ordered maps only, so that equal values have equal digests.
    #[must_use]
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        // As a whole: JSON is written in pieces of a few bytes, and hashing each of them costs more than the text.
        let mut text = Vec::new();
        // The model's types have string keys and no failing serialisers, and memory refuses no bytes; an error would
        // make the digest one of a prefix, which is still never equal to another value's by chance.
        if serde_json::to_writer(&mut text, value).is_err() {
            text.extend_from_slice(b"unserialisable");
        }
        Self::of_bytes(&text)
    }

    /// The digest that a person names with all of its digits. Case, hyphens and spaces do not count.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        let digits = digits(text);
        (digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit())).then(|| Self(digits.into()))
    }

    /// All 64 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 128 bits in four groups of eight digits: nobody finds a second value with the same code, and a person can
    /// copy it.
    #[must_use]
    pub fn code(&self) -> String {
        let groups = self.0.as_bytes().chunks(8).take(4).map(String::from_utf8_lossy);
        groups.collect::<Vec<_>>().join("-")
    }

    /// Whether a person's text is this digest's code, or all of its digits. Case, hyphens and spaces do not count.
    #[must_use]
    pub fn is_named(&self, text: &str) -> bool {
        let digits = digits(text);
        digits.len() >= 32 && self.0.starts_with(&digits)
    }

    /// The first twelve digits: enough to tell values apart where nothing depends on it.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

/// The digits of a person's text.
fn digits(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '-' | ' ')).flat_map(char::to_lowercase).collect()
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.short())
    }
}

/// An HMAC-SHA-256 of a value that must not be shown. Tells whether two values are equal, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// All 64 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The key of all fingerprints: made once from the operating system's generator and kept in the store.
#[derive(Clone, ZeroizeOnDrop)]
pub struct FingerprintKey([u8; 32]);

impl FingerprintKey {
    /// Takes 32 random bytes as the key.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the store alone.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The fingerprint of a value.
    #[must_use]
    pub fn fingerprint(&self, value: &str) -> Fingerprint {
        // HMAC takes keys of any length (RFC 2104), so the error cannot occur; an empty fingerprint equals no other.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return Fingerprint(String::new()) };
        mac.update(value.as_bytes());
        Fingerprint(hex(&mac.finalize().into_bytes()))
    }

    /// The fingerprint of a value together with what it is the value of. Each part goes in with its length, so that no
    /// two lists of parts are the same bytes; nothing is copied.
    #[must_use]
    pub fn fingerprint_of(&self, parts: &[&str]) -> Fingerprint {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return Fingerprint(String::new()) };
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        Fingerprint(hex(&mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey(<redacted>)")
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
    let mut text = String::with_capacity(2 * bytes.len());
    text.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
    text
}

/// A digest that is made once of what does not change any more, under one key. A copy begins without it: it may be about to
/// change.
#[derive(Default)]
pub struct OnceDigest(OnceLock<(FingerprintKey, Digest)>);

impl OnceDigest {
    /// The digest under `key`, as `make` makes it.
    pub fn get(&self, key: &FingerprintKey, make: impl Fn() -> Digest) -> Digest {
        let (made_under, digest) = self.0.get_or_init(|| (key.clone(), make()));
        if made_under.0 == key.0 { digest.clone() } else { make() }
    }
}

impl Clone for OnceDigest {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for OnceDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnceDigest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_sha_256_of_the_bytes() {
        assert!(Digest::of_bytes(b"").as_str().starts_with("e3b0c44298fc1c14"));
        assert_eq!(Digest::of("a"), Digest::of_bytes(br#""a""#));
    }

    #[test]
    fn a_code_has_128_bits_and_is_recognised_however_it_was_copied() {
        let digest = Digest::of("plan");
        let code = digest.code();
        assert_eq!(code.len(), 35);
        for text in
            [code.as_str(), &code.to_uppercase(), &code.replace('-', ""), &code.replace('-', " "), digest.as_str()]
        {
            assert!(digest.is_named(text), "{text}");
        }
        for text in ["", &code[..34], digest.short(), &Digest::of("other").code()] {
            assert!(!digest.is_named(text), "{text}");
        }
    }

    #[test]
    fn fingerprints_depend_on_the_key_and_never_show_the_value() {
        let (one, two) = (FingerprintKey::new([1; 32]), FingerprintKey::new([2; 32]));
        assert_eq!(one.fingerprint("canary"), one.fingerprint("canary"));
        assert_ne!(one.fingerprint("canary"), two.fingerprint("canary"));
        assert!(!format!("{one:?} {:?}", one.fingerprint("canary")).contains("canary"));
        assert_ne!(one.fingerprint_of(&["ab", "c"]), one.fingerprint_of(&["a", "bc"]));
    }
}
