//! Everything in the store, for people and for other programs: all rows, decoded, without the key of the fingerprints.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::StoreError;
use super::record::Record;
use super::rows::{Order, Rows, Table, decode};

/// What the store holds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Export {
    /// What is remembered of objects, by the object's address.
    pub objects: BTreeMap<String, Value>,
    /// The same of what all kinds remember.
    pub common: BTreeMap<String, Value>,
    /// What was spent of the budgets.
    pub spent: BTreeMap<String, Value>,
    /// What was approved, by environment.
    pub consent: BTreeMap<String, Value>,
    /// The revision that was accepted last, by environment.
    pub accepted: BTreeMap<String, Value>,
    /// What people have frozen, by the freeze's ID.
    pub freezes: BTreeMap<String, Value>,
    /// What people have said of plans.
    pub reviews: BTreeMap<String, Value>,
    /// What people were told of, by environment.
    pub alerts: BTreeMap<String, Value>,
    /// Messages that are on their way.
    pub outbox: BTreeMap<String, Value>,
    /// What was done, the newest first.
    pub journal: Vec<Record>,
}

impl Export {
    /// Reads every row: one that cannot be read is an error.
    pub(super) fn read(rows: &dyn Rows) -> Result<Self, StoreError> {
        let all = |table: Table| {
            let mut found = BTreeMap::new();
            rows.scan(table, Order::Up, &mut |key, value| {
                found.insert(key.to_owned(), decode(table, key, value)?);
                Ok(true)
            })?;
            Ok::<_, StoreError>(found)
        };
        let mut journal = Vec::new();
        rows.scan(Table::Journal, Order::Down, &mut |key, value| {
            journal.push(decode(Table::Journal, key, value)?);
            Ok(true)
        })?;
        Ok(Self {
            objects: all(Table::Objects)?,
            common: all(Table::Common)?,
            spent: all(Table::Spent)?,
            consent: all(Table::Consent)?,
            accepted: all(Table::Accepted)?,
            freezes: all(Table::Freezes)?,
            reviews: all(Table::Reviews)?,
            alerts: all(Table::Alerts)?,
            outbox: all(Table::Outbox)?,
            journal,
        })
    }
}
