//! How we are let in over HTTPS: a token, or one that a GitHub App's installation is given for an hour. And where secrets are.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gix::sec::identity::Account;
use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};

use super::RemoteError;
use super::authority::authorities;
use super::error::chain;
use crate::model::{GitCredentials, GitSource, Redacted, SecretRef};

/// The user name beside a token of GitHub; other forges take any.
pub(super) const USER: &str = "x-access-token";
/// A token is not used in the last minutes before it expires: a fetch takes a while, and clocks differ.
const SPARE: SignedDuration = SignedDuration::from_mins(5);
/// A JWT of an App is good for ten minutes at most (GitHub: *Generating a JSON Web Token for a GitHub App*).
const CLAIM: SignedDuration = SignedDuration::from_mins(9);
/// GitHub's clock may be behind ours, says the same page.
const EARLIER: SignedDuration = SignedDuration::from_secs(60);
/// How long GitHub may take to make a token.
const TIMEOUT: Duration = Duration::from_secs(20);
/// More than any secret has.
const LARGEST: u64 = 64 << 10;

/// The tokens that were made for installations, until they expire.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens(Arc<Mutex<Option<(Redacted, Timestamp)>>>);

/// What a secret is now.
///
/// # Errors
/// It is not there, or empty.
pub fn secret(at: &SecretRef) -> Result<Redacted, RemoteError> {
    let text = match at {
        SecretRef::Value { name, value: None } => {
            return Err(RemoteError::Credentials(format!("the environment variable {name} is not set")));
        }
        SecretRef::Value { value: Some(value), .. } => value.clone(),
        SecretRef::File(path) => {
            let failed = |why: &dyn std::fmt::Display| {
                RemoteError::Credentials(format!("the secret in {} cannot be read: {why}", path.display()))
            };
            let size = fs::metadata(path).map_err(|error| failed(&error))?.len();
            if size > LARGEST {
                return Err(failed(&"it is larger than 64 KiB"));
            }
            Redacted::new(fs::read_to_string(path).map_err(|error| failed(&error))?)
        }
    };
    let trimmed = Redacted::new(text.expose().trim().to_owned());
    if trimmed.expose().is_empty() {
        return Err(RemoteError::Credentials(match at {
            SecretRef::File(path) => format!("the file {} is empty", path.display()),
            SecretRef::Value { name, .. } => format!("the environment variable {name} is empty"),
        }));
    }
    Ok(trimmed)
}

/// Who we are to the host; `None`: nobody in particular.
pub(super) fn account(source: &GitSource, tokens: &Tokens, now: Timestamp) -> Result<Option<Account>, RemoteError> {
    let (user, token) = match &source.credentials {
        GitCredentials::None | GitCredentials::SshKey { .. } => return Ok(None),
        GitCredentials::Token { user, token } => (user.as_str(), secret(token)?),
        GitCredentials::App { app, installation, key, api } => {
            let mut held = tokens.0.lock().unwrap_or_else(PoisonError::into_inner);
            let good = held.clone().filter(|(_, until)| until.duration_since(now) > SPARE);
            let (token, until) = match good {
                Some(good) => good,
                None => installation_token(source, app, *installation, key, api, now)?,
            };
            *held = Some((token.clone(), until));
            (USER, token)
        }
    };
    Ok(Some(Account { username: user.to_owned(), password: token.expose().to_owned(), oauth_refresh_token: None }))
}

/// The token that feedback is given with, and the App that it is of, if it is one's.
pub(super) fn of_feedback(
    source: &GitSource,
    tokens: &Tokens,
    now: Timestamp,
) -> Result<(Redacted, Option<String>), RemoteError> {
    let own = source.feedback.as_ref().and_then(|feedback| feedback.token.as_ref());
    if let Some(own) = own {
        return Ok((secret(own)?, None));
    }
    let account = account(source, tokens, now)?;
    let account = account.ok_or_else(|| RemoteError::Credentials("the source has none".to_owned()))?;
    let app = match &source.credentials {
        GitCredentials::App { app, .. } => Some(app.clone()),
        GitCredentials::None | GitCredentials::Token { .. } | GitCredentials::SshKey { .. } => None,
    };
    Ok((Redacted::new(account.password), app))
}

#[derive(Serialize)]
struct Claims<'a> {
    iat: i64,
    exp: i64,
    iss: &'a str,
}

#[derive(Deserialize)]
struct Made {
    token: String,
    expires_at: Timestamp,
}

