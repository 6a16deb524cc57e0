//! A look at single resources, because an event says that somebody has changed them. The whole stack has its turn later.

use std::collections::{BTreeMap, BTreeSet};

use tracing::{debug, info, warn};

use super::Controller;
use crate::model::{
    Desired, Environment, Key, ResourceDrift, Scope, StackAddress, StackDrift, StackId, StackMemory, StackState,
};
use crate::observe::{Observer, is_global};
use crate::plan::{Due, Standing, drift_touched, row};
use crate::store::StoreError;

/// Stacks within stacks are followed so far up.
const DEPTH: usize = 5;

impl Controller {
    /// Looks at resources that somebody has changed, as far as stacks of an environment have them.
    pub(super) async fn inspect(
        &self,
        desired: &Desired,
        environment: &Environment,
        suspects: BTreeSet<(Scope, String)>,
    ) -> Result<(), StoreError> {
        if environment.policy.drift_every.is_none() {
            return Ok(());
        }
        let observer = Observer::new(&self.cx, &self.governor, &self.ledger, desired, environment);
        let by_address: BTreeMap<StackAddress, &Key> =
            environment.stacks.iter().map(|(key, spec)| (spec.address(), key)).collect();
        let mut met: BTreeSet<(StackId, String)> = BTreeSet::new();
        let mut whole: BTreeSet<Key> = BTreeSet::new();
        for (told, name) in suspects {
            let Some((stack, resource)) = self.owner(&observer, environment, &told, &name).await else { continue };
            if !met.insert((stack.clone(), resource.clone())) {
                continue;
            }
            let Some((key, state, is_root)) = self.root(&observer, &by_address, stack).await else { continue };
            if row(state.status).standing != Standing::Steady || whole.contains(key) {
                continue;
            }
            let alone = is_root && self.inspected(&observer, environment, key, &state, &resource, &name).await?;
            if !alone && whole.insert(key.clone()) {
                let Some(address) = state.id.address() else { continue };
                let due = Due { at: self.cx.now(), key: key.clone(), address, version: state.version(), id: state.id };
                self.patrol(desired, environment, &due).await?;
            }
        }
        Ok(())
    }

    /// The stack that a resource belongs to, in the account that the event is from: in its region, or in any if it is from where
    /// services without a region tell what was done.
    async fn owner(
        &self,
        observer: &Observer<'_>,
        environment: &Environment,
        told: &Scope,
        name: &str,
    ) -> Option<(StackId, String)> {
        let scopes = environment.scopes().into_iter().filter(|scope| scope.account == told.account);
        for scope in scopes.filter(|scope| scope.region == told.region || is_global(&told.region)) {
            match observer.owner(&scope, name).await {
                Ok(Some(owner)) => return Some(owner),
                Ok(None) => {}
                Err(why) => debug!(resource = name, %why, "not known which stack has it"),
            }
        }
        None
    }

    /// The environment's stack that this one is, or is nested in, and whether it is that itself.
    async fn root<'k>(
        &self,
        observer: &Observer<'_>,
        by_address: &BTreeMap<StackAddress, &'k Key>,
        stack: StackId,
    ) -> Option<(&'k Key, StackState, bool)> {
        let mut id = stack;
        for depth in 0..DEPTH {
            let address = id.address()?;
            let state = observer.state(&address).await.filter(|state| state.id == id)?;
            if let Some(key) = by_address.get(&address) {
                return Some((key, state, depth == 0));
            }
            id = state.parent?;
        }
        None
    }

    /// Compares one resource. False if that says nothing by itself.
    async fn inspected(
        &self,
        observer: &Observer<'_>,
        environment: &Environment,
        key: &Key,
        state: &StackState,
        resource: &str,
        name: &str,
    ) -> Result<bool, StoreError> {
        let (Some(spec), Some(address)) = (environment.stacks.get(key), state.id.address()) else { return Ok(true) };
        let found: ResourceDrift = match observer.compared(&address.scope, &state.id, resource).await {
            Ok(found) => found,
            Err(why) => {
                debug!(object = %key, resource, %why, "it could not be compared on its own");
                return Ok(false);
            }
        };
        // What ECS shifts is told by the other resources of the stack.
        if found.kind.starts_with("AWS::ElasticLoadBalancingV2::") {
            return Ok(false);
        }
        let seen = Ok(StackDrift { resources: vec![found], incomplete: Vec::new() });
        let judged = self.judged(observer, environment, spec, &seen).await?;
        let drift = judged.findings.iter().filter(|finding| finding.is_drift()).count();
        let memory = self.drift_memory(environment, key)?;
        let Some(after) = drift_touched(&memory, resource, judged, &state.version()) else { return Ok(false) };
        self.store.cache(key, |memory: &mut StackMemory| memory.drift = after);
        self.store.flush()?;
        if drift > 0 {
            warn!(object = %key, resource, name, differences = drift, "drift");
        } else {
            info!(object = %key, resource, name, "changed, and no drift");
        }
        Ok(true)
    }
}
