//! `landfast why dev/stack/msk`: everything there is to say about one object, in sentences.
//!
//! The order is that of the questions of somebody who was woken up: what is it, what should happen to it, what holds
//! it, what would release it, how did it fail, who else suffers, what happened before.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::{Paint, doctor, restores, service, words};
use crate::model::{
    Act, Action, ChangeAction, Changes, Entry, Key, Memory, Plan, Replacement, StackMemory, Waiting, nearest,
};

/// There is no such object in the plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("environment {environment} has no object {key}{}", meant.as_ref().map(|key| format!("; did you mean \
{key}?")).unwrap_or_default())]
pub struct NoSuchObject {
    /// What was asked for.
    pub key: Key,
    /// Where.
    pub environment: String,
    /// The object with the most similar name, if one is similar.
    pub meant: Option<Key>,
}

/// All that is known about one object. `journal` are its last records, oldest first.
///
/// # Errors
/// The plan does not know the object.
pub fn why<'a>(
    plan: &Plan,
    memory: &Memory,
    key: &Key,
    now: Timestamp,
    journal: impl IntoIterator<Item = (Timestamp, &'a str)>,
    paint: Paint,
) -> Result<String, NoSuchObject> {
    let Some(entry) = plan.entries.get(key) else { return Err(no_such_object(plan, key)) };
    let remembered = memory.objects.stacks.get(key);
    let mut text = identity(plan, key, entry, paint);
    text.push_str(&intention(entry));
    if let Some(remembered) = remembered {
        text.push_str(&running(remembered, now));
    }
    if let Some(remembered) = memory.objects.services.get(key) {
        text.push_str(&service::told(remembered, now, paint));
    }
    text.push_str(&service::passed_over(entry));
    if let Some(remembered) = memory.objects.backups.get(key) {
        text.push_str(&restores::told(remembered, now));
    }
    text.push_str(&obstacles(plan, key, entry, paint));
    for diagnosis in &entry.ailments {
        let _ = write!(text, "\nProblem:\n{}", doctor::told(diagnosis, paint));
    }
    if let Some(remembered) = remembered {
        text.push_str(&failures(remembered, now, paint));
    }
    text.push_str(&neighbours(plan, key, entry));
    text.push_str(&history(journal));
    Ok(text)
}

fn identity(plan: &Plan, key: &Key, entry: &Entry, paint: Paint) -> String {
    let scope = &entry.address.scope;
    let status = match (&entry.status, entry.action) {
        (Some(status), _) => format!("Its status is {status}."),
        (None, Action::Unknown) => "It could not be read, so its status is unknown.".to_owned(),
        (None, _) => "It does not exist.".to_owned(),
    };
    format!(
        "{} is {} {} in account {}, {}. {status}\nRevision {}, plan {}.\n",
        paint.title(key),
        key.kind.noun(),
        entry.address.name,
        scope.account,
        scope.region,
        plan.revision,
        plan.digest.code()
    )
}

fn intention(entry: &Entry) -> String {
    let mut text = match entry.action {
        Action::None => "\nIt is in sync with its manifest.\n".to_owned(),
        // Refused, or waiting for a person: "will be" would promise too much.
        action if !entry.refused.is_empty() => format!("\nThe required change ({action}) is refused.\n"),
        action => format!("\nIt {}.\n", words::intent(action)),
    };
    for difference in entry.differences.iter().filter(|one| !words::goes_without_saying(entry.action, one)) {
        let _ = writeln!(text, "  - {}", words::difference(difference));
    }
    match &entry.changes {
        Changes::AfterApply => text.push_str("The effect on its resources is known after apply.\n"),
        changes => {
            let destroyed: Vec<_> = changes.list().iter().filter(|change| change.is_destructive()).collect();
            for change in &destroyed {
                let perhaps = change.action == ChangeAction::Modify && change.replacement == Replacement::Conditional;
                let fate = match (perhaps, change.retained) {
                    (false, false) => "would be destroyed",
                    (true, false) => "may be destroyed",
                    (false, true) => "would be removed from the stack and retained in the account",
                    (true, true) => "may be removed from the stack and retained in the account",
                };
                let (resource, kind) = (words::clean(&change.resource), words::clean(&change.kind));
                let _ = writeln!(text, "  ! {resource} ({kind}) {fate}");
            }
            for change in changes.list() {
                let Some(why) = &change.unknown else { continue };
                let (resource, kind, why) =
                    (words::clean(&change.resource), words::clean(&change.kind), words::clean(why));
                let _ = writeln!(text, "  ! the changes in {resource} ({kind}) are unknown: {why}");
            }
        }
    }
    text
}

fn running(memory: &StackMemory, now: Timestamp) -> String {
    let Some(pending) = &memory.pending else { return String::new() };
    format!(
        "\nLandfast's {} started at {}, {} ago, and has not ended.\n",
        words::operation(pending.kind),
        words::time(pending.started),
        words::duration(words::between(pending.started, now))
    )
}

fn obstacles(plan: &Plan, key: &Key, entry: &Entry, paint: Paint) -> String {
    let mut text = String::new();
    for refusal in &entry.refused {
        let guard = paint.danger(format!("Refused ({})", words::guard(refusal.guard)));
        let release = paint.command(words::clean(&refusal.release));
        let _ = writeln!(text, "\n{guard}: {}\n  To release it: {release}", words::clean(&refusal.reason));
    }
    for waiting in &entry.waiting {
        let _ = writeln!(text, "\nIt waits for {}.", words::briefly(waiting));
        if matches!(waiting, Waiting::Dependency { .. }) {
            text.push_str(&root_blockers(plan, key));
        }
    }
    match &entry.step {
        Some(step) if text.is_empty() && entry.action != Action::None => {
            format!("\nNothing blocks it. Next step: {}.\n", step.action.verb())
        }
        _ => text,
    }
}

