//! `CloudFormation`, and what a stack needs beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    Account, Containers, Drift, Fence, Health, Metrics, Objects, Page, PageToken, PortError, Records, Secrets, Tables,
    Trail, Vaults,
};
use crate::model::{
    AccountId, AssumeRole, ChangeSetId, ChangeSetName, ChangeSetState, ChangeSetSummary, DeletedStack, DeploymentMode,
    OnFailure, Scope, StackEvent, StackId, StackName, StackOptions, StackState,
};

/// A back end: AWS itself, something that speaks its wire, or the simulation.
pub trait Cloud: Send + Sync {
    /// The door to one account in one region, entered by `role` or with the credentials at hand.
    fn stacks(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Stacks>;

    /// The same, to its services and images.
    fn containers(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Containers>;

    /// The same, to its secrets.
    fn secrets(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Secrets>;

    /// The same, to its DNS records.
    fn records(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Records>;

    /// The same, to what AWS says of the health of what runs.
    fn health(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Health>;

    /// The same, to metrics that are published.
    fn metrics(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Metrics>;

    /// The same, to what `CloudFormation` finds out about drift.
    fn drift(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Drift>;

    /// The same, to who has changed what.
    fn trail(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Trail>;

    /// The same, to objects in buckets.
    fn objects(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Objects>;

    /// The same, to its tables and their on-demand backups.
    fn tables(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Tables>;

    /// The same, to its backup vaults.
    fn vaults(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Vaults>;

    /// The same, to what the account allows.
    fn account(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Account>;
}

/// Where AWS reads the template from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateSource {
    /// The request itself: at most 51,200 bytes.
    Body(Arc<str>),
    /// An object in S3: at most 1 MB.
    Url(String),
    /// The one that is deployed.
    Previous,
}

/// A template in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// Where AWS reads it: this version of it, where the bucket keeps versions (AWS: *Amazon S3, Using versioning*).
    pub url: String,
    /// The version. `None`: the bucket keeps none, and what is read under the URL is whatever was written last.
    pub version: Option<String>,
}

/// A request to create a stack (AWS: *`CreateStack`*).
#[derive(Clone, Debug)]
pub struct CreateStack {
    /// Its name.
    pub name: StackName,
    /// Its template.
    pub template: TemplateSource,
    /// Everything else that a change set may change.
    pub options: StackOptions,
    /// Termination protection.
    pub termination_protection: bool,
    /// Stack policy.
    pub stack_policy: Option<Arc<str>>,
    /// What AWS does when it fails.
    pub on_failure: OnFailure,
    /// After how long AWS gives up; whole minutes, at least one.
    pub timeout: Option<Duration>,
    /// Idempotency token.
    pub token: String,
}

/// A request to compute an update (AWS: *`CreateChangeSet`*, type `UPDATE`).
#[derive(Clone, Debug)]
pub struct CreateChangeSet {
    /// The stack.
    pub stack: StackId,
    /// The change set's name: unique on the stack, and so its idempotency token.
    pub name: ChangeSetName,
    /// The template.
    pub template: TemplateSource,
    /// Everything else that a change set may change.
    pub options: StackOptions,
    /// Nested stacks get change sets of their own. Not where it is to revert drift: AWS makes none that does both.
    pub nested: bool,
    /// What it does about drift. An endpoint that does not know of it may refuse it, or ignore it: what came of it is in
    /// [`ChangeSetState::mode`].
    pub mode: DeploymentMode,
}

/// So many names are taken by one request to Parameter Store (AWS: *`GetParameters`*).
pub const STORED_MAX: usize = 10;

/// Stacks of one account in one region.
///
/// Names of objects in requests are ids wherever an id is known, so that a stack that was deleted and created again
/// under the same name is never mistaken for the old one.
#[async_trait]
pub trait Stacks: Send + Sync {
    /// Whose credentials these are (AWS: *`GetCallerIdentity`*).
    async fn caller(&self) -> Result<AccountId, PortError>;

    /// One page of all stacks that are not deleted (AWS: *`DescribeStacks`* without a name).
    async fn list(&self, page: Option<PageToken>) -> Result<Page<StackState>, PortError>;

    /// One stack by name; `None` if there is none (AWS answers `ValidationError`, "does not exist").
    async fn describe(&self, name: &StackName) -> Result<Option<StackState>, PortError>;

    /// One page of the stacks that were deleted within the last 90 days (AWS: *`ListStacks`*, `DELETE_COMPLETE`).
    async fn deleted(&self, page: Option<PageToken>) -> Result<Page<DeletedStack>, PortError>;

    /// One stack by its id, also if it was deleted within the last 90 days (AWS: *`DescribeStacks`*); `None` if AWS knows
    /// none of that id.
    async fn known(&self, stack: &StackId) -> Result<Option<StackState>, PortError>;

    /// The template as it was submitted (AWS: *`GetTemplate`*, stage `Original`).
    async fn template(&self, stack: &StackId) -> Result<String, PortError>;

    /// The template that is deployed: what macros made of the one that was submitted (AWS: *`GetTemplate`*, stage
    /// `Processed`).
    async fn processed_template(&self, stack: &StackId) -> Result<String, PortError>;

    /// The stack policy, if there is one.
    async fn stack_policy(&self, stack: &StackId) -> Result<Option<String>, PortError>;

    /// One page of events, newest first. Works for deleted stacks too, by id.
    async fn events(&self, stack: &StackId, page: Option<PageToken>) -> Result<Page<StackEvent>, PortError>;

    /// One page of change sets.
    async fn change_sets(&self, stack: &StackId, page: Option<PageToken>) -> Result<Page<ChangeSetSummary>, PortError>;

    /// A change set with one page of its changes; `None` if there is none of that name.
    async fn describe_change_set(
        &self,
        stack: &StackId,
        name: &ChangeSetName,
        page: Option<PageToken>,
    ) -> Result<Option<(ChangeSetState, Option<PageToken>)>, PortError>;

    /// The same of a change set that belongs to a nested stack, by its id alone.
    async fn nested_change_set(
        &self,
        id: &ChangeSetId,
        page: Option<PageToken>,
    ) -> Result<Option<(ChangeSetState, Option<PageToken>)>, PortError>;
    /// The template that a change set was made from, as it was submitted; `None` if there is no change set of that name
    /// (AWS: *`GetTemplate`*, `ChangeSetName`, stage `Original`).
    async fn change_set_template(&self, stack: &StackId, name: &ChangeSetName) -> Result<Option<String>, PortError>;

    /// One page of the names of stacks that import an export; empty if none does.
    async fn importers(&self, export: &str, page: Option<PageToken>) -> Result<Page<StackName>, PortError>;

    /// When the newest completed backup of a resource was finished; `None` if there is none, or none that can be
    /// asked for (only `DynamoDB` tables can, so far).
    async fn newest_backup(&self, kind: &str, physical_id: &str) -> Result<Option<Timestamp>, PortError>;

    /// Creates a stack. Answers `Conflict` if one of that name exists.
    async fn create(&self, fence: Fence, request: CreateStack) -> Result<StackId, PortError>;

    /// Creates a change set. Answers `Conflict` if one of that name exists.
    async fn create_change_set(&self, fence: Fence, request: CreateChangeSet) -> Result<ChangeSetId, PortError>;

    /// Executes a change set. Answers `Conflict` if it can no longer be executed.
    async fn execute_change_set(&self, fence: Fence, change_set: &ChangeSetId, token: &str) -> Result<(), PortError>;

    /// Deletes a change set; succeeds if it is gone already.
    async fn delete_change_set(&self, fence: Fence, stack: &StackId, name: &ChangeSetName) -> Result<(), PortError>;

    /// Begins to delete a stack; succeeds if it is gone already. Resources to `retain` stay in the account; they may be
    /// named only where a deletion has failed (AWS: *`DeleteStack`*, `RetainResources`).
    async fn delete(
        &self,
        fence: Fence,
        stack: &StackId,
        retain: &BTreeSet<String>,
        token: &str,
    ) -> Result<(), PortError>;

    /// Cancels a running update.
    async fn cancel_update(&self, fence: Fence, stack: &StackId, token: &str) -> Result<(), PortError>;

    /// Continues a failed rollback without the resources to `skip`: those that the rollback itself failed on, in nested
    /// stacks as `Stack.Resource` (AWS: *`ContinueUpdateRollback`*, `ResourcesToSkip`).
    async fn continue_rollback(
        &self,
        fence: Fence,
        stack: &StackId,
        skip: &BTreeSet<String>,
        token: &str,
    ) -> Result<(), PortError>;

    /// Switches termination protection.
    async fn set_termination_protection(&self, fence: Fence, stack: &StackId, on: bool) -> Result<(), PortError>;

    /// Sets the stack policy.
    async fn set_stack_policy(&self, fence: Fence, stack: &StackId, body: &str) -> Result<(), PortError>;

    /// Whether a bucket for templates keeps versions (AWS: *`GetBucketVersioning`*). Answers `NotFound` if there is no such
    /// bucket, `Invalid` if it is in another region, `Denied` if it belongs to another account or may not be used.
    async fn keeps_versions(&self, bucket: &str) -> Result<bool, PortError>;

    /// Values in Systems Manager Parameter Store, at most [`STORED_MAX`] of them (AWS: *`GetParameters`*). Those that are
    /// not there are left out.
    async fn stored(&self, names: &[String]) -> Result<BTreeMap<String, String>, PortError>;

    /// Puts a template where AWS can read it (AWS: *`PutObject`*).
    async fn upload_template(&self, fence: Fence, bucket: &str, key: &str, body: &str) -> Result<Uploaded, PortError>;

    /// What is in this version of a template that was uploaded; `None` if it is gone (AWS: *`GetObject`*, `versionId`).
    async fn uploaded_template(&self, bucket: &str, key: &str, version: &str) -> Result<Option<String>, PortError>;

    /// The newest version of a template that was uploaded; `None` if there is none (AWS: *`HeadObject`*).
    async fn newest_upload(&self, bucket: &str, key: &str) -> Result<Option<Uploaded>, PortError>;

    /// Deletes a template that was uploaded: this version of it, or what there is where none are kept (AWS: *`DeleteObject`*,
    /// `versionId`).
    async fn delete_upload(
        &self,
        fence: Fence,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<(), PortError>;
}
