//! What is read only because a decision depends on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::iter;
use jiff::Timestamp;

use super::Observer;
use super::inside::{contents, describe};
use super::listing::{self, Listed, add};
use crate::model::{
    BackupNeed, Bucket, ChangeSetName, ChangeSetState, ChangeSetStatus, ChangeSets, CheckNeed, Conclusion, Contained,
    DeletedStack, Digest, FingerprintKey, GoneStack, Key, Need, Observation, Operation, RecordNeed, Scope, SecretNeed,
    Seen, ServiceArn, ServiceNeed, StackAddress, StackEvent, StackId, StackName, StackNeed, StackState, StackStatus,
    TemplateFacts, Unknown,
};
use crate::plan;
use crate::ports::{Class, PageToken, PortError, Priority, STORED_MAX, Stacks, all, endless, found};
use crate::template;

/// Details that are read at the same time. The governor decides how fast; this only bounds what waits in its queue.
pub(super) const AT_ONCE: usize = 16;

/// How long one detail may take. What takes longer is unknown for this look, and holds up nothing else.
const WITHIN: Duration = Duration::from_secs(30);

/// Pages of events that are read to find the beginning of an operation: 100 events each, and an operation on the
/// largest legal stack (500 resources) makes about 20 pages.
const EVENT_PAGES_MAX: usize = 60;

enum Answer {
    Listing(Scope, Listed),
    Stack(Box<Result<Option<StackState>, Unknown>>),
    Deleted(Scope, Seen<BTreeMap<StackName, DeletedStack>>),
    Gone(StackId, Seen<GoneStack>),
    Template(Seen<Arc<TemplateFacts>>),
    Text(Seen<Arc<str>>),
    StackPolicy(Seen<Digest>),
    ChangeSets(ChangeSets),
    Conclusion(Key, Seen<Conclusion>),
    Bucket(Scope, String, Seen<Bucket>),
    Making(Seen<BTreeMap<String, ServiceArn>>),
    Importers(String, Seen<BTreeSet<StackName>>),
    Backup(String, Seen<Timestamp>),
    Events(StackId, Seen<Arc<[StackEvent]>>),
    Contents(StackId, Seen<Arc<[Contained]>>),
}

