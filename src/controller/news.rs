//! What events are news of, for one environment, and how soon it looks because of them.
//!
//! An event makes facts stale, and nothing else. One about a fact that was read after what it tells of is no news: so
//! repeated and late ones cost nothing, and neither do those that our own steps cause and that were looked at already.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Controller;
use super::freshness::Moving;
use super::signals::{News, is_secret};
use crate::model::{
    AccountId, Address, BackupNeed, CheckNeed, Environment, Need, Observation, RecordNeed, Scope, SecretNeed,
    ServiceNeed, Signal, StackAddress, Subject,
};
use crate::observe::global_region;

/// A read that was sent so long after what an event tells of has seen it.
const SHOWN: SignedDuration = SignedDuration::from_secs(2);

/// So long it is waited for events that come together.
const GATHER: Duration = Duration::from_millis(50);

/// How often the same thing is looked at because of events, at most.
const THING: Duration = Duration::from_secs(5);

/// How often an environment is looked at because of events, at most.
const ENVIRONMENT: Duration = Duration::from_secs(1);

/// How often everything is looked at because more has happened than is held, at most.
const SWEEP: Duration = Duration::from_mins(1);

/// Things that wait to be looked at because of events. Where there are more, everything is looked at.
const HELD: usize = 1000;

/// What an event is about, and where that is.
type Thing = (Scope, Subject);

/// What one tender has heard.
#[derive(Debug, Default)]
pub(super) struct Ear {
    /// The number of the next event.
    next: u64,
    /// What is to be looked at: since when, and when the last event says that something happened.
    held: BTreeMap<Thing, (Duration, Timestamp)>,
    /// When it was last looked at because of events.
    looked: BTreeMap<Thing, Duration>,
    last: Option<Duration>,
    /// Resources of which something was changed by somebody.
    touched: BTreeSet<(Scope, String)>,
    /// More has happened than is held, and everything has not been looked at since.
    overflown: bool,
    /// When everything was last looked at because of that.
    swept: Option<Duration>,
}

/// Why a tender looks.
#[derive(Debug)]
pub(super) enum Heard {
    /// Something has happened to these.
    Things(Vec<(Thing, Timestamp)>),
    /// Somebody has changed resources that may belong to stacks.
    Touched,
    /// More has happened than can be told, or whether events arrive is another thing than before.
    Unsure,
}

impl Ear {
    /// An ear that hears what comes from now on.
    pub(super) fn new(controller: &Controller) -> Self {
        Self { next: controller.signals.next(), ..Self::default() }
    }

    /// Completes when something is to be looked at. May be dropped at any moment: nothing that was heard is lost.
    pub(super) async fn hear(
        &mut self,
        controller: &Controller,
        environment: &Environment,
        seen: &Observation,
    ) -> Heard {
        let heard = controller.signals.heard(controller.cx.elapsed());
        let relied = are_heard(&heard, environment, seen);
        loop {
            let mut arrived = std::pin::pin!(controller.signals.arrived());
            arrived.as_mut().enable();
            if !self.take(controller, environment, seen) {
                self.held.clear();
                self.touched.clear();
                self.overflown = true;
            }
            let now = controller.cx.elapsed();
            let heard_now = controller.signals.heard(now);
            let is_other = heard_now != heard && are_heard(&heard_now, environment, seen) != relied;
            if is_other || (self.overflown && self.may_sweep() <= now) {
                self.overflown = false;
                self.swept = Some(now);
                return Heard::Unsure;
            }
            if !self.touched.is_empty() {
                return Heard::Touched;
            }
            let due = self.held.iter().map(|(thing, (since, _))| self.due(thing, *since));
            let sweep = self.overflown.then(|| self.may_sweep());
            let Some(due) = due.chain(sweep).min() else {
                arrived.await;
                continue;
            };
            if due <= now {
                return Heard::Things(self.look(now));
            }
            tokio::select! {
                biased;
                () = arrived => {}
                () = controller.cx.sleep(due.saturating_sub(now)) => {}
            }
        }
    }

    /// The resources of which something was changed.
    pub(super) fn touched(&mut self) -> BTreeSet<(Scope, String)> {
        std::mem::take(&mut self.touched)
    }

