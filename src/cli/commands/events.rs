//! `landfast events`: what happened to one object's stack.

use super::status::glance;
use crate::cli::args::{Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::session::{self, Pace, Session};
use crate::cli::{progress, terminal};
use crate::model::{Key, Seen, StackEvent};
use crate::ports::Priority;
use crate::report::{EventList, to_json};

pub(super) fn run(global: &Global, object: &str, limit: usize, output: Output) -> Result<Exit, Trouble> {
    let key: Key = object.parse().map_err(Trouble::Address)?;
    let session = Session::start(global, Pace::Virtual)?;
    let (store, _) = session.store_for_looking()?;
    let loaded = session::load(&session::root(global), &store)?;
    session::show_diagnostics(&loaded.diagnostics);
    let environments = session::choose(&loaded, Some(key.environment.as_str()))?;
    let controller = session.controller(store, progress::silent());
    let [environment] = environments.as_slice() else { return Err(Trouble::NoSuchObject(object.to_owned())) };
    let Some(spec) = environment.stacks.get(&key) else { return Err(Trouble::NoSuchObject(object.to_owned())) };
    let events = session.drive(&controller, async {
        let looks = glance(&controller, &loaded, &environments).await?;
        let [looked] = looks.as_slice() else { return Ok(Vec::new()) };
        let Seen::Present(stack) = looked.observation.stack(&spec.address()) else { return Ok(Vec::new()) };
        let port = controller.governor().stacks(&spec.scope, environment.role.as_ref(), Priority::Status);
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
        Ok::<_, Trouble>(events)
    })??;
    let list = EventList::of([(&key, events.as_slice())]);
    match output {
        Output::Text => terminal::print(&list.text(terminal::paint(global)))?,
        Output::Json => {
            let text = to_json(&list).map_err(|error| Trouble::machine("the events could not be written", error))?;
            terminal::print(&text)?;
        }
    }
    Ok(Exit::Done)
}
