//! A build without OpenPGP: it says so where keys are named.

use jiff::Timestamp;

/// The first line of a signature.
pub(super) const ARMOR: &[u8] = b"-----BEGIN PGP SIGNATURE-----";

/// There are none.
pub(super) enum Keys {}

/// Never any.
pub(super) fn keys(_: &str) -> Result<Keys, String> {
    Err("this build does not verify OpenPGP signatures: build with the feature `openpgp`".to_owned())
}

/// Never: there are no keys.
pub(super) fn verify(_: &[u8], _: &[u8], keys: &Keys, _: Timestamp) -> Result<String, String> {
    match *keys {}
}
