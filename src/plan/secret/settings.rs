//! Tags, description, KMS key, resource policy, replicas.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde::Serialize;

use super::{DELETION_TAG, Deciding, refused, unknown};
use crate::model::{
    Access, Action, Broadening, ChangeAction, Changes, CheckedSettings, DeletionPolicy, Difference, Digest, Entry,
    Guard, Kind, OutputRef, Prune, Region, Replacement, ReplicaState, ReplicaStatus, ResourceChange, SecretDo,
    SecretNeed, SecretSource, SecretState, Seen, Text, Waiting,
};
use crate::plan::names::OWNER_TAG;
use crate::plan::resolve::Lookup;
use crate::plan::standing::{Standing, row};
use crate::plan::{consent, guard};
use crate::template;

/// The key that AWS manages for Secrets Manager.
const AWS_KEY: &str = "alias/aws/secretsmanager";

/// What a listing does not say is read again after so long although nothing is said to have changed.
const CHECKED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// Settings with every reference resolved.
#[derive(Serialize)]
pub(super) struct Settings {
    pub(super) tags: BTreeMap<String, String>,
    pub(super) kms_key: Option<String>,
    replicas: Option<BTreeMap<Region, Option<String>>>,
}

impl Deciding<'_> {
    /// The settings, if everything that they refer to is known.
    pub(super) fn settings(&self) -> Option<Settings> {
        let spec = self.spec;
        let text = |text: &Text| text.resolve(|reference| self.output(reference)).ok();
        let mut tags = BTreeMap::new();
        for (name, value) in &spec.tags {
            tags.insert(name.clone(), text(value)?);
        }
        tags.insert(OWNER_TAG.to_owned(), self.owner());
        if spec.deletion_policy == DeletionPolicy::Delete && spec.source != SecretSource::External {
            tags.insert(DELETION_TAG.to_owned(), format!("{} days", spec.recovery_days.clamp(7, 30)));
        }
        let key = |key: &Option<Text>| match key {
            None => Some(None),
            Some(key) => text(key).map(Some),
        };
        let replicas = match &spec.replicas {
            None => None,
            Some(replicas) => {
                let mut resolved = BTreeMap::new();
                for (region, kms_key) in replicas {
                    resolved.insert(region.clone(), key(kms_key)?);
                }
                Some(resolved)
            }
        };
        Some(Settings { tags, kms_key: key(&spec.kms_key)?, replicas })
    }

    /// An output of a stack that is at rest.
    fn output(&self, reference: &OutputRef) -> Option<String> {
        let input = self.planner.input;
        if reference.stack.kind == Kind::Secret {
            return match self.planner.lookup(reference) {
                Lookup::Known(arn) | Lookup::MayChange(arn) => Some(arn),
                Lookup::Pending => None,
            };
        }
        let home = input.desired.environments.get(&reference.stack.environment)?;
        let stack = home.stacks.get(&reference.stack)?;
        let Seen::Present(seen) = input.observation.stack(&stack.address()) else { return None };
        if row(seen.state.status).standing != Standing::Steady {
            return None;
        }
        seen.state.outputs.get(&reference.output).map(|output| output.value.clone())
    }

    pub(super) fn tags(&self, entry: &mut Entry, state: &SecretState, settings: &Settings) -> bool {
        let differ = settings.tags.iter().filter(|(name, value)| state.tags.get(*name) != Some(value));
        let set: BTreeMap<String, String> = differ.map(|(name, value)| (name.clone(), value.clone())).collect();
        for (name, value) in set.iter().filter(|(name, _)| *name != OWNER_TAG) {
            let (from, to) = (state.tags.get(name).cloned(), Some(value.clone()));
            entry.differences.push(Difference::Tag { name: name.clone(), from, to });
        }
        // Only those that we have set: others have tags of their own on our objects.
        let ours = |name: &&String| self.memory.tags.contains(*name) || *name == DELETION_TAG;
        let gone = state.tags.keys().filter(ours).filter(|name| !settings.tags.contains_key(*name));
        let gone: BTreeSet<String> = gone.cloned().collect();
        for name in &gone {
            let from = state.tags.get(name).cloned();
            entry.differences.push(Difference::Tag { name: name.clone(), from, to: None });
        }
        if !set.is_empty() {
            self.act(entry, state, SecretDo::Tag { tags: set });
            return true;
        }
        if !gone.is_empty() {
            self.act(entry, state, SecretDo::Untag { keys: gone });
            return true;
        }
        false
    }

    pub(super) fn configuration(&self, entry: &mut Entry, state: &SecretState, settings: &Settings) -> bool {
        let wanted = self.spec.description.clone();
        // AWS does not tell an empty description from none.
        let description = wanted.filter(|wanted| state.description.as_deref().unwrap_or_default() != wanted);
        let kms_key = self.other_key(state, settings);
        for (differs, name) in [(description.is_some(), "description"), (kms_key.is_some(), "KMS key")] {
            if differs {
                entry.differences.push(Difference::Setting { name: name.to_owned() });
            }
        }
        if description.is_none() && kms_key.is_none() {
            return false;
        }
        self.act(entry, state, SecretDo::Configure { description, kms_key });
        true
    }

    /// The key that is to encrypt it, where that is not the one that does. AWS leaves its own key out (AWS:
    /// *`DescribeSecret`*, `KmsKeyId`: "If the secret is encrypted with the AWS managed key `aws/secretsmanager`, this
    /// field is omitted"). Where the manifest names no key, that is the one; not of a secret that somebody else has made.
    fn other_key(&self, state: &SecretState, settings: &Settings) -> Option<String> {
        let made_elsewhere = self.spec.source == SecretSource::External || self.spec.adopt;
        if settings.kms_key.is_none() && made_elsewhere {
            return None;
        }
        let deployed = state.kms_key.as_deref().and_then(own_key);
        if settings.kms_key.as_deref().and_then(own_key) == deployed {
            return None;
        }
        Some(settings.kms_key.clone().unwrap_or_else(|| AWS_KEY.to_owned()))
    }

    /// What is remembered of settings that a listing does not say, while nothing has changed.
    fn checked(&self, state: &SecretState) -> Option<&CheckedSettings> {
        let checked = self.memory.checked.as_ref()?;
        let fresh = checked.changed == state.changed && self.now().duration_since(checked.at) < CHECKED_FOR;
        fresh.then_some(checked)
    }

    pub(super) fn policy(&self, entry: &mut Entry, state: &SecretState) -> bool {
        let Some(body) = &self.spec.resource_policy else { return false };
        let address = self.spec.address();
        // Never from memory: that somebody has put another policy does not have to show in anything else that AWS says of
        // the secret (*`DescribeSecret`*, `LastChangedDate`, names no request that moves it).
        let deployed: Option<Digest> = match self.planner.input.observation.secrets.policies.get(&address) {
            Some(Seen::Present(digest)) => Some(digest.clone()),
            Some(Seen::Absent) => None,
            Some(Seen::Unknown(why)) => {
                unknown(entry, &format!("its resource policy could not be read: {why}"));
                return false;
            }
            None => {
                self.planner.need(SecretNeed::Policy(address, state.arn.clone()));
                unknown(entry, "its resource policy has not been read");
                return true;
            }
        };
        if deployed == Some(template::policy_digest(body)) {
            return false;
        }
        let before = self.planner.input.observation.secrets.policy_texts.get(&address);
        if before.is_none() && deployed.is_some() {
            self.planner.need(SecretNeed::Policy(address, state.arn.clone()));
            unknown(entry, "its resource policy has not been read");
            return true;
        }
        entry.broadenings = self.opens(before.map(|body| &**body));
        entry.differences.push(Difference::Setting { name: "resource policy".to_owned() });
        self.act(entry, state, SecretDo::SetPolicy { body: body.clone() });
        true
    }

    /// Who may do what by its resource policy and could not before.
    pub(super) fn opens(&self, before: Option<&str>) -> Vec<Broadening> {
        let Some(body) = &self.spec.resource_policy else { return Vec::new() };
        let gain = |grants| Broadening {
            resource: self.spec.name.clone(),
            kind: "AWS::SecretsManager::Secret".to_owned(),
            access: Access::Resource,
            property: "resourcePolicy".to_owned(),
            grants,
            after_apply: false,
        };
        template::policy_gains(before, body).into_iter().map(gain).collect()
    }

    pub(super) fn replicas(&self, entry: &mut Entry, state: &SecretState, settings: &Settings) -> bool {
        let Some(wanted) = &settings.replicas else { return false };
        let remembered = self.checked(state).and_then(|checked| checked.replicas.as_ref());
        // What was on its way when it was remembered is asked for again.
        let at_rest = |replicas: &&BTreeMap<Region, ReplicaState>| {
            replicas.values().all(|replica| replica.status == ReplicaStatus::InSync)
        };
        let Some(deployed) = state.replicas.as_ref().or(remembered.filter(at_rest)) else {
            self.ask(entry);
            return true;
        };
        let missing: BTreeMap<Region, Option<String>> = wanted
            .iter()
            .filter(|(region, _)| !deployed.contains_key(*region))
            .map(|(region, key)| (region.clone(), key.clone()))
            .collect();
        let name = |region: &Region| Difference::Setting { name: format!("replica in {region}") };
        if !missing.is_empty() {
            entry.differences.extend(missing.keys().map(name));
            self.act(entry, state, SecretDo::Replicate { regions: missing });
            return true;
        }
        let surplus: BTreeSet<Region> = deployed.keys().filter(|there| !wanted.contains_key(*there)).cloned().collect();
        if !surplus.is_empty() {
            entry.differences.extend(surplus.iter().map(name));
            self.remove_replicas(entry, state, surplus);
            return true;
        }
        self.follow_replicas(entry, deployed, wanted)
    }

    fn follow_replicas(
        &self,
        entry: &mut Entry,
        deployed: &BTreeMap<Region, ReplicaState>,
        wanted: &BTreeMap<Region, Option<String>>,
    ) -> bool {
        for (region, replica) in deployed {
            let key = wanted.get(region).and_then(Option::as_deref);
            if replica.status == ReplicaStatus::Failed {
                let why = replica.message.as_deref().unwrap_or("AWS gives no reason");
                let reason = format!("the replica in {region} failed: {why}");
                refused(
                    entry,
                    Guard::Stuck,
                    reason,
                    "remove what blocks it there, and the replica; Landfast then creates it again",
                );
            } else if key.is_some() && replica.kms_key.as_deref().and_then(own_key) != key.and_then(own_key) {
                let reason = format!("the replica in {region} has another KMS key");
                refused(
                    entry,
                    Guard::Stuck,
                    reason,
                    "change its key in that region, or remove the replica from the manifest and add it again",
                );
            } else if replica.status == ReplicaStatus::Unclear {
                let why = format!("the replica in {region} has a status that this version of Landfast does not know");
                unknown(entry, &why);
            } else if replica.status == ReplicaStatus::InProgress {
                let until = self.now().saturating_add(SignedDuration::from_secs(10)).unwrap_or(self.now());
                entry.waiting.push(Waiting::Pause { until, why: format!("the replica in {region} is being created") });
            }
        }
        false
    }

    /// A replica is deleted at once, and whoever reads it there stands without: only with consent.
    fn remove_replicas(&self, entry: &mut Entry, state: &SecretState, regions: BTreeSet<Region>) {
        let input = self.planner.input;
        entry.action = Action::Update;
        entry.changes =
            Changes::Known(regions.iter().map(|region| lost(&format!("replica in {region}"), None)).collect());
        let approved = consent::covers(input, &self.spec.key, entry);
        match input.environment.policy.prune {
            _ if approved => {}
            Prune::Always => {}
            Prune::Confirm => return entry.waiting.push(guard::approval(input)),
            Prune::Never => {
                return refused(
                    entry,
                    Guard::Prune,
                    "replicas would be deleted, and pruning is off",
                    "set `policy.prune` to `confirm` or `always`, or restore the regions",
                );
            }
        }
        self.act(entry, state, SecretDo::RemoveReplicas { regions });
        if let Some(step) = &mut entry.step {
            step.cost = (0, 1, 0);
        }
    }
}

