//! What people order about freezes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::Freeze;

/// A person's order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "order")]
pub enum HoldOrder {
    /// To freeze.
    Freeze(Box<Freeze>),
    /// To thaw.
    Thaw {
        /// The IDs of the freezes.
        freezes: Vec<String>,
        /// Who asks, as far as known.
        by: String,
        /// When.
        at: Timestamp,
    },
}
