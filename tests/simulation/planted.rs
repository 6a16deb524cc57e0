//! A harness that cannot fail is worse than none: every planted bug must be found.

use std::collections::BTreeMap;

use landfast::sabotage::{Bug, plant};
use landfast::sim::{Fault, ResourceFailure, ResourceFault, ResourceOperation};

use crate::app::App;
use crate::fleet::{self, Fleet, Glitch, Policy, Prune, Unit};
use crate::run::play;
use crate::scenario::{Act, Edit, Event, Scenario};
use crate::seeds::report;

/// Each bug, the seeds within which it must be found, and the rules that may find it.
const BUGS: &[(Bug, u64, &[&str])] = &[
    (Bug::UnknownIsAbsent, 20, &["S10"]),
    (Bug::PruneOnEmpty, 10, &["S2"]),
    (Bug::NoSecondLook, 2, &["S5"]),
    (Bug::UnreadIsGone, 1, &["S25"]),
    (Bug::ConcludeByStatus, 1, &["L1"]),
    (Bug::JournalAfter, 2, &["O3"]),
    (Bug::RetryTerminal, 1, &["L7"]),
    (Bug::EdgeTriggered, 10, &["L1"]),
    (Bug::NoDeadline, 10, &["L1", "L6"]),
    (Bug::Unguarded, 20, &["S4"]),
    (Bug::TrustsNames, 20, &["S23", "S22"]),
    (Bug::ExistsIsOurs, 20, &["S23", "S22"]),
    (Bug::NoReadBack, 40, &["S22"]),
    (Bug::NewestObject, 20, &["S22", "L1"]),
    (Bug::TrustsTags, 20, &["S1"]),
    (Bug::NoFloor, 6, &["S26"]),
];

/// Bugs in what becomes of images, and the rule that must find them.
const OF_SERVICES: &[(Bug, &str)] = &[
    (Bug::GoesBack, "S14 images"),
    (Bug::ForgetsQuarantine, "S14 images"),
    (Bug::SteadyIsSuccess, "S14 proof"),
    (Bug::BakeIsHopeless, "S14 watched"),
    (Bug::HookIsHopeless, "S14 watched"),
];

/// Bugs in what becomes of drift, and the rule that must find them.
const OF_DRIFT: &[(Bug, &str)] = &[(Bug::AllIsBaseline, "L3 drift"), (Bug::FightsOn, "S21 fight")];

/// Bugs in what guards see, all of which lose what somebody would have been asked for.
const OF_GUARDS: [Bug; 3] = [Bug::NestedLeftOut, Bug::JudgedAsWritten, Bug::UnknownIsHarmless];

#[test]
fn every_planted_bug_of_what_guards_see_is_found() {
    for bug in OF_GUARDS {
        assert_eq!(crate::nested::play_planted(bug, false), Vec::<String>::new(), "without {bug:?}");
        let found = crate::nested::play_planted(bug, true);
        assert!(found.iter().any(|wrong| wrong.starts_with("S24 hidden")), "{bug:?} was not found: {found:?}");
        println!("{bug:?}: found: {}", found[0]);
    }
}

#[test]
fn every_planted_bug_of_drift_is_found() {
    for &(bug, rule) in OF_DRIFT {
        assert_eq!(crate::drift::play_planted(bug, false), Vec::<String>::new(), "without {bug:?}");
        let found = crate::drift::play_planted(bug, true);
        assert!(found.iter().any(|wrong| wrong.starts_with(rule)), "{bug:?} was not found: {found:?}");
        println!("{bug:?}: found: {}", found[0]);
    }
}

#[test]
fn every_planted_bug_of_services_is_found() {
    for &(bug, rule) in OF_SERVICES {
        let calm = crate::services::play_planted(bug, false);
        assert_eq!(calm, Vec::<String>::new(), "without {bug:?}");
        let found = crate::services::play_planted(bug, true);
        assert!(found.iter().any(|wrong| wrong.starts_with(rule)), "{bug:?} was not found: {found:?}");
        println!("{bug:?}: found: {}", found[0]);
    }
}

