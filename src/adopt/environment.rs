//! The `Environment` document: where, with which tags, and a policy under which nothing happens by itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::scalar::{comment, literal, quoted};
use super::stacks::is_ours_to_write;
use super::survey::{Ask, FoundStack};
use crate::model::StackName;

/// Tags that all stacks have alike.
pub(super) fn common_tags(stacks: &BTreeMap<StackName, FoundStack>) -> BTreeMap<String, String> {
    let mut each = stacks.values().map(|stack| &stack.state.tags);
    let mut common = each.next().cloned().unwrap_or_default();
    for tags in each {
        common.retain(|key, value| tags.get(key) == Some(value));
    }
    common.into_iter().filter(|(key, _)| is_ours_to_write(key)).collect()
}

/// What the document is made of.
pub(super) struct EnvironmentText<'s> {
    pub(super) ask: &'s Ask,
    pub(super) system: &'s str,
    pub(super) include: &'s str,
    pub(super) parameters: Option<&'s str>,
    pub(super) tags: &'s BTreeMap<String, String>,
    /// Stacks whose templates no request can hold.
    pub(super) large: &'s [String],
}

impl EnvironmentText<'_> {
    /// The document.
    pub(super) fn document(&self) -> String {
        let (environment, scope) = (&self.ask.environment, &self.ask.scope);
        let mut text = comment(
            0,
            &format!(
                "Written by `landfast adopt` from account {}, {}. From now on these files are the desired state: edit \
                them as needed.",
                scope.account, scope.region
            ),
        );
        let _ = write!(
            text,
            "\napiVersion: landfast/v1\nkind: Environment\nmetadata: {{ name: {environment} }}\nspec:\n  system: {}\n  \
             account: \"{}\"\n  region: {}\n",
            quoted(self.system),
            scope.account,
            scope.region
        );
        if let Some(role) = &self.ask.role {
            let _ = writeln!(text, "  role: {}", literal(role.as_str()));
        }
        let _ = writeln!(text, "  include: [{}]", quoted(self.include));
        if let Some(file) = self.parameters {
            let _ = writeln!(text, "  parameters: {}", quoted(file));
        }
        if !self.tags.is_empty() {
            text.push_str("  tags:\n");
            for (key, value) in self.tags {
                let _ = writeln!(text, "    {}: {}", quoted(key), literal(value));
            }
        }
        if !self.large.is_empty() {
            let why = "is larger than 51,200 bytes, the limit of a request: set a bucket here before you apply";
            text.push_str(&comment(2, &format!("The template of {} {why}.", self.large.join(", "))));
            text.push_str("  # templateBucket: my-templates\n");
        }
        text.push_str("  policy:\n");
        for (line, why) in [
            ("mode: approve", "every change needs approval; `apply` changes without approval"),
            ("prune: never", "removing a manifest deletes nothing; `confirm` deletes after approval"),
            ("replace: deny", "stateful resources are never replaced or deleted; `approve` needs approval"),
        ] {
            let _ = writeln!(text, "    {line:<15}# {why}");
        }
        text
    }
}
