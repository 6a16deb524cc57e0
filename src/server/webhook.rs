//! Whether a call is one of the Git host's own. Pure: the headers, the body, the secret and the time are given.
//!
//! Three ways are known. GitHub, Gitea, Forgejo and Bitbucket sign the body (`X-Hub-Signature-256`, `X-Hub-Signature`).
//! GitLab repeats the secret (`X-Gitlab-Token`). [Standard Webhooks](https://www.standardwebhooks.com) signs an id, a time
//! and the body. Everything secret is compared in constant time.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::model::{Digest, Redacted};

/// How old a signed time may be, and how far ahead (Standard Webhooks recommends five minutes).
const WINDOW: SignedDuration = SignedDuration::from_mins(5);
/// How long a call is remembered, so that it is not taken twice.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);
/// So many are remembered at most.
const MOST: usize = 4096;

/// Why a call is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It proves nothing.
    #[error("the call has no signature")]
    Unsigned,
    /// What it proves is wrong.
    #[error("the signature of the call is wrong: check the webhook's secret")]
    Wrong,
    /// It is of another time.
    #[error("the call is too old, or from the future: check the clocks")]
    Old,
    /// It was taken before.
    #[error("the call was received before")]
    Replayed,
}

/// The headers that count, as the call has them.
#[derive(Clone, Debug, Default)]
pub struct Call<'c> {
    /// `X-Hub-Signature-256` or `X-Hub-Signature`.
    pub hub: Option<&'c str>,
    /// `X-Gitlab-Token`.
    pub gitlab: Option<&'c str>,
    /// `webhook-id`.
    pub id: Option<&'c str>,
    /// `webhook-timestamp`: seconds since 1970.
    pub timestamp: Option<&'c str>,
    /// `webhook-signature`: one or several, with spaces between.
    pub signature: Option<&'c str>,
}

/// The calls that were taken lately.
#[derive(Debug, Default)]
pub struct Replays(VecDeque<(Timestamp, Digest)>);

impl Replays {
    fn take(&mut self, what: Digest, now: Timestamp) -> Result<(), Refused> {
        while self.0.front().is_some_and(|(at, _)| now.duration_since(*at) > REMEMBERED) || self.0.len() >= MOST {
            self.0.pop_front();
        }
        if self.0.iter().any(|(_, known)| *known == what) {
            return Err(Refused::Replayed);
        }
        self.0.push_back((now, what));
        Ok(())
    }
}

/// A call whose body is still arriving. Nothing of it is kept but its digests: whoever proves nothing takes no memory.
#[derive(Debug)]
pub struct Proof {
    kind: Kind,
    body: Sha256,
}

#[derive(Debug)]
enum Kind {
    /// The code of the body, and what it has to be.
    Hub { mac: Hmac<Sha256>, given: Vec<u8> },
    /// The secret was repeated.
    Token,
    /// The code of id, time and body, and what it may be.
    Standard { mac: Hmac<Sha256>, given: Vec<Vec<u8>>, id: String, timestamp: String },
}

impl Proof {
    /// Begins with the headers.
    ///
    /// # Errors
    /// Why it cannot be proven whatever follows.
    pub fn begin(call: &Call<'_>, secret: &Redacted) -> Result<Self, Refused> {
        let secret = secret.expose();
        let kind = if let (Some(id), Some(timestamp), Some(signatures)) = (call.id, call.timestamp, call.signature) {
            standard(id, timestamp, signatures, secret)?
        } else if let Some(hub) = call.hub {
            let given = hub.strip_prefix("sha256=").and_then(unhex).ok_or(Refused::Wrong)?;
            Kind::Hub { mac: mac(secret.as_bytes(), &[])?, given }
        } else if let Some(token) = call.gitlab {
            // The codes of both are compared, so that neither their lengths nor where they differ take longer.
            let wanted = mac(secret.as_bytes(), &[secret.as_bytes()])?.finalize().into_bytes();
            let given = mac(secret.as_bytes(), &[token.as_bytes()])?;
            given.verify_slice(&wanted).map_err(|_| Refused::Wrong)?;
            Kind::Token
        } else {
            return Err(Refused::Unsigned);
        };
        Ok(Self { kind, body: Sha256::new() })
    }

    /// More of the body.
    pub fn update(&mut self, bytes: &[u8]) {
        self.body.update(bytes);
        match &mut self.kind {
            Kind::Hub { mac, .. } | Kind::Standard { mac, .. } => mac.update(bytes),
            Kind::Token => {}
        }
    }

    /// Whether the call knows the secret, and was not taken before.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn finish(self, now: Timestamp, replays: &mut Replays) -> Result<(), Refused> {
        match self.kind {
            Kind::Standard { mac, given, id, timestamp } => {
                let mut is_good = false;
                for given in given {
                    is_good |= mac.clone().verify_slice(&given).is_ok();
                }
                if !is_good {
                    return Err(Refused::Wrong);
                }
                let at = timestamp.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
                if now.duration_since(at.ok_or(Refused::Old)?).abs() > WINDOW {
                    return Err(Refused::Old);
                }
                return replays.take(Digest::of(&("standard", id)), now);
            }
            Kind::Hub { mac, given } => mac.verify_slice(&given).map_err(|_| Refused::Wrong)?,
            Kind::Token => {}
        }
        // No header beside the body is signed: whoever sends it again could change them. The body names the commit.
        replays.take(Digest::of_bytes(&self.body.finalize()), now)
    }
}

