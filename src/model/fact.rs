//! What is known, as answers to what was asked: each can be dropped, and says whether it says all.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    BackupNeed, CheckOutcome, Need, Observation, ObservedStack, PointsListed, RecordNeed, SecretNeed, Seen,
    ServiceNeed, StackNeed, TableSeen, TableStatus,
};

impl Observation {
    /// Drops the answers that are stale, by what was asked, when, and whether the answer is settled. One that is not could be
    /// another one in a moment by itself: what could not be read, a table that is being changed, a check that does not hold.
    pub fn forget(&mut self, mut is_stale: impl FnMut(&Need, Timestamp, bool) -> bool) {
        let mut read = std::mem::take(&mut self.read);
        read.retain(|need, at| !self.drop_if(need, |settled| is_stale(need, *at, settled)));
        self.read = read;
    }

    /// True if it was dropped.
    fn drop_if(&mut self, need: &Need, stale: impl FnOnce(bool) -> bool) -> bool {
        match need {
            Need::Stack(need) => self.drop_of_stacks(need, stale),
            Need::Service(need) => self.drop_of_services(need, stale),
            Need::Secret(need) => self.drop_of_secrets(need, stale),
            Need::Record(need) => self.drop_of_records(need, stale),
            Need::Backup(need) => self.drop_of_backups(need, stale),
            Need::Check(check) => {
                let settled = self.checks.answers.get(check).is_none_or(|known| known.outcome == CheckOutcome::Holds);
                let stale = stale(settled);
                if stale {
                    self.checks.answers.remove(check);
                }
                stale
            }
            Need::Stored(scope, name) => judge(&mut self.stored, &(scope.clone(), name.clone()), known, stale),
        }
    }

    fn drop_of_stacks(&mut self, need: &StackNeed, stale: impl FnOnce(bool) -> bool) -> bool {
        match need {
            StackNeed::Listing(scope) => {
                let stale = stale(self.listings.get(scope).is_none_or(Result::is_ok));
                if stale {
                    self.listings.remove(scope);
                    self.stacks.retain(|address, _| address.scope != *scope);
                    self.unread.retain(|address| address.scope != *scope);
                }
                stale
            }
            StackNeed::Stack(address) => {
                // With the listing goes what was read beside it.
                let listed = self.listings.contains_key(&address.scope);
                let stale = stale(true);
                if stale && listed {
                    self.unread.insert(address.clone());
                }
                stale || !listed
            }
            StackNeed::Deleted(scope) => judge(&mut self.deleted, scope, known, stale),
            StackNeed::Gone(_, id) => judge(&mut self.gone, id, known, stale),
            StackNeed::Conclusion(key, ..) => judge(&mut self.conclusions, key, known, stale),
            StackNeed::Bucket(scope, name) => judge(&mut self.buckets, &(scope.clone(), name.clone()), known, stale),
            detail => {
                let stack = detail.stack().and_then(|address| self.stacks.get_mut(address));
                stack.is_none_or(|stack| drop_of_stack(stack, detail, stale))
            }
        }
    }

    fn drop_of_services(&mut self, need: &ServiceNeed, stale: impl FnOnce(bool) -> bool) -> bool {
        let seen = &mut self.services;
        match need {
            ServiceNeed::Images(scope, repository) => {
                judge(&mut seen.images, &(scope.clone(), repository.clone()), there, stale)
            }
            ServiceNeed::Platforms(scope, repository, digest) => {
                judge(&mut seen.platforms, &(scope.clone(), repository.clone(), digest.clone()), there, stale)
            }
            ServiceNeed::Service(scope, service) => {
                judge(&mut seen.services, &(scope.clone(), service.clone()), known, stale)
            }
            ServiceNeed::TaskDefinition(scope, arn) => {
                judge(&mut seen.task_definitions, &(scope.clone(), arn.clone()), there, stale)
            }
            ServiceNeed::Deployments(scope, service, _) => {
                judge(&mut seen.deployments, &(scope.clone(), service.clone()), known, stale)
            }
            ServiceNeed::Tasks(scope, service) => {
                judge(&mut seen.tasks, &(scope.clone(), service.clone()), known, stale)
            }
            ServiceNeed::Targets(scope, group) => {
                judge(&mut seen.targets, &(scope.clone(), group.clone()), known, stale)
            }
            ServiceNeed::Log(scope, stream) => judge(&mut seen.logs, &(scope.clone(), stream.clone()), known, stale),
        }
    }

    fn drop_of_secrets(&mut self, need: &SecretNeed, stale: impl FnOnce(bool) -> bool) -> bool {
        let seen = &mut self.secrets;
        match need {
            SecretNeed::Listing(scope) => {
                let stale = stale(seen.listings.get(scope).is_none_or(Result::is_ok));
                if stale {
                    seen.listings.remove(scope);
                    seen.listed.retain(|address, _| address.scope != *scope);
                }
                stale
            }
            SecretNeed::Describe(address) => judge(&mut seen.described, address, known, stale),
            SecretNeed::Policy(address, _) => {
                let dropped = judge(&mut seen.policies, address, known, stale);
                if dropped {
                    seen.policy_texts.remove(address);
                }
                dropped
            }
            SecretNeed::Value(address, _, version) => {
                judge(&mut seen.values, &(address.clone(), version.clone()), known, stale)
            }
        }
    }

