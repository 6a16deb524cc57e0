//! How the key of fingerprints lies in the store: as it is, or sealed with a key file.
//!
//! Whoever has the fingerprint of a short value and the key can try values until one fits. With a key file the store alone
//! is not enough for that. The key itself stays the same for as long as the store does; only how it is kept changes.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::StoreError;
use super::rows::{Table, Write};
use crate::model::{FingerprintKey, Redacted};
use crate::ports::{Identities, SealError, seal};

/// What the key is sealed with, if it is.
pub(super) type Keys<'a> = Option<&'a Identities>;

/// The row of the key.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Kept {
    /// Sealed: an armored age file with the key in hexadecimal digits.
    Sealed(String),
    /// As it is.
    Plain([u8; 32]),
}

/// The write that keeps the key.
pub(super) fn keep(key: &FingerprintKey, keys: Keys<'_>) -> Result<Write, StoreError> {
    let kept = match keys {
        None => Kept::Plain(*key.expose()),
        Some(keys) => {
            let mut digits = Zeroizing::new(String::with_capacity(64));
            for byte in key.expose() {
                // Writing to a text cannot fail.
                let _ = write!(digits, "{byte:02x}");
            }
            let sealed = seal(&Redacted::new((*digits).clone()), &keys.recipients());
            Kept::Sealed(sealed.map_err(StoreError::Seal)?)
        }
    };
    Write::put(Table::Meta, "fingerprintKey", &kept)
}

/// The key, and whether it was sealed.
pub(super) fn kept(kept: Kept, path: &Path, keys: Keys<'_>) -> Result<(FingerprintKey, bool), StoreError> {
    let sealed = match (kept, keys) {
        (Kept::Plain(key), _) => return Ok((FingerprintKey::new(key), false)),
        (Kept::Sealed(_), None) => return Err(StoreError::KeyIsSealed { path: path.to_owned() }),
        (Kept::Sealed(text), Some(keys)) => keys.open(&text),
    };
    let opened = sealed.and_then(|digits| bytes(digits.expose()).ok_or(SealError::Damaged));
    let key = opened.map_err(|source| StoreError::OtherKey { path: path.to_owned(), source })?;
    Ok((FingerprintKey::new(*key), true))
}

fn bytes(digits: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0; 32]);
    if digits.len() != 64 {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}
