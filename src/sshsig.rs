//! SSH signatures, in process: no `ssh-keygen` is started. What they are of and who may make them is for others to say.
//!
//! The format is SSHSIG (`PROTOCOL.sshsig` of OpenSSH): what `ssh-keygen -Y sign` makes, and Git with `gpg.format=ssh`. What is
//! verified is verified by aws-lc-rs, and so is what is made.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, Ed25519KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey,
    VerificationAlgorithm,
};
use ssh_key::private::KeypairData;
use ssh_key::public::{EcdsaPublicKey, KeyData};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, Signature, SshSig};

use crate::model::{REVIEW_NAMESPACE, SshKey, Submission};

/// The first line of a signature.
pub const ARMOR: &[u8] = b"-----BEGIN SSH SIGNATURE-----";
/// What a FIDO key appends to its signature: flags and a counter.
const TRAILER: usize = 5;
/// The flag that says that somebody has touched the key.
const PRESENT: u8 = 1;

/// The key that has signed a payload for a namespace.
///
/// # Errors
/// The signature cannot be read, is for something else, or is wrong; in words that go on after "but".
pub fn verify(armored: &[u8], namespace: &str, payload: &[u8]) -> Result<SshKey, String> {
    let signature = SshSig::from_pem(armored).map_err(|error| format!("its signature cannot be read: {error}"))?;
    if signature.namespace() != namespace {
        return Err(format!("its signature is for `{}`, not for `{namespace}`", signature.namespace()));
    }
    let signed = SshSig::signed_data(namespace, signature.hash_alg(), payload).map_err(|error| error.to_string())?;
    if !is_good(signature.public_key(), &signature, &signed) {
        return Err("its signature is wrong".to_owned());
    }
    key(signature.public_key().clone())
}

/// The key that has signed what somebody says of a plan, if any has.
///
/// # Errors
/// What is wrong with the signature.
pub fn signer(submission: &Submission) -> Result<Option<SshKey>, String> {
    let Some(signature) = &submission.signature else { return Ok(None) };
    let payload = submission.statement.payload();
    verify(signature.as_bytes(), REVIEW_NAMESPACE, payload.as_bytes()).map(Some)
}

/// The public key in a line of OpenSSH's.
///
/// # Errors
/// It is none.
pub fn public(line: &str) -> Result<SshKey, String> {
    key(PublicKey::from_openssh(line).map_err(|error| error.to_string())?.key_data().clone())
}

fn key(data: KeyData) -> Result<SshKey, String> {
    let text = PublicKey::from(data).to_openssh().map_err(|error| error.to_string())?;
    text.parse().map_err(|error: crate::model::InvalidName| error.to_string())
}

/// Signs a payload for a namespace with a private key in the format of OpenSSH; the armored signature.
///
/// # Errors
/// The key cannot be used here; what to do instead.
pub fn sign(private: &str, namespace: &str, payload: &[u8]) -> Result<String, String> {
    let key =
        PrivateKey::from_openssh(private).map_err(|_| "it is not a private key in the format of OpenSSH".to_owned())?;
    if key.is_encrypted() {
        return Err("it is encrypted: sign with `ssh-keygen` instead".to_owned());
    }
    let KeypairData::Ed25519(pair) = key.key_data() else {
        return Err("it is not an Ed25519 key: sign with `ssh-keygen` instead".to_owned());
    };
    let failed = |_| "it could not be used".to_owned();
    let signer = Ed25519KeyPair::from_seed_and_public_key(pair.private.as_ref().as_slice(), &pair.public.0)
        .map_err(|_| "its two halves do not belong together".to_owned())?;
    let data = SshSig::signed_data(namespace, HashAlg::Sha512, payload).map_err(failed)?;
    let signature = Signature::new(Algorithm::Ed25519, signer.sign(&data).as_ref()).map_err(failed)?;
    let signature = SshSig::new(KeyData::from(pair.public), namespace, HashAlg::Sha512, signature).map_err(failed)?;
    signature.to_pem(LineEnding::LF).map_err(failed)
}

/// Whether the key has signed this.
fn is_good(key: &KeyData, signature: &SshSig, data: &[u8]) -> bool {
    let bytes = signature.signature_bytes();
    let by = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8], data: &[u8], signature: &[u8]| {
        UnparsedPublicKey::new(algorithm, key).verify(data, signature).is_ok()
    };
    match (key, signature.signature().algorithm()) {
        (KeyData::Ed25519(key), Algorithm::Ed25519) => by(&ED25519, &key.0, data, bytes),
        (KeyData::Ecdsa(key), Algorithm::Ecdsa { .. }) => {
            let (algorithm, width): (&'static dyn VerificationAlgorithm, usize) = match key {
                EcdsaPublicKey::NistP256(_) => (&ECDSA_P256_SHA256_FIXED, 32),
                EcdsaPublicKey::NistP384(_) => (&ECDSA_P384_SHA384_FIXED, 48),
                EcdsaPublicKey::NistP521(_) => (&ECDSA_P521_SHA512_FIXED, 66),
            };
            fixed(bytes, width).is_some_and(|fixed| by(algorithm, key.as_sec1_bytes(), data, &fixed))
        }
        (KeyData::Rsa(key), Algorithm::Rsa { hash: Some(hash) }) => {
            let (Some(n), Some(e)) = (key.n.as_positive_bytes(), key.e.as_positive_bytes()) else { return false };
            let parameters =
                if hash == HashAlg::Sha256 { &RSA_PKCS1_2048_8192_SHA256 } else { &RSA_PKCS1_2048_8192_SHA512 };
            RsaPublicKeyComponents { n, e }.verify(parameters, data, bytes).is_ok()
        }
        (KeyData::SkEd25519(key), Algorithm::SkEd25519) => touched(key.application(), data, bytes)
            .is_some_and(|(signed, signature)| by(&ED25519, &key.public_key().0, &signed, signature)),
        (KeyData::SkEcdsaSha2NistP256(key), Algorithm::SkEcdsaSha2NistP256) => touched(key.application(), data, bytes)
            .is_some_and(|(signed, signature)| {
                fixed(signature, 32)
                    .is_some_and(|fixed| by(&ECDSA_P256_SHA256_FIXED, key.ec_point().as_bytes(), &signed, &fixed))
            }),
        _ => false,
    }
}

