//! What a person sees while stacks are created and updated: one line for each, with its resources and the one that takes
//! longest, on a terminal; plain lines otherwise.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;

use super::progress;
use crate::controller::{Controller, Listener};
use crate::model::{Environment, Key, StackEvent, StackId};
use crate::ports::Priority;
use crate::report::{Paint, Progress, clean, duration, safe_text};

/// How often resources are read. Nothing waits for it, so it does not have to be fast.
const EVERY: Duration = Duration::from_secs(5);

/// So many stacks at a time: a person reads no more, and AWS's limits are the deployment's.
const STACKS: usize = 8;

/// So many pages of events, of a hundred each: what is older has most probably ended.
const PAGES: usize = 3;

/// The lines of running stacks.
#[derive(Clone, Default)]
pub(super) struct Live {
    board: MultiProgress,
    running: Arc<Mutex<BTreeMap<Key, Line>>>,
}

struct Line {
    bar: ProgressBar,
    since: Timestamp,
    status: String,
    /// Which stack it is, once that was read.
    stack: Option<StackId>,
}

impl Live {
    /// What listens to a controller.
    pub(super) fn listener(&self) -> Listener {
        if !std::io::stderr().is_terminal() {
            return progress::plain();
        }
        let live = self.clone();
        Arc::new(move |at: Timestamp, progress: &Progress| live.tell(at, progress))
    }

    fn tell(&self, at: Timestamp, progress: &Progress) {
        match progress {
            Progress::Began { key, name, .. } => {
                let bar = self.board.add(ProgressBar::new_spinner());
                bar.set_style(style());
                bar.set_prefix(clean(name));
                bar.enable_steady_tick(Duration::from_millis(120));
                let line = Line { bar, since: at, status: String::new(), stack: None };
                if let Some(old) = self.lock().insert(key.clone(), line) {
                    old.bar.finish_and_clear();
                }
                return;
            }
            Progress::Moved { key, status, .. } => {
                if let Some(line) = self.lock().get_mut(key) {
                    line.status = status.to_string();
                    line.bar.set_message(line.status.clone());
                }
                return;
            }
            Progress::Concluded { key, .. } => {
                if let Some(line) = self.lock().remove(key) {
                    line.bar.finish_and_clear();
                }
            }
            Progress::Took { .. } | Progress::LookedAt { .. } => return,
            _ => {}
        }
        if let Some(line) = progress.line(at) {
            // The terminal may have gone away; the work goes on.
            let _ = self.board.println(safe_text(&line, Paint::Plain));
        }
    }

    /// Reads how far the resources of running stacks are, as long as it is polled. Without a terminal there is nothing to do.
    /// What cannot be read is not shown: the deployment itself says what is wrong.
    pub(super) async fn follow(&self, controller: &Controller, environment: &Environment) -> Infallible {
        if !std::io::stderr().is_terminal() {
            return std::future::pending().await;
        }
        loop {
            controller.context().sleep(EVERY).await;
            let running: Vec<(Key, Timestamp, Option<StackId>)> = {
                let lines = self.lock();
                let lines = lines.iter().map(|(key, line)| (key.clone(), line.since, line.stack.clone()));
                lines.take(STACKS).collect()
            };
            for (key, since, known) in running {
                let Some((stack, events)) = events(controller, environment, &key, since, known).await else { continue };
                let resources = environment.stacks.get(&key).map_or(0, |spec| spec.template.resources.len());
                let Some(text) = far(&events, since, resources, controller.context().now()) else { continue };
                if let Some(line) = self.lock().get_mut(&key) {
                    line.stack = Some(stack);
                    line.bar.set_message(format!("{}  {text}", line.status));
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Line>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn style() -> ProgressStyle {
    let template = "{spinner} {elapsed_precise} {prefix:40!} {msg}";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// A stack and its events since then, the newest first.
async fn events(
    controller: &Controller,
    environment: &Environment,
    key: &Key,
    since: Timestamp,
    known: Option<StackId>,
) -> Option<(StackId, Vec<StackEvent>)> {
    let spec = environment.stacks.get(key)?;
    let port = controller.governor().stacks(&spec.scope, environment.role.as_ref(), Priority::Status);
    let stack = match known {
        Some(stack) => stack,
        None => port.describe(&spec.stack_name).await.ok()??.id,
    };
    let (mut events, mut next) = (Vec::new(), None);
    for _ in 0..PAGES {
        let page = port.events(&stack, next).await.ok()?;
        let is_enough = page.items.last().is_none_or(|event| event.at < since);
        events.extend(page.items);
        next = page.next;
        if is_enough || next.is_none() {
            break;
        }
    }
    Some((stack, events))
}

/// How far the resources are, in a few words: `3 of 12 resources; MSKCluster for 23m`.
fn far(events: &[StackEvent], since: Timestamp, resources: usize, now: Timestamp) -> Option<String> {
    let mut newest: BTreeMap<&str, &StackEvent> = BTreeMap::new();
    let mut begun: BTreeMap<&str, Timestamp> = BTreeMap::new();
    let of_resources = |event: &&StackEvent| event.at >= since && event.kind != "AWS::CloudFormation::Stack";
    for event in events.iter().filter(of_resources) {
        newest.entry(&event.resource).or_insert(event);
        if event.status.ends_with("_IN_PROGRESS") {
            begun.insert(&event.resource, event.at);
        }
    }
    let done = newest.values().filter(|event| event.status.ends_with("_COMPLETE")).count();
    let under_way = newest.values().filter(|event| event.status.ends_with("_IN_PROGRESS"));
    let slowest = under_way.min_by_key(|event| begun.get(event.resource.as_str()).copied());
    let text = format!("{done} of {} resources", resources.max(newest.len()));
    let slowest = slowest.map(|event| {
        let at = begun.get(event.resource.as_str()).copied().unwrap_or(event.at);
        format!("; {} for {}", clean(&event.resource), duration(now.duration_since(at).unsigned_abs()))
    });
    (!newest.is_empty()).then(|| text + &slowest.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn event(seconds: i64, resource: &str, status: &str) -> StackEvent {
        StackEvent {
            id: format!("{resource}-{status}-{seconds}"),
            at: at(seconds),
            resource: resource.to_owned(),
            kind: if resource == "dev-msk" { "AWS::CloudFormation::Stack" } else { "AWS::MSK::Cluster" }.to_owned(),
            physical_id: None,
            status: status.to_owned(),
            reason: None,
            token: None,
        }
    }

    #[test]
    fn the_resource_that_takes_longest_is_named() {
        let events = [
            event(160, "Logs", "CREATE_COMPLETE"),
            event(150, "Late", "CREATE_IN_PROGRESS"),
            event(140, "Cluster", "CREATE_IN_PROGRESS"),
            event(110, "Logs", "CREATE_IN_PROGRESS"),
            event(105, "Cluster", "CREATE_IN_PROGRESS"),
            event(100, "dev-msk", "CREATE_IN_PROGRESS"),
            event(50, "Old", "CREATE_IN_PROGRESS"),
        ];
        let text = far(&events, at(100), 5, at(225)).unwrap();
        assert_eq!(text, "1 of 5 resources; Cluster for 2m");
        assert_eq!(far(events.get(5..).unwrap(), at(100), 5, at(225)), None);
    }
}
