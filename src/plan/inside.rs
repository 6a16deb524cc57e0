//! What goes with a nested stack that an update removes or replaces: CloudFormation's change sets do not say.

use super::planner::Planner;
use crate::model::{NESTED_STACK, ObservedStack, ResourceChange, Seen, StackAddress, StackId, StackNeed};

/// The same changes, and after each nested stack that goes, what goes with it. What that is must be known first.
pub(super) fn opened(
    planner: &Planner<'_>,
    address: &StackAddress,
    stack: &ObservedStack,
    changes: &[ResourceChange],
) -> Vec<ResourceChange> {
    let mut opened = Vec::with_capacity(changes.len());
    for change in changes {
        if change.kind != NESTED_STACK || !change.is_destructive() {
            opened.push(change.clone());
            continue;
        }
        let id = change.physical_id.as_ref().and_then(|id| id.parse::<StackId>().ok());
        let contents = match id.map(|id| (stack.contents.get(&id), id)) {
            Some((Some(Seen::Present(contents)), _)) => Ok(&contents[..]),
            Some((Some(Seen::Absent), _)) => Ok(&[][..]),
            Some((Some(Seen::Unknown(why)), _)) => Err(format!("its resources could not be read: {why}")),
            Some((None, id)) => {
                planner.need(StackNeed::Contents(address.clone(), id));
                Err("its resources have not been read".to_owned())
            }
            None => Err("it has no ID".to_owned()),
        };
        opened.push(ResourceChange { unknown: contents.as_ref().err().cloned(), ..change.clone() });
        opened.extend(contents.unwrap_or_default().iter().map(|inner| ResourceChange {
            resource: format!("{}/{}", change.resource, inner.resource),
            retained: change.retained || inner.retained,
            ..inner.removed()
        }));
    }
    opened
}
