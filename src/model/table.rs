//! A `DynamoDB` table as AWS describes it, and all of its settings that a restore does not bring.
//!
//! Two things are easily confused. A [`TableState`] is what is there now. A [`TableProfile`] is what a table has to be
//! given again after its items were restored: it is kept with every recovery point, because a restored table has the
//! items, the keys and the indexes, and of the rest almost nothing (AWS: *Restoring a table from a backup*).

mod item;
mod profile;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::aws::{InvalidName, identifier};
use super::ecs::words;
use super::{PointId, Region};

pub use item::{Item, ItemKey};
pub use profile::{AlarmDefinition, OnDemandLimits, ScalingPolicy, ScalingTarget, TableProfile, TimeToLive, Unread};

identifier! {
    /// The name of a table (AWS: *Naming rules and data types*).
    TableName, "a table name (3 to 255 letters, digits, `_`, `-` and `.`)",
    |text| {
        (3..=255).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
    }
}

identifier! {
    /// The ARN of a table. A table that is deleted and created again under its name has the same one.
    TableArn, "the ARN of a DynamoDB table",
    |text| text.starts_with("arn:") && text.contains(":dynamodb:") && text.contains(":table/")
}

identifier! {
    /// The id of one incarnation of a table: a table that is deleted and created again has another.
    TableId, "the id of a table",
    |text| !text.is_empty()
}

impl TableArn {
    /// The table's name.
    #[must_use]
    pub fn name(&self) -> Option<TableName> {
        self.as_str().split(":table/").nth(1)?.split('/').next()?.parse().ok()
    }
}

words! {
    /// What a table is doing (AWS: *`TableDescription`*, `TableStatus`).
    TableStatus, "a status of a table", {
        /// It is being made, or restored.
        Creating = "CREATING",
        /// It is being changed.
        Updating = "UPDATING",
        /// It is being deleted.
        Deleting = "DELETING",
        /// It can be used.
        Active = "ACTIVE",
        /// Its KMS key cannot be used.
        InaccessibleEncryptionCredentials = "INACCESSIBLE_ENCRYPTION_CREDENTIALS",
        /// It is being archived, because its key could not be used for a week.
        Archiving = "ARCHIVING",
        /// It was archived: an on-demand backup has its items.
        Archived = "ARCHIVED",
        /// It can be used, and is not replicated: another account has not allowed it.
        ReplicationNotAuthorized = "REPLICATION_NOT_AUTHORIZED",
        /// A status that AWS did not document when this was written.
        Unclear = "UNKNOWN",
    }
}

words! {
    /// What storage a table is billed as (AWS: *`TableClassSummary`*, `TableClass`).
    TableClass, "a table class", {
        /// The usual one.
        Standard = "STANDARD",
        /// Cheap to keep and dear to use.
        InfrequentAccess = "STANDARD_INFREQUENT_ACCESS",
    }
}

words! {
    /// What a stream tells of a change (AWS: *`StreamSpecification`*, `StreamViewType`).
    StreamView, "a view of a stream", {
        /// The keys.
        KeysOnly = "KEYS_ONLY",
        /// The item after the change.
        NewImage = "NEW_IMAGE",
        /// The item before the change.
        OldImage = "OLD_IMAGE",
        /// Both.
        NewAndOldImages = "NEW_AND_OLD_IMAGES",
    }
}

words! {
    /// Of what sort a key attribute is (AWS: *`AttributeDefinition`*, `AttributeType`).
    KeyType, "a type of a key attribute", {
        /// Text.
        Text = "S",
        /// A number.
        Number = "N",
        /// Bytes.
        Binary = "B",
        /// AWS does not say: a backup does not keep it.
        Unsaid = "?",
    }
}

/// The key of a table or an index: partition key first, then the sort key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableKey {
    /// The partition key's attribute, and its type.
    pub partition: (String, KeyType),
    /// The sort key's, if there is one.
    pub sort: Option<(String, KeyType)>,
}

/// A secondary index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableIndex {
    /// A local one; otherwise global.
    pub local: bool,
    /// Its key.
    pub key: TableKey,
    /// What it holds: `ALL`, `KEYS_ONLY`, or `INCLUDE` with the attributes.
    pub projection: String,
    /// The attributes that are projected beside the keys.
    pub attributes: BTreeSet<String>,
}

/// How reads and writes are paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Billing {
    /// By request.
    OnDemand,
    /// By what is reserved: units a second.
    Provisioned {
        /// Read capacity units.
        read: u64,
        /// Write capacity units.
        write: u64,
    },
}

/// Where a restored table comes from (AWS: *`RestoreSummary`*).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreOrigin {
    /// The backup, where it was one.
    pub point: Option<PointId>,
    /// The table that was backed up.
    pub table: Option<TableArn>,
    /// The moment that it was restored to.
    pub at: Timestamp,
    /// It still is being restored.
    pub in_progress: bool,
}

/// What AWS says of a table (AWS: *`DescribeTable`*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableState {
    /// Its name.
    pub name: TableName,
    /// Its ARN.
    pub arn: TableArn,
    /// Which incarnation it is.
    pub id: TableId,
    /// What it is doing.
    pub status: TableStatus,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Items, as of some time within about six hours.
    pub items: u64,
    /// Bytes, as of some time within about six hours.
    pub bytes: u64,
    /// Its key.
    pub key: TableKey,
    /// Its indexes, by name.
    pub indexes: BTreeMap<String, TableIndex>,
    /// Indexes that cannot be used yet, or are going.
    pub indexes_busy: BTreeSet<String>,
    /// How it is paid for.
    pub billing: Billing,
    /// Its class.
    pub class: TableClass,
    /// It cannot be deleted while this is on.
    pub deletion_protected: bool,
    /// What its stream tells, if it has one that is on.
    pub stream: Option<StreamView>,
    /// The KMS key that encrypts it, where it is not `DynamoDB`'s own.
    pub kms_key: Option<String>,
    /// Other regions that have it too, as a global table.
    pub replicas: BTreeSet<Region>,
    /// The most that it may use, where it is paid for by request and limited.
    pub limits: Option<OnDemandLimits>,
    /// Where it comes from, if it was restored.
    pub restored: Option<RestoreOrigin>,
}

/// How far back a table can be restored to any second (AWS: *`DescribeContinuousBackups`*).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContinuousBackups {
    /// Point-in-time recovery is on.
    pub on: bool,
    /// How many days it goes back, 1 to 35; where AWS does not say, it is 35.
    pub window_days: u16,
    /// The earliest moment.
    pub earliest: Option<Timestamp>,
    /// The latest moment: typically five minutes ago.
    pub latest: Option<Timestamp>,
}

impl fmt::Display for TableKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, kind) = &self.partition;
        write!(f, "{name} ({kind})")?;
        match &self.sort {
            Some((name, kind)) => write!(f, ", {name} ({kind})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_of_a_table_and_of_what_is_in_it_names_the_table() {
        for arn in ["table/dev-ReviewCycles", "table/dev-ReviewCycles/index/ByDate"] {
            let arn: TableArn = format!("arn:aws:dynamodb:us-east-1:111122223333:{arn}").parse().unwrap();
            assert_eq!(arn.name().unwrap().as_str(), "dev-ReviewCycles");
        }
        assert!("ab".parse::<TableName>().is_err());
        assert!("a/b/c".parse::<TableName>().is_err());
    }
}