#[test]
fn a_restore_test_that_proves_anything_is_found() {
    assert_eq!(crate::restores::play_planted(None), Vec::<String>::new());
    let found = crate::restores::play_planted(Some(Bug::ProvesAnything));
    assert!(found.iter().any(|wrong| wrong.starts_with("S15 proof")), "{found:?}");
}

#[test]
fn a_table_that_is_deleted_with_what_is_in_it_is_found() {
    assert_eq!(crate::restores::in_place::play_planted(None), Vec::<String>::new());
    let found = crate::restores::in_place::play_planted(Some(Bug::DeletesUnseenItems));
    assert!(found.iter().any(|wrong| wrong.starts_with("S15 unseen")), "{found:?}");
}

#[test]
fn a_stack_that_is_made_again_empty_is_found() {
    assert_eq!(crate::deleted::play_planted(false), Vec::<String>::new());
    let found = crate::deleted::play_planted(true);
    assert!(found.iter().any(|wrong| wrong.starts_with("S4 state")), "{found:?}");
}

#[test]
fn a_rename_that_deletes_is_found() {
    assert_eq!(crate::moves::play_renamed(false), Vec::<String>::new());
    let found = crate::moves::play_renamed(true);
    assert!(found.iter().any(|wrong| wrong.starts_with("S25")), "{found:?}");
}

#[test]
fn an_export_that_is_made_before_it_is_given_up_is_found() {
    assert_eq!(crate::moves::play_exports(false), Vec::<String>::new());
    let found = crate::moves::play_exports(true);
    assert!(found.iter().any(|wrong| wrong.starts_with("L1 order")), "{found:?}");
}

#[test]
fn access_that_is_given_without_asking_is_found() {
    assert_eq!(crate::access::play_planted(None), Vec::<String>::new());
    let found = crate::access::play_planted(Some(Bug::BroadensUnasked));
    assert!(found.iter().any(|wrong| wrong.starts_with("S22 access")), "{found:?}");
}

#[test]
fn traffic_that_moves_by_itself_is_found() {
    for bug in [Bug::PublishesOnce, Bug::TrustsAnyHealthCheck] {
        assert_eq!(crate::traffic::play_planted(bug, false), Vec::<String>::new(), "without {bug:?}");
        let found = crate::traffic::play_planted(bug, true);
        assert!(found.iter().any(|wrong| wrong.starts_with("S17 moved")), "{bug:?}: {found:?}");
    }
}

#[test]
fn silence_that_is_taken_for_calm_is_found() {
    assert_eq!(crate::events::play_planted(None), Vec::<String>::new());
    let found = crate::events::play_planted(Some(Bug::SilenceIsCalm));
    assert!(found.iter().any(|wrong| wrong.starts_with("L3 silence")), "{found:?}");
}

#[test]
fn a_policy_that_is_compared_by_its_text_is_found() {
    let found = crate::secrets::play_planted(Some(Bug::PolicyByText));
    assert!(found.iter().any(|wrong| wrong.starts_with("L2")), "{found:?}");
}

#[test]
fn a_record_that_is_taken_over_from_another_program_is_found() {
    assert_eq!(crate::records::play_planted(None), Vec::<String>::new());
    let found = crate::records::play_planted(Some(Bug::IgnoresClaims));
    assert!(found.iter().any(|wrong| wrong.starts_with("S1 ownership")), "{found:?}");
}

#[test]
fn a_check_that_asks_any_server_is_found() {
    assert_eq!(crate::readiness::play_planted(false), Vec::<String>::new());
    let found = crate::readiness::play_planted(true);
    assert!(found.iter().any(|wrong| wrong.starts_with("S26 reach")), "{found:?}");
}

