//! Restores in place: a table comes back under the name that it had.
//!
//! Where a table of that name is there, it has to be empty and has to go first: the standby region of an environment has
//! tables that nobody has written to. What it is like is in the journal before anything is done to it, because its
//! settings and its key go with it, and the new table gets them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BackupMemory, Restore, RestoreFrom, RestoreWhy};
use crate::model::{PointId, StackName, TableId, TableName, TableProfile};

/// The empty table in whose place a restored one comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Replaced {
    /// Which incarnation: no other one is ever deleted.
    pub id: TableId,
    /// Its settings.
    pub profile: TableProfile,
    /// When it was created: what was backed up of it since then has as little in it.
    pub created: Option<Timestamp>,
    /// The KMS key that encrypts it, where it is not `DynamoDB`'s own.
    pub kms_key: Option<String>,
    /// The stack that has made it, by its tag.
    #[serde(default)]
    pub stack: Option<StackName>,
    /// When its deletion was asked for: written down before the call.
    #[serde(default)]
    pub cleared: Option<Timestamp>,
}

/// How a restore in place stands that was asked for by a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InPlace {
    /// Nobody has asked for it, or it ended so long ago that it was forgotten, or another one was asked for since.
    NotBegun,
    /// It goes on.
    UnderWay {
        /// When it was asked for.
        since: Timestamp,
    },
    /// The table is there, with its items and its settings.
    Done {
        /// The recovery point that was restored.
        point: Option<PointId>,
        /// What was written until then is in it; what was written later may be missing.
        as_of: Option<Timestamp>,
        /// How long it took since it was asked for, in seconds.
        took: u64,
        /// How many items it was counted to have.
        items: Option<u64>,
    },
    /// It has failed.
    Failed {
        /// Why, and what to do.
        why: String,
    },
}

impl Restore {
    /// The request by which it was asked for in place.
    #[must_use]
    pub fn request(&self) -> Option<&str> {
        match &self.why {
            RestoreWhy::InPlace { request, .. } => Some(request),
            RestoreWhy::Test { .. } | RestoreWhy::Asked { .. } => None,
        }
    }

    /// The table whose name is needed was deleted for this restore, or is about to be.
    #[must_use]
    pub fn has_cleared(&self) -> bool {
        let cleared = self.replaced.as_ref().and_then(|replaced| replaced.cleared);
        cleared.is_some_and(|cleared| cleared >= self.asked)
    }

    /// It is one of the restores that an account may have running at once, or a table was deleted for it to be one.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.is_open() && self.active.is_none() && (self.begun.is_some() || self.has_cleared())
    }
}

impl BackupMemory {
    /// How the restore in place of a table stands that this request has asked for.
    #[must_use]
    pub fn in_place(&self, table: &TableName, request: &str) -> InPlace {
        let found = self.restores.get(table).filter(|restore| restore.request() == Some(request));
        let Some(restore) = found else { return InPlace::NotBegun };
        match &restore.ended {
            None => InPlace::UnderWay { since: restore.asked },
            Some((_, Some(why))) => InPlace::Failed { why: why.clone() },
            Some((_, None)) => InPlace::Done {
                point: match &restore.from {
                    RestoreFrom::Point(point) => Some(point.clone()),
                    _ => None,
                },
                as_of: restore.as_of,
                took: restore.took().unwrap_or_default(),
                items: restore.items.map(|counted| counted.items),
            },
        }
    }

    /// Tables that are being restored in place.
    pub fn being_restored(&self) -> impl Iterator<Item = &TableName> {
        let open = self.restores.iter().filter(|(_, restore)| restore.is_in_place() && restore.is_open());
        open.map(|(table, _)| table)
    }
}
