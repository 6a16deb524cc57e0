//! The governed door to one account and region: every call of the port, through the governor.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared as SharedFuture, WeakShared};
use jiff::Timestamp;

use super::api::{self, Api};
use super::pass::{Pass, Sort};
use super::{Priority, Shared};
use crate::model::{
    AccountId, ChangeSetId, ChangeSetName, ChangeSetState, ChangeSetSummary, DeletedStack, Scope, StackEvent, StackId,
    StackName, StackState,
};
use crate::ports::hush::Spoken;
use crate::ports::{Class, CreateChangeSet, CreateStack, Fence, Page, PageToken, PortError, Stacks, Uploaded};

/// How long it is taken for granted whose the credentials are. They come from files, processes and services that somebody
/// may change while this runs; four calls an hour for each account, region and role are nothing.
const VERIFIED_FOR: Duration = Duration::from_mins(15);

/// Whether the credentials of a scope and role are those of the account; asked by whoever needs it first, and again when
/// that was long ago.
#[derive(Default)]
pub(super) struct Identity {
    known: Mutex<Known>,
}

#[derive(Default)]
enum Known {
    /// Nothing.
    #[default]
    Unasked,
    /// Those who wait for the answer keep the question alive: when they are all gone, so is it.
    Asked(WeakShared<Answer>),
    /// They were, at this moment of the clock that never goes back.
    Verified(Duration),
}

type Answer = BoxFuture<'static, Result<(), Wrong>>;

/// Why nothing can be sent.
#[derive(Clone, Debug)]
struct Wrong {
    class: Class,
    code: Option<String>,
    message: String,
}

/// The door to one port of one account and region.
pub(super) struct Door<P: ?Sized> {
    pub(super) shared: Arc<Shared>,
    pub(super) inner: Arc<P>,
    /// Who can be asked whose credentials these are.
    pub(super) caller: Arc<dyn Stacks>,
    pub(super) scope: Scope,
    pub(super) priority: Priority,
    pub(super) identity: Arc<Identity>,
    /// Why nothing may be sent through it, if that is so.
    pub(super) forbidden: Option<Arc<str>>,
}

impl<P: ?Sized + Send + Sync> Door<P> {
    pub(super) fn pass(&self, api: &'static Api, sort: Sort) -> Pass<'_> {
        Pass { shared: &self.shared, scope: &self.scope, priority: self.priority, api, sort }
    }

    pub(super) async fn read<'c, T>(
        &self,
        api: &'static Api,
        call: impl Fn() -> BoxFuture<'c, Result<T, PortError>> + Send,
    ) -> Result<T, PortError> {
        self.verify(api).await?;
        self.pass(api, Sort::Read).send(call).await.map_err(|error| self.shared.hush.error(error))
    }

    /// The same, of an answer with texts of AWS in it.
    async fn read_texts<'c, T: Spoken>(
        &self,
        api: &'static Api,
        call: impl Fn() -> BoxFuture<'c, Result<Page<T>, PortError>> + Send,
    ) -> Result<Page<T>, PortError> {
        let page = self.read(api, call).await?;
        let items = page.items.into_iter().map(|item| item.hushed(&self.shared.hush)).collect();
        Ok(Page { items, next: page.next })
    }

    pub(super) async fn change<'c, T>(
        &self,
        api: &'static Api,
        fence: Fence,
        call: impl Fn() -> BoxFuture<'c, Result<T, PortError>> + Send,
    ) -> Result<T, PortError> {
        let pass = self.pass(api, Sort::Change(fence));
        pass.allow()?;
        self.verify(api).await?;
        pass.send(call).await.map_err(|error| self.shared.hush.error(error))
    }

    /// Makes sure that the credentials are those of the account (invariant S11). A success is remembered; a failure
    /// is the answer to all who waited for it, and the next call asks again.
    pub(super) async fn verify(&self, api: &'static Api) -> Result<(), PortError> {
        if let Some(why) = &self.forbidden {
            return Err(PortError::new(Class::Denied, api.operation, format!("request not sent: {why}")));
        }
        let Some(question) = self.question() else { return Ok(()) };
        question.await.map_err(|wrong| {
            let mut error = PortError::new(wrong.class, api.operation, wrong.message);
            error.code = wrong.code;
            error
        })?;
        let now = self.shared.cx.elapsed();
        let mut known = self.identity.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever waited for the same answer may be late to say so.
        if !matches!(*known, Known::Verified(_)) {
            *known = Known::Verified(now);
        }
        Ok(())
    }

    /// The question that is open, or a new one; `None` if it was answered well.
    fn question(&self) -> Option<SharedFuture<Answer>> {
        let mut known = self.identity.known.lock().unwrap_or_else(PoisonError::into_inner);
        let open = match &*known {
            Known::Verified(at) if self.shared.cx.elapsed().saturating_sub(*at) < VERIFIED_FOR => return None,
            Known::Asked(question) => question.upgrade().filter(|question| !matches!(question.peek(), Some(Err(_)))),
            Known::Verified(_) | Known::Unasked => None,
        };
        let question = open.unwrap_or_else(|| self.ask());
        if let Some(weak) = question.downgrade() {
            *known = Known::Asked(weak);
        }
        Some(question)
    }

    fn ask(&self) -> SharedFuture<Answer> {
        let (shared, caller, scope) = (Arc::clone(&self.shared), Arc::clone(&self.caller), self.scope.clone());
        let priority = self.priority;
        let question = async move {
            let pass = Pass { shared: &shared, scope: &scope, priority, api: &api::CALLER, sort: Sort::Read };
            match pass.send(|| caller.caller()).await {
                Ok(account) if account == scope.account => Ok(()),
                Ok(account) => {
                    let message =
                        format!("request not sent: the credentials belong to account {account}, not {}", scope.account);
                    Err(Wrong { class: Class::Denied, code: None, message })
                }
                Err(error) => {
                    let message = format!("request not sent: the account could not be verified: {error}");
                    let class = match error.class {
                        // These pass by themselves. So that a change is not taken for one that may have been made:
                        // "no answer" is said as "later".
                        Class::Throttled | Class::Transient => Class::Throttled,
                        Class::Stopped => Class::Stopped,
                        _ => Class::Denied,
                    };
                    Err(Wrong { class, code: error.code, message })
                }
            }
        };
        question.boxed().shared()
    }
}

