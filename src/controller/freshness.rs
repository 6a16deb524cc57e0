//! What of an earlier look is still good.
//!
//! A fact is the answer to a [`Need`]: that is its address, and when it was asked for is its age. [`lasts`] is the table of
//! what ends it, for each kind of fact, and the only place that says so. What is not good any more is dropped, and asked
//! for again by whoever needs it: the observer reads the stacks, and [`plan::needs`](crate::plan::needs) says what matters
//! beside them.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{
    Address, BackupNeed, Do, Entry, Key, Kind, Need, Observation, Plan, SecretNeed, ServiceNeed, ServiceRef,
    StackAddress, StackNeed, Step, TableName, Waiting,
};

/// How old what a registry listed may be while a service is waited for: nobody's push is that urgent, and a first
/// deployment takes half an hour.
const IMAGES: Duration = Duration::from_secs(15);

/// A check that has held so recently is not asked again while operations are followed, every few seconds.
const CHECK: Duration = Duration::from_secs(30);

/// Tables that are read again although nothing says that they have changed, in each look at everything: a thousand are
/// looked at once in an hour.
const TABLES: usize = 100;

/// What ends a fact, beside a look at everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lasts {
    /// The look that asked for it.
    ThisLook,
    /// What it is about moves.
    AtRest,
    /// This age, while what it is about moves.
    Aged(Duration),
    /// This age.
    For(Duration),
    /// Nothing.
    Unmoved,
    /// What it is about moves; a look at everything reads only those again that were read longest ago.
    InTurns,
}

/// Every kind of fact, and how long it lasts. An answer that is not settled lasts for the look that asked for it.
const fn lasts(need: &Need) -> Lasts {
    match need {
        Need::Stack(need) => match need {
            StackNeed::Listing(_)
            | StackNeed::Stack(_)
            | StackNeed::Template(..)
            | StackNeed::Text(..)
            | StackNeed::StackPolicy(..)
            | StackNeed::ChangeSets(..)
            | StackNeed::Making(..)
            | StackNeed::Importers(..)
            | StackNeed::Backup(..)
            | StackNeed::Contents(..)
            | StackNeed::Events(..) => Lasts::AtRest,
            StackNeed::Deleted(_) | StackNeed::Gone(..) | StackNeed::Conclusion(..) | StackNeed::Bucket(..) => {
                Lasts::ThisLook
            }
        },
        Need::Service(need) => match need {
            ServiceNeed::Service(..)
            | ServiceNeed::Deployments(..)
            | ServiceNeed::Tasks(..)
            | ServiceNeed::Targets(..)
            | ServiceNeed::Log(..) => Lasts::AtRest,
            ServiceNeed::Images(..) => Lasts::Aged(IMAGES),
            // A digest, and a revision: what they name never changes.
            ServiceNeed::Platforms(..) | ServiceNeed::TaskDefinition(..) => Lasts::Unmoved,
        },
        Need::Secret(need) => match need {
            // A listing may be five minutes behind. So whatever was touched is asked for by name, every time.
            SecretNeed::Listing(_) => Lasts::Unmoved,
            SecretNeed::Describe(_) | SecretNeed::Policy(..) | SecretNeed::Value(..) => Lasts::ThisLook,
        },
        Need::Record(_) => Lasts::AtRest,
        Need::Backup(need) => match need {
            BackupNeed::Tables(_) | BackupNeed::OfStack(..) | BackupNeed::Tags(..) => Lasts::Unmoved,
            BackupNeed::Points(_) | BackupNeed::Vault(..) => Lasts::AtRest,
            BackupNeed::Table(..) => Lasts::InTurns,
            BackupNeed::Job(..)
            | BackupNeed::CopyJob(..)
            | BackupNeed::RestoreJob(..)
            | BackupNeed::Profile(..)
            | BackupNeed::Compare(..)
            | BackupNeed::Count(..)
            | BackupNeed::Point(..)
            | BackupNeed::Settings(..)
            | BackupNeed::Metadata(..) => Lasts::ThisLook,
        },
        Need::Check(_) => Lasts::For(CHECK),
        Need::Stored(..) => Lasts::ThisLook,
    }
}

