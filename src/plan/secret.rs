//! What a desired secret needs.
//!
//! Settings are compared as they are. A value is compared by version ids first, and only where the current version is
//! not the one that is remembered, by fingerprints of its fields: nothing is read while nothing moves. What is made by
//! ourselves is never made again because we forgot that we made it: what the secret has, is kept.

mod removal;
mod rotation;
mod settings;
mod stale;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::names::OWNER_TAG;
use super::planner::{Planner, refuse};
use super::{Input, attempts, guard, handover};
use crate::model::{
    Act, Action, AppliedValue, Basis, Difference, Digest, Do, Entry, Guard, Key, Kind, Make, Refusal, SecretDo,
    SecretExpect, SecretMemory, SecretNeed, SecretSource, SecretSpec, SecretState, SecretStep, Seen, Step, Unknown,
    VersionId, Waiting,
};

pub(super) use removal::decide as decide_removals;
pub use stale::restarts;
pub(super) use stale::{Stale, Versions};

/// A listing may be so far behind (AWS: *`ListSecrets`*: "might not reflect changes from the last five minutes"); twice
/// that, after a change of ours, only what is asked by name counts.
const LAG: SignedDuration = SignedDuration::from_mins(10);

/// One version of a value in so long: AWS keeps a hundred, and removes none that is less than a day old (AWS:
/// *`PutSecretValue`*: "not at a sustained rate of more than once every 10 minutes").
pub(super) const WRITE_EVERY: SignedDuration = SignedDuration::from_mins(10);

/// The tag that says that a secret may be deleted when its manifest is gone, and for how many days it can then be
/// restored. A secret without it stays.
pub const DELETION_TAG: &str = "landfast:deletion";

/// Decides on one desired secret. Its dependencies have been decided before.
pub(super) fn decide(planner: &Planner<'_>, spec: &SecretSpec) -> Entry {
    let seen = &planner.input.observation.secrets;
    let address = spec.address();
    let mut memory = planner.remembered::<SecretMemory>(&spec.key);
    if let Seen::Present(state) = seen.secret(&address)
        && let Some(from) = former(planner.input, &spec.key, state.tags.get(OWNER_TAG).map(String::as_str))
        && let Some(before) = planner.input.memory.objects.secrets.get(&from)
    {
        memory = Arc::clone(before);
    }
    let deciding = Deciding { planner, spec, memory: &memory, named: seen.described.contains_key(&address) };
    let basis = Basis { inputs: deciding.settings().as_ref().map(Digest::of), ..Basis::of(spec.digest.clone()) };
    let mut entry = Entry { depends_on: spec.depends_on.clone(), basis, ..Entry::new(address.clone()) };
    if !seen.listings.contains_key(&address.scope) {
        planner.need(SecretNeed::Listing(address.scope.clone()));
        unknown(&mut entry, "the secrets of its account and region have not been listed");
        return entry;
    }
    match seen.secret(&address) {
        Seen::Unknown(Unknown(why)) => unknown(&mut entry, &why),
        // It may have been made within the last five minutes.
        Seen::Absent if !deciding.named => deciding.ask(&mut entry),
        Seen::Absent => deciding.absent(&mut entry),
        Seen::Present(state) => deciding.present(&mut entry, state),
    }
    deciding.finish(&mut entry);
    deciding.restarted(&mut entry);
    entry
}

/// The key that `owner` names, if the secret goes over from it to `key`.
pub(super) fn former(input: &Input<'_>, key: &Key, owner: Option<&str>) -> Option<Key> {
    handover::former(input, key, owner, |home, key| home.secrets.contains_key(key))
}

struct Deciding<'a> {
    planner: &'a Planner<'a>,
    spec: &'a SecretSpec,
    memory: &'a SecretMemory,
    /// What is seen of it was asked for by name.
    named: bool,
}

fn unknown(entry: &mut Entry, why: &str) {
    entry.action = Action::Unknown;
    entry.waiting.push(Waiting::Unknown { why: why.to_owned() });
}

fn refused(entry: &mut Entry, guard: Guard, reason: impl Into<String>, release: impl Into<String>) {
    refuse(entry, Refusal { guard, reason: reason.into(), release: release.into() });
}

