//! Stands between the daemon and the cloud: sees which reads belong to which mutation, and what is in flight.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use landfast::context::Context;
use landfast::model::{
    AccountId, AssumeRole, ChangeSetId, ChangeSetName, ChangeSetState, ChangeSetSummary, DeletedStack, Scope,
    StackEvent, StackId, StackName, StackOptions, StackState, Value,
};
use landfast::ports::{
    Account, Cloud, Containers, CreateChangeSet, CreateStack, Drift, Fence, Health, Metrics, Objects, Page, PageToken,
    PortError, Records, Secrets, Stacks, Tables, TemplateSource, Trail, Uploaded, Vaults,
};
use landfast::sim::{Console, SimCloud};
use landfast::store::{RecordOutcome, Store};

use crate::monitor::Truth;

type Answer<T> = Result<T, PortError>;

/// What one life of the daemon shares.
pub(crate) struct Life {
    pub(crate) truth: Arc<Truth>,
    pub(crate) cx: Context,
    /// Set when the daemon was told to stop: no mutation may start any more (S19).
    pub(crate) stopped: AtomicBool,
    in_flight: Mutex<BTreeMap<String, u32>>,
    evidence: Mutex<Evidence>,
    store: Store,
}

/// What was last read of which stacks there are.
#[derive(Default)]
struct Evidence {
    /// By the last listing of which every page was read.
    listed: Option<BTreeSet<StackName>>,
    /// By name since then: whether it is there.
    read: BTreeMap<StackName, bool>,
    /// The listing before, and when it was replaced: another environment may have read that one while a look was long.
    before: Option<(Duration, BTreeSet<StackName>)>,
}

impl Evidence {
    /// `None`: nothing that was read says so.
    fn of(&self, name: &StackName) -> Option<bool> {
        self.read.get(name).copied().or_else(|| Some(self.listed.as_ref()?.contains(name)))
    }

    /// Something that was read within the minute says that it is not there.
    fn says_absent(&self, name: &StackName, now: Duration) -> bool {
        let before = self.before.as_ref().filter(|(at, _)| now.saturating_sub(*at) < Duration::from_mins(1));
        self.of(name) == Some(false) || before.is_some_and(|(_, listed)| !listed.contains(name))
    }
}

/// The cloud as one life of the daemon sees it.
pub(crate) struct Spy {
    cloud: SimCloud,
    life: Arc<Life>,
}

impl Spy {
    pub(crate) fn new(cx: Context, cloud: SimCloud, truth: Arc<Truth>, store: Store) -> (Self, Arc<Life>) {
        let (stopped, in_flight, evidence) = (AtomicBool::new(false), Mutex::default(), Mutex::default());
        let life = Arc::new(Life { truth, cx, stopped, in_flight, evidence, store });
        (Self { cloud, life: Arc::clone(&life) }, life)
    }
}