/// What an observation is used again for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// Steps have landed, and what they have begun is remembered: only what is about them is asked for again.
    Planned,
    /// Something moves, and is looked at again.
    Followed,
    /// Everything is looked at again.
    Everything,
}

/// What moves: it has a step, waits for something that AWS does, or was named.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "what is read all at once moves all at once")]
pub(super) struct Moving {
    objects: BTreeSet<Key>,
    stacks: BTreeSet<StackAddress>,
    services: BTreeSet<Address>,
    records: bool,
    backups: bool,
    points: bool,
    tables: BTreeSet<TableName>,
    /// All stacks of all accounts and regions: reading each by its name is more than listing them.
    listed: bool,
    /// Facts that events have named.
    named: BTreeSet<Need>,
}

impl Moving {
    /// By a plan, and by the steps that are in the air. `pages` is what listing all stacks costs.
    pub(super) fn by(plan: &Plan, busy: &BTreeSet<Key>, pages: usize) -> Self {
        let mut moving = Self::default();
        for (key, entry) in &plan.entries {
            moving.add(key, entry, busy.contains(key));
        }
        moving.listed = moving.stacks.len() >= pages;
        moving
    }

    fn add(&mut self, key: &Key, entry: &Entry, busy: bool) {
        let acts = busy || entry.step.is_some();
        let unknown = entry.waiting.iter().any(|waiting| matches!(waiting, Waiting::Unknown { .. }));
        let moves = acts || entry.waiting.iter().any(moves);
        match key.kind {
            Kind::Stack if moves => self.stacks.extend(entry.address.as_stack()),
            // One that waits for anything at all may have moved: its stack, or somebody's push.
            Kind::Service if acts || !entry.waiting.is_empty() => {
                self.services.insert(entry.address.clone());
            }
            // Zones are few and their record sets come by the hundred: all of them are read again.
            Kind::DnsRecord => self.records |= moves,
            Kind::BackupPolicy => {
                self.backups |= acts || !entry.waiting.is_empty();
                self.points |= busy || unknown;
                if let Some(Do::Backup(step)) = entry.step.as_ref().map(|step| &step.action) {
                    self.points |= step.action.moves_points();
                    self.tables.extend(step.action.tables().into_iter().cloned());
                }
            }
            _ => {}
        }
    }

    /// A step has landed.
    pub(super) fn add_landed(&mut self, step: &Step) {
        self.objects.insert(step.key.clone());
        self.stacks.extend(step.address.as_stack());
    }

    /// An event is about a stack.
    pub(super) fn add_stack(&mut self, address: Option<StackAddress>) {
        self.stacks.extend(address);
    }

    /// Events are about what these facts say.
    pub(super) fn add_facts(&mut self, facts: impl IntoIterator<Item = Need>) {
        self.named.extend(facts);
    }

    /// And what another one has.
    pub(super) fn add_all(&mut self, other: Self) {
        let Self { objects, stacks, services, records, backups, points, tables, listed, named } = other;
        self.objects.extend(objects);
        self.stacks.extend(stacks);
        self.services.extend(services);
        self.records |= records;
        self.backups |= backups;
        self.points |= points;
        self.tables.extend(tables);
        self.listed |= listed;
        self.named.extend(named);
    }

    /// Nothing of it would be seen by looking again.
    pub(super) fn is_nothing(&self) -> bool {
        self.stacks.is_empty() && self.services.is_empty() && !self.records && !self.backups
    }

    /// Whether it is what a fact is about.
    fn has(&self, need: &Need) -> bool {
        self.named.contains(need) || self.has_object_of(need)
    }

    fn has_object_of(&self, need: &Need) -> bool {
        match need {
            Need::Stack(StackNeed::Listing(_)) => self.listed,
            Need::Stack(StackNeed::Conclusion(key, ..)) => self.objects.contains(key),
            Need::Stack(need) => need.stack().is_some_and(|address| self.listed || self.stacks.contains(address)),
            Need::Service(need) => match need {
                ServiceNeed::Service(scope, service)
                | ServiceNeed::Deployments(scope, service, _)
                | ServiceNeed::Tasks(scope, service) => {
                    let is = |address: &Address| address.scope == *scope && is_named(address, service);
                    self.services.iter().any(is)
                }
                _ => !self.services.is_empty(),
            },
            Need::Record(_) => self.records,
            Need::Backup(BackupNeed::Points(_) | BackupNeed::Vault(..)) => self.points,
            Need::Backup(BackupNeed::Table(_, table)) => self.tables.contains(table),
            Need::Backup(_) | Need::Secret(_) | Need::Check(_) | Need::Stored(..) => false,
        }
    }
}

