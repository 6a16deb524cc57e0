//! Change sets: what an update would do, worked out without doing it.
//!
//! As on AWS, the forecast does not know what it cannot know: a value that depends on a resource which is to be changed
//! or replaced is *dynamic*, and so shows as a change that may replace (AWS: *`ResourceChange`*, `Replacement:
//! Conditional`; *Example change sets*).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value as Json;

use super::evaluate::{Resolve, UNKNOWN, entries};
use super::exports::outputs;
use super::nested::DEPTH_MAX;
use super::reader::{self, Parsed, ResourceDecl};
use super::resource::{self, Resource, STACK};
use super::stack::{ChangeSet, Submission};
use super::wanted::Wanted;
use super::world::{Due, World};
use crate::model::{
    ChangeAction, ChangeContext, ChangeSetId, ChangeSetInputs, ChangeSetName, ChangeSetState, ChangeSetStatus,
    DeploymentMode, Replacement, ResourceChange, Scope, StackStatus, ValueChange,
};

/// How long AWS computes.
const COMPUTING: Duration = Duration::from_millis(1500);

/// What is to become of a resource.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Modified,
    Replaced,
}

struct Forecast<'a> {
    scope: &'a Scope,
    resources: &'a BTreeMap<String, Resource>,
    fates: &'a BTreeMap<String, Fate>,
}

impl Resolve for Forecast<'_> {
    fn reference(&self, logical: &str) -> Option<String> {
        match (self.resources.get(logical), self.fates.get(logical)) {
            (Some(resource), None | Some(Fate::Modified)) => Some(resource.physical_id.clone()),
            _ => Some(format!("{UNKNOWN}{logical}")),
        }
    }

    fn attribute(&self, logical: &str, attribute: &str) -> Option<Json> {
        match (self.resources.get(logical), self.fates.get(logical)) {
            (Some(resource), None) => resource.attribute(self.scope, attribute),
            _ => Some(Json::String(format!("{UNKNOWN}{logical}.{attribute}"))),
        }
    }
}

/// What a submission would change.
pub(super) struct Computed {
    pub(super) changes: Vec<ResourceChange>,
    /// The resources as a whole.
    pub(super) contexts: BTreeMap<String, ChangeContext>,
    /// Nothing would change, outputs and tags and nested stacks included.
    pub(super) empty: bool,
    /// What would change in nested stacks.
    pub(super) inners: Vec<Inner>,
}

/// What would change in a nested stack.
pub(super) struct Inner {
    pub(super) resource: String,
    /// The stack, if there is one already.
    pub(super) stack: Option<usize>,
    pub(super) wanted: Wanted,
    pub(super) submission: Submission,
    pub(super) computed: Computed,
}

impl World {
    /// Begins to compute a change set.
    pub(super) fn begin_change_set(
        &mut self,
        ix: usize,
        id: ChangeSetId,
        name: ChangeSetName,
        submission: Submission,
        mode: DeploymentMode,
        nested: bool,
    ) {
        let serial = self.serial();
        self.own(id.clone(), ix);
        let inputs = self.inputs_of(self.data.stacks[ix].region, &submission);
        let stack = &mut self.data.stacks[ix];
        let state = ChangeSetState {
            id,
            name: name.clone(),
            stack: stack.state.id.clone(),
            status: ChangeSetStatus::Creating,
            mode,
            parent: None,
            changes: Vec::new(),
            inputs,
            contexts: BTreeMap::new(),
        };
        let created = self.data.now;
        let set = ChangeSet { state, submission, created, ready: None, nested, below: Vec::new(), serial };
        stack.change_sets.insert(name.clone(), set);
        self.later(COMPUTING, Due::Prepare { stack: ix, name, serial });
    }

    /// What a change set is said to have been made from.
    pub(super) fn inputs_of(&mut self, region: usize, submission: &Submission) -> ChangeSetInputs {
        let parsed = self.parsed(submission.deployed()).unwrap_or_default();
        ChangeSetInputs {
            template: None,
            stored: self.resolved(region, &parsed, &submission.parameters),
            parameters: self.shown_parameters(submission),
            capabilities: submission.capabilities.clone(),
            tags: submission.tags.clone(),
            notifications: submission.notifications.clone(),
            rollback_alarms: submission.rollback_alarms.clone(),
            monitoring_minutes: submission.monitoring_minutes,
        }
    }

