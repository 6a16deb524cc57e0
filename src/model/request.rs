//! What a person asks of one object, beside what its manifest says: once, and by name.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ImageDigest, Key, Pin, PointId, Region, RestoreFrom, Serving, TableName, TrafficOrder};

/// Something that a person asks for. Asked twice it is two requests; the same one is granted once, however often it is
/// read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Request {
    /// Tells it from every other one.
    pub id: String,
    /// Of what it is asked.
    pub key: Key,
    /// The check.
    pub wish: Wish,
    /// Who asks, as far as known.
    pub by: String,
    /// When it was asked.
    pub at: Timestamp,
}

/// The check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "what")]
pub enum Wish {
    /// Of a secret: regenerate its generated fields.
    Rotate,
    /// Of a backup policy: restore a table into a new one.
    Restore {
        /// The table.
        table: TableName,
        /// What is restored.
        from: RestoreFrom,
        /// The new table; a name is made where none is given.
        to: Option<TableName>,
    },
    /// Of a backup policy: restore a table under its own name. A table of that name is deleted first if it is empty; one item
    /// in it ends the restore.
    RestoreInPlace {
        /// The table.
        table: TableName,
        /// The recovery point; the newest that can be restored, where none is given.
        #[serde(default)]
        point: Option<PointId>,
    },
    /// Of a backup policy: try now whether a table can be restored.
    Verify {
        /// The table; all that it covers, where none is given.
        table: Option<TableName>,
    },
    /// Of a service: go back to a proven release.
    Rollback {
        /// The tag or the beginning of the digest of one of its images; the last one before this, where it is not said.
        to: Option<String>,
    },
    /// Of a stack: put back what was changed past it, as it was last seen.
    Revert,
    /// Of a service: let an image be tried again.
    Release {
        /// Its tag, or the beginning of its digest.
        image: String,
    },
    /// Of a stack: what a rollback was continued without is as the stack's template says.
    InStep,
    /// Of a backup policy: back its tables up now.
    BackUp,
    /// Of a primary failover record: send the traffic of its name there.
    Send {
        /// Who is to serve.
        to: Serving,
        /// Where the metric is published.
        region: Region,
        /// Why.
        because: String,
    },
}

impl Wish {
    /// What is done, as a verb for the journal.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Rotate => "rotate",
            Self::Restore { .. } | Self::RestoreInPlace { .. } => "ask-restore",
            Self::Verify { .. } => "ask-verify",
            Self::Rollback { .. } => "pin",
            Self::Release { .. } => "release",
            Self::InStep => "in-step",
            Self::BackUp => "back-up",
            Self::Revert => "revert",
            Self::Send { .. } => "send-traffic",
        }
    }
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rotate => f.write_str("regenerate its generated fields"),
            Self::Restore { table, from, to: None } => write!(f, "restore {table} as of {from}"),
            Self::Restore { table, from, to: Some(to) } => write!(f, "restore {table} as of {from} to {to}"),
            Self::RestoreInPlace { table, point: None } => {
                write!(f, "restore {table} in place from its newest recovery point")
            }
            Self::RestoreInPlace { table, point: Some(point) } => write!(f, "restore {table} in place from {point}"),
            Self::Verify { table: None } => f.write_str("run a restore test of its tables"),
            Self::Verify { table: Some(table) } => write!(f, "run a restore test of {table}"),
            Self::Rollback { to: None } => f.write_str("roll back to the previous release"),
            Self::Rollback { to: Some(to) } => write!(f, "roll back to {to}"),
            Self::Release { image } => write!(f, "retry {image}"),
            Self::InStep => f.write_str("mark the resources that its rollback skipped as in sync"),
            Self::BackUp => f.write_str("back up its tables"),
            Self::Revert => f.write_str("revert its drift"),
            Self::Send { to, region, because } => {
                write!(f, "send traffic to the {to} by the metric in {region} ({because})")
            }
        }
    }
}

/// What follows from a request: what changes in what is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Granted {
    /// A rotation is asked for.
    Rotate,
    /// The table is restored to this one.
    Restore(TableName, Box<super::Restore>),
    /// Tables are tested: this one, or all.
    Verify(Option<TableName>),
    /// The service keeps these images until its manifest changes.
    Pin(Pin),
    /// The image may be tried again.
    Release(ImageDigest),
    /// These resources are as the stack's template says.
    InStep(BTreeSet<String>),
    /// Backups are asked for.
    BackUp,
    /// So many differences are put back.
    Revert(usize),
    /// Traffic goes there from now on.
    Send(Box<TrafficOrder>),
}

impl Granted {
    /// In a few words, for the journal and for people.
    #[must_use]
    pub fn detail(&self, by: &str) -> String {
        match self {
            Self::Rotate => format!("{by} requested regeneration of its generated fields"),
            Self::Restore(to, restore) if restore.is_in_place() => {
                format!("{by} requested a restore of {to} in place as of {}", restore.from)
            }
            Self::Restore(to, restore) => {
                format!("{by} requested a restore of {} as of {} to {to}", restore.table, restore.from)
            }
            Self::Verify(None) => format!("{by} requested a restore test of its tables"),
            Self::Verify(Some(table)) => format!("{by} requested a restore test of {table}"),
            Self::Pin(pin) => format!("{by} requested a rollback to {}", pin.names()),
            Self::Release(digest) => format!("{by} released {digest} from quarantine"),
            Self::InStep(resources) => {
                let names = resources.iter().cloned().collect::<Vec<_>>().join(", ");
                format!("{by} confirmed that {names} matches the template")
            }
            Self::BackUp => format!("{by} requested a backup of its tables"),
            Self::Revert(number) => format!("{by} requested to revert {number}"),
            Self::Send(order) => {
                format!("{by} sent traffic to the {} by the metric in {}: {}", order.to, order.region, order.because)
            }
        }
    }
}

/// Why a request was not granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Declined {
    /// Nothing of that name is desired.
    #[error("no manifest describes it")]
    NotDesired,
    /// It is asked of an object of another kind.
    #[error("this request does not apply to a {0}")]
    Kind(&'static str),
    /// The secret's value comes from elsewhere.
    #[error("its value is not generated")]
    NotGenerated,
    /// A table is being restored to that name.
    #[error("a restore to table {0} is in progress: choose another name with `--as`")]
    Restored(TableName),
    /// A table is being restored in place.
    #[error("a restore of table {0} is in progress: wait until it has ended")]
    RestoredInPlace(TableName),
    /// Nothing was left out of a rollback of the stack.
    #[error("no resource of it was skipped in a rollback")]
    NotOutOfStep,
    /// There is no such release or image.
    #[error("it has no such image{}", among(.0))]
    NoSuchImage(Vec<String>),
    /// Nothing that could be put back is known.
    #[error("no drift is known: run `landfast drift` first")]
    NoDrift,
    /// The record is none that traffic is moved by.
    #[error("it is not a primary failover record with a health check")]
    NotPrimary,
    /// The record was not made yet.
    #[error("its record set does not exist yet")]
    NoRecordSet,
    /// The environment is only observed.
    #[error("the policy of its environment is `mode: observe`")]
    OnlyObserved,
    /// Somebody has frozen it.
    #[error("it is frozen by {by} because {because}: thaw it first")]
    Frozen {
        /// Who.
        by: String,
        /// Why.
        because: String,
    },
    /// The operator does not let this person ask.
    #[error("{0}")]
    NotApprover(String),
    /// It waited for so long that it may not be meant any more.
    #[error("it was requested at {0} and has expired")]
    Expired(Timestamp),
}

fn among(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!("; available: {}", known.join(", ")) }
}