    /// Takes in what has arrived. False if that is more than was kept.
    fn take(&mut self, controller: &Controller, environment: &Environment, seen: &Observation) -> bool {
        let (news, next) = controller.signals.since(self.next);
        self.next = next;
        let News::Signals(signals) = news else { return false };
        if signals.is_empty() {
            return true;
        }
        let (now, elapsed) = (controller.cx.now(), controller.cx.elapsed());
        // All accounts share a queue, and facts are many: what is of no account of ours is held against none of them.
        let accounts = accounts(environment, seen);
        for signal in signals.iter().filter(|signal| accounts.contains(&signal.scope.account)) {
            // Nothing happens later than now, whatever an event says.
            let at = signal.at.min(now);
            for subject in &signal.about {
                if is_news(signal, subject, at, environment, seen) {
                    let thing = (signal.scope.clone(), subject.clone());
                    let held = self.held.entry(thing).or_insert((elapsed, at));
                    held.1 = held.1.max(at);
                }
            }
            let mut names = signal.about.iter().filter_map(|subject| may_belong_to_a_stack(signal, subject)).peekable();
            let is_own = |subject| is_own(signal, subject, environment, seen);
            // Who changes what an environment has for itself is seen by reading that.
            if names.peek().is_some() && !signal.about.iter().any(is_own) {
                self.touched.extend(names.map(|name| (signal.scope.clone(), name.to_owned())));
            }
        }
        self.held.len() <= HELD && self.touched.len() <= HELD
    }

    /// When everything may be looked at again because more has happened than is held.
    fn may_sweep(&self) -> Duration {
        self.swept.map_or(Duration::ZERO, |at| at.saturating_add(SWEEP))
    }

    fn due(&self, thing: &Thing, since: Duration) -> Duration {
        let again = self.looked.get(thing).map_or(Duration::ZERO, |at| at.saturating_add(THING));
        let last = self.last.map_or(Duration::ZERO, |at| at.saturating_add(ENVIRONMENT));
        since.saturating_add(GATHER).max(again).max(last)
    }

    /// What is to be looked at now.
    fn look(&mut self, now: Duration) -> Vec<(Thing, Timestamp)> {
        let held = std::mem::take(&mut self.held);
        let (due, later): (Vec<_>, Vec<_>) =
            held.into_iter().partition(|(thing, (since, _))| self.due(thing, *since) <= now);
        self.held = later.into_iter().collect();
        self.looked.retain(|_, at| now.saturating_sub(*at) < THING);
        self.looked.extend(due.iter().map(|(thing, _)| (thing.clone(), now)));
        self.last = Some(now);
        due.into_iter().map(|(thing, (_, at))| (thing, at)).collect()
    }
}

/// Events of everything that an environment has arrive.
pub(super) fn is_heard(controller: &Controller, environment: &Environment, seen: &Observation) -> bool {
    are_heard(&controller.signals.heard(controller.cx.elapsed()), environment, seen)
}

/// The accounts that events of an environment come from: those of its objects, and of whatever was read for it.
fn accounts<'e>(environment: &'e Environment, seen: &'e Observation) -> BTreeSet<&'e AccountId> {
    let stacks = environment.stacks.values().map(|spec| &spec.scope.account);
    let secrets = environment.secrets.values().map(|spec| &spec.scope.account);
    let found = seen.stacks.keys().map(|address| &address.scope.account);
    let read = seen.read.keys().filter_map(told_from);
    stacks.chain(secrets).chain(found).chain(read).collect()
}

/// The account that events about a fact come from; `None`: no event tells of it.
fn told_from(need: &Need) -> Option<&AccountId> {
    let scope = match need {
        Need::Stack(need) => &need.stack()?.scope,
        Need::Service(ServiceNeed::Images(of, repository)) => {
            return Some(repository.registry.as_ref().unwrap_or(&of.account));
        }
        Need::Secret(SecretNeed::Describe(Address { scope, .. })) | Need::Check(CheckNeed::Alarm { scope, .. }) => {
            scope
        }
        Need::Service(
            ServiceNeed::Service(of, _)
            | ServiceNeed::Deployments(of, ..)
            | ServiceNeed::Tasks(of, _)
            | ServiceNeed::Targets(of, _),
        )
        | Need::Record(RecordNeed::Sets(of, ..) | RecordNeed::Claims(of, _) | RecordNeed::Zones(of, _))
        | Need::Backup(
            BackupNeed::Table(of, _)
            | BackupNeed::Tags(of, _)
            | BackupNeed::Tables(of)
            | BackupNeed::Points(of)
            | BackupNeed::Vault(of, ..),
        ) => of,
        _ => return None,
    };
    Some(&scope.account)
}

