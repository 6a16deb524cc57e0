//! Which stacks there are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;

use super::{Concern, Observer};
use crate::model::{Observation, ObservedStack, Scope, StackAddress, Unknown};
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
    /// Lists everything the environment touches, all pages of every account and region at the same time.
    pub async fn look(&self) -> Observation {
        let at = self.cx.now();
        let concern = self.concern();
        let scopes: Vec<Scope> = self.environment.scopes().into_iter().collect();
        let listed = join_all(scopes.iter().map(|scope| self.list(scope, &concern))).await;
        let mut observation = Observation::begun(at);
        for (scope, listed) in scopes.into_iter().zip(listed) {
            add(&mut observation, scope, listed);
        }
        observation
    }

    /// Lists one more account and region.
    pub(super) async fn look_at(&self, scope: Scope) -> (Scope, Listed) {
        let listed = self.list(&scope, &self.concern()).await;
        (scope, listed)
    }

    /// Reads some stacks again, by name, and takes the rest from an earlier look. Cheaper than listing while a few
    /// operations run in an account with thousands of stacks.
    pub async fn follow(&self, earlier: Observation, addresses: BTreeSet<StackAddress>) -> Observation {
        // Of an earlier look only the listing of stacks is worth keeping, what has just been asked of others, and what does
        // not move of services, secrets and backups.
        let (at, listings, pages, stacks) = (earlier.at, earlier.listings, earlier.pages, earlier.stacks);
        let (checks, records, services) = (self.fresh_checks(earlier.checks), earlier.records, earlier.services);
        let (secrets, backups) = (earlier.secrets, earlier.backups);
        let kept =
            Observation { listings, pages, stacks, services, secrets, records, checks, ..Observation::begun(at) };
        let followed = earlier_reads(earlier.followed, &addresses, self.cx.now());
        let mut earlier = Observation { followed, backups, ..kept };
        let read = join_all(addresses.into_iter().map(|address| async {
            let port = self.governor.stacks(&address.scope, self.role(&address.scope), Priority::Status);
            let seen = self.cx.timeout(PAGE_WITHIN, port.describe(&address.name)).await;
            (address, seen)
        }));
        for (address, seen) in read.await {
            match seen {
                Some(Ok(Some(state))) => {
                    earlier.stacks.insert(address, ObservedStack::listed(state));
                }
                Some(Ok(None)) => {
                    earlier.stacks.remove(&address);
                }
                Some(Err(error)) => {
                    earlier.listings.insert(address.scope, Err(Unknown::because(error)));
                }
                None => {
                    earlier.listings.insert(address.scope, Err(too_slow()));
                }
            }
        }
        earlier
    }

    async fn list(&self, scope: &Scope, concern: &Concern) -> Listed {
        let port = self.governor.stacks(scope, self.role(scope), Priority::Status);
        let mut stacks = BTreeMap::new();
        let mut next = None;
        for page in 1..=PAGES_MAX {
            let Page { items, next: after } = match self.cx.timeout(PAGE_WITHIN, port.list(next)).await {
                Some(page) => page.map_err(|error: PortError| Unknown::because(error))?,
                None => return Err(too_slow()),
            };
            for state in items {
                let address = StackAddress { scope: scope.clone(), name: state.name.clone() };
                if concern.includes(&address, &state) {
                    stacks.insert(address, ObservedStack::listed(state));
                }
            }
            next = after;
            if next.is_none() {
                return Ok((stacks, page));
            }
        }
        Err(Unknown::because("the list of stacks has too many pages"))
    }
}

/// When stacks were read by name: these now.
fn earlier_reads(
    mut followed: BTreeMap<StackAddress, Timestamp>,
    now_read: &BTreeSet<StackAddress>,
    now: Timestamp,
) -> BTreeMap<StackAddress, Timestamp> {
    followed.extend(now_read.iter().map(|address| (address.clone(), now)));
    followed
}

pub(super) fn add(observation: &mut Observation, scope: Scope, listed: Listed) {
    match listed {
        Ok((stacks, pages)) => {
            observation.pages += pages;
            observation.stacks.extend(stacks);
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
