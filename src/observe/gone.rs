//! Stacks that are not there any more: which there were, how they were deleted, and by whom.

use std::collections::BTreeMap;

use super::Observer;
use super::details::read_phase;
use crate::model::{DeletedStack, GoneStack, Scope, Seen, StackAddress, StackId, StackName, StackStatus, Unknown};
use crate::plan;
use crate::ports::{Class, PortError, Priority, found};

/// Pages of deleted stacks that are read: some thousands, of 90 days.
const PAGES_MAX: usize = 40;

/// What `CloudTrail` calls a stack.
const STACK: &str = "AWS::CloudFormation::Stack";

impl Observer<'_> {
    /// The stacks that were deleted in an account and region, the newest of each name.
    pub(super) async fn deleted(&self, scope: &Scope) -> Seen<BTreeMap<StackName, DeletedStack>> {
        let port = self.governor.stacks(scope, self.role(scope), Priority::Status);
        let read = async {
            let (mut newest, mut next) = (BTreeMap::<StackName, DeletedStack>::new(), None);
            for _ in 0..PAGES_MAX {
                let page = port.deleted(next).await?;
                for stack in page.items {
                    if newest.get(&stack.name).is_none_or(|known| known.at < stack.at) {
                        newest.insert(stack.name.clone(), stack);
                    }
                }
                next = page.next;
                if next.is_none() {
                    return Ok(Some(newest));
                }
            }
            let why = format!("more than {PAGES_MAX} pages of deleted stacks");
            Err(PortError::new(Class::Limit, "ListStacks", why))
        };
        self.within(read).await
    }

    /// What is known of a stack that is not there any more. Absent: AWS does not know it any more.
    pub(super) async fn gone(&self, address: &StackAddress, id: &StackId) -> Seen<GoneStack> {
        let port = self.port(address);
        let read = async {
            let Some(state) = port.known(id).await? else { return Ok(None) };
            if state.status != StackStatus::DeleteComplete {
                let why = format!("it is {} but was not listed", state.status);
                return Err(PortError::new(Class::Transient, "DescribeStacks", why));
            }
            let events = found(read_phase(&*port, id, Some(StackStatus::DeleteComplete)).await)?.flatten();
            let deletion = events.map(|events| plan::deletion(&events, id)).unwrap_or_default();
            let owner = plan::owner(&state).map(str::to_owned);
            let plan::Deletion { at, ours, resources } = deletion;
            Ok(Some(GoneStack { id: id.clone(), owner, at, by: None, ours, resources }))
        };
        match self.within(read).await {
            Seen::Present(gone) => {
                let by = self.deleter(address, &gone).await;
                Seen::Present(GoneStack { by, ..gone })
            }
            Seen::Absent => Seen::Absent,
            Seen::Unknown(Unknown(why)) => Seen::Unknown(Unknown(why)),
        }
    }

    /// Who deleted it, if the event history says so already.
    async fn deleter(&self, address: &StackAddress, gone: &GoneStack) -> Option<String> {
        let until = gone.at?;
        let since = until.saturating_sub(jiff::SignedDuration::from_hours(24)).ok()?;
        let mut deeds = self.deeds(&address.scope, STACK, address.name.as_str(), since).await.ok()?;
        deeds.retain(|deed| deed.call == "DeleteStack" && deed.at <= until);
        deeds.into_iter().max_by_key(|deed| deed.at).map(|deed| deed.actor)
    }
}
