//! How many items a restored table has, of those that it should have.
//!
//! AWS counts a table's items about every six hours, and writes that count down with a backup. So it is old when it is
//! written down, and of a table that was just restored there is none. With a point in a vault AWS keeps none: there it is in a
//! tag of ours. Items are counted here, as far as that costs little;
//! and that there are too few is said only if the table itself, counted in the same way, has more.

use super::Deciding;
use super::restore::TOLERANCE;
use super::seen::NotYet;
use crate::model::{BackupNeed, Counted, Entry, ItemCount, Restore, RestoreFrom, TableName};

impl Deciding<'_> {
    /// How many items the new table has, of those that AWS counted when it was backed up. `None` where AWS keeps no count, or
    /// there are more than are counted here.
    pub(super) fn count(
        &self,
        entry: &mut Entry,
        to: &TableName,
        restore: &Restore,
        has_source: bool,
    ) -> Result<Option<ItemCount>, NotYet> {
        let RestoreFrom::Point(id) = &restore.from else { return Ok(None) };
        let listed = self.point_seen(entry, id)?.and_then(|point| point.items);
        // The tags of a point in a vault are read once.
        let known = || self.memory.tables.get(&restore.table)?.points.get(id)?.items;
        let Some(recorded) = listed.or_else(known) else { return Ok(None) };
        let Some(counted) = self.counted(entry, to)? else { return Ok(None) };
        let mut count = ItemCount { restored: counted.items, recorded, source: None };
        let tolerance = self.spec.verify.map_or(TOLERANCE, |verify| verify.tolerance_milli);
        if !count.is_below(recorded, tolerance) {
            return Ok(Some(count));
        }
        if !counted.whole {
            return Ok(None);
        }
        let source = if has_source { self.counted(entry, &restore.table)? } else { None };
        // At least so many: there may be more.
        count.source = source.map(|source| source.items);
        Ok(Some(count))
    }

    pub(super) fn counted(&self, entry: &mut Entry, table: &TableName) -> Result<Option<Counted>, NotYet> {
        let place = (self.spec.scope.clone(), table.clone());
        let found = self.planner.input.observation.backups.counted.get(&place);
        let need = BackupNeed::Count(place.0, place.1);
        let says =
            (&*format!("items of {table} could not be counted"), format!("items of {table} have not been counted"));
        Ok(self.looked_at(entry, found, need, says)?.copied())
    }
}
