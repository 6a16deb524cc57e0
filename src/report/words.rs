//! The words that all reports share, so that one thing has one name everywhere.

use std::time::Duration;

use jiff::Timestamp;

use super::safe;
use crate::model::{
    Action, ChangeAction, Difference, Ended, Failure, Guard, OperationKind, Replacement, ResourceChange,
    RolloutOutcome, Waiting,
};

/// Text that others wrote, made fit to stand within a line of ours: line ends, control characters and those that are
/// invisible or reorder text are written as escapes.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        safe::push(&mut safe, c);
    }
    safe
}

/// A value, in quotes: what is empty or ends in a blank must be seen to.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", clean(&text.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// A duration as people say it, to the second: `25m 3s`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
}

/// The time from `start` to `end`; zero if a clock went back in between.
pub(super) fn between(start: Timestamp, end: Timestamp) -> Duration {
    Duration::try_from(end.duration_since(start)).unwrap_or_default()
}

/// A moment, to the second, in UTC.
#[must_use]
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `1 stack`, `2 stacks`.
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// The mark in front of an object, for the eye that runs down the margin.
pub(super) fn symbol(action: Action) -> &'static str {
    match action {
        Action::None => "=",
        Action::Create => "+",
        Action::Update | Action::Recover => "~",
        Action::Revert => "<",
        Action::MayUpdate => "±",
        Action::Adopt => ">",
        Action::Recreate => "-/+",
        Action::Delete => "-",
        Action::Retain => "o",
        Action::Unknown => "?",
    }
}

/// What will happen to the object, as a sentence's end.
pub(super) fn intent(action: Action) -> &'static str {
    match action {
        Action::None => "nothing to do",
        Action::Create => "will be created",
        Action::Update => "will be updated",
        Action::MayUpdate => "may be updated when the outputs it uses change",
        Action::Adopt => "will be adopted",
        Action::Recreate => "will be deleted and created again: its creation failed and it was never healthy",
        Action::Recover => "is stuck; Landfast will try to recover it",
        Action::Revert => "drifted; will be reverted",
        Action::Delete => "will be DELETED",
        Action::Retain => "is kept, although no loaded manifest describes it",
        Action::Unknown => "could not be read, so nothing is planned",
    }
}

/// The sentence of [`intent`] says this difference already.
pub(super) fn goes_without_saying(action: Action, difference: &Difference) -> bool {
    matches!((action, difference), (Action::Create, Difference::Absent) | (Action::Retain, Difference::NotDesired))
}