fn standard(id: &str, timestamp: &str, signatures: &str, secret: &str) -> Result<Kind, Refused> {
    let key = match secret.strip_prefix("whsec_") {
        Some(key) => STANDARD.decode(key).map_err(|_| Refused::Wrong)?,
        None => secret.as_bytes().to_vec(),
    };
    let given = signatures.split(' ').filter_map(|signature| signature.strip_prefix("v1,"));
    let given = given.filter_map(|signature| STANDARD.decode(signature).ok()).collect();
    let mac = mac(&key, &[id.as_bytes(), b".", timestamp.as_bytes(), b"."])?;
    Ok(Kind::Standard { mac, given, id: id.to_owned(), timestamp: timestamp.to_owned() })
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Result<Hmac<Sha256>, Refused> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| Refused::Wrong)?;
    for part in parts {
        mac.update(part);
    }
    Ok(mac)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if text.len() != 64 {
        return None;
    }
    text.as_bytes().chunks(2).map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn proven(call: &Call<'_>, body: &str, secret: &str, now: i64) -> Result<(), Refused> {
        let secret = Redacted::new(secret.to_owned());
        proven_among(call, body, &secret, now, &mut Replays::default())
    }

    /// The body arrives in pieces.
    fn proven_among(
        call: &Call<'_>,
        body: &str,
        secret: &Redacted,
        now: i64,
        replays: &mut Replays,
    ) -> Result<(), Refused> {
        let mut proof = Proof::begin(call, secret)?;
        body.as_bytes().chunks(3).for_each(|piece| proof.update(piece));
        proof.finish(at(now), replays)
    }

    #[test]
    fn githubs_own_example_is_good() {
        // GitHub: "Validating webhook deliveries", "Testing the webhook payload validation".
        let hub = Some("sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
        let call = Call { hub, ..Call::default() };
        assert_eq!(proven(&call, "Hello, World!", "It's a Secret to Everybody", 0), Ok(()));
        assert_eq!(proven(&call, "Hello, World?", "It's a Secret to Everybody", 0), Err(Refused::Wrong));
        assert_eq!(proven(&call, "Hello, World!", "another", 0), Err(Refused::Wrong));
        for wrong in [
            "",
            "sha256=",
            "sha1=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
            "sha256=75",
            "sha256=é",
        ] {
            let call = Call { hub: Some(wrong), ..Call::default() };
            assert_eq!(proven(&call, "Hello, World!", "It's a Secret to Everybody", 0), Err(Refused::Wrong), "{wrong}");
        }
    }

    #[test]
    fn gitlabs_token_is_compared_as_a_whole() {
        for (given, good) in [("secret", true), ("secre", false), ("secrets", false), ("", false), ("Secret", false)] {
            let call = Call { gitlab: Some(given), ..Call::default() };
            assert_eq!(proven(&call, "{}", "secret", 0).is_ok(), good, "{given}");
        }
        assert_eq!(proven(&Call::default(), "{}", "secret", 0), Err(Refused::Unsigned));
    }

    #[test]
    fn the_example_of_standard_webhooks_is_good_in_its_window_and_with_one_of_two_keys() {
        // The example of the specification.
        let call = Call {
            id: Some("msg_p5jXN8AQM9LWM0D4loKWxJek"),
            timestamp: Some("1614265330"),
            signature: Some(
                "v1,bm9ldHUjKzFob2VudXRob2VodWUzMjRvdWVvdW9ldQo= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            ..Call::default()
        };
        let (body, secret) = (r#"{"test": 2432232314}"#, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        for (now, expected) in [
            (1_614_265_330, Ok(())),
            (1_614_265_330 + 300, Ok(())),
            (1_614_265_330 - 300, Ok(())),
            (1_614_265_330 + 301, Err(Refused::Old)),
            (1_614_265_330 - 301, Err(Refused::Old)),
        ] {
            assert_eq!(proven(&call, body, secret, now), expected, "{now}");
        }
        let late = Call { timestamp: Some("1614265331"), ..call.clone() };
        assert_eq!(proven(&late, body, secret, 1_614_265_331), Err(Refused::Wrong), "the time is signed");
        let other = Call { id: Some("msg_other"), ..call.clone() };
        assert_eq!(proven(&other, body, secret, 1_614_265_330), Err(Refused::Wrong), "the id is signed");
    }

    #[test]
    fn a_call_is_taken_once() {
        let call = Call { gitlab: Some("secret"), ..Call::default() };
        let secret = Redacted::new("secret".to_owned());
        let mut replays = Replays::default();
        let mut take = |body: &str, now: i64| proven_among(&call, body, &secret, now, &mut replays);
        assert_eq!(take("a", 0), Ok(()));
        assert_eq!(take("a", 1), Err(Refused::Replayed));
        assert_eq!(take("b", 1), Ok(()));
        assert_eq!(take("a", 3601), Ok(()), "nothing is remembered for ever");
        for number in 0..3 * MOST {
            take(&number.to_string(), 3601).unwrap();
        }
        assert!(replays.0.len() <= MOST);
    }
}