impl Observer<'_> {
    /// Reads what the planner needs to know, and adds it to the observation. Values of secrets become fingerprints by
    /// `key` and go no further.
    pub async fn answer(&self, observation: &mut Observation, needs: BTreeSet<Need>, key: &FingerprintKey) {
        let at = self.cx.now();
        observation.read.extend(needs.iter().map(|need| (need.clone(), at)));
        let Sorted { stacks, stored, services, secrets, records, backups, checks } = sorted(needs);
        let mut answers = iter(stacks).map(|need| self.ask(need)).buffered(AT_ONCE);
        while let Some((address, answer)) = answers.next().await {
            enter(observation, address.as_ref(), answer);
        }
        self.answer_stored(observation, stored).await;
        self.answer_services(observation, services).await;
        self.answer_secrets(observation, secrets, key).await;
        self.answer_records(observation, records).await;
        self.answer_backups(observation, backups).await;
        self.answer_checks(observation, checks).await;
    }

    async fn ask(&self, need: StackNeed) -> (Option<StackAddress>, Answer) {
        match need {
            StackNeed::Listing(scope) => {
                let (scope, listed) = self.look_at(scope).await;
                (None, Answer::Listing(scope, listed))
            }
            StackNeed::Stack(address) => {
                let read = self.read(&address).await;
                (Some(address), Answer::Stack(Box::new(read)))
            }
            StackNeed::Deleted(scope) => {
                let deleted = self.deleted(&scope).await;
                (None, Answer::Deleted(scope, deleted))
            }
            StackNeed::Gone(address, id) => {
                let gone = self.gone(&address, &id).await;
                (None, Answer::Gone(id, gone))
            }
            StackNeed::Template(address, id) => {
                let port = self.port(&address);
                let facts = self.within(read_template(&*port, &id)).await;
                (Some(address), Answer::Template(facts))
            }
            StackNeed::Text(address, id) => {
                let port = self.port(&address);
                let read = async { port.template(&id).await.map(|body| Some(body.into())) };
                (Some(address), Answer::Text(self.within(read).await))
            }
            StackNeed::StackPolicy(address, id) => {
                let port = self.port(&address);
                let read = async {
                    let body = port.stack_policy(&id).await?;
                    Ok(body.map(|body| template::json_digest(&body)))
                };
                (Some(address), Answer::StackPolicy(self.within(read).await))
            }
            StackNeed::ChangeSets(address, id, name) => {
                let port = self.port(&address);
                let sets = self.change_sets(&*port, &id, name.as_ref()).await;
                (Some(address), Answer::ChangeSets(sets))
            }
            StackNeed::Conclusion(key, address, id, moved, operation) => {
                let port = self.port(&address);
                let conclusion = self.within(read_conclusion(&*port, &id, moved, &operation)).await;
                (Some(address), Answer::Conclusion(key, conclusion))
            }
            StackNeed::Bucket(scope, name) => {
                let bucket = self.bucket(&scope, &name).await;
                (None, Answer::Bucket(scope, name, bucket))
            }
            StackNeed::Making(address, id) => {
                let port = self.port(&address);
                let making = self.within(read_making(&*port, &id)).await;
                (Some(address), Answer::Making(making))
            }
            StackNeed::Importers(address, export) => {
                let port = self.port(&address);
                let importers = self.within(read_importers(&*port, &export)).await;
                (Some(address), Answer::Importers(export, importers))
            }
            StackNeed::Backup(address, kind, physical) => {
                let port = self.port(&address);
                let backup = self.within(port.newest_backup(&kind, &physical)).await;
                (Some(address), Answer::Backup(physical, backup))
            }
            StackNeed::Contents(address, id) => {
                let port = self.port(&address);
                let drift = self.governor.drift(&address.scope, self.role(&address.scope));
                let read = async { Ok(contents(&*port, &*drift, &id).await?.map(Arc::from)) };
                let contents = self.within(read).await;
                (Some(address), Answer::Contents(id, contents))
            }
            StackNeed::Events(address, id, status) => {
                let port = self.port(&address);
                let events = self.within(read_phase(&*port, &id, status)).await;
                (Some(address), Answer::Events(id, events))
            }
        }
    }

    /// Values in Parameter Store, as many in a request as it takes.
    async fn answer_stored(&self, observation: &mut Observation, wanted: BTreeMap<Scope, Vec<String>>) {
        for (scope, names) in wanted {
            let port = self.governor.stacks(&scope, self.role(&scope), Priority::Status);
            for names in names.chunks(STORED_MAX) {
                let read = self.within(async { port.stored(names).await.map(Some) }).await;
                for name in names {
                    let seen = match &read {
                        Seen::Present(values) => values.get(name).cloned().map_or(Seen::Absent, Seen::Present),
                        Seen::Absent => Seen::Absent,
                        Seen::Unknown(why) => Seen::Unknown(why.clone()),
                    };
                    observation.stored.insert((scope.clone(), name.clone()), seen);
                }
            }
        }
    }

    /// Whether a bucket can be used for templates. What is refused is refused tomorrow too: that is known, and is no read
    /// that has failed.
    pub(super) async fn bucket(&self, scope: &Scope, name: &str) -> Seen<Bucket> {
        let port = self.governor.stacks(scope, self.role(scope), Priority::Status);
        let read = async {
            match port.keeps_versions(name).await {
                Ok(true) => Ok(Some(Bucket::Versioned)),
                Ok(false) => Ok(Some(Bucket::Unversioned)),
                Err(error) if matches!(error.class, Class::NotFound | Class::Invalid | Class::Denied) => {
                    Ok(Some(Bucket::Unusable(error.message)))
                }
                Err(error) => Err(error),
            }
        };
        self.within(read).await
    }

    pub(super) fn port(&self, address: &StackAddress) -> Arc<dyn Stacks> {
        self.governor.stacks(&address.scope, self.role(&address.scope), Priority::Status)
    }

    /// A read as something seen: an error or no answer in time is unknown.
    pub(super) async fn within<T>(&self, read: impl Future<Output = Result<Option<T>, PortError>>) -> Seen<T> {
        match self.cx.timeout(WITHIN, read).await {
            Some(Ok(Some(value))) => Seen::Present(value),
            Some(Ok(None)) => Seen::Absent,
            Some(Err(error)) => Seen::Unknown(Unknown::because(error)),
            None => Seen::Unknown(Unknown::because(format!("no answer within {}", humantime::format_duration(WITHIN)))),
        }
    }

    /// The same of what belongs to something that may not exist: then it does not exist either.
    pub(super) async fn seen<T>(&self, read: impl Future<Output = Result<Option<T>, PortError>>) -> Seen<T> {
        self.within(async { found(read.await).map(Option::flatten) }).await
    }

    async fn change_sets(&self, port: &dyn Stacks, id: &StackId, name: Option<&ChangeSetName>) -> ChangeSets {
        let all = self.within(async { all("ListChangeSets", |page| port.change_sets(id, page)).await.map(Some) }).await;
        let listed = all.present().is_some_and(|all| name.is_some_and(|name| all.iter().any(|set| set.name == *name)));
        let described = match name {
            Some(name) if listed => Some(self.within(described(port, id, name)).await),
            Some(_) if all.present().is_some() => Some(Seen::Absent),
            _ => None,
        };
        ChangeSets { all, described }
    }
}

