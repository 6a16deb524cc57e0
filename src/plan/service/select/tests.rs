//! Choices, and what must not change them.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn at(hour: i64) -> Timestamp {
    "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hour)
}

fn digest(number: u32) -> ImageDigest {
    format!("sha256:{number:064x}").parse().unwrap()
}

#[derive(Clone, Debug)]
struct Image {
    tag: Option<String>,
    digest: ImageDigest,
    pushed: Timestamp,
}

fn image(tag: &str, number: u32, hour: i64) -> Image {
    Image { tag: Some(tag.to_owned()), digest: digest(number), pushed: at(hour) }
}

fn spec(select: Select) -> ImageSpec {
    ImageSpec {
        registry: None,
        repository: "app".to_owned(),
        select,
        prereleases: false,
        soak: Duration::ZERO,
        allow: Vec::new(),
        deny: Vec::new(),
        moved: MovedTag::Report,
        also_in: std::collections::BTreeSet::new(),
    }
}

fn semver(range: &str) -> ImageSpec {
    spec(Select::Semver(range.to_owned()))
}

fn newest(pattern: &str, by: NewestBy) -> ImageSpec {
    spec(Select::Newest { pattern: pattern.to_owned(), by })
}

fn decision(spec: &ImageSpec, image: &Image) -> Decision {
    Decision {
        repository: spec.repository.clone(),
        registry: "111122223333".parse().unwrap(),
        tag: image.tag.clone(),
        digest: image.digest.clone(),
        pushed: image.pushed,
        why: "because".to_owned(),
        spec: spec_digest(spec),
        revision: 1,
        at: at(0),
    }
}

struct Ask<'a> {
    spec: &'a ImageSpec,
    decided: Option<Decision>,
    quarantine: BTreeMap<ImageDigest, Quarantined>,
    now: Timestamp,
}

impl<'a> Ask<'a> {
    fn of(spec: &'a ImageSpec) -> Self {
        Self { spec, decided: None, quarantine: BTreeMap::new(), now: at(1_000) }
    }

    fn decided(mut self, image: &Image) -> Self {
        self.decided = Some(decision(self.spec, image));
        self
    }

    fn quarantined(mut self, number: u32) -> Self {
        self.quarantine.insert(digest(number), Quarantined { tag: None, why: "it crashed".to_owned(), at: at(0) });
        self
    }

    fn answer(&self, images: &[Image]) -> Answer {
        let candidates: Vec<Candidate<'_>> = images
            .iter()
            .map(|image| Candidate { tag: image.tag.as_deref(), digest: &image.digest, pushed: image.pushed })
            .collect();
        let question =
            Question { spec: self.spec, decided: self.decided.as_ref(), quarantine: &self.quarantine, now: self.now };
        select(&question, &candidates)
    }

    fn passed(&self, images: &[Image], chosen: &ImageDigest) -> Vec<(String, String)> {
        let candidates: Vec<Candidate<'_>> = images
            .iter()
            .map(|image| Candidate { tag: image.tag.as_deref(), digest: &image.digest, pushed: image.pushed })
            .collect();
        let question = Question { spec: self.spec, decided: None, quarantine: &self.quarantine, now: self.now };
        passed_over(&question, &candidates, Some(chosen)).into_iter().map(|passed| (passed.tag, passed.why)).collect()
    }

    fn tag(&self, images: &[Image]) -> Result<String, Nothing> {
        self.answer(images).chosen.map(|chosen| chosen.tag.unwrap_or_default())
    }
}

#[test]
fn the_greatest_version_of_the_range_is_chosen_and_not_the_last_one_pushed() {
    let images = [image("1.10.0", 1, 1), image("v1.9.0", 2, 9), image("2.0.0", 3, 10), image("latest", 4, 11)];
    assert_eq!(Ask::of(&semver(">=1.4, <2")).tag(&images).unwrap(), "1.10.0");
}

#[test]
fn versions_by_date_with_leading_zeros_are_versions() {
    let images = [image("2025.12.1", 1, 1), image("2026.04.1", 2, 2)];
    assert_eq!(Ask::of(&semver(">=2025")).tag(&images).unwrap(), "2026.04.1");
    assert_eq!(Ask::of(&semver("2026.04.1")).tag(&images).unwrap(), "2026.04.1");
}

#[test]
fn what_git_describe_says_is_chosen_where_prereleases_are_asked_for() {
    let images = [image("1.4.0", 1, 1), image("1.4.2-9-gfff1234", 2, 2), image("1.4.2-17-gabc1234", 3, 3)];
    assert_eq!(Ask::of(&semver(">=1.4.0-0, <2")).tag(&images).unwrap(), "1.4.2-17-gabc1234");
    assert_eq!(Ask::of(&semver(">=1.4, <2")).tag(&images).unwrap(), "1.4.0");
}

