//! Drift beside the resources of stacks: what was changed by hand of stacks themselves, services, secrets, records, and of
//! how tables are protected.
//!
//! There is no second comparison: the plan says what differs. It is drift where nobody has asked for it, which is where
//! the manifest is the one under which the object was as desired, and nothing that it waits for is about to change. What
//! could not be read is unknown, and never as it should be.

use super::HIDDEN;
use crate::model::{
    Action, By, Compared, Difference, Entry, Finding, Key, Kind, Plan, Severity, Verdict, Waiting, is_likely_secret,
};
use crate::plan::Input;

/// What was changed of objects themselves, and which of them could not be read.
#[must_use]
pub fn beside(plan: &Plan, input: &Input<'_>) -> Vec<Compared> {
    let compared = plan.entries.iter().filter_map(|(key, entry)| {
        let made = entry.differences.iter().filter(|difference| is_made(input, key, difference));
        let made = made.filter(|_| is_drift(plan, input, key, entry));
        let found = made.map(|difference| finding(key, entry, difference, input));
        let findings: Vec<Finding> = found.chain(unread(key, entry, input)).collect();
        (!findings.is_empty()).then(|| Compared { object: key.clone(), compared: 0, findings })
    });
    compared.collect()
}

/// It could not be read. Of a stack that is said with what is inside it.
fn unread(key: &Key, entry: &Entry, input: &Input<'_>) -> Option<Finding> {
    let why = entry.waiting.iter().find_map(|waiting| match waiting {
        Waiting::Unknown { why } => Some(why.clone()),
        _ => None,
    })?;
    let unknown = Finding::of(key.clone(), input.now, Verdict::Unknown { why });
    let physical_id = Some(entry.address.name.to_string());
    (key.kind != Kind::Stack && entry.action == Action::Unknown).then_some(Finding { physical_id, ..unknown })
}

/// Somebody has made it, and not the time, a push to a registry, or a rotation.
fn is_made(input: &Input<'_>, key: &Key, difference: &Difference) -> bool {
    match difference {
        Difference::Parameter { name, .. } => {
            let stack = input.environment.stacks.get(key);
            !stack.is_some_and(|spec| spec.images.contains_key(name))
        }
        // What is to run was decided before, and something else runs.
        Difference::Image { container, to, .. } => {
            let memory = input.memory.objects.services.get(key);
            let decided = memory.and_then(|memory| memory.decisions.get(container));
            decided.is_some_and(|decision| decision.name() == *to)
        }
        Difference::Rotation
        | Difference::Restart { .. }
        | Difference::MovedTag { .. }
        | Difference::OtherPlatform { .. }
        | Difference::ImageGone { .. }
        | Difference::Status { .. }
        | Difference::Drift { .. } => false,
        // A table that is new to the policy is not protected yet; of one that it has backed up, somebody has changed it.
        Difference::Protection { table, .. } => {
            let memory = input.memory.objects.backups.get(key);
            let tables = memory.into_iter().flat_map(|memory| memory.tables.keys());
            tables.into_iter().any(|known| known.as_str() == table)
        }
        // A backup that is due is the calendar's doing.
        _ => key.kind != Kind::BackupPolicy,
    }
}

fn is_drift(plan: &Plan, input: &Input<'_>, key: &Key, entry: &Entry) -> bool {
    let at_rest = |on: &Key| plan.entries.get(on).is_none_or(|on| matches!(on.action, Action::None | Action::Revert));
    entry.action == Action::Update
        && entry.depends_on.iter().all(at_rest)
        && input.memory.objects.of(key).and_then(|memory| memory.synced.as_ref()) == Some(&entry.basis.manifest)
}

fn finding(key: &Key, entry: &Entry, difference: &Difference, input: &Input<'_>) -> Finding {
    let (property, expected, live) = parts(difference);
    // Both sides, or a reader could not tell which of them is the secret.
    let secret = [&expected, &live].into_iter().flatten().any(|value| is_likely_secret(&property, value));
    let hide = |value: Option<String>| value.map(|value| if secret { HIDDEN.to_owned() } else { value });
    let (expected, live) = (hide(expected), hide(live));
    let memory = input.memory.objects.of(key);
    let since = memory.and_then(|memory| memory.differs.get(&property)).copied().unwrap_or(input.now);
    let by = memory.and_then(|memory| memory.by.clone()).filter(|deed| deed.at <= since);
    Finding {
        physical_id: Some(entry.address.name.to_string()),
        property: Some(property),
        expected,
        live,
        by: by.map_or(By::NotAsked, By::Somebody),
        ..Finding::of(key.clone(), since, Verdict::Drift(severity(difference)))
    }
}

/// What differs, what is asked for, and what there is.
fn parts(difference: &Difference) -> (String, Option<String>, Option<String>) {
    let none = |what: &str| (what.to_owned(), None, None);
    let on = |on: bool| Some(if on { "on" } else { "off" }.to_owned());
    match difference {
        Difference::Parameter { name, from, to } | Difference::Stored { name, from, to, .. } => {
            (format!("parameter {name}"), to.clone(), from.clone())
        }
        Difference::Tag { name, from, to } => (format!("tag {name}"), to.clone(), from.clone()),
        Difference::Value { name, from, to } => (name.clone(), to.clone(), from.clone()),
        Difference::Protection { table, setting, from, to } => {
            (format!("{setting} of {table}"), Some(to.clone()), Some(from.clone()))
        }
        Difference::NoEcho { name } => none(&format!("parameter {name}")),
        Difference::Setting { name } => none(name),
        Difference::Template => none("template"),
        Difference::Role => none("service role"),
        Difference::Notifications => none("notification topics"),
        Difference::RollbackAlarms => none("rollback alarms"),
        Difference::StackPolicy => none("stack policy"),
        Difference::TerminationProtection { to } => ("termination protection".to_owned(), on(*to), on(!*to)),
        Difference::Image { container, from, to } => (format!("image of {container}"), Some(to.clone()), from.clone()),
        Difference::Fields { names, .. } => {
            let names: Vec<&str> = names.iter().filter(|name| !name.is_empty()).map(String::as_str).collect();
            (if names.is_empty() { "value".to_owned() } else { format!("fields {}", names.join(", ")) }, None, None)
        }
        Difference::Deleted => none("scheduled for deletion; can be restored"),
        Difference::Absent | Difference::Gone { .. } => none("it was deleted"),
        _ => none("its state"),
    }
}

fn severity(difference: &Difference) -> Severity {
    match difference {
        Difference::Tag { .. } => Severity::Low,
        Difference::TerminationProtection { .. }
        | Difference::Protection { .. }
        | Difference::StackPolicy
        | Difference::NoEcho { .. }
        | Difference::Role
        | Difference::Fields { .. }
        | Difference::Deleted
        | Difference::Absent
        | Difference::Gone { .. } => Severity::High,
        _ => Severity::Medium,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_with_what_is_asked_for_and_what_there_is() {
        let tag = Difference::Tag { name: "Team".to_owned(), from: None, to: Some("people".to_owned()) };
        assert_eq!(parts(&tag), ("tag Team".to_owned(), Some("people".to_owned()), None));
        let protection = Difference::TerminationProtection { to: true };
        assert_eq!(
            (parts(&protection), severity(&protection)),
            (("termination protection".to_owned(), Some("on".to_owned()), Some("off".to_owned())), Severity::High)
        );
    }
}
