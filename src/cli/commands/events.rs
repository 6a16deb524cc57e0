//! `landfast events`: what happened to one object. Of a stack CloudFormation tells; of anything else the journal does.

use super::status::glance;
use crate::cli::args::{Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::session::{self, Pace, Session};
use crate::cli::{progress, terminal};
use crate::model::{Conclusion, Environment, Key, Kind, Seen, StackEvent};
use crate::ports::Priority;
use crate::report::{EventList, to_json};
use crate::store::{Record, RecordOutcome, Store};

pub(super) fn run(global: &Global, object: &str, limit: usize, output: Output) -> Result<Exit, Trouble> {
    let key: Key = object.parse().map_err(Trouble::Address)?;
    let session = Session::start(global, Pace::Virtual)?;
    let (store, _) = session.store_for_looking()?;
    let loaded = session::load(&session::root(global), &store)?;
    session::show_diagnostics(&loaded.diagnostics);
    let environments = session::choose(&loaded, Some(key.environment.as_str()))?;
    let [environment] = environments.as_slice() else { return Err(Trouble::NoSuchObject(object.to_owned())) };
    if key.kind != Kind::Stack {
        return journal(global, &store, environment, &key, limit, output);
    }
    let controller = session.controller(store, progress::silent());
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
    show(global, &key, &events, output)
}

/// What the journal says of an object.
fn journal(
    global: &Global,
    store: &Store,
    environment: &Environment,
    key: &Key,
    limit: usize,
    output: Output,
) -> Result<Exit, Trouble> {
    let lines = store.history(Some(key), limit)?;
    let known = environment.dependencies().any(|(desired, _)| desired == key);
    if lines.is_empty() && !known {
        return Err(Trouble::NoSuchObject(key.to_string()));
    }
    super::ask::show_pending(global, environment)?;
    show(global, key, &lines.iter().map(event).collect::<Vec<_>>(), output)
}

fn event(line: &Record) -> StackEvent {
    let (how, said) = match &line.outcome {
        RecordOutcome::Begun => ("BEGUN", None),
        RecordOutcome::Done => ("DONE", None),
        RecordOutcome::Failed { message, .. } => ("FAILED", Some(message.clone())),
        RecordOutcome::Concluded(Conclusion::Failed(failure)) => ("FAILED", Some(failure.reason.clone())),
        RecordOutcome::Concluded(_) => ("CONCLUDED", None),
    };
    let parts: Vec<String> = [said, Some(line.detail.clone())].into_iter().flatten().collect();
    let reason = parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("; ");
    StackEvent {
        id: line.sequence.to_string(),
        at: line.at,
        resource: line.key.name.to_string(),
        kind: line.key.kind.noun().to_owned(),
        physical_id: None,
        status: format!("{}_{how}", line.step.to_uppercase().replace('-', "_")),
        reason: Some(reason).filter(|reason| !reason.is_empty()),
        token: line.token.clone(),
    }
}

fn show(global: &Global, key: &Key, events: &[StackEvent], output: Output) -> Result<Exit, Trouble> {
    let list = EventList::of([(key, events)]);
    match output {
        Output::Text => terminal::print(&list.text(terminal::paint(global)))?,
        Output::Json => {
            let text = to_json(&list).map_err(|error| Trouble::machine("the events could not be written", error))?;
            terminal::print(&text)?;
        }
    }
    Ok(Exit::Done)
}
