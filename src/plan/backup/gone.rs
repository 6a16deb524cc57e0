//! A table that a policy covers and that is not there: somebody has deleted it, and what it had is in its recovery points.
//!
//! Nothing is restored by itself: as of when, and whether it is wanted at all, is a person's to say. But the whole way back
//! is in one command. A table that is restored under the name it had is the stack's again, which knows it by its name.

use std::collections::BTreeSet;

use super::make::Listings;
use super::points;
use super::select::Selected;
use super::{Deciding, refused};
use crate::model::{
    BackupSpec, Difference, Entry, Guard, Key, PointId, RecoveryPoint, Scope, Seen, TEST_PREFIX, TableName,
    TableSelection,
};
use crate::plan::Input;

impl Deciding<'_> {
    /// Tables that a policy by prefix or by tag has covered, and that are not there any more: their recovery points say so.
    /// One that is excepted, or was restored under another name, is not missed. True: none is.
    pub(super) fn lost(&self, entry: &mut Entry, selected: &Selected, listings: &Listings<'_>) -> bool {
        if !matches!(self.spec.tables, TableSelection::Prefix(_) | TableSelection::Tagged(_)) {
            return true;
        }
        let Some(Seen::Present(all)) = self.planner.input.observation.backups.tables.get(&self.spec.scope) else {
            return true;
        };
        let owner = self.spec.key.to_string();
        let listed = listings.home.iter().flat_map(|listed| &listed.points);
        let ours = listed
            .filter(|point| point.is_available() && points::said(point).is_some_and(|(whose, ..)| whose == owner));
        let remembered = self.memory.tables.iter().filter(|(_, memory)| !memory.points.is_empty());
        let known = ours.map(|point| &point.table).chain(remembered.map(|(table, _)| table));
        let meant = |table: &TableName| match &self.spec.tables {
            TableSelection::Prefix(prefix) => table.as_str().starts_with(prefix.as_str()),
            _ => true,
        };
        let restored = |table: &TableName| {
            self.memory.restores.get(table).is_some_and(|restore| restore.is_open() || !restore.is_in_place())
        };
        let missing: BTreeSet<&TableName> = known
            .filter(|table| {
                !all.contains(*table) && !selected.contains_key(*table) && !self.spec.except.contains(*table)
            })
            .filter(|table| meant(table) && !restored(table) && !table.as_str().starts_with(TEST_PREFIX))
            .collect();
        let none = missing.is_empty();
        for table in missing {
            entry.differences.push(Difference::Missing { name: format!("the table {table}") });
            self.bereft(entry, table, None, Some(listings));
        }
        none
    }

    /// Says what brings it back, if it was ever there; a name that nothing is known of is mistaken.
    pub(super) fn bereft(
        &self,
        entry: &mut Entry,
        table: &TableName,
        origin: Option<&(Key, String)>,
        listings: Option<&Listings<'_>>,
    ) {
        let memory = self.memory.tables.get(table).cloned().unwrap_or_default();
        let home = |id: &PointId| id.region().as_ref() == Some(&self.spec.scope.region);
        let listed = listings.map(|listings| listings.home.clone()).unwrap_or_default();
        let points = points::of_table(self.spec, table, &memory, &listed, &home);
        let newest = points.iter().rev().find(|point| point.is_available());
        let reason = match origin {
            Some((stack, resource)) => {
                format!(
                    "table {table} does not exist: it was deleted outside CloudFormation (resource {resource} of \
                    {stack})"
                )
            }
            None if points.is_empty() => format!("table {table} does not exist"),
            None => format!("table {table} was deleted; it has recovery points"),
        };
        if origin.is_none() && points.is_empty() {
            return refused(entry, Guard::NoTable, reason, "correct `tables` in the manifest");
        }
        let back = restoring(&self.spec.key, &self.spec.scope, table, newest.map(|point| &point.id));
        let as_of = newest.map(|point| format!(", as of {}", point.created)).unwrap_or_default();
        let named = matches!(self.spec.tables, TableSelection::Stack(_) | TableSelection::Names(_));
        let out = if named { "remove it from the policy" } else { "exclude it with `except`" };
        let release = format!("restore it under its original name{as_of}: `{}`; or {out}", back.join("`, then `"));
        refused(entry, Guard::NoTable, reason, release);
    }
}

/// Commands that bring a table back under its own name. Where no point of ours is known, AWS may have made one when the
/// table was deleted: it keeps that of one with point-in-time recovery for 35 days (AWS: *Point-in-time recovery for
/// `DynamoDB`: how it works*).
pub(in crate::plan) fn restoring(key: &Key, scope: &Scope, table: &TableName, point: Option<&PointId>) -> Vec<String> {
    let restore = |point: &str| format!("landfast restore {key} --table {table} --point {point} --as {table}");
    match point {
        Some(point) => vec![restore(point.as_str())],
        None => vec![
            format!("aws dynamodb list-backups --region {} --table-name {table} --backup-type ALL", scope.region),
            restore("ARN"),
        ],
    }
}

/// The newest point of a policy from which a table can be restored, as listed.
pub(in crate::plan) fn newest_point<'a>(
    input: &Input<'a>,
    spec: &BackupSpec,
    table: &TableName,
) -> Option<&'a RecoveryPoint> {
    let seen = &input.observation.backups;
    let vault = spec.vault.as_ref().and_then(|vault| seen.vaults.get(&(spec.scope.clone(), vault.name.clone())));
    let listed = seen.points.get(&spec.scope).into_iter().chain(vault).filter_map(Seen::present);
    let all = listed.flat_map(|listed| &listed.points);
    let owner = spec.key.to_string();
    let mine = |point: &&RecoveryPoint| {
        point.table == *table && point.is_available() && points::said(point).is_some_and(|(whose, ..)| whose == owner)
    };
    all.filter(mine).max_by_key(|point| point.created)
}