fn is_named(address: &Address, service: &ServiceRef) -> bool {
    service.to_string() == *address.name
}

fn moves(waiting: &Waiting) -> bool {
    matches!(
        waiting,
        Waiting::Operation { .. }
            | Waiting::ChangeSet { .. }
            | Waiting::Unknown { .. }
            | Waiting::Readiness { .. }
            | Waiting::Propagation { .. }
    )
}

/// Drops what is not good any more.
pub(super) fn refresh(observation: &mut Observation, again: Again, moving: &Moving, now: Timestamp) {
    let everything = again == Again::Everything;
    let turn = if everything { next_in_turn(observation) } else { BTreeSet::new() };
    observation.forget(|need, at, settled| {
        let moves = moving.has(need);
        match again {
            // How a stack is says nothing yet of what was begun a moment ago.
            Again::Planned => moves && !matches!(need, Need::Stack(StackNeed::Stack(_))),
            Again::Followed | Again::Everything => {
                !settled
                    || moving.named.contains(need)
                    || match lasts(need) {
                        Lasts::ThisLook => true,
                        Lasts::AtRest => everything || moves,
                        Lasts::Aged(most) => everything || (moves && is_aged(at, most, now)),
                        Lasts::For(most) => everything || is_aged(at, most, now),
                        Lasts::Unmoved => everything,
                        Lasts::InTurns => moves || turn.contains(need),
                    }
            }
        }
    });
    if again != Again::Planned {
        // Those that nothing but the listing has shown, too; and those that it has not.
        let listed = moving.stacks.iter().filter(|address| observation.listings.contains_key(&address.scope));
        let listed: Vec<StackAddress> = listed.cloned().collect();
        observation.unread.extend(listed);
    }
}

/// Whether a plan may be carried out by what was seen. Where it acts, and a fact has come of age while others were read,
/// that is dropped, to be asked for once more.
pub(super) fn is_up_to_date(observation: &mut Observation, plan: &Plan, now: Timestamp) -> bool {
    let acts = |(key, entry): (&Key, &Entry)| matches!(key.kind, Kind::Stack | Kind::Service) && entry.step.is_some();
    if !plan.entries.iter().any(acts) {
        return true;
    }
    let mut any = false;
    observation.forget(|need, at, _| {
        let old = matches!(lasts(need), Lasts::Aged(most) if is_aged(at, most, now));
        any |= old;
        old
    });
    !any
}

fn is_aged(at: Timestamp, most: Duration, now: Timestamp) -> bool {
    // A clock that was set back makes everything old.
    Duration::try_from(now.duration_since(at)).map_or(true, |age| age >= most)
}