impl Cloud for Spy {
    fn stacks(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Stacks> {
        if scope.account.as_str() != "111122223333" || scope.region.as_str() != "us-east-1" {
            self.life.truth.blame(format!("S11 scope: {scope} is in no manifest"));
        }
        Arc::new(Door {
            inner: self.cloud.stacks(scope, role),
            life: Arc::clone(&self.life),
            console: self.cloud.console(scope),
            read: Mutex::new(None),
            listing: Mutex::default(),
        })
    }

    fn containers(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Containers> {
        Arc::new(crate::images::Door {
            inner: self.cloud.containers(scope, role),
            life: Arc::clone(&self.life),
            console: self.cloud.console(scope),
            read: Mutex::new(None),
        })
    }

    fn secrets(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Secrets> {
        let (inner, console) = (self.cloud.secrets(scope, role), self.cloud.console(scope));
        Arc::new(crate::vaults::Door { inner, life: Arc::clone(&self.life), console })
    }

    fn records(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Records> {
        let (inner, console) = (self.cloud.records(scope, role), self.cloud.console(scope));
        Arc::new(crate::zones::Door { inner, life: Arc::clone(&self.life), console })
    }

    fn tables(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Tables> {
        self.cloud.tables(scope, role)
    }

    fn vaults(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Vaults> {
        self.cloud.vaults(scope, role)
    }

    fn account(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Account> {
        self.cloud.account(scope, role)
    }

    fn drift(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Drift> {
        self.cloud.drift(scope, role)
    }

    fn trail(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Trail> {
        self.cloud.trail(scope, role)
    }

    fn objects(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Objects> {
        self.cloud.objects(scope, role)
    }

    fn metrics(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Metrics> {
        self.cloud.metrics(scope, role)
    }

    fn health(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Health> {
        self.cloud.health(scope, role)
    }
}

/// One door is opened for each step: what was read through it is what the step was checked against.
struct Door {
    inner: Arc<dyn Stacks>,
    life: Arc<Life>,
    console: Console,
    #[expect(clippy::option_option, reason = "not read, read and absent, read and there")]
    read: Mutex<Option<Option<StackState>>>,
    /// The pages of a listing so far.
    listing: Mutex<BTreeSet<StackName>>,
}

/// What a stack is made from, with secrets in the clear: they are inputs like any other.
fn shown(template: &TemplateSource, options: &StackOptions) -> String {
    let parameters = options
        .parameters
        .iter()
        .map(|(name, value)| match value {
            Value::Plain(text) => (name.as_str(), text.as_str()),
            Value::NoEcho(secret) => (name.as_str(), secret.expose()),
            Value::Previous => (name.as_str(), "(previous)"),
        })
        .collect::<Vec<_>>();
    // What was uploaded once more has another version, and is the same.
    let template = match template {
        TemplateSource::Url(url) => TemplateSource::Url(url.split('?').next().unwrap_or_default().to_owned()),
        given => given.clone(),
    };
    format!("{:?}", (template, parameters, &options.tags))
}

/// A mutation on its way.
pub(crate) struct Flight<'a> {
    life: &'a Life,
    target: String,
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut flying = self.life.in_flight.lock().unwrap();
        if let Some(count) = flying.get_mut(&self.target) {
            *count -= 1;
        }
    }
}

impl Life {
    pub(crate) fn depart(&self, operation: &str, target: &str) -> Flight<'_> {
        if self.stopped.load(Ordering::SeqCst) {
            self.truth.blame(format!("S19 stop: {operation} of {target} began after the daemon was told to stop"));
        }
        // What is frozen is not changed by anything that was begun after it was frozen.
        if !self.store.freezes().is_empty() {
            for wrong in crate::freezes::begun_while_held(&self.store, &[]) {
                self.truth.blame(wrong);
            }
        }
        let target = target.split('/').nth(1).unwrap_or(target).to_owned();
        let mut flying = self.in_flight.lock().unwrap();
        let count = flying.entry(target.clone()).or_insert(0);
        *count += 1;
        if *count > 1 {
            self.truth.blame(format!("S6 single writer: {operation} of {target} while another is in flight"));
        }
        Flight { life: self, target }
    }
}

impl Door {
    fn depart(&self, operation: &str, target: &str) -> Flight<'_> {
        self.life.depart(operation, target)
    }

    /// O3: what is about to be sent was written down before.
    fn journaled(&self, operation: &str, token: &str) {
        let newest = self.life.store.history(None, 50).unwrap();
        let begun = newest
            .iter()
            .any(|record| record.token.as_deref() == Some(token) && record.outcome == RecordOutcome::Begun);
        if !begun {
            self.life.truth.blame(format!("O3 journal: {operation} with {token} is sent and was not written down"));
        }
    }

    /// S10: a creation follows from a read that says that there is no such stack. Not from one right before the call: AWS
    /// itself refuses a name that is taken.
    fn absent(&self, name: &StackName) {
        let evidence = self.life.evidence.lock().unwrap();
        if evidence.says_absent(name, self.life.cx.elapsed()) {
            return;
        }
        match evidence.of(name) {
            Some(false) => {}
            Some(true) => {
                self.life.truth.blame(format!("S10 unknown: CreateStack of {name}, which was read and exists"));
            }
            None => self.life.truth.blame(format!("S10 unknown: CreateStack of {name}, which nothing says is absent")),
        }
    }

    /// S5 and S7: the step was checked against a read of its own, and what that read said allows it.
    fn checked(&self, operation: &str, target: &str) {
        let truth = &self.life.truth;
        match &*self.read.lock().unwrap() {
            None => truth.blame(format!("S5 fresh evidence: {operation} of {target} without reading the stack first")),
            Some(None) => {
                truth.blame(format!("S5 fresh evidence: {operation} of {target}, which was read and is gone"));
            }
            Some(Some(state)) => {
                let busy = state.status.is_in_progress();
                if busy && operation != "CancelUpdateStack" {
                    truth.blame(format!("S7 busy: {operation} of {target}, which was read as {}", state.status));
                }
            }
        }
    }
}

#[async_trait]
impl Stacks for Door {
    async fn caller(&self) -> Answer<AccountId> {
        self.inner.caller().await
    }
    async fn list(&self, page: Option<PageToken>) -> Answer<Page<StackState>> {
        let first = page.is_none();
        let answer = self.inner.list(page).await?;
        let mut listing = self.listing.lock().unwrap();
        if first {
            listing.clear();
        }
        listing.extend(answer.items.iter().map(|state| state.name.clone()));
        if answer.next.is_none() {
            let listed = Some(std::mem::take(&mut *listing));
            let mut evidence = self.life.evidence.lock().unwrap();
            let before = evidence.listed.take().map(|listed| (self.life.cx.elapsed(), listed));
            *evidence = Evidence { listed, before, ..Evidence::default() };
        }
        Ok(answer)
    }
    async fn describe(&self, name: &StackName) -> Answer<Option<StackState>> {
        let answer = self.inner.describe(name).await;
        if let Ok(state) = &answer {
            self.life.evidence.lock().unwrap().read.insert(name.clone(), state.is_some());
            *self.read.lock().unwrap() = Some(state.clone());
        }
        answer
    }
    async fn deleted(&self, page: Option<PageToken>) -> Answer<Page<DeletedStack>> {
        self.inner.deleted(page).await
    }
    async fn known(&self, stack: &StackId) -> Answer<Option<StackState>> {
        self.inner.known(stack).await
    }
    async fn template(&self, stack: &StackId) -> Answer<String> {
        self.inner.template(stack).await
    }
    async fn processed_template(&self, stack: &StackId) -> Answer<String> {
        self.inner.processed_template(stack).await
    }
    async fn nested_change_set(
        &self,
        id: &ChangeSetId,
        page: Option<PageToken>,
    ) -> Answer<Option<(ChangeSetState, Option<PageToken>)>> {
        self.inner.nested_change_set(id, page).await
    }
    async fn stack_policy(&self, stack: &StackId) -> Answer<Option<String>> {
        self.inner.stack_policy(stack).await
    }
    async fn events(&self, stack: &StackId, page: Option<PageToken>) -> Answer<Page<StackEvent>> {
        let answer = self.inner.events(stack, page).await;
        if let Ok(page) = &answer {
            self.life.truth.saw(&page.items);
        }
        answer
    }
    async fn change_sets(&self, stack: &StackId, page: Option<PageToken>) -> Answer<Page<ChangeSetSummary>> {
        self.life.truth.intruder.replaces(&self.console, &self.inner, stack).await;
        self.inner.change_sets(stack, page).await
    }
    async fn describe_change_set(
        &self,
        stack: &StackId,
        name: &ChangeSetName,
        page: Option<PageToken>,
    ) -> Answer<Option<(ChangeSetState, Option<PageToken>)>> {
        self.inner.describe_change_set(stack, name, page).await
    }
    async fn change_set_template(&self, stack: &StackId, name: &ChangeSetName) -> Answer<Option<String>> {
        self.inner.change_set_template(stack, name).await
    }
    async fn importers(&self, export: &str, page: Option<PageToken>) -> Answer<Page<StackName>> {
        self.inner.importers(export, page).await
    }
    async fn newest_backup(&self, kind: &str, physical_id: &str) -> Answer<Option<Timestamp>> {
        self.inner.newest_backup(kind, physical_id).await
    }
    async fn create(&self, fence: Fence, request: CreateStack) -> Answer<StackId> {
        let _flight = self.depart("CreateStack", &format!("stack/{}", request.name));
        self.absent(&request.name);
        let inputs = shown(&request.template, &request.options);
        self.journaled("CreateStack", &request.token);
        self.life.truth.same_token(&request.token, &inputs);
        // Of one that somebody has deleted: that putting drift back failed for good is no reason not to create it again.
        self.life.truth.begins(request.name.as_str(), &request.token, &format!("created from {inputs}"));
        let name = request.name.clone();
        let answer = self.inner.create(fence, request).await;
        if let Ok(id) = &answer
            && let Ok(deployed) = self.console.template(id)
        {
            self.life.truth.created(fence.revision, &name, &deployed);
        }
        answer
    }
    async fn create_change_set(&self, fence: Fence, request: CreateChangeSet) -> Answer<ChangeSetId> {
        let _flight = self.depart("CreateChangeSet", request.stack.as_str());
        let inputs = shown(&request.template, &request.options);
        let name = format!("{}/{}", request.stack, request.name);
        self.life.truth.computes(&name, inputs);
        self.life.truth.images.proposes(&name, &request.options.parameters);
        let request = self.life.truth.intruder.meets(&self.console, request);
        let answer = self.inner.create_change_set(fence, request).await;
        if let Ok(id) = &answer {
            self.life.truth.made(id);
        }
        answer
    }
    async fn execute_change_set(&self, fence: Fence, change_set: &ChangeSetId, token: &str) -> Answer<()> {
        let _flight = self.depart("ExecuteChangeSet", change_set.as_str());
        self.checked("ExecuteChangeSet", change_set.as_str());
        self.journaled("ExecuteChangeSet", token);
        self.life.truth.same_token(token, change_set.as_str());
        self.life.truth.ours(change_set);
        if let Some(Some(state)) = &*self.read.lock().unwrap() {
            let set = change_set.as_str().split('/').nth(1).unwrap_or_default();
            let set = format!("{}/{set}", state.id);
            self.life.truth.executes(state.name.as_str(), token, &set);
            for wrong in self.life.truth.images.executes(&set, &self.console, self.life.cx.now()) {
                self.life.truth.blame(wrong);
            }
        }
        self.inner.execute_change_set(fence, change_set, token).await
    }
    async fn delete_change_set(&self, fence: Fence, stack: &StackId, name: &ChangeSetName) -> Answer<()> {
        let _flight = self.depart("DeleteChangeSet", stack.as_str());
        self.inner.delete_change_set(fence, stack, name).await
    }
    async fn delete(&self, fence: Fence, stack: &StackId, retain: &BTreeSet<String>, token: &str) -> Answer<()> {
        let _flight = self.depart("DeleteStack", stack.as_str());
        self.checked("DeleteStack", stack.as_str());
        self.journaled("DeleteStack", token);
        self.life.truth.same_token(token, stack.as_str());
        self.inner.delete(fence, stack, retain, token).await
    }
    async fn cancel_update(&self, fence: Fence, stack: &StackId, token: &str) -> Answer<()> {
        let _flight = self.depart("CancelUpdateStack", stack.as_str());
        self.checked("CancelUpdateStack", stack.as_str());
        self.inner.cancel_update(fence, stack, token).await
    }
    async fn continue_rollback(
        &self,
        fence: Fence,
        stack: &StackId,
        skip: &BTreeSet<String>,
        token: &str,
    ) -> Answer<()> {
        let _flight = self.depart("ContinueUpdateRollback", stack.as_str());
        self.checked("ContinueUpdateRollback", stack.as_str());
        self.inner.continue_rollback(fence, stack, skip, token).await
    }
    async fn set_termination_protection(&self, fence: Fence, stack: &StackId, on: bool) -> Answer<()> {
        let _flight = self.depart("UpdateTerminationProtection", stack.as_str());
        self.checked("UpdateTerminationProtection", stack.as_str());
        self.inner.set_termination_protection(fence, stack, on).await
    }
    async fn set_stack_policy(&self, fence: Fence, stack: &StackId, body: &str) -> Answer<()> {
        let _flight = self.depart("SetStackPolicy", stack.as_str());
        self.checked("SetStackPolicy", stack.as_str());
        self.inner.set_stack_policy(fence, stack, body).await
    }
    async fn keeps_versions(&self, bucket: &str) -> Answer<bool> {
        self.inner.keeps_versions(bucket).await
    }
    async fn stored(&self, names: &[String]) -> Answer<BTreeMap<String, String>> {
        self.inner.stored(names).await
    }
    async fn upload_template(&self, fence: Fence, bucket: &str, key: &str, body: &str) -> Answer<Uploaded> {
        let answer = self.inner.upload_template(fence, bucket, key, body).await;
        self.life.truth.intruder.overwrites(&self.console, bucket, key);
        answer
    }
    async fn uploaded_template(&self, bucket: &str, key: &str, version: &str) -> Answer<Option<String>> {
        let answer = self.inner.uploaded_template(bucket, key, version).await;
        self.life.truth.intruder.overwrites(&self.console, bucket, key);
        answer
    }
    async fn newest_upload(&self, bucket: &str, key: &str) -> Answer<Option<Uploaded>> {
        self.inner.newest_upload(bucket, key).await
    }
    async fn delete_upload(&self, fence: Fence, bucket: &str, key: &str, version: Option<&str>) -> Answer<()> {
        self.inner.delete_upload(fence, bucket, key, version).await
    }
}
