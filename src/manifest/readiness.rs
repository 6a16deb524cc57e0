//! `ready:` of every kind, and whatever else is asked of a web server: checks as they are written, and what they become.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;

use super::document::{Or, decode, duration_or_reference_schema, number_schema};
use super::maker::{At, Maker, Waits};
use crate::model::{Check, ConsumerCheck, HttpProbe, Readiness, Text, Tls, anywhere};

/// How many checks an object may have: all of them are asked at every look.
const CHECKS_MAX: usize = 10;
/// How long a check may take to pass, unless said otherwise.
const WITHIN: Duration = Duration::from_mins(5);
const WITHIN_LIMITS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);
/// How long a request may take, unless said otherwise.
const TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT_LIMITS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(1);

/// A check that must hold before an object is ready for those that wait for it: exactly one of `http`, `service`,
/// `targets` and `alarm`. It is asked again at every look.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Check")]
pub(super) struct CheckDocument {
    /// A URL, `http://…` or `https://…`, that must answer. Outputs may be referred to. Redirects are not followed.
    #[serde(default)]
    http: Option<String>,
    /// Of `http`: the status that is expected, 200 unless said otherwise.
    #[serde(default)]
    #[schemars(schema_with = "number_schema::<100, 599>")]
    expect: Option<Or<i64>>,
    /// Of `http`: a regular expression that must be found in the first 64 KiB of the body.
    #[serde(default)]
    body: Option<String>,
    /// Of `http`: how the server's certificate is judged, where not by the machine's authorities.
    #[serde(default)]
    tls: Option<TlsDocument>,
    /// Of `http`: how long one request may take; `5s` unless said otherwise.
    #[serde(default)]
    #[schemars(schema_with = "duration_or_reference_schema")]
    timeout: Option<String>,
    /// An ECS service that must run what it should, with one deployment.
    #[serde(default)]
    service: Option<EcsService>,
    /// Healthy targets of a target group.
    #[serde(default)]
    targets: Option<TargetsDocument>,
    /// The name of a CloudWatch alarm that must not be in the state `ALARM`. Outputs may be referred to.
    #[serde(default)]
    alarm: Option<String>,
    /// How long it may take, once the object itself is as desired, until it counts as failed; `5m` unless said otherwise.
    #[serde(default)]
    #[schemars(schema_with = "duration_or_reference_schema")]
    within: Option<String>,
}

/// A request and the answer that is expected.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "HttpCheck")]
pub(super) struct HttpDocument {
    /// The URL, `http://…` or `https://…`. Outputs may be referred to. Redirects are not followed.
    http: String,
    /// The status that is expected; 200 unless said otherwise.
    #[serde(default)]
    #[schemars(schema_with = "number_schema::<100, 599>")]
    expect: Option<Or<i64>>,
    /// A regular expression that must be found in the first 64 KiB of the body.
    #[serde(default)]
    body: Option<String>,
    /// How the server's certificate is judged, where not by the machine's authorities.
    #[serde(default)]
    tls: Option<TlsDocument>,
    /// How long one request may take; `5s` unless said otherwise.
    #[serde(default)]
    #[schemars(schema_with = "duration_or_reference_schema")]
    timeout: Option<String>,
}

/// A request, the answer that is expected, and how long that may take.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Health")]
pub(super) struct HealthDocument {
    /// The URL, `http://…` or `https://…`. Outputs may be referred to. Redirects are not followed.
    http: String,
    /// The status that is expected; 200 unless said otherwise.
    #[serde(default)]
    #[schemars(schema_with = "number_schema::<100, 599>")]
    expect: Option<Or<i64>>,
    /// A regular expression that must be found in the first 64 KiB of the body.
    #[serde(default)]
    body: Option<String>,
    /// How the server's certificate is judged, where not by the machine's authorities.
    #[serde(default)]
    tls: Option<TlsDocument>,
    /// How long one request may take; `5s` unless said otherwise.
    #[serde(default)]
    #[schemars(schema_with = "duration_or_reference_schema")]
    timeout: Option<String>,
    /// How long it may take until it counts as failed, once there is something to be asked about; `5m` unless said
    /// otherwise.
    #[serde(default)]
    #[schemars(schema_with = "duration_or_reference_schema")]
    within: Option<String>,
}

/// How a server's certificate is judged: exactly one of `skip` and `authority`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Tls")]
pub(super) struct TlsDocument {
    /// Not at all: for a load balancer's own name, which no certificate has.
    #[serde(default)]
    skip: Option<Or<bool>>,
    /// By the authorities in this PEM file alone; its path is relative to the manifest.
    #[serde(default)]
    authority: Option<String>,
}

