//! Restores: of a table into a new one, to prove that it can be done or because somebody asks for it; or into its own name.
//!
//! All go the same way. The name of the new table is chosen before anything is sent, and `DynamoDB` makes no second table
//! of a name: so the name is the idempotency token. A table that a test has made is deleted again, and only if it is the
//! very one; a table that somebody has asked for is nobody's to delete. What a restore in place deletes first is in
//! [`in_place`](super::in_place).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{
    AlarmDefinition, Attempts, Billing, Digest, JobId, Key, PointId, PointKeeper, Replaced, ScalingTarget, StreamView,
    TableArn, TableClass, TableId, TableName, Taken,
};

/// Tables that restore tests make are called so, and are covered by no policy.
pub const TEST_PREFIX: &str = "landfast-test-";

/// What a restored table is a restore of: a tag that says so for people, and makes nothing ours.
pub const RESTORED_TAG: &str = "landfast:restored-from";

/// What is restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RestoreFrom {
    /// The latest moment that point-in-time recovery has.
    Latest,
    /// A moment that point-in-time recovery has.
    Moment(Timestamp),
    /// A recovery point.
    Point(PointId),
    /// The newest recovery point that can be restored where it is restored; which one, is chosen once.
    NewestPoint,
}

/// Why a table is restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RestoreWhy {
    /// To prove that it can be; the new table goes again.
    Test {
        /// A person has asked for it, and follows it.
        asked: bool,
    },
    /// Somebody wants the new table.
    Asked {
        /// Who.
        by: String,
    },
    /// Somebody wants it under the name that it had, also in the place of an empty table of that name.
    InPlace {
        /// Who.
        by: String,
        /// The request: whoever has made it finds by it what came of it.
        request: String,
    },
}

/// A restore that was asked for or begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// The table that it is a restore of.
    pub table: TableName,
    /// Why.
    pub why: RestoreWhy,
    /// What is restored.
    pub from: RestoreFrom,
    /// When it was asked for, or found to be due.
    pub asked: Timestamp,
    /// When it was first sent: written down before the call.
    pub begun: Option<Timestamp>,
    /// What the new table's items are as of.
    pub as_of: Option<Timestamp>,
    /// How much would have been lost then, had the table been lost: in seconds.
    pub loss: Option<u64>,
    /// The restore job, where AWS Backup does it.
    #[serde(default)]
    pub job: Option<JobId>,
    /// The new table, once it is known.
    pub made: Option<TableId>,
    /// When it was first seen to be active.
    pub active: Option<Timestamp>,
    /// It carries the tag that says whose it is.
    #[serde(default)]
    pub tagged: bool,
    /// Why a test proves nothing, although its table has still to go.
    #[serde(default)]
    pub doomed: Option<String>,
    /// How it compares, once that is known.
    pub compared: Option<Comparison>,
    /// Where the settings came from that it was given.
    #[serde(default)]
    pub settings: Option<String>,
    /// When it ended, and how it failed if it did.
    pub ended: Option<(Timestamp, Option<String>)>,
    /// What has failed, and may be tried again.
    #[serde(default)]
    pub attempts: Option<Attempts>,
    /// Settings that AWS has refused, by their identity.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<Digest, Attempts>,
    /// Settings that were given, by their identity.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub taken: BTreeMap<Digest, Taken>,
    /// The empty table in whose place it comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Box<Replaced>>,
    /// How many items the new table was counted to have, where it has come in the place of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Counted>,
}

impl Restore {
    /// A restore that nothing was done for yet.
    #[must_use]
    pub fn new(table: TableName, why: RestoreWhy, from: RestoreFrom, asked: Timestamp) -> Self {
        Self {
            table,
            why,
            from,
            asked,
            begun: None,
            as_of: None,
            loss: None,
            job: None,
            made: None,
            active: None,
            tagged: false,
            doomed: None,
            compared: None,
            settings: None,
            ended: None,
            attempts: None,
            refused: BTreeMap::new(),
            taken: BTreeMap::new(),
            replaced: None,
            items: None,
        }
    }

    /// It is a test.
    #[must_use]
    pub fn is_test(&self) -> bool {
        matches!(self.why, RestoreWhy::Test { .. })
    }

