//! `BackupPolicy` documents: point-in-time recovery and deletion protection, as the tables of adopted stacks have them.
//!
//! A policy says what is so already, so that nothing follows from it, and from then on it stays so. Where nothing protects a
//! table nothing is asked for: to switch it on is a decision, and it costs money. What AWS Backup keeps by a plan of somebody
//! stands there in comments.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::names::Namer;
use super::plans::{self, Kept};
use super::scalar::{comment, file, list, literal};
use super::survey::FoundStack;
use crate::model::{ObjectName, Scope, StackName, TableName, VaultPlan};

/// Documents of policies, and what is said of tables without one.
#[derive(Default)]
pub(super) struct Backups {
    /// A policy for the tables of every stack that are protected alike.
    pub(super) policies: Vec<String>,
    /// Commented out: what plans of AWS Backup keep of tables that nothing else protects.
    proposed: Vec<String>,
    /// Tables that nothing protects.
    off: Vec<TableName>,
}

/// How a table is protected: the window of its recovery, against deletion, and by which rules of AWS Backup.
type Protection = (Option<u16>, bool, Kept);

/// What is written of the tables of these stacks.
pub(super) fn backups(
    stacks: &BTreeMap<StackName, FoundStack>,
    names: &BTreeMap<StackName, ObjectName>,
    plans: &[VaultPlan],
    scope: &Scope,
) -> Backups {
    let mut found = Backups::default();
    let mut policies = Namer::new([]);
    for (name, stack) in stacks {
        let Some(object) = names.get(name) else { continue };
        let mut alike: BTreeMap<Protection, Vec<&TableName>> = BTreeMap::new();
        for (name, table) in &stack.tables {
            let kept = plans::kept(plans, table);
            alike.entry((table.recovery, table.protected, kept)).or_default().push(name);
        }
        // A policy of a stack covers the stacks within it too, and their tables were not looked at.
        let nests = stack.resources.iter().any(|resource| resource.kind == "AWS::CloudFormation::Stack");
        let whole = alike.len() == 1 && !nests;
        for ((days, protected, kept), tables) in alike {
            if days.is_none() && !protected && kept.is_empty() {
                found.off.extend(tables.into_iter().cloned());
                continue;
            }
            let tables = if whole {
                format!("stack: {object}")
            } else {
                format!("names: {}", list(tables.into_iter().map(|table| literal(table.as_str()))))
            };
            let Some(policy) = policies.name(object.as_str()) else { continue };
            let mut text = format!(
                "apiVersion: landfast/v1\nkind: BackupPolicy\nmetadata: {{ name: {policy} }}\nspec:\n  \
                 tables: {{ {tables} }}\n"
            );
            if let Some(days) = days {
                let _ = writeln!(text, "  pointInTimeRecovery: {{ window: {days}d }}");
            }
            if protected {
                text.push_str("  deletionProtection: true\n");
            }
            // A policy that asks for nothing is an error: all of it is a comment then.
            let asks = days.is_some() || protected;
            text.push_str(&plans::text(plans, &kept, scope, if asks { "  # " } else { "  " }));
            if asks { &mut found.policies } else { &mut found.proposed }.push(text);
        }
    }
    found
}

impl Backups {
    /// The file, if there is anything to say.
    pub(super) fn file(&self) -> Option<String> {
        let mut text = String::new();
        if !self.policies.is_empty() {
            text.push_str(&file("The current protection of the tables.", &self.policies));
        }
        for document in &self.proposed {
            text.push_str(&comment(0, "Only AWS Backup protects these tables, so the policy is commented out."));
            text.push_str("#\n# ---\n");
            for line in document.lines() {
                let _ = writeln!(text, "# {line}");
            }
        }
        if !self.off.is_empty() {
            let off: Vec<&str> = self.off.iter().map(TableName::as_str).collect();
            let why = "These tables are not protected, so the policy is commented out";
            let _ = write!(text, "{}", comment(0, &format!("{why}: {}.", off.join(", "))));
        }
        (!text.is_empty()).then_some(text)
    }
}