impl Deciding<'_> {
    fn now(&self) -> Timestamp {
        self.planner.input.now
    }

    /// The key that the secret says it belongs to, where that is its name before it was renamed or moved.
    fn former(&self) -> Option<Key> {
        let Seen::Present(state) = self.planner.input.observation.secrets.secret(&self.spec.address()) else {
            return None;
        };
        former(self.planner.input, &self.spec.key, state.tags.get(OWNER_TAG).map(String::as_str))
    }

    fn owner(&self) -> String {
        self.spec.key.to_string()
    }

    fn step(&self, expect: SecretExpect, action: SecretDo) -> Box<Step> {
        let address = self.spec.address();
        Box::new(Step {
            key: self.spec.key.clone(),
            address: address.clone(),
            revision: self.planner.input.desired.revision.sequence,
            cost: (0, 0, 0),
            takes_over: self.former(),
            depends_on: self.spec.depends_on.clone(),
            action: Do::Secret(SecretStep { address, expect, action }),
        })
    }

    /// The step on what is there, in this state.
    fn act(&self, entry: &mut Entry, state: &SecretState, action: SecretDo) {
        if matches!(entry.action, Action::None | Action::Unknown) {
            entry.action = Action::Update;
        }
        entry.step = Some(self.step(SecretExpect::unmoved(state, OWNER_TAG), action));
    }

    /// Whether the step can be taken now. If AWS has refused it lately, or has accepted it in vain, the entry says so, and
    /// something else is done first. Whose the secret is comes before everything else.
    fn stands(&self, entry: &mut Entry) -> bool {
        let Some(step) = &entry.step else { return true };
        let (verb, inputs) = (step.action.verb(), Digest::of(&step.action.identity()));
        if matches!(&step.action, Do::Secret(SecretStep { action: SecretDo::Tag { tags }, .. }) if tags.contains_key(OWNER_TAG))
        {
            return true;
        }
        if self.memory.taken.get(verb).is_some_and(|taken| taken.is_in_vain(&inputs, self.now())) {
            entry.step = None;
            refuse(entry, attempts::in_vain(&format!("`{verb}`")));
            return false;
        }
        !attempts::hold(self.planner.input, attempts::of(self.memory.refused.get(verb), &inputs), u32::MAX, entry)
    }

    fn ask(&self, entry: &mut Entry) {
        self.planner.need(SecretNeed::Describe(self.spec.address()));
        unknown(entry, "it has not been read");
    }

    fn absent(&self, entry: &mut Entry) {
        let Some(make) = self.make() else {
            entry.action = Action::Create;
            let was =
                self.planner.input.memory.objects.of(&self.spec.key).is_some_and(|memory| memory.synced.is_some());
            let reason = if was {
                entry.differences.push(Difference::Missing { name: format!("the secret {}", self.spec.name) });
                format!("the secret {} no longer exists: deleted outside Landfast", self.spec.name)
            } else {
                format!(
                    "the secret {} does not exist, and its manifest says that it is created elsewhere (`external: \
                    true`)",
                    self.spec.name
                )
            };
            return refused(entry, Guard::Missing, reason, "create it, or correct `name` in its manifest");
        };
        entry.action = Action::Create;
        entry.differences.push(Difference::Absent);
        if let Some(other) = self.elsewhere() {
            let reason = format!("its secret exists as {other}; a second one would be created");
            return refused(
                entry,
                Guard::Ownership,
                reason,
                format!("restore its name and region, or remove the tag {OWNER_TAG} from {other}"),
            );
        }
        entry.broadenings = self.opens(None);
        let Some(settings) = self.settings() else { return self.wait_for_references(entry) };
        entry.step = Some(self.step(
            SecretExpect::Absent,
            SecretDo::Create {
                token: VersionId::made_of(&self.spec.key, "create", &(&self.spec.digest, &self.memory.arn)),
                make,
                description: self.spec.description.clone(),
                kms_key: settings.kms_key,
                tags: settings.tags,
            },
        ));
    }

    /// How its value is made from nothing.
    fn make(&self) -> Option<Make> {
        match &self.spec.source {
            SecretSource::Generated(fields) => Some(Make::Fields(fields.clone())),
            SecretSource::Sealed(file) => Some(Make::Unseal(file.clone().into(), value::source(file))),
            SecretSource::External => None,
        }
    }

    /// A secret that carries this object's tag under another name or in another region: the manifest was renamed. Its
    /// value would be lost to whoever uses it, or made anew.
    fn elsewhere(&self) -> Option<&crate::model::Address> {
        let owner = self.owner();
        let listed = &self.planner.input.observation.secrets.listed;
        let ours = |state: &SecretState| state.tags.get(OWNER_TAG) == Some(&owner) && state.deleted.is_none();
        // One that another object takes over is that one's.
        let stays = |address| handover::heir_of_secret(self.planner.input, address, &self.spec.key).is_none();
        let mine = |address, state: &SecretState| ours(state) && !is_replica(address, state) && stays(address);
        let found = listed.iter().find(|(address, state)| mine(address, state));
        found.map(|(address, _)| address)
    }

    fn present(&self, entry: &mut Entry, state: &SecretState) {
        entry.status = Some(status(state));
        let address = self.spec.address();
        if is_replica(&address, state) {
            let home = state.primary.as_ref().map_or_else(String::new, ToString::to_string);
            return refused(
                entry,
                Guard::Ownership,
                format!("it is a replica of the secret in {home}"),
                "set the region of the primary secret in the manifest",
            );
        }
        let external = self.spec.source == SecretSource::External;
        match state.tags.get(OWNER_TAG) {
            Some(owner) if *owner == self.owner() => {}
            Some(owner) if self.former().is_some() => {
                entry.action = Action::Adopt;
                entry.differences.push(Difference::Renamed { from: owner.clone() });
            }
            // A stack of ours has made it, and its tags are on it (AWS: *Resource tags*: they propagate): it is created
            // elsewhere, as its manifest says.
            Some(owner) if external && !self.spec.adopt && is_of_a_stack(owner) => return self.foreign(entry, state),
            Some(owner) => {
                return refused(
                    entry,
                    Guard::Ownership,
                    format!("it belongs to {owner}"),
                    "remove it from one of the two manifests",
                );
            }
            None if external && !self.spec.adopt => return self.foreign(entry, state),
            None if let Some(service) = state.owning_service.as_ref().filter(|_| !external) => {
                return refused(
                    entry,
                    Guard::Ownership,
                    format!("the AWS service {service} manages it"),
                    "use `external: true`",
                );
            }
            None if self.spec.adopt => {
                entry.action = Action::Adopt;
                entry.differences.push(Difference::Owner);
            }
            None => {
                return refused(
                    entry,
                    Guard::Ownership,
                    "a secret with this name exists and has no owner tag of Landfast",
                    "set `adopt: true` to adopt it unchanged, or choose another name",
                );
            }
        }
        if state.deleted.is_some() {
            entry.differences.push(Difference::Deleted);
            return self.act(entry, state, SecretDo::Restore);
        }
        let Some(settings) = self.settings() else { return self.wait_for_references(entry) };
        entry.ready = state.current().is_some();
        // In this order: whose it is, how it is protected, what is in it, where else it is. What cannot be done now holds up
        // none of the others (invariant L8).
        let decided = (self.tags(entry, state, &settings) && self.stands(entry))
            || (self.configuration(entry, state, &settings) && self.stands(entry))
            || (self.policy(entry, state) && self.stands(entry))
            || self.value(entry, state)
            || self.replicas(entry, state, &settings);
        // With a replica that has failed, a new value would not get everywhere.
        if !decided && entry.refused.is_empty() {
            self.rotation(entry, state);
        }
        entry.ready &= entry.refused.is_empty() && entry.action != Action::Unknown;
    }

    /// Somebody else's, and it is not asked to be taken over: that it is there is all.
    fn foreign(&self, entry: &mut Entry, state: &SecretState) {
        entry.ready = state.deleted.is_none() && state.current().is_some();
        if entry.ready {
            return;
        }
        entry.action = Action::Update;
        if let Some(at) = state.deleted {
            entry.differences.push(Difference::Deleted);
            // AWS documents `DeletedDate` as the day of the deletion in one place, and as that of its end in another.
            let reason =
                format!("the secret {} was deleted outside Landfast; its `DeletedDate` is {at}", self.spec.name);
            let release = format!(
                "restore it while this is possible: `aws secretsmanager restore-secret --region {} --secret-id {}`",
                self.spec.scope.region, self.spec.name
            );
            return refused(entry, Guard::Missing, reason, release);
        }
        let reason =
            format!("the secret {} has no value, and its manifest says that it is set elsewhere", self.spec.name);
        refused(entry, Guard::Missing, reason, "give it a value");
    }

    fn applied(&self, state: &SecretState) -> Option<&AppliedValue> {
        self.memory.applied.as_ref().filter(|applied| Some(&applied.version) == state.current())
    }

    /// What holds for every step, whichever it is.
    fn finish(&self, entry: &mut Entry) {
        let (seen, address) = (&self.planner.input.observation, self.spec.address());
        let listed = seen.read.get(&SecretNeed::Listing(address.scope.clone()).into()).copied();
        let touched = self.memory.touched.max(seen.secrets.changed.get(&address).copied());
        let touched = touched.is_some_and(|at| listed.unwrap_or(self.now()).duration_since(at) < LAG);
        let mutates = entry.step.as_ref().is_some_and(|step| step.action.mutates());
        if !self.named && (mutates || touched) {
            entry.step = None;
            self.planner.need(SecretNeed::Describe(self.spec.address()));
            if mutates {
                entry.waiting.push(Waiting::Unknown { why: "it has not been read".to_owned() });
            }
        }
        if entry.action == Action::None {
            return;
        }
        if mutates && entry.step.is_some() {
            self.wait_for_dependencies(entry);
            self.hold_back(entry);
        }
        guard::broadening(self.planner.input, &self.spec.key, entry);
        guard::mode(self.planner.input, &self.spec.key, entry);
        guard::never_older(self.planner.input, &self.spec.key, entry);
    }

    fn wait_for_dependencies(&self, entry: &mut Entry) {
        let ready = |key: &&Key| self.planner.entries.get(*key).is_none_or(|entry| entry.ready);
        let unready: BTreeSet<String> =
            self.spec.depends_on.iter().filter(|key| !ready(key)).map(ToString::to_string).collect();
        if !unready.is_empty() {
            entry.step = None;
            entry.waiting.push(Waiting::Dependency { objects: unready });
        }
    }

    fn wait_for_references(&self, entry: &mut Entry) {
        if entry.action == Action::None {
            entry.action = Action::MayUpdate;
        }
        let objects = self.spec.depends_on.iter().map(ToString::to_string).collect();
        entry.waiting.push(Waiting::Dependency { objects });
    }

    /// Nothing else is to be done: what services have got is not to be got any more.
    fn restarted(&self, entry: &mut Entry) {
        if entry.step.is_some() || self.memory.restarts.is_empty() {
            return;
        }
        let input = self.planner.input;
        let named = self.spec.rotation.as_ref().map(|rotation| &rotation.restart);
        let mut services = BTreeMap::new();
        for (service, wanted) in &self.memory.restarts {
            let exists = input.environment.services.contains_key(service)
                || named.is_some_and(|restart| restart.contains(service));
            let has = input.memory.objects.services.get(service).and_then(|memory| memory.has.get(&self.spec.key));
            let met = |version: &&VersionId| !exists || has.is_some_and(|has| has.contains(*version));
            let done: BTreeSet<VersionId> = wanted.iter().filter(met).cloned().collect();
            if !done.is_empty() {
                services.insert(service.clone(), done);
            }
        }
        if !services.is_empty() {
            entry.step = Some(self.step(SecretExpect::Nothing, SecretDo::Restarted { services }));
        }
    }

    /// What was refused is tried again later if that can help, and otherwise when it is another step (invariant L7).
    fn hold_back(&self, entry: &mut Entry) {
        let Some(step) = &entry.step else { return };
        let failed = self.memory.refused.get(step.action.verb());
        let failed = attempts::of(failed, &Digest::of(&step.action.identity()));
        attempts::hold(self.planner.input, failed, u32::MAX, entry);
    }
}

/// An owner tag that names a stack.
fn is_of_a_stack(owner: &str) -> bool {
    owner.parse::<Key>().is_ok_and(|key| key.kind == Kind::Stack)
}

/// It is a copy of a primary elsewhere.
fn is_replica(address: &crate::model::Address, state: &SecretState) -> bool {
    state.primary.as_ref().is_some_and(|primary| *primary != address.scope.region)
}

/// One word for people: Secrets Manager has no status.
fn status(state: &SecretState) -> String {
    let word = if state.deleted.is_some() {
        "DELETED"
    } else if state.pending().is_some() {
        "PENDING"
    } else if state.current().is_some() {
        "CURRENT"
    } else {
        "EMPTY"
    };
    word.to_owned()
}
