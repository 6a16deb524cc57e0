//! Settings of tables that are kept with their recovery points: in the journal, and where the environment has a bucket,
//! there too. A journal that is lost loses none of those.
//!
//! A backup does not wait for it. What the bucket lacks is put there by a step of its own, and what belongs to a point
//! goes when the point is seen to be gone.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::make::{Listings, shown};
use super::points::{self, Point};
use super::seen::NotYet;
use super::{Covered, Deciding, Wanted, unknown};
use crate::model::{
    BackupNeed, Entry, KeepSettings, Key, PointId, PointMemory, PointName, Restore, RestoreFrom, TableName,
    TableProfile, Tried, VaultName,
};
use crate::sabotage::{self, Bug};

impl Deciding<'_> {
    fn bucket(&self) -> Option<&String> {
        self.planner.input.environment.template_bucket.as_ref()
    }

    /// Where the settings are that are kept with a point.
    fn settings_key(&self, table: &TableName, slot: Timestamp, profile: Option<String>) -> Option<String> {
        PointName::new(&self.spec.key, slot, profile).settings_key(table)
    }

    /// The vault that a point is in, by what the policy says of its region.
    fn vault_of(&self, id: &PointId) -> Option<VaultName> {
        let region = id.region().filter(|_| !id.is_on_demand())?;
        if region == self.spec.scope.region {
            return self.spec.vault.as_ref().map(|vault| vault.name.clone());
        }
        self.spec.copy_to.get(&region).cloned()
    }

    /// Adds settings that the journal has of points, and the bucket has not.
    pub(super) fn keep(&self, entry: &mut Entry, table: &Covered<'_>, points: &[Point], wanted: &mut Wanted) {
        let Some(bucket) = self.bucket() else { return };
        for point in points.iter().filter(|point| point.listed && point.stands()) {
            let Some(known) = table.memory.points.get(&point.id) else { continue };
            let settings = known.profile.as_ref().and_then(|name| self.memory.profiles.get(name));
            let key = self.settings_key(table.name, known.slot, known.profile.clone());
            let (Some(settings), Some(key)) = (settings, key) else { continue };
            if known.kept.as_ref() == Some(bucket) {
                continue;
            }
            let why = format!("the settings of the backup for {} are only in the journal", shown(known.slot));
            Self::differs(entry, table.name, why);
            let keep = KeepSettings {
                table: table.name.clone(),
                point: point.id.clone(),
                vault: self.vault_of(&point.id),
                bucket: bucket.clone(),
                key,
                settings: Some(Box::new(settings.clone())),
            };
            if self.is_held(entry, table, &Tried::keeping(&keep)) {
                // What is refused for one point is refused for the next.
                return;
            }
            wanted.keep.push(keep);
        }
    }

    /// Whether a point that is gone can be forgotten: not before the settings that were kept with it are gone too.
    pub(super) fn is_let_go(
        &self,
        entry: &mut Entry,
        table: &Covered<'_>,
        (id, known): (&PointId, &PointMemory),
        (listings, gone): (&Listings<'_>, &BTreeSet<PointId>),
        wanted: &mut Wanted,
    ) -> bool {
        let bucket = known.kept.as_ref().or_else(|| self.bucket());
        let key = self.settings_key(table.name, known.slot, known.profile.clone());
        let (Some(bucket), Some(key), vault) = (bucket, key, self.vault_of(id)) else { return true };
        if vault.is_none() && !id.is_on_demand() {
            // Whether it is gone could not be asked of a vault that the policy does not name any more.
            return true;
        }
        // A copy in another region, or one that was made for the same slot again, has the same.
        let same = |slot: Timestamp| slot.as_second() == known.slot.as_second();
        let mut listed = listings.all().flat_map(|listing| &listing.points).filter(|point| point.table == *table.name);
        let mut others = table.memory.points.iter().filter(|(other, _)| !gone.contains(other));
        let pending = table.memory.pending.as_ref().is_some_and(|pending| same(pending.slot));
        if sabotage::is(Bug::LeavesSettings)
            || pending
            || listed.any(|point| points::said(point).is_some_and(|(_, slot, _)| same(slot)))
            || others.any(|(_, other)| same(other.slot))
        {
            return true;
        }
        let slot = shown(known.slot);
        Self::differs(
            entry,
            table.name,
            format!("the backup for {slot} was deleted, but its settings are still in {bucket}"),
        );
        let (table_name, point) = (table.name.clone(), id.clone());
        let keep = KeepSettings { table: table_name, point, vault, bucket: bucket.clone(), key, settings: None };
        if !self.is_held(entry, table, &Tried::keeping(&keep)) {
            wanted.keep.push(keep);
        }
        false
    }

    /// The settings that are kept with the recovery point that is restored.
    pub(super) fn kept(&self, entry: &mut Entry, restore: &Restore) -> Result<Option<TableProfile>, NotYet> {
        let RestoreFrom::Point(id) = &restore.from else { return Ok(None) };
        let known = self.memory.tables.get(&restore.table).and_then(|table| table.points.get(id));
        let known = known.and_then(|known| Some((known.slot, known.profile.clone()?)));
        let own = |(slot, name)| (self.spec.key.clone(), slot, name);
        let Some((owner, slot, name)) = (match known.map(own) {
            Some(known) => Some(known),
            None => self.said(entry, id)?,
        }) else {
            return Ok(None);
        };
        if let Some(settings) = self.memory.profiles.get(&name) {
            return Ok(Some(settings.clone()));
        }
        // A copy has its settings where the policy has put them that has sent it, if that is the same bucket.
        let key = PointName::new(&owner, slot, Some(name.clone())).settings_key(&restore.table);
        let (Some(bucket), Some(key)) = (self.bucket(), key) else { return Ok(None) };
        let place = (self.spec.scope.clone(), bucket.clone(), key);
        let found = self.planner.input.observation.backups.settings.get(&place);
        let need = BackupNeed::Settings(place.0, place.1, place.2.clone());
        let unread = "the settings stored with the recovery point have not been read".to_owned();
        let says = (&*format!("the settings in s3://{bucket} could not be read"), unread);
        let Some(text) = self.looked_at(entry, found, need, says)? else { return Ok(None) };
        TableProfile::read(text, &name).map(Some).map_err(|why| {
            unknown(entry, format!("settings are in s3://{bucket}/{}; {why}", place.2));
            NotYet
        })
    }

    /// What a point itself says of whose it is, when it was made, and which settings are kept with it.
    fn said(&self, entry: &mut Entry, id: &PointId) -> Result<Option<(Key, Timestamp, String)>, NotYet> {
        let said = self.point_seen(entry, id)?.and_then(points::said);
        Ok(said.and_then(|(owner, slot, profile)| Some((owner.parse().ok()?, slot, profile?))))
    }
}
