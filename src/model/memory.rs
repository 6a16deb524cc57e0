//! What Landfast remembers between looks: the journal, read as facts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{
    BackupMemory, ChangeSetId, ChangeSetName, Consent, Contained, Deed, Digest, DriftMemory, Fingerprint,
    FingerprintKey, Freeze, GoneStack, Key, LastOperation, ReadinessMemory, RecordMemory, Review, SecretMemory,
    ServiceMemory, StackId, StackStatus, StackVersion, TemplateFacts, Writes,
};

/// All that is remembered of one environment. Losing it costs calls, never correctness.
#[derive(Clone, Debug)]
pub struct Memory {
    /// The key of `NoEcho` fingerprints.
    pub fingerprint_key: FingerprintKey,
    /// By object. Shared with the store until something of it changes: it is large, and looked at all the time.
    pub objects: Arc<Objects>,
    /// What was spent of the budget lately, oldest first.
    pub spent: Vec<Spent>,
    /// What a person approved.
    pub consent: Option<Consent>,
    /// What people have frozen, everywhere. Those that have ended are there too, for a while.
    pub freezes: Arc<[Freeze]>,
    /// What people have said of plans of this environment, the oldest first.
    pub reviews: Arc<[Review]>,
}

/// What is remembered of objects.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Of every object.
    pub common: BTreeMap<Key, Arc<ObjectMemory>>,
    /// Of stacks.
    pub stacks: BTreeMap<Key, Arc<StackMemory>>,
    /// Of services.
    pub services: BTreeMap<Key, Arc<ServiceMemory>>,
    /// Of secrets.
    pub secrets: BTreeMap<Key, Arc<SecretMemory>>,
    /// Of DNS records.
    pub records: BTreeMap<Key, Arc<RecordMemory>>,
    /// Of backup policies.
    pub backups: BTreeMap<Key, Arc<BackupMemory>>,
}

impl Objects {
    /// What is remembered of an object, of whatever kind it is.
    #[must_use]
    pub fn of(&self, key: &Key) -> Option<&ObjectMemory> {
        self.common.get(key).map(|memory| &**memory)
    }

    /// The stacks that have an operation of ours whose end was not seen yet.
    pub fn pending_stacks(&self) -> impl Iterator<Item = &Key> {
        self.stacks.iter().filter(|(_, memory)| memory.pending.is_some()).map(|(key, _)| key)
    }
}

/// What is remembered of every object, whatever its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ObjectMemory {
    /// The manifest's side of it when it was last as desired: what differs under the same one, somebody has changed.
    pub synced: Option<Digest>,
    /// Since when what somebody has changed of it is there, by what it is.
    pub differs: BTreeMap<String, Timestamp>,
    /// Who has changed it last while it differs, where an event has told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Box<Deed>>,
    /// Since when its checks hold or fail.
    pub ready: ReadinessMemory,
    /// The sequence of the newest revision that was applied (invariant S8).
    pub applied: Option<u64>,
}

impl ObjectMemory {
    /// This revision was applied.
    pub fn apply(&mut self, revision: u64) {
        self.applied = self.applied.max(Some(revision));
    }
}

/// The sequence of the revision that a change of memory says was applied, if it says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied(pub Option<u64>);

impl From<()> for Applied {
    fn from((): ()) -> Self {
        Self(None)
    }
}

/// Something that is remembered of an object: of one kind, or of any.
pub trait Remembered: Clone + Default + PartialEq + Serialize + DeserializeOwned {
    /// It is remembered of objects of every kind, beside what is of theirs alone.
    const COMMON: bool = false;

    /// All of its kind.
    fn all(objects: &Objects) -> &BTreeMap<Key, Arc<Self>>;

    /// All of its kind, to be changed.
    fn all_mut(objects: &mut Objects) -> &mut BTreeMap<Key, Arc<Self>>;

    /// What of it many objects have alike is kept once.
    fn share(&mut self, _shared: &mut Shared) {}
}

/// What is remembered of many objects alike. Hundreds of stacks are often deployed from one template.
#[derive(Debug, Default)]
pub struct Shared {
    templates: BTreeMap<Digest, Arc<TemplateFacts>>,
}

impl Shared {
    /// Templates that are kept before those that nobody remembers any more are forgotten.
    const TEMPLATES: usize = 4_096;