/// One difference.
pub(super) fn difference(difference: &Difference) -> String {
    match difference {
        Difference::Absent => "the stack does not exist".to_owned(),
        Difference::Missing { name } => format!("{} no longer exists", clean(name)),
        Difference::Gone { at, lost, .. } => {
            let at = at.map(|at| format!(" at {}", time(at))).unwrap_or_default();
            let lost = held(lost.as_ref(), "its contents are unknown", "deleted with it:");
            format!("it was healthy and was deleted outside Landfast{at}{lost}")
        }
        Difference::Template => "the template changed".to_owned(),
        Difference::Parameter { name, from, to } => {
            format!("parameter {}: {}", clean(name), moved(from.as_deref(), to.as_deref(), "(known after apply)"))
        }
        Difference::Stored { name, stored, from, to } => {
            let what = format!("parameter {} (Parameter Store {})", clean(name), clean(stored));
            format!("{what}: {}", moved(from.as_deref(), to.as_deref(), "(none)"))
        }
        Difference::NoEcho { name } => {
            format!("parameter {}: (NoEcho) changed, or its current value is unknown", clean(name))
        }
        Difference::Tag { name, from, to } => {
            format!("tag {}: {}", clean(name), moved(from.as_deref(), to.as_deref(), "(none)"))
        }
        Difference::Role => "the service role differs".to_owned(),
        Difference::Notifications => "the notification topics differ".to_owned(),
        Difference::RollbackAlarms => "the rollback alarms differ".to_owned(),
        Difference::TerminationProtection { to: true } => "termination protection: off → on".to_owned(),
        Difference::TerminationProtection { to: false } => "termination protection: on → OFF".to_owned(),
        Difference::StackPolicy => "the stack policy differs".to_owned(),
        Difference::StackPolicyLifted => {
            "the stack policy was removed from the manifest: a policy that allows everything replaces it (AWS cannot \
            remove one)"
                .to_owned()
        }
        Difference::Owner => "the stack does not have Landfast's owner tag".to_owned(),
        Difference::Elsewhere { region, holds, .. } => {
            let holds = held(holds.as_ref(), "its contents are unknown", "it contains");
            format!("its stack is in {region} and is KEPT there; a second one is created{holds}")
        }
        Difference::Renamed { from } => {
            format!("renamed from {}: only its owner tag changes", clean(from))
        }
        Difference::HandedOver { to } => format!("handed over to {}: only its owner tag changes", clean(to)),
        Difference::Status { status } => format!("the stack is in {status} and must be recovered first"),
        Difference::NotDesired => "its manifest was removed".to_owned(),
        Difference::Skip { resources } => format!(
            "its rollback can continue only if it skips {}: SKIPPED, and out of sync with the stack until the next \
            resync",
            listed(resources)
        ),
        Difference::OutOfStep { resources } => {
            format!(
                "its rollback skipped {}; these are synced with the stack before any other update",
                listed(resources)
            )
        }
        Difference::Leave { resources } => {
            format!("it can be deleted only if it retains {}: KEPT in the account", listed(resources))
        }
        Difference::Value { name, from, to } => {
            format!("{}: {}", clean(name), moved(from.as_deref(), to.as_deref(), "(none)"))
        }
        Difference::Table { name, why } => format!("{}: {}", clean(name), clean(why)),
        Difference::Protection { table, setting, from, to } => {
            format!("{}: {}: {} → {}", clean(table), clean(setting), clean(from), clean(to))
        }
        Difference::Setting { name } => format!("the {} differs", clean(name)),
        Difference::Drift { resource, property: None, .. } => format!("{} no longer exists", clean(resource)),
        Difference::Drift { resource, property: Some(property), live, deployed } => {
            let moved = moved(live.as_deref(), deployed.as_deref(), "(none)");
            format!("{} {}: {moved}", clean(resource), clean(property))
        }
        Difference::Deleted => "scheduled for deletion; can be restored".to_owned(),
        Difference::Fields { names, why } => {
            let names: Vec<String> = names.iter().filter(|name| !name.is_empty()).map(|name| clean(name)).collect();
            if names.is_empty() {
                return format!("the value: {}", clean(why));
            }
            format!("{} {}: {}", if names.len() == 1 { "field" } else { "fields" }, names.join(", "), clean(why))
        }
        Difference::Restart { secrets } => {
            let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
            format!("its tasks started before the current value of {}", secrets.join(", "))
        }
        Difference::Rotation => "its generated fields will be regenerated".to_owned(),
        Difference::Image { container, from, to } => {
            format!("image of {}: {}", clean(container), moved(from.as_deref(), Some(to), "(none)"))
        }
        Difference::MovedTag { container, tag, from, to } => {
            format!("image of {}: tag {} moved from {} to {}", clean(container), clean(tag), clean(from), clean(to))
        }
        Difference::OtherPlatform { container, image } => {
            format!("image of {}: {} was built for another platform", clean(container), clean(image))
        }
        Difference::ImageGone { container, image } => {
            format!("image of {}: {} is no longer in its registry", clean(container), clean(image))
        }
    }
}

/// What a stack holds or held of what holds state; nothing is said of nothing.
fn held(names: Option<&std::collections::BTreeSet<String>>, unknown: &str, known: &str) -> String {
    match names {
        None => format!("; {unknown}"),
        Some(names) if names.is_empty() => String::new(),
        Some(names) => format!("; {known} {}", listed(names)),
    }
}