#[test]
fn a_version_without_an_operator_is_that_version() {
    let images = [image("1.0.0", 1, 1), image("1.5.0", 2, 2)];
    assert_eq!(Ask::of(&semver("1.0.0")).tag(&images).unwrap(), "1.0.0");
    assert_eq!(Ask::of(&semver("^1.0.0")).tag(&images).unwrap(), "1.5.0");
}

#[test]
fn a_tag_that_cannot_be_chosen_for_its_name_is_named() {
    let images = [image("1.4.0", 1, 1), image("1.4.0.7", 2, 2), image("latest", 3, 3)];
    let of = semver(">=1.4");
    let answer = Ask::of(&of).answer(&images);
    assert_eq!(answer.expected, Some(("1.4.0.7".to_owned(), Reason::NoVersion { near: true })));
    assert_eq!(answer.chosen.unwrap().why, "1.4.0 is the highest version in >=1.4; 1.4.0.7 is not a version");
    // What was pushed before the one that is chosen, nobody waits for.
    let images = [image("1.4.0.7", 2, 0), image("1.4.0", 1, 1)];
    assert_eq!(Ask::of(&of).answer(&images).expected, None);
    let early = [image("1.5.0-rc.1", 1, 1)];
    assert_eq!(Ask::of(&of).answer(&early).expected, Some(("1.5.0-rc.1".to_owned(), Reason::Prerelease)));
}

#[test]
fn the_newest_tags_that_are_passed_over_are_told_with_their_reasons() {
    let of = |spec: &ImageSpec, chosen: u32, images: &[Image]| Ask::of(spec).passed(images, &digest(chosen));
    for (tag, why) in [
        ("1.5", "not a version: a version has exactly three numbers"),
        ("v2", "not a version: a version has exactly three numbers"),
        ("1.4.0.7", "not a version: a version has exactly three numbers"),
        ("2026.04_1", "not a version: a version has exactly three numbers"),
        ("latest", "not a version"),
        ("main-17", "not a version"),
        ("1.5.0-rc.1", "a pre-release; `prereleases: true` selects them"),
        ("1.5.0-17-gabc1234", "a pre-release; `prereleases: true` selects them"),
        ("2.0.0", "not within >=1, <2"),
        ("2.0.0-rc.1", "not within >=1, <2"),
        ("1.3.9", "lower than 1.4.0"),
    ] {
        let images = [image("1.4.0", 1, 1), image(tag, 2, 2), image("stable", 1, 1)];
        assert_eq!(of(&semver(">=1, <2"), 1, &images), [(tag.to_owned(), why.to_owned())], "{tag}");
    }
    // One version is asked for, and no other.
    let images = [image("1.4.0", 1, 1), image("1.5.0", 2, 2)];
    for one in ["1.4.0", "=1.4.0"] {
        assert_eq!(of(&semver(one), 1, &images), []);
    }
    // What was pushed before it is told only if it is higher.
    let images = [image("1.5", 2, 0), image("1.3", 3, 0), image("latest", 4, 0), image("1.4.0", 1, 1)];
    let found = of(&semver(">=1, <2"), 1, &images);
    assert_eq!(found.iter().map(|(tag, _)| tag.as_str()).collect::<Vec<_>>(), ["1.5"]);
    // Other ways of selecting, and what the manifest excludes.
    let denied = ImageSpec { deny: vec![".*-dev".to_owned()], ..semver(">=1") };
    let images = [image("1.4.0", 1, 1), image("1.5.0-dev", 2, 2)];
    assert_eq!(of(&denied, 1, &images)[0].1, "excluded by `deny`");
    let allowed = ImageSpec { allow: vec!["1[.].*".to_owned()], ..semver(">=1") };
    assert_eq!(of(&allowed, 1, &[image("1.4.0", 1, 1), image("2.0.0", 2, 2)])[0].1, "not included by `allow`");
    let main = newest("main-([0-9a-z]+)", NewestBy::Numerical);
    let images = [image("main-10", 1, 1), image("main-9", 2, 2), image("main-x", 3, 3), image("dev-11", 4, 4)];
    let found = of(&main, 1, &images);
    let whys: Vec<&str> = found.iter().map(|(_, why)| why.as_str()).collect();
    assert_eq!(whys, ["does not match main-([0-9a-z]+)", "`x` is not a number", "lower than main-10"]);
    let soaking = ImageSpec { soak: Duration::from_hours(2_000), ..semver(">=1") };
    assert!(of(&soaking, 1, &[image("1.4.0", 1, 1), image("1.5.0", 2, 2)])[0].1.starts_with("`soak` holds it until"));
    let ask = semver(">=1");
    let images = [image("1.4.0", 1, 1), image("1.5.0", 2, 2)];
    assert_eq!(Ask::of(&ask).quarantined(2).passed(&images, &digest(1))[0].1, "it has failed before");
    let many: Vec<Image> = (0..20).map(|number| image(&format!("b{number}"), number + 10, i64::from(number))).collect();
    assert_eq!(of(&ask, 1, &many).len(), 5);
    assert_eq!(of(&spec(Select::Tag("a".to_owned())), 1, &many), []);
}

