//! Everything that the simulated AWS remembers, and the agenda by which it moves.
//!
//! There are no background tasks: whatever became due since the last call happens, in order and at its own time, when
//! the next call arrives ([`World::advance`]).

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::audit::Audit;
use super::config::SimConfig;
use super::ecs::Ecs;
use super::fault::FaultPlan;
use super::reader::{self, Parsed};
use super::resource::STACK;
use super::secret::Secret;
use super::site::Site;
use super::stack::{Stack, Version};
use super::tampered::{Detected, Told};
use super::zone::Dns;
use crate::model::{
    ChangeSetId, ChangeSetName, Scope, ServiceArn, StackEvent, StackId, StackName, StackState, StackStatus,
};

/// The simulated AWS, all accounts and regions.
pub(super) struct World {
    pub(super) config: SimConfig,
    pub(super) data: Data,
    pub(super) faults: FaultPlan,
    pub(super) audit: Audit,
    /// A call of Landfast takes effect just now: what is done then is its doing.
    pub(super) acting: bool,
    /// Wakes whoever waits for events.
    pub(super) posted: Arc<Notify>,
    /// What time it was at AWS when the context's stopwatch read `origin`. AWS's clock does not follow the daemon's
    /// when that one is set.
    start: Timestamp,
    origin: Duration,
    by_id: HashMap<StackId, usize>,
    /// Which stack a change set belongs to, deleted ones too.
    owners: HashMap<ChangeSetId, usize>,
    templates: HashMap<Arc<str>, Result<Arc<Parsed>, String>>,
}

/// What is saved between two runs.
#[derive(Serialize, Deserialize)]
pub(super) struct Data {
    /// AWS's time, as of the last call.
    pub(super) now: Timestamp,
    pub(super) regions: Vec<Region>,
    /// Deleted ones too: their events stay readable.
    pub(super) stacks: Vec<Stack>,
    #[serde(with = "pairs")]
    pub(super) agenda: BTreeMap<(Timestamp, u64), Due>,
    /// Counts everything that must be told apart.
    pub(super) serial: u64,
    /// Physical names that are taken, and by which stack: `space|type|name`.
    pub(super) names: BTreeMap<String, StackName>,
    /// S3: bucket, key, body.
    pub(super) objects: BTreeMap<String, BTreeMap<String, Arc<str>>>,
    /// S3: the versions of an object, oldest first, by `bucket/key`.
    #[serde(default)]
    pub(super) versions: BTreeMap<String, Vec<(String, Arc<str>)>>,
    /// When the newest backup was completed: `scope|type|physical id`.
    pub(super) backups: BTreeMap<String, Timestamp>,
    /// The Systems Manager parameter store: `scope|name`.
    pub(super) stored: BTreeMap<String, String>,
    /// What web servers do, by host, where somebody has said so.
    #[serde(default)]
    pub(super) sites: BTreeMap<String, Site>,
    /// Route 53.
    #[serde(default)]
    pub(super) dns: Dns,
    /// Detections of drift: the last of each stack.
    #[serde(default)]
    pub(super) detections: Vec<Detected>,
    /// The trail: what the console did to resources, oldest first.
    #[serde(default)]
    pub(super) told: Vec<Told>,
    /// Secrets Manager.
    #[serde(default)]
    pub(super) secrets: Vec<Secret>,
    /// `DynamoDB`.
    #[serde(default)]
    pub(super) dynamo: super::dynamo::Dynamo,
    /// Events that wait in the queue.
    #[serde(default)]
    pub(super) mail: super::events::Mail,
    /// Metrics that were published.
    #[serde(default)]
    pub(super) metrics: super::metrics::Published,
    /// AWS Backup.
    #[serde(default)]
    pub(super) vaulted: super::vaults::Vaulted,
}

/// One account in one region.
#[derive(Serialize, Deserialize)]
pub(super) struct Region {
    pub(super) scope: Scope,
    /// Stacks that are not deleted.
    pub(super) live: BTreeMap<StackName, usize>,
    /// Exports: who exports what.
    pub(super) exports: BTreeMap<String, (StackName, String)>,
    /// Who imports what.
    pub(super) imports: BTreeMap<String, BTreeSet<StackName>>,
    /// Its services and images.
    #[serde(default)]
    pub(super) ecs: Ecs,
    /// Read calls still free, as of then.
    #[serde(skip)]
    pub(super) reads: Option<(f64, Timestamp)>,
}

/// Something that happens later.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Due {
    /// A resource is done.
    Task { stack: usize, serial: u64, task: String },
    /// A phase of an operation is over.
    Settle { stack: usize, serial: u64 },
    /// A creation took too long.
    Timeout { stack: usize, operation: u64 },
    /// Something happens in an ECS service.
    Service { region: usize, service: ServiceArn, serial: u64 },
    /// A change set is computed.
    Prepare { stack: usize, name: ChangeSetName, serial: u64 },
    /// A job of AWS Backup is over.
    Vault { job: usize },
}