/// What really holds the objects that are waited for: those behind them that wait for no other object, and those that
/// wait for a person whatever else they wait for. There the remedy is. Every object is visited once.
fn root_blockers(plan: &Plan, key: &Key) -> String {
    let mut seen = BTreeSet::from([key]);
    let mut open = vec![key];
    let mut roots = BTreeSet::new();
    while let Some(next) = open.pop() {
        let Some(entry) = plan.entries.get(next) else { continue };
        let unready = |key: &&Key| plan.entries.get(*key).is_some_and(|entry| !entry.ready);
        let behind: Vec<&Key> = entry.depends_on.iter().filter(unready).collect();
        if next != key && (behind.is_empty() || needs_person(entry)) {
            roots.insert(next);
        }
        open.extend(behind.into_iter().filter(|key| seen.insert(key)));
    }
    let mut text = String::new();
    for root in roots {
        let state = plan.entries.get(root).map(state).unwrap_or_default();
        let _ = writeln!(text, "  Blocked by {root}, which {state}");
    }
    text
}

fn needs_person(entry: &Entry) -> bool {
    !entry.refused.is_empty() || entry.waiting.iter().any(|waiting| matches!(waiting, Waiting::Approval { .. }))
}

/// How an object is, in half a sentence that follows its name.
fn state(entry: &Entry) -> String {
    if entry.ready {
        return "is ready".to_owned();
    }
    if let Some(refusal) = entry.refused.first() {
        return format!("is refused ({}): {}", words::guard(refusal.guard), words::clean(&refusal.reason));
    }
    let approval = entry.waiting.iter().find(|waiting| matches!(waiting, Waiting::Approval { .. }));
    if let Some(waiting) = approval.or(entry.waiting.first()) {
        return format!("waits for {}", words::briefly(waiting));
    }
    words::intent(entry.action).to_owned()
}

fn failures(memory: &StackMemory, now: Timestamp, paint: Paint) -> String {
    let Some(attempts) = &memory.attempts else { return String::new() };
    let heading = paint.danger("Last failure");
    let ago = words::duration(words::between(attempts.last, now));
    let times = match attempts.count {
        0 | 1 => "once".to_owned(),
        count => format!("{count} times"),
    };
    let advice = if attempts.failure.transient {
        "AWS reports a temporary error; a retry may succeed."
    } else {
        "A retry will probably fail again. Change the manifest or the resources it refers to."
    };
    format!(
        "\n{heading}: {} ({ago} ago). These inputs have failed {times}. Cause:\n  {}\n  {advice}\n",
        words::time(attempts.last),
        words::failure(&attempts.failure)
    )
}

fn neighbours(plan: &Plan, key: &Key, entry: &Entry) -> String {
    let mut text = String::new();
    if !entry.depends_on.is_empty() {
        text.push_str("\nIt depends on:\n");
        for other in &entry.depends_on {
            let state = plan.entries.get(other).map_or_else(|| "is not in this plan".to_owned(), state);
            let _ = writeln!(text, "  {other} {state}");
        }
    }
    let dependents: Vec<(&Key, &Entry)> =
        plan.entries.iter().filter(|(_, entry)| entry.depends_on.contains(key)).collect();
    if !dependents.is_empty() {
        text.push_str("\nRequired by:\n");
        for (other, entry) in dependents {
            let _ = writeln!(text, "  {other} {}", state(entry));
        }
    }
    text
}

fn history<'a>(journal: impl IntoIterator<Item = (Timestamp, &'a str)>) -> String {
    let mut text = String::new();
    for (at, record) in journal {
        if text.is_empty() {
            text.push_str("\nJournal, newest last:\n");
        }
        let _ = writeln!(text, "  {}  {}", words::time(at), words::clean(record));
    }
    text
}

fn no_such_object(plan: &Plan, key: &Key) -> NoSuchObject {
    let near = nearest(key.name.as_str(), plan.entries.keys().map(|other| other.name.as_str()));
    let meant = plan.entries.keys().find(|other| near == Some(other.name.as_str())).cloned();
    NoSuchObject { key: key.clone(), environment: plan.environment.to_string(), meant }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::{self, at, key};

    fn ask(name: &str) -> String {
        let journal = [(at("03:09:01"), "create began (landfast-2)"), (at("03:10:00"), "create failed: MSKCluster")];
        why(&fixtures::everything(), &fixtures::memory(), &key(name), at("03:12:30"), journal, Paint::Plain).unwrap()
    }

    #[test]
    fn the_reasons_read_as_they_did() {
        let names = ["msk", "ecs-service", "dynamodb", "redis", "ecr", "kms", "network"];
        fixtures::golden("why.txt", &names.map(ask).join("\n--------\n\n"));
    }

    #[test]
    fn an_object_that_is_not_there_is_met_with_a_suggestion() {
        let plan = fixtures::everything();
        let ask = |name| why(&plan, &fixtures::memory(), &key(name), at("03:12:30"), [], Paint::Plain).unwrap_err();
        assert_eq!(
            ask("netwrok").to_string(),
            "environment dev has no object dev/stack/netwrok; did you mean dev/stack/network?"
        );
        assert_eq!(ask("something-else").meant, None);
    }
}