/// Needs by whom they are answered: what can be read together is asked for together.
#[derive(Default)]
struct Sorted {
    stacks: BTreeSet<StackNeed>,
    stored: BTreeMap<Scope, Vec<String>>,
    services: BTreeSet<ServiceNeed>,
    secrets: BTreeSet<SecretNeed>,
    records: BTreeSet<RecordNeed>,
    backups: BTreeSet<BackupNeed>,
    checks: BTreeSet<CheckNeed>,
}

fn sorted(needs: BTreeSet<Need>) -> Sorted {
    let mut sorted = Sorted::default();
    for need in needs {
        match need {
            Need::Stored(scope, name) => sorted.stored.entry(scope).or_default().push(name),
            Need::Stack(need) => {
                sorted.stacks.insert(need);
            }
            Need::Service(need) => {
                sorted.services.insert(need);
            }
            Need::Secret(need) => {
                sorted.secrets.insert(need);
            }
            Need::Record(need) => {
                sorted.records.insert(need);
            }
            Need::Backup(need) => {
                sorted.backups.insert(need);
            }
            Need::Check(need) => {
                sorted.checks.insert(need);
            }
        }
    }
    sorted
}

fn enter(observation: &mut Observation, address: Option<&StackAddress>, answer: Answer) {
    match answer {
        Answer::Listing(scope, listed) => add(observation, scope, listed),
        Answer::Stack(read) => {
            if let Some(address) = address {
                listing::enter(observation, address.clone(), *read);
            }
        }
        Answer::Bucket(scope, name, bucket) => {
            observation.buckets.insert((scope, name), bucket);
        }
        Answer::Deleted(scope, deleted) => {
            observation.deleted.insert(scope, deleted);
        }
        Answer::Gone(id, gone) => {
            observation.gone.insert(id, gone);
        }
        Answer::Conclusion(key, conclusion) => {
            observation.conclusions.insert(key, conclusion);
        }
        answer => {
            let Some(stack) = address.and_then(|address| observation.stacks.get_mut(address)) else { return };
            match answer {
                Answer::Template(facts) => stack.template = Some(facts),
                Answer::Text(text) => stack.text = Some(text),
                Answer::StackPolicy(digest) => stack.stack_policy = Some(digest),
                Answer::ChangeSets(sets) => stack.change_sets = Some(Box::new(sets)),
                Answer::Making(services) => stack.making = Some(services),
                Answer::Importers(export, importers) => {
                    stack.importers.insert(export, importers);
                }
                Answer::Backup(physical, backup) => {
                    stack.backups.insert(physical, backup);
                }
                Answer::Contents(id, contents) => {
                    stack.contents.insert(id, contents);
                }
                Answer::Events(id, events) => {
                    stack.events.insert(id, events);
                }
                Answer::Listing(..)
                | Answer::Stack(_)
                | Answer::Bucket(..)
                | Answer::Deleted(..)
                | Answer::Gone(..)
                | Answer::Conclusion(..) => {}
            }
        }
    }
}

async fn read_template(port: &dyn Stacks, id: &StackId) -> Result<Option<Arc<TemplateFacts>>, PortError> {
    Ok(Some(facts(&port.template(id).await?)))
}

