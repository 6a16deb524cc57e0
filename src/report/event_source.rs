//! Whether events arrive, for each account and region.

use std::fmt::Write as _;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::json::API_VERSION;
use super::{Paint, words};

/// What `events source check -o json` writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventSource {
    /// `landfast/v1`.
    #[schemars(extend("const" = "landfast/v1"))]
    pub api_version: String,
    /// `EventSource`.
    #[schemars(extend("const" = "EventSource"))]
    pub kind: String,
    /// The URL of the queue.
    pub queue: String,
    /// Who received the heartbeats: the daemon, or this command.
    pub received_by: String,
    /// Each account and region in which the environments have objects.
    pub items: Vec<Heartbeat>,
}

/// The last heartbeat of one account and region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// When the last heartbeat arrived; `null`: none did.
    #[schemars(with = "Option<String>")]
    pub arrived: Option<Timestamp>,
    /// How long after it was sent, in milliseconds.
    pub late: Option<u64>,
}

impl EventSource {
    /// The heartbeats of a queue.
    #[must_use]
    pub fn of(queue: &str, received_by: &str, items: Vec<Heartbeat>) -> Self {
        let (api_version, kind) = (API_VERSION.to_owned(), "EventSource".to_owned());
        Self { api_version, kind, queue: queue.to_owned(), received_by: received_by.to_owned(), items }
    }

    /// All accounts and regions have sent one.
    #[must_use]
    pub fn arrives(&self) -> bool {
        self.items.iter().all(|item| item.arrived.is_some())
    }

    /// For people.
    #[must_use]
    pub fn text(&self, paint: Paint) -> String {
        let mut text =
            format!("queue {}, received by {}\n\n", words::clean(&self.queue), words::clean(&self.received_by));
        for item in &self.items {
            let place = words::clean(&format!("{}/{}", item.account, item.region));
            let Some(at) = item.arrived else {
                let arrow = "→ deploy the rules of manifests/ops in this account and region, and see that its bus may send to \
                             the bus of the queue";
                let _ = writeln!(text, "  {}  {place}: no heartbeat", paint.danger("missing"));
                text.push_str(&words::wrapped(arrow, "           ", 90));
                continue;
            };
            let late = item.late.map(|late| format!(", {}.{} s after it was sent", late / 1000, late % 1000 / 100));
            let late = late.unwrap_or_default();
            let _ = writeln!(text, "  {}  {place}: heartbeat at {}{late}", paint.good("ok     "), words::time(at));
        }
        let silent = self.items.iter().filter(|item| item.arrived.is_none()).count();
        let _ = match silent {
            0 => writeln!(text, "\nEvents arrive from {0} of {0} accounts and regions.", self.items.len()),
            _ => writeln!(
                text,
                "\nNo events from {silent} of {}: environments there are polled as without events.",
                self.items.len()
            ),
        };
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_silent_says_what_to_do() {
        let beat = |region: &str, at: Option<&str>| Heartbeat {
            account: "111122223333".to_owned(),
            region: region.to_owned(),
            arrived: at.map(|at| at.parse().unwrap()),
            late: at.map(|_| 840),
        };
        let items = vec![beat("us-east-1", Some("2026-01-01T00:00:12Z")), beat("eu-west-1", None)];
        let report =
            EventSource::of("https://sqs.us-east-1.amazonaws.com/111122223333/landfast-events", "the daemon", items);
        assert!(!report.arrives());
        insta::assert_snapshot!(report.text(Paint::Plain), @r"
        queue https://sqs.us-east-1.amazonaws.com/111122223333/landfast-events, received by the daemon

          ok       111122223333/us-east-1: heartbeat at 2026-01-01T00:00:12Z, 0.8 s after it was sent
          missing  111122223333/eu-west-1: no heartbeat
                   → deploy the rules of manifests/ops in this account and region, and see that
                   its bus may send to the bus of the queue

        No events from 1 of 2: environments there are polled as without events.
        ");
    }
}
