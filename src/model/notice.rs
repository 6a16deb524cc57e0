//! Notices: what people are told without asking, and where.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Digest, EnvName, Key, SecretRef};

/// What people are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NoticeKind {
    /// An operation failed. It is retried.
    Failed,
    /// A change is refused, or does not succeed, until a person does something.
    Stalled,
    /// A plan waits for approval.
    Approval,
    /// Resources were changed outside Landfast.
    Drift,
    /// A table has no backup that is as new as its policy asks for, or a restore test failed.
    DataAtRisk,
    /// AWS could not be read for 15 minutes: the state is unknown.
    Unknown,
}

impl NoticeKind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Failed, Self::Stalled, Self::Approval, Self::Drift, Self::DataAtRisk, Self::Unknown];

    /// How urgent it is.
    #[must_use]
    pub const fn urgency(self) -> Urgency {
        match self {
            Self::Approval => Urgency::Info,
            Self::Failed | Self::Drift => Urgency::Warning,
            Self::Stalled | Self::DataAtRisk | Self::Unknown => Urgency::Critical,
        }
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed => "failed",
            Self::Stalled => "stalled",
            Self::Approval => "waiting for approval",
            Self::Drift => "drift found",
            Self::DataAtRisk => "data at risk",
            Self::Unknown => "state unknown",
        })
    }
}

/// How urgent something is, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Urgency {
    /// Good to know.
    Info,
    /// Somebody should look at it.
    Warning,
    /// Nothing goes on without a person.
    Critical,
}

/// Something of which people are told, as one plan shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symptom {
    /// The object.
    pub object: Key,
    /// What it is.
    pub kind: NoticeKind,
    /// What it comes from, without what differs between objects and looks: the same outage has the same cause.
    pub cause: String,
    /// What another occurrence is of: the revision, or the plan. The same cause in another one is told of anew.
    pub occasion: String,
    /// For people.
    pub text: String,
}

/// A cause that lasts, in one environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// What it is.
    pub kind: NoticeKind,
    /// What it comes from.
    pub cause: String,
    /// Which revision or plan it is of.
    pub occasion: String,
    /// What has it.
    pub objects: BTreeSet<Key>,
    /// For people.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
    /// How often people were told.
    pub told: u32,
    /// When they were told last.
    pub last: Option<Timestamp>,
    /// Since when nothing shows it.
    pub gone: Option<Timestamp>,
}

/// At what point of it people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// It has begun.
    Began,
    /// It lasts.
    Lasts,
    /// It is over.
    Recovered,
    /// Somebody tests whether notices arrive.
    Test,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// Identifies the message. It is sent with the same ID if it is sent again.
    pub id: String,
    /// The environment.
    #[schemars(with = "String")]
    pub environment: EnvName,
    /// What it is about; `null`: a test.
    pub kind: Option<NoticeKind>,
    /// How urgent it is.
    pub urgency: Urgency,
    /// Whether it has begun, lasts, or is over.
    pub phase: Phase,
    /// The first objects that have it.
    pub objects: Vec<String>,
    /// How many objects have it.
    pub count: usize,
    /// What it is, in words.
    pub text: String,
    /// The revision or the plan that it is about.
    pub occasion: String,
    /// Since when.
    #[schemars(with = "String")]
    pub since: Timestamp,
    /// When this message was made.
    #[schemars(with = "String")]
    pub at: Timestamp,
}

impl Notice {
    /// Objects that one message names.
    pub const NAMED: usize = 10;

    /// The message of an alert.
    #[must_use]
    pub fn of(environment: &EnvName, alert: &Alert, phase: Phase, at: Timestamp) -> Self {
        let named = (environment, alert.kind, &alert.cause, &alert.occasion, alert.since, alert.told);
        let urgency = if phase == Phase::Recovered { Urgency::Info } else { alert.kind.urgency() };
        Self {
            id: format!("msg_{}", Digest::of(&(named, phase)).short()),
            environment: environment.clone(),
            kind: Some(alert.kind),
            urgency,
            phase,
            objects: alert.objects.iter().take(Self::NAMED).map(ToString::to_string).collect(),
            count: alert.objects.len(),
            text: alert.text.clone(),
            occasion: alert.occasion.clone(),
            since: alert.since,
            at,
        }
    }
}

/// A message on its way to a destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parcel {
    /// The name of the destination.
    pub to: String,
    /// What is sent.
    pub notice: Notice,
}

/// How a destination wants its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NoticeForm {
    /// An incoming webhook of Slack.
    Slack,
    /// A webhook of Microsoft Teams (Workflows), with an Adaptive Card.
    Teams,
    /// Any program, by the Standard Webhooks specification.
    Webhook,
}

/// Where notices go.
#[derive(Clone, Debug)]
pub struct Destination {
    /// What it is called.
    pub name: String,
    /// How it wants its messages.
    pub form: NoticeForm,
    /// Its address, which is a secret.
    pub url: SecretRef,
    /// What messages are signed with: the newest key first, so that keys can be replaced.
    pub keys: Vec<SecretRef>,
    /// Of which environments, by pattern.
    pub environments: Vec<String>,
    /// Of what.
    pub kinds: BTreeSet<NoticeKind>,
    /// Nothing that is less urgent.
    pub least: Urgency,
}
