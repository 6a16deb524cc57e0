//! Stacks and environments made by hand, for the tests of several rooms.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::{
    Budget, DeletionPolicy, Digest, Environment, Key, Mode, OnFailure, OnceDigest, Place, Policy, Prune, Replace,
    Scope, SmallMap, StackAddress, StackSpec, StackState, StackStatus, StackVersion, Template, TemplateFacts,
};

pub(crate) fn key(name: &str) -> Key {
    Key::stack("dev".parse().unwrap(), name.parse().unwrap())
}

pub(crate) fn scope() -> Scope {
    Scope { account: "111122223333".parse().unwrap(), region: "us-east-1".parse().unwrap() }
}

pub(crate) fn address(name: &str) -> StackAddress {
    StackAddress { scope: scope(), name: format!("dev-performance-mgmt-{name}").parse().unwrap() }
}

pub(crate) fn depends(on: &[&str]) -> BTreeSet<Key> {
    on.iter().map(|name| key(name)).collect()
}

/// A stack as of some change.
pub(crate) fn version(name: &str) -> StackVersion {
    let id = format!("arn:aws:cloudformation:us-east-1:111122223333:stack/dev-performance-mgmt-{name}/1");
    StackVersion { id: id.parse().unwrap(), moved: "2026-03-01T00:00:00Z".parse().unwrap() }
}

/// An environment of stacks that depend on each other.
pub(crate) fn environment(stacks: &[(&str, &[&str])]) -> Environment {
    Environment {
        name: "dev".parse().unwrap(),
        system: "performance-mgmt".to_owned(),
        scope: scope(),
        role: None,
        tags: BTreeMap::new(),
        policy: Policy {
            mode: Mode::Apply,
            prune: Prune::Confirm,
            replace: Replace::Deny,
            broaden: crate::model::Broaden::Approve,
            budget: Budget { stacks: 12, replacements: 0, deletions: 0, per: Duration::from_hours(1) },
            stack_name: ".*".to_owned(),
            required_tags: BTreeSet::new(),
            stateful_types: BTreeSet::new(),
            stateless_types: BTreeSet::new(),
            backup_max_age: Duration::from_hours(24),
            drift: crate::model::DriftAction::Report,
            drift_every: None,
        },
        windows: std::sync::Arc::default(),
        limits: crate::model::Limits::default(),
        template_bucket: None,
        stacks: stacks.iter().map(|(name, on)| (key(name), Arc::new(spec(name, on)))).collect(),
        services: BTreeMap::new(),
        secrets: BTreeMap::new(),
        records: BTreeMap::new(),
        backups: BTreeMap::new(),
        ready: BTreeMap::new(),
        gaps: crate::model::Gaps::default(),
        older_than: None,
    }
}

pub(crate) fn spec(name: &str, on: &[&str]) -> StackSpec {
    let facts = std::sync::Arc::new(TemplateFacts {
        digest: Digest::of(name),
        outputs: BTreeMap::new(),
        resources: BTreeMap::new(),
        retained: BTreeSet::new(),
        gives_access: false,
        generated: false,
    });
    let template = Template {
        body: "Resources: {}".into(),
        text: Digest::of_bytes(b"Resources: {}"),
        facts,
        parameters: BTreeMap::new(),
        resources: BTreeMap::new(),
        imports: BTreeSet::new(),
        has_transform: false,
        transforms: std::collections::BTreeSet::new(),
        capabilities: Vec::new(),
    };
    StackSpec {
        digest: OnceDigest::default(),
        key: key(name),
        scope: scope(),
        stack_name: address(name).name,
        template: Arc::new(template),
        template_file: format!("performance-mgmt/templates/{name}.yaml"),
        parameters: SmallMap::new(),
        given: Box::default(),
        images: SmallMap::new(),
        capabilities: BTreeSet::new(),
        tags: SmallMap::new(),
        role_arn: None,
        termination_protection: false,
        stack_policy: None,
        on_failure: OnFailure::Rollback,
        timeout: None,
        rollback_alarms: Vec::new(),
        monitoring_minutes: None,
        notifications: Vec::new(),
        deletion_policy: DeletionPolicy::Delete,
        adopt: false,
        manifest: Place { file: "performance-mgmt/stacks.yaml".into(), line: 7 },
        tolerances: Vec::new(),
        drift: None,
        depends_on: depends(on),
    }
}

/// A stack as it is listed.
pub(crate) fn stack_state(name: &str, status: StackStatus) -> StackState {
    let id = format!("arn:aws:cloudformation:us-east-1:111122223333:stack/{name}/1");
    StackState {
        id: id.parse().unwrap(),
        name: name.parse().unwrap(),
        status,
        status_reason: None,
        created: "2026-01-01T00:00:00Z".parse().unwrap(),
        updated: None,
        stored: SmallMap::new(),
        parameters: SmallMap::new(),
        tags: SmallMap::new(),
        outputs: SmallMap::new(),
        termination_protection: false,
        role_arn: None,
        notifications: BTreeSet::new(),
        rollback_alarms: BTreeSet::new(),
        monitoring_minutes: None,
        capabilities: BTreeSet::new(),
        timeout_minutes: None,
        change_set: None,
        parent: None,
        operations: Vec::new(),
    }
}
