//! What happened in a stack, as `CloudFormation` tells it, or in a service, as ECS and our journal tell it: newest last,
//! failures marked, the first of them pointed out.

use std::fmt::Write as _;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::json::API_VERSION;
use super::{Paint, words};
use crate::model::{Key, ServiceEvent, StackEvent};

/// What `events -o json` writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventList {
    /// `landfast/v1`.
    #[schemars(extend("const" = "landfast/v1"))]
    pub api_version: String,
    /// `EventList`.
    #[schemars(extend("const" = "EventList"))]
    pub kind: String,
    /// One for each stack.
    pub items: Vec<StackEvents>,
}

/// The events of one stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StackEvents {
    /// The object's address.
    pub object: String,
    /// Its events, newest last.
    pub events: Vec<Event>,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The logical id of the resource; the stack's name for the stack itself.
    pub resource: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its physical id.
    pub physical_id: Option<String>,
    /// Its status.
    pub status: String,
    /// Why.
    pub reason: Option<String>,
    /// The token of the request that caused it.
    pub token: Option<String>,
    /// It reports a failure.
    pub failed: bool,
    /// The first failure of its operation that is not a consequence of another one.
    pub root_cause: bool,
}

impl EventList {
    /// The events of some stacks, in any order.
    #[must_use]
    pub fn of<'a>(stacks: impl IntoIterator<Item = (&'a Key, &'a [StackEvent])>) -> Self {
        let items = stacks.into_iter().map(|(key, events)| StackEvents::of(key, events)).collect();
        Self { api_version: API_VERSION.to_owned(), kind: "EventList".to_owned(), items }
    }

    /// The events of one service: ECS's own, and what we did, in any order.
    #[must_use]
    pub fn of_service(
        key: &Key,
        service: &str,
        events: &[ServiceEvent],
        deeds: impl IntoIterator<Item = Deed>,
    ) -> Self {
        let told = events.iter().map(|event| Event {
            status: "ECS".to_owned(),
            kind: "AWS::ECS::Service".to_owned(),
            reason: Some(event.message.clone()),
            ..Event::at(event.at, service)
        });
        let done = deeds.into_iter().map(|deed| Event {
            status: deed.what,
            kind: "Landfast".to_owned(),
            reason: Some(deed.detail).filter(|detail| !detail.is_empty()),
            token: deed.token,
            failed: deed.failed,
            ..Event::at(deed.at, key.name.as_str())
        });
        let mut events: Vec<Event> = told.chain(done).collect();
        events.sort_by_key(|event| event.at);
        mark_root_causes(&mut events);
        let items = vec![StackEvents { object: key.to_string(), events }];
        Self { api_version: API_VERSION.to_owned(), kind: "EventList".to_owned(), items }
    }

    /// Several lists as one.
    #[must_use]
    pub fn joined(lists: impl IntoIterator<Item = Self>) -> Self {
        let items = lists.into_iter().flat_map(|list| list.items).collect();
        Self { api_version: API_VERSION.to_owned(), kind: "EventList".to_owned(), items }
    }

    /// What an earlier list did not have, one line for each event with its object. Empty if there is nothing new.
    #[must_use]
    pub fn news_since(&self, before: &Self, paint: Paint) -> String {
        let mut news: Vec<(&str, &Event)> = Vec::new();
        for item in &self.items {
            let known = before.items.iter().find(|known| known.object == item.object);
            let is_new = |event: &&Event| known.is_none_or(|known| !known.events.contains(event));
            news.extend(item.events.iter().filter(is_new).map(|event| (item.object.as_str(), event)));
        }
        news.sort_by_key(|(_, event)| event.at);
        let row = |(object, event): &(&str, &Event)| {
            let mut row = event.row();
            row.insert(1, (*object).to_owned());
            row
        };
        let rows: Vec<Vec<String>> = news.iter().map(row).collect();
        words::table(&rows, |y, x, cell| match news.get(y) {
            Some((_, event)) if event.failed && matches!(x, 0 | 4) => paint.danger(cell),
            _ => cell,
        })
    }

    /// Without all but the newest.
    #[must_use]
    pub fn newest(mut self, limit: usize) -> Self {
        for item in &mut self.items {
            item.events.drain(..item.events.len().saturating_sub(limit));
        }
        self
    }

    /// One line for each event.
    #[must_use]
    pub fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        for (index, stack) in self.items.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            let _ = writeln!(text, "{}", paint.title(&stack.object));
            if stack.events.is_empty() {
                text.push_str("  no events\n");
            }
            let rows: Vec<Vec<String>> = stack.events.iter().map(Event::row).collect();
            text.push_str(&words::table(&rows, |y, x, cell| match stack.events.get(y) {
                Some(event) if event.failed && matches!(x, 0 | 3) => paint.danger(cell),
                _ => cell,
            }));
        }
        text
    }
}

impl StackEvents {
    fn of(key: &Key, events: &[StackEvent]) -> Self {
        let mut sorted: Vec<&StackEvent> = events.iter().collect();
        // AWS lists the newest first: reversed and sorted stably, those of one moment stay in their order.
        sorted.reverse();
        sorted.sort_by_key(|event| event.at);
        let mut events: Vec<Event> = sorted.into_iter().map(Event::of).collect();
        mark_root_causes(&mut events);
        Self { object: key.to_string(), events }
    }
}