/// A token of an installation (GitHub: *Authenticating as a GitHub App installation*).
fn installation_token(
    source: &GitSource,
    app: &str,
    installation: u64,
    key: &SecretRef,
    api: &str,
    now: Timestamp,
) -> Result<(Redacted, Timestamp), RemoteError> {
    let failed = |why: String| {
        RemoteError::Credentials(format!(
            "no token could be had for installation {installation} of the GitHub App {app}: {why}"
        ))
    };
    let claim = jwt(app, &secret(key)?, now).map_err(failed)?;
    let client = reqwest::blocking::Client::builder().https_only(true).timeout(TIMEOUT).user_agent("landfast");
    let client = match authorities(source.authorities.as_deref())? {
        Some(certificates) => client.tls_certs_only(certificates),
        None => client,
    };
    let asked = || {
        let url = format!("{}/app/installations/{installation}/access_tokens", api.trim_end_matches('/'));
        let request =
            client.build()?.post(url).bearer_auth(claim.expose()).header("accept", "application/vnd.github+json");
        request.send()?.error_for_status()?.bytes()
    };
    let answer = asked().map_err(|error| failed(chain(&error)))?;
    // What is wrong with the answer is not repeated: there is a token in it.
    let made: Made = serde_json::from_slice(&answer).map_err(|_| failed("the answer is not understood".to_owned()))?;
    Ok((Redacted::new(made.token), made.expires_at))
}

/// The App's own word that it is the App (RFC 7519, RS256).
fn jwt(app: &str, key: &Redacted, now: Timestamp) -> Result<Redacted, String> {
    let wrong = || "the private key is not an RSA key in PEM".to_owned();
    let pair = match PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).map_err(|_| wrong())? {
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
        _ => return Err(wrong()),
    };
    let pair = pair.map_err(|_| wrong())?;
    let claims = Claims { iat: (now - EARLIER).as_second(), exp: (now + CLAIM).as_second(), iss: app };
    let claims = serde_json::to_vec(&claims).map_err(|error| error.to_string())?;
    let said =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(br#"{"alg":"RS256","typ":"JWT"}"#), URL_SAFE_NO_PAD.encode(claims));
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), said.as_bytes(), &mut signature)
        .map_err(|_| "the private key cannot sign".to_owned())?;
    Ok(Redacted::new(format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    #[test]
    fn the_claim_of_an_app_is_signed_by_its_key_and_short() {
        let directory = tempfile::tempdir().unwrap();
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for traditional in [true, false] {
            let path = directory.path().join(format!("key-{traditional}.pem"));
            let mut command = Command::new("openssl");
            command.args(["genrsa", "-out"]).arg(&path);
            if traditional {
                command.arg("-traditional");
            }
            command.arg("2048");
            assert!(command.output().unwrap().status.success());
            let key = secret(&SecretRef::File(path)).unwrap();
            let jwt = jwt("Iv1.abc", &key, now).unwrap();
            let parts: Vec<&str> = jwt.expose().split('.').collect();
            let claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
            assert_eq!(claims, serde_json::json!({"iat": 1_767_225_540, "exp": 1_767_226_140, "iss": "Iv1.abc"}));
            let pair = match PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).unwrap() {
                PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).unwrap(),
                PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap(),
                other => panic!("{other:?}"),
            };
            let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref().to_vec());
            let said = format!("{}.{}", parts[0], parts[1]);
            public.verify(said.as_bytes(), &URL_SAFE_NO_PAD.decode(parts[2]).unwrap()).unwrap();
        }
    }

    #[test]
    fn a_secret_that_is_not_there_is_named_and_never_shown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let missing = secret(&SecretRef::File(path.clone())).unwrap_err().to_string();
        assert!(missing.contains("token cannot be read"), "{missing}");
        std::fs::write(&path, " \n").unwrap();
        assert!(secret(&SecretRef::File(path.clone())).unwrap_err().to_string().contains("is empty"));
        std::fs::write(&path, "canary\n").unwrap();
        assert_eq!(secret(&SecretRef::File(path)).unwrap().expose(), "canary");
        let unset = SecretRef::Value { name: "TOKEN".to_owned(), value: None };
        assert!(secret(&unset).unwrap_err().to_string().contains("TOKEN is not set"));
        let error = jwt("app", &Redacted::new("canary".to_owned()), Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(!error.contains("canary"), "{error}");
    }
}