    /// The new table has the name of the one that it is a restore of.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        matches!(self.why, RestoreWhy::InPlace { .. })
    }

    /// Something is left to do for it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.ended.is_none()
    }

    /// How long it took until the new table could be used, in seconds; in place, until it had its settings too, since it was
    /// asked for.
    #[must_use]
    pub fn took(&self) -> Option<u64> {
        let (from, to) =
            if self.is_in_place() { (self.asked, self.ended.as_ref()?.0) } else { (self.begun?, self.active?) };
        u64::try_from(to.duration_since(from).as_secs()).ok()
    }
}

/// How a restored table compares with the one that it is a restore of. Counts alone: items are somebody's data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// Items of either that were looked for in the other.
    pub compared: u64,
    /// Those that are the same in both.
    pub equal: u64,
    /// Those that are not.
    pub changed: u64,
    /// Those of the table that the restored one has not: they are new since, or did not come back.
    pub missing: u64,
    /// Those of the restored one that its table has no more: they came back, and were deleted since.
    #[serde(default)]
    pub gone: u64,
    /// Keys or indexes that differ, in words.
    pub shape: Vec<String>,
    /// How many items there are, where that could be counted and something is known to hold it against.
    #[serde(default)]
    pub count: Option<ItemCount>,
}

/// How many items a restored table has, and how many it should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemCount {
    /// Those of the restored table; at least, where there were more than are counted.
    pub restored: u64,
    /// Those that its table had when it was backed up, by AWS's count of within about six hours before.
    pub recorded: u64,
    /// Those that its table has now: counted only where the restored one seems to have too few.
    pub source: Option<u64>,
}

impl ItemCount {
    /// Whether it has fewer than it should have, of a thousand by more than so many. Not if only an old count says so: its
    /// table may have lost as many before it was backed up.
    #[must_use]
    pub fn is_short(&self, tolerance_milli: u32) -> bool {
        self.is_below(self.recorded, tolerance_milli)
            && self.source.is_some_and(|source| self.is_below(source, tolerance_milli))
    }

    /// Whether it has fewer than so many, of a thousand by more than so many.
    #[must_use]
    pub fn is_below(&self, other: u64, tolerance_milli: u32) -> bool {
        let least = other.saturating_mul(1_000_u64.saturating_sub(u64::from(tolerance_milli)));
        self.restored.saturating_mul(1_000) < least
    }
}

/// How many items a table was counted to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// So many.
    pub items: u64,
    /// There are no more.
    pub whole: bool,
}

impl Comparison {
    /// How many of a thousand differ. What was deleted since has come back, and says nothing against it.
    #[must_use]
    pub fn differing_milli(&self) -> u64 {
        (self.changed + self.missing).saturating_mul(1_000).checked_div(self.compared).unwrap_or(0)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { compared, equal, changed, missing, gone, shape, count } = self;
        let single = missing + gone;
        write!(f, "{compared} items compared: {equal} equal, {changed} changed, {single} in only one of the two")?;
        if *gone > 0 {
            write!(f, " ({gone} deleted since)")?;
        }
        if let Some(ItemCount { restored, recorded, source }) = count {
            write!(f, "; {restored} items; AWS counted {recorded} in the original table")?;
            source.iter().try_for_each(|source| write!(f, ", which has {source} now"))?;
        }
        shape.iter().try_for_each(|one| write!(f, "; {one}"))
    }
}

/// What the last restore test of a table has shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// When it ended.
    pub at: Timestamp,
    /// The recovery point; none: point-in-time recovery.
    pub point: Option<PointId>,
    /// How long the restore took, in seconds: the measured recovery time.
    pub took: Option<u64>,
    /// How old what was restored was when the test began, in seconds.
    pub age: Option<u64>,
    /// How much data would have been lost, in seconds: the measured RPO.
    pub loss: Option<u64>,
    /// How it compared.
    pub compared: Option<Comparison>,
    /// Why it proves nothing, if it does not.
    pub failed: Option<String>,
}

/// A step of one restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreStep {
    /// The new table.
    pub to: TableName,
    /// What is done.
    pub action: RestoreDo,
}

