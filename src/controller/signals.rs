//! What events have told, for all tenders, and whether they arrive at all.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use crate::model::{Address, Deed, Kind, RecordPlace, Scope, Signal, Subject};
use crate::sabotage::{self, Bug};

/// A rule sends a heartbeat each minute. Without one for so long, events of an account and region are not relied on.
pub const SILENCE: Duration = Duration::from_mins(5);

/// A difference that is found so long after a call may be its doing.
const LATELY: SignedDuration = SignedDuration::from_mins(15);

/// Events that are kept for tenders that have not come to them. Who is further behind looks at everything.
const KEPT: usize = 4096;

/// Ids of events that are known, so that one that is delivered again is not news.
const IDS: usize = 16_384;

/// Events of all accounts and regions. They decide nothing: they are where tenders look next.
#[derive(Default)]
pub struct Signals {
    /// Held for the length of a push or a copy: a plain mutex.
    heard: Mutex<Heard>,
    arrived: Notify,
}

#[derive(Default)]
struct Heard {
    /// The number of the first event that is kept.
    first: u64,
    kept: VecDeque<Arc<Signal>>,
    ids: BTreeSet<String>,
    /// The same ids, oldest first.
    order: VecDeque<String>,
    /// When the last heartbeat of each account and region arrived, and how late it was.
    beats: BTreeMap<Scope, Beat>,
}

/// A heartbeat that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// When, since the process began.
    pub arrived: Duration,
    /// How long after it was sent.
    pub late: Duration,
}

/// What has been heard since a tender last asked.
pub(super) enum News {
    /// These events.
    Signals(Vec<Arc<Signal>>),
    /// More than are kept.
    TooMany,
}

impl Signals {
    /// Takes in an event that has arrived. False if it was known.
    pub fn deliver(&self, signal: Signal, now: Timestamp, elapsed: Duration) -> bool {
        let mut heard = self.lock();
        if !heard.ids.insert(signal.id.clone()) {
            return false;
        }
        heard.order.push_back(signal.id.clone());
        if heard.order.len() > IDS
            && let Some(oldest) = heard.order.pop_front()
        {
            heard.ids.remove(&oldest);
        }
        if signal.about.contains(&Subject::Heartbeat) {
            let late = Duration::try_from(now.duration_since(signal.at)).unwrap_or_default();
            // One that has lain in the queue for long says nothing of now.
            if late < SILENCE {
                heard.beats.insert(signal.scope.clone(), Beat { arrived: elapsed, late });
            }
        }
        if signal.about.iter().any(|subject| *subject != Subject::Heartbeat) {
            heard.kept.push_back(Arc::new(signal));
            if heard.kept.len() > KEPT {
                heard.kept.pop_front();
                heard.first = heard.first.saturating_add(1);
            }
        }
        drop(heard);
        self.arrived.notify_waiters();
        true
    }

