//! What was seen of tables and recovery points, or what has to be looked at first.

use std::collections::BTreeSet;

use super::{Deciding, unknown};
use crate::model::{
    BackupNeed, Entry, PointId, ProfileSeen, RecoveryPoint, Seen, TableName, TableProfile, TableSeen, Unknown,
};

/// It has not been read, or could not be; the entry says so.
pub(super) struct NotYet;

impl Deciding<'_> {
    /// What was seen; none: it is not there. What has not been read is asked for. `failed` and `unread` are what the entry
    /// says then.
    pub(super) fn looked_at<'s, T>(
        &self,
        entry: &mut Entry,
        found: Option<&'s Seen<T>>,
        need: BackupNeed,
        (failed, unread): (&str, String),
    ) -> Result<Option<&'s T>, NotYet> {
        let why = match found {
            Some(Seen::Present(seen)) => return Ok(Some(seen)),
            Some(Seen::Absent) => return Ok(None),
            Some(Seen::Unknown(Unknown(why))) => format!("{failed}: {why}"),
            None => {
                self.planner.need(need);
                unread
            }
        };
        unknown(entry, why);
        Err(NotYet)
    }

    /// A table as it was seen; none: the table does not exist.
    pub(super) fn told(&self, entry: &mut Entry, table: &TableName) -> Result<Option<&TableSeen>, NotYet> {
        let place = (self.spec.scope.clone(), table.clone());
        let found = self.planner.input.observation.backups.described.get(&place);
        let says = (&*format!("{table} could not be read"), format!("{table} has not been read"));
        self.looked_at(entry, found, BackupNeed::Table(place.0, place.1), says)
    }

    /// All settings of a table; none: the table does not exist.
    pub(super) fn profile_of(&self, entry: &mut Entry, table: &TableName) -> Result<Option<&ProfileSeen>, NotYet> {
        let place = (self.spec.scope.clone(), table.clone());
        let found = self.planner.input.observation.backups.profiles.get(&place);
        let settings = format!("the settings of {table}");
        let says = (&*format!("{settings} could not be read"), format!("{settings} have not been read"));
        self.looked_at(entry, found, BackupNeed::Profile(place.0, place.1), says)
    }

    /// A recovery point as it was seen; none: there is none.
    pub(super) fn point_seen(&self, entry: &mut Entry, id: &PointId) -> Result<Option<&RecoveryPoint>, NotYet> {
        if id.is_on_demand() {
            return Ok(self.backup_seen(entry, id)?.map(|(point, _)| point));
        }
        let Some(vault) = &self.spec.vault else { return Ok(None) };
        let place = (self.spec.scope.clone(), vault.name.clone());
        let found = self.planner.input.observation.backups.vaults.get(&place);
        let need = BackupNeed::Vault(place.0, place.1, BTreeSet::new());
        let says = ("recovery points could not be listed", "recovery points have not been listed".to_owned());
        let listed = self.looked_at(entry, found, need, says)?;
        let all = listed.into_iter().flat_map(|listed| listed.points.iter().chain(&listed.others));
        let point = all.into_iter().find(|point| point.id == *id);
        if point.is_none()
            && let Some((_, why)) = listed.and_then(|listed| listed.unread.first_key_value())
        {
            unknown(entry, format!("not all recovery points could be read: {why}"));
            return Err(NotYet);
        }
        Ok(point)
    }

    /// An on-demand backup, and the few settings that AWS keeps with it; none: there is none.
    pub(super) fn backup_seen(
        &self,
        entry: &mut Entry,
        id: &PointId,
    ) -> Result<Option<&(RecoveryPoint, TableProfile)>, NotYet> {
        let place = (self.spec.scope.clone(), id.clone());
        let found = self.planner.input.observation.backups.kept.get(&place);
        let says = ("the recovery point could not be read", "the recovery point has not been read".to_owned());
        self.looked_at(entry, found, BackupNeed::Point(place.0, place.1), says)
    }
}