/// Something that is deleted.
pub(super) fn lost(what: &str, arn: Option<&str>) -> ResourceChange {
    ResourceChange {
        resource: what.to_owned(),
        kind: "AWS::SecretsManager::Secret".to_owned(),
        physical_id: arn.map(str::to_owned),
        action: ChangeAction::Remove,
        replacement: Replacement::Never,
        properties: BTreeSet::new(),
        values: Vec::new(),
        retained: false,
        nested: None,
        only_tags: false,
        unknown: None,
    }
}

/// Which key is meant: ids and aliases are given in full or in short.
fn key_of(text: &str) -> &str {
    let name = text.rsplit(':').next().unwrap_or(text);
    name.strip_prefix("key/").unwrap_or(name)
}

/// The same; `None` for AWS's own.
fn own_key(text: &str) -> Option<&str> {
    Some(key_of(text)).filter(|key| !key.is_empty() && *key != AWS_KEY && AWS_KEY.strip_prefix("alias/") != Some(*key))
}

#[cfg(test)]
mod tests {
    use super::{key_of, own_key};

    #[test]
    fn aws_own_key_is_none_however_it_is_written() {
        for own in ["alias/aws/secretsmanager", "aws/secretsmanager", "arn:aws:kms:r:1:alias/aws/secretsmanager", ""] {
            assert_eq!(own_key(own), None, "{own}");
        }
        assert_eq!(own_key("arn:aws:kms:r:1:alias/app"), Some("alias/app"));
    }

    #[test]
    fn a_key_is_the_same_in_full_and_in_short() {
        assert_eq!(key_of("arn:aws:kms:eu-central-1:111122223333:key/1234"), key_of("1234"));
        assert_eq!(key_of("arn:aws:kms:eu-central-1:111122223333:alias/app"), key_of("alias/app"));
        assert_ne!(key_of("alias/app"), key_of("app"));
    }
}