    /// Completes when something has arrived since this was called.
    pub(super) fn arrived(&self) -> tokio::sync::futures::Notified<'_> {
        self.arrived.notified()
    }

    /// Says to all tenders that whether events arrive is another thing than before.
    pub(super) fn rouse(&self) {
        self.arrived.notify_waiters();
    }

    /// The number of the next event.
    pub(super) fn next(&self) -> u64 {
        self.lock().next()
    }

    /// The events from a number on, and the number of the next one.
    pub(super) fn since(&self, number: u64) -> (News, u64) {
        let heard = self.lock();
        let news = match number.checked_sub(heard.first) {
            Some(behind) => {
                let behind = usize::try_from(behind).unwrap_or(usize::MAX);
                News::Signals(heard.kept.iter().skip(behind).cloned().collect())
            }
            None => News::TooMany,
        };
        (news, heard.next())
    }

    /// Accounts and regions whose events arrive.
    #[must_use]
    pub fn heard(&self, elapsed: Duration) -> BTreeSet<Scope> {
        let arrives = |beat: &Beat| elapsed.saturating_sub(beat.arrived) < SILENCE || sabotage::is(Bug::SilenceIsCalm);
        let heard = self.lock();
        heard.beats.iter().filter(|(_, beat)| arrives(beat)).map(|(scope, _)| scope.clone()).collect()
    }

    /// The last heartbeat of each account and region.
    #[must_use]
    pub fn beats(&self) -> BTreeMap<Scope, Beat> {
        self.lock().beats.clone()
    }

    /// Who has changed a resource since then, as far as events have told: calls that name it, newest first.
    pub(super) fn deeds(&self, scope: &Scope, resource: &str, since: Timestamp) -> Vec<Deed> {
        let heard = self.lock();
        let about = |signal: &&Arc<Signal>| {
            signal.scope.account == scope.account && signal.about.iter().any(|subject| subject.is_named(resource))
        };
        let deeds = heard.kept.iter().rev().filter(about).filter_map(|signal| signal.deed.clone());
        deeds.filter(|deed| deed.at >= since).collect()
    }

    /// Who has changed an object last, as far as events have told lately.
    pub(super) fn culprit(&self, kind: Kind, address: &Address, now: Timestamp) -> Option<Deed> {
        self.last_deed(now, |scope, subject| *scope == address.scope && names(subject, kind, &address.name))
    }

    /// The same of a record set. Route 53 is one for all regions.
    pub(super) fn culprit_of_record(&self, place: &RecordPlace, now: Timestamp) -> Option<Deed> {
        self.last_deed(now, |scope, subject| {
            let Subject::Record { zone, of, set } = subject else { return false };
            scope.account == place.scope.account && zone == place.zone.as_str() && (of, set) == (&place.of, &place.set)
        })
    }

    /// Who has changed lately what subjects are about.
    fn last_deed(&self, now: Timestamp, is_it: impl Fn(&Scope, &Subject) -> bool) -> Option<Deed> {
        let heard = self.lock();
        let about = |signal: &&Arc<Signal>| signal.about.iter().any(|subject| is_it(&signal.scope, subject));
        let deeds = heard.kept.iter().rev().filter(about).filter_map(|signal| signal.deed.as_ref());
        let mut deeds = deeds.filter(|deed| !deed.reads && deed.at <= now && now.duration_since(deed.at) < LATELY);
        deeds.next().cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it is an object of this kind and name.
fn names(subject: &Subject, kind: Kind, name: &str) -> bool {
    match (kind, subject) {
        (Kind::Stack, Subject::Stack(stack)) => stack == name,
        (Kind::Secret, Subject::Secret(secret)) => is_secret(secret, name),
        (Kind::Service, Subject::Service { cluster, service }) => format!("{cluster}/{service}") == name,
        _ => false,
    }
}

/// A secret by its name, or by its ARN, which ends with its name and six characters (AWS: *What's in a secret*).
pub(super) fn is_secret(named: &str, name: &str) -> bool {
    let of_arn = || named.split_once(":secret:").and_then(|(_, rest)| rest.strip_prefix(name));
    named == name || of_arn().is_some_and(|rest| rest.is_empty() || (rest.len() == 7 && rest.starts_with('-')))
}

impl Heard {
    fn next(&self) -> u64 {
        self.first.saturating_add(u64::try_from(self.kept.len()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DnsName, RecordsOf};

    fn signal(id: u32, about: Subject, second: i64) -> Signal {
        Signal {
            id: id.to_string(),
            at: Timestamp::from_second(second).unwrap(),
            scope: Scope { account: "111122223333".parse().unwrap(), region: "us-east-1".parse().unwrap() },
            about: vec![about],
            deed: None,
        }
    }

    fn deliver(signals: &Signals, signal: Signal, second: i64) -> bool {
        let now = Timestamp::from_second(second).unwrap();
        signals.deliver(signal, now, Duration::from_secs(second.unsigned_abs()))
    }

    fn stack(id: u32) -> Signal {
        signal(id, Subject::Stack(format!("s{id}")), 0)
    }

    #[test]
    fn what_is_delivered_twice_is_news_once_and_whoever_is_too_far_behind_is_told() {
        let signals = Signals::default();
        let begun = signals.next();
        assert!(deliver(&signals, stack(1), 0));
        assert!(!deliver(&signals, stack(1), 5));
        let (News::Signals(news), next) = signals.since(begun) else { panic!() };
        assert_eq!((news.len(), next), (1, begun + 1));
        assert!(matches!(signals.since(next), (News::Signals(news), _) if news.is_empty()));
        for id in 2..u32::try_from(KEPT).unwrap() + 3 {
            assert!(deliver(&signals, stack(id), 0));
        }
        assert!(matches!(signals.since(begun), (News::TooMany, _)));
        let (News::Signals(news), _) = signals.since(begun + 2) else { panic!() };
        assert_eq!(news.len(), KEPT);
    }

    #[test]
    fn a_heartbeat_counts_for_five_minutes_and_only_if_it_is_fresh() {
        let signals = Signals::default();
        let scope = stack(0).scope;
        let heard = |second: u64| signals.heard(Duration::from_secs(second)).contains(&scope);
        assert!(!heard(0));
        // It has lain in the queue while nobody was there.
        deliver(&signals, signal(1, Subject::Heartbeat, 0), 301);
        assert!(!heard(301));
        deliver(&signals, signal(2, Subject::Heartbeat, 340), 341);
        assert!(heard(341) && heard(640) && !heard(641));
        assert_eq!(signals.next(), 0, "nobody is woken by it");
    }

    #[test]
    fn who_changed_a_record_is_told_of_that_record_set_alone() {
        let record = |zone: &str, kind: &str, set: Option<&str>| {
            let of = RecordsOf { name: DnsName::new("\\052.Example.com."), kind: kind.to_owned() };
            Subject::Record { zone: zone.to_owned(), of, set: set.map(str::to_owned) }
        };
        let by = |actor: &str| Deed {
            id: actor.to_owned(),
            at: Timestamp::from_second(10).unwrap(),
            actor: actor.to_owned(),
            from: None,
            call: "ChangeResourceRecordSets".to_owned(),
            reads: false,
        };
        let signals = Signals::default();
        let (deeds, others) = ([("alice", "A", None), ("bob", "A", Some("blue"))], [("Z2", "A"), ("Z1", "AAAA")]);
        for (id, (actor, kind, set)) in (1..).zip(deeds) {
            deliver(&signals, Signal { deed: Some(by(actor)), ..signal(id, record("Z1", kind, set), 10) }, 11);
        }
        for (id, (zone, kind)) in (10..).zip(others) {
            deliver(&signals, Signal { deed: Some(by("mallory")), ..signal(id, record(zone, kind, None), 10) }, 11);
        }
        let scope = |region: &str| Scope { region: region.parse().unwrap(), ..stack(0).scope };
        let culprit = |set: Option<&str>, second: i64| {
            let of = RecordsOf { name: DnsName::new("*.example.com"), kind: "A".to_owned() };
            let (zone, set) = ("Z1".parse().unwrap(), set.map(str::to_owned));
            // Route 53 tells in one region what is done in all.
            let place = RecordPlace { scope: scope("eu-west-1"), zone, of, set };
            signals.culprit_of_record(&place, Timestamp::from_second(second).unwrap()).map(|deed| deed.actor)
        };
        assert_eq!(culprit(None, 20).as_deref(), Some("alice"));
        assert_eq!(culprit(Some("blue"), 20).as_deref(), Some("bob"));
        assert_eq!(culprit(Some("green"), 20), None);
        assert_eq!(culprit(None, 10_000), None, "too long ago to be its doing");
    }

    #[test]
    fn a_secret_is_meant_by_its_name_or_its_arn() {
        let arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:dev/key-AbCdEf";
        assert!(is_secret("dev/key", "dev/key") && is_secret(arn, "dev/key"));
        assert!(!is_secret(arn, "dev/k") && !is_secret(arn, "dev/key-Ab") && !is_secret("dev/key2", "dev/key"));
    }
}