/// An ECS service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EcsService {
    /// The cluster's name or ARN. Outputs may be referred to.
    cluster: String,
    /// The service's name or ARN. Outputs may be referred to.
    service: String,
}

/// Healthy targets of a target group.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Targets")]
struct TargetsDocument {
    /// The target group's ARN. Outputs may be referred to.
    group: String,
    /// At least so many; 1 unless said otherwise.
    #[serde(default)]
    #[schemars(schema_with = "number_schema::<1, 1000>")]
    healthy: Option<Or<i64>>,
}

/// What `ready:` of an object asks for. It may refer to the outputs of the object itself.
pub(super) fn listed(maker: &mut Maker<'_>) -> Vec<Readiness> {
    let fields = maker.at(&["spec", "ready"]);
    let before = std::mem::replace(&mut maker.waits, Waits::Elsewhere);
    if fields.nodes().len() > CHECKS_MAX {
        maker
            .wrong(format!("an object has at most {CHECKS_MAX} checks, and this one {}", fields.nodes().len()), fields);
    }
    let mut listed = Vec::new();
    for (at, node) in fields.items().zip(fields.nodes()).take(CHECKS_MAX) {
        // What cannot be decoded was reported with the document.
        if let Ok(check) = decode::<CheckDocument>(node) {
            listed.extend(check.check(maker, at));
        }
    }
    maker.waits = before;
    listed
}

impl CheckDocument {
    fn check(&self, maker: &mut Maker<'_>, at: At<'_>) -> Option<Readiness> {
        let known = ["http", "service", "targets", "alarm"];
        let given: Vec<&str> = known.into_iter().filter(|field| at.key(field).is_given()).collect();
        let [one] = given.as_slice() else {
            maker.wrong(format!("a check is exactly one of {}", known.join(", ")), at);
            return None;
        };
        if *one != "http" {
            for field in ["expect", "body", "tls", "timeout"].into_iter().filter(|field| at.key(field).is_given()) {
                maker.wrong(format!("`{field}` belongs to `http`, and this is a check of `{one}`"), at.key(field));
            }
        }
        let check = match (&self.http, &self.service, &self.targets, &self.alarm) {
            (Some(_), ..) => self.probe()?.probe(maker, at).map(Check::Http),
            (_, Some(wanted), ..) => {
                let at = at.key("service");
                let cluster = maker.open(&wanted.cluster, at.key("cluster"));
                let service = maker.open(&wanted.service, at.key("service"));
                Some(Check::ServiceSteady { cluster: cluster?, service: service? })
            }
            (_, _, Some(targets), _) => {
                let at = at.key("targets");
                let group = maker.open(&targets.group, at.key("group"));
                let healthy = maker.number(targets.healthy.as_ref(), 1, 1..=1000, at.key("healthy"), "healthy");
                Some(Check::Targets { group: group?, healthy })
            }
            (.., Some(name)) => maker.open(name, at.key("alarm")).map(|name| Check::Alarm { name }),
            _ => None,
        };
        let within = within(maker, self.within.as_deref(), at);
        Some(Readiness { check: check?, within })
    }

    fn probe(&self) -> Option<HttpDocument> {
        let Self { http, expect, body, tls, timeout, .. } = self.clone();
        Some(HttpDocument { http: http?, expect, body, tls, timeout })
    }
}

impl HealthDocument {
    /// The check that it is short for.
    pub(super) fn check(&self, maker: &mut Maker<'_>, at: At<'_>) -> Option<Readiness> {
        let Self { http, expect, body, tls, timeout, within: limit } = self.clone();
        let probe = HttpDocument { http, expect, body, tls, timeout }.probe(maker, at);
        let within = within(maker, limit.as_deref(), at);
        Some(Readiness { check: Check::Http(probe?), within })
    }
}

impl HealthDocument {
    /// The same, asked of those who use a secret while a new value of it is pending.
    pub(super) fn consumer(&self, maker: &mut Maker<'_>, at: At<'_>) -> Option<ConsumerCheck> {
        let Readiness { check: Check::Http(probe), within } = self.check(maker, at)? else { return None };
        Some(ConsumerCheck { probe, within })
    }
}

fn within(maker: &mut Maker<'_>, text: Option<&str>, at: At<'_>) -> Duration {
    maker.duration(text, at.key("within"), "within", WITHIN_LIMITS).unwrap_or(WITHIN)
}

