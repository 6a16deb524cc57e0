//! Images that were built for other platforms than the tasks run on.

use super::*;

fn built_for(architectures: &[&str]) -> Seen<Option<Vec<Platform>>> {
    let mut platforms: Vec<Platform> = architectures
        .iter()
        .map(|architecture| Platform { os: "linux".to_owned(), architecture: (*architecture).to_owned() })
        .collect();
    // What BuildKit puts beside them.
    platforms.push(Platform { os: "unknown".to_owned(), architecture: "unknown".to_owned() });
    Seen::Present(Some(platforms))
}

/// Version 1 runs on `X86_64`; version 2 is an index for these architectures, version 3 for arm64 alone.
fn world(second: &[&str]) -> World {
    let mut world = World::new();
    world.runs_on = RuntimePlatform { os: Some("LINUX".to_owned()), cpu: Some("X86_64".to_owned()) };
    world.platforms = BTreeMap::from([(2, built_for(second)), (3, built_for(&["arm64"]))]);
    world.indices = [2, 3].into();
    world
}

fn decided(world: &World) -> Option<ImageDigest> {
    match world.step() {
        Some(ServiceDo::Decide { decisions, .. }) => Some(decisions["app"].digest.clone()),
        None => None,
        Some(other) => panic!("{other:?}"),
    }
}

#[test]
fn an_image_for_another_platform_is_passed_over_for_the_next_best() {
    let mut world = world(&["amd64", "arm64"]);
    world.push(&[1, 2, 3]);
    assert_eq!(decided(&world), Some(digest(2)));
    let entry = world.entry();
    assert_eq!(entry.refused[0].guard, Guard::Platform);
    assert_eq!(entry.refused[0].reason, "1.3.0 was built for linux/arm64, but the tasks run on linux/amd64");
}

#[test]
fn where_none_fits_what_runs_stays_and_says_so() {
    let mut world = world(&["arm64"]);
    world.push(&[1, 2, 3]);
    let entry = world.entry();
    assert!(entry.step.is_none() && entry.ready, "{entry:?}");
    assert_eq!(entry.refused.iter().map(|one| one.guard).collect::<Vec<_>>(), [Guard::Platform]);
    // Nor is anything decided on where nothing was before.
    world.memory = ServiceMemory::default();
    world.push(&[3]);
    let entry = world.entry();
    assert!(entry.step.is_none());
    let why = "1.3.0 was built for linux/arm64, but the tasks run on linux/amd64".to_owned();
    assert_eq!(entry.waiting, [Waiting::Image { container: "app".to_owned(), why }]);
}

#[test]
fn nothing_follows_while_what_an_image_was_built_for_cannot_be_read() {
    let mut world = world(&["amd64"]);
    world.push(&[1, 2]);
    world.platforms.insert(2, Seen::Unknown(Unknown::because("access denied")));
    let entry = world.entry();
    assert!(entry.step.is_none() && entry.action == Action::Unknown, "{entry:?}");
}

#[test]
fn a_single_image_is_judged_by_what_its_configuration_says() {
    let mut world = world(&["amd64"]);
    world.indices.clear();
    world.push(&[1, 2, 3]);
    assert_eq!(decided(&world), Some(digest(2)));
    assert_eq!(world.entry().refused[0].guard, Guard::Platform);
}

#[test]
fn what_a_single_image_was_built_for_is_asked_and_not_held_against_it_where_it_cannot_be_read() {
    let mut world = world(&["amd64"]);
    world.indices.clear();
    world.unread = [2].into();
    world.push(&[1, 2]);
    let (plan, needs) = world.planned();
    assert!(plan.entries[&world.spec.key].step.is_none());
    let need = ServiceNeed::Platforms(scope(), image_spec().repository(), digest(2));
    assert_eq!(needs, BTreeSet::from([need.into()]));
    world.unread.clear();
    for seen in [Seen::Unknown(Unknown::because("access denied")), Seen::Present(None), Seen::Absent] {
        world.platforms.insert(2, seen);
        assert_eq!(decided(&world), Some(digest(2)));
    }
}

#[test]
fn where_tasks_run_on_any_architecture_none_is_held_against_an_image() {
    let mut world = world(&["arm64"]);
    world.runs_on = RuntimePlatform::default();
    world.push(&[1, 2]);
    assert_eq!(decided(&world), Some(digest(2)));
}