    fn template(&mut self, facts: &mut Arc<TemplateFacts>) {
        match self.templates.get(&facts.digest) {
            // What an earlier version has remembered may lack what this one reads.
            Some(known) if known == facts => *facts = Arc::clone(known),
            _ => {
                if self.templates.len() >= Self::TEMPLATES {
                    self.templates.retain(|_, known| Arc::strong_count(known) > 1);
                }
                self.templates.insert(facts.digest.clone(), Arc::clone(facts));
            }
        }
    }
}

macro_rules! remembered {
    ($($memory:ident in $field:ident),+ $(,)?) => {
        $(impl Remembered for $memory {
            fn all(objects: &Objects) -> &BTreeMap<Key, Arc<Self>> {
                &objects.$field
            }

            fn all_mut(objects: &mut Objects) -> &mut BTreeMap<Key, Arc<Self>> {
                &mut objects.$field
            }
        })+
    };
}

impl Remembered for ObjectMemory {
    const COMMON: bool = true;

    fn all(objects: &Objects) -> &BTreeMap<Key, Arc<Self>> {
        &objects.common
    }

    fn all_mut(objects: &mut Objects) -> &mut BTreeMap<Key, Arc<Self>> {
        &mut objects.common
    }
}

impl Remembered for StackMemory {
    fn all(objects: &Objects) -> &BTreeMap<Key, Arc<Self>> {
        &objects.stacks
    }

    fn all_mut(objects: &mut Objects) -> &mut BTreeMap<Key, Arc<Self>> {
        &mut objects.stacks
    }

    fn share(&mut self, shared: &mut Shared) {
        if let Some((_, facts)) = &mut self.template {
            shared.template(facts);
        }
    }
}

remembered! {
    ServiceMemory in services,
    SecretMemory in secrets,
    RecordMemory in records,
    BackupMemory in backups,
}

/// What is remembered of one stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StackMemory {
    /// What was read of the deployed stack, good for as long as the version has not moved.
    pub template: Option<(StackVersion, Arc<TemplateFacts>)>,
    /// What is in it, nested stacks included, for the version at which that was read: for people. Before anything is deleted
    /// it is read again, because a nested stack can be changed without its root.
    pub contents: Option<(StackVersion, Arc<[Contained]>)>,
    /// Digest of its stack policy, for the version at which it was read; `None` inside: it has none.
    pub stack_policy: Option<(StackVersion, Option<Digest>)>,
    /// AWS said of these inputs that they change nothing.
    pub settled: Option<Settled>,
    /// Fingerprints of the `NoEcho` values that we deployed, for the version they made.
    pub no_echo: Option<(StackVersion, BTreeMap<String, Fingerprint>)>,
    /// An operation that we began and have not yet seen the end of.
    pub pending: Option<Box<Operation>>,
    /// Failures of the same inputs.
    pub attempts: Option<Box<Attempts>>,
    /// Change sets that we have asked for and not yet removed.
    pub prepared: BTreeMap<ChangeSetName, Prepared>,
    /// This incarnation was made by us: AWS has answered our creation with it, or its events carry the token of ours. A tag
    /// proves nothing, because anybody who may update a stack can set it.
    pub made: Option<StackId>,
    /// This incarnation has been healthy: it is never deleted to fix it, and if it is gone, somebody has deleted it.
    pub healthy: Option<StackId>,
    /// What was read of that incarnation once it was gone.
    pub gone: Option<Box<GoneStack>>,
    /// Stacks of this object in other regions, which were left there when its region changed.
    pub left: BTreeSet<StackId>,
    /// The version at which we continued a rollback: once is enough.
    pub continued: Option<StackVersion>,
    /// What a rollback was continued without: nothing else updates the stack before that is in step with it again.
    pub skipped: Option<Box<Skipped>>,
    /// When a person has said that what was left out of rollbacks until then is in step.
    pub in_step: Option<Timestamp>,
    /// What it depended on when it was last deployed: deletions go in the reverse order.
    pub depends_on: BTreeSet<Key>,
    /// When what runs on it was last seen to move.
    pub watched: Option<Box<Watched>>,
    /// Since when it differs, and how much it did before.
    pub drift: DriftMemory,
}