/// The accounts and regions that events of an environment come from are among those that are heard: those of its objects and of
/// the registries that its images are in, and the one in which Route 53 tells what is done.
fn are_heard(heard: &BTreeSet<Scope>, environment: &Environment, seen: &Observation) -> bool {
    // Most daemons have no queue, and facts are many.
    if heard.is_empty() {
        return false;
    }
    let stacks = environment.stacks.values().map(|spec| &spec.scope);
    let services = environment.services.values().map(|spec| &spec.scope);
    let secrets = environment.secrets.values().map(|spec| &spec.scope);
    let backups = environment.backups.values().map(|spec| &spec.scope);
    let mut objects = stacks.chain(services).chain(secrets).chain(backups).chain([&environment.scope]);
    let mut records = environment.records.values().filter_map(|spec| {
        let region = global_region(&spec.scope.region)?;
        Some(Scope { account: spec.scope.account.clone(), region })
    });
    let mut registries = seen.read.keys().filter_map(|need| match need {
        Need::Service(ServiceNeed::Images(of, repository)) => {
            let account = repository.registry.clone().unwrap_or_else(|| of.account.clone());
            Some(Scope { account, region: of.region.clone() })
        }
        _ => None,
    });
    objects.all(|scope| heard.contains(scope))
        && records.all(|scope| heard.contains(&scope))
        && registries.all(|scope| heard.contains(&scope))
}

/// What of an observation is stale because of what was heard.
pub(super) fn named(things: Vec<(Thing, Timestamp)>, environment: &Environment, seen: &mut Observation) -> Moving {
    let mut moving = Moving::default();
    for ((scope, subject), at) in things {
        match &subject {
            Subject::Stack(name) => moving.add_stack(stack(&scope, name)),
            Subject::Secret(name) => {
                let named = environment.secrets.values().map(|spec| spec.address());
                for address in named.filter(|address| address.scope == scope && is_secret(name, &address.name)) {
                    seen.secrets.changed.insert(address, at);
                }
            }
            _ => {}
        }
        let read = seen.read.iter();
        let stale = read.filter(|(need, read)| concerns(&subject, &scope, need) && !has_seen(**read, at));
        moving.add_facts(stale.map(|(need, _)| need.clone()));
    }
    moving
}

/// Whether a read that was sent then has seen what happened then.
fn has_seen(read: Timestamp, at: Timestamp) -> bool {
    read.duration_since(at) > SHOWN
}

fn stack(scope: &Scope, name: &str) -> Option<StackAddress> {
    Some(StackAddress { scope: scope.clone(), name: name.parse().ok()? })
}

/// Whether an event is news for an environment.
fn is_news(signal: &Signal, subject: &Subject, at: Timestamp, environment: &Environment, seen: &Observation) -> bool {
    let scope = &signal.scope;
    match subject {
        // Of a record its zone says it all.
        Subject::Heartbeat | Subject::Resource(_) | Subject::Record { .. } => false,
        Subject::Stack(name) => stack(scope, name).is_some_and(|address| {
            let known =
                seen.stacks.contains_key(&address) || environment.stacks.values().any(|spec| spec.address() == address);
            known && !has_seen(seen.read_at(&address), at)
        }),
        Subject::Secret(name) => environment.secrets.values().any(|spec| {
            let address = spec.address();
            let described = seen.read.get(&SecretNeed::Describe(address.clone()).into());
            address.scope == *scope
                && is_secret(name, &address.name)
                && described.is_none_or(|read| !has_seen(*read, at))
        }),
        subject => seen.read.iter().any(|(need, read)| concerns(subject, scope, need) && !has_seen(*read, at)),
    }
}

/// Whether an event is about something that is read by itself, and not as a resource of a stack.
fn is_own(signal: &Signal, subject: &Subject, environment: &Environment, seen: &Observation) -> bool {
    // As if it had happened at the end of days: whatever was read does not show it.
    !matches!(subject, Subject::Stack(_)) && is_news(signal, subject, Timestamp::MAX, environment, seen)
}

/// Whether a fact is about what an event names. What events do not tell of is no fact of theirs.
fn concerns(subject: &Subject, scope: &Scope, need: &Need) -> bool {
    match (subject, need) {
        (Subject::Stack(name), Need::Stack(need)) => {
            need.stack().is_some_and(|address| address.scope == *scope && address.name.as_str() == name)
        }
        (Subject::Service { cluster, service }, Need::Service(need)) => match need {
            ServiceNeed::Service(of, named)
            | ServiceNeed::Deployments(of, named, _)
            | ServiceNeed::Tasks(of, named) => of == scope && named.to_string() == format!("{cluster}/{service}"),
            ServiceNeed::Targets(of, _) => of == scope,
            _ => false,
        },
        (Subject::Alarm(name), Need::Check(CheckNeed::Alarm { scope: of, name: named })) => {
            of == scope && named == name
        }
        (Subject::Repository(name), Need::Service(ServiceNeed::Images(of, repository))) => {
            let account = repository.registry.as_ref().unwrap_or(&of.account);
            *account == scope.account && of.region == scope.region && repository.name == *name
        }
        (Subject::Secret(name), Need::Secret(SecretNeed::Describe(Address { scope: of, name: named }))) => {
            of == scope && is_secret(name, named)
        }
        // Route 53 is one for all regions.
        (Subject::Zone(id), Need::Record(RecordNeed::Sets(of, zone, _) | RecordNeed::Claims(of, zone))) => {
            of.account == scope.account && zone.as_str() == id
        }
        (Subject::Zone(_), Need::Record(RecordNeed::Zones(of, _))) => of.account == scope.account,
        (Subject::Table(name), Need::Backup(BackupNeed::Table(of, table) | BackupNeed::Tags(of, table))) => {
            of == scope && table.as_str() == name
        }
        (Subject::Table(_), Need::Backup(BackupNeed::Tables(of)))
        | (Subject::Backup(_), Need::Backup(BackupNeed::Points(of) | BackupNeed::Vault(of, ..))) => of == scope,
        _ => false,
    }
}