impl HttpDocument {
    /// The request; `at` is where its fields are.
    pub(super) fn probe(&self, maker: &mut Maker<'_>, at: At<'_>) -> Option<HttpProbe> {
        let place = at.key("http");
        let url = maker.open(&self.http, place);
        let secure = match url.as_ref().map(scheme) {
            Some(Err(why)) => {
                maker.wrong(why, place);
                None
            }
            Some(Ok(secure)) => secure,
            None => None,
        };
        if secure == Some(false) && at.key("tls").is_given() {
            maker.wrong("`tls` has no meaning for a URL that begins with `http://`", at.key("tls"));
        }
        let expect = maker.number(self.expect.as_ref(), 200, 100..=599, at.key("expect"), "expect");
        let body = self.body.as_ref().and_then(|text| maker.closed(text, at.key("body")));
        if let Some(Err(why)) = body.as_deref().map(compiled) {
            maker.wrong(why, at.key("body"));
        }
        let tls = self.tls.as_ref().map_or(Some(Tls::Verify), |tls| tls.judged(maker, at.key("tls")));
        let timeout = maker.duration(self.timeout.as_deref(), at.key("timeout"), "timeout", TIMEOUT_LIMITS);
        Some(HttpProbe { url: url?, expect, body, tls: tls?, timeout: timeout.unwrap_or(TIMEOUT) })
    }
}

impl TlsDocument {
    fn judged(&self, maker: &mut Maker<'_>, at: At<'_>) -> Option<Tls> {
        let skip = maker.flag(self.skip.as_ref(), at.key("skip"), "skip");
        match &self.authority {
            Some(path) if !skip => {
                let at = at.key("authority");
                let (_, pem) = maker.file(path, at)?;
                if pem.contains("PRIVATE KEY") {
                    maker.wrong("there is a private key in this file; it takes certificates alone", at);
                    return None;
                }
                if !pem.contains("-----BEGIN CERTIFICATE-----") {
                    maker.wrong("there is no certificate in PEM in this file", at);
                    return None;
                }
                Some(Tls::Authority(Arc::from(pem)))
            }
            None if skip => Some(Tls::Skip),
            None if at.key("skip").is_given() => Some(Tls::Verify),
            _ => {
                maker.wrong("`tls` is exactly one of `skip: true` and `authority`", at);
                None
            }
        }
    }
}

/// Whether a URL is one of TLS, as far as it is known before its outputs are.
fn scheme(url: &Text) -> Result<Option<bool>, String> {
    let first = url.parts().first();
    let Some(crate::model::Part::Literal(text)) = first else {
        return if first.is_some() { Ok(None) } else { Err("the URL is empty".to_owned()) };
    };
    let (secure, rest) = if let Some(rest) = text.strip_prefix("https://") {
        (true, rest)
    } else if let Some(rest) = text.strip_prefix("http://") {
        (false, rest)
    } else {
        return Err("the URL must begin with `http://` or `https://`".to_owned());
    };
    let whole = url.parts().len() == 1;
    let ended = rest.contains(['/', '?', '#']);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("a URL is shown, and so it must not hold a user and a password".to_owned());
    }
    if (whole || ended) && (authority.is_empty() || authority.starts_with(':')) {
        return Err("the URL names no host".to_owned());
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("there is a blank in the URL".to_owned());
    }
    Ok(Some(secure))
}

/// Checks that a text is a regular expression.
pub(super) fn compiled(pattern: &str) -> Result<Regex, String> {
    anywhere(pattern).map_err(|error| {
        // The engine draws a picture over several lines; the last one says what it is.
        let shown = error.to_string();
        let last = shown.lines().last().unwrap_or_default().trim();
        format!("`{pattern}` is not a regular expression: {}", last.strip_prefix("error: ").unwrap_or(last))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_judged_by_what_is_known_of_them() {
        let scheme = |text: &str| super::scheme(&Text::literal(text));
        assert_eq!(scheme("https://a.example.com/health"), Ok(Some(true)));
        assert_eq!(scheme("http://a:8080"), Ok(Some(false)));
        for wrong in ["", "ftp://a", "a.example.com", "https://", "https:///x", "https://me:pass@a/", "http://a b"] {
            assert!(scheme(wrong).is_err(), "{wrong}");
        }
        let error = scheme("https://me:hunter2@a/").unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_wrong_expression_says_in_one_line_why() {
        assert_eq!(compiled("a(").unwrap_err(), "`a(` is not a regular expression: unclosed group");
    }
}