/// A template that we cannot read (a macro's own syntax, say) still has a digest of its text: it is then simply another
/// template than ours.
fn facts(body: &str) -> Arc<TemplateFacts> {
    template::parse(body).map_or_else(|_| template::opaque_facts(body), |template| template.facts)
}

/// A change set, and what it would deploy. That is read where it can be executed: nothing else is done with it before.
async fn described(port: &dyn Stacks, id: &StackId, name: &ChangeSetName) -> Result<Option<ChangeSetState>, PortError> {
    let Some(mut state) = describe(port, id, name).await? else { return Ok(None) };
    if state.status == ChangeSetStatus::Available {
        let Some(body) = port.change_set_template(id, name).await? else { return Ok(None) };
        state.inputs.template = Some(facts(&body).digest.clone());
    }
    Ok(Some(state))
}

async fn read_conclusion(
    port: &dyn Stacks,
    id: &StackId,
    moved: Option<Timestamp>,
    operation: &Operation,
) -> Result<Option<Conclusion>, PortError> {
    let mut events = Vec::new();
    let mut next: Option<PageToken> = None;
    for _ in 0..EVENT_PAGES_MAX {
        let Some(page) = found(port.events(id, next).await)? else { return Ok(None) };
        events.extend(page.items);
        next = page.next;
        if !plan::reach(&events, moved) {
            let message = "the events of its last change are not complete yet";
            return Err(PortError::new(Class::Transient, "DescribeStackEvents", message));
        }
        if let Some(conclusion) = plan::conclude(&events, next.is_none(), operation, id) {
            return Ok(Some(conclusion));
        }
        if next.is_none() {
            let message = "the events of its last operation are not complete yet";
            return Err(PortError::new(Class::Transient, "DescribeStackEvents", message));
        }
    }
    Err(endless("DescribeStackEvents"))
}

/// The services that a creation has begun to make: their events have an ARN as soon as ECS has given one (AWS:
/// *Stack events*, "Resource creation Initiated").
async fn read_making(port: &dyn Stacks, id: &StackId) -> Result<Option<BTreeMap<String, ServiceArn>>, PortError> {
    let mut services = BTreeMap::new();
    let mut next: Option<PageToken> = None;
    for _ in 0..EVENT_PAGES_MAX {
        let Some(page) = found(port.events(id, next).await)? else { return Ok(None) };
        let made = page.items.iter().filter(|event| event.kind == "AWS::ECS::Service");
        services.extend(made.filter_map(|event| {
            let arn = event.physical_id.as_ref()?.parse::<ServiceArn>().ok()?;
            Some((event.resource.clone(), arn))
        }));
        next = page.next;
        if next.is_none() {
            return Ok(Some(services));
        }
    }
    Err(endless("DescribeStackEvents"))
}

/// Events of the last phase of an operation; of all of them, where an update was rolled back. Those that do not say what the stack says are out of date.
pub(super) async fn read_phase(
    port: &dyn Stacks,
    id: &StackId,
    status: Option<StackStatus>,
) -> Result<Option<Arc<[StackEvent]>>, PortError> {
    let mut events = Vec::new();
    let mut next: Option<PageToken> = None;
    for _ in 0..EVENT_PAGES_MAX {
        let Some(page) = found(port.events(id, next).await)? else { return Ok(None) };
        events.extend(page.items);
        next = page.next;
        let complete = match status {
            Some(StackStatus::UpdateRollbackComplete) => plan::last_update(&events, id),
            _ => plan::last_phase(&events, id),
        };
        let complete = complete.map(<[StackEvent]>::len);
        if complete.is_some() || next.is_none() {
            if !plan::are_recent(&events, id, status) {
                let message = "its events are not up to date with its status yet";
                return Err(PortError::new(Class::Transient, "DescribeStackEvents", message));
            }
            events.truncate(complete.unwrap_or(usize::MAX));
            return Ok(Some(events.into()));
        }
    }
    Err(endless("DescribeStackEvents"))
}

async fn read_importers(port: &dyn Stacks, export: &str) -> Result<Option<BTreeSet<StackName>>, PortError> {
    let names: BTreeSet<StackName> =
        all("ListImports", |page| port.importers(export, page)).await?.into_iter().collect();
    Ok((!names.is_empty()).then_some(names))
}
