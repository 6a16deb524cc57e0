//! A look at recovery points and at what covers which table: for commands that show it.

use std::collections::BTreeSet;

use super::Controller;
use crate::model::{BackupNeed, Coverage, Desired, Environment, LeftTables, Memory, Observation, Scope};
use crate::observe::Observer;
use crate::plan::{self, Goal, Input};
use crate::store::StoreError;

/// A listing, what it names, and what follows from both.
const ROUNDS: usize = 3;

impl Controller {
    /// What covers each table of the accounts and regions of an environment.
    pub async fn coverage(&self, desired: &Desired, environment: &Environment) -> Result<Coverage, StoreError> {
        let (observation, memory) = self.glance_at(desired, environment, BackupNeed::Tables).await?;
        let busy = BTreeSet::new();
        let (now, goal) = (self.cx.now(), Goal::Converge);
        let input = Input { desired, environment, observation: &observation, memory: &memory, now, goal, busy: &busy };
        Ok(plan::coverage(&input))
    }

    /// All recovery points of ours that there are, with everything else that was seen, and what is remembered of them;
    /// and what restore tests have left.
    pub async fn recovery_points(
        &self,
        desired: &Desired,
        environment: &Environment,
    ) -> Result<(Observation, Memory, LeftTables), StoreError> {
        let (mut observation, memory) = self.glance_at(desired, environment, BackupNeed::Points).await?;
        let left = self.left_tables(desired, environment, &mut observation, &memory).await;
        Ok((observation, memory, left))
    }

    /// What restore tests have left. What was not seen of it yet is read.
    pub(super) async fn left_tables(
        &self,
        desired: &Desired,
        environment: &Environment,
        observation: &mut Observation,
        memory: &Memory,
    ) -> LeftTables {
        let observer = Observer::new(&self.cx, &self.governor, &self.ledger, desired, environment);
        let busy = BTreeSet::new();
        let (now, goal) = (self.cx.now(), Goal::Converge);
        let mut left = LeftTables::default();
        for _ in 0..ROUNDS {
            let input = Input { desired, environment, observation, memory, now, goal, busy: &busy };
            let (found, needs) = plan::left_tables(&input);
            left = found;
            if needs.is_empty() {
                break;
            }
            observer.answer(observation, needs, &memory.fingerprint_key).await;
        }
        left
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
        let observer = Observer::new(&self.cx, &self.governor, &self.ledger, desired, environment);
        observer.answer(&mut observation, needs, &memory.fingerprint_key).await;
        Ok((observation, memory))
    }
}
