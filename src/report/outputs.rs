//! What stacks give to the outside: their outputs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::json::API_VERSION;
use super::{Paint, words};
use crate::model::{Key, StackState};

/// What `outputs -o json` writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutputList {
    /// `landfast/v1`.
    #[schemars(extend("const" = "landfast/v1"))]
    pub api_version: String,
    /// `OutputList`.
    #[schemars(extend("const" = "OutputList"))]
    pub kind: String,
    /// One for each stack that exists.
    pub items: Vec<StackOutputs>,
}

/// The outputs of one stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StackOutputs {
    /// The object's address.
    pub object: String,
    /// The stack's name.
    pub stack_name: String,
    /// Its outputs, by key.
    pub outputs: Vec<OutputValue>,
}

/// One output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutputValue {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
    /// The name under which it is exported, if it is.
    pub export: Option<String>,
}

impl OutputList {
    /// The outputs of these stacks, in this order.
    #[must_use]
    pub fn of<'a>(stacks: impl IntoIterator<Item = (&'a Key, &'a StackState)>) -> Self {
        let items = stacks.into_iter().map(|(key, stack)| StackOutputs {
            object: key.to_string(),
            stack_name: stack.name.to_string(),
            outputs: stack
                .outputs
                .iter()
                .map(|(key, output)| OutputValue {
                    key: key.clone(),
                    value: output.value.clone(),
                    export: output.export.clone(),
                })
                .collect(),
        });
        Self { api_version: API_VERSION.to_owned(), kind: "OutputList".to_owned(), items: items.collect() }
    }

    /// The outputs of this name alone.
    #[must_use]
    pub fn only(mut self, key: &str) -> Self {
        for stack in &mut self.items {
            stack.outputs.retain(|output| output.key == key);
        }
        self.items.retain(|stack| !stack.outputs.is_empty());
        self
    }

    /// The names that outputs have.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let keys = self.items.iter().flat_map(|stack| stack.outputs.iter().map(|output| output.key.clone()));
        keys.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }

    /// As a table. Values stand last, whole and in one piece, so that they can be taken by a double click.
    #[must_use]
    pub fn text(&self, paint: Paint) -> String {
        let mut rows = vec![["OBJECT", "OUTPUT", "EXPORT", "VALUE"].map(str::to_owned).to_vec()];
        for stack in &self.items {
            for output in &stack.outputs {
                let export = output.export.as_deref().map_or_else(|| "-".to_owned(), words::clean);
                rows.push(vec![stack.object.clone(), words::clean(&output.key), export, words::clean(&output.value)]);
            }
        }
        if rows.len() == 1 {
            return "No outputs.\n".to_owned();
        }
        words::table(&rows, |y, _, cell| if y == 0 { paint.title(cell) } else { cell })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::{self, key};

    #[test]
    fn outputs_are_a_table_and_a_document() {
        let stack = fixtures::stack("network", &[("VpcId", "vpc-0a1b", Some("dev-VpcId")), ("Zones", "a,b", None)]);
        let list = OutputList::of([(&key("network"), &stack)]);
        fixtures::check_contract("OutputList", &list);
        fixtures::golden("outputs.txt", &list.text(Paint::Plain));
        assert_eq!(OutputList::of([]).text(Paint::Plain), "No outputs.\n");
    }
}