/// The name of a resource that somebody has changed, unless `CloudFormation` did: that is the operation of a stack, which
/// says so itself.
fn may_belong_to_a_stack<'s>(signal: &'s Signal, subject: &'s Subject) -> Option<&'s str> {
    let Subject::Resource(name) = subject else { return None };
    let deed = signal.deed.as_ref()?;
    let by_stack = deed.from.as_deref().is_some_and(|from| from == "cloudformation.amazonaws.com");
    (!by_stack && !deed.reads).then_some(name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Deed, Repository, ServiceRef};

    fn scope(region: &str) -> Scope {
        Scope { account: "111122223333".parse().unwrap(), region: region.parse().unwrap() }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_event_concerns_what_it_names_where_it_is_from() {
        let here = scope("eu-west-1");
        let service = ServiceRef {
            cluster: "arn:aws:ecs:eu-west-1:111122223333:cluster/shop".to_owned(),
            service: "web".to_owned(),
        };
        let images = |registry: Option<&str>| {
            let registry = registry.map(|account| account.parse().unwrap());
            Need::from(ServiceNeed::Images(here.clone(), Repository { registry, name: "app".to_owned() }))
        };
        let alarm = |name: &str| Need::from(CheckNeed::Alarm { scope: here.clone(), name: name.to_owned() });
        let zone = Need::from(RecordNeed::Claims(here.clone(), "Z0".parse().unwrap()));
        let table = Need::from(BackupNeed::Table(here.clone(), "items".parse().unwrap()));
        let named = Subject::Service { cluster: "shop".to_owned(), service: "web".to_owned() };
        let repository = Subject::Repository("app".to_owned());
        let concerned = [
            (&named, "eu-west-1", ServiceNeed::Tasks(here.clone(), service.clone()).into(), true),
            (&named, "eu-west-2", ServiceNeed::Tasks(here.clone(), service).into(), false),
            (&Subject::Alarm("errors".to_owned()), "eu-west-1", alarm("errors"), true),
            (&Subject::Alarm("errors".to_owned()), "eu-west-1", alarm("latency"), false),
            (&repository, "eu-west-1", images(None), true),
            (&repository, "eu-west-1", images(Some("444455556666")), false),
            // Route 53 tells in one region what is done in all.
            (&Subject::Zone("Z0".to_owned()), "us-east-1", zone.clone(), true),
            (&Subject::Zone("Z1".to_owned()), "us-east-1", zone, false),
            (&Subject::Table("items".to_owned()), "eu-west-1", table.clone(), true),
            (&Subject::Backup("items".to_owned()), "eu-west-1", table, false),
            (&Subject::Backup("items".to_owned()), "eu-west-1", BackupNeed::Points(here.clone()).into(), true),
        ];
        for (subject, region, need, concerns) in concerned {
            let here = scope(region);
            assert_eq!(super::concerns(subject, &here, &need), concerns, "{subject} in {region}: {need:?}");
            assert!(!concerns || told_from(&need) == Some(&here.account), "{need:?} is passed over");
        }
    }

    #[test]
    fn a_fact_that_was_read_after_an_event_has_seen_it() {
        assert!(!has_seen(at(10), at(11)) && !has_seen(at(10), at(9)) && has_seen(at(10), at(7)));
    }

    #[test]
    fn what_cloudformation_does_is_the_operation_of_a_stack() {
        let by = |from: &str, reads| {
            let deed = Deed {
                id: "1".to_owned(),
                at: at(0),
                actor: "somebody".to_owned(),
                from: Some(from.to_owned()),
                call: "PutRolePolicy".to_owned(),
                reads,
            };
            Signal { id: "1".to_owned(), at: at(0), scope: scope("us-east-1"), about: Vec::new(), deed: Some(deed) }
        };
        let role = Subject::Resource("role".to_owned());
        assert_eq!(may_belong_to_a_stack(&by("203.0.113.7", false), &role), Some("role"));
        assert_eq!(may_belong_to_a_stack(&by("203.0.113.7", true), &role), None);
        assert_eq!(may_belong_to_a_stack(&by("cloudformation.amazonaws.com", false), &role), None);
    }
}
