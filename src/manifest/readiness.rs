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
/// The default time for a check to pass.
const WITHIN: Duration = Duration::from_mins(5);
const WITHIN_LIMITS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);
/// The default timeout of a request.
const TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT_LIMITS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(1);

/// A check that must pass before an object is ready for its dependents: exactly one of `http`, `service`, `targets` and
/// `alarm`. It runs in every reconciliation.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Check")]
pub(super) struct CheckDocument {
    /// A URL, `http://…` or `https://…`, that must answer. Stack outputs can be used. Redirects are not followed.
    #[serde(default)]
    http: Option<String>,
    /// For `http`: the expected status; default 200.
    #[serde(default)]
    #[schemars(schema_with = "number_schema::<100, 599>")]
    expect: Option<Or<i64>>,
    /// For `http`: a regular expression that must match in the first 64 KiB of the body.
    #[serde(default)]
    body: Option<String>,
    /// For `http`: how to verify the server's certificate. Default: the system's certificate authorities.
    #[serde(default)]
    tls: Option<TlsDocument>,
    /// For `http`: the timeout of one request; default `5s`.
    #[serde(default)]
    #[schemars(schema_with = "duration_or_reference_schema")]
    timeout: Option<String>,
    /// An ECS service that must be in a steady state with one deployment.
    #[serde(default)]
    service: Option<EcsService>,
    /// Healthy targets of a target group.
    #[serde(default)]
    targets: Option<TargetsDocument>,
    /// The name of a CloudWatch alarm that must not be in the state `ALARM`. Stack outputs can be used.
    #[serde(default)]
    alarm: Option<String>,
    /// How long the check can fail, after the object itself is in sync, until it counts as failed; default `5m`.
    #[serde(default)]
    #[schemars(schema_with = "duration_or_reference_schema")]
    within: Option<String>,
}

/// A request and the answer that is expected.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "HttpCheck")]
pub(super) struct HttpDocument {
    /// The URL, `http://…` or `https://…`. Stack outputs can be used. Redirects are not followed.
    http: String,
    /// The expected status; default 200.
    #[serde(default)]
    #[schemars(schema_with = "number_schema::<100, 599>")]
    expect: Option<Or<i64>>,
    /// A regular expression that must match in the first 64 KiB of the body.
    #[serde(default)]
    body: Option<String>,
    /// How to verify the server's certificate. Default: the system's certificate authorities.
    #[serde(default)]
    tls: Option<TlsDocument>,
    /// The timeout of one request; default `5s`.
    #[serde(default)]
    #[schemars(schema_with = "duration_or_reference_schema")]
    timeout: Option<String>,
}

/// A request, the expected response, and the timeouts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Health")]
pub(super) struct HealthDocument {
    /// The URL, `http://…` or `https://…`. Stack outputs can be used. Redirects are not followed.
    http: String,
    /// The expected status; default 200.
    #[serde(default)]
    #[schemars(schema_with = "number_schema::<100, 599>")]
    expect: Option<Or<i64>>,
    /// A regular expression that must match in the first 64 KiB of the body.
    #[serde(default)]
    body: Option<String>,
    /// How to verify the server's certificate. Default: the system's certificate authorities.
    #[serde(default)]
    tls: Option<TlsDocument>,
    /// The timeout of one request; default `5s`.
    #[serde(default)]
    #[schemars(schema_with = "duration_or_reference_schema")]
    timeout: Option<String>,
    /// How long the check can fail, after the service is deployed, until it counts as failed; default `5m`.
    #[serde(default)]
    #[schemars(schema_with = "duration_or_reference_schema")]
    within: Option<String>,
}

/// How to verify a server's certificate: exactly one of `skip` and `authority`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Tls")]
pub(super) struct TlsDocument {
    /// No verification: for a load balancer's own DNS name, which no certificate contains.
    #[serde(default)]
    skip: Option<Or<bool>>,
    /// Verify only with the authorities in this PEM file; its path is relative to the manifest.
    #[serde(default)]
    authority: Option<String>,
}

/// An ECS service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EcsService {
    /// The cluster's name or ARN. Stack outputs can be used.
    cluster: String,
    /// The service's name or ARN. Stack outputs can be used.
    service: String,
}

/// Healthy targets of a target group.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Targets")]
struct TargetsDocument {
    /// The target group's ARN. Stack outputs can be used.
    group: String,
    /// Minimum number; default 1.
    #[serde(default)]
    #[schemars(schema_with = "number_schema::<1, 1000>")]
    healthy: Option<Or<i64>>,
}

/// What `ready:` of an object asks for. It may refer to the outputs of the object itself.
pub(super) fn listed(maker: &mut Maker<'_>) -> Vec<Readiness> {
    let fields = maker.at(&["spec", "ready"]);
    let before = std::mem::replace(&mut maker.waits, Waits::Elsewhere);
    if fields.nodes().len() > CHECKS_MAX {
        maker.wrong(
            format!("an object can have at most {CHECKS_MAX} checks; this one has {}", fields.nodes().len()),
            fields,
        );
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
            maker.wrong(format!("a check has exactly one of {}", known.join(", ")), at);
            return None;
        };
        if *one != "http" {
            for field in ["expect", "body", "tls", "timeout"].into_iter().filter(|field| at.key(field).is_given()) {
                maker.wrong(format!("`{field}` is only for `http`; this check has `{one}`"), at.key(field));
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
            maker.wrong("`tls` is not allowed for a URL that starts with `http://`", at.key("tls"));
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
                    maker.wrong("this file contains a private key; only certificates are allowed", at);
                    return None;
                }
                if !pem.contains("-----BEGIN CERTIFICATE-----") {
                    maker.wrong("this file contains no PEM certificate", at);
                    return None;
                }
                Some(Tls::Authority(Arc::from(pem)))
            }
            None if skip => Some(Tls::Skip),
            None if at.key("skip").is_given() => Some(Tls::Verify),
            _ => {
                maker.wrong("`tls` has exactly one of `skip: true` and `authority`", at);
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
        return Err("the URL must start with `http://` or `https://`".to_owned());
    };
    let whole = url.parts().len() == 1;
    let ended = rest.contains(['/', '?', '#']);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("the URL must not contain a user name or password, because it is displayed".to_owned());
    }
    if (whole || ended) && (authority.is_empty() || authority.starts_with(':')) {
        return Err("the URL has no host".to_owned());
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("the URL contains a space".to_owned());
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