#[test]
fn prereleases_are_selected_if_the_manifest_says_so() {
    let images = [image("1.4.0", 1, 1), image("1.5.0-rc.1", 2, 2), image("2.0.0-rc.1", 3, 3)];
    let with = ImageSpec { prereleases: true, ..semver(">=1, <2") };
    assert_eq!(Ask::of(&with).tag(&images).unwrap(), "1.5.0-rc.1");
    assert_eq!(Ask::of(&semver(">=1, <2")).tag(&images).unwrap(), "1.4.0");
    assert_ne!(spec_digest(&with), spec_digest(&semver(">=1, <2")));
}

#[test]
fn newest_compares_what_the_first_group_captures() {
    let images = [image("main-9", 1, 3), image("main-10", 2, 1), image("main-x", 3, 9), image("pr-99", 4, 9)];
    let by = |pattern: &str, by| Ask::of(&newest(pattern, by)).tag(&images).unwrap();
    assert_eq!(by("main-([0-9]+)", NewestBy::Numerical), "main-10");
    assert_eq!(by("main-([0-9]+)", NewestBy::Alphabetical), "main-9");
    assert_eq!(by("main-([0-9]+)", NewestBy::Pushed), "main-9");
}

#[test]
fn numbers_that_no_integer_holds_are_compared_as_numbers() {
    let (long, longer) = ("9".repeat(30), format!("1{}", "0".repeat(30)));
    let images = [image(&long, 1, 1), image(&longer, 2, 1), image("007", 3, 1)];
    assert_eq!(Ask::of(&newest("[0-9]+", NewestBy::Numerical)).tag(&images).unwrap(), longer);
}

#[test]
fn a_registry_that_lists_nothing_changes_nothing() {
    let spec = semver("1");
    let ask = Ask::of(&spec).decided(&image("1.5.0", 1, 1));
    assert_eq!(ask.tag(&[]), Err(Nothing::Empty));
    assert!(ask.answer(&[]).gone);
}

#[test]
fn an_image_that_vanished_from_the_registry_does_not_downgrade_the_service() {
    let spec = semver("1");
    let ask = Ask::of(&spec).decided(&image("1.5.0", 1, 1));
    assert_eq!(ask.tag(&[image("1.4.0", 2, 1)]), Err(Nothing::Below { tag: "1.4.0".to_owned() }));
}

#[test]
fn a_manifest_that_asks_for_an_older_image_gets_it() {
    let (old, new) = (semver("~1.4"), semver(">=1.4"));
    let ask = Ask { decided: Some(decision(&new, &image("1.5.0", 1, 5))), ..Ask::of(&old) };
    assert_eq!(ask.tag(&[image("1.4.0", 2, 1), image("1.5.0", 1, 5)]).unwrap(), "1.4.0");
}

#[test]
fn a_quarantined_image_is_skipped_and_nothing_older_than_what_was_decided_takes_its_place() {
    let spec = semver("1");
    let images = [image("1.4.0", 1, 1), image("1.5.0", 2, 2), image("1.6.0", 3, 3)];
    let ask = Ask::of(&spec).decided(&images[1]).quarantined(3);
    assert_eq!(ask.tag(&images).unwrap(), "1.5.0");
    let ask = Ask::of(&spec).decided(&images[2]).quarantined(3);
    assert_eq!(ask.tag(&images), Err(Nothing::Below { tag: "1.5.0".to_owned() }));
    let ask = Ask::of(&spec).quarantined(3);
    assert_eq!(ask.tag(&images[2..]), Err(Nothing::Quarantined { digest: digest(3) }));
    let newer = [images.to_vec(), vec![image("1.6.1", 4, 4)]].concat();
    assert_eq!(Ask::of(&spec).decided(&images[1]).quarantined(3).tag(&newer).unwrap(), "1.6.1");
}