/// What is done for a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestoreDo {
    /// Begins it; the same again makes no second table.
    Begin(Box<BeginRestore>),
    /// Marks the table that a test has made as the policy's, so that it may be deleted.
    Mark {
        /// Which incarnation.
        id: TableId,
        /// The tag.
        owner: Key,
    },
    /// Gives the new table one of the settings that it had.
    Set {
        /// Which incarnation.
        id: TableId,
        /// Which.
        setting: Setting,
    },
    /// Deletes the table that a test has made.
    Remove {
        /// Which incarnation.
        id: TableId,
        /// The tag that it must carry.
        owner: Key,
    },
    /// Switches deletion protection of the empty table off whose name is needed, if it is empty still.
    Unprotect {
        /// Which incarnation.
        id: TableId,
    },
    /// Deletes the empty table whose name is needed, if it is empty still.
    Clear {
        /// Which incarnation.
        id: TableId,
    },
}

impl RestoreDo {
    /// It takes something away from the table whose name is needed.
    #[must_use]
    pub fn clears(&self) -> bool {
        matches!(self, Self::Unprotect { .. } | Self::Clear { .. })
    }
}

/// How a restore is begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeginRestore {
    /// What is remembered of it: written down before the call.
    pub restore: Restore,
    /// The table that it is a restore of.
    pub source: TableArn,
    /// Where its recovery point is kept, if it is one.
    pub keeper: Option<PointKeeper>,
    /// The role that AWS Backup takes.
    pub role: Option<String>,
    /// How the new table is encrypted, in AWS Backup's words: as its table was.
    pub encryption: BTreeMap<String, String>,
    /// Idempotency token of AWS Backup.
    pub token: String,
}

/// A setting that a restore does not bring. In this order they are given back: what protects first, and what acts on
/// items last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// These tags.
    Tags(BTreeMap<String, String>),
    /// Deletion protection.
    DeletionProtection,
    /// Point-in-time recovery, that goes back so many days.
    Recovery(u16),
    /// How it is paid for.
    Billing(Billing),
    /// A dimension that is scaled.
    Scaling(ScalingTarget),
    /// An alarm.
    Alarm(Box<AlarmDefinition>),
    /// Its resource policy.
    Policy(Arc<str>),
    /// Its class.
    Class(TableClass),
    /// Its stream. Whoever reads it would get what happened before.
    Stream(StreamView),
    /// The expiry of its items, by this attribute.
    TimeToLive(String),
}

impl Setting {
    /// The same for the same setting, and for no other.
    #[must_use]
    pub fn identity(&self) -> Digest {
        Digest::of_bytes(format!("{self:?}").as_bytes())
    }

    /// In a word or two.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Tags(_) => "tags",
            Self::DeletionProtection => "deletion protection",
            Self::Recovery(_) => "point-in-time recovery",
            Self::Billing(_) => "capacity",
            Self::Scaling(_) => "scaling",
            Self::Alarm(_) => "an alarm",
            Self::Policy(_) => "resource policy",
            Self::Class(_) => "table class",
            Self::Stream(_) => "stream",
            Self::TimeToLive(_) => "time to live",
        }
    }
}

/// Something that was found out about a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestoreNote {
    /// The recovery point was chosen; what it has is as of this moment at least.
    Chosen(PointId, Timestamp),
    /// A table of the name is there, whose settings the new one gets.
    Replaces(Box<Replaced>),
    /// The table that it makes was found.
    Found(TableId),
    /// The table can be used.
    Active,
    /// It was compared.
    Compared(Comparison),
    /// Its items were counted.
    Counted(Counted),
    /// It proves nothing, for this reason; its table has to go still.
    Doomed(String),
    /// Its settings come from there.
    Settings(String),
    /// It has ended: as it should, or so.
    Ended(Option<String>),
    /// A restore that ended long ago need not be remembered.
    Forgotten,
}

impl fmt::Display for RestoreFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("the latest restorable time"),
            Self::Moment(at) => write!(f, "{at}"),
            Self::Point(point) => write!(f, "{point}"),
            Self::NewestPoint => f.write_str("the newest recovery point"),
        }
    }
}
