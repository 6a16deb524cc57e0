//! Delivers one message by HTTP: to Slack, to Teams, or to any program by the Standard Webhooks specification.
//!
//! What is said is made by `report`; here is how it is sent, and what an answer means. The address is a secret, and so it is in
//! no error: whoever knows the address of a chat can write there.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde_json::Value;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::model::Redacted;

/// How long one request takes at most.
const TIMEOUT: Duration = Duration::from_secs(20);
/// So much of an error is repeated.
const LONGEST_WHY: usize = 200;
/// No pause that is asked for is longer.
const LONGEST_PAUSE: Duration = Duration::from_mins(61);
/// A pause that is asked for without saying how long.
const UNSAID: Duration = Duration::from_mins(1);
/// How long a key is: 24 to 64 bytes (Standard Webhooks: *Signature scheme*).
const KEY: std::ops::RangeInclusive<usize> = 24..=64;

/// Why a message was not delivered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CourierError {
    /// It could not be reached, or has failed itself: another time it may work.
    #[error("it could not be reached: {0}")]
    Unreachable(String),
    /// It asks for a pause.
    #[error("it asks to wait for {}", humantime::format_duration(Duration::from_secs(.0.as_secs())))]
    Later(Duration),
    /// It refuses this message, and will again.
    #[error("it refused the message ({status}){}{why}", if .why.is_empty() { "" } else { ": " })]
    Refused {
        /// The status of its answer.
        status: u16,
        /// What it says.
        why: String,
    },
    /// Its address or its keys cannot be used.
    #[error("{0}")]
    Settings(String),
}

/// Sends messages.
#[derive(Clone, Debug)]
pub struct Courier {
    http: reqwest::Client,
}

impl Courier {
    /// A courier with the certificates of the system.
    ///
    /// # Errors
    /// There is no TLS.
    pub fn new() -> Result<Self, CourierError> {
        let builder = reqwest::Client::builder()
            .timeout(TIMEOUT)
            // Whoever redirects would be shown the message.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("landfast/", env!("CARGO_PKG_VERSION")));
        let http = builder.build().map_err(|error| CourierError::Settings(format!("no HTTP client: {error}")))?;
        Ok(Self { http })
    }

    /// Sends a message; with keys, signed. `id` is the same each time that the same message is sent.
    ///
    /// # Errors
    /// It was not accepted. Nobody knows whether what could not be reached has it.
    pub async fn send(
        &self,
        url: &Redacted,
        keys: &[Redacted],
        (id, now): (&str, Timestamp),
        body: &Value,
    ) -> Result<(), CourierError> {
        let url = address(url)?;
        let body = body.to_string();
        let mut request = self.http.post(url).header("content-type", "application/json");
        if !keys.is_empty() {
            let signature = signatures(keys, id, now, body.as_bytes())?;
            request = request
                .header("webhook-id", id)
                .header("webhook-timestamp", now.as_second().to_string())
                .header("webhook-signature", signature);
        }
        let answer = request.body(body).send().await.map_err(|error| unreachable(&error))?;
        let status = answer.status().as_u16();
        let after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let why = first_letters(answer).await;
        verdict(status, after.as_deref(), why)
    }
}

/// What an answer means.
fn verdict(status: u16, retry_after: Option<&str>, why: String) -> Result<(), CourierError> {
    let seconds = |text: &str| text.trim().parse::<u64>().ok().map(Duration::from_secs);
    match (status, retry_after.and_then(seconds)) {
        (200..=299, _) => Ok(()),
        (429 | 503, Some(pause)) => Err(CourierError::Later(pause.clamp(Duration::from_secs(1), LONGEST_PAUSE))),
        (429, None) => Err(CourierError::Later(UNSAID)),
        (408 | 425 | 500..=599, _) => Err(CourierError::Unreachable(format!("it answered {status}"))),
        _ => Err(CourierError::Refused { status, why }),
    }
}

