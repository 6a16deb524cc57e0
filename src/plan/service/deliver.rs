//! Through ECS itself: a copy of what is deployed with other images, and the service told to run it.
//!
//! Only the images differ, so that whatever else was changed on the task definition stays. How many tasks there are is
//! never said: that is the autoscaler's, or somebody's (invariant S21).

use std::collections::BTreeMap;

use super::{Deciding, refusal};
use crate::model::{Entry, Guard, Primary, Rollout, ServiceDo, ServiceState, Waiting};
use crate::plan::OWNER_TAG;
use crate::plan::names::token;
use crate::plan::planner::refuse;

/// The tag by which a task definition that we registered is found again.
pub(super) const ROLLOUT_TAG: &str = "landfast:rollout";

impl Deciding<'_> {
    /// The next step on the way into a service that no stack owns.
    pub(super) fn deliver(&self, entry: &mut Entry, state: &ServiceState, rollout: &Rollout) {
        if self.lacks_container(entry, rollout.intended.keys()) || !self.is_ours(entry, state) {
            return;
        }
        let Some(primary) = state.primary() else {
            entry.waiting.push(Waiting::Rollout { status: "it has no primary deployment yet".to_owned(), since: None });
            return;
        };
        let expect = Primary { id: primary.id.clone(), task_definition: primary.task_definition.clone() };
        let token = token(&self.spec.key, "rollout", &(&rollout.intended, rollout.opened, &expect.task_definition));
        if let Some(task_definition) =
            rollout.task_definition.clone().filter(|_| rollout.token.as_ref() == Some(&token))
        {
            entry.step = Some(self.step(ServiceDo::Deploy { expect, task_definition }));
            return;
        }
        let images = self.memory.decisions.iter().map(|(container, image)| {
            let uri = image.uri(&self.spec.scope);
            (container.clone(), uri)
        });
        let tags = BTreeMap::from([
            (OWNER_TAG.to_owned(), self.spec.key.to_string()),
            (ROLLOUT_TAG.to_owned(), token.clone()),
        ]);
        entry.step = Some(self.step(ServiceDo::Register { expect, images: images.collect(), tags, token }));
    }

    /// Ours, or to be adopted. Refuses otherwise (invariant S1).
    pub(super) fn is_ours(&self, entry: &mut Entry, state: &ServiceState) -> bool {
        let key = self.spec.key.to_string();
        match state.tags.get(OWNER_TAG) {
            Some(owner) if *owner == key => true,
            Some(_) if self.former().is_some() => {
                let tags = BTreeMap::from([(OWNER_TAG.to_owned(), key)]);
                entry.step = Some(self.step(ServiceDo::Own { arn: state.arn.clone(), tags }));
                false
            }
            Some(owner) => {
                let reason = format!("the service {} belongs to {owner}", state.name);
                refuse(entry, refusal(Guard::Ownership, reason, "choose another service, or remove it there first"));
                false
            }
            None if self.spec.adopt => {
                let tags = BTreeMap::from([(OWNER_TAG.to_owned(), key)]);
                entry.step = Some(self.step(ServiceDo::Own { arn: state.arn.clone(), tags }));
                false
            }
            None => {
                let reason = format!("the service {} exists and has no owner", state.name);
                refuse(entry, refusal(Guard::Ownership, reason, "set `adopt: true` in its manifest to adopt it"));
                false
            }
        }
    }
}