/// Whether a file that was sealed for `prod` is opened for `dev`.
fn opens_for_another(planted: bool) -> bool {
    use age::secrecy::ExposeSecret as _;
    use landfast::model::{Address, Binding, Redacted};
    use landfast::ports::{Identities, Unseal as _, seal_for};
    let identity = age::x25519::Identity::generate();
    let text = Redacted::new(identity.to_string().expose_secret().to_owned());
    let of = |environment: &str| Binding {
        environment: environment.parse().unwrap(),
        secret: Address { scope: crate::rig::scope(), name: "shop/app".into() },
    };
    let value = Redacted::new("canary".to_owned());
    let sealed = seal_for(&value, vec![of("prod")], &[identity.to_public().to_string()]).unwrap();
    plant(planted.then_some(Bug::OpensForAnybody));
    let opened = Identities::parse(&text).unwrap().unseal(&sealed, &of("dev"), true);
    plant(None);
    opened.is_ok()
}

#[test]
fn a_sealed_value_that_is_opened_for_anybody_is_found() {
    assert!(!opens_for_another(false));
    assert!(opens_for_another(true));
}

#[test]
fn a_freeze_that_is_only_looked_at_when_a_plan_is_made_is_found() {
    assert_eq!(crate::freezes::play_planted(None), Vec::<String>::new());
    let found = crate::freezes::play_planted(Some(Bug::FreezeIsAdvice));
    assert!(found.iter().any(|wrong| wrong.starts_with("S11 frozen")), "{found:?}");
}

#[test]
fn approvals_that_have_ended_count_twice_or_are_used_again_are_found() {
    assert_eq!(crate::approvals::play_planted(None), Vec::<String>::new());
    for (bug, words) in [
        (Bug::ApprovalIsForever, "ended during a freeze"),
        (Bug::OnePersonTwice, "one person approved twice"),
        (Bug::ReplaysApprovals, "was used before"),
    ] {
        let found = crate::approvals::play_planted(Some(bug));
        assert!(found.iter().any(|wrong| wrong.starts_with("S22") && wrong.contains(words)), "{bug:?}: {found:?}");
    }
}

#[test]
fn an_approval_that_is_only_looked_at_when_a_plan_is_made_is_found() {
    assert_eq!(crate::approvals::play_racing(None), Vec::<String>::new());
    let found = crate::approvals::play_racing(Some(Bug::ApprovalIsAdvice));
    assert!(found.iter().any(|wrong| wrong.starts_with("S22 rejected")), "{found:?}");
}

#[test]
fn a_skip_that_is_forgotten_is_found() {
    assert_eq!(crate::doctor::play_planted(), Vec::<String>::new());
    plant(Some(Bug::ForgetsSkipped));
    let found = crate::doctor::play_planted();
    plant(None);
    assert!(found.iter().any(|wrong| wrong.starts_with("S7 out of step")), "{found:?}");
}

/// A seed's scenario with more of what a bug needs to show itself: the budget of a test run is seconds.
fn focused(bug: Bug, seed: u64) -> Scenario {
    let mut scenario = Scenario::of_stacks(seed);
    scenario.restart = false;
    let half = scenario.until / 2;
    match bug {
        Bug::PruneOnEmpty => {
            scenario.fleet.policy.prune = Prune::Always;
            scenario.events.push((half, Event::Checkout { glitch: Some(Glitch::NoStacks), told: true }));
            scenario.events.push((half + 900, Event::Checkout { glitch: None, told: true }));
        }
        Bug::NoDeadline => {
            scenario.calls.extend((0..20).map(|nth| (nth * 37 + seed, Fault::Hang)));
            // A daemon that begins anew waits for nothing.
            let ends = |event: &Event| matches!(event, Event::Crash { .. } | Event::Stop { .. } | Event::LoseStore);
            scenario.events.retain(|(_, event)| !ends(event));
        }
        Bug::TrustsNames | Bug::ExistsIsOurs | Bug::NoReadBack => scenario.hostile = true,
        Bug::TrustsTags => {
            scenario.fleet.policy.prune = Prune::Always;
            scenario.events.push((half, Event::Console { stack: 1, act: Act::Forge }));
        }
        Bug::NewestObject => {
            scenario.hostile = true;
            scenario.fleet.units.values_mut().for_each(|unit| unit.large = true);
        }

        // Manifests that ask for everything under an operator who allows no deletion.
        Bug::NoFloor => {
            scenario.fleet.floored = true;
            scenario.fleet.policy = fleet::Policy { prune: Prune::Never, observe: false, deletions: 0, replace: false };
            let remove = (0..8).map(|stack| (half, Event::Edit { edit: Edit::Remove(stack), told: true }));
            scenario.events.extend(remove.skip(1));
        }
        // One stack, one commit that fails once: for good, or in a way that another attempt gets over.
        Bug::RetryTerminal => return failing_once("InvalidRequest", true),
        // Two stacks without state; the manifest of one is called otherwise for a while.
        Bug::UnreadIsGone => return renamed_once(),
        Bug::ConcludeByStatus => return failing_once("NotStabilized", false),
        _ => {}
    }
    scenario.events.sort_by_key(|(at, _)| *at);
    scenario
}

