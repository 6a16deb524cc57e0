//! A look at recovery points and at what covers which table: for commands that show it.

use std::collections::BTreeSet;

use super::Controller;
use crate::model::{BackupNeed, Coverage, Desired, Environment, Memory, Observation, Scope};
use crate::observe::Observer;
use crate::plan::{self, Goal, Input};
use crate::store::StoreError;

impl Controller {
    /// What covers each table of the accounts and regions of an environment.
    pub async fn coverage(&self, desired: &Desired, environment: &Environment) -> Result<Coverage, StoreError> {
        let (observation, memory) = self.glance_at(desired, environment, BackupNeed::Tables).await?;
        let busy = BTreeSet::new();
        let (now, goal) = (self.cx.now(), Goal::Converge);
        let input = Input { desired, environment, observation: &observation, memory: &memory, now, goal, busy: &busy };
        Ok(plan::coverage(&input))
    }

    /// All recovery points of ours that there are, with everything else that was seen, and what is remembered of them.
    pub async fn recovery_points(
        &self,
        desired: &Desired,
        environment: &Environment,
    ) -> Result<(Observation, Memory), StoreError> {
        self.glance_at(desired, environment, BackupNeed::Points).await
    }

    /// A look, in which this is known of every account and region that has tables.
    async fn glance_at(
        &self,
        desired: &Desired,
        environment: &Environment,
        need: fn(Scope) -> BackupNeed,
    ) -> Result<(Observation, Memory), StoreError> {
        let looked = self.glance(desired, environment).await?;
        let (mut observation, memory) = (looked.observation, looked.memory);
        let policies = environment.backups.values().map(|spec| spec.scope.clone());
        let scopes: BTreeSet<Scope> = policies.chain([environment.scope.clone()]).collect();
        let needs = scopes.into_iter().map(|scope| need(scope).into()).collect();
        let observer = Observer::new(&self.cx, &self.governor, desired, environment);
        observer.answer(&mut observation, needs, &memory.fingerprint_key).await;
        Ok((observation, memory))
    }
}