    /// A change set is computed.
    pub(super) fn prepare_change_set(&mut self, ix: usize, name: &ChangeSetName, serial: u64) {
        let Some(change_set) = self.data.stacks[ix].change_sets.get(name) else { return };
        if change_set.serial != serial || change_set.state.status != ChangeSetStatus::Creating {
            return;
        }
        let (submission, mode, nested) = (change_set.submission.clone(), change_set.state.mode, change_set.nested);
        let id = change_set.state.id.clone();
        let computed = self.compute(ix, &submission, mode).and_then(|mut computed| {
            let below = if nested { self.nest(ix, &id, &submission, &mut computed)? } else { Vec::new() };
            if !nested {
                self.add_automatic(ix, &mut computed);
            }
            Ok((computed, below))
        });
        let now = self.data.now;
        let Some(change_set) = self.data.stacks[ix].change_sets.get_mut(name) else { return };
        change_set.ready = Some(now);
        match computed {
            Ok((computed, below)) => {
                change_set.below = below;
                change_set.state.status =
                    if computed.empty { ChangeSetStatus::Empty } else { ChangeSetStatus::Available };
                change_set.state.changes = computed.changes;
                change_set.state.contexts = computed.contexts;
            }
            Err(reason) => change_set.state.status = ChangeSetStatus::Failed(reason),
        }
    }

    /// Works out what a submission would change.
    pub(super) fn compute(
        &mut self,
        ix: usize,
        submission: &Submission,
        mode: DeploymentMode,
    ) -> Result<Computed, String> {
        let imports = self.imported(ix, submission)?;
        let parsed = self.parsed(submission.deployed())?;
        let scope = self.scope_of(ix).clone();
        let resources = match mode {
            DeploymentMode::RevertDrift => self.actual(ix),
            DeploymentMode::Ordinary => self.data.stacks[ix].resources.clone(),
        };
        let mut fates = BTreeMap::new();
        let mut changes = Vec::new();
        let mut contexts = BTreeMap::new();
        let said = Said::new(&parsed, [&submission.parameters, &self.data.stacks[ix].parameters]);
        let mut kept = BTreeSet::new();
        let mut inners = Vec::new();
        for name in reader::order(&parsed) {
            let Some(decl) = parsed.resources.get(name) else { continue };
            let forecast = Forecast { scope: &scope, resources: &resources, fates: &fates };
            let Some(wanted) = self.forecast(ix, &parsed, submission, &forecast, decl)? else { continue };
            kept.insert(name.as_str());
            let now = resources.get(name).filter(|now| now.exists());
            let inner = match mode {
                DeploymentMode::RevertDrift => None,
                DeploymentMode::Ordinary => self.compute_inner(ix, name, &wanted, now, submission, 0)?,
            };
            let modified = now.and_then(|now| modification(name, &wanted, now, decl));
            let inner = inner.filter(|inner| now.is_none() || modified.is_some() || !inner.computed.empty);
            let change = match now {
                None => Some((addition(name, &wanted.kind), Some(Fate::Replaced))),
                Some(now) => modified.or_else(|| inner.as_ref().map(|_| (unchanged(name, now), Some(Fate::Modified)))),
            };
            inners.extend(inner);
            if let Some((mut change, fate)) = change {
                change.values = said.values(&wanted, now);
                contexts.insert(name.clone(), said.context(now.map(|now| &now.properties), Some(&wanted.properties)));
                fates.extend(fate.map(|fate| (name.clone(), fate)));
                changes.push(change);
            }
        }
        let gone = resources.iter().filter(|(name, now)| now.exists() && !kept.contains(name.as_str()));
        for (name, now) in gone {
            contexts.insert(name.clone(), said.context(Some(&now.properties), None));
            changes.push(removal(name, now));
        }
        let forecast = Forecast { scope: &scope, resources: &resources, fates: &fates };
        let outputs = self.with_env(ix, &parsed, submission, &forecast, |env| outputs(&parsed, env))?;
        let stack = &self.data.stacks[ix];
        let now = &stack.state;
        let role = submission.role_arn.is_some() && submission.role_arn != now.role_arn;
        let empty = changes.is_empty()
            && outputs == now.outputs
            && imports == stack.imports
            && submission.tags == now.tags
            && submission.notifications == now.notifications
            && submission.rollback_alarms == now.rollback_alarms
            && submission.monitoring_minutes == now.monitoring_minutes
            && !role;
        Ok(Computed { changes, contexts, empty, inners })
    }