    fn drop_of_records(&mut self, need: &RecordNeed, stale: impl FnOnce(bool) -> bool) -> bool {
        let seen = &mut self.records;
        match need {
            RecordNeed::Zones(scope, asked) => judge(&mut seen.zones, &(scope.clone(), asked.clone()), known, stale),
            RecordNeed::Sets(scope, zone, of) => {
                judge(&mut seen.sets, &(scope.clone(), zone.clone(), of.clone()), known, stale)
            }
            RecordNeed::Claims(scope, zone) => judge(&mut seen.claims, &(scope.clone(), zone.clone()), known, stale),
            RecordNeed::Change(scope, change) => {
                judge(&mut seen.changes, &(scope.clone(), change.clone()), known, stale)
            }
        }
    }

    fn drop_of_backups(&mut self, need: &BackupNeed, stale: impl FnOnce(bool) -> bool) -> bool {
        let seen = &mut self.backups;
        match need {
            BackupNeed::Tables(scope) => judge(&mut seen.tables, scope, known, stale),
            BackupNeed::OfStack(address, id) => {
                judge(&mut seen.of_stacks, &(address.clone(), id.clone()), known, stale)
            }
            BackupNeed::Tags(scope, table) => judge(&mut seen.tags, &(scope.clone(), table.clone()), known, stale),
            BackupNeed::Table(scope, table) => {
                judge(&mut seen.described, &(scope.clone(), table.clone()), rests, stale)
            }
            BackupNeed::Points(scope) => judge(&mut seen.points, scope, complete, stale),
            BackupNeed::Vault(scope, vault, _) => {
                judge(&mut seen.vaults, &(scope.clone(), vault.clone()), complete, stale)
            }
            BackupNeed::Job(scope, job) => judge(&mut seen.jobs, &(scope.clone(), job.clone()), known, stale),
            BackupNeed::Profile(scope, table) => {
                let dropped = judge(&mut seen.profiles, &(scope.clone(), table.clone()), known, stale);
                if dropped {
                    // One list for the settings of all tables.
                    seen.alarms.remove(scope);
                }
                dropped
            }
            BackupNeed::Compare(scope, original, restored, items) => {
                let which = (scope.clone(), original.clone(), restored.clone(), *items);
                judge(&mut seen.compared, &which, known, stale)
            }
            BackupNeed::Count(scope, table) => judge(&mut seen.counted, &(scope.clone(), table.clone()), known, stale),
            BackupNeed::Point(scope, point) => judge(&mut seen.kept, &(scope.clone(), point.clone()), known, stale),
            BackupNeed::Settings(scope, bucket, key) => {
                judge(&mut seen.settings, &(scope.clone(), bucket.clone(), key.clone()), known, stale)
            }
            BackupNeed::Metadata(scope, _, point) => {
                judge(&mut seen.metadata, &(scope.clone(), point.clone()), known, stale)
            }
            BackupNeed::RestoreJob(scope, job) => {
                judge(&mut seen.restores, &(scope.clone(), job.clone()), known, stale)
            }
            BackupNeed::CopyJob(scope, job) => judge(&mut seen.copies, &(scope.clone(), job.clone()), known, stale),
        }
    }
}

fn drop_of_stack(stack: &mut ObservedStack, need: &StackNeed, stale: impl FnOnce(bool) -> bool) -> bool {
    match need {
        StackNeed::Template(..) => judge_only(&mut stack.template, stale),
        StackNeed::Text(..) => judge_only(&mut stack.text, stale),
        StackNeed::StackPolicy(..) => judge_only(&mut stack.stack_policy, stale),
        StackNeed::Making(..) => judge_only(&mut stack.making, stale),
        StackNeed::ChangeSets(..) => {
            let all = |sets: &super::ChangeSets| known(&sets.all) && sets.described.as_ref().is_none_or(known);
            let stale = stale(stack.change_sets.as_deref().is_none_or(all));
            if stale {
                stack.change_sets = None;
            }
            stale
        }
        StackNeed::Importers(_, export) => judge(&mut stack.importers, export, known, stale),
        StackNeed::Backup(_, _, physical) => judge(&mut stack.backups, physical, known, stale),
        StackNeed::Contents(_, id) => judge(&mut stack.contents, id, known, stale),
        StackNeed::Events(_, id, _) => judge(&mut stack.events, id, known, stale),
        StackNeed::Listing(_)
        | StackNeed::Stack(_)
        | StackNeed::Deleted(_)
        | StackNeed::Gone(..)
        | StackNeed::Conclusion(..)
        | StackNeed::Bucket(..) => false,
    }
}

/// Drops what a map has there, if it is stale.
fn judge<K: Ord, T>(
    map: &mut BTreeMap<K, Seen<T>>,
    key: &K,
    is_settled: fn(&Seen<T>) -> bool,
    stale: impl FnOnce(bool) -> bool,
) -> bool {
    let stale = stale(map.get(key).is_none_or(is_settled));
    if stale {
        map.remove(key);
    }
    stale
}

fn judge_only<T>(seen: &mut Option<Seen<T>>, stale: impl FnOnce(bool) -> bool) -> bool {
    let stale = stale(seen.as_ref().is_none_or(known));
    if stale {
        *seen = None;
    }
    stale
}

/// AWS has answered.
fn known<T>(seen: &Seen<T>) -> bool {
    !matches!(seen, Seen::Unknown(_))
}

/// It is there: what is not may be pushed, registered or made at any moment.
fn there<T>(seen: &Seen<T>) -> bool {
    seen.present().is_some()
}

fn rests(seen: &Seen<TableSeen>) -> bool {
    seen.present().is_some_and(|seen| seen.state.status == TableStatus::Active)
}

/// Nothing of it is missing.
fn complete(seen: &Seen<PointsListed>) -> bool {
    known(seen) && seen.present().is_none_or(|listed| listed.unread.is_empty())
}
