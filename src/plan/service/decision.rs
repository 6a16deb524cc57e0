//! Which image each container is to run: asked of the registry once, written down, and kept until there is a better one.

use std::collections::BTreeMap;

use super::platform::Fit;
use super::select::{Answer, Candidate, Chosen, Nothing, Question, Reason, passed_over, select, spec_digest};
use super::{Deciding, refusal};
use crate::model::{
    Action, Decision, Difference, Entry, Guard, ImageSpec, ImageState, Pin, Rollout, Seen, ServiceDo, ServiceNeed,
    Waiting, digests,
};
use crate::plan::planner::refuse;

/// Images of which it is asked what they were built for, the best first; if none of them fits, the rest will not either.
const PLATFORMS_MAX: usize = 3;

impl Deciding<'_> {
    /// Decides on the images. True if that decision has to be written down before anything else.
    pub(super) fn choose(&self, entry: &mut Entry) -> bool {
        if self.is_under_way() {
            // One thing after the other: what is on its way ends first, which it does within its timeout.
            return false;
        }
        let pin = self.memory.pin.as_ref();
        let pinned = pin.filter(|pin| pin.spec == self.spec.digest);
        let mut decisions: BTreeMap<String, Decision> = BTreeMap::new();
        for (container, spec) in &self.spec.images {
            let before = self.memory.decisions.get(container);
            let held = pinned.and_then(|pin| Some((pin, pin.images.get(container)?)));
            let decided = match held.filter(|(_, image)| !self.memory.quarantine.contains_key(&image.digest)) {
                Some((pin, image)) => Some(self.pinned(spec, pin, image, before)),
                None => self.select(entry, container, spec, before),
            };
            if let Some(decision) = decided {
                decisions.insert(container.clone(), decision);
            }
        }
        let unpin = pin.is_some() && pinned.is_none();
        if decisions == self.memory.decisions && !unpin {
            return false;
        }
        let (before, after) = (digests(&self.memory.decisions), digests(&decisions));
        if before != after && self.lacks_container(entry, after.keys()) {
            entry.action = Action::Update;
            return true;
        }
        let rollout = if before == after {
            self.memory.rollout.clone().map(Box::new)
        } else {
            self.news(entry, &decisions);
            let input = self.planner.input;
            (!after.is_empty()).then(|| Box::new(Rollout::open(after, input.desired.revision.sequence, input.now)))
        };
        if entry.action != Action::Unknown {
            entry.action = Action::Update;
        }
        entry.step = Some(self.step(ServiceDo::Decide { decisions, rollout, unpin }));
        true
    }

    /// The live task definition of a service that no stack owns has no container of that name: nothing is decided, and nobody
    /// takes the service over, before the manifest names one that there is.
    pub(super) fn lacks_container<'n>(
        &self,
        entry: &mut Entry,
        mut containers: impl Iterator<Item = &'n String>,
    ) -> bool {
        if self.spec.stack().is_some() {
            return false;
        }
        let seen = &self.planner.input.observation.services;
        let Some(arn) = self.seen().and_then(|state| state.task_definition.clone()) else { return false };
        let definition = seen.task_definitions.get(&(self.spec.scope.clone(), arn)).and_then(Seen::present);
        let Some(definition) = definition else { return false };
        let has = |container: &String| definition.containers.iter().any(|found| found.name == *container);
        let Some(missing) = containers.find(|container| !has(container)) else { return false };
        let names: Vec<&str> = definition.containers.iter().map(|container| container.name.as_str()).collect();
        let reason = format!(
            "task definition {} has no container {missing}: it has {}",
            definition.arn.short(),
            names.join(", ")
        );
        refuse(entry, refusal(Guard::Stuck, reason, "name the container as the task definition does"));
        true
    }

    fn news(&self, entry: &mut Entry, decisions: &BTreeMap<String, Decision>) {
        for (container, decision) in decisions {
            let before = self.memory.decisions.get(container);
            if before.is_none_or(|before| before.digest != decision.digest) {
                let (container, from) = (container.clone(), before.map(Decision::name));
                entry.differences.push(Difference::Image { container, from, to: decision.name() });
            }
        }
    }

    /// What was decided is being brought there.
    fn is_under_way(&self) -> bool {
        let Some(rollout) = self.rollout() else { return false };
        match self.spec.stack() {
            None => rollout.token.is_some() || rollout.begun.is_some(),
            Some(stack) => self.planner.is_operated_on(stack) || self.has_brought(stack),
        }
    }

    /// A person has gone back to this image.
    fn pinned(&self, spec: &ImageSpec, pin: &Pin, image: &Decision, before: Option<&Decision>) -> Decision {
        let digest = spec_digest(spec);
        if let Some(before) = before.filter(|before| before.digest == image.digest && before.spec == digest) {
            return before.clone();
        }
        let input = self.planner.input;
        Decision {
            why: format!("{} rolled back to it", pin.by),
            spec: digest,
            revision: input.desired.revision.sequence,
            at: input.now,
            ..image.clone()
        }
    }

    /// What the registry offers; `None` only if there is nothing and never was.
    fn select(
        &self,
        entry: &mut Entry,
        container: &str,
        spec: &ImageSpec,
        before: Option<&Decision>,
    ) -> Option<Decision> {
        let repository = spec.repository();
        let scope = &self.spec.scope;
        let images = match self.planner.input.observation.services.images.get(&(scope.clone(), repository.clone())) {
            Some(Seen::Present(images)) => &images[..],
            Some(Seen::Absent) => {
                if let Some(decided) = before {
                    Self::without_repository(entry, container, &repository.to_string(), decided);
                    return Some(decided.clone());
                }
                &[]
            }
            Some(Seen::Unknown(why)) => {
                super::unknown(entry, &format!("the images of {repository} could not be read: {why}"));
                return before.cloned();
            }
            None => {
                self.planner.need(ServiceNeed::Images(scope.clone(), repository));
                super::unknown(entry, "the images of its registry have not been read");
                return before.cloned();
            }
        };
        let candidates: Vec<Candidate<'_>> = images.iter().flat_map(candidates).collect();
        // What was decided for another repository says nothing about the order in this one.
        let same = before.filter(|before| before.repository == spec.repository);
        let question =
            Question { spec, decided: same, quarantine: &self.memory.quarantine, now: self.planner.input.now };
        let mut answer = select(&question, &candidates);
        let mut other: Option<Nothing> = None;
        let (mut fitting, mut asked) = (candidates.clone(), 0);
        while let Some(chosen) =
            answer.chosen.as_ref().ok().filter(|chosen| same.is_none_or(|same| same.digest != chosen.digest))
        {
            match self.fit(entry, &repository, images, &chosen.digest) {
                Fit::Yes => break,
                Fit::Unknown => return before.cloned(),
                Fit::No { tasks, image: built } => {
                    let digest = chosen.digest.clone();
                    let image = chosen.tag.clone().unwrap_or_else(|| digest.short().to_owned());
                    let nothing = Nothing::OtherPlatform { image, built, tasks };
                    fitting.retain(|candidate| *candidate.digest != digest);
                    asked += 1;
                    answer.chosen = match select(&question, &fitting).chosen {
                        Ok(next) if asked < PLATFORMS_MAX => Ok(next),
                        Ok(_) | Err(_) => Err(nothing.clone()),
                    };
                    other = other.or(Some(nothing));
                }
            }
        }
        let stays =
            answer.chosen.as_ref().map_or_else(|_| same.map(|same| &same.digest), |chosen| Some(&chosen.digest));
        let passed = passed_over(&question, &candidates, stays);
        if !passed.is_empty() {
            entry.passed_over.insert(container.to_owned(), passed);
        }
        self.tell(entry, container, same, &answer, !images.is_empty());
        self.tell_platform(entry, container, same, other.as_ref());
        match answer.chosen {
            Ok(chosen) => Some(self.decision(spec, chosen, before)),
            Err(nothing) => {
                if before.is_none() {
                    let why = why_nothing(&nothing, &repository.to_string(), answer.expected.as_ref());
                    entry.waiting.push(Waiting::Image { container: container.to_owned(), why });
                }
                before.cloned()
            }
        }
    }

    /// The repository of what was decided on is gone, and with it every image that a task could be started from.
    fn without_repository(entry: &mut Entry, container: &str, repository: &str, decided: &Decision) {
        let image = format!("{} ({})", decided.name(), decided.digest.short());
        let reason = format!("repository {repository} no longer exists: no new task of {image} can start");
        entry.differences.push(Difference::ImageGone { container: container.to_owned(), image });
        let release = "create it again and push that image, or set the new name of the repository";
        refuse(entry, refusal(Guard::ImageGone, reason, release));
    }

    fn decision(&self, spec: &ImageSpec, chosen: Chosen, before: Option<&Decision>) -> Decision {
        let digest = spec_digest(spec);
        let same = |before: &&Decision| {
            before.digest == chosen.digest && before.spec == digest && before.repository == spec.repository
        };
        if let Some(before) = before.filter(same) {
            return before.clone();
        }
        let input = self.planner.input;
        Decision {
            registry: spec.registry.clone().unwrap_or_else(|| self.spec.scope.account.clone()),
            repository: spec.repository.clone(),
            tag: chosen.tag,
            digest: chosen.digest,
            pushed: chosen.pushed,
            why: chosen.why,
            spec: digest,
            revision: input.desired.revision.sequence,
            at: input.now,
        }
    }

    /// That the best image will not do is told also where another one does.
    fn tell_platform(&self, entry: &mut Entry, container: &str, decided: Option<&Decision>, other: Option<&Nothing>) {
        let Some(Nothing::OtherPlatform { image, built, tasks }) = other else { return };
        if decided.is_none() || self.memory.rollout.is_some() {
            return;
        }
        entry.differences.push(Difference::OtherPlatform { container: container.to_owned(), image: image.clone() });
        let reason = format!("{image} was built for {built}, but the tasks run on {tasks}");
        let release = "build it for that platform, or change `RuntimePlatform` in the task definition";
        refuse(entry, refusal(Guard::Platform, reason, release));
    }

    /// What a person should know although nothing follows from it.
    fn tell(&self, entry: &mut Entry, container: &str, decided: Option<&Decision>, answer: &Answer, listed: bool) {
        let Some(decided) = decided.filter(|_| self.memory.rollout.is_none()) else { return };
        let chosen = answer.chosen.as_ref().ok().map(|chosen| &chosen.digest);
        let stays = chosen.is_none_or(|digest| *digest == decided.digest);
        if let (Some(moved), Some(tag), true) = (&answer.moved, &decided.tag, stays) {
            entry.differences.push(Difference::MovedTag {
                container: container.to_owned(),
                tag: tag.clone(),
                from: decided.digest.short().to_owned(),
                to: moved.short().to_owned(),
            });
            let reason =
                format!("{tag} now points to {}; {} was selected before", moved.short(), decided.digest.short());
            let release = "set `moved: deploy` to follow the tag, or push the image with a new tag";
            refuse(entry, refusal(Guard::MovedTag, reason, release));
        }
        if answer.gone && listed && stays {
            let image = format!("{} ({})", decided.name(), decided.digest.short());
            let reason = format!("{image} is no longer in {}: no new task can start", decided.repository);
            entry.differences.push(Difference::ImageGone { container: container.to_owned(), image });
            let release = "push that image again, or let Landfast select another one";
            refuse(entry, refusal(Guard::ImageGone, reason, release));
        }
    }
}