    /// A resource as it would be asked for; `None`: its condition does not hold.
    fn forecast(
        &self,
        ix: usize,
        parsed: &Parsed,
        submission: &Submission,
        resources: &dyn Resolve,
        decl: &ResourceDecl,
    ) -> Result<Option<Wanted>, String> {
        self.with_env(ix, parsed, submission, resources, |env| {
            if !env.holds(decl.condition.as_ref())? {
                return Ok(None);
            }
            let properties = env.eval(&decl.properties)?.unwrap_or_default();
            let metadata = env.eval(&decl.metadata)?.unwrap_or_default();
            Ok(Some(Wanted::new(decl, properties, metadata, &submission.tags)))
        })
    }

    /// What would change in a nested stack; `None`: the resource is none.
    fn compute_inner(
        &mut self,
        ix: usize,
        name: &str,
        wanted: &Wanted,
        now: Option<&Resource>,
        submission: &Submission,
        depth: usize,
    ) -> Result<Option<Inner>, String> {
        if wanted.kind != STACK {
            return Ok(None);
        }
        let failed = |why: String| format!("Nested change set of {name} was not successfully created: {why}");
        let inner = self.inner_submission(ix, &wanted.properties, &wanted.tags, submission);
        let inner = inner.map_err(|error| failed(error.message))?;
        let stack = now.and_then(|now| self.inner(now));
        let computed = match stack {
            Some(stack) => self.compute(stack, &inner, DeploymentMode::Ordinary),
            None => self.compute_new(ix, &inner, depth),
        };
        let computed = computed.map_err(failed)?;
        let submission = inner;
        Ok(Some(Inner { resource: name.to_owned(), stack, wanted: wanted.clone(), submission, computed }))
    }

    /// What would be made in a nested stack that is not there yet.
    fn compute_new(&mut self, ix: usize, submission: &Submission, depth: usize) -> Result<Computed, String> {
        if depth > DEPTH_MAX {
            return Err("stacks are nested too deeply".to_owned());
        }
        let parsed = self.parsed(submission.deployed())?;
        let scope = self.scope_of(ix).clone();
        let (resources, fates) = (BTreeMap::new(), BTreeMap::new());
        let forecast = Forecast { scope: &scope, resources: &resources, fates: &fates };
        let (mut changes, mut inners) = (Vec::new(), Vec::new());
        for name in reader::order(&parsed) {
            let Some(decl) = parsed.resources.get(name) else { continue };
            let Some(wanted) = self.forecast(ix, &parsed, submission, &forecast, decl)? else { continue };
            changes.push(addition(name, &wanted.kind));
            inners.extend(self.compute_inner(ix, name, &wanted, None, submission, depth + 1)?);
        }
        Ok(Computed { changes, contexts: BTreeMap::new(), empty: false, inners })
    }
}

/// Something changes in a nested stack, and nothing in what its parent says of it.
pub(super) fn unchanged(name: &str, now: &Resource) -> ResourceChange {
    ResourceChange {
        physical_id: Some(now.physical_id.clone()),
        action: ChangeAction::Modify,
        ..addition(name, &now.kind)
    }
}

/// What AWS says of values (AWS: *`DescribeChangeSet`*, `IncludePropertyValues`): none that is secret, and none that is
/// known only after the update.
struct Said(Vec<String>);

impl Said {
    fn new(parsed: &Parsed, parameters: [&BTreeMap<String, String>; 2]) -> Self {
        let secret = |name: &String| parsed.parameters.get(name).is_some_and(|decl| decl.no_echo);
        let all = parameters.into_iter().flatten();
        Self(all.filter(|(name, value)| secret(name) && !value.is_empty()).map(|(_, value)| value.clone()).collect())
    }

    fn masked(&self, value: &Json) -> Json {
        match value {
            Json::String(text) if text.contains(UNKNOWN) => "{{changeSet:KNOWN_AFTER_APPLY}}".into(),
            Json::String(text) => self.0.iter().fold(text.clone(), |text, secret| text.replace(secret, "****")).into(),
            Json::Array(items) => items.iter().map(|item| self.masked(item)).collect(),
            Json::Object(map) => map.iter().map(|(key, item)| (key.clone(), self.masked(item))).collect(),
            other => other.clone(),
        }
    }