// There is one for each of thousands of stacks, and most of them rest: what is rarely there is boxed.
const _: () = assert!(size_of::<StackMemory>() <= 768);

impl StackMemory {
    /// What `before` remembers, with what has been read of the stack since: it is remembered under two keys while it goes
    /// from one to the other.
    #[must_use]
    pub fn reads_before(&self, before: &Self) -> Self {
        let Self { template, contents, stack_policy, watched, .. } = self.clone();
        let before = before.clone();
        Self {
            template: template.or(before.template),
            contents: contents.or(before.contents),
            stack_policy: stack_policy.or(before.stack_policy),
            watched: watched.or(before.watched),
            ..before
        }
    }

    /// This incarnation was made or deployed by us, by the journal: whatever its tags say.
    #[must_use]
    pub fn has_made(&self, id: &StackId) -> bool {
        self.made.as_ref() == Some(id) || self.healthy.as_ref() == Some(id)
    }
}

/// A change set that we have asked for: written down before the call, and its ARN when the answer has come.
///
/// Only what our own call has answered says which change set is ours. A name says nothing: whoever may create change sets
/// can give theirs any name (invariant S23).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prepared {
    /// What it was asked for: the digest of inputs, version and mode.
    pub of: Digest,
    /// Which of several for the same: another one is asked for where an earlier one was lost or is taken.
    pub attempt: u32,
    /// When it was asked for.
    pub at: Timestamp,
    /// The ARN that AWS has answered. `None`: the answer was lost, or has not come yet.
    #[serde(default)]
    pub id: Option<ChangeSetId>,
    /// It is not used: somebody else's has its name, or it does not hold what was asked for.
    #[serde(default)]
    pub spoiled: bool,
    /// Where its template was uploaded to, if it had to be: bucket and key, of this change set alone.
    #[serde(default)]
    pub upload: Option<(String, String)>,
}

/// How far an operation was when its events were last read. They are not read at every look: an operation is suspected
/// only after hours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// On this incarnation.
    pub stack: StackId,
    /// In this phase.
    pub status: StackStatus,
    /// When they were read.
    pub at: Timestamp,
    /// When the newest of them happened.
    pub newest: Timestamp,
    /// What is in progress.
    pub working: Vec<Working>,
}

/// A resource that is being worked on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Working {
    /// Its logical id.
    pub resource: String,
    /// Its type.
    pub kind: String,
    /// What is done to it, in AWS's words: `UPDATE_IN_PROGRESS`.
    pub status: String,
    /// Since when.
    pub since: Timestamp,
}

/// Resources that a rollback was continued without. `CloudFormation` takes them for what they were, and they are not (AWS:
/// *Continue rolling back an update*: "If you don't, subsequent stack updates might fail, and the stack will become
/// unrecoverable").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Of this incarnation.
    pub stack: StackId,
    /// Their logical ids; in nested stacks `Stack.Resource`.
    pub resources: BTreeSet<String>,
    /// Since when.
    pub since: Timestamp,
    /// How bringing them into step has failed.
    #[serde(default)]
    pub failed: Option<Attempts>,
}

/// A desired state that AWS found equal to the deployed one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// The stack as it was.
    pub version: StackVersion,
    /// Digest of the resolved inputs.
    pub inputs: Digest,
}

/// What sort of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OperationKind {
    /// `CreateStack`.
    Create,
    /// `ExecuteChangeSet`.
    Update,
    /// `DeleteStack` of a stack that was never healthy, to try again.
    Clear,
    /// `DeleteStack` because the manifest is gone.
    Delete,
    /// `CancelUpdateStack`.
    Cancel,
    /// `ContinueUpdateRollback`.
    ContinueRollback,
    /// `ExecuteChangeSet`, of one that changes nothing but what a rollback was continued without.
    Resync,
}

