//! `BackupPolicy` documents: point-in-time recovery, as the tables of adopted stacks have it.
//!
//! A policy says what is so already, so that nothing follows from it, and from then on it stays so. Where recovery is off
//! nothing is asked for: to switch it on is a decision, and it costs money.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::names::Namer;
use super::scalar::{comment, list, literal};
use super::survey::FoundStack;
use super::write::documents;
use crate::model::{ObjectName, StackName, TableName};

/// Documents of policies, and what is said of tables without one.
#[derive(Default)]
pub(super) struct Backups {
    /// A policy for every stack and window.
    pub(super) policies: Vec<String>,
    /// Tables whose recovery is off.
    off: Vec<TableName>,
}

/// What is written of the tables of these stacks.
pub(super) fn backups(stacks: &BTreeMap<StackName, FoundStack>, names: &BTreeMap<StackName, ObjectName>) -> Backups {
    let mut found = Backups::default();
    let mut policies = Namer::new([]);
    for (name, stack) in stacks {
        let Some(object) = names.get(name) else { continue };
        let mut windows: BTreeMap<u16, Vec<&TableName>> = BTreeMap::new();
        for (table, days) in &stack.tables {
            match days {
                Some(days) => windows.entry(*days).or_default().push(table),
                None => found.off.push(table.clone()),
            }
        }
        // A policy of a stack covers the stacks within it too, and their tables were not looked at.
        let nests = stack.resources.iter().any(|resource| resource.kind == "AWS::CloudFormation::Stack");
        let whole = windows.values().next().is_some_and(|alike| alike.len() == stack.tables.len()) && !nests;
        for (days, tables) in windows {
            let tables = if whole {
                format!("stack: {object}")
            } else {
                format!("names: {}", list(tables.into_iter().map(|table| literal(table.as_str()))))
            };
            let Some(policy) = policies.name(object.as_str()) else { continue };
            found.policies.push(format!(
                "apiVersion: landfast/v1\nkind: BackupPolicy\nmetadata: {{ name: {policy} }}\nspec:\n  \
                 tables: {{ {tables} }}\n  pointInTimeRecovery: {{ window: {days}d }}\n"
            ));
        }
    }
    found
}

impl Backups {
    /// The file, if there is anything to say.
    pub(super) fn file(&self) -> Option<String> {
        let mut text = String::new();
        if !self.policies.is_empty() {
            text.push_str(&documents("Point-in-time recovery, as the tables have it.", &self.policies));
        }
        if !self.off.is_empty() {
            let off: Vec<&str> = self.off.iter().map(TableName::as_str).collect();
            let why = "Without point-in-time recovery, so that nothing is asked for";
            let _ = write!(text, "{}", comment(0, &format!("{why}: {}.", off.join(", "))));
        }
        (!text.is_empty()).then_some(text)
    }
}