    fn values(&self, wanted: &Wanted, now: Option<&Resource>) -> Vec<ValueChange> {
        let Some(now) = now else { return Vec::new() };
        let text = |value: &Json| match self.masked(value) {
            Json::String(text) => text,
            other => other.to_string(),
        };
        let of = |properties: &Json, name: &str| entries(properties).get(name).map(text);
        let value = |name: &str| ValueChange {
            path: format!("/Properties/{name}"),
            before: of(&now.properties, name),
            after: of(&wanted.properties, name),
        };
        wanted.changed(now).into_iter().map(value).collect()
    }

    fn context(&self, before: Option<&Json>, after: Option<&Json>) -> ChangeContext {
        let of = |properties: &Json| serde_json::json!({ "Properties": self.masked(properties) }).to_string();
        ChangeContext { before: before.map(of), after: after.map(of) }
    }
}

fn addition(name: &str, kind: &str) -> ResourceChange {
    ResourceChange {
        resource: name.to_owned(),
        kind: kind.to_owned(),
        physical_id: None,
        action: ChangeAction::Add,
        replacement: Replacement::Never,
        properties: BTreeSet::new(),
        values: Vec::new(),
        retained: false,
        nested: None,
        only_tags: false,
        unknown: None,
    }
}

fn removal(name: &str, now: &Resource) -> ResourceChange {
    ResourceChange {
        physical_id: Some(now.physical_id.clone()),
        action: ChangeAction::Remove,
        retained: now.deletion_policy.as_deref() == Some("Retain"),
        ..addition(name, &now.kind)
    }
}

fn modification(
    name: &str,
    wanted: &Wanted,
    now: &Resource,
    decl: &ResourceDecl,
) -> Option<(ResourceChange, Option<Fate>)> {
    let changed = wanted.changed(now);
    let mut replacement = if wanted.kind == now.kind { Replacement::Never } else { Replacement::Always };
    for property in changed.iter().filter(|property| resource::replaces(&wanted.kind, property)) {
        let dynamic = entries(&wanted.properties).get(*property).is_some_and(is_unknown);
        replacement = replacement.max(if dynamic { Replacement::Conditional } else { Replacement::Always });
    }
    let only_tags = changed.is_empty() && wanted.tags != now.tags;
    let mut properties: BTreeSet<String> = changed.into_iter().map(str::to_owned).collect();
    if wanted.tags != now.tags {
        properties.insert("Tags".to_owned());
    }
    let policies =
        decl.deletion_policy != now.deletion_policy || decl.update_replace_policy != now.update_replace_policy;
    if properties.is_empty() && replacement == Replacement::Never && wanted.metadata == now.metadata && !policies {
        return None;
    }
    let only_tags = only_tags && wanted.metadata == now.metadata && !policies;
    // What is replaced stays if the policy that is in force during the update says so: the new template's.
    let retained = replacement != Replacement::Never && decl.update_replace_policy.as_deref() == Some("Retain");
    let change = ResourceChange {
        physical_id: Some(now.physical_id.clone()),
        action: ChangeAction::Modify,
        replacement,
        only_tags,
        properties,
        retained,
        ..addition(name, &wanted.kind)
    };
    // A policy alone does not touch the resource, nor what refers to it.
    let touched = !change.properties.is_empty() || wanted.metadata != now.metadata;
    let fate = if replacement == Replacement::Never { touched.then_some(Fate::Modified) } else { Some(Fate::Replaced) };
    Some((change, fate))
}

/// Whether a value holds anything that is known only after the update.
fn is_unknown(value: &Json) -> bool {
    match value {
        Json::String(text) => text.contains(UNKNOWN),
        Json::Array(items) => items.iter().any(is_unknown),
        Json::Object(map) => map.values().any(is_unknown),
        _ => false,
    }
}

/// Whether a stack in this status can be updated (AWS: *`CreateChangeSet`* answers `ValidationError` otherwise).
pub(super) fn updatable(status: StackStatus) -> bool {
    matches!(
        status,
        StackStatus::CreateComplete
            | StackStatus::CreateFailed
            | StackStatus::UpdateComplete
            | StackStatus::UpdateFailed
            | StackStatus::UpdateRollbackComplete
            | StackStatus::ImportComplete
            | StackStatus::ImportRollbackComplete
    )
}
