//! Backup plans of AWS Backup: what somebody else's schedule keeps of which tables. They are read by adoption alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{TableArn, like};

/// A backup plan (AWS: *`BackupPlan`*), and what is assigned to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultPlan {
    /// What people call it.
    pub name: String,
    /// What it does.
    pub rules: Vec<VaultRule>,
    /// To what.
    pub selections: Vec<VaultSelection>,
}

/// A rule of a plan (AWS: *`BackupRule`*).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultRule {
    /// What people call it.
    pub name: String,
    /// The vault that keeps what it makes.
    pub vault: String,
    /// When: `cron(0 5 ? * * *)` or `rate(1 day)`; AWS's default where it says nothing.
    pub schedule: Option<String>,
    /// The time zone of that; UTC where it says nothing.
    pub zone: Option<String>,
    /// Days until a point is deleted; never without.
    pub delete_after_days: Option<u32>,
    /// Days until a point goes to cold storage.
    pub cold_after_days: Option<u32>,
    /// Where it is copied to.
    pub copies: Vec<VaultCopy>,
}

/// A copy that a rule makes (AWS: *`CopyAction`*).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultCopy {
    /// The ARN of the vault that gets it.
    pub to: String,
    /// Days until a copy is deleted.
    pub delete_after_days: Option<u32>,
}

/// What is assigned to a plan (AWS: *`BackupSelection`*).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultSelection {
    /// The role that AWS Backup takes.
    pub role: String,
    /// ARNs, with wildcards: one of these has to match.
    pub resources: Vec<String>,
    /// And none of these.
    pub not_resources: Vec<String>,
    /// Tags, of which one is enough.
    pub any_tag: Vec<(String, String)>,
    /// Conditions on tags, all of which must hold.
    pub conditions: Vec<TagCondition>,
}

/// A condition on a tag (AWS: *`Conditions`*).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagCondition {
    /// `aws:ResourceTag/` and the tag's key.
    pub key: String,
    /// Its value, or what it is like: `*` for anything, `?` for any character.
    pub value: String,
    /// It is only like that.
    pub like: bool,
    /// It must not be so.
    pub not: bool,
}

impl VaultSelection {
    /// Whether a table is assigned: by an ARN, where there are any, or by a tag; by every condition; and not excluded. Where
    /// neither ARNs nor tags are said, everything is (AWS: *`BackupSelection`*).
    #[must_use]
    pub fn covers(&self, table: &TableArn, tags: &BTreeMap<String, String>) -> bool {
        let is = |pattern: &String| like(pattern, table.as_str());
        let tagged = |(key, value): &(String, String)| tags.get(key) == Some(value);
        let unsaid = self.resources.is_empty() && self.any_tag.is_empty();
        let meant = unsaid || self.resources.iter().any(is) || self.any_tag.iter().any(tagged);
        meant && !self.not_resources.iter().any(is) && self.conditions.iter().all(|condition| condition.holds(tags))
    }
}

impl TagCondition {
    fn holds(&self, tags: &BTreeMap<String, String>) -> bool {
        let value = tags.get(self.key.strip_prefix("aws:ResourceTag/").unwrap_or(&self.key));
        let same = |value: &String| if self.like { like(&self.value, value) } else { self.value == *value };
        value.is_some_and(same) != self.not
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_is_what_arns_and_tags_and_conditions_leave() {
        let table: TableArn = "arn:aws:dynamodb:us-east-1:111122223333:table/dev-A".parse().unwrap();
        let tags = BTreeMap::from([("backup".to_owned(), "daily".to_owned())]);
        let some = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let daily =
            |not| TagCondition { key: "aws:ResourceTag/backup".to_owned(), value: "da*".to_owned(), like: true, not };
        let any = VaultSelection::default;
        let arn = "arn:aws:dynamodb:*:*:table/*";
        for (selection, covers) in [
            (any(), true),
            (VaultSelection { resources: some(&[arn]), ..any() }, true),
            (VaultSelection { resources: some(&["arn:aws:s3:::*"]), ..any() }, false),
            (VaultSelection { resources: some(&["*"]), not_resources: some(&[arn]), ..any() }, false),
            (VaultSelection { any_tag: vec![("backup".to_owned(), "daily".to_owned())], ..any() }, true),
            (VaultSelection { any_tag: vec![("backup".to_owned(), "no".to_owned())], ..any() }, false),
            (VaultSelection { resources: some(&["*"]), conditions: vec![daily(false)], ..any() }, true),
            (VaultSelection { resources: some(&["*"]), conditions: vec![daily(true)], ..any() }, false),
        ] {
            assert_eq!(selection.covers(&table, &tags), covers, "{selection:?}");
        }
        let untagged = VaultSelection { conditions: vec![daily(true)], ..any() };
        assert!(untagged.covers(&table, &BTreeMap::new()), "what has no such tag has no such value");
    }
}