impl World {
    /// A world without stacks, in which it is now `start`.
    pub(super) fn new(config: SimConfig, start: Timestamp, origin: Duration) -> Self {
        let start = whole_millis(start);
        let data = Data {
            now: start,
            regions: Vec::new(),
            stacks: Vec::new(),
            agenda: BTreeMap::new(),
            serial: 0,
            names: BTreeMap::new(),
            objects: BTreeMap::new(),
            versions: BTreeMap::new(),
            backups: BTreeMap::new(),
            stored: BTreeMap::new(),
            sites: BTreeMap::new(),
            dns: Dns::default(),
            detections: Vec::new(),
            told: Vec::new(),
            secrets: Vec::new(),
            dynamo: super::dynamo::Dynamo::default(),
            mail: super::events::Mail::default(),
            metrics: super::metrics::Published::default(),
            vaulted: super::vaults::Vaulted::default(),
        };
        let audit = Audit::new(config.audit);
        Self {
            config,
            data,
            faults: FaultPlan::default(),
            audit,
            acting: false,
            posted: Arc::default(),
            start,
            origin,
            by_id: HashMap::new(),
            owners: HashMap::new(),
            templates: HashMap::new(),
        }
    }

    /// Takes over what was saved. It is never earlier than when it was saved.
    pub(super) fn restore(&mut self, data: Data, now: Timestamp, origin: Duration) {
        self.start = whole_millis(now).max(data.now);
        self.origin = origin;
        self.by_id = data.stacks.iter().enumerate().map(|(ix, stack)| (stack.state.id.clone(), ix)).collect();
        let sets =
            data.stacks.iter().enumerate().flat_map(|(ix, stack)| stack.change_sets.values().map(move |set| (ix, set)));
        self.owners = sets.map(|(ix, set)| (set.state.id.clone(), ix)).collect();
        self.data = data;
    }

    /// How long the simulation has run, by the context's stopwatch.
    pub(super) fn since_start(&self, elapsed: Duration) -> Duration {
        elapsed.saturating_sub(self.origin)
    }

    /// Whether a whole region does not answer now.
    pub(super) fn is_lost(&self, region: usize) -> bool {
        let since = self.data.now.duration_since(self.start).unsigned_abs();
        self.faults.is_lost(since, &self.data.regions[region].scope)
    }

