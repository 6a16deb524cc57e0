//! The simulation, held to what AWS documents.

mod calls;
mod change_sets;
mod custom;
mod doctor;
mod health;
mod lifecycle;
mod macros;
mod manifests;
mod nested;
mod refusals;
mod rules;
mod serverless;
mod services;
mod services_of_stacks;
mod tables;
mod tables_of_stacks;
mod templates;
mod traffic;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::context::{Context, Virtual};
use crate::model::{
    ChangeSetId, ChangeSetState, ChangeSetStatus, DeploymentMode, OnFailure, Scope, SmallMap, StackEvent, StackId,
    StackName, StackOptions, StackState, StackStatus, Value,
};
use crate::ports::{Cloud, CreateChangeSet, CreateStack, Fence, PortError, Stacks, TemplateSource};
use crate::sim::{Console, FaultPlan, ResourceFailure, ResourceFault, ResourceOperation, SimCloud, SimConfig};

pub(super) const FENCE: Fence = Fence { epoch: 1, revision: 1 };

/// A bucket, and a table that is made after it.
pub(super) const TWO: &str = "
Parameters:
  Size: { Type: String, Default: small }
Resources:
  Data: { Type: AWS::S3::Bucket, Properties: { Note: !Ref Size } }
  Table:
    Type: AWS::DynamoDB::Table
    Properties: { BillingMode: PAY_PER_REQUEST, Bucket: !Ref Data }
Outputs:
  Bucket: { Value: !Ref Data }
";

/// A simulated AWS, the clock it runs on, and one account in it.
pub(super) struct Rig {
    pub(super) clock: Virtual,
    pub(super) cx: Context,
    pub(super) cloud: SimCloud,
    pub(super) scope: Scope,
    pub(super) stacks: Arc<dyn Stacks>,
    pub(super) console: Console,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with(SimConfig::default())
    }

    pub(super) fn with(config: SimConfig) -> Self {
        let clock = Virtual::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
        let cx = Context::simulated(&clock, 1);
        let cloud = SimCloud::new(cx.clone(), config);
        let scope = Scope { account: "111122223333".parse().unwrap(), region: "us-east-1".parse().unwrap() };
        let stacks = cloud.stacks(&scope, None);
        let console = cloud.console(&scope);
        Self { clock, cx, cloud, scope, stacks, console }
    }

    pub(super) fn run<F: Future>(&self, future: F) -> F::Output {
        self.clock.drive(future).expect("a deadlock")
    }

    pub(super) fn pass(&self, duration: Duration) {
        self.run(self.cx.sleep(duration));
    }

    pub(super) fn create(&self, request: CreateStack) -> Result<StackId, PortError> {
        self.run(self.stacks.create(FENCE, request))
    }

    pub(super) fn state(&self, name: &str) -> StackState {
        self.run(self.stacks.describe(&stack_name(name))).unwrap().expect("no such stack")
    }

    /// The status after a while.
    pub(super) fn status_after(&self, name: &str, minutes: u64) -> StackStatus {
        self.pass(Duration::from_mins(minutes));
        self.state(name).status
    }

    /// A stack that is complete.
    pub(super) fn deployed(&self, name: &str, template: &str) -> StackId {
        let id = self.create(request(name, template)).unwrap();
        assert_eq!(self.status_after(name, 60), StackStatus::CreateComplete, "{:?}", self.events(&id));
        id
    }

    pub(super) fn change_set(&self, request: CreateChangeSet) -> (ChangeSetId, ChangeSetState) {
        let (stack, name) = (request.stack.clone(), request.name.clone());
        let id = self.run(self.stacks.create_change_set(FENCE, request)).unwrap();
        self.pass(Duration::from_secs(5));
        let (state, _) = self.run(self.stacks.describe_change_set(&stack, &name, None)).unwrap().unwrap();
        (id, state)
    }

    /// Begins an update of a stack to this template.
    pub(super) fn update(&self, stack: &StackId, name: &str, template: &str) {
        let (id, state) = self.change_set(change(stack, name, template));
        assert_eq!(state.status, ChangeSetStatus::Available);
        self.run(self.stacks.execute_change_set(FENCE, &id, name)).unwrap();
    }

    /// All events, newest first.
    pub(super) fn events(&self, stack: &StackId) -> Vec<StackEvent> {
        let mut events = Vec::new();
        let mut page = None;
        loop {
            let read = self.run(self.stacks.events(stack, page)).unwrap();
            events.extend(read.items);
            page = read.next;
            if page.is_none() {
                return events;
            }
        }
    }

    /// The statuses that a stack went through, oldest first.
    pub(super) fn passed_through(&self, stack: &StackId) -> Vec<String> {
        let events = self.events(stack);
        let own = events.iter().rev().filter(|event| event.kind == "AWS::CloudFormation::Stack");
        own.map(|event| event.status.clone()).collect()
    }

    /// Fails the next operation of that kind on a resource.
    pub(super) fn fail(&self, resource: &str, operation: ResourceOperation, times: u32) {
        let what = ResourceFailure::Fails { reason: "no capacity".into(), code: "NotStabilized".into() };
        self.cloud.set_faults(FaultPlan {
            resources: vec![ResourceFault { stack: "*".into(), resource: resource.into(), operation, what, times }],
            ..FaultPlan::default()
        });
    }

    /// Makes the next operation of that kind on a resource never end.
    pub(super) fn stick(&self, resource: &str, operation: ResourceOperation) {
        let fault = ResourceFault {
            stack: "*".into(),
            resource: resource.into(),
            operation,
            what: ResourceFailure::Sticks,
            times: 1,
        };
        self.cloud.set_faults(FaultPlan { resources: vec![fault], ..FaultPlan::default() });
    }
}

pub(super) fn stack_name(name: &str) -> StackName {
    name.parse().unwrap()
}

pub(super) fn request(name: &str, template: &str) -> CreateStack {
    CreateStack {
        name: stack_name(name),
        template: TemplateSource::Body(template.into()),
        options: StackOptions::default(),
        termination_protection: false,
        stack_policy: None,
        on_failure: OnFailure::Rollback,
        timeout: None,
        token: format!("create-{name}"),
    }
}

pub(super) fn change(stack: &StackId, name: &str, template: &str) -> CreateChangeSet {
    CreateChangeSet {
        stack: stack.clone(),
        name: name.parse().unwrap(),
        template: TemplateSource::Body(template.into()),
        options: StackOptions::default(),
        nested: true,
        mode: DeploymentMode::Ordinary,
    }
}

pub(super) fn parameters(pairs: &[(&str, &str)]) -> SmallMap<Value> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::Plain((*value).to_owned()))).collect()
}

pub(super) fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
