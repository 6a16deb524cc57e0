//! Stacks as they would be sent to CloudFormation now.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::json::API_VERSION;
use crate::model::{Rendered, RenderedValue};

/// What `render -o json` writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenderList {
    /// `landfast/v1`.
    #[schemars(extend("const" = "landfast/v1"))]
    pub api_version: String,
    /// `RenderList`.
    #[schemars(extend("const" = "RenderList"))]
    pub kind: String,
    /// One for each stack.
    pub items: Vec<RenderedStack>,
}

/// One stack as it would be sent. No secret value is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenderedStack {
    /// The object's address.
    pub object: String,
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
    /// Minutes that they are watched.
    pub monitoring_minutes: Option<i32>,
    /// Termination protection.
    pub termination_protection: bool,
    /// The stack policy, as it is written.
    pub stack_policy: Option<String>,
    /// The file its template is in.
    pub template_file: String,
    /// The template, byte for byte.
    pub template: String,
}

impl RenderList {
    /// The document of these stacks.
    #[must_use]
    pub fn of<'a>(stacks: impl IntoIterator<Item = &'a Rendered>) -> Self {
        let items = stacks.into_iter().map(RenderedStack::of).collect();
        Self { api_version: API_VERSION.to_owned(), kind: "RenderList".to_owned(), items }
    }

    /// The same as YAML: one document for each stack.
    #[must_use]
    pub fn yaml(&self) -> String {
        let document = |item: &RenderedStack| serde_yaml::to_string(item).unwrap_or_default();
        self.items.iter().map(document).collect::<Vec<_>>().join("---\n")
    }
}

impl RenderedStack {
    fn of(rendered: &Rendered) -> Self {
        Self {
            object: rendered.key.to_string(),
            stack_name: rendered.name.clone(),
            account: rendered.account.clone(),
            region: rendered.region.clone(),
            parameters: rendered.parameters.clone(),
            tags: rendered.tags.clone(),
            capabilities: rendered.capabilities.clone(),
            role_arn: rendered.role_arn.clone(),
            notifications: rendered.notifications.clone(),
            rollback_alarms: rendered.rollback_alarms.clone(),
            monitoring_minutes: rendered.monitoring_minutes,
            termination_protection: rendered.termination_protection,
            stack_policy: rendered.stack_policy.as_deref().map(str::to_owned),
            template_file: rendered.template_file.clone(),
            template: rendered.template.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ValueSource;
    use crate::report::fixtures;

    #[test]
    fn a_stack_as_it_would_be_sent_is_yaml_that_reads_back() {
        let value = |from, value: Option<&str>| RenderedValue { from, value: value.map(str::to_owned) };
        let rendered = Rendered {
            key: fixtures::key("network"),
            name: "dev-network".to_owned(),
            account: "111122223333".to_owned(),
            region: "us-east-1".to_owned(),
            template_file: "templates/network.yaml".to_owned(),
            template: "Resources:\n  # two of them\n  Vpc: { Type: AWS::EC2::VPC }\n".into(),
            parameters: BTreeMap::from([
                ("Cidr".to_owned(), value(ValueSource::Manifest, Some("10.0.0.0/16"))),
                ("Later".to_owned(), value(ValueSource::AfterApply, None)),
                ("Password".to_owned(), value(ValueSource::Hidden, None)),
            ]),
            tags: BTreeMap::from([("landfast:owner".to_owned(), "dev/stack/network".to_owned())]),
            capabilities: BTreeSet::from(["CAPABILITY_IAM".to_owned()]),
            role_arn: None,
            notifications: BTreeSet::new(),
            rollback_alarms: BTreeSet::new(),
            monitoring_minutes: None,
            termination_protection: true,
            stack_policy: None,
        };
        let list = RenderList::of([&rendered]);
        fixtures::check_contract("RenderList", &list);
        fixtures::golden("render.yaml", &list.yaml());
        assert_eq!(serde_yaml::from_str::<RenderedStack>(&list.yaml()).unwrap(), list.items[0]);
    }
}
