//! From the text of a message to what it says: where to look.
//!
//! Messages come from a queue that EventBridge fills, and anybody who may write to the queue can write anything. So nothing
//! here fails, panics or works longer than the length of a message allows; what is not understood says why, and an event
//! about something that Landfast never looks at is about nothing.

mod call;
mod names;
mod record;
mod services;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde_json::Value;

pub use record::Caller;

use crate::model::{Deed, Scope, Signal, Subject};

/// The longest message that is read, in bytes: as much as a queue takes (AWS: *Amazon SQS message quotas*, 1 MiB).
pub const LENGTH_MAX: usize = 1024 * 1024;

/// The longest id of an event, in bytes. EventBridge's have 36.
const ID_MAX: usize = 128;

/// What the name of a rule begins with that sends a heartbeat each minute.
pub const HEARTBEAT_RULE: &str = "landfast-heartbeat";

/// Why a message is not an event of AWS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoEvent {
    /// It is longer than any event.
    #[error("the message has {0} bytes, and an event has at most {LENGTH_MAX}")]
    TooLong(usize),
    /// Its text is not JSON, or is nested too deeply.
    #[error("the message is not JSON: {0}")]
    NotJson(String),
    /// A field that every event has (AWS: *EventBridge event structure*) is missing or invalid.
    #[error("the message is not an event of EventBridge: field `{0}` is missing or invalid")]
    Field(&'static str),
}

/// Reads a message: an event as EventBridge sends it to a queue (AWS: *EventBridge event structure*).
pub fn read(body: &str) -> Result<Signal, NoEvent> {
    if body.len() > LENGTH_MAX {
        return Err(NoEvent::TooLong(body.len()));
    }
    let value: Value = serde_json::from_str(body).map_err(|error| NoEvent::NotJson(error.to_string()))?;
    let envelope = Envelope::of(&value)?;
    let (about, deed) = match envelope.kind {
        "AWS API Call via CloudTrail" | "AWS Service Event via CloudTrail" => call::read(&envelope),
        _ => (services::about(&envelope), None),
    };
    let Envelope { id, at, scope, .. } = envelope;
    Ok(Signal { id: id.to_owned(), at, scope, about, deed })
}

/// The fields that all events have.
struct Envelope<'a> {
    id: &'a str,
    /// `detail-type`: which kind of event of its source.
    kind: &'a str,
    source: &'a str,
    at: Timestamp,
    scope: Scope,
    resources: Vec<&'a str>,
    /// What only events of this kind have. Null if there is nothing.
    detail: &'a Value,
}

impl<'a> Envelope<'a> {
    fn of(value: &'a Value) -> Result<Self, NoEvent> {
        let text =
            |name: &'static str| value[name].as_str().filter(|text| !text.is_empty()).ok_or(NoEvent::Field(name));
        let id = text("id")?;
        if id.len() > ID_MAX || id.chars().any(char::is_control) {
            return Err(NoEvent::Field("id"));
        }
        let account = text("account")?.parse().map_err(|_| NoEvent::Field("account"))?;
        let region = text("region")?;
        let region = region.parse().ok().filter(|_| region.len() <= ID_MAX).ok_or(NoEvent::Field("region"))?;
        let resources = value["resources"].as_array().into_iter().flatten().filter_map(Value::as_str);
        Ok(Self {
            id,
            kind: text("detail-type")?,
            source: text("source")?,
            at: text("time")?.parse().map_err(|_| NoEvent::Field("time"))?,
            scope: Scope { account, region },
            resources: resources.filter(|arn| names::can_be(arn)).take(names::RESOURCES_MAX).collect(),
            detail: &value["detail"],
        })
    }

    /// A field of the detail: a text that can be a name.
    fn name(&self, field: &str) -> Option<&'a str> {
        self.detail[field].as_str().filter(|name| names::can_be(name))
    }
}

/// What an event is about, and who did it.
type About = (Vec<Subject>, Option<Deed>);