fn failing_once(code: &str, heals: bool) -> Scenario {
    let unit = Unit { shape: 1, ..Unit::plain() };
    let policy = Policy { prune: Prune::Always, observe: false, deletions: 9, replace: true };
    Scenario {
        seed: 1,
        fleet: Fleet {
            units: BTreeMap::from([(0, unit)]),
            policy,
            web: None,
            app: App::default(),
            floored: false,
            windows: Vec::new(),
        },
        // No value in it is shown by AWS: only its own record tells whether it was applied.
        events: vec![(300, Event::Edit { edit: Edit::Secret(0, 2), told: true })],
        calls: Vec::new(),
        windows: Vec::new(),
        resources: vec![ResourceFault {
            stack: "*".into(),
            resource: "Extra".into(),
            operation: ResourceOperation::Update,
            what: ResourceFailure::Fails { reason: "no".into(), code: code.into() },
            times: 1,
        }],
        until: 3_600,
        restart: false,
        heals,
        hostile: false,
        told: None,
    }
}

fn renamed_once() -> Scenario {
    let unit = Unit { shape: 1, ..Unit::plain() };
    let once = failing_once("NotStabilized", false);
    Scenario {
        fleet: Fleet { units: BTreeMap::from([(0, unit.clone()), (1, unit)]), ..once.fleet },
        events: vec![
            (1_200, Event::Checkout { glitch: Some(Glitch::Renamed), told: true }),
            (2_400, Event::Checkout { glitch: None, told: true }),
        ],
        resources: Vec::new(),
        ..once
    }
}

#[test]
fn every_planted_bug_is_found() {
    let found: Vec<String> = std::thread::scope(|threads| {
        let halves: Vec<_> = (0..2)
            .map(|half| {
                threads.spawn(move || {
                    let mine = BUGS.iter().skip(half).step_by(2);
                    mine.filter_map(|(bug, seeds, rules)| missed(*bug, *seeds, rules)).collect::<Vec<_>>()
                })
            })
            .collect();
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    assert!(found.is_empty(), "{found:?}");
}

/// Why a bug was not found; `None` if it was.
fn missed(bug: Bug, seeds: u64, rules: &[&str]) -> Option<String> {
    plant(Some(bug));
    let found = (0..seeds).find_map(|seed| {
        let failure = play(&focused(bug, seed)).err()?;
        Some((seed, failure))
    });
    plant(None);
    let Some((seed, failure)) = found else { return Some(format!("{bug:?} was not found within {seeds} seeds")) };
    // It is the bug that was found, and nothing else.
    let scenario = focused(bug, seed);
    if let Err(failure) = play(&scenario) {
        return Some(format!("without {bug:?}: {}", report(&scenario, &failure)));
    }
    println!("{bug:?}: found with seed {seed}: {}", failure.what[0]);
    let expected = rules.contains(&failure.rule().as_str());
    (!expected).then(|| format!("{bug:?} was found by {}, not by {rules:?}: {}", failure.rule(), failure.what[0]))
}
