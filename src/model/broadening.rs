//! Access that a change gives to somebody who did not have it before.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How access is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Access {
    /// A policy of a role, a user or a group.
    Identity,
    /// A role's trust policy.
    Trust,
    /// A policy of a resource.
    Resource,
    /// The policy of a KMS key.
    Key,
    /// A policy is attached, or a member is added.
    Attachment,
    /// A permissions boundary is removed or changed.
    Boundary,
    /// A security group or a network ACL allows more traffic.
    Network,
    /// A resource becomes reachable from the Internet, or without credentials.
    Public,
    /// The change cannot be analyzed, and is treated as granting access.
    Unseen,
}

/// One thing that a change allows and that was not allowed before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Broadening {
    /// The logical ID of the resource that grants access.
    pub resource: String,
    /// The resource type.
    #[serde(rename = "type")]
    pub kind: String,
    /// How it grants access.
    pub access: Access,
    /// The property that grants it.
    pub property: String,
    /// What is allowed.
    pub grants: String,
    /// Some value in it is known only after apply.
    #[serde(default)]
    pub after_apply: bool,
}

impl Broadening {
    /// What an approval of this entry covers. What was shown before all of its values were known covers what becomes of
    /// the same property: the template and the manifest are part of the grant, so only values that were announced as
    /// *known after apply* can differ.
    #[must_use]
    pub fn approved(&self) -> String {
        if self.after_apply { self.anything() } else { self.exactly() }
    }

    /// Whether one of these approvals covers it.
    #[must_use]
    pub fn is_covered(&self, approved: &std::collections::BTreeSet<String>) -> bool {
        approved.contains(&self.exactly()) || approved.contains(&self.anything())
    }

    fn exactly(&self) -> String {
        format!("{} {}: {}", self.resource, self.property, self.grants)
    }

    fn anything(&self) -> String {
        format!("{} {}: (known after apply)", self.resource, self.property)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn broadening(grants: &str, after_apply: bool) -> Broadening {
        Broadening {
            resource: "Role".to_owned(),
            kind: "AWS::IAM::Role".to_owned(),
            access: Access::Identity,
            property: "Policies/app".to_owned(),
            grants: grants.to_owned(),
            after_apply,
        }
    }

    #[test]
    fn an_approval_covers_what_was_shown_and_what_becomes_of_a_value_that_was_not_known() {
        let shown = BTreeSet::from([broadening("Allow s3:GetObject on a", false).approved()]);
        assert!(broadening("Allow s3:GetObject on a", false).is_covered(&shown));
        assert!(!broadening("Allow s3:GetObject on b", false).is_covered(&shown));
        assert!(!broadening("Allow s3:GetObject on ${Bucket}", true).is_covered(&shown));
        let open = BTreeSet::from([broadening("Allow s3:GetObject on ${Bucket}", true).approved()]);
        assert!(broadening("Allow s3:GetObject on b", false).is_covered(&open));
        let elsewhere = Broadening { property: "Policies/other".to_owned(), ..broadening("x", false) };
        assert!(!elsewhere.is_covered(&open));
    }
}
