//! Signatures by OpenPGP keys (RFC 9580), which is what Git makes with `gpg.format=openpgp`, and what GitHub signs merges
//! with. In process: `gpg` is not started, and no keyring is read but the operator's file.
//!
//! Strict: a key that is revoked or expired has signed nothing, whatever the date of a signature says; a subkey signs only if
//! its primary key says so and it says so itself; and what is signed by a weak digest is not signed.

use jiff::Timestamp;
use pgp::composed::{Deserializable as _, DetachedSignature, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{KeyDetails as _, Tag};

/// The first line of a signature.
pub(super) const ARMOR: &[u8] = b"-----BEGIN PGP SIGNATURE-----";

/// More keys than any operator names.
const KEYS_MAX: usize = 1000;

/// Keys that may sign.
pub(super) type Keys = Vec<SignedPublicKey>;

/// The keys of a file of armored public keys, as `gpg --armor --export` writes it, several after one another.
pub(super) fn keys(text: &str) -> Result<Keys, String> {
    const BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
    let mut keys = Keys::new();
    for block in text.split(BEGIN).skip(1) {
        let block = format!("{BEGIN}{block}");
        let (found, _) = SignedPublicKey::from_string_many(&block).map_err(|error| error.to_string())?;
        for key in found.take(KEYS_MAX) {
            keys.push(key.map_err(|error| format!("a key cannot be read: {error}"))?);
        }
    }
    match keys.len() {
        0 => Err("it has no OpenPGP public key (write it with `gpg --armor --export KEY`)".to_owned()),
        _ if keys.len() > KEYS_MAX => Err(format!("it has more than {KEYS_MAX} keys")),
        _ => Ok(keys),
    }
}

/// Who has signed this, by the user ID of the key. `seen` is when it was first seen here: a key must be good then.
pub(super) fn verify(
    signature: &[u8],
    payload: &[u8],
    keys: &[SignedPublicKey],
    seen: Timestamp,
) -> Result<String, String> {
    let unreadable = |why: &dyn std::fmt::Display| format!("its signature cannot be read: {why}");
    let text = std::str::from_utf8(signature).map_err(|why| unreadable(&why))?;
    let (mut found, _) = DetachedSignature::from_string_many(text).map_err(|why| unreadable(&why))?;
    let first = found.next().ok_or("its signature is empty")?.map_err(|why| unreadable(&why))?;
    if found.next().is_some() {
        return Err("it has several signatures in one".to_owned());
    }
    let signature = first.signature;
    if !matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text)) {
        return Err("its signature is of another type than of a document".to_owned());
    }
    if !is_strong(&signature) {
        return Err("its signature uses a digest that is not secure".to_owned());
    }
    if is_over(signature.created(), signature.signature_expiration_time(), seen) {
        return Err("its signature has expired".to_owned());
    }
    for key in keys {
        if signature.verify(&key.primary_key, payload).is_ok() {
            may_sign(key, seen)?;
            return Ok(name(key));
        }
        for subkey in &key.public_subkeys {
            if signature.verify(&subkey.key, payload).is_ok() {
                is_good(key, seen)?;
                may_sign_for(key, subkey, seen)?;
                return Ok(name(key));
            }
        }
    }
    Err("its key is not among the allowed OpenPGP keys, or the signature is wrong".to_owned())
}

fn is_strong(signature: &Signature) -> bool {
    use HashAlgorithm::{Sha3_256, Sha3_512, Sha256, Sha384, Sha512};
    matches!(signature.hash_alg(), Some(Sha256 | Sha384 | Sha512 | Sha3_256 | Sha3_512))
}

/// What the key says of itself, newest last: its own certifications, and its direct signatures.
fn own(key: &SignedPublicKey) -> Vec<&Signature> {
    let users = key.details.users.iter().flat_map(|user| {
        let own = move |one: &&Signature| {
            one.is_certification() && one.verify_certification(&key.primary_key, Tag::UserId, &user.id).is_ok()
        };
        user.signatures.iter().filter(own)
    });
    let direct = key.details.direct_signatures.iter().filter(|one| one.verify_key(&key.primary_key).is_ok());
    let mut own: Vec<&Signature> = users.chain(direct).filter(|one| is_strong_enough(one)).collect();
    own.sort_by_key(|one| one.created());
    own
}

