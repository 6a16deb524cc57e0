//! Whether an account is ready for an environment, line by line.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::json::API_VERSION;
use super::{Paint, words};
use crate::model::{EnvName, EventQueue, Met, Prerequisite, Scope};

/// What `preflight -o json` writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreflightList {
    /// `landfast/v1`.
    #[schemars(extend("const" = "landfast/v1"))]
    pub api_version: String,
    /// `PreflightList`.
    #[schemars(extend("const" = "PreflightList"))]
    pub kind: String,
    /// One for each environment, account and region.
    pub items: Vec<Preflight>,
    /// The queue of events, if the operator's configuration names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<QueuePreflight>,
}

/// The prerequisites of the queue of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueuePreflight {
    /// URL of the queue.
    pub queue: String,
    /// Its account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Its prerequisites.
    pub prerequisites: Vec<Prerequisite>,
}

impl QueuePreflight {
    /// The prerequisites of `queue`.
    #[must_use]
    pub fn of(queue: &EventQueue, prerequisites: Vec<Prerequisite>) -> Self {
        Self {
            queue: queue.url.clone(),
            account: queue.scope.account.to_string(),
            region: queue.scope.region.to_string(),
            prerequisites,
        }
    }
}

/// The prerequisites of one environment in one account and region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Preflight {
    /// The environment.
    pub environment: String,
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// Its prerequisites.
    pub prerequisites: Vec<Prerequisite>,
}

impl Preflight {
    /// The prerequisites of `environment` in `scope`.
    #[must_use]
    pub fn of(environment: &EnvName, scope: &Scope, prerequisites: Vec<Prerequisite>) -> Self {
        Self {
            environment: environment.to_string(),
            account: scope.account.to_string(),
            region: scope.region.to_string(),
            prerequisites,
        }
    }
}

impl PreflightList {
    /// A list.
    #[must_use]
    pub fn of(items: Vec<Preflight>) -> Self {
        Self { api_version: API_VERSION.to_owned(), kind: "PreflightList".to_owned(), items, events: None }
    }

    /// The same, with how the queue of events stands.
    #[must_use]
    pub fn with_events(mut self, events: Option<QueuePreflight>) -> Self {
        self.events = events;
        self
    }

    fn lines(&self) -> impl Iterator<Item = &Prerequisite> {
        let events = self.events.iter().flat_map(|queue| &queue.prerequisites);
        self.items.iter().flat_map(|item| &item.prerequisites).chain(events)
    }

    /// The worst of all: missing before unknown before ok.
    #[must_use]
    pub fn worst(&self) -> Met {
        self.lines().map(|line| line.met).max().unwrap_or(Met::Ok)
    }

    /// For people: what is missing says what to do about it, on the line below.
    #[must_use]
    pub fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        for item in &self.items {
            let title = format!("{} in {}/{}", item.environment, item.account, item.region);
            section(&mut text, paint, title, &item.prerequisites);
        }
        if let Some(queue) = &self.events {
            let title = format!("events in {}/{}", queue.account, queue.region);
            section(&mut text, paint, title, &queue.prerequisites);
        }
        let count = |met| self.lines().filter(|line| line.met == met).count();
        let (ok, unknown, missing) = (count(Met::Ok), count(Met::Unknown), count(Met::Missing));
        let _ = writeln!(text, "{ok} ok, {missing} missing, {unknown} unknown.");
        text
    }
}

fn section(text: &mut String, paint: Paint, title: String, lines: &[Prerequisite]) {
    let _ = writeln!(text, "{}", paint.title(title));
    for line in lines {
        let met = match line.met {
            Met::Ok => paint.good("ok     "),
            Met::Unknown => paint.change("unknown"),
            Met::Missing => paint.danger("missing"),
        };
        let _ = writeln!(text, "  {met}  {}: {}", words::clean(&line.what), words::clean(&line.found));
        if let Some(remedy) = &line.remedy {
            text.push_str(&words::wrapped(&format!("→ {}", words::clean(remedy)), "           ", 90));
        }
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    fn line(what: &str, met: Met, found: &str, remedy: Option<&str>) -> Prerequisite {
        let (topic, remedy) = ("quota".to_owned(), remedy.map(str::to_owned));
        Prerequisite { topic, what: what.to_owned(), met, found: found.to_owned(), remedy }
    }

    #[test]
    fn a_preflight_is_text_for_people_and_a_document() {
        let lines = vec![
            line("credentials of account 111122223333", Met::Ok, "arn:aws:iam::111122223333:user/ops", None),
            line("3 × AWS::EC2::VPC within VPCs per Region", Met::Missing, "4 of 5 used", Some("ask for more")),
            line("permission for 40 actions", Met::Unknown, "no answer", Some("read the policies by hand")),
        ];
        let list = PreflightList::of(vec![Preflight::of(&"dev".parse().unwrap(), &fixtures::scope(), lines)]);
        let url = "https://sqs.us-east-1.amazonaws.com/111122223333/landfast-events".to_owned();
        let queue = EventQueue { url, scope: fixtures::scope() };
        let keys = vec![line("encryption key of the queue", Met::Missing, "alias/aws/sqs", Some("use another key"))];
        let list = list.with_events(Some(QueuePreflight::of(&queue, keys)));
        assert_eq!(list.worst(), Met::Missing);
        fixtures::check_contract("PreflightList", &list);
        fixtures::golden("preflight.txt", &list.text(Paint::Plain));
    }
}
