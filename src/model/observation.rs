//! What AWS was seen to have, and what could not be seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Address, BackupNeed, BackupsSeen, ChangeSetName, ChangeSetState, ChangeSetSummary, CheckNeed, ChecksSeen,
    Conclusion, Contained, DeletedStack, Digest, GoneStack, Key, RecordNeed, RecordsSeen, Scope, SecretNeed,
    SecretsSeen, ServiceNeed, ServicesSeen, StackAddress, StackEvent, StackId, StackName, StackState, StackStatus,
    TemplateFacts,
};

/// The answer to a question put to AWS. Unknown is not absent: no step may follow from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen<T> {
    /// It is met.
    Present(T),
    /// AWS answered completely, and it is not there.
    Absent,
    /// AWS did not answer, or not completely.
    Unknown(Unknown),
}

impl<T> Seen<T> {
    /// The value, if it is there.
    #[must_use]
    pub fn present(&self) -> Option<&T> {
        match self {
            Self::Present(value) => Some(value),
            Self::Absent | Self::Unknown(_) => None,
        }
    }

    /// The same, of what `change` makes of the value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Seen<U> {
        match self {
            Self::Present(value) => Seen::Present(change(value)),
            Self::Absent => Seen::Absent,
            Self::Unknown(why) => Seen::Unknown(why),
        }
    }
}

/// Why something could not be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Unknown(pub Arc<str>);

impl Unknown {
    /// For this reason.
    #[must_use]
    pub fn because(why: impl fmt::Display) -> Self {
        Self(why.to_string().into())
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One look at everything an environment touches. Never fails: what went wrong is in it.
#[derive(Clone, Debug)]
pub struct Observation {
    /// When the look began.
    pub at: Timestamp,
    /// When what is known was read, by what was asked.
    pub read: BTreeMap<Need, Timestamp>,
    /// Stacks that are to be read again, by name, before anything is decided.
    pub unread: BTreeSet<StackAddress>,
    /// How many operations may run at once in each account and region.
    pub room: BTreeMap<Scope, usize>,
    /// For every account and region: were the credentials those of the right account and all pages read?
    pub listings: BTreeMap<Scope, Result<(), Unknown>>,
    /// Pages that were read to list them: what listing them again costs.
    pub pages: BTreeMap<Scope, usize>,
    /// The stacks that concern us, wherever they were listed.
    pub stacks: BTreeMap<StackAddress, ObservedStack>,
    /// Stacks that were deleted within the last 90 days, the newest of each name, where that was asked for.
    pub deleted: BTreeMap<Scope, Seen<BTreeMap<StackName, DeletedStack>>>,
    /// What is known of some of them.
    pub gone: BTreeMap<StackId, Seen<GoneStack>>,
    /// How our last operations ended, where that was asked for.
    pub conclusions: BTreeMap<Key, Seen<Conclusion>>,
    /// Services and images.
    pub services: ServicesSeen,
    /// Secrets.
    pub secrets: SecretsSeen,
    /// DNS records.
    pub records: RecordsSeen,
    /// Tables and recovery points.
    pub backups: BackupsSeen,
    /// Readiness checks.
    pub checks: ChecksSeen,
    /// Buckets for templates.
    pub buckets: BTreeMap<(Scope, String), Seen<Bucket>>,
    /// Values in Systems Manager Parameter Store.
    pub stored: BTreeMap<(Scope, String), Seen<String>>,
}

/// A bucket for templates, as it is found from an account and region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// It is there, and keeps versions.
    Versioned,
    /// It is there, and what is in it can be written over.
    Unversioned,
    /// There is none of that name, or it is in another region, or of another account: in AWS's words.
    Unusable(String),
}

impl Observation {
    /// Nothing was looked at yet.
    #[must_use]
    pub fn begun(at: Timestamp) -> Self {
        Self {
            at,
            read: BTreeMap::new(),
            unread: BTreeSet::new(),
            room: BTreeMap::new(),
            listings: BTreeMap::new(),
            pages: BTreeMap::new(),
            stacks: BTreeMap::new(),
            deleted: BTreeMap::new(),
            gone: BTreeMap::new(),
            conclusions: BTreeMap::new(),
            services: ServicesSeen::default(),
            secrets: SecretsSeen::default(),
            records: RecordsSeen::default(),
            backups: BackupsSeen::default(),
            checks: ChecksSeen::default(),
            buckets: BTreeMap::new(),
            stored: BTreeMap::new(),
        }
    }

