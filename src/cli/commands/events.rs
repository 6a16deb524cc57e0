//! `landfast events`: what happened to one object. Of a stack CloudFormation tells; of anything else the journal does.

use crate::cli::args::{Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::view::{View, show};
use crate::model::{Conclusion, Key, Kind, Seen, StackEvent};
use crate::ports::Priority;
use crate::report::EventList;
use crate::store::{Record, RecordOutcome};

pub(super) fn run(global: &Global, object: &str, limit: usize, output: Output) -> Result<Exit, Trouble> {
    let key: Key = object.parse().map_err(Trouble::Address)?;
    let view = View::open(global, Some(key.environment.as_str()))?;
    let [environment] = view.environments.as_slice() else { return Err(Trouble::NoSuchObject(object.to_owned())) };
    if key.kind != Kind::Stack {
        return journal(&view, &key, limit, output);
    }
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

/// What the journal says of an object.
fn journal(view: &View, key: &Key, limit: usize, output: Output) -> Result<Exit, Trouble> {
    let lines = view.store.history(Some(key), limit)?;
    let known =
        view.environments.iter().any(|environment| environment.dependencies().any(|(desired, _)| desired == key));
    if lines.is_empty() && !known {
        return Err(Trouble::NoSuchObject(key.to_string()));
    }
    super::ask::show_pending(view)?;
    let events: Vec<StackEvent> = lines.iter().map(event).collect();
    let list = EventList::of([(key, events.as_slice())]);
    show(output, &list, |list| list.text(view.paint()))?;
    Ok(Exit::Done)
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
