//! `Stack` documents.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::parameters::Line;
use super::references::{Recovered, References};
use super::scalar::{comment, list, literal, quoted};
use super::survey::FoundStack;
use crate::model::{OWNER_TAG, ObjectName, Template};

/// The capabilities that manifests know.
const KNOWN: [&str; 3] = ["CAPABILITY_AUTO_EXPAND", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"];

/// A stack, and where its files are.
pub(super) struct StackText<'s> {
    pub(super) name: &'s ObjectName,
    /// The name that it would have by itself.
    pub(super) default_name: String,
    pub(super) stack: &'s FoundStack,
    pub(super) template: &'s Template,
    pub(super) template_file: &'s str,
    pub(super) policy_file: Option<&'s str>,
    pub(super) parameters: Option<&'s BTreeMap<String, Line>>,
    /// Those of the environment.
    pub(super) tags: &'s BTreeMap<String, String>,
    /// What is to be said of it.
    pub(super) remarks: &'s [String],
}

impl StackText<'_> {
    /// The document.
    pub(super) fn document(&self, references: &mut References<'_>) -> String {
        let state = &self.stack.state;
        let mut text = String::new();
        for remark in self.remarks {
            text.push_str(&comment(0, remark));
        }
        let _ = writeln!(text, "apiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: {} }}\nspec:", self.name);
        let _ = writeln!(text, "  template: {}", quoted(self.template_file));
        if state.name.as_str() != self.default_name {
            let _ = writeln!(text, "  stackName: {}", literal(state.name.as_str()));
        }
        self.parameters(&mut text);
        let capabilities = self.capabilities();
        if !capabilities.is_empty() {
            let _ = writeln!(text, "  capabilities: {}", list(capabilities.into_iter().map(str::to_owned)));
        }
        self.tags(&mut text);
        if let Some(role) = &state.role_arn {
            let _ = writeln!(text, "  roleArn: {}", self.reference(references, "RoleArn", role));
        }
        if state.termination_protection {
            text.push_str("  terminationProtection: true\n");
        }
        if let Some(policy) = self.policy_file {
            let _ = writeln!(text, "  stackPolicy: {}", quoted(policy));
        }
        self.lists(&mut text, references);
        if let Some(minutes) = state.timeout_minutes {
            let why = "the timeout of its creation; here it would also cancel longer updates";
            let _ = writeln!(text, "  # timeout: {minutes}m    # {why}");
        }
        text.push_str("  adopt: true\n");
        text
    }

    fn parameters(&self, text: &mut String) {
        let Some(parameters) = self.parameters.filter(|parameters| !parameters.is_empty()) else { return };
        text.push_str("  parameters:\n");
        for (key, line) in parameters {
            if let Some(note) = &line.note {
                text.push_str(&comment(4, note));
            }
            let _ = writeln!(text, "    {}: {}", quoted(key), line.text);
        }
    }

    /// What was acknowledged, and what the template needs in any case. (AWS: *Acknowledging IAM resources in
    /// CloudFormation templates*.)
    fn capabilities(&self) -> BTreeSet<&str> {
        let acknowledged = &self.stack.state.capabilities;
        let mut all: BTreeSet<&str> = KNOWN.into_iter().filter(|known| acknowledged.contains(*known)).collect();
        let has = |kind: &str| self.template.resources.values().any(|resource| resource.kind.starts_with(kind));
        let nested = has("AWS::CloudFormation::Stack");
        if (has("AWS::IAM::") || nested) && !all.contains("CAPABILITY_IAM") {
            all.insert("CAPABILITY_NAMED_IAM");
        }
        if self.template.has_transform || nested {
            all.insert("CAPABILITY_AUTO_EXPAND");
        }
        all
    }

    fn tags(&self, text: &mut String) {
        let state = &self.stack.state;
        let own = state.tags.iter().filter(|(key, value)| is_ours_to_write(key) && self.tags.get(*key) != Some(value));
        let own: Vec<_> = own.collect();
        if own.is_empty() {
            return;
        }
        text.push_str("  tags:\n");
        for (key, value) in own {
            let _ = writeln!(text, "    {}: {}", quoted(key), literal(value));
        }
    }

    fn lists(&self, text: &mut String, references: &mut References<'_>) {
        let state = &self.stack.state;
        for (field, arns) in [("notifications", &state.notifications), ("rollbackAlarms", &state.rollback_alarms)] {
            if !arns.is_empty() {
                let arns: Vec<String> = arns.iter().map(|arn| self.reference(references, field, arn)).collect();
                let _ = writeln!(text, "  {field}: {}", list(arns));
            }
        }
        if let Some(minutes) = state.monitoring_minutes {
            let _ = writeln!(text, "  monitoringTime: {minutes}m");
        }
    }

    fn reference(&self, references: &mut References<'_>, field: &str, value: &str) -> String {
        match references.recover(Some(&self.stack.state.name), field, value, false) {
            Recovered::Reference(text) => quoted(&text),
            Recovered::Literal | Recovered::Unclear(_) => literal(value),
        }
    }
}

/// Neither AWS's nor Landfast's.
pub(super) fn is_ours_to_write(key: &str) -> bool {
    !key.starts_with("aws:") && !key.starts_with("landfast:") && key != OWNER_TAG
}