    /// Lets everything happen that is due.
    pub(super) fn advance(&mut self, elapsed: Duration) {
        let now = whole_millis(self.start.saturating_add(self.since_start(elapsed)).unwrap_or(Timestamp::MAX));
        while let Some(entry) = self.data.agenda.first_entry() {
            let at = entry.key().0;
            if at > now {
                break;
            }
            let due = entry.remove();
            self.data.now = self.data.now.max(at);
            self.happen(due);
        }
        self.data.now = self.data.now.max(now);
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Task { stack, serial, task } => self.task_is_due(stack, serial, &task),
            Due::Settle { stack, serial } => self.phase_is_over(stack, serial),
            Due::Timeout { stack, operation } => self.creation_timed_out(stack, operation),
            Due::Service { region, service, serial } => self.service_is_due(region, &service, serial),
            Due::Prepare { stack, name, serial } => self.prepare_change_set(stack, &name, serial),
            Due::Vault { job } => self.vault_job_is_due(job),
        }
    }

    /// Puts something on the agenda, `after` being at speed 1.
    pub(super) fn later(&mut self, after: Duration, due: Due) {
        let after = after.div_f64(self.config.speed.max(1e-6));
        let at = self.data.now.saturating_add(after).map_or(Timestamp::MAX, whole_millis);
        let serial = self.serial();
        self.data.agenda.insert((at, serial), due);
    }

    /// A number that was never used before.
    pub(super) fn serial(&mut self) -> u64 {
        self.data.serial += 1;
        self.data.serial
    }

    /// The number of an account and region.
    pub(super) fn region(&mut self, scope: &Scope) -> usize {
        if let Some(found) = self.data.regions.iter().position(|region| region.scope == *scope) {
            return found;
        }
        self.data.regions.push(Region {
            scope: scope.clone(),
            live: BTreeMap::new(),
            exports: BTreeMap::new(),
            imports: BTreeMap::new(),
            ecs: Ecs::default(),
            reads: None,
        });
        self.data.regions.len() - 1
    }

    /// The stack of that id in that region, deleted or not.
    pub(super) fn find(&self, region: usize, id: &StackId) -> Option<usize> {
        self.by_id.get(id).copied().filter(|ix| self.data.stacks[*ix].region == region)
    }

    /// The stack of that id, wherever it is, deleted or not.
    pub(super) fn anywhere(&self, id: &StackId) -> Option<&Stack> {
        self.by_id.get(id).map(|ix| &self.data.stacks[*ix])
    }

    /// The number of the stack of that id, deleted or not.
    pub(super) fn index(&self, id: &StackId) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// The stack that a change set belongs to.
    pub(super) fn owner(&self, id: &ChangeSetId) -> Option<usize> {
        self.owners.get(id).copied()
    }

    /// Remembers which stack a change set belongs to.
    pub(super) fn own(&mut self, id: ChangeSetId, ix: usize) {
        self.owners.insert(id, ix);
    }

    /// The stack of that name, if it is not deleted.
    pub(super) fn named(&self, region: usize, name: &StackName) -> Option<usize> {
        self.data.regions[region].live.get(name).copied()
    }

    /// The account and region of a stack.
    pub(super) fn scope_of(&self, stack: usize) -> &Scope {
        &self.data.regions[self.data.stacks[stack].region].scope
    }

    /// Takes a new stack in.
    pub(super) fn admit(&mut self, stack: Stack) -> usize {
        let ix = self.data.stacks.len();
        self.by_id.insert(stack.state.id.clone(), ix);
        self.data.regions[stack.region].live.insert(stack.state.name.clone(), ix);
        self.data.stacks.push(stack);
        ix
    }

    /// The template, read. Reading is slow and texts recur, so what was read is kept.
    pub(super) fn parsed(&mut self, body: &Arc<str>) -> Result<Arc<Parsed>, String> {
        // More different templates than any environment has; then begin again rather than grow.
        const KEPT: usize = 4096;
        if let Some(known) = self.templates.get(body) {
            return known.clone();
        }
        if self.templates.len() >= KEPT {
            self.templates.clear();
        }
        let read = reader::read(body).map(Arc::new);
        self.templates.insert(Arc::clone(body), read.clone());
        read
    }

    /// Changes what `DescribeStacks` says, and keeps what it said before for stale reads.
    pub(super) fn change(&mut self, ix: usize, change: impl FnOnce(&mut StackState)) {
        let (at, kept) = (self.data.now, self.config.history);
        let stack = &mut self.data.stacks[ix];
        change(Arc::make_mut(&mut stack.state));
        if kept == 0 {
            return;
        }
        if stack.history.len() >= kept {
            stack.history.pop_front();
        }
        stack.history.push_back(Version { at, state: Arc::clone(&stack.state), template: Arc::clone(&stack.template) });
    }

    /// Gives a stack a status, with the event that says so.
    pub(super) fn set_status(&mut self, ix: usize, status: StackStatus, reason: Option<String>) {
        let told = reason.clone();
        self.change(ix, |state| {
            state.status = status;
            state.status_reason = told;
        });
        let state = Arc::clone(&self.data.stacks[ix].state);
        self.event(ix, state.name.as_str(), STACK, Some(state.id.as_str()), status.as_str(), reason);
    }

    /// Records an event of the operation that is running.
    pub(super) fn event(
        &mut self,
        ix: usize,
        resource: &str,
        kind: &str,
        physical_id: Option<&str>,
        status: &str,
        reason: Option<String>,
    ) {
        self.announce_status(ix, resource, kind, physical_id, status);
        let at = self.data.now;
        let stack = &mut self.data.stacks[ix];
        let event = StackEvent {
            id: format!("{resource}-{status}-{:06}", stack.events.len()),
            at,
            resource: resource.to_owned(),
            kind: kind.to_owned(),
            physical_id: physical_id.filter(|id| !id.is_empty()).map(str::to_owned),
            status: status.to_owned(),
            reason,
            token: stack.token.clone(),
        };
        stack.events.push(event);
    }

    /// The state of a stack as it was then; `None` if there was none, or it was deleted.
    pub(super) fn as_of(&self, ix: usize, then: Timestamp) -> Option<&Version> {
        let history: &VecDeque<Version> = &self.data.stacks[ix].history;
        let version = history.iter().rev().find(|version| version.at <= then)?;
        (version.state.status != StackStatus::DeleteComplete).then_some(version)
    }

    /// The time a while ago.
    pub(super) fn ago(&self, age: Duration) -> Timestamp {
        self.data.now.saturating_sub(age).unwrap_or(Timestamp::MIN)
    }
}

/// AWS tells times in milliseconds.
fn whole_millis(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// One millisecond: the least by which two of AWS's times differ.
pub(super) const TICK: SignedDuration = SignedDuration::from_millis(1);

/// Maps whose keys are not text, as lists of pairs.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(map)
    }

    pub(super) fn deserialize<'de, K, V, D>(from: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(from)?.into_iter().collect())
    }
}
