//! The truth about the simulated AWS, for tests and monitors. No part of Landfast may look here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::audit::Call;
use super::stack::Counts;
use super::world::World;
use crate::model::{
    ChangeSetId, ChangeSetName, ChangeSetState, ChangeSetStatus, Digest, Scope, StackId, StackName, StackState,
    StackStatus,
};

/// Everything there is, and everything there was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// Stacks in the order in which they were created, deleted ones too.
    pub stacks: Vec<StackRecord>,
    /// Objects in S3: bucket and key.
    pub objects: BTreeSet<(String, String)>,
    /// What there is a version of: what was deleted without naming one is still kept.
    pub versions: BTreeSet<(String, String)>,
}

/// The truth about one stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackRecord {
    /// Account and region.
    pub scope: Scope,
    /// What AWS says of it when nothing is stale.
    pub state: Arc<StackState>,
    /// Digest of the template's text.
    pub template: Digest,
    /// Digest of each real parameter value: `NoEcho` ones can be compared, none can be read.
    pub parameters: BTreeMap<String, Digest>,
    /// The stack policy.
    pub policy: Option<String>,
    /// Its change sets.
    pub change_sets: BTreeMap<ChangeSetName, ChangeSetStatus>,
    /// Physical ids by logical id, of what exists.
    pub resources: BTreeMap<String, String>,
    /// What was ever done to each logical resource.
    pub counts: BTreeMap<String, Counts>,
}

impl StackRecord {
    /// Whether it is deleted.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.state.status == StackStatus::DeleteComplete
    }
}

impl Inventory {
    /// The stack of that name which is not deleted.
    #[must_use]
    pub fn stack(&self, name: &str) -> Option<&StackRecord> {
        self.stacks.iter().find(|stack| stack.state.name.as_str() == name && !stack.is_deleted())
    }

    /// What a run should not leave behind: shells of previews and change sets, as text for people.
    #[must_use]
    pub fn leftovers(&self) -> Vec<String> {
        let live = self.stacks.iter().filter(|stack| !stack.is_deleted());
        live.flat_map(|stack| {
            let shell =
                (stack.state.status == StackStatus::ReviewInProgress).then(|| format!("shell {}", stack.state.name));
            shell
                .into_iter()
                .chain(stack.change_sets.keys().map(|name| format!("change set {}/{name}", stack.state.name)))
        })
        .collect()
    }
}

/// Sees every mutating call that reaches AWS, and the world as it is just before.
pub type Monitor = Box<dyn FnMut(&View<'_>, &Call) + Send>;

/// The world as a monitor sees it.
pub struct View<'a>(pub(super) &'a World);

impl View<'_> {
    /// A stack by id, deleted or not.
    #[must_use]
    pub fn stack(&self, id: &StackId) -> Option<&StackState> {
        self.0.anywhere(id).map(|stack| stack.state.as_ref())
    }

    /// When the last thing happened to a stack: of a deleted one, when it was deleted.
    #[must_use]
    pub fn deleted_at(&self, id: &StackId) -> Option<jiff::Timestamp> {
        self.0.anywhere(id).and_then(|stack| stack.events.last()).map(|event| event.at)
    }

    /// Resources that a rollback was continued without, and that nobody has brought into step with their stack since.
    #[must_use]
    pub fn skipped(&self, id: &StackId) -> Vec<String> {
        let resources = self.0.anywhere(id).into_iter().flat_map(|stack| &stack.resources);
        resources.filter(|(_, resource)| resource.skipped).map(|(name, _)| name.clone()).collect()
    }

    /// The stack of that name which is not deleted.
    #[must_use]
    pub fn stack_named(&self, scope: &Scope, name: &StackName) -> Option<&StackState> {
        let region = self.0.data.regions.iter().find(|region| region.scope == *scope)?;
        region.live.get(name).map(|ix| self.0.data.stacks[*ix].state.as_ref())
    }

    /// The template that a change set would deploy.
    #[must_use]
    pub fn change_set_template(&self, id: &ChangeSetId) -> Option<&str> {
        let stack = self.0.owner(id).and_then(|ix| self.0.data.stacks.get(ix))?;
        stack.change_sets.values().find(|set| set.state.id == *id).map(|set| set.submission.template.as_ref())
    }

    /// A change set by its id, with all its changes.
    #[must_use]
    pub fn change_set(&self, id: &ChangeSetId) -> Option<&ChangeSetState> {
        let stack = &self.0.data.stacks[self.0.owner(id)?];
        stack.change_sets.values().map(|set| &set.state).find(|state| state.id == *id)
    }

    /// The truth about a secret: every version, with its value and labels.
    #[must_use]
    pub fn secret(&self, scope: &Scope, name: &str) -> Option<super::secrets::SecretTruth> {
        let region = self.0.data.regions.iter().position(|region| region.scope == *scope)?;
        self.0.secret_truth(region, name)
    }

    /// When the newest backup of a resource was completed.
    #[must_use]
    pub fn newest_backup(&self, scope: &Scope, kind: &str, physical_id: &str) -> Option<jiff::Timestamp> {
        self.0.newest_backup(scope, kind, physical_id)
    }

    /// Everything. Not cheap.
    #[must_use]
    pub fn inventory(&self) -> Inventory {
        self.0.inventory()
    }
}

impl World {
    /// When the newest backup of a resource was completed: one that was said to be there, or one that is.
    pub(super) fn newest_backup(&self, scope: &Scope, kind: &str, physical_id: &str) -> Option<jiff::Timestamp> {
        let said = self.data.backups.get(&format!("{scope}|{kind}|{physical_id}")).copied();
        let region = self.data.regions.iter().position(|region| region.scope == *scope);
        let made = region.filter(|_| kind == super::dynamo::TABLE);
        said.max(made.and_then(|region| self.newest_table_backup(region, physical_id)))
    }

    pub(super) fn inventory(&self) -> Inventory {
        let stacks = self.data.stacks.iter().map(|stack| StackRecord {
            scope: self.data.regions[stack.region].scope.clone(),
            state: Arc::clone(&stack.state),
            template: Digest::of_bytes(stack.template.as_bytes()),
            parameters: stack
                .parameters
                .iter()
                .map(|(name, value)| (name.clone(), Digest::of_bytes(value.as_bytes())))
                .collect(),
            policy: stack.policy.clone(),
            change_sets: stack.change_sets.iter().map(|(name, set)| (name.clone(), set.state.status.clone())).collect(),
            resources: stack
                .resources
                .iter()
                .filter(|(_, resource)| resource.exists())
                .map(|(name, resource)| (name.clone(), resource.physical_id.clone()))
                .collect(),
            counts: stack.counts.clone(),
        });
        let objects = self
            .data
            .objects
            .iter()
            .flat_map(|(bucket, objects)| objects.keys().map(|key| (bucket.clone(), key.clone())));
        let kept = self.data.versions.iter().filter(|(_, versions)| !versions.is_empty());
        let kept = kept
            .filter_map(|(place, _)| place.split_once('/').map(|(bucket, key)| (bucket.to_owned(), key.to_owned())));
        Inventory { stacks: stacks.collect(), objects: objects.collect(), versions: kept.collect() }
    }
}
