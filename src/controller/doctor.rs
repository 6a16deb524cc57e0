//! The doctor's round: what the plan says of each stack, and what is in the account beside them.

use super::Controller;
use super::look::Looked;
use crate::model::{Desired, Diagnosis, Environment, LeftTable};
use crate::observe::Observer;
use crate::plan;
use crate::store::StoreError;

/// The problems found in one environment.
#[derive(Clone, Debug)]
pub struct Examined {
    /// Problems, worst first.
    pub diagnoses: Vec<Diagnosis>,
    /// Stacks that were looked at, ours or not.
    pub stacks: usize,
    /// Tables that restore tests left behind and no longer need.
    pub left: Vec<LeftTable>,
    /// What could not be checked, and why.
    pub unknown: Vec<String>,
}

impl Controller {
    /// What ails an environment, and the accounts that it is in. Changes nothing.
    pub async fn examine(&self, desired: &Desired, environment: &Environment) -> Result<Examined, StoreError> {
        let Looked { plan, mut observation, memory, .. } = self.glance(desired, environment).await?;
        let observer = Observer::new(&self.cx, &self.governor, &self.ledger, desired, environment);
        let census = observer.census().await;
        let mut diagnoses: Vec<Diagnosis> = plan.entries.values().flat_map(|entry| entry.ailments.clone()).collect();
        for other in plan::census(desired, environment, &census) {
            // Of what the plan speaks too, the plan says more.
            let known = |one: &Diagnosis| {
                (&one.stack, &one.region, one.ailment) == (&other.stack, &other.region, other.ailment)
            };
            if !diagnoses.iter().any(known) {
                diagnoses.push(other);
            }
        }
        diagnoses.sort_by(|a, b| (a.ailment, &a.object, &a.stack).cmp(&(b.ailment, &b.object, &b.stack)));
        let (mut left, mut unknown) = (Vec::new(), census.unknown);
        // Where nothing is ever restored, nobody may list tables, perhaps.
        if !environment.backups.is_empty() {
            let found = self.left_tables(desired, environment, &mut observation, &memory).await;
            left.extend(found.tables.into_iter().filter(|table| table.over));
            unknown.extend(found.unknown);
        }
        Ok(Examined { diagnoses, stacks: census.stacks.len(), left, unknown })
    }
}
