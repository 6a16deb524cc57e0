//! Copies of recovery points in other regions.
//!
//! A copy carries the tags of what it was copied from (AWS: *Copying a backup*), so whether there is one is read from the
//! vault that has it. Only the newest point is copied: what was missed is made up for by the next one.

use std::collections::BTreeMap;

use super::make::{failed, shown};
use super::points::Point;
use super::{Covered, Deciding, Wanted, unknown};
use crate::model::{
    BackupNeed, BackupNote, CopyPoint, Entry, JobState, Noted, PendingCopy, PointKeeper, Region, Seen, Tried, Unknown,
    Waiting,
};
use crate::plan::names::token;

impl Deciding<'_> {
    /// Adds what the copies of a table's points need.
    pub(super) fn copies(
        &self,
        entry: &mut Entry,
        table: &Covered<'_>,
        points: &[Point],
        copies: &BTreeMap<&Region, Vec<Point>>,
        wanted: &mut Wanted,
    ) {
        let Some(vault) = &self.spec.vault else { return };
        for (region, there) in copies {
            self.ended(entry, table, region, wanted);
            let kept = |point: &&Point| matches!(point.keeper, PointKeeper::Vault(_)) && point.is_available();
            let Some(newest) = points.iter().rev().find(kept) else { continue };
            if there.iter().any(|copy| copy.slot == newest.slot && copy.stands()) {
                continue;
            }
            Self::differs(entry, table.name, format!("the backup for {} is not in {region} yet", shown(newest.slot)));
            let copying = table.memory.points.get(&newest.id).and_then(|known| known.copying.get(*region));
            if copying.is_some_and(|copying| copying.job.is_some()) {
                continue;
            }
            let tried = Tried::copy(&newest.id, region);
            if self.is_held(entry, table, &tried) {
                continue;
            }
            let (Some(role), Some(name)) = (self.role(entry, &vault.role), self.spec.copy_to.get(*region)) else {
                continue;
            };
            let attempt = table.tries(&tried);
            let fresh = || token(&self.spec.key, "copy", &(&newest.id, region, attempt));
            wanted.copy.push(CopyPoint {
                table: table.name.clone(),
                point: newest.id.clone(),
                from: vault.name.clone(),
                region: (*region).clone(),
                to: format!(
                    "arn:{}:backup:{region}:{}:backup-vault:{name}",
                    Self::partition(table),
                    self.spec.scope.account
                ),
                role,
                token: copying.map_or_else(fresh, |copying| copying.token.clone()),
            });
        }
    }

    /// What came of copies that were begun.
    fn ended(&self, entry: &mut Entry, table: &Covered<'_>, region: &Region, wanted: &mut Wanted) {
        for (point, known) in &table.memory.points {
            let Some(PendingCopy { job: Some(job), started, .. }) = known.copying.get(region) else { continue };
            let place = (self.spec.scope.clone(), job.clone());
            let failed = match self.planner.input.observation.backups.copies.get(&place) {
                None => {
                    self.planner.need(BackupNeed::CopyJob(place.0, place.1));
                    unknown(entry, format!("the copy of {} to {region} has not been read", table.name));
                    continue;
                }
                Some(Seen::Unknown(Unknown(why))) => {
                    unknown(entry, format!("the copy of {} to {region} could not be read: {why}", table.name));
                    continue;
                }
                Some(Seen::Present(job)) if job.state.is_open() => {
                    let what = format!("the copy of {} to {region}", table.name);
                    entry.waiting.push(Waiting::Job { what, status: job.state.to_string(), since: Some(*started) });
                    continue;
                }
                Some(Seen::Present(job)) if job.state == JobState::Completed => None,
                Some(Seen::Absent) => None,
                Some(Seen::Present(job)) => {
                    Some((Tried::copy(point, region), failed(table, "AWS::Backup::CopyJob", job)))
                }
            };
            let what = Noted::Copied { point: point.clone(), region: region.clone(), failed };
            wanted.notes.push(BackupNote { table: table.name.clone(), what });
        }
    }

    /// `aws`, `aws-cn`, …: as in the table's own ARN.
    fn partition<'t>(table: &'t Covered<'_>) -> &'t str {
        table.seen.state.arn.as_str().split(':').nth(1).unwrap_or("aws")
    }
}