/// In each operation (a run of equal request tokens), the first failure that is not the consequence of another.
fn mark_root_causes(events: &mut [Event]) {
    let mut found: Option<Option<String>> = None;
    for event in events {
        if event.failed && !event.is_consequence() && found.as_ref() != Some(&event.token) {
            event.root_cause = true;
            found = Some(event.token.clone());
        }
    }
}

/// Something that we did, as the journal has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// When.
    pub at: Timestamp,
    /// What, and how it went.
    pub what: String,
    /// More of it, for people.
    pub detail: String,
    /// The token of the call, if there was one.
    pub token: Option<String>,
    /// It did not work out.
    pub failed: bool,
}

impl Event {
    fn at(at: Timestamp, resource: &str) -> Self {
        Self {
            at,
            resource: resource.to_owned(),
            kind: String::new(),
            physical_id: None,
            status: String::new(),
            reason: None,
            token: None,
            failed: false,
            root_cause: false,
        }
    }

    fn of(event: &StackEvent) -> Self {
        Self {
            at: event.at,
            resource: event.resource.clone(),
            kind: event.kind.clone(),
            physical_id: event.physical_id.clone(),
            status: event.status.clone(),
            reason: event.reason.clone(),
            token: event.token.clone(),
            failed: event.status.ends_with("_FAILED"),
            root_cause: false,
        }
    }

    /// It failed because another resource did, by the rule by which `plan` finds the cause of a failure: it was
    /// cancelled (AWS: "Resource creation cancelled"), or it is the stack itself.
    fn is_consequence(&self) -> bool {
        let own = format!(":stack/{}/", self.resource);
        self.reason.as_deref().is_some_and(|reason| reason.contains("cancelled"))
            || self.physical_id.as_deref().is_some_and(|id| id.contains(&own))
    }

    fn row(&self) -> Vec<String> {
        let mark = match (self.root_cause, self.failed) {
            (true, _) => ">>",
            (false, true) => " !",
            (false, false) => "",
        };
        vec![
            mark.to_owned(),
            words::time(self.at),
            words::clean(&self.resource),
            words::clean(&self.status),
            words::clean(&self.kind),
            self.reason.as_deref().map(words::clean).unwrap_or_default(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::{self, at, key};

    fn event(time: &str, resource: &str, status: &str, reason: Option<&str>) -> StackEvent {
        StackEvent {
            id: format!("{resource}-{status}"),
            at: at(time),
            resource: resource.to_owned(),
            kind: "AWS::SNS::Topic".to_owned(),
            physical_id: None,
            status: status.to_owned(),
            reason: reason.map(str::to_owned),
            token: Some("landfast-1".to_owned()),
        }
    }

    #[test]
    fn the_newest_is_last_and_the_cause_stands_out_from_its_consequences() {
        let stack = "arn:aws:cloudformation:us-east-1:111122223333:stack/stack/1";
        let newest_first = [
            StackEvent { physical_id: Some(stack.to_owned()), ..event("03:00:20", "stack", "ROLLBACK_FAILED", None) },
            event("03:00:09", "stack", "ROLLBACK_IN_PROGRESS", Some("The following resource(s) failed: [A, B].")),
            event("03:00:05", "B", "CREATE_FAILED", Some("Resource creation cancelled")),
            event("03:00:05", "A", "CREATE_FAILED", Some("Topic already exists\nreally")),
            event("03:00:04", "A", "CREATE_IN_PROGRESS", None),
        ];
        let list = EventList::of([(&key("alarms"), &newest_first[..])]);
        fixtures::check_contract("EventList", &list);
        fixtures::golden("events.txt", &list.text(Paint::Plain));
    }

    #[test]
    fn of_a_service_ecs_and_the_journal_tell_together() {
        let key: Key = "dev/service/api".parse().unwrap();
        let told = |time, message: &str| ServiceEvent { id: time_id(time), at: at(time), message: message.to_owned() };
        let deed = |time, what: &str, detail: &str, failed| Deed {
            at: at(time),
            what: what.to_owned(),
            detail: detail.to_owned(),
            token: None,
            failed,
        };
        let newest_first = [
            told("03:00:40", "(service api) has begun draining connections"),
            told("03:00:10", "(service api) has started 2 tasks"),
        ];
        let deeds = [
            deed("03:00:00", "decide done", "app 1.2.0: 1.2.0 is the highest version in ^1", false),
            deed("03:04:00", "conclude done", "rolledback; 3 × Essential container in task exited", true),
        ];
        let list = EventList::of_service(&key, "dev-api", &newest_first, deeds);
        fixtures::check_contract("EventList", &list);
        fixtures::golden("events-service.txt", &list.text(Paint::Plain));
        assert_eq!(list.newest(1).items[0].events[0].status, "conclude done");
    }

    fn time_id(time: &str) -> String {
        format!("event-{time}")
    }
}