#[async_trait]
impl Stacks for Door<dyn Stacks> {
    async fn caller(&self) -> Result<AccountId, PortError> {
        if let Some(why) = &self.forbidden {
            return Err(PortError::new(Class::Denied, api::CALLER.operation, format!("request not sent: {why}")));
        }
        self.pass(&api::CALLER, Sort::Read).send(|| self.inner.caller()).await
    }

    async fn list(&self, page: Option<PageToken>) -> Result<Page<StackState>, PortError> {
        self.read_texts(&api::DESCRIBE_STACKS, || self.inner.list(page.clone())).await
    }

    async fn describe(&self, name: &StackName) -> Result<Option<StackState>, PortError> {
        let found = self.read(&api::DESCRIBE_STACKS, || self.inner.describe(name)).await?;
        Ok(found.map(|stack| stack.hushed(&self.shared.hush)))
    }

    async fn deleted(&self, page: Option<PageToken>) -> Result<Page<DeletedStack>, PortError> {
        self.read(&api::LIST_STACKS, || self.inner.deleted(page.clone())).await
    }

    async fn known(&self, stack: &StackId) -> Result<Option<StackState>, PortError> {
        self.read(&api::DESCRIBE_STACKS, || self.inner.known(stack)).await
    }

    async fn template(&self, stack: &StackId) -> Result<String, PortError> {
        self.read(&api::GET_TEMPLATE, || self.inner.template(stack)).await
    }

    async fn processed_template(&self, stack: &StackId) -> Result<String, PortError> {
        self.read(&api::GET_TEMPLATE, || self.inner.processed_template(stack)).await
    }

    async fn stack_policy(&self, stack: &StackId) -> Result<Option<String>, PortError> {
        self.read(&api::GET_STACK_POLICY, || self.inner.stack_policy(stack)).await
    }

    async fn events(&self, stack: &StackId, page: Option<PageToken>) -> Result<Page<StackEvent>, PortError> {
        self.read_texts(&api::DESCRIBE_EVENTS, || self.inner.events(stack, page.clone())).await
    }

    async fn change_sets(&self, stack: &StackId, page: Option<PageToken>) -> Result<Page<ChangeSetSummary>, PortError> {
        self.read_texts(&api::LIST_CHANGE_SETS, || self.inner.change_sets(stack, page.clone())).await
    }

    async fn describe_change_set(
        &self,
        stack: &StackId,
        name: &ChangeSetName,
        page: Option<PageToken>,
    ) -> Result<Option<(ChangeSetState, Option<PageToken>)>, PortError> {
        let call = || self.inner.describe_change_set(stack, name, page.clone());
        let found = self.read(&api::DESCRIBE_CHANGE_SET, call).await?;
        Ok(found.map(|(set, next)| (set.hushed(&self.shared.hush), next)))
    }

