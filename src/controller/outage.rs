//! What cannot be read, told once for each failing call and not once for each object.
//!
//! Where AWS does not answer, everything is unknown at once, and the texts differ in every try (they hold times and request
//! ids). So an outage is known by its environment and its call: it is told when it begins, again after an hour, and when it
//! is over.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{EnvName, Plan, Waiting};
use crate::report::Progress;

/// How often an outage that goes on is told again.
const REMIND: Duration = Duration::from_hours(1);

/// The outages that are known.
#[derive(Debug, Default)]
pub(super) struct Outages(BTreeMap<(EnvName, String), Outage>);

#[derive(Debug)]
struct Outage {
    since: Timestamp,
    told: Timestamp,
}

impl Outages {
    /// What a plan says that is new.
    pub(super) fn news(&mut self, environment: &EnvName, plan: &Plan, now: Timestamp) -> Vec<Progress> {
        let mut failing: BTreeMap<String, (usize, &str)> = BTreeMap::new();
        for why in plan.entries.values().filter_map(|entry| entry.waiting.iter().find_map(unread)) {
            failing.entry(call(why)).or_insert((0, why)).0 += 1;
        }
        let mut news = Vec::new();
        for (call, (objects, why)) in &failing {
            let known = self.0.get_mut(&(environment.clone(), call.clone()));
            let since = known.as_ref().map(|outage| outage.since);
            if let Some(outage) = known {
                if now.duration_since(outage.told).unsigned_abs() < REMIND {
                    continue;
                }
                outage.told = now;
            } else {
                self.0.insert((environment.clone(), call.clone()), Outage { since: now, told: now });
            }
            let (environment, why) = (environment.clone(), (*why).to_owned());
            news.push(Progress::Unread { environment, objects: *objects, why, since });
        }
        self.0.retain(|(of, call), outage| {
            if of != environment || failing.contains_key(call) {
                return true;
            }
            let took = now.duration_since(outage.since).unsigned_abs();
            news.push(Progress::Recovered { environment: environment.clone(), call: call.clone(), took });
            false
        });
        news
    }
}

fn unread(waiting: &Waiting) -> Option<&str> {
    if let Waiting::Unknown { why } = waiting { Some(why) } else { None }
}

/// The call that failed, as every error of a port begins; of other causes the text without what changes in it.
fn call(why: &str) -> String {
    match why.split_once(" failed:") {
        Some((call, _)) => call.rsplit(' ').next().unwrap_or(call).to_owned(),
        None => why.chars().filter(|c| !c.is_ascii_digit()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_known_by_its_name_whatever_aws_says_beside_it() {
        assert_eq!(call("DescribeStacks failed: expired 20261130T010203Z (ExpiredToken)"), "DescribeStacks");
        assert_eq!(call("what is in it could not be read: ListStackResources failed: no"), "ListStackResources");
        assert_eq!(call("after 12s nothing came"), call("after 15s nothing came"));
    }
}