/// Of the facts that take turns, those that were read longest ago.
fn next_in_turn(observation: &Observation) -> BTreeSet<Need> {
    let mut all: Vec<_> = observation.read.iter().filter(|(need, _)| lasts(need) == Lasts::InTurns).collect();
    all.sort_by_key(|(_, at)| **at);
    all.into_iter().take(TABLES).map(|(need, _)| need.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fixtures::stack_state;
    use crate::model::{ObservedStack, Scope, Seen, StackStatus};

    fn scope() -> Scope {
        Scope { account: "111122223333".parse().unwrap(), region: "us-east-1".parse().unwrap() }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn address(name: &str) -> StackAddress {
        StackAddress { scope: scope(), name: name.parse().unwrap() }
    }

    fn table(name: &str) -> Need {
        BackupNeed::Table(scope(), name.parse().unwrap()).into()
    }

    fn repository() -> crate::model::Repository {
        crate::model::Repository { registry: None, name: "app".to_owned() }
    }

    /// Two stacks of a complete listing.
    fn listed() -> Observation {
        let mut observation = Observation::begun(at(0));
        observation.listings.insert(scope(), Ok(()));
        observation.read.insert(StackNeed::Listing(scope()).into(), at(0));
        for name in ["one", "two"] {
            let state = stack_state(name, StackStatus::CreateComplete);
            observation.stacks.insert(address(name), ObservedStack::listed(state));
        }
        observation
    }

    fn moving(name: &str) -> Moving {
        Moving { stacks: [address(name)].into(), ..Moving::default() }
    }

    #[test]
    fn what_moves_is_read_again_and_unknown_until_then_and_the_rest_is_good() {
        let mut seen = listed();
        refresh(&mut seen, Again::Followed, &moving("one"), at(5));
        assert_eq!(seen.unread, [address("one")].into());
        assert!(matches!(seen.stack(&address("one")), Seen::Unknown(_)));
        assert!(seen.stack(&address("two")).present().is_some());
        assert_eq!(seen.read_at(&address("two")), at(0));
    }

    #[test]
    fn a_stack_that_is_not_there_yet_is_read_again_too() {
        let mut seen = listed();
        refresh(&mut seen, Again::Followed, &moving("three"), at(5));
        assert_eq!(seen.unread, [address("three")].into());
    }

    #[test]
    fn a_listing_that_is_dropped_takes_everything_that_is_known_of_its_stacks() {
        let mut seen = listed();
        let (template, state): (Need, Need) = {
            let id = seen.stacks[&address("two")].state.id.clone();
            (StackNeed::Template(address("two"), id).into(), StackNeed::Stack(address("two")).into())
        };
        seen.read.extend([(template, at(1)), (state, at(1))]);
        refresh(&mut seen, Again::Everything, &Moving::default(), at(300));
        assert!(seen.read.is_empty() && seen.stacks.is_empty() && seen.listings.is_empty() && seen.unread.is_empty());
    }

    #[test]
    fn a_listing_that_failed_is_made_again_in_the_next_look() {
        let mut seen = listed();
        seen.listings.insert(scope(), Err(crate::model::Unknown::because("throttled")));
        refresh(&mut seen, Again::Followed, &Moving::default(), at(5));
        assert!(seen.listings.is_empty());
    }

    #[test]
    fn after_a_step_has_landed_only_what_is_about_it_is_asked_again() {
        let mut seen = listed();
        let ids: Vec<_> = ["one", "two"].map(|name| seen.stacks[&address(name)].state.id.clone()).into();
        let sets =
            |name: &str, id: &crate::model::StackId| StackNeed::ChangeSets(address(name), id.clone(), None).into();
        let (one, two): (Need, Need) = (sets("one", &ids[0]), sets("two", &ids[1]));
        seen.read.extend([(one.clone(), at(1)), (two.clone(), at(1))]);
        refresh(&mut seen, Again::Planned, &moving("one"), at(2));
        assert!(!seen.read.contains_key(&one) && seen.read.contains_key(&two));
        assert!(seen.unread.is_empty() && seen.stack(&address("one")).present().is_some());
    }

    #[test]
    fn tables_take_turns_and_those_that_move_do_not_wait_for_theirs() {
        let names: Vec<String> = (0..TABLES + 3).map(|index| format!("table-{index:03}")).collect();
        let mut seen = Observation::begun(at(0));
        seen.read.extend(names.iter().zip(0..).map(|(name, second)| (table(name), at(second))));
        let touched = names[TABLES + 1].parse().unwrap();
        let moving = Moving { tables: [touched].into(), ..Moving::default() };
        refresh(&mut seen, Again::Everything, &moving, at(1000));
        let left: Vec<&Need> = seen.read.keys().collect();
        assert_eq!(left, [&table(&names[TABLES]), &table(&names[TABLES + 2])]);
    }

    #[test]
    fn what_a_registry_has_is_asked_again_when_a_plan_acts_by_an_old_answer() {
        let images: Need = ServiceNeed::Images(scope(), repository()).into();
        let mut seen = Observation::begun(at(0));
        seen.read.insert(images.clone(), at(0));
        let services =
            Moving { services: [Address { scope: scope(), name: "c/s".into() }].into(), ..Moving::default() };
        refresh(&mut seen, Again::Followed, &services, at(14));
        assert!(seen.read.contains_key(&images));
        refresh(&mut seen, Again::Followed, &Moving::default(), at(100));
        assert!(seen.read.contains_key(&images), "nothing waits for it");
        refresh(&mut seen, Again::Followed, &services, at(15));
        assert!(!seen.read.contains_key(&images));
    }
}
