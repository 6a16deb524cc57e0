//! Stacks as they would be sent to CloudFormation now.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::json::API_VERSION;
use crate::model::Rendered;

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
    pub items: Vec<Rendered>,
}

impl RenderList {
    /// The document of these stacks.
    #[must_use]
    pub fn of(items: Vec<Rendered>) -> Self {
        Self { api_version: API_VERSION.to_owned(), kind: "RenderList".to_owned(), items }
    }

    /// The same as YAML: one document for each stack.
    #[must_use]
    pub fn yaml(&self) -> String {
        let document = |item: &Rendered| serde_yaml::to_string(item).unwrap_or_default();
        self.items.iter().map(document).collect::<Vec<_>>().join("---\n")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::model::{RenderedValue, ValueSource};
    use crate::report::fixtures;

    #[test]
    fn a_stack_as_it_would_be_sent_is_yaml_that_reads_back() {
        let value = |from, value: Option<&str>| RenderedValue { from, value: value.map(str::to_owned) };
        let rendered = Rendered {
            object: fixtures::key("network"),
            stack_name: "dev-network".to_owned(),
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
        let list = RenderList::of(vec![rendered]);
        fixtures::check_contract("RenderList", &list);
        fixtures::golden("render.yaml", &list.yaml());
        assert_eq!(serde_yaml::from_str::<Rendered>(&list.yaml()).unwrap(), list.items[0]);
    }
}
