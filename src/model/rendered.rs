//! A stack as it would be sent to CloudFormation now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Key;

/// One stack as it would be sent, without secret values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RenderedStack")]
pub struct Rendered {
    /// The object's address.
    #[schemars(with = "String")]
    pub object: Key,
    /// The stack's name.
    pub stack_name: String,
    /// Its account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Its parameters, those with defaults included.
    pub parameters: BTreeMap<String, RenderedValue>,
    /// Its tags, Landfast's own included.
    pub tags: BTreeMap<String, String>,
    /// Acknowledged capabilities.
    pub capabilities: BTreeSet<String>,
    /// The service role.
    pub role_arn: Option<String>,
    /// SNS topics for its events.
    pub notifications: BTreeSet<String>,
    /// ARNs of rollback alarms.
    pub rollback_alarms: BTreeSet<String>,
    /// Minutes that they are monitored.
    pub monitoring_minutes: Option<i32>,
    /// Termination protection.
    pub termination_protection: bool,
    /// The stack policy, as it is written.
    pub stack_policy: Option<Arc<str>>,
    /// The file its template is in.
    pub template_file: String,
    /// The template, byte for byte.
    pub template: Arc<str>,
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenderedValue {
    /// Its source.
    pub from: ValueSource,
    /// The value; `null` if it is hidden or unknown.
    pub value: Option<String>,
}

/// The source of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ValueSource {
    /// The manifest, with references resolved.
    Manifest,
    /// The template's default.
    Default,
    /// The stack keeps its current value.
    Previous,
    /// It is secret; the real value is sent.
    Hidden,
    /// It is known only after apply.
    AfterApply,
}
