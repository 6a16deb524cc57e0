//! How an update goes back, and what it leaves to be removed.

use std::collections::{BTreeMap, BTreeSet};

use super::stack::{Phase, Task, Undo, Work};
use super::world::World;
use crate::model::StackStatus;

impl World {
    /// What an update no longer needs: resources that were replaced, and those that are not in the template any more.
    pub(super) fn collect_leftovers(&mut self, ix: usize) {
        let gone = self.removed(ix);
        self.collect_replaced(ix);
        for name in gone {
            if let Some(resource) = self.data.stacks[ix].resources.remove(&name) {
                self.leave_over(ix, &name, &name, resource);
            }
        }
    }

    /// Resources that were replaced.
    pub(super) fn collect_replaced(&mut self, ix: usize) {
        let Some(operation) = self.data.stacks[ix].operation.as_mut() else { return };
        for (name, undo) in std::mem::take(&mut operation.undo) {
            let Undo::Was(mut was) = undo else { continue };
            let Some(current) = self.data.stacks[ix].resources.get(&name) else { continue };
            if current.physical_id != was.physical_id {
                // The template that replaces it says what becomes of it.
                was.update_replace_policy.clone_from(&current.update_replace_policy);
                self.leave_over(ix, &format!("{name}#old"), &name, *was);
            }
        }
    }

    /// Resources that are not in the template any more, or not under its conditions.
    pub(super) fn removed(&self, ix: usize) -> Vec<String> {
        let stack = &self.data.stacks[ix];
        let wanted = stack.operation.as_ref().map(|operation| &operation.tasks);
        let gone = stack.resources.keys().filter(|name| !wanted.is_some_and(|wanted| wanted.contains_key(*name)));
        gone.cloned().collect()
    }

    /// Why the stack policy does not let resources be removed.
    pub(super) fn removal_denied(&self, ix: usize) -> Option<String> {
        let resources = &self.data.stacks[ix].resources;
        self.removed(ix)
            .iter()
            .find_map(|name| self.policy_denies(ix, name, &resources.get(name)?.kind, "Update:Delete"))
    }

    /// Goes back to what was before the update.
    pub(super) fn roll_back_update(&mut self, ix: usize, reason: &str) {
        self.tell_parent(ix, reason);
        self.cancel_tasks(ix);
        self.set_status(ix, StackStatus::UpdateRollbackInProgress, Some(reason.to_owned()));
        self.resume_rollback(ix);
    }

    /// Reverts what is not reverted yet.
    pub(super) fn resume_rollback(&mut self, ix: usize) {
        let Some(operation) = self.data.stacks[ix].operation.as_ref() else { return };
        let reverted: BTreeMap<&String, &Undo> =
            operation.undo.iter().filter(|(_, undo)| matches!(undo, Undo::Was(_))).collect();
        let tasks = reverted.iter().map(|(name, undo)| {
            let needs = match undo {
                Undo::Was(was) => was.depends_on.iter().filter(|need| reverted.contains_key(need)).cloned().collect(),
                Undo::Created => BTreeSet::new(),
            };
            ((*name).clone(), Task::new(Work::Revert, needs))
        });
        let tasks = tasks.collect();
        self.begin_phase(ix, Phase::UpdateRollback, tasks);
    }

    pub(super) fn update_rollback_is_over(&mut self, ix: usize, failed: &[String]) {
        if !failed.is_empty() {
            let reason = format!("The following resource(s) failed to update: [{}]. ", failed.join(", "));
            // The operation stays: continuing the rollback takes it up again.
            self.set_status(ix, StackStatus::UpdateRollbackFailed, Some(reason));
            return;
        }
        let Some(operation) = self.data.stacks[ix].operation.as_mut() else { return };
        let (before, undo) = (operation.before.take(), std::mem::take(&mut operation.undo));
        for (name, undo) in undo {
            if matches!(undo, Undo::Created)
                && let Some(resource) = self.data.stacks[ix].resources.remove(&name)
            {
                self.leave_over(ix, &name, &name, resource);
            }
        }
        if let Some(before) = before {
            self.submit(ix, before.submission, None);
            self.change(ix, |state| state.outputs = before.outputs);
            self.hold_imports(ix, before.imports);
        }
        self.set_status(ix, StackStatus::UpdateRollbackCompleteCleanupInProgress, None);
        self.begin_discarding(ix, Phase::RollbackCleanup);
    }
}
