//! Change sets of nested stacks (AWS: *Change sets for nested stacks*): each stack of a hierarchy has its own, and the root's is
//! executed and deleted for all.

use super::change_set::{Computed, Inner, unchanged};
use super::resource::STACK;
use super::spelling::digits;
use super::stack::{ChangeSet, Submission};
use super::world::World;
use crate::model::{ChangeSetId, ChangeSetName, ChangeSetState, ChangeSetStatus, DeploymentMode, StackStatus};

/// Letters that a change set's name may have.
const NAME_MAX: usize = 128;

impl World {
    /// Makes the change sets of the nested stacks that a change set reaches, and names them in its changes.
    pub(super) fn nest(
        &mut self,
        ix: usize,
        parent: &ChangeSetId,
        submission: &Submission,
        computed: &mut Computed,
    ) -> Result<Vec<(usize, ChangeSetName)>, String> {
        let mut below = Vec::new();
        for inner in std::mem::take(&mut computed.inners) {
            let Inner { resource, stack, wanted, submission: own, computed: mut within } = inner;
            let stack = match stack {
                Some(stack) => stack,
                None => self
                    .make_shell(ix, &resource, &wanted.properties, &wanted.tags, submission)
                    .map_err(|error| error.message)?,
            };
            let name = set_name(parent, &resource).ok_or("Invalid change set name")?;
            let id = self.change_set_id(stack, &name).ok_or("Invalid change set name")?;
            let deeper = self.nest(stack, &id, &own, &mut within)?;
            let change = computed.changes.iter_mut().find(|change| change.resource == resource);
            if let Some(change) = change {
                change.nested = Some(id.clone());
            }
            let inputs = self.inputs_of(self.data.stacks[stack].region, &own);
            let state = ChangeSetState {
                id: id.clone(),
                name: name.clone(),
                stack: self.data.stacks[stack].state.id.clone(),
                status: if within.empty { ChangeSetStatus::Empty } else { ChangeSetStatus::Available },
                mode: DeploymentMode::Ordinary,
                parent: Some(parent.clone()),
                changes: within.changes,
                inputs,
                contexts: within.contexts,
            };
            self.own(id, stack);
            let (created, serial) = (self.data.now, self.serial());
            let set = ChangeSet {
                state,
                submission: own,
                created,
                ready: Some(created),
                nested: true,
                below: deeper,
                serial,
            };
            self.data.stacks[stack].change_sets.insert(name.clone(), set);
            below.push((stack, name));
        }
        Ok(below)
    }

    /// Without nested stacks, every one of them is a change: "changes to a nested stack's template aren't visible to
    /// CloudFormation until you run an update on the parent stack" (AWS: *`ResourceChangeDetail`*, `ChangeSource`,
    /// `Automatic`).
    pub(super) fn add_automatic(&self, ix: usize, computed: &mut Computed) {
        let nested = self.data.stacks[ix].resources.iter().filter(|(_, now)| now.kind == STACK && now.exists());
        for (name, now) in nested {
            if computed.changes.iter().all(|change| change.resource != *name) {
                computed.changes.push(unchanged(name, now));
                computed.empty = false;
            }
        }
    }

    /// A change set is executed: those below it are with it, and all others are no longer valid (AWS: *`ExecuteChangeSet`*).
    pub(super) fn spend_change_sets(&mut self, ix: usize, executed: &ChangeSetName) {
        let all: Vec<ChangeSetName> = self.data.stacks[ix].change_sets.keys().cloned().collect();
        for name in all.iter().filter(|name| *name != executed) {
            self.drop_change_set(ix, name);
        }
        let below = self.data.stacks[ix].change_sets.get_mut(executed).map(|set| std::mem::take(&mut set.below));
        for (stack, name) in below.into_iter().flatten() {
            self.spend_change_sets(stack, &name);
            self.data.stacks[stack].change_sets.remove(&name);
        }
    }

    /// Deletes a change set, those below it, and the stacks that were only made for those.
    pub(super) fn drop_change_set(&mut self, ix: usize, name: &ChangeSetName) {
        self.drop_nested(ix, name);
        self.data.stacks[ix].change_sets.remove(name);
    }

    pub(super) fn drop_nested(&mut self, ix: usize, name: &ChangeSetName) {
        let below = self.data.stacks[ix].change_sets.get_mut(name).map(|set| std::mem::take(&mut set.below));
        for (stack, name) in below.into_iter().flatten() {
            self.drop_change_set(stack, &name);
            if self.data.stacks[stack].state.status == StackStatus::ReviewInProgress {
                self.begin_delete(stack, std::collections::BTreeSet::new(), None, "User Initiated");
            }
        }
    }
}

/// The name of a change set below another.
fn set_name(parent: &ChangeSetId, resource: &str) -> Option<ChangeSetName> {
    let of = parent.as_str().split('/').nth(1)?;
    let suffix = digits(&[parent.as_str(), resource], 12).to_uppercase();
    let stem: String = format!("{of}-{resource}").chars().take(NAME_MAX - 13).collect();
    format!("{stem}-{suffix}").parse().ok()
}