    async fn nested_change_set(
        &self,
        id: &ChangeSetId,
        page: Option<PageToken>,
    ) -> Result<Option<(ChangeSetState, Option<PageToken>)>, PortError> {
        self.read(&api::DESCRIBE_CHANGE_SET, || self.inner.nested_change_set(id, page.clone())).await
    }

    async fn change_set_template(&self, stack: &StackId, name: &ChangeSetName) -> Result<Option<String>, PortError> {
        self.read(&api::GET_TEMPLATE, || self.inner.change_set_template(stack, name)).await
    }

    async fn importers(&self, export: &str, page: Option<PageToken>) -> Result<Page<StackName>, PortError> {
        self.read(&api::LIST_IMPORTS, || self.inner.importers(export, page.clone())).await
    }

    async fn newest_backup(&self, kind: &str, physical_id: &str) -> Result<Option<Timestamp>, PortError> {
        self.read(&api::LIST_BACKUPS, || self.inner.newest_backup(kind, physical_id)).await
    }

    async fn create(&self, fence: Fence, request: CreateStack) -> Result<StackId, PortError> {
        self.change(&api::CREATE_STACK, fence, || self.inner.create(fence, request.clone())).await
    }

    async fn create_change_set(&self, fence: Fence, request: CreateChangeSet) -> Result<ChangeSetId, PortError> {
        let call = || self.inner.create_change_set(fence, request.clone());
        self.change(&api::CREATE_CHANGE_SET, fence, call).await
    }

    async fn execute_change_set(&self, fence: Fence, change_set: &ChangeSetId, token: &str) -> Result<(), PortError> {
        let call = || self.inner.execute_change_set(fence, change_set, token);
        self.change(&api::EXECUTE_CHANGE_SET, fence, call).await
    }

    async fn delete_change_set(&self, fence: Fence, stack: &StackId, name: &ChangeSetName) -> Result<(), PortError> {
        let call = || self.inner.delete_change_set(fence, stack, name);
        self.change(&api::DELETE_CHANGE_SET, fence, call).await
    }

    async fn delete(
        &self,
        fence: Fence,
        stack: &StackId,
        retain: &BTreeSet<String>,
        token: &str,
    ) -> Result<(), PortError> {
        self.change(&api::DELETE_STACK, fence, || self.inner.delete(fence, stack, retain, token)).await
    }

    async fn cancel_update(&self, fence: Fence, stack: &StackId, token: &str) -> Result<(), PortError> {
        self.change(&api::CANCEL_UPDATE, fence, || self.inner.cancel_update(fence, stack, token)).await
    }

    async fn continue_rollback(
        &self,
        fence: Fence,
        stack: &StackId,
        skip: &BTreeSet<String>,
        token: &str,
    ) -> Result<(), PortError> {
        let call = || self.inner.continue_rollback(fence, stack, skip, token);
        self.change(&api::CONTINUE_ROLLBACK, fence, call).await
    }

    async fn set_termination_protection(&self, fence: Fence, stack: &StackId, on: bool) -> Result<(), PortError> {
        let call = || self.inner.set_termination_protection(fence, stack, on);
        self.change(&api::TERMINATION_PROTECTION, fence, call).await
    }

    async fn set_stack_policy(&self, fence: Fence, stack: &StackId, body: &str) -> Result<(), PortError> {
        let call = || self.inner.set_stack_policy(fence, stack, body);
        self.change(&api::SET_STACK_POLICY, fence, call).await
    }

    async fn keeps_versions(&self, bucket: &str) -> Result<bool, PortError> {
        self.read(&api::BUCKET_VERSIONING, || self.inner.keeps_versions(bucket)).await
    }

    async fn stored(&self, names: &[String]) -> Result<BTreeMap<String, String>, PortError> {
        self.read(&api::GET_PARAMETERS, || self.inner.stored(names)).await
    }

    async fn upload_template(&self, fence: Fence, bucket: &str, key: &str, body: &str) -> Result<Uploaded, PortError> {
        let call = || self.inner.upload_template(fence, bucket, key, body);
        self.change(&api::PUT_OBJECT, fence, call).await
    }

    async fn uploaded_template(&self, bucket: &str, key: &str, version: &str) -> Result<Option<String>, PortError> {
        self.read(&api::GET_OBJECT, || self.inner.uploaded_template(bucket, key, version)).await
    }

    async fn newest_upload(&self, bucket: &str, key: &str) -> Result<Option<Uploaded>, PortError> {
        self.read(&api::HEAD_OBJECT, || self.inner.newest_upload(bucket, key)).await
    }

    async fn delete_upload(
        &self,
        fence: Fence,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<(), PortError> {
        let call = || self.inner.delete_upload(fence, bucket, key, version);
        self.change(&api::DELETE_OBJECT, fence, call).await
    }
}