    /// What listing all stacks again costs, in calls.
    #[must_use]
    pub fn all_pages(&self) -> usize {
        self.pages.values().sum()
    }

    /// When the read that says how the stack at an address is was sent, or earlier.
    #[must_use]
    pub fn read_at(&self, address: &StackAddress) -> Timestamp {
        let by_name = self.read.get(&StackNeed::Stack(address.clone()).into());
        let listed = || self.read.get(&StackNeed::Listing(address.scope.clone()).into());
        by_name.or_else(listed).copied().unwrap_or(self.at)
    }

    /// The stack that an entry is about, if it is about one.
    #[must_use]
    pub fn stack_at(&self, address: &Address) -> Seen<&ObservedStack> {
        address.as_stack().map_or(Seen::Absent, |address| self.stack(&address))
    }

    /// The stack at an address. Absent only when its scope was listed completely.
    #[must_use]
    pub fn stack(&self, address: &StackAddress) -> Seen<&ObservedStack> {
        if self.unread.contains(address) {
            return Seen::Unknown(Unknown::because("not read again yet"));
        }
        match (self.listings.get(&address.scope), self.stacks.get(address)) {
            (Some(Ok(())), Some(stack)) => Seen::Present(stack),
            (Some(Ok(())), None) => Seen::Absent,
            (Some(Err(why)), _) => Seen::Unknown(why.clone()),
            (None, _) => Seen::Unknown(Unknown::because("not checked yet")),
        }
    }
}

/// A stack, with the details that were asked for.
#[derive(Clone, Debug)]
pub struct ObservedStack {
    /// What the listing says.
    pub state: StackState,
    /// The template it was deployed from. `None`: was not asked for.
    pub template: Option<Seen<Arc<TemplateFacts>>>,
    /// The text of that template. `None`: was not asked for.
    pub text: Option<Seen<Arc<str>>>,
    /// Digest of its stack policy (absent: it has none).
    pub stack_policy: Option<Seen<Digest>>,
    /// Its change sets.
    pub change_sets: Option<Box<ChangeSets>>,
    /// Who imports its exports, by export name.
    pub importers: BTreeMap<String, Seen<BTreeSet<StackName>>>,
    /// Completion time of the newest backup of a resource, by physical id.
    pub backups: BTreeMap<String, Seen<Timestamp>>,
    /// ECS services that it has begun to make, by logical id, while it is being created. `None`: was not asked for.
    pub making: Option<Seen<BTreeMap<String, super::ServiceArn>>>,
    /// What is in it, or in a stack nested in it, by that stack's id. Nested stacks included.
    pub contents: BTreeMap<StackId, Seen<Arc<[Contained]>>>,
    /// Events of the last phase of its operation, newest first: its own, and those of stacks nested in it.
    pub events: BTreeMap<StackId, Seen<Arc<[StackEvent]>>>,
}

// There is one for each of thousands of stacks, and of most of them only the listing is known: what is rarely asked for
// is boxed.
const _: () = assert!(size_of::<ObservedStack>() <= 768);

impl ObservedStack {
    /// A stack of which only the listing is known.
    #[must_use]
    pub fn listed(state: StackState) -> Self {
        Self {
            state,
            template: None,
            text: None,
            stack_policy: None,
            change_sets: None,
            importers: BTreeMap::new(),
            backups: BTreeMap::new(),
            making: None,
            contents: BTreeMap::new(),
            events: BTreeMap::new(),
        }
    }
}

/// The change sets on a stack.
#[derive(Clone, Debug)]
pub struct ChangeSets {
    /// All of them.
    pub all: Seen<Vec<ChangeSetSummary>>,
    /// The one that was asked for, with its changes.
    pub described: Option<Seen<ChangeSetState>>,
}

/// Something the planner must know before it can decide, and has not been told. Answering needs is all that
/// `observe` does beyond listing; which needs there are is decided by `plan::needs`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Something about stacks.
    Stack(StackNeed),
    /// Something about a service or its images.
    Service(ServiceNeed),
    /// Something about a secret.
    Secret(SecretNeed),
    /// Something about a DNS record.
    Record(RecordNeed),
    /// Something about tables and recovery points.
    Backup(BackupNeed),
    /// The answer of a readiness check.
    Check(CheckNeed),
    /// The value of a parameter in Systems Manager Parameter Store.
    Stored(Scope, String),
}