/// Of what a key says of itself, SHA-1 is still common, and nobody else gains by it: it is the key that the operator has named.
fn is_strong_enough(signature: &Signature) -> bool {
    is_strong(signature) || matches!(signature.hash_alg(), Some(HashAlgorithm::Sha1 | HashAlgorithm::Sha224))
}

/// The primary key is not revoked and has not expired. What it says newest of itself.
fn is_good(key: &SignedPublicKey, seen: Timestamp) -> Result<&Signature, String> {
    let revoked = key.details.revocation_signatures.iter().any(|one| one.verify_key(&key.primary_key).is_ok());
    if revoked {
        return Err(format!("the key of {} is revoked", name(key)));
    }
    let Some(newest) = own(key).pop() else { return Err("the key does not certify itself".to_owned()) };
    if is_over(Some(key.primary_key.created_at()), newest.key_expiration_time(), seen) {
        return Err(format!("the key of {} has expired", name(key)));
    }
    Ok(newest)
}

/// The primary key may sign data itself.
fn may_sign(key: &SignedPublicKey, seen: Timestamp) -> Result<(), String> {
    // A key that says nothing of what it is for is for everything.
    let flags = is_good(key, seen)?.key_flags();
    if flags.sign() || flags == pgp::packet::KeyFlags::default() {
        return Ok(());
    }
    Err(format!("the primary key of {} is not for signing", name(key)))
}

/// A subkey may sign: the primary key has bound it for that, and it has bound itself to the primary key.
fn may_sign_for(key: &SignedPublicKey, subkey: &SignedPublicSubKey, seen: Timestamp) -> Result<(), String> {
    let bound = |one: &&Signature| one.verify_subkey_binding(&key.primary_key, &subkey.key).is_ok();
    if subkey.signatures.iter().filter(bound).any(|one| one.typ() == Some(SignatureType::SubkeyRevocation)) {
        return Err(format!("the subkey of {} is revoked", name(key)));
    }
    let binds = |one: &&Signature| one.typ() == Some(SignatureType::SubkeyBinding) && is_strong_enough(one);
    let binding = subkey.signatures.iter().filter(binds).filter(bound).max_by_key(|one| one.created());
    let Some(binding) = binding else { return Err(format!("the subkey does not belong to the key of {}", name(key))) };
    let back = binding.embedded_signature().is_some_and(|back| {
        is_strong_enough(back) && back.verify_primary_key_binding(&subkey.key, &key.primary_key).is_ok()
    });
    if !binding.key_flags().sign() || !back {
        return Err(format!("the subkey of {} is not for signing", name(key)));
    }
    if is_over(Some(subkey.key.created_at()), binding.key_expiration_time(), seen) {
        return Err(format!("the subkey of {} has expired", name(key)));
    }
    Ok(())
}

/// What lasts so long from then on is over.
fn is_over(from: Option<pgp::types::Timestamp>, lasts: Option<pgp::types::Duration>, seen: Timestamp) -> bool {
    let (Some(from), Some(lasts)) = (from, lasts) else { return false };
    let (from, lasts) = (i64::from(from.as_secs()), i64::from(lasts.as_secs()));
    // Zero means: never (RFC 9580, 5.2.3.13).
    lasts != 0 && Timestamp::from_second(from.saturating_add(lasts)).is_ok_and(|end| end <= seen)
}

/// Its first user ID, or its fingerprint.
fn name(key: &SignedPublicKey) -> String {
    let user = key.details.users.first().and_then(|user| user.id.as_str().map(str::to_owned));
    user.unwrap_or_else(|| key.primary_key.fingerprint().to_string())
}

#[cfg(test)]
mod tests;