/// An image once for each of its tags, or once without any. What is archived cannot be pulled.
fn candidates(image: &ImageState) -> impl Iterator<Item = Candidate<'_>> {
    let of = move |tag| Candidate { tag, digest: &image.digest, pushed: image.pushed };
    let tagged = image.tags.iter().map(move |tag| of(Some(tag.as_str())));
    let bare = std::iter::once(of(None)).filter(|_| image.tags.is_empty());
    tagged.chain(bare).filter(|_| !image.archived)
}

fn why_nothing(nothing: &Nothing, repository: &str, expected: Option<&(String, Reason)>) -> String {
    match nothing {
        Nothing::Empty => format!("{repository} has no images"),
        Nothing::NoMatch => {
            let nothing = format!("no image in {repository} matches the manifest");
            match expected {
                Some((tag, Reason::NoVersion { .. })) => format!("{nothing}; {tag} is not a version"),
                Some((tag, Reason::Prerelease)) => {
                    format!("{nothing}; {tag} is a pre-release; to select pre-releases, set `prereleases: true`")
                }
                _ => nothing,
            }
        }
        Nothing::Soaking { tag, until } => format!("{tag} can be selected from {until}"),
        Nothing::Quarantined { digest } => format!("{} has failed before", digest.short()),
        Nothing::OtherPlatform { image, built, tasks } => {
            format!("{image} was built for {built}, but the tasks run on {tasks}")
        }
        Nothing::Below { tag } => format!("{tag} is lower than the version selected before"),
        Nothing::Malformed => "its pattern or range is not valid".to_owned(),
    }
}