fn listed(names: &std::collections::BTreeSet<String>) -> String {
    names.iter().map(|name| clean(name)).collect::<Vec<_>>().join(", ")
}

fn moved(from: Option<&str>, to: Option<&str>, no_target: &str) -> String {
    let from = from.map_or_else(|| "(none)".to_owned(), quoted);
    let to = to.map_or_else(|| no_target.to_owned(), quoted);
    format!("{from} → {to}")
}

/// What is waited for, and the failure behind it where there is one. Reads on after "waits for".
pub(super) fn waiting(waiting: &Waiting) -> String {
    match waiting {
        Waiting::Backoff { failure: last, .. } => format!("{}; last failure: {}", briefly(waiting), failure(last)),
        other => briefly(other),
    }
}

/// What is waited for, where the failure is told beside it.
pub(super) fn briefly(waiting: &Waiting) -> String {
    match waiting {
        Waiting::Dependency { objects } => {
            let objects: Vec<String> = objects.iter().map(|object| clean(object)).collect();
            objects.join(", ")
        }
        Waiting::Operation { status, ours, since } => {
            let whose =
                if *ours { "Landfast's own operation" } else { "an operation that was started outside Landfast" };
            let since = since.map(|since| format!(" since {}", time(since))).unwrap_or_default();
            format!("{whose} ({status}{since})")
        }
        Waiting::ChangeSet { name } => format!("AWS to compute change set {}", clean(name)),
        Waiting::Backoff { until, attempt, .. } => {
            format!("a retry at {}, after {}", time(*until), count(*attempt as usize, "failure"))
        }
        Waiting::Unknown { why } => format!("a read to succeed: {}", clean(why)),
        Waiting::Approval { command } => format!("approval: {}", clean(command)),
        Waiting::Turn => "a free slot (limit of concurrent operations)".to_owned(),
        Waiting::Frozen { freeze, scope, by, because, until } => {
            let ends = match until {
                Some(until) => format!("until {}", time(*until)),
                None => format!("until `landfast thaw {}`", clean(freeze)),
            };
            format!("a thaw: {} is frozen by {} because {}, {ends}", clean(scope), clean(by), clean(because))
        }
        Waiting::Window { opens, because } => {
            let because = because.as_ref().map(|because| format!(" ({})", clean(because))).unwrap_or_default();
            match opens {
                Some(opens) => format!("the maintenance window that opens at {}{because}", time(*opens)),
                None => format!("a maintenance window, and none is in sight{because}"),
            }
        }
        Waiting::Readiness { check, why, since, overdue } => {
            let late = if *overdue { "; longer than the timeout in its manifest" } else { "" };
            format!("its check \"{}\": {} (since {}{late})", clean(check), clean(why), time(*since))
        }
        Waiting::Propagation { change, since } => {
            let change = change.as_ref().map(|change| format!(" {}", clean(change))).unwrap_or_default();
            format!("its change{change} to propagate to all DNS servers (sent at {})", time(*since))
        }
        Waiting::Pause { until, why } => format!("{}: {}", time(*until), clean(why)),
        Waiting::Someone { what } => format!("an external change: {}", clean(what)),
        Waiting::Image { container, why } => format!("an image for {}: {}", clean(container), clean(why)),
        Waiting::Job { what, status, since } => {
            let since = since.map(|since| format!(" since {}", time(since))).unwrap_or_default();
            format!("{} ({}{since})", clean(what), clean(status))
        }
        Waiting::Rollout { status, since } => {
            let since = since.map(|since| format!(" since {}", time(since))).unwrap_or_default();
            format!("its rollout ({}{since})", clean(status))
        }
    }
}

/// How a rollout ended.
pub(super) fn outcome(outcome: RolloutOutcome) -> &'static str {
    match outcome {
        RolloutOutcome::Proven => "succeeded",
        RolloutOutcome::RolledBack => "rolled back",
        RolloutOutcome::Superseded => "superseded by another rollout",
        RolloutOutcome::Unproven => "unverified (no tasks run)",
        RolloutOutcome::Failed => "failed",
    }
}

