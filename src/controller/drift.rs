//! A look at what AWS runs instead of at what was deployed: every resource, compared with its template.

use std::collections::BTreeMap;

use super::Controller;
use crate::model::{Compared, Desired, DriftMemory, Environment, Seen, StackMemory, Unknown};
use crate::observe::Observer;
use crate::plan::judge_drift;
use crate::store::StoreError;

impl Controller {
    /// How far the stacks of an environment have drifted, and had before. Takes minutes: CloudFormation reads every resource.
    pub async fn drift(
        &self,
        desired: &Desired,
        environment: &Environment,
    ) -> Result<Vec<(Compared, DriftMemory)>, StoreError> {
        let looked = self.glance(desired, environment).await?;
        let observer = Observer::new(&self.cx, &self.governor, desired, environment);
        let seen = environment.stacks.values().map(|spec| (spec, looked.observation.stack(&spec.address())));
        let stacks = seen.clone().filter_map(|(spec, seen)| {
            let Seen::Present(stack) = seen else { return None };
            Some((spec.address(), stack.state.id.clone()))
        });
        let mut found = observer.drift(stacks.collect::<BTreeMap<_, _>>()).await;
        let now = self.cx.now();
        let mut compared = Vec::new();
        for (spec, seen) in seen {
            let drift = match (seen, found.remove(&spec.address())) {
                (_, Some(drift)) => drift,
                (Seen::Unknown(why), None) => Err(why),
                // It is for the plan to say that it is to be created.
                (Seen::Absent | Seen::Present(_), None) => Err(Unknown::because("it is not deployed")),
            };
            let remembered = looked.memory.objects.stacks.get(&spec.key).cloned().unwrap_or_default();
            let judged = judge_drift(environment, spec, &drift, &remembered.drift, now);
            let mut history = remembered.drift.clone();
            if drift.is_ok() {
                history = history.with(&judged.findings, now);
                self.store.cache(&spec.key, |memory: &mut StackMemory| memory.drift.clone_from(&history));
            }
            compared.push((judged, history));
        }
        self.store.flush()?;
        Ok(compared)
    }
}
