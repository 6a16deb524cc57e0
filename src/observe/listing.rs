//! Which stacks there are.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::{join, join_all};

use super::{Concern, Observer};
use crate::model::{Observation, ObservedStack, Scope, StackAddress, StackNeed, StackState, Unknown};
use crate::ports::{Page, PortError, Priority};
use crate::sabotage::{self, Bug};

/// How long a page may take, waiting for its turn included. A region that answers more slowly is unknown for this look,
/// so that it does not hold up the others.
const PAGE_WITHIN: Duration = Duration::from_secs(30);

/// More pages than any account has: 2,000 stacks is AWS's default quota, and a page holds up to a hundred.
const PAGES_MAX: usize = 10_000;

/// Stacks of one scope and the pages they were on, or why they are not known.
pub(super) type Listed = Result<(BTreeMap<StackAddress, ObservedStack>, usize), Unknown>;

impl Observer<'_> {
    /// Lists every account and region that the environment touches and that is not listed in what is still good of an
    /// earlier look, all of them at the same time; and reads by name what of the others is to be read again: cheaper than
    /// listing while a few operations run in an account with thousands of stacks.
    pub async fn look(&self, good: Observation) -> Observation {
        let at = self.cx.now();
        let mut observation = good;
        let concern = self.concern();
        let scopes = self.environment.scopes().into_iter().filter(|scope| !observation.listings.contains_key(scope));
        let scopes: Vec<Scope> = scopes.collect();
        let unread = std::mem::take(&mut observation.unread);
        let (listed, read) = join(
            join_all(scopes.iter().map(|scope| self.list(scope, &concern))),
            join_all(unread.iter().map(|address| self.read(address))),
        )
        .await;
        for (scope, listed) in scopes.into_iter().zip(listed) {
            observation.read.insert(StackNeed::Listing(scope.clone()).into(), at);
            add(&mut observation, scope, listed);
        }
        for (address, read) in unread.into_iter().zip(read) {
            observation.read.insert(StackNeed::Stack(address.clone()).into(), at);
            enter(&mut observation, address, read);
        }
        observation
    }

    /// Lists one more account and region.
    pub(super) async fn look_at(&self, scope: Scope) -> (Scope, Listed) {
        let listed = self.list(&scope, &self.concern()).await;
        (scope, listed)
    }

    /// How a stack is, if that can be read.
    pub async fn state(&self, address: &StackAddress) -> Option<StackState> {
        self.read(address).await.ok().flatten()
    }

    /// Reads one stack by its name.
    pub(super) async fn read(&self, address: &StackAddress) -> Result<Option<StackState>, Unknown> {
        let seen = self.cx.timeout(PAGE_WITHIN, self.port(address).describe(&address.name)).await;
        seen.ok_or_else(too_slow)?.map_err(Unknown::because)
    }

    async fn list(&self, scope: &Scope, concern: &Concern<'_>) -> Listed {
        let port = self.governor.stacks(scope, self.role(scope), Priority::Status);
        // As a map only when all are there: built at once it is half as large.
        let mut stacks = Vec::new();
        let mut next = None;
        for page in 1..=PAGES_MAX {
            let Page { items, next: after } = match self.cx.timeout(PAGE_WITHIN, port.list(next)).await {
                Some(page) => page.map_err(|error: PortError| Unknown::because(error))?,
                None => return Err(too_slow()),
            };
            for state in items {
                let address = StackAddress { scope: scope.clone(), name: state.name.clone() };
                if concern.includes(&address, &state) {
                    stacks.push((address, ObservedStack::listed(state)));
                }
            }
            next = after;
            if next.is_none() {
                return Ok((stacks.into_iter().collect(), page));
            }
        }
        Err(Unknown::because("the list of stacks has too many pages"))
    }
}

/// How a stack that was read by its name is. Where that failed, nothing is known of its account and region: they are listed
/// in the next look.
pub(super) fn enter(observation: &mut Observation, address: StackAddress, read: Result<Option<StackState>, Unknown>) {
    observation.unread.remove(&address);
    match read {
        Ok(Some(state)) => _ = observation.stacks.insert(address, ObservedStack::listed(state)),
        Ok(None) => _ = observation.stacks.remove(&address),
        Err(why) => _ = observation.listings.insert(address.scope, Err(why)),
    }
}

pub(super) fn add(observation: &mut Observation, scope: Scope, listed: Listed) {
    match listed {
        Ok((mut stacks, pages)) => {
            observation.pages.insert(scope.clone(), pages);
            if observation.stacks.is_empty() {
                observation.stacks = stacks;
            } else {
                observation.stacks.append(&mut stacks);
            }
            observation.listings.insert(scope, Ok(()));
        }
        Err(_) if sabotage::is(Bug::UnknownIsAbsent) => {
            observation.listings.insert(scope, Ok(()));
        }
        Err(why) => {
            observation.listings.insert(scope, Err(why));
        }
    }
}

fn too_slow() -> Unknown {
    Unknown::because(format!("no answer within {}", humantime::format_duration(PAGE_WITHIN)))
}