/// How a rollout ended, with what it was to bring and why it did not.
pub(super) fn rolled_out(ended: &Ended) -> String {
    let images = ended.images.iter().map(|(container, image)| format!("{} {}", clean(container), clean(image)));
    let images = images.collect::<Vec<_>>().join(", ");
    let took = ended.opened.map(|opened| format!(" after {}", duration(between(opened, ended.at)))).unwrap_or_default();
    let how = format!("rollout of {images} {}{took}", outcome(ended.outcome));
    match ended.outcome {
        RolloutOutcome::Proven | RolloutOutcome::Superseded | RolloutOutcome::Unproven => how,
        RolloutOutcome::RolledBack | RolloutOutcome::Failed => format!("{how}: {}", clean(&ended.evidence.why())),
    }
}

/// What becomes of a resource, in a few words.
pub(super) fn fate(change: &ResourceChange) -> String {
    let what = match (change.action, change.replacement) {
        (ChangeAction::Add, _) => "adds",
        (ChangeAction::Import, _) => "imports",
        (ChangeAction::Sync, _) => "leaves",
        (ChangeAction::Dynamic, _) => "determined during the update",
        (ChangeAction::Remove, _) => "**REMOVES**",
        (ChangeAction::Modify, Replacement::Never) => "changes",
        (ChangeAction::Modify, Replacement::Always) => "**REPLACES**",
        (ChangeAction::Modify, Replacement::Conditional) => "**MAY REPLACE**",
    };
    if change.retained { format!("{what} (retained)") } else { what.to_owned() }
}

/// The root cause of a failure.
pub(super) fn failure(failure: &Failure) -> String {
    format!("{} ({}): {}", clean(&failure.resource), clean(&failure.kind), clean(&failure.reason))
}

/// The rule, as people call it, in brackets after "refused".
pub(super) fn guard(guard: Guard) -> &'static str {
    match guard {
        Guard::Mode => "mode",
        Guard::Ownership => "ownership",
        Guard::Prune => "pruning",
        Guard::Replace => "stateful replacement",
        Guard::Broaden => "broader access",
        Guard::Backup => "no fresh backup",
        Guard::Budget => "budget",
        Guard::TerminationProtection => "termination protection",
        Guard::StackName => "stack name",
        Guard::RequiredTags => "required tag",
        Guard::ExportInUse => "export in use",
        Guard::ExportTaken => "export taken",
        Guard::Missing => "missing",
        Guard::ChangeSet => "change set",
        Guard::Stalled => "failed before",
        Guard::Stuck => "stuck",
        Guard::OutOfStep => "skipped in rollback",
        Guard::Revision => "older revision",
        Guard::Unread => "unreadable manifest",
        Guard::TemplateSize => "template size",
        Guard::TemplateBucket => "template bucket",
        Guard::Zone => "hosted zone",
        Guard::Empty => "empty record set",
        Guard::NoPreviousValue => "no previous value",
        Guard::TwoWriters => "two writers",
        Guard::NoTable => "no table",
        Guard::Unproven => "restore test",
        Guard::Objective => "objective",
        Guard::Implausible => "implausible backup",
        Guard::MovedTag => "moved tag",
        Guard::Platform => "platform",
        Guard::ImageGone => "image gone",
        Guard::ImageElsewhere => "image not in standby region",
        Guard::Superseded => "superseded",
        Guard::Fight => "repeated drift",
        Guard::Revert => "cannot be reverted",
    }
}

