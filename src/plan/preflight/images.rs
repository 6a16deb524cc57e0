//! Whether the images that services are to run are in their registries.
//!
//! The planner has chosen them, from the registries' lists of a moment ago: what it says of each container is all there is
//! to know, and nothing is asked twice.

use crate::model::{
    Difference, Entry, Environment, ImageSpec, Memory, Met, Plan, Prerequisite, Scope, Seen, ServiceMemory,
    ServiceSpec, ServicesSeen, Waiting,
};

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
        for (container, image) in &spec.images {
            let line = Container { spec, container, image, entry, known }.judge(seen);
            lines.push((spec.scope.clone(), line));
        }
    }
    lines
}

/// A container, and what was decided on it.
struct Container<'a> {
    spec: &'a ServiceSpec,
    container: &'a str,
    image: &'a ImageSpec,
    entry: &'a Entry,
    known: Option<&'a ServiceMemory>,
}

impl Container<'_> {
    fn judge(&self, seen: &ServicesSeen) -> Prerequisite {
        let repository = self.image.repository();
        let listed = match seen.images.get(&(self.spec.scope.clone(), repository.clone())) {
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
        let Some(decided) = self.known.and_then(|memory| memory.decisions.get(self.container)) else {
            return self.unknown("none has been chosen".to_owned());
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
            Waiting::Image { container, why } if container == self.container => Some(why.as_str()),
            _ => None,
        })
    }

    /// What has just been chosen.
    fn chosen(&self) -> Option<&str> {
        self.entry.differences.iter().find_map(|difference| match difference {
            Difference::Image { container, to, .. } if container == self.container => Some(to.as_str()),
            _ => None,
        })
    }

    fn missing(&self, found: String) -> Prerequisite {
        let remedy = format!("push it, or correct `images` in the manifest of {}", self.spec.key);
        self.line(Met::Missing, found, Some(remedy))
    }

    fn unknown(&self, found: String) -> Prerequisite {
        let remedy = "allow ecr:DescribeImages, also in the policy of a repository of another account; then ask again";
        self.line(Met::Unknown, found, Some(remedy.to_owned()))
    }

    fn line(&self, met: Met, found: String, remedy: Option<String>) -> Prerequisite {
        let what = format!("image of {} in {}", self.container, self.spec.key);
        Prerequisite { topic: "image".to_owned(), what, met, found, remedy }
    }
}
