//! The ports, answered by the simulated AWS: latency, faults and the audit are here, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::audit::Call;
use super::config::SimConfig;
use super::fault::{Fault, FaultPlan};
use super::inventory::{Inventory, Monitor, View};
use super::reads::Lens;
use super::world::{Data, World};
use crate::context::Context;
use crate::model::{
    AccountId, AssumeRole, ChangeSetId, ChangeSetName, ChangeSetState, ChangeSetSummary, DeletedStack, Scope,
    StackEvent, StackId, StackName, StackState,
};
use crate::ports::{
    Account, Class, Cloud, Containers, CreateChangeSet, CreateStack, Drift, Fence, Health, Metrics, Objects, Page,
    PageToken, PortError, Records, Secrets, Stacks, Tables, Trail, Uploaded, Vaults,
};

/// An AWS in memory, of all accounts and regions. Cheap to clone; all clones are one AWS.
#[derive(Clone)]
pub struct SimCloud {
    cx: Context,
    /// Short critical sections without an await: a plain mutex.
    world: Arc<Mutex<World>>,
    /// Whoever watches what changes something. Not in the world: a watcher sees all of that.
    monitor: Arc<Mutex<Option<Monitor>>>,
    latency: Duration,
}

impl SimCloud {
    /// An AWS in which there is nothing yet.
    #[must_use]
    pub fn new(cx: Context, config: SimConfig) -> Self {
        let latency = config.latency.div_f64(config.speed.max(1e-6));
        let world = World::new(config, cx.now(), cx.elapsed());
        Self { cx, world: Arc::new(Mutex::new(world)), monitor: Arc::default(), latency }
    }

    /// The time since the process began.
    pub(super) fn elapsed(&self) -> Duration {
        self.cx.elapsed()
    }

    /// What a call takes.
    pub(super) async fn pass_latency(&self) {
        self.pass(self.latency).await;
    }

    pub(super) async fn pass(&self, duration: Duration) {
        if !duration.is_zero() {
            self.cx.sleep(duration).await;
        }
    }

    /// The world, with everything done that is due.
    pub(super) fn lock(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance(self.cx.elapsed());
        world
    }

    /// Everything that has to survive until the next run. It holds what AWS holds: real parameter values, `NoEcho` ones
    /// included. Versions for stale reads, faults and the audit are not in it.
    ///
    /// # Errors
    /// Serialisation failed.
    pub fn snapshot(&self) -> Result<serde_json::Value, serde_json::Error> {
        serde_json::to_value(&self.lock().data)
    }

    /// Goes on from a snapshot. What became due in the meantime happens at the next call.
    ///
    /// # Errors
    /// It is not a snapshot.
    pub fn restore(&self, snapshot: serde_json::Value) -> Result<(), serde_json::Error> {
        let data: Data = serde_json::from_value(snapshot)?;
        self.lock().restore(data, self.cx.now(), self.cx.elapsed());
        Ok(())
    }

    /// From here on this goes wrong, and nothing else.
    pub fn set_faults(&self, faults: FaultPlan) {
        self.lock().faults = faults;
    }

    /// From here on nothing goes wrong any more. What is stuck stays stuck ([`Console::release`](super::Console::release)).
    pub fn clear_faults(&self) {
        self.lock().faults = FaultPlan::default();
    }

    /// Lets `monitor` see every mutating call that reaches AWS, just before it takes effect.
    pub fn set_monitor(&self, monitor: Monitor) {
        *self.monitor.lock().unwrap_or_else(PoisonError::into_inner) = Some(monitor);
    }

    /// The calls so far, oldest first, as far as they are kept.
    #[must_use]
    pub fn audit(&self) -> Vec<Call> {
        self.lock().audit.calls.iter().cloned().collect()
    }

    /// How many calls were made so far: the index of the next one.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.lock().audit.next
    }

    /// The truth.
    #[must_use]
    pub fn inventory(&self) -> Inventory {
        self.lock().inventory()
    }
}