/// The rule as a condition's reason: one word in `CamelCase`.
pub(super) fn guard_reason(guard: Guard) -> &'static str {
    match guard {
        Guard::Mode => "ObservedOnly",
        Guard::Ownership => "NotOwned",
        Guard::Prune => "PruningOff",
        Guard::Replace => "StatefulReplacement",
        Guard::Broaden => "BroaderAccess",
        Guard::Backup => "NoFreshBackup",
        Guard::Budget => "OverBudget",
        Guard::TerminationProtection => "TerminationProtected",
        Guard::StackName => "StackNameRefused",
        Guard::RequiredTags => "RequiredTagMissing",
        Guard::ExportInUse => "ExportInUse",
        Guard::ExportTaken => "ExportTaken",
        Guard::Missing => "Missing",
        Guard::ChangeSet => "ChangeSetRefused",
        Guard::Stalled => "InputsFailed",
        Guard::Stuck => "Stuck",
        Guard::OutOfStep => "SkippedInRollback",
        Guard::Revision => "OlderRevision",
        Guard::Unread => "ManifestUnreadable",
        Guard::TemplateSize => "TemplateTooLarge",
        Guard::TemplateBucket => "TemplateBucketUnusable",
        Guard::Zone => "WrongZone",
        Guard::Empty => "EmptyRecordSet",
        Guard::NoPreviousValue => "NoPreviousValue",
        Guard::TwoWriters => "TwoWriters",
        Guard::NoTable => "NoTable",
        Guard::Unproven => "RestoreTestFailed",
        Guard::Objective => "OverObjective",
        Guard::Implausible => "ImplausibleBackup",
        Guard::MovedTag => "TagMoved",
        Guard::Platform => "WrongPlatform",
        Guard::ImageGone => "ImageGone",
        Guard::ImageElsewhere => "ImageNotInStandby",
        Guard::Superseded => "Superseded",
        Guard::Fight => "RepeatedDrift",
        Guard::Revert => "CannotRevert",
    }
}

/// The operation, as a noun.
pub(super) fn operation(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Create => "creation",
        OperationKind::Update => "update",
        OperationKind::Clear => "cleanup",
        OperationKind::Delete => "deletion",
        OperationKind::Cancel => "update cancellation",
        OperationKind::ContinueRollback => "rollback continuation",
        OperationKind::Resync => "resync of the resources that a rollback skipped",
    }
}

/// Words wrapped to `width` columns, every line begun with `indent`.
pub(super) fn wrapped(text: &str, indent: &str, width: usize) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            lines.push('\n');
            column = 0;
        }
        if column == 0 {
            lines.push_str(indent);
            column = indent.chars().count() + length;
        } else {
            lines.push(' ');
            column += 1 + length;
        }
        lines.push_str(word);
    }
    lines.push('\n');
    lines
}

/// A table: columns as wide as their widest cell, two blanks between them, nothing after the last. Widths are those of
/// the plain cells; `paint` styles a cell by row and column after it was padded.
pub(super) fn table(rows: &[Vec<String>], paint: impl Fn(usize, usize, String) -> String) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for (y, row) in rows.iter().enumerate() {
        let last = row.iter().rposition(|cell| !cell.is_empty()).unwrap_or_default();
        for (x, cell) in row.iter().take(last + 1).enumerate() {
            let padding = if x == last { 0 } else { widths.get(x).map_or(0, |w| w + 2 - cell.chars().count()) };
            text.push_str(&paint(y, x, cell.clone()));
            text.extend(std::iter::repeat_n(' ', padding));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_cannot_move_the_cursor_or_begin_a_line() {
        assert_eq!(clean("a\u{1b}[2Jb\nc\u{202e}d"), "a\\u{1b}[2Jb\\nc\\u{202e}d");
        assert_eq!(quoted("a \"b\" \\ "), r#""a \"b\" \\ ""#);
    }

    #[test]
    fn durations_are_said_to_the_second() {
        assert_eq!(duration(Duration::from_millis(1_503_900)), "25m 3s");
        assert_eq!(duration(Duration::from_millis(20)), "0s");
    }

    #[test]
    fn a_table_pads_all_but_the_last_cell() {
        let rows = [vec!["a".to_owned(), "bb".to_owned()], vec!["ccc".to_owned(), "d".to_owned()]];
        assert_eq!(table(&rows, |_, _, cell| cell), "a    bb\nccc  d\n");
    }
}