/// Something about stacks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StackNeed {
    /// A complete listing of an account and region.
    Listing(Scope),
    /// One stack, by name: less than a listing where there are thousands.
    Stack(StackAddress),
    /// Which stacks were deleted in an account and region within the last 90 days.
    Deleted(Scope),
    /// How a stack that is not there any more was deleted, and what was in it.
    Gone(StackAddress, StackId),
    /// The template of a stack.
    Template(StackAddress, StackId),
    /// The text of the template of a stack: what it says of its resources, and not only that it is another one.
    Text(StackAddress, StackId),
    /// The stack policy of a stack.
    StackPolicy(StackAddress, StackId),
    /// The list of change sets on a stack, and one of them described, if it is there.
    ChangeSets(StackAddress, StackId, Option<ChangeSetName>),
    /// How our operation on a stack ended. The time is that of the stack's last change, where it still exists: events
    /// that do not reach up to it are out of date.
    Conclusion(Key, StackAddress, StackId, Option<Timestamp>, Box<super::Operation>),
    /// Whether a bucket can be used for templates.
    Bucket(Scope, String),
    /// Which ECS services a stack that is being created has begun to make: its outputs are not there yet.
    Making(StackAddress, StackId),
    /// Who imports an export of a stack.
    Importers(StackAddress, String),
    /// The newest backup of a resource of a stack: type and physical id.
    Backup(StackAddress, String, String),
    /// What is in a stack, or in one that is nested in it: what would go with it.
    Contents(StackAddress, StackId),
    /// Events of the last phase of an operation on a stack, or on one that is nested in it. The status is what the
    /// newest event has to say, where it was seen: those that do not are out of date.
    Events(StackAddress, StackId, Option<StackStatus>),
}

impl StackNeed {
    /// The stack that it is about, if it is about one that there is.
    #[must_use]
    pub const fn stack(&self) -> Option<&StackAddress> {
        match self {
            Self::Stack(address)
            | Self::Template(address, _)
            | Self::Text(address, _)
            | Self::StackPolicy(address, _)
            | Self::ChangeSets(address, ..)
            | Self::Making(address, _)
            | Self::Importers(address, _)
            | Self::Backup(address, ..)
            | Self::Contents(address, _)
            | Self::Events(address, ..) => Some(address),
            Self::Listing(_) | Self::Deleted(_) | Self::Gone(..) | Self::Conclusion(..) | Self::Bucket(..) => None,
        }
    }
}

impl From<CheckNeed> for Need {
    fn from(need: CheckNeed) -> Self {
        Self::Check(need)
    }
}

impl From<RecordNeed> for Need {
    fn from(need: RecordNeed) -> Self {
        Self::Record(need)
    }
}

impl From<StackNeed> for Need {
    fn from(need: StackNeed) -> Self {
        Self::Stack(need)
    }
}
