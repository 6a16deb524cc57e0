//! The private key that we are let in by.

use std::sync::Arc;

use russh::keys::{Algorithm, PrivateKey, PrivateKeyWithHashAlg};

use super::super::RemoteError;
use super::super::credentials::secret;
use crate::model::{GitCredentials, Redacted, SecretRef};

/// What a key in the format of OpenSSH begins with.
const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";

/// The key of a source.
pub(super) fn read(credentials: &GitCredentials) -> Result<PrivateKeyWithHashAlg, RemoteError> {
    let GitCredentials::SshKey { key, passphrase } = credentials else {
        return Err(RemoteError::Credentials("an address of SSH needs an SSH key".to_owned()));
    };
    let (text, passphrase) = (secret(key)?, passphrase.as_ref().map(secret).transpose()?);
    let failed = |why: String| {
        RemoteError::Credentials(match key {
            SecretRef::File(path) => format!("the SSH key in {} cannot be used: {why}", path.display()),
            SecretRef::Value { name, .. } => format!("the SSH key in the variable {name} cannot be used: {why}"),
        })
    };
    let key = parse(&text, passphrase.as_ref()).map_err(failed)?;
    Ok(PrivateKeyWithHashAlg::new(Arc::new(key), None))
}

/// A key, decrypted. What the library says is left out: it could be about what is in the file.
fn parse(text: &Redacted, passphrase: Option<&Redacted>) -> Result<PrivateKey, String> {
    let text = Redacted::new(format!("{}\n", text.expose().trim()));
    if !text.expose().starts_with(BEGIN) {
        return Err(match text.expose().lines().next() {
            Some(first) if first.contains("PRIVATE KEY-----") || first.starts_with("PuTTY-User-Key-File") => {
                "it is not in the format of OpenSSH; convert it with `ssh-keygen -p -f FILE` (PuTTY: `puttygen FILE -O \
                 private-openssh-new -o NEW`)"
            }
            Some(first) if first.starts_with("ssh-") || first.starts_with("ecdsa-") => {
                "it is a public key; name the private key"
            }
            _ => "it is no private key in the format of OpenSSH; make one with `ssh-keygen -t ed25519`",
        }
        .to_owned());
    }
    let key =
        PrivateKey::from_openssh(text.expose()).map_err(|_| "it is damaged, or of a type that is not supported")?;
    match key.algorithm() {
        Algorithm::Ed25519 | Algorithm::Ecdsa { .. } => {}
        Algorithm::Rsa { .. } => {
            return Err("RSA keys are not supported; make another one with `ssh-keygen -t ed25519`".to_owned());
        }
        other => {
            return Err(format!("keys of the type {other} are not supported; make one with `ssh-keygen -t ed25519`"));
        }
    }
    if !key.is_encrypted() {
        return Ok(key);
    }
    let passphrase = passphrase.ok_or("it is encrypted, and no passphrase is set")?;
    key.decrypt(passphrase.expose()).map_err(|_| "the passphrase is wrong".to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    fn made(directory: &Path, arguments: &[&str]) -> Redacted {
        let path = directory.join("key");
        let _ = std::fs::remove_file(&path);
        let status = Command::new("ssh-keygen").args(["-q", "-C", "", "-f"]).arg(&path).args(arguments).status();
        assert!(status.unwrap().success());
        Redacted::new(std::fs::read_to_string(path).unwrap())
    }

    #[test]
    fn keys_of_ssh_keygen_are_read_with_and_without_a_passphrase() {
        let directory = tempfile::tempdir().unwrap();
        for kind in [&["-t", "ed25519"][..], &["-t", "ecdsa", "-b", "256"], &["-t", "ecdsa", "-b", "521"]] {
            let plain = made(directory.path(), &[kind, &["-N", ""]].concat());
            assert!(!parse(&plain, None).unwrap().is_encrypted());
            let encrypted = made(directory.path(), &[kind, &["-N", "canary words"]].concat());
            assert!(parse(&encrypted, None).unwrap_err().contains("no passphrase"));
            let wrong = Redacted::new("canary".to_owned());
            assert_eq!(parse(&encrypted, Some(&wrong)).unwrap_err(), "the passphrase is wrong");
            let right = Redacted::new("canary words".to_owned());
            assert!(!parse(&encrypted, Some(&right)).unwrap().is_encrypted());
        }
    }

    #[test]
    fn what_cannot_be_used_says_what_to_do_and_shows_nothing_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let rsa = made(directory.path(), &["-t", "rsa", "-b", "2048", "-N", ""]);
        let pem = made(directory.path(), &["-t", "ecdsa", "-N", "", "-m", "PEM"]);
        let ed25519 = made(directory.path(), &["-t", "ed25519", "-N", ""]);
        let public = std::fs::read_to_string(directory.path().join("key.pub")).unwrap();
        let cut: String = ed25519.expose().lines().take(3).collect::<Vec<_>>().join("\n");
        for (text, words) in [
            (rsa.expose(), "RSA keys are not supported"),
            (pem.expose(), "ssh-keygen -p -f FILE"),
            ("PuTTY-User-Key-File-3: ssh-ed25519\ncanary", "puttygen"),
            (public.as_str(), "it is a public key"),
            ("canary", "no private key"),
            (cut.as_str(), "it is damaged"),
        ] {
            let error = parse(&Redacted::new(text.to_owned()), None).unwrap_err();
            assert!(error.contains(words) && !error.contains("canary"), "{error}");
        }
    }
}
