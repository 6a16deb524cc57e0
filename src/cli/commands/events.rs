//! `landfast events`: what happened to one object's stack.

use crate::cli::args::{Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::view::{View, show};
use crate::model::{Key, Seen, StackEvent};
use crate::ports::Priority;
use crate::report::EventList;

pub(super) fn run(global: &Global, object: &str, limit: usize, output: Output) -> Result<Exit, Trouble> {
    let key: Key = object.parse().map_err(Trouble::Address)?;
    let view = View::open(global, Some(key.environment.as_str()))?;
    let [environment] = view.environments.as_slice() else { return Err(Trouble::NoSuchObject(object.to_owned())) };
    let Some(spec) = environment.stacks.get(&key) else { return Err(Trouble::NoSuchObject(object.to_owned())) };
    let events = view.drive(async {
        let looks = view.glance().await?;
        let [looked] = looks.as_slice() else { return Ok(Vec::new()) };
        let Seen::Present(stack) = looked.observation.stack(&spec.address()) else { return Ok(Vec::new()) };
        let port = view.controller.governor().stacks(&spec.scope, environment.role.as_ref(), Priority::Status);
        let mut events: Vec<StackEvent> = Vec::new();
        let mut next = None;
        while events.len() < limit {
            let page = port.events(&stack.state.id, next).await.map_err(Trouble::Port)?;
            events.extend(page.items);
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        events.truncate(limit);
        events.reverse();
        Ok(events)
    })?;
    let list = EventList::of([(&key, events.as_slice())]);
    show(output, &list, |list| list.text(view.paint()))?;
    Ok(Exit::Done)
}
