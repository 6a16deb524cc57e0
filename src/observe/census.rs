//! Counts everything in the accounts and regions of an environment: what is ours, what is not, and what is left over.
//! Like every look it never fails: what could not be counted is in what it says.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::iter;

use super::Observer;
use super::details::AT_ONCE;
use crate::model::{Census, Scope, Seen, StackAddress, StackState, Unknown};
use crate::ports::{Priority, all};

/// How long the listing of one account and region may take: thousands of stacks are dozens of pages.
const WITHIN: Duration = Duration::from_mins(2);

impl Observer<'_> {
    /// Lists every stack, and the change sets of those that are asked for.
    pub async fn census(&self) -> Census {
        let mut census = Census::default();
        for scope in self.environment.scopes() {
            match self.everything(&scope).await {
                Ok(stacks) => census.stacks.extend(stacks),
                Err(why) => census.unknown.push(format!("the stacks of {scope} could not be listed: {why}")),
            }
        }
        let asked = self.environment.stacks.values().map(|spec| spec.address());
        let present = asked.filter_map(|address| Some((census.stacks.get(&address)?.id.clone(), address)));
        let listing = iter(present.collect::<Vec<_>>()).map(async |(id, address)| {
            let port = self.governor.stacks(&address.scope, self.role(&address.scope), Priority::Drift);
            let listed =
                self.within(async { all("ListChangeSets", |page| port.change_sets(&id, page)).await.map(Some) }).await;
            (address, listed)
        });
        let listed: Vec<_> = listing.buffered(AT_ONCE).collect().await;
        for (address, seen) in &listed {
            if let Seen::Unknown(why) = seen {
                census.unknown.push(format!("the change sets of {} could not be listed: {why}", address.name));
            }
        }
        census.change_sets = listed.into_iter().collect();
        census
    }

    async fn everything(&self, scope: &Scope) -> Result<BTreeMap<StackAddress, StackState>, Unknown> {
        let port = self.governor.stacks(scope, self.role(scope), Priority::Drift);
        let listed = self.cx.timeout(WITHIN, all("DescribeStacks", |page| port.list(page))).await;
        let listed = listed
            .ok_or_else(|| Unknown::because(format!("no answer within {}", humantime::format_duration(WITHIN))))?;
        let address = |state: &StackState| StackAddress { scope: scope.clone(), name: state.name.clone() };
        let stacks = listed.map_err(Unknown::because)?;
        Ok(stacks.into_iter().map(|state| (address(&state), state)).collect())
    }
}