/// The address: `https`, or `http` on this machine.
fn address(url: &Redacted) -> Result<url::Url, CourierError> {
    let wrong = |why: &str| CourierError::Settings(format!("its address {why}"));
    let parsed = url::Url::parse(url.expose()).map_err(|_| wrong("is not a URL"))?;
    let is_local = match parsed.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match parsed.scheme() {
        "https" => Ok(parsed),
        "http" if is_local => Ok(parsed),
        _ => Err(wrong("must begin with https:// (http:// only on this machine)")),
    }
}

/// The signatures of a message, one for each key (Standard Webhooks: *Signature scheme*).
fn signatures(keys: &[Redacted], id: &str, now: Timestamp, body: &[u8]) -> Result<String, CourierError> {
    let mut signatures = Vec::new();
    for key in keys {
        let wrong = || CourierError::Settings("a key is not `whsec_` and 24 to 64 bytes in Base64".to_owned());
        let text = key.expose().trim().strip_prefix("whsec_").ok_or_else(wrong)?;
        let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| wrong())?);
        if !KEY.contains(&bytes.len()) {
            return Err(wrong());
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(&bytes).map_err(|_| wrong())?;
        mac.update(format!("{id}.{}.", now.as_second()).as_bytes());
        mac.update(body);
        signatures.push(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())));
    }
    Ok(signatures.join(" "))
}

async fn first_letters(mut answer: reqwest::Response) -> String {
    let piece = answer.chunk().await.ok().flatten().unwrap_or_default();
    let text = String::from_utf8_lossy(&piece).into_owned();
    text.chars().filter(|letter| !letter.is_control()).take(LONGEST_WHY).collect()
}

/// The cause that says most, without the address.
fn unreachable(error: &reqwest::Error) -> CourierError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let is_whole = std::ptr::addr_eq(cause, std::ptr::from_ref(error));
    let text = if is_whole { "the request failed".to_owned() } else { cause.to_string() };
    CourierError::Unreachable(text.chars().filter(|letter| !letter.is_control()).take(LONGEST_WHY).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Redacted {
        Redacted::new(text.to_owned())
    }

    /// The test vector of the specification's own libraries.
    #[test]
    fn a_message_is_signed_as_the_standard_webhooks_specification_says() {
        let secret = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let (id, at) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", Timestamp::from_second(1_614_265_330).unwrap());
        let body = br#"{"test": 2432232314}"#;
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signatures(std::slice::from_ref(&secret), id, at, body).unwrap(), expected);
        // Two keys while one is replaced by the other: both sign.
        let other = key("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        let both = signatures(&[secret, other], id, at, body).unwrap();
        assert!(
            both.starts_with(expected)
                && both.split(' ').count() == 2
                && both.split(' ').all(|one| one.starts_with("v1,"))
        );
        for wrong in ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_***"] {
            let error = signatures(&[key(wrong)], id, at, body).unwrap_err().to_string();
            assert!(!error.contains(wrong.trim_start_matches("whsec_")), "{error}");
        }
    }

    #[test]
    fn an_answer_says_whether_and_when_to_try_again() {
        let of = |status, after| verdict(status, after, "no".to_owned());
        assert_eq!(of(204, None), Ok(()));
        assert_eq!(of(429, Some("7")), Err(CourierError::Later(Duration::from_secs(7))));
        assert_eq!(of(429, Some("999999")), Err(CourierError::Later(LONGEST_PAUSE)));
        assert_eq!(of(429, None), Err(CourierError::Later(UNSAID)));
        assert_eq!(of(503, Some("3")), Err(CourierError::Later(Duration::from_secs(3))));
        assert!(matches!(of(502, None), Err(CourierError::Unreachable(_))));
        assert!(matches!(of(404, None), Err(CourierError::Refused { status: 404, .. })));
        assert!(matches!(of(302, None), Err(CourierError::Refused { status: 302, .. })), "redirects are not followed");
    }

    #[test]
    fn an_address_is_encrypted_on_its_way_and_in_no_error() {
        for good in ["https://hooks.example.com/canary", "http://127.0.0.1:1/canary", "http://localhost/canary"] {
            assert!(address(&key(good)).is_ok(), "{good}");
        }
        for wrong in ["http://hooks.example.com/canary", "canary", "file:///canary", "https://"] {
            let error = address(&key(wrong)).unwrap_err().to_string();
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