#[test]
fn an_image_is_not_chosen_before_it_has_soaked() {
    let spec = ImageSpec { soak: Duration::from_hours(24), ..semver("1") };
    let images = [image("1.4.0", 1, 0), image("1.5.0", 2, 30)];
    let mut ask = Ask::of(&spec).decided(&images[0]);
    ask.now = at(40);
    let answer = ask.answer(&images);
    assert_eq!(answer.chosen.unwrap().tag.as_deref(), Some("1.4.0"));
    assert_eq!(answer.soaking, Some(("1.5.0".to_owned(), at(54))));
    assert_eq!(
        Ask { now: at(40), ..Ask::of(&spec) }.tag(&images[1..]),
        Err(Nothing::Soaking { tag: "1.5.0".to_owned(), until: at(54) })
    );
    ask.now = at(54);
    assert_eq!(ask.tag(&images).unwrap(), "1.5.0");
}

#[test]
fn a_tag_that_moved_is_reported_and_deployed_only_where_the_manifest_says_so() {
    let report = spec(Select::Tag("prod".to_owned()));
    let (before, after) = (image("prod", 1, 1), image("prod", 2, 2));
    let answer = Ask::of(&report).decided(&before).answer(std::slice::from_ref(&after));
    assert_eq!(answer.moved, Some(digest(2)));
    assert_eq!(answer.chosen.unwrap().digest, digest(1));
    let deploy = ImageSpec { moved: MovedTag::Deploy, ..report };
    let answer = Ask::of(&deploy).decided(&before).answer(std::slice::from_ref(&after));
    assert_eq!(answer.chosen.unwrap().digest, digest(2));
}

#[test]
fn what_is_denied_or_not_allowed_is_not_chosen() {
    let deny = ImageSpec { deny: vec![".*-rc.*".to_owned()], ..newest(".*", NewestBy::Pushed) };
    let images = [image("a", 1, 1), image("b-rc1", 2, 2)];
    assert_eq!(Ask::of(&deny).tag(&images).unwrap(), "a");
    let allow = ImageSpec { allow: vec!["c.*".to_owned()], ..newest(".*", NewestBy::Pushed) };
    assert_eq!(Ask::of(&allow).tag(&images), Err(Nothing::NoMatch));
}

#[test]
fn a_digest_is_chosen_only_if_the_registry_has_it() {
    let spec = spec(Select::Digest(digest(7)));
    assert_eq!(Ask::of(&spec).tag(&[image("a", 1, 1)]), Err(Nothing::NoMatch));
    let untagged = Image { tag: None, ..image("", 7, 1) };
    assert_eq!(Ask::of(&spec).answer(&[untagged]).chosen.unwrap().digest, digest(7));
}

fn images() -> impl Strategy<Value = Vec<Image>> {
    let tag = prop_oneof!["1\\.[0-9]{1,2}\\.[0-9]", "main-[0-9]{1,3}", "[0-9]{1,4}", "latest"];
    // A tag names one image of a repository.
    proptest::collection::btree_map(tag, (0_u32..20, 0_i64..50), 0..12)
        .prop_map(|tags| tags.into_iter().map(|(tag, (number, hour))| image(&tag, number, hour)).collect())
}

fn specs() -> impl Strategy<Value = ImageSpec> {
    prop_oneof![
        Just(semver("1")),
        Just(semver(">=1.5, <1.50")),
        Just(spec(Select::Tag("latest".to_owned()))),
        Just(newest("main-([0-9]+)", NewestBy::Numerical)),
        Just(newest("main-.*", NewestBy::Alphabetical)),
        Just(newest("[0-9]+", NewestBy::Pushed)),
    ]
}

proptest! {
    #[test]
    fn the_order_of_the_registrys_answer_does_not_change_the_choice(
        spec in specs(), images in images(), seed in any::<u64>(), decided in proptest::option::of(0_usize..12),
    ) {
        let mut shuffled = images.clone();
        shuffled.sort_by_key(|image| Digest::of(&(seed, &image.tag, image.digest.as_str())));
        let mut ask = Ask::of(&spec);
        if let Some(image) = decided.and_then(|index| images.get(index)) {
            ask = ask.decided(image);
        }
        prop_assert_eq!(ask.answer(&images), ask.answer(&shuffled));
    }

    #[test]
    fn what_was_chosen_is_chosen_again_so_that_nothing_flaps(spec in specs(), images in images()) {
        let ask = Ask::of(&spec);
        if let Ok(chosen) = ask.answer(&images).chosen {
            let image = Image { tag: chosen.tag.clone(), digest: chosen.digest.clone(), pushed: chosen.pushed };
            prop_assert_eq!(ask.decided(&image).answer(&images).chosen, Ok(chosen));
        }
    }

    #[test]
    fn an_older_image_does_not_change_the_choice(images in images(), hour in 0_i64..60) {
        let spec = semver(">=0.1, <2");
        let ask = Ask::of(&spec);
        if let Ok(chosen) = ask.answer(&images).chosen {
            let older = [images, vec![image("0.9.0", 99, hour)]].concat();
            prop_assert_eq!(ask.answer(&older).chosen, Ok(chosen));
        }
    }
}