/// An operation of ours: written down before the call, so that a crash cannot lose it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Operation {
    /// What sort.
    pub kind: OperationKind,
    /// The client request token: also in every event of the operation.
    pub token: String,
    /// The stack it acts on; `None` while we do not know the id of a stack we create.
    pub stack: Option<StackId>,
    /// The change set that is executed.
    pub change_set: Option<ChangeSetId>,
    /// Digest of the resolved inputs.
    pub inputs: Digest,
    /// Fingerprints of the `NoEcho` values among them.
    pub no_echo: BTreeMap<String, Fingerprint>,
    /// Resources that a rollback is continued without.
    #[serde(default)]
    pub skip: BTreeSet<String>,
    /// When it was begun.
    pub started: Timestamp,
    /// The sequence of the revision it was made for.
    pub revision: u64,
    /// What it writes.
    #[serde(default)]
    pub writes: Writes,
    /// The stack as it was when the operation was begun; `None` where there was none.
    #[serde(default)]
    pub from: Option<Before>,
    /// When AWS answered that it has begun. `None`: the answer is on its way, or was lost.
    #[serde(default)]
    pub answered: Option<Timestamp>,
}

/// A stack as an operation of ours found it: read right before the call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Before {
    /// As of which change.
    pub version: StackVersion,
    /// What AWS named as its last operations.
    #[serde(default)]
    pub operations: Vec<LastOperation>,
}

impl Operation {
    /// What attempts to continue a rollback without these are counted under.
    #[must_use]
    pub fn skipping(skip: &BTreeSet<String>) -> Digest {
        if skip.is_empty() { Digest::of_bytes(b"") } else { Digest::of(skip) }
    }
}

/// How an operation of ours ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Conclusion {
    /// As intended.
    Succeeded,
    /// Not as intended.
    Failed(Failure),
    /// AWS never saw it: the call was lost before it took effect.
    NotSeen,
    /// It is still running.
    Running,
}

/// Why an operation failed: its root cause.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The logical id, or the stack's name.
    pub resource: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The reason, as AWS gives it.
    pub reason: String,
    /// The resource handler reports a temporary error (AWS: *Handler error codes*).
    pub transient: bool,
}

/// How often the same inputs have failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// Digest of the resolved inputs.
    pub inputs: Digest,
    /// How often.
    pub count: u32,
    /// When it last failed.
    pub last: Timestamp,
    /// How it last failed.
    pub failure: Failure,
}

impl Attempts {
    /// One failure more. Other inputs begin anew.
    #[must_use]
    pub fn counted(earlier: Option<&Self>, inputs: Digest, failure: Failure, now: Timestamp) -> Self {
        let count = earlier.filter(|earlier| earlier.inputs == inputs).map_or(0, |earlier| earlier.count);
        Self { inputs, count: count.saturating_add(1), last: now, failure }
    }
}

/// A step that AWS has accepted, and that may have to be taken again because what it sets does not show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// What it was.
    pub inputs: Digest,
    /// How often.
    pub count: u32,
    /// When it was first taken.
    pub since: Timestamp,
    /// When it was last taken.
    pub last: Timestamp,
}

impl Taken {
    /// After so many times, and so long after the first of them, it is not for want of patience that nothing shows.
    const TIMES: u32 = 3;
    const WAITED: SignedDuration = SignedDuration::from_mins(2);
    /// After so long it is tried again.
    const AGAIN: SignedDuration = SignedDuration::from_hours(1);

    /// Once more. Another step, or one of long ago, begins anew.
    #[must_use]
    pub fn counted(earlier: Option<&Self>, inputs: Digest, now: Timestamp) -> Self {
        let same = earlier
            .filter(|earlier| earlier.inputs == inputs && now.duration_since(earlier.last).abs() <= Self::AGAIN * 2);
        let (count, since) = same.map_or((0, now), |same| (same.count, same.since));
        Self { inputs, count: count.saturating_add(1), since, last: now }
    }

    /// It has been taken in vain, and is not to be taken now: whatever else there is to do comes first.
    #[must_use]
    pub fn is_in_vain(&self, inputs: &Digest, now: Timestamp) -> bool {
        self.inputs == *inputs
            && self.count >= Self::TIMES
            && self.last.duration_since(self.since) >= Self::WAITED
            && now.duration_since(self.last).abs() < Self::AGAIN
    }
}

/// Something destructive that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// When.
    pub at: Timestamp,
    /// To which object.
    pub key: Key,
    /// Stacks changed, resources replaced or deleted, stacks deleted.
    pub stacks: u32,
    /// Resources replaced or removed.
    pub replacements: u32,
    /// Stacks deleted.
    pub deletions: u32,
}
