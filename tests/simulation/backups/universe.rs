//! The planner over a small universe of one table and its recovery points, completely: every combination of what is wanted,
//! seen and remembered. What it must never do is looked for in every plan (S4, S9, S10, S11, S15, P1, P2, P5).

mod small;

use landfast::model::{
    Act as _, BackupDo, BackupNeed, Billing, ContinuousBackups, Desired, Do, Entry, ExpirePoint, FingerprintKey,
    KeyType, Memory, Need, Objects, Observation, PendingBackup, Plan, PointId, PointKeeper, PointMemory, PointStatus,
    PointsListed, ProfileSeen, RecoveryPoint, Region, RestoreDo, Revision, SLOT_TAG, Seen, TEST_PREFIX, TableClass,
    TableKey, TableMemory, TableProfile, TableSeen, TableState, TableStatus, TestedPoint, Unknown, VaultName,
    VerifySpec,
};
use landfast::plan::{self, Input};

use super::*;

use small::Small;

const NAME: &str = "dev-Users";
/// Nightly points at three in Berlin, which is two.
const TODAY: &str = "2026-03-10T02:00:00Z";

fn now() -> Timestamp {
    "2026-03-10T12:00:00Z".parse().unwrap()
}

fn ago(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

fn slot(days_ago: i64) -> Timestamp {
    TODAY.parse::<Timestamp>().unwrap() - SignedDuration::from_hours(24 * days_ago)
}

fn west() -> Region {
    "us-west-2".parse().unwrap()
}

fn vault() -> VaultName {
    "landfast".parse().unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    OnDemand,
    Copied,
    Tested,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum There {
    Unread,
    Unknown,
    Absent,
    Creating,
    Bare,
    /// Its history goes back further than is asked for.
    Longer,
    AsWanted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Points {
    Unread,
    Unknown,
    /// There is no such vault.
    Absent,
    None,
    Old,
    Today,
    /// Of seven days.
    Many,
    /// Of seven days, and today's is not there.
    Behind,
    /// Of seven days, and another policy's.
    Foreign,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remembered {
    Nothing,
    /// Today's was begun.
    Begun,
    /// It was begun so long ago that a listing would show it.
    BegunLongAgo,
    /// The oldest was deleted just now.
    Deleted,
    /// The oldest is proven.
    Proven,
    /// Today's has settings that are in the journal alone.
    Settings,
    /// All of them were made by us: only those count against each other.
    All,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    wanted: Wanted,
    there: There,
    points: Points,
    copies: Points,
    remembered: Remembered,
    profile: bool,
    mode: Mode,
}

fn wanted(case: Case) -> BackupSpec {
    let vaulted = case.wanted == Wanted::Copied;
    let role = Text::literal("arn:aws:iam::111122223333:role/backup");
    let verify = VerifySpec { every: DAY * 30, sample: 10, point: TestedPoint::Newest, tolerance_milli: 100 };
    BackupSpec {
        vault: vaulted.then(|| VaultSpec { name: vault(), role }),
        copy_to: vaulted.then(|| (west(), vault())).into_iter().collect(),
        verify: (case.wanted == Wanted::Tested).then_some(verify),
        retention: Some(Retention { last: 2, daily: 4, weekly: 1, monthly: 1, min_age: DAY, keep_verified: 1 }),
        ..spec()
    }
}

fn universe() -> Vec<Case> {
    let all = [
        Points::Unread,
        Points::Unknown,
        Points::Absent,
        Points::None,
        Points::Old,
        Points::Today,
        Points::Many,
        Points::Behind,
        Points::Foreign,
    ];
    let theres =
        [There::Unread, There::Unknown, There::Absent, There::Creating, There::Bare, There::Longer, There::AsWanted];
    let memories = [
        Remembered::Nothing,
        Remembered::Begun,
        Remembered::BegunLongAgo,
        Remembered::Deleted,
        Remembered::Proven,
        Remembered::Settings,
        Remembered::All,
    ];
    let mut cases = Vec::new();
    for wanted in [Wanted::OnDemand, Wanted::Copied, Wanted::Tested] {
        let copied: &[Points] = match wanted {
            Wanted::Copied => &[Points::Unknown, Points::Absent, Points::None, Points::Many, Points::Behind],
            _ => &[Points::None],
        };
        for there in theres {
            for points in all {
                for copies in copied.iter().copied() {
                    for remembered in memories {
                        for profile in [false, true] {
                            for mode in [Mode::Apply, Mode::Approve, Mode::Observe] {
                                cases.push(Case { wanted, there, points, copies, remembered, profile, mode });
                            }
                        }
                    }
                }
            }
        }
    }
    cases
}

fn step(entry: &Entry) -> Option<&BackupDo> {
    match &entry.step.as_ref()?.action {
        Do::Backup(step) => Some(&step.action),
        other => panic!("{other:?}"),
    }
}

/// What must never be, whatever the case.
fn safe(case: Case, small: &Small, action: &BackupDo) {
    let can_be_seen = matches!(case.there, There::Bare | There::Longer | There::AsWanted);
    let unlisted = |points| matches!(points, Points::Unread | Points::Unknown | Points::Absent);
    let lists_all = !unlisted(case.points) && (case.wanted != Wanted::Copied || !unlisted(case.copies));
    assert!(case.mode != Mode::Observe || matches!(action, BackupDo::Note(_)), "S11");
    assert!(can_be_seen || matches!(action, BackupDo::Note(_)), "S10: the table");
    match action {
        BackupDo::Note(_) => {}
        BackupDo::Recover(list) => {
            assert!(case.mode == Mode::Apply && case.there != There::AsWanted);
            assert!(list.iter().all(|one| one.from.is_none_or(|from| from < one.to)), "S4");
        }
        BackupDo::Protect(_) => assert!(case.mode == Mode::Apply && case.there == There::Bare),
        BackupDo::Make(list) => {
            assert_eq!(list.len(), 1, "S9");
            let home = small.points().into_iter().filter(|point| point.id.region().as_ref() == Some(&scope().region));
            let mut mine = home.filter(|point| !point.id.as_str().contains("theirs"));
            let has = mine.any(|point| point.created >= list[0].slot);
            // An answer that was lost is asked for again with its token: it is the same request.
            let again = case.wanted == Wanted::Copied
                && matches!(case.remembered, Remembered::Begun | Remembered::BegunLongAgo);
            assert!(lists_all && (case.profile || again), "S10");
            assert!(again || !has, "S9: the slot has its point");
            let begun = case.wanted != Wanted::Copied && case.remembered == Remembered::Begun;
            assert!(!begun, "S9: it was begun");
            assert!(!again || list[0].way.name() == "token", "S9: another token");
        }
        BackupDo::Copy(_) => assert!(lists_all && case.wanted == Wanted::Copied, "S10"),
        BackupDo::Keep(list) => {
            assert!(case.remembered == Remembered::Settings && lists_all);
            assert!(list.iter().all(|one| one.settings.is_some() == small.points().iter().any(|p| p.id == one.point)));
        }
        BackupDo::Expire(list) => {
            assert!(lists_all && case.mode == Mode::Apply, "S10, S11");
            for one in list {
                may_go(case, small, one);
            }
        }
        BackupDo::Restore(list) => {
            assert_eq!(case.wanted, Wanted::Tested);
            let begins = |to: &TableName, action: &RestoreDo| {
                matches!(action, RestoreDo::Begin(_)) && to.as_str().starts_with(TEST_PREFIX)
            };
            assert!(list.len() == 1 && list.iter().all(|one| begins(&one.to, &one.action)), "S15");
        }
    }
}

/// S15: it is ours, old enough, not deleted already; and beside it are a newer one, and the newest that is proven.
fn may_go(case: Case, small: &Small, going: &ExpirePoint) {
    let points = small.points();
    let point = points.iter().find(|point| point.id == going.point).expect("S10: it is listed");
    assert!(!point.id.as_str().contains("theirs"), "S1");
    assert!(now().duration_since(point.created) >= SignedDuration::from_hours(24), "S15: too young");
    let home = |id: &PointId| id.region();
    let newer = |other: &&&RecoveryPoint| other.created > point.created && home(&other.id) == home(&point.id);
    assert!(points.iter().any(|other| newer(&other)), "S15: the newest");
    let oldest = point.id.as_str().contains("0006-tables");
    let of_memory = home(&point.id).as_ref() == Some(&scope().region);
    assert!(!(oldest && of_memory && case.remembered == Remembered::Proven), "S15: it is the one that is proven");
    assert!(!(oldest && of_memory && case.remembered == Remembered::Deleted), "S9: it was deleted just now");
}

#[test]
fn every_state_of_a_small_universe_of_backups_has_one_safe_plan() {
    let cases = universe();
    let mut taken: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (number, case) in cases.iter().copied().enumerate() {
        let mut small = Small::new(case);
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            // P2: whatever is done comes to an end, and the plan after it is empty.
            for round in 0..20 {
                let (plan, faults) = small.plan();
                assert!(faults.is_empty(), "P5: {faults:?}");
                // P1, on a sample.
                assert!(number % 64 != 0 || format!("{plan:?}") == format!("{:?}", small.plan().0), "P1");
                let entry = &plan.entries[&key()];
                let Some(action) = step(entry) else { return };
                if round == 0 {
                    safe(case, &small, action);
                }
                *taken.entry(entry.step.as_ref().unwrap().action.verb()).or_default() += 1;
                if !small.apply(action) {
                    return;
                }
            }
            panic!("P2: there is no end to it");
        }));
        if told.is_err() {
            wrong.push(format!("{case:?}"));
        }
    }
    println!("{} plans: {taken:?}", cases.len());
    let shown = wrong.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of them break a rule:\n{shown}", wrong.len());
    // The universe reaches what it is about.
    for verb in ["recover", "protect", "back-up", "restore", "copy", "keep-settings", "expire", "note"] {
        assert!(taken.contains_key(verb), "{verb}: {taken:?}");
    }
}