/// What a FIDO key has signed, and its signature without the trailer (`PROTOCOL.u2f` of OpenSSH); `None` if nobody touched
/// the key.
fn touched<'b>(application: &str, data: &[u8], bytes: &'b [u8]) -> Option<(Vec<u8>, &'b [u8])> {
    let (signature, trailer) = bytes.split_at_checked(bytes.len().checked_sub(TRAILER)?)?;
    if trailer.first()? & PRESENT == 0 {
        return None;
    }
    let mut signed = digest(&SHA256, application.as_bytes()).as_ref().to_vec();
    signed.extend_from_slice(trailer);
    signed.extend_from_slice(digest(&SHA256, data).as_ref());
    Some((signed, signature))
}

/// The two numbers of an ECDSA signature, each as wide as the curve.
fn fixed(bytes: &[u8], width: usize) -> Option<Vec<u8>> {
    let mut rest = bytes;
    let mut fixed = Vec::with_capacity(2 * width);
    for _ in 0..2 {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let (number, behind) = behind.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let number = number.get(zeros..)?;
        fixed.resize(fixed.len() + width.checked_sub(number.len())?, 0);
        fixed.extend_from_slice(number);
        rest = behind;
    }
    rest.is_empty().then_some(fixed)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const NAMESPACE: &str = "approval@landfast";

    fn keygen(directory: &std::path::Path, arguments: &[&str]) -> std::path::PathBuf {
        let path = directory.join(arguments.join(""));
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-N", "", "-C", "test", "-f"]).arg(&path).args(arguments);
        assert!(command.status().unwrap().success());
        path
    }

    /// `ssh-keygen` is the judge of what is made here, and the maker of what is judged here.
    #[test]
    fn signatures_go_both_ways_between_here_and_ssh_keygen() {
        let directory = tempfile::tempdir().unwrap();
        let key = keygen(directory.path(), &["-t", "ed25519"]);
        let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
        let payload = directory.path().join("payload");
        std::fs::write(&payload, "a plan\n").unwrap();
        let ours = sign(&std::fs::read_to_string(&key).unwrap(), NAMESPACE, b"a plan\n").unwrap();
        assert_eq!(verify(ours.as_bytes(), NAMESPACE, b"a plan\n").unwrap(), super::public(&public).unwrap());
        let (signers, signature) = (directory.path().join("signers"), directory.path().join("ours.sig"));
        std::fs::write(&signers, format!("ada {public}")).unwrap();
        std::fs::write(&signature, ours).unwrap();
        let mut verify_there = Command::new("ssh-keygen");
        verify_there.args(["-Y", "verify", "-n", NAMESPACE, "-I", "ada", "-f"]).arg(&signers);
        verify_there.arg("-s").arg(&signature).stdin(std::fs::File::open(&payload).unwrap());
        assert!(verify_there.output().unwrap().status.success());
        let mut sign_there = Command::new("ssh-keygen");
        sign_there.args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"]).arg(&key).arg(&payload);
        assert!(sign_there.output().unwrap().status.success());
        let theirs = std::fs::read(directory.path().join("payload.sig")).unwrap();
        assert_eq!(verify(&theirs, NAMESPACE, b"a plan\n").unwrap(), super::public(&public).unwrap());
        for (namespace, payload, words) in
            [("git", &b"a plan\n"[..], "not for `git`"), (NAMESPACE, b"another plan\n", "its signature is wrong")]
        {
            assert!(verify(&theirs, namespace, payload).unwrap_err().contains(words));
        }
        assert!(verify(b"nothing", NAMESPACE, b"").unwrap_err().contains("cannot be read"));
    }

    #[test]
    fn a_key_that_cannot_sign_here_says_what_can() {
        let directory = tempfile::tempdir().unwrap();
        let other = std::fs::read_to_string(keygen(directory.path(), &["-t", "ecdsa"])).unwrap();
        assert!(sign(&other, NAMESPACE, b"").unwrap_err().contains("sign with `ssh-keygen`"));
        assert!(sign("-----BEGIN RSA PRIVATE KEY-----", NAMESPACE, b"").unwrap_err().contains("format of OpenSSH"));
    }
}
