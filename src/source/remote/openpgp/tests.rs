//! Signatures and keys that `gpg` has made.

use super::*;

const PAYLOAD: &[u8] = b"payload\n";
/// A day after they were made.
const SEEN: &str = "2026-12-01T12:00:00Z";

fn file(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/openpgp").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn of(name: &str) -> Keys {
    keys(&String::from_utf8(file(&format!("{name}.asc"))).unwrap()).unwrap()
}

fn signed(key: &str, signature: &str, seen: &str) -> Result<String, String> {
    verify(&file(&format!("{signature}.sig")), PAYLOAD, &of(key), seen.parse().unwrap())
}

#[test]
fn what_gpg_signs_is_good_by_its_own_key_and_by_no_other() {
    for name in ["ed", "rsa", "p256", "p384"] {
        assert_eq!(signed(name, name, SEEN), Ok(format!("{name} <{name}@x>")));
        let other = if name == "ed" { "rsa" } else { "ed" };
        assert!(signed(other, name, SEEN).unwrap_err().contains("not among the allowed OpenPGP keys"), "{name}");
        let tampered = verify(&file(&format!("{name}.sig")), b"another\n", &of(name), SEEN.parse().unwrap());
        assert!(tampered.unwrap_err().contains("or the signature is wrong"), "{name}");
    }
    // That others certify a key is nothing against it.
    assert_eq!(signed("certified", "ed", SEEN), Ok("ed <ed@x>".to_owned()));
    assert_eq!(signed("sub", "sub", SEEN), Ok("sub <sub@x>".to_owned()), "by a subkey");
}

#[test]
fn several_keys_may_be_in_one_file() {
    let text = ["ed", "rsa"].map(|name| String::from_utf8(file(&format!("{name}.asc"))).unwrap()).concat();
    let keys = keys(&text).unwrap();
    assert_eq!(keys.len(), 2);
    assert_eq!(verify(&file("rsa.sig"), PAYLOAD, &keys, SEEN.parse().unwrap()), Ok("rsa <rsa@x>".to_owned()));
}

#[test]
fn a_key_that_is_over_or_revoked_has_signed_nothing() {
    // It lasts for a day.
    assert_eq!(signed("exp", "exp", "2026-11-30T18:00:00Z"), Ok("exp <exp@x>".to_owned()));
    assert!(signed("exp", "exp", "2026-12-02T00:00:00Z").unwrap_err().contains("has expired"));
    assert!(
        signed("sub", "sub", "2028-01-01T00:00:00Z").unwrap_err().contains("the subkey of sub <sub@x> has expired")
    );
    assert!(signed("rev", "rev", SEEN).unwrap_err().contains("is revoked"));
    assert!(signed("revsub", "sub", SEEN).unwrap_err().contains("the subkey of sub <sub@x> is revoked"));
}

#[test]
fn a_weak_digest_and_an_unknown_curve_are_no_signature() {
    assert!(signed("ed", "sha1", SEEN).unwrap_err().contains("digest"));
    assert!(signed("brainpool", "brainpool", SEEN).is_err());
}

#[test]
fn what_cannot_be_read_says_so() {
    let private = "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nxVgE\n-----END PGP PRIVATE KEY BLOCK-----\n";
    for text in ["", "ssh-ed25519 AAAA", private] {
        assert!(keys(text).unwrap_err().contains("no OpenPGP public key"), "{text}");
    }
    let cut: String = String::from_utf8(file("ed.asc")).unwrap().chars().take(200).collect();
    assert!(keys(&cut).is_err());
    let seen = SEEN.parse().unwrap();
    for signature in [ARMOR, b"-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n", b"\xff\xfe"] {
        assert!(verify(signature, PAYLOAD, &of("ed"), seen).unwrap_err().contains("cannot be read"));
    }
}
