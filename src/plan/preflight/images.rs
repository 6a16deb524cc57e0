//! Whether the images that services are to run are in their registries.
//!
//! The planner has chosen them, from the registries' lists of a moment ago: what it says of each container is all there is
//! to know, and nothing is asked twice.

use crate::model::{
    Action, Difference, Entry, Environment, ImageSpec, Key, Memory, Met, Plan, Prerequisite, Scope, Seen,
    ServiceMemory, ServiceSpec, ServicesSeen, Waiting,
};

/// The type by which stacks make repositories.
const REPOSITORY: &str = "AWS::ECR::Repository";

/// One line for each container of each service, with the account and region that it is about.
#[must_use]
pub fn images(
    environment: &Environment,
    plan: &Plan,
    seen: &ServicesSeen,
    memory: &Memory,
) -> Vec<(Scope, Prerequisite)> {
    let mut lines = Vec::new();
    for (key, spec) in &environment.services {
        let Some(entry) = plan.entries.get(key) else { continue };
        let known = memory.objects.services.get(key).map(AsRef::as_ref);
        let maker = maker(environment, plan, spec);
        for (container, image) in &spec.images {
            let line = Container { spec, name: container, image, entry, known, maker }.judge(seen);
            lines.push((spec.scope.clone(), line));
        }
    }
    lines
}

/// The stack that is yet to be created, and makes the repositories that the service waits for.
fn maker<'a>(environment: &'a Environment, plan: &Plan, spec: &ServiceSpec) -> Option<&'a Key> {
    let is_new = |key: &Key| plan.entries.get(key).is_some_and(|entry| entry.action == Action::Create);
    let mut new = environment.stacks.iter().filter(|(key, _)| spec.depends_on.contains(*key) && is_new(key));
    let found = new.find(|(_, stack)| stack.template.resources.values().any(|found| found.kind == REPOSITORY));
    found.map(|(key, _)| key)
}

/// A container, and what was decided on it.
struct Container<'a> {
    spec: &'a ServiceSpec,
    name: &'a str,
    image: &'a ImageSpec,
    entry: &'a Entry,
    known: Option<&'a ServiceMemory>,
    maker: Option<&'a Key>,
}

