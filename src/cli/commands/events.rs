//! `landfast events`: what happened to one object. Of a stack CloudFormation tells; of a service ECS and the journal; of
//! anything else the journal.

use crate::cli::args::{Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::view::{View, show};
use crate::model::{Key, Kind, Observation, Plan, Seen, StackEvent};
use crate::ports::Priority;
use crate::report::{Deed, EventList, clean};
use crate::store::{Record, RecordOutcome, Store};

pub(super) fn run(global: &Global, object: &str, limit: usize, output: Output) -> Result<Exit, Trouble> {
    let key: Key = object.parse().map_err(Trouble::Address)?;
    let view = View::open(global, Some(key.environment.as_str()))?;
    let [environment] = view.environments.as_slice() else { return Err(Trouble::NoSuchObject(object.to_owned())) };
    if key.kind != Kind::Stack {
        return of_another(&view, &key, limit, output);
    }
    let Some(spec) = environment.stacks.get(&key) else { return Err(Trouble::NoSuchObject(object.to_owned())) };
    let events = view.drive(async {
        view.reach().await?;
        let looks = view.glance().await?;
        let [looked] = looks.as_slice() else { return Ok(Vec::new()) };
        let stack = match looked.observation.stack(&spec.address()) {
            Seen::Present(stack) => stack,
            Seen::Absent => return Ok(Vec::new()),
            Seen::Unknown(why) => return Err(Trouble::Unreachable(format!("{key}: {}", clean(&why.to_string())))),
        };
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

/// Of what is no stack.
fn of_another(view: &View, key: &Key, limit: usize, output: Output) -> Result<Exit, Trouble> {
    let deeds = deeds(&view.store, key, limit)?;
    let missing = || Trouble::NoSuchObject(key.to_string());
    let known =
        view.environments.iter().any(|environment| environment.dependencies().any(|(desired, _)| desired == key));
    if deeds.is_empty() && !known {
        return Err(missing());
    }
    super::ask::show_pending(view);
    let list = if key.kind == Kind::Service {
        let looks = view.drive(view.glance())?;
        let [looked] = looks.as_slice() else { return Err(missing()) };
        of_service(&looked.plan, &looked.observation, key, deeds).ok_or_else(missing)?
    } else {
        EventList::of_service(key, key.name.as_str(), &[], deeds)
    };
    show(output, &list.newest(limit), |list| list.text(view.paint()))?;
    Ok(Exit::Done)
}

/// ECS's events, as far as the service was seen, and what we did.
fn of_service(plan: &Plan, observation: &Observation, key: &Key, deeds: Vec<Deed>) -> Option<EventList> {
    let address = &plan.entries.get(key)?.address;
    let mut seen = observation.services.services.iter();
    let found = seen.find(|((scope, service), _)| *scope == address.scope && service.to_string() == address.name);
    let state = found.and_then(|(_, seen)| seen.present());
    let events = state.map(|state| state.events.as_slice()).unwrap_or_default();
    let name = state.map_or(address.name.as_str(), |state| state.name.as_str());
    Some(EventList::of_service(key, name, events, deeds))
}

/// What the journal says of an object.
fn deeds(store: &Store, key: &Key, limit: usize) -> Result<Vec<Deed>, Trouble> {
    let deed = |record: Record| {
        let (how, failed) = match record.outcome {
            RecordOutcome::Begun => ("begun", None),
            RecordOutcome::Done => ("done", None),
            RecordOutcome::Failed { message, .. } => ("failed", Some(message)),
            RecordOutcome::Concluded(_) => ("concluded", None),
        };
        Deed {
            at: record.at,
            what: format!("{} {how}", record.step),
            failed: failed.is_some(),
            detail: failed.unwrap_or(record.detail),
            token: record.token,
        }
    };
    Ok(store.history(Some(key), limit)?.into_iter().map(deed).collect())
}
