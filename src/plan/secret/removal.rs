//! Secrets that are ours and that no manifest asks for any more. They stay, unless their manifest said otherwise while
//! it was there: then they are deleted so that they can be restored for a week at least, and never at once.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::settings::lost;
use super::{DELETION_TAG, is_replica, refused, status, unknown};
use crate::model::{
    Action, Address, Changes, Difference, Do, Entry, Guard, Key, Kind, Mode, Prune, Scope, SecretDo, SecretExpect,
    SecretNeed, SecretState, SecretStep, Seen, Step, Waiting,
};
use crate::plan::handover::heir_of_secret;
use crate::plan::names::OWNER_TAG;
use crate::plan::planner::Planner;
use crate::plan::{Goal, consent, guard};

/// A secret whose value was read within so long is still used by somebody. AWS tells the day.
const USED_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Adds an entry for every secret of ours that is not desired.
pub(in crate::plan) fn decide(planner: &mut Planner<'_>) {
    let input = planner.input;
    let environment = input.environment;
    let remembered = input.memory.objects.secrets.values().filter_map(|memory| memory.arn.as_ref());
    let mut scopes: Vec<Scope> = remembered.filter_map(|arn| scope_of(arn.as_str())).collect();
    if !environment.secrets.is_empty() || !scopes.is_empty() {
        scopes.push(environment.scope.clone());
    }
    scopes.extend(environment.secrets.values().map(|spec| spec.scope.clone()));
    for scope in scopes {
        if !input.observation.secrets.listings.contains_key(&scope) {
            planner.need(SecretNeed::Listing(scope));
        }
    }
    let mut leaving: BTreeMap<Key, Entry> = BTreeMap::new();
    for (address, state) in &input.observation.secrets.listed {
        let owner = state.tags.get(OWNER_TAG).and_then(|owner| owner.parse::<Key>().ok());
        let Some(key) = owner.filter(|key| key.kind == Kind::Secret && key.environment == environment.name) else {
            continue;
        };
        let wanted = input.goal == Goal::Converge && environment.secrets.contains_key(&key);
        let handed = heir_of_secret(input, address, &key).is_some();
        if handed || wanted || is_replica(address, state) || planner.entries.contains_key(&key) {
            continue;
        }
        let removing = Removing { planner, key: &key, address };
        if let Some(entry) = removing.entry(state) {
            leaving.insert(key, entry);
        }
    }
    planner.entries.extend(leaving);
}

/// `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME`.
fn scope_of(arn: &str) -> Option<Scope> {
    let mut parts = arn.split(':').skip(3);
    let (region, account) = (parts.next()?, parts.next()?);
    Some(Scope { account: account.parse().ok()?, region: region.parse().ok()? })
}

struct Removing<'a> {
    planner: &'a Planner<'a>,
    key: &'a Key,
    address: &'a Address,
}

impl Removing<'_> {
    /// What becomes of it; `None` once it is deleted.
    fn entry(&self, listed: &SecretState) -> Option<Entry> {
        let seen = &self.planner.input.observation.secrets;
        let mut entry = Entry {
            status: Some(status(listed)),
            action: Action::Delete,
            differences: vec![Difference::NotDesired],
            ..Entry::new(self.address.clone())
        };
        let Some(days) = listed.tags.get(DELETION_TAG).and_then(|tag| recovery_days(tag)) else {
            entry.action = Action::Retain;
            return listed.deleted.is_none().then_some(entry);
        };
        let state = match seen.described.get(self.address) {
            Some(Seen::Present(state)) => state,
            Some(Seen::Absent) => return None,
            Some(Seen::Unknown(why)) => {
                unknown(&mut entry, &why.to_string());
                return Some(entry);
            }
            None if listed.deleted.is_some() => return None,
            None => {
                self.planner.need(SecretNeed::Describe(self.address.clone()));
                unknown(&mut entry, "it has not been read");
                return Some(entry);
            }
        };
        // A listing may be behind: what was deleted, or is no longer ours, is left alone.
        if state.deleted.is_some() || state.tags.get(OWNER_TAG) != Some(&self.key.to_string()) {
            return None;
        }
        self.delete(&mut entry, state, days);
        Some(entry)
    }

    fn delete(&self, entry: &mut Entry, state: &SecretState, days: u8) {
        let replicas = state.replicas.clone().unwrap_or_default();
        // The ARN is in what is approved: a secret of the same name that was made since is another.
        let mut changes = vec![lost(state.arn.as_str(), Some(state.arn.as_str()))];
        changes.extend(replicas.keys().map(|region| lost(&format!("replica in {region}"), None)));
        entry.changes = Changes::Predicted(changes);
        self.permission(entry, state);
        if !entry.refused.is_empty() || !entry.waiting.is_empty() {
            return;
        }
        // AWS deletes no primary that has replicas.
        let action = if replicas.is_empty() {
            SecretDo::Delete { recovery_days: days }
        } else {
            SecretDo::RemoveReplicas { regions: replicas.into_keys().collect() }
        };
        let address = self.address.clone();
        let expect = SecretExpect::unmoved(state, OWNER_TAG);
        entry.step = Some(Box::new(Step {
            key: self.key.clone(),
            address: address.clone(),
            revision: self.planner.input.desired.revision.sequence,
            cost: (0, 0, 1),
            takes_over: None,
            depends_on: std::collections::BTreeSet::new(),
            action: Do::Secret(SecretStep { address, expect, action }),
        }));
    }

    fn permission(&self, entry: &mut Entry, state: &SecretState) {
        let input = self.planner.input;
        let environment = input.environment;
        let policy = &environment.policy;
        let empty = environment.dependencies().next().is_none();
        let used = state.accessed.is_some_and(|at| input.now.duration_since(at) < USED_WITHIN);
        if input.goal == Goal::Converge && empty {
            let release = "a revision without any objects is treated as a mistake: to delete an environment, use \
            `landfast destroy`";
            return refused(entry, Guard::Prune, "no manifest of this environment describes anything", release);
        }
        if policy.mode == Mode::Observe {
            return refused(
                entry,
                Guard::Mode,
                "the environment is in observe mode",
                "set `policy.mode` to `approve` or `apply`",
            );
        }
        if consent::covers(input, self.key, entry) {
            return;
        }
        match policy.prune {
            Prune::Never => {
                let reason = "its manifest was removed, and pruning is off";
                refused(
                    entry,
                    Guard::Prune,
                    reason,
                    "set `policy.prune` to `confirm` or `always`, or restore the manifest",
                );
            }
            Prune::Always if !guard::asks_to_delete(input, self.key, entry) && !used => {}
            Prune::Always | Prune::Confirm => {
                entry.waiting.push(guard::approval(input));
                if used {
                    let what = "the secret to be unused: its value was read within the last week".to_owned();
                    entry.waiting.push(Waiting::Someone { what });
                }
            }
        }
    }
}

/// `7 days`, within what AWS allows.
fn recovery_days(tag: &str) -> Option<u8> {
    let days: u8 = tag.strip_suffix(" days")?.parse().ok()?;
    Some(days.clamp(7, 30))
}
