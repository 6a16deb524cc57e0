//! Who made a call, from CloudTrail's record of it (AWS: *CloudTrail record contents*).
//!
//! The record is the same whether EventBridge sends it or `LookupEvents` answers with it.

use serde_json::Value;

use super::names::can_be;

/// Who made a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    arn: Option<String>,
    name: Option<String>,
    /// A service that calls in somebody's name (AWS: *CloudTrail userIdentity element*, `invokedBy`).
    service: Option<String>,
    address: Option<String>,
}

impl Caller {
    /// Reads it from a record's text. What cannot be read is not known: it costs who it was, and not that there was a call.
    #[must_use]
    pub fn parse(record: &str) -> Self {
        serde_json::from_str(record).map(|record| Self::of(&record)).unwrap_or_default()
    }

    pub(super) fn of(record: &Value) -> Self {
        let identity = &record["userIdentity"];
        let text = |value: &Value| value.as_str().filter(|text| can_be(text)).map(str::to_owned);
        Self {
            arn: text(&identity["arn"]),
            name: text(&identity["userName"]),
            service: text(&identity["invokedBy"]),
            address: text(&record["sourceIPAddress"]),
        }
    }

    /// Its ARN; without one its name, or the service.
    #[must_use]
    pub fn actor(&self, name: Option<String>) -> String {
        let known = self.arn.clone().or(name).or_else(|| self.name.clone()).or_else(|| self.service.clone());
        known.unwrap_or_else(|| "an unknown caller".to_owned())
    }

    /// From which address, or which service of AWS.
    #[must_use]
    pub fn from(self) -> Option<String> {
        self.service.or(self.address)
    }
}
