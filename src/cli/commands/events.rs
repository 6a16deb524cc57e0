//! `landfast events`: what happened to objects. Of stacks CloudFormation tells; of services ECS and the journal; of
//! anything else the journal.

use crate::cli::args::{Global, Output};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::view::{EVERY, View, page};
use crate::cli::{select, terminal};
use crate::controller::Looked;
use crate::model::{Environment, Key, Kind, Observation, Plan, Seen, StackEvent};
use crate::ports::Priority;
use crate::report::{Deed, EventList, clean};
use crate::store::{Record, RecordOutcome, Store};

pub(super) fn run(
    global: &Global,
    words: &[String],
    limit: usize,
    follow: bool,
    output: Output,
) -> Result<Exit, Trouble> {
    let mut view = if follow { View::watching_running(global, words)? } else { View::of_running(global, words)? };
    super::ask::show_pending(&view);
    let mut list = view.drive(read(&view, limit))?;
    if !follow {
        page(global, output, &list, |list| list.text(view.paint()))?;
        return Ok(view.exit(Exit::Done));
    }
    terminal::print(&list.text(view.paint()))?;
    loop {
        match view.session.ask(view.session.cx.sleep(EVERY)) {
            Err(Trouble::Interrupted) => return Ok(Exit::Done),
            slept => slept?,
        }
        view = view.again(words)?;
        let now = view.drive(read(&view, limit))?;
        terminal::print(&now.news_since(&list, view.paint()))?;
        list = now;
    }
}

/// The objects that are meant. One that is not in the manifests any more still has a journal.
fn chosen(view: &View) -> Result<Vec<Key>, Trouble> {
    let desired = view.environments().iter().flat_map(|environment| environment.dependencies().map(|(key, _)| key));
    let mut keys: Vec<Key> = desired.filter(|key| view.selection.includes(key)).cloned().collect();
    for key in view.selection.addresses() {
        if !keys.contains(&key) {
            if view.store.history(Some(&key), 1)?.is_empty() {
                return Err(Trouble::no_such_object(&key.to_string(), select::objects(&view.loaded)));
            }
            keys.push(key);
        }
    }
    view.selection.require(&keys)?;
    Ok(keys)
}

async fn read(view: &View, limit: usize) -> Result<EventList, Trouble> {
    let keys = chosen(view)?;
    // The journal alone tells of everything else.
    let asks = keys.iter().any(|key| matches!(key.kind, Kind::Stack | Kind::Service));
    let looks = if asks {
        view.reach().await?;
        view.glance().await?
    } else {
        Vec::new()
    };
    let mut lists = Vec::new();
    for key in &keys {
        let looked = looks.iter().find(|looked| looked.plan.environment == key.environment);
        let environment = view.environments().iter().find(|environment| environment.name == key.environment);
        lists.push(match (key.kind, environment.zip(looked)) {
            (Kind::Stack, Some((environment, looked))) if environment.stacks.contains_key(key) => {
                let events = of_stack(view, environment, looked, key, limit).await?;
                EventList::of([(key, events.as_slice())])
            }
            (Kind::Service, Some((_, looked))) => {
                of_service(&looked.plan, &looked.observation, key, deeds(&view.store, key, limit)?)
            }
            _ => EventList::of_service(key, key.name.as_str(), &[], deeds(&view.store, key, limit)?),
        });
    }
    Ok(EventList::joined(lists).newest(limit))
}

/// CloudFormation's events, at most so many, the oldest first.
async fn of_stack(
    view: &View,
    environment: &Environment,
    looked: &Looked,
    key: &Key,
    limit: usize,
) -> Result<Vec<StackEvent>, Trouble> {
    let Some(spec) = environment.stacks.get(key) else { return Ok(Vec::new()) };
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
    Ok(events)
}

/// ECS's events, as far as the service was seen, and what we did.
fn of_service(plan: &Plan, observation: &Observation, key: &Key, deeds: Vec<Deed>) -> EventList {
    let Some(entry) = plan.entries.get(key) else {
        return EventList::of_service(key, key.name.as_str(), &[], deeds);
    };
    let address = &entry.address;
    let state = observation.services.at(address).and_then(|(_, seen)| seen.present());
    let events = state.map(|state| state.events.as_slice()).unwrap_or_default();
    let name = state.map_or(&*address.name, |state| state.name.as_str());
    EventList::of_service(key, name, events, deeds)
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