impl Cloud for SimCloud {
    fn stacks(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Stacks> {
        Arc::new(self.door(scope, role))
    }

    fn containers(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Containers> {
        Arc::new(self.door(scope, role))
    }

    fn secrets(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Secrets> {
        Arc::new(self.door(scope, role))
    }

    fn records(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Records> {
        Arc::new(self.door(scope, role))
    }

    fn health(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Health> {
        Arc::new(self.door(scope, role))
    }

    fn metrics(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Metrics> {
        Arc::new(self.door(scope, role))
    }

    fn drift(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Drift> {
        Arc::new(self.door(scope, role))
    }

    fn trail(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Trail> {
        Arc::new(self.door(scope, role))
    }

    fn objects(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Objects> {
        Arc::new(self.door(scope, role))
    }

    fn tables(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Tables> {
        Arc::new(self.door(scope, role))
    }

    fn vaults(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Vaults> {
        Arc::new(self.door(scope, role))
    }

    fn account(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Account> {
        Arc::new(self.door(scope, role))
    }
}

impl SimCloud {
    fn door(&self, scope: &Scope, role: Option<&AssumeRole>) -> SimDoor {
        let mut world = self.lock();
        let account = role
            .and_then(|role| role.arn.as_str().split(':').nth(4)?.parse().ok())
            .or_else(|| world.config.account.clone())
            .unwrap_or_else(|| scope.account.clone());
        // Credentials decide which account a call reaches, whatever the caller believes.
        let reached = Scope { account: account.clone(), region: scope.region.clone() };
        let region = world.region(&reached);
        drop(world);
        SimDoor { cloud: self.clone(), region, scope: reached, account }
    }
}

/// The door to one account in one region.
pub(super) struct SimDoor {
    cloud: SimCloud,
    pub(super) region: usize,
    scope: Scope,
    pub(super) account: AccountId,
}

/// What a call is, for faults and the audit.
struct Asked<'a> {
    operation: &'static str,
    target: &'a str,
    fence: Option<Fence>,
    token: Option<&'a str>,
}

/// What a fault makes of a call that reached AWS.
enum Outcome<T> {
    Answer(Result<T, PortError>),
    Silence,
}

impl SimDoor {
    /// The account that calls reach.
    pub(super) fn account(&self) -> &AccountId {
        &self.account
    }

    pub(super) async fn read<T>(
        &self,
        operation: &'static str,
        target: &str,
        what: impl FnOnce(&mut World, Lens) -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        self.call(Asked { operation, target, fence: None, token: None }, what).await
    }

    pub(super) async fn write<T>(
        &self,
        operation: &'static str,
        target: &str,
        fence: Fence,
        token: Option<&str>,
        what: impl FnOnce(&mut World) -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        self.call(Asked { operation, target, fence: Some(fence), token }, |world, _| what(world)).await
    }

    async fn call<T>(
        &self,
        asked: Asked<'_>,
        what: impl FnOnce(&mut World, Lens) -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        let (index, fault) = self.depart(&asked);
        let half = self.cloud.latency / 2;
        let extra = if let Some(Fault::Slow(extra)) = fault { extra } else { Duration::ZERO };
        self.wait(half + extra).await;
        match self.arrive(index, &asked, fault.as_ref(), what) {
            Outcome::Answer(answer) => {
                self.wait(half).await;
                answer
            }
            Outcome::Silence => std::future::pending().await,
        }
    }

    pub(super) async fn wait(&self, duration: Duration) {
        if !duration.is_zero() {
            self.cloud.cx.sleep(duration).await;
        }
    }

    /// A call is sent: it gets its number, and its fault.
    fn depart(&self, asked: &Asked<'_>) -> (u64, Option<Fault>) {
        let mut world = self.cloud.lock();
        let index = world.audit.next;
        world.audit.next += 1;
        let since = world.since_start(self.cloud.cx.elapsed());
        (index, world.faults.for_call(index, since, &self.scope, asked.operation))
    }

    /// A call arrives, unless it is lost: it takes effect and is recorded.
    fn arrive<T>(
        &self,
        index: u64,
        asked: &Asked<'_>,
        fault: Option<&Fault>,
        what: impl FnOnce(&mut World, Lens) -> Result<T, PortError>,
    ) -> Outcome<T> {
        let mut world = self.cloud.lock();
        let mut call = Call {
            index,
            at: world.data.now,
            operation: asked.operation,
            scope: self.scope.clone(),
            target: asked.target.to_owned(),
            mutating: asked.fence.is_some(),
            fence: asked.fence,
            token: asked.token.map(str::to_owned),
            applied: false,
            class: None,
        };
        let operation = asked.operation;
        let lens = match fault {
            Some(Fault::Stale(age)) => Lens { stale: Some(*age), partial: false },
            Some(Fault::PartialPage) => Lens { stale: None, partial: true },
            _ => Lens::default(),
        };
        let refused = match fault {
            Some(Fault::Throttle) => Some(throttled(operation)),
            Some(Fault::ErrorBefore) => Some(internal(operation)),
            Some(Fault::TimeoutBefore | Fault::Hang) => Some(lost(operation)),
            Some(Fault::Denied) => Some(denied(operation)),
            _ if asked.fence.is_none() && !world.may_read(self.region) => Some(throttled(operation)),
            _ => None,
        };
        let mut answer = if let Some(error) = refused {
            Err(error)
        } else {
            if call.mutating
                && let Some(monitor) = &mut *self.cloud.monitor.lock().unwrap_or_else(PoisonError::into_inner)
            {
                monitor(&View(&world), &call);
            }
            world.acting = asked.fence.is_some();
            let answer = what(&mut world, lens);
            world.acting = false;
            call.applied = answer.is_ok();
            answer
        };
        match fault {
            Some(Fault::ErrorAfter) if answer.is_ok() => answer = Err(internal(operation)),
            Some(Fault::TimeoutAfter) => answer = Err(lost(operation)),
            _ => {}
        }
        call.class = answer.as_ref().err().map(|error| error.class);
        world.audit.push(call);
        if matches!(fault, Some(Fault::Hang | Fault::HangAfter)) { Outcome::Silence } else { Outcome::Answer(answer) }
    }
}

fn throttled(operation: &'static str) -> PortError {
    PortError::new(Class::Throttled, operation, "Rate exceeded").with_code("Throttling")
}

fn internal(operation: &'static str) -> PortError {
    PortError::new(Class::Transient, operation, "We encountered an internal error. Please try again.")
        .with_code("InternalFailure")
}

fn lost(operation: &'static str) -> PortError {
    PortError::new(Class::Transient, operation, "the connection was lost before an answer came")
}

fn denied(operation: &'static str) -> PortError {
    let message = format!("User is not authorized to perform: cloudformation:{operation}");
    PortError::new(Class::Denied, operation, message).with_code("AccessDenied")
}

impl World {
    /// Takes one read from what is free in a region, if there is one.
    fn may_read(&mut self, region: usize) -> bool {
        let Some(rate) = self.config.reads else { return true };
        let now: Timestamp = self.data.now;
        let reads = &mut self.data.regions[region].reads;
        let (free, since) = reads.unwrap_or((rate.burst, now));
        let free = (free + now.duration_since(since).as_secs_f64() * rate.per_second).min(rate.burst);
        let granted = free >= 1.0;
        *reads = Some((if granted { free - 1.0 } else { free }, now));
        granted
    }
}

#[async_trait]
impl Stacks for SimDoor {
    async fn caller(&self) -> Result<AccountId, PortError> {
        self.read("GetCallerIdentity", "", |_, _| Ok(self.account.clone())).await
    }

    async fn list(&self, page: Option<PageToken>) -> Result<Page<StackState>, PortError> {
        self.read("DescribeStacks", "", |world, lens| world.list_stacks(self.region, lens, page.as_ref())).await
    }

    async fn describe(&self, name: &StackName) -> Result<Option<StackState>, PortError> {
        self.read("DescribeStacks", name.as_str(), |world, lens| Ok(world.describe_stack(self.region, lens, name)))
            .await
    }

    async fn deleted(&self, page: Option<PageToken>) -> Result<Page<DeletedStack>, PortError> {
        self.read("ListStacks", "", |world, lens| world.deleted_stacks(self.region, lens, page.as_ref())).await
    }

    async fn known(&self, stack: &StackId) -> Result<Option<StackState>, PortError> {
        self.read("DescribeStacks", stack.as_str(), |world, lens| Ok(world.known_stack(self.region, lens, stack))).await
    }

    async fn template(&self, stack: &StackId) -> Result<String, PortError> {
        self.read("GetTemplate", stack.as_str(), |world, lens| world.template(self.region, lens, stack)).await
    }

    async fn processed_template(&self, stack: &StackId) -> Result<String, PortError> {
        self.read("GetTemplate", stack.as_str(), |world, _| world.processed_template(self.region, stack)).await
    }

    async fn stack_policy(&self, stack: &StackId) -> Result<Option<String>, PortError> {
        self.read("GetStackPolicy", stack.as_str(), |world, _| world.policy(self.region, stack)).await
    }

    async fn events(&self, stack: &StackId, page: Option<PageToken>) -> Result<Page<StackEvent>, PortError> {
        self.read("DescribeStackEvents", stack.as_str(), |world, lens| {
            world.events(self.region, lens, stack, page.as_ref())
        })
        .await
    }

    async fn change_sets(&self, stack: &StackId, page: Option<PageToken>) -> Result<Page<ChangeSetSummary>, PortError> {
        self.read("ListChangeSets", stack.as_str(), |world, lens| {
            world.change_sets(self.region, lens, stack, page.as_ref())
        })
        .await
    }

    async fn describe_change_set(
        &self,
        stack: &StackId,
        name: &ChangeSetName,
        page: Option<PageToken>,
    ) -> Result<Option<(ChangeSetState, Option<PageToken>)>, PortError> {
        let read = |world: &mut World, lens| world.describe_change_set(self.region, lens, stack, name, page.as_ref());
        self.read("DescribeChangeSet", stack.as_str(), read).await
    }

    async fn nested_change_set(
        &self,
        id: &ChangeSetId,
        page: Option<PageToken>,
    ) -> Result<Option<(ChangeSetState, Option<PageToken>)>, PortError> {
        let read = |world: &mut World, lens| world.nested_change_set(self.region, lens, id, page.as_ref());
        self.read("DescribeChangeSet", id.as_str(), read).await
    }

    async fn change_set_template(&self, stack: &StackId, name: &ChangeSetName) -> Result<Option<String>, PortError> {
        let read = |world: &mut World, lens| Ok(world.change_set_template(self.region, lens, stack, name));
        self.read("GetTemplate", stack.as_str(), read).await
    }

    async fn importers(&self, export: &str, page: Option<PageToken>) -> Result<Page<StackName>, PortError> {
        self.read("ListImports", export, |world, lens| world.importers(self.region, lens, export, page.as_ref())).await
    }

    async fn newest_backup(&self, kind: &str, physical_id: &str) -> Result<Option<Timestamp>, PortError> {
        self.read("ListBackups", physical_id, |world, _| Ok(world.newest_backup(&self.scope, kind, physical_id))).await
    }

    async fn create(&self, fence: Fence, request: CreateStack) -> Result<StackId, PortError> {
        let (name, token) = (request.name.clone(), request.token.clone());
        let create = |world: &mut World| world.create_stack(self.region, request, Some(token.clone()));
        self.write("CreateStack", name.as_str(), fence, Some(&token), create).await
    }

    async fn create_change_set(&self, fence: Fence, request: CreateChangeSet) -> Result<ChangeSetId, PortError> {
        let (stack, name) = (request.stack.clone(), request.name.clone());
        let create = |world: &mut World| world.create_change_set(self.region, request);
        self.write("CreateChangeSet", stack.as_str(), fence, Some(name.as_str()), create).await
    }

    async fn execute_change_set(&self, fence: Fence, change_set: &ChangeSetId, token: &str) -> Result<(), PortError> {
        let execute = |world: &mut World| world.execute_change_set(self.region, change_set, token);
        self.write("ExecuteChangeSet", change_set.as_str(), fence, Some(token), execute).await
    }

    async fn delete_change_set(&self, fence: Fence, stack: &StackId, name: &ChangeSetName) -> Result<(), PortError> {
        let delete = |world: &mut World| world.delete_change_set(self.region, stack, name);
        self.write("DeleteChangeSet", stack.as_str(), fence, Some(name.as_str()), delete).await
    }

    async fn delete(
        &self,
        fence: Fence,
        stack: &StackId,
        retain: &BTreeSet<String>,
        token: &str,
    ) -> Result<(), PortError> {
        let delete = |world: &mut World| world.delete_stack(self.region, stack, retain, Some(token.to_owned()));
        self.write("DeleteStack", stack.as_str(), fence, Some(token), delete).await
    }

    async fn cancel_update(&self, fence: Fence, stack: &StackId, token: &str) -> Result<(), PortError> {
        let cancel = |world: &mut World| world.cancel_update(self.region, stack, Some(token.to_owned()));
        self.write("CancelUpdateStack", stack.as_str(), fence, Some(token), cancel).await
    }

    async fn continue_rollback(
        &self,
        fence: Fence,
        stack: &StackId,
        skip: &BTreeSet<String>,
        token: &str,
    ) -> Result<(), PortError> {
        let go_on = |world: &mut World| world.continue_rollback(self.region, stack, skip, Some(token.to_owned()));
        self.write("ContinueUpdateRollback", stack.as_str(), fence, Some(token), go_on).await
    }

    async fn set_termination_protection(&self, fence: Fence, stack: &StackId, on: bool) -> Result<(), PortError> {
        let protect = |world: &mut World| world.protect(self.region, stack, on);
        self.write("UpdateTerminationProtection", stack.as_str(), fence, None, protect).await
    }

    async fn set_stack_policy(&self, fence: Fence, stack: &StackId, body: &str) -> Result<(), PortError> {
        let set = |world: &mut World| world.set_policy(self.region, stack, body);
        self.write("SetStackPolicy", stack.as_str(), fence, None, set).await
    }

    async fn keeps_versions(&self, bucket: &str) -> Result<bool, PortError> {
        self.read("GetBucketVersioning", bucket, |world, _| world.keeps_versions(bucket)).await
    }

    async fn stored(&self, names: &[String]) -> Result<BTreeMap<String, String>, PortError> {
        self.read("GetParameters", "", |world, _| world.stored(self.region, names)).await
    }

    async fn upload_template(&self, fence: Fence, bucket: &str, key: &str, body: &str) -> Result<Uploaded, PortError> {
        let upload = |world: &mut World| world.upload(self.region, bucket, key, body);
        self.write("PutObject", key, fence, None, upload).await
    }

    async fn uploaded_template(&self, bucket: &str, key: &str, version: &str) -> Result<Option<String>, PortError> {
        let read = |world: &mut World| {
            world.check_bucket("GetObject", bucket)?;
            Ok(world.object_version(bucket, key, Some(version)).map(|body| body.to_string()))
        };
        self.read("GetObject", key, |world, _| read(world)).await
    }

    async fn newest_upload(&self, bucket: &str, key: &str) -> Result<Option<Uploaded>, PortError> {
        self.read("HeadObject", key, |world, _| world.newest_upload(self.region, bucket, key)).await
    }

    async fn delete_upload(
        &self,
        fence: Fence,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<(), PortError> {
        self.write("DeleteObject", key, fence, None, |world| world.erase(bucket, key, version)).await
    }
}