impl Container<'_> {
    fn judge(&self, seen: &ServicesSeen) -> Prerequisite {
        let repository = self.image.repository();
        let at = (self.spec.scope.clone(), repository.clone());
        if let (Some(Seen::Absent), Some(maker)) = (seen.images.get(&at), self.maker) {
            let found = format!("{repository} does not exist yet: {maker} creates it");
            return self.line(Met::Unknown, found, Some("push the image when the repository exists".to_owned()));
        }
        let listed = match seen.images.get(&at) {
            Some(Seen::Present(images)) => Some(&images[..]),
            Some(Seen::Absent) => None,
            Some(Seen::Unknown(why)) => return self.unknown(format!("{repository} could not be read: {why}")),
            None => return self.unknown(format!("{repository} was not read: its service is being deployed")),
        };
        if let Some(why) = self.waits() {
            return self.missing(why.to_owned());
        }
        if let Some(chosen) = self.chosen() {
            return self.line(Met::Ok, format!("{chosen} is in {repository}"), None);
        }
        let Some(decided) = self.known.and_then(|memory| memory.decisions.get(self.name)) else {
            return self.unknown("no image is selected yet".to_owned());
        };
        let is_there =
            listed.is_some_and(|images| images.iter().any(|image| image.digest == decided.digest && !image.archived));
        let name = format!("{} ({})", decided.name(), decided.digest.short());
        if is_there {
            self.line(Met::Ok, format!("{name} is in {repository}"), None)
        } else {
            self.missing(format!("{name} is not in {repository}"))
        }
    }

    /// Why there is none that could be chosen.
    fn waits(&self) -> Option<&str> {
        self.entry.waiting.iter().find_map(|waiting| match waiting {
            Waiting::Image { container, why } if container == self.name => Some(why.as_str()),
            _ => None,
        })
    }

    /// What has just been chosen.
    fn chosen(&self) -> Option<&str> {
        self.entry.differences.iter().find_map(|difference| match difference {
            Difference::Image { container, to, .. } if container == self.name => Some(to.as_str()),
            _ => None,
        })
    }

    fn missing(&self, found: String) -> Prerequisite {
        let remedy = format!("push it, or correct `images` in the manifest of {}", self.spec.key);
        self.line(Met::Missing, found, Some(remedy))
    }

    fn unknown(&self, found: String) -> Prerequisite {
        let remedy =
            "allow ecr:DescribeImages (for another account, also in the repository policy), then run this again";
        self.line(Met::Unknown, found, Some(remedy.to_owned()))
    }

    fn line(&self, met: Met, found: String, remedy: Option<String>) -> Prerequisite {
        let what = format!("image of {} in {}", self.name, self.spec.key);
        Prerequisite { topic: "image".to_owned(), what, met, found, remedy }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    use super::*;
    use crate::model::{
        Address, Delivery, Digest, ImageState, MovedTag, Repository, RolloutFailure, RolloutSpec, Select, Text, Unknown,
    };

    fn spec() -> ServiceSpec {
        let image = ImageSpec {
            registry: None,
            repository: "shop/app".to_owned(),
            select: Select::Tag("1.0".to_owned()),
            prereleases: false,
            soak: Duration::ZERO,
            allow: Vec::new(),
            deny: Vec::new(),
            moved: MovedTag::Report,
            also_in: std::collections::BTreeSet::new(),
        };
        ServiceSpec {
            key: "dev/service/api".parse().unwrap(),
            scope: Scope { account: "111122223333".parse().unwrap(), region: "us-east-1".parse().unwrap() },
            cluster: Text::literal("shop"),
            service: Text::literal("api"),
            images: BTreeMap::from([("app".to_owned(), image)]),
            delivery: Delivery::Direct,
            rollout: RolloutSpec { timeout: Duration::from_mins(15), on_failure: RolloutFailure::Rollback },
            revisions_kept: 10,
            adopt: false,
            depends_on: BTreeSet::new(),
            digest: Digest::of("spec"),
        }
    }

    fn judged(entry: &Entry, images: Option<Seen<Vec<ImageState>>>) -> Prerequisite {
        let spec = spec();
        let mut seen = ServicesSeen::default();
        if let Some(images) = images {
            let images = match images {
                Seen::Present(images) => Seen::Present(images.into()),
                Seen::Absent => Seen::Absent,
                Seen::Unknown(why) => Seen::Unknown(why),
            };
            let repository = Repository { registry: None, name: "shop/app".to_owned() };
            seen.images.insert((spec.scope.clone(), repository), images);
        }
        let container =
            Container { maker: None, spec: &spec, name: "app", image: &spec.images["app"], entry, known: None };
        container.judge(&seen)
    }

    fn entry() -> Entry {
        Entry::new(Address { scope: spec().scope, name: "shop/api".into() })
    }

    #[test]
    fn an_image_that_was_chosen_is_there_and_one_that_could_not_be_is_missing() {
        let (container, from, to) = ("app".to_owned(), None, "1.0".to_owned());
        let chosen = Entry { differences: vec![Difference::Image { container, from, to }], ..entry() };
        let line = judged(&chosen, Some(Seen::Present(Vec::new())));
        assert_eq!((line.met, line.found.as_str(), line.remedy), (Met::Ok, "1.0 is in shop/app", None));
        let (container, why) = ("app".to_owned(), "there is no image in shop/app".to_owned());
        let waits = Entry { waiting: vec![Waiting::Image { container, why }], ..entry() };
        for images in [Seen::Present(Vec::new()), Seen::Absent] {
            let line = judged(&waits, Some(images));
            assert_eq!((line.met, line.found.as_str()), (Met::Missing, "there is no image in shop/app"));
            assert!(line.remedy.is_some_and(|remedy| remedy.contains("dev/service/api")));
        }
    }

    #[test]
    fn a_registry_that_was_not_read_says_nothing_of_an_image() {
        let why = Unknown::because("access denied");
        for images in [None, Some(Seen::Unknown(why)), Some(Seen::Present(Vec::new()))] {
            let line = judged(&entry(), images);
            assert!(line.met == Met::Unknown && line.remedy.is_some(), "{line:?}");
        }
    }
}
