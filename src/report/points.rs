//! A recovery point, as it is listed.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::words;

/// A recovery point that a backup policy created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupPoint {
    /// The table.
    pub table: String,
    /// Its ARN, for `landfast restore --point`.
    pub id: String,
    /// The policy that created it.
    pub policy: String,
    /// The manifest of that policy was removed: the recovery point is kept and never expires.
    pub orphan: bool,
    /// The account that it is in.
    pub account: String,
    /// The region that it is in.
    pub region: String,
    /// Its scheduled time.
    #[schemars(with = "Option<String>")]
    pub slot: Option<Timestamp>,
    /// When it was created.
    #[schemars(with = "String")]
    pub created: Timestamp,
    /// Its AWS status.
    pub status: String,
    /// Its bytes.
    pub bytes: Option<u64>,
    /// When a restore test verified it.
    #[schemars(with = "Option<String>")]
    pub verified: Option<Timestamp>,
}

impl BackupPoint {
    /// Its cells in a table of points.
    pub(super) fn row(&self) -> Vec<String> {
        let none = || "-".to_owned();
        vec![
            words::clean(&self.table),
            self.slot.map_or_else(none, words::time),
            words::clean(&self.status),
            self.bytes.map_or_else(none, |bytes| bytes.to_string()),
            self.verified.map_or_else(none, words::time),
            self.region.clone(),
            if self.orphan { format!("{} (removed)", words::clean(&self.policy)) } else { words::clean(&self.policy) },
            words::clean(&self.id),
        ]
    }
}
