//! What there is to say of a service in `why`: what it is to run and since when, how its last rollout went and what shows
//! that, what is not tried again, and what it can go back to.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::{Paint, words};
use crate::model::{Ended, Entry, Evidence, ImageDigest, ServiceMemory};

/// Lines of a log that are repeated; `images -o json` has all that were read.
const LINES: usize = 5;

/// All of it, as paragraphs.
pub(super) fn told(memory: &ServiceMemory, now: Timestamp, paint: Paint) -> String {
    let mut text = decided(memory);
    text.push_str(&under_way(memory, now));
    if let Some(last) = &memory.last {
        text.push_str(&ended(last, now));
    }
    text.push_str(&quarantined(memory, paint));
    text.push_str(&releases(memory));
    text
}

/// The newest tags that were not selected, as a paragraph.
pub(super) fn passed_over(entry: &Entry) -> String {
    let mut text = String::new();
    for (container, passed) in &entry.passed_over {
        if text.is_empty() {
            text.push_str("\nNewer tags that were not selected:\n");
        }
        for one in passed {
            let (container, tag, why) = (words::clean(container), words::clean(&one.tag), words::clean(&one.why));
            let _ = writeln!(text, "  {container}  {tag}: {why}");
        }
    }
    text
}

fn named(name: &str, digest: &ImageDigest) -> String {
    if name == digest.short() { name.to_owned() } else { format!("{} ({})", words::clean(name), digest.short()) }
}

fn decided(memory: &ServiceMemory) -> String {
    let mut text = String::new();
    for (container, decision) in &memory.decisions {
        if text.is_empty() {
            text.push_str("\nSelected images:\n");
        }
        let (container, image, why) =
            (words::clean(container), named(&decision.name(), &decision.digest), words::clean(&decision.why));
        let (at, revision) = (words::time(decision.at), decision.revision);
        let _ = writeln!(text, "  {container}  {image}: {why}; at {at}, for revision {revision}");
    }
    if let Some(pin) = &memory.pin {
        let (by, at) = (words::clean(&pin.by), words::time(pin.at));
        let _ = writeln!(text, "  {by} rolled back to it at {at}; this holds until the manifest changes.");
    }
    text
}

fn under_way(memory: &ServiceMemory, now: Timestamp) -> String {
    let Some(rollout) = &memory.rollout else { return String::new() };
    let ago = words::duration(words::between(rollout.opened, now));
    let mut text = format!("\nA rollout is in progress since {} ({ago}).\n", words::time(rollout.opened));
    if let Some(doom) = &rollout.doomed {
        let _ = writeln!(text, "  It was stopped at {}: {}", words::time(doom.at), words::clean(&doom.evidence.why()));
    }
    text
}

fn ended(last: &Ended, now: Timestamp) -> String {
    let ago = words::duration(words::between(last.at, now));
    let mut text = format!("\nThe last {} ({ago} ago).\n", words::rolled_out(last));
    for (container, digest) in &last.intended {
        let name = last.images.get(container).map_or(digest.short(), String::as_str);
        let _ = writeln!(text, "  {} should run {}", words::clean(container), named(name, digest));
    }
    evidence(&mut text, &last.evidence);
    text
}

fn evidence(text: &mut String, evidence: &Evidence) {
    let one = |text: &mut String, what: &str, value: &Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(text, "  {what} {}", words::clean(value));
        }
    };
    one(text, "service deployment", &evidence.deployment);
    one(text, "ended as", &evidence.status);
    one(text, "task definition", &evidence.task_definition);
    for (what, counted) in
        [("running", &evidence.running), ("stopped", &evidence.stopped), ("targets", &evidence.targets)]
    {
        for (which, count) in counted {
            let _ = writeln!(text, "  {what}: {count} × {}", words::clean(which));
        }
    }
    let skipped = evidence.log.len().saturating_sub(LINES);
    for line in evidence.log.iter().skip(skipped) {
        let _ = writeln!(text, "  > {}", words::clean(line));
    }
}

fn quarantined(memory: &ServiceMemory, paint: Paint) -> String {
    let mut text = String::new();
    for (digest, bad) in &memory.quarantine {
        if text.is_empty() {
            let _ = writeln!(text, "\n{}:", paint.danger("In quarantine"));
        }
        let name = bad.tag.as_deref().unwrap_or(digest.short());
        let (why, at) = (words::clean(&bad.why), words::time(bad.at));
        let _ = writeln!(text, "  {}, since {at}: {why}", named(name, digest));
    }
    text
}

fn releases(memory: &ServiceMemory) -> String {
    let current = crate::model::digests(&memory.decisions);
    let mut text = String::new();
    for release in memory.releases.iter().filter(|release| release.digests() != current) {
        if text.is_empty() {
            text.push_str("\nEarlier releases that ran successfully (`landfast rollback`):\n");
        }
        let each = release
            .images
            .iter()
            .map(|(container, image)| format!("{} {}", words::clean(container), named(&image.name(), &image.digest)));
        let (images, at) = (each.collect::<Vec<_>>().join(", "), words::time(release.at));
        let _ = writeln!(text, "  {images}, at {at}, as {}", release.task_definition.short());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Decision, Digest, Quarantined, Release, RolloutOutcome};
    use crate::report::fixtures::{self, at};

    fn decision(tag: &str, digit: &str) -> Decision {
        Decision {
            registry: "111122223333".parse().unwrap(),
            repository: "dev-api".to_owned(),
            tag: Some(tag.to_owned()),
            digest: format!("sha256:{}", digit.repeat(64)).parse().unwrap(),
            pushed: at("02:00:00"),
            why: format!("{tag} is the greatest version in ^1"),
            spec: Digest::of(&0),
            revision: 4,
            at: at("02:30:00"),
        }
    }

    #[test]
    fn a_service_says_what_runs_what_failed_and_where_it_can_go() {
        let image = |tag: &str, digit: &str| [("app".to_owned(), decision(tag, digit))].into();
        let release = |tag: &str, digit: &str, revision: u32| Release {
            images: image(tag, digit),
            task_definition: format!("arn:aws:ecs:us-east-1:111122223333:task-definition/dev:{revision}")
                .parse()
                .unwrap(),
            at: at("02:40:00"),
        };
        let last = fixtures::ended(RolloutOutcome::RolledBack);
        let bad = Quarantined { tag: Some("1.2.0".to_owned()), why: last.evidence.why(), at: at("03:04:20") };
        let quarantine = last.intended.values().map(|digest| (digest.clone(), bad.clone())).collect();
        let memory = ServiceMemory {
            decisions: image("1.1.0", "a"),
            releases: vec![release("1.1.0", "a", 6), release("1.0.0", "b", 5)],
            last: Some(last),
            quarantine,
            ..ServiceMemory::default()
        };
        fixtures::golden("why-service.txt", &told(&memory, at("03:12:30"), Paint::Plain));
    }
}
