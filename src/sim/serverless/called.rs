//! A function as what calls it names it.

use serde_json::{Map, Value as Json, json};

/// A function under expansion, for its events.
pub(super) struct Function {
    /// Its logical id.
    pub(super) name: String,
    /// What is passed on to what is made beside it.
    pub(super) passed_on: Map<String, Json>,
    /// The logical id of its alias, if it is published under one.
    pub(super) alias: Option<String>,
    /// Managed policies that its events need.
    pub(super) policies: Vec<&'static str>,
}

impl Function {
    /// What calls it has to name.
    pub(super) fn called(&self) -> Json {
        json!({ "Ref": self.alias.as_ref().unwrap_or(&self.name) })
    }

    /// Its ARN, or that of its alias.
    pub(super) fn arn(&self) -> Json {
        match &self.alias {
            Some(alias) => json!({ "Ref": alias }),
            None => json!({ "Fn::GetAtt": [self.name, "Arn"] }),
        }
    }

    /// As `Fn::Sub` names that ARN.
    pub(super) fn sub(&self) -> String {
        self.alias.as_ref().map_or_else(|| format!("{}.Arn", self.name), Clone::clone)
    }

    /// The condition that it is under.
    pub(super) fn condition(&self) -> Option<&Json> {
        self.passed_on.get("Condition")
    }
}
