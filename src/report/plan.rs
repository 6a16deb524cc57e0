//! A plan as people read it: what, why, what is replaced, what is guarded, what is known only after apply.
//!
//! Objects stand in the order in which they happen, deletions last; what is in sync is a number. What destroys is in
//! capitals. Every refusal is followed by what would release it, and the whole by the next command to type.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{Paint, Summary, access, order, words};
use crate::model::{
    Action, ChangeAction, Changes, Difference, Entry, Key, Plan, Replacement, ResourceChange, Scope, Waiting,
};

/// The indentation below an object's line.
const BODY: &str = "      ";

/// The plans of several environments, one after the other.
#[must_use]
pub fn plans<'a>(plans: impl IntoIterator<Item = &'a Plan>, paint: Paint) -> String {
    plans.into_iter().map(|one| plan(one, paint)).collect::<Vec<_>>().join("\n")
}

/// The plan of one environment.
#[must_use]
pub fn plan(plan: &Plan, paint: Paint) -> String {
    let scopes: BTreeSet<&Scope> = plan.entries.values().map(|entry| &entry.address.scope).collect();
    let mut text = header(plan, &scopes, paint);
    let summary = Summary::of(plan);
    let quiet = |entry: &Entry| entry.action == Action::None && entry.waiting.is_empty() && entry.refused.is_empty();
    for (key, entry) in order::entries(plan).into_iter().filter(|(_, entry)| !quiet(entry)) {
        text.push('\n');
        text.push_str(&object(key, entry, scopes.len() > 1, paint));
    }
    let collapsed = plan.entries.values().filter(|entry| quiet(entry)).count();
    if collapsed > 0 && collapsed < summary.objects {
        let _ = writeln!(text, "\n  {} {} in sync", paint.good("="), words::count(collapsed, "other object"));
    }
    text.push_str(&access::text(plan, paint));
    text.push('\n');
    text.push_str(&footer(plan, &summary, paint));
    text
}

fn header(plan: &Plan, scopes: &BTreeSet<&Scope>, paint: Paint) -> String {
    let place = match scopes.iter().next() {
        None => "no objects".to_owned(),
        Some(scope) if scopes.len() == 1 => format!("account {}, {}", scope.account, scope.region),
        Some(_) => {
            let accounts: BTreeSet<_> = scopes.iter().map(|scope| &scope.account).collect();
            let regions: BTreeSet<_> = scopes.iter().map(|scope| &scope.region).collect();
            format!("{}, {}", words::count(accounts.len(), "account"), words::count(regions.len(), "region"))
        }
    };
    let title = paint.title(&plan.environment);
    format!("{title}  {place}, revision {}, plan {}\n", plan.revision, plan.digest.code())
}

/// One object: its line, and below it why, what changes, what it waits for, who refuses.
fn object(key: &Key, entry: &Entry, several_scopes: bool, paint: Paint) -> String {
    let refused = !entry.refused.is_empty();
    let mark = if refused { "!" } else { words::symbol(entry.action) };
    let intent = match (refused, entry.action) {
        (false, action) if entry.waiting.iter().any(|waiting| matches!(waiting, Waiting::Approval { .. })) => {
            format!("{} after approval", words::intent(action))
        }
        (false, action) => words::intent(action).to_owned(),
        (true, Action::None) => "REFUSED".to_owned(),
        (true, action) => format!("REFUSED: {action}"),
    };
    let line = format!("{mark:>3} {key}  {intent}");
    let mut text = format!("{}\n", by_action(entry.action, refused, paint, &line));
    let status = entry.status.as_ref().map(|status| format!(", now {status}")).unwrap_or_default();
    let scope = if several_scopes { format!(" in {}", entry.address.scope) } else { String::new() };
    let _ =
        writeln!(text, "{BODY}{}", paint.quiet(format!("{} {}{scope}{status}", key.kind.noun(), entry.address.name)));

    let news = |difference: &&Difference| !words::goes_without_saying(entry.action, difference);
    for (index, difference) in entry.differences.iter().filter(news).enumerate() {
        let because = if index == 0 { "because" } else { "       " };
        let _ = writeln!(text, "{BODY}{because} {}", words::difference(difference));
    }
    text.push_str(&changes(entry, paint));
    for waiting in &entry.waiting {
        let _ = writeln!(text, "{BODY}waits for {}", held(waiting, paint));
        if let Waiting::Backoff { failure, .. } = waiting {
            let _ = writeln!(text, "{BODY}  last failure: {}", words::failure(failure));
        }
    }
    for refusal in &entry.refused {
        let guard = paint.danger(format!("refused ({})", words::guard(refusal.guard)));
        let _ = writeln!(text, "{BODY}{guard}: {}", words::clean(&refusal.reason));
        let _ = writeln!(text, "{BODY}  release: {}", paint.command(words::clean(&refusal.release)));
    }
    text
}

fn held(waiting: &Waiting, paint: Paint) -> String {
    match waiting {
        Waiting::Approval { command } => format!("approval: {}", paint.command(words::clean(command))),
        other => words::briefly(other),
    }
}

fn by_action(action: Action, refused: bool, paint: Paint, line: &str) -> String {
    match action {
        _ if refused => paint.danger(line),
        Action::Create | Action::Adopt => paint.good(line),
        Action::Update | Action::MayUpdate | Action::Recover | Action::Revert | Action::Unknown => paint.change(line),
        Action::Recreate | Action::Delete => paint.danger(line),
        Action::None | Action::Retain => line.to_owned(),
    }
}

/// What happens to resources. Many creations are one line of counts by type: nobody checks them one by one, and
/// `-o json` has them all. Whatever is changed or destroyed has a line of its own.
fn changes(entry: &Entry, paint: Paint) -> String {
    let (list, origin) = match &entry.changes {
        Changes::Known(list) => (list, "computed by CloudFormation"),
        Changes::Predicted(list) => (list, "predicted from the templates"),
        Changes::AfterApply => {
            return format!("{BODY}resources: (known after apply; they depend on outputs that do not exist yet)\n");
        }
        Changes::None => return String::new(),
    };
    match &entry.changes {
        // The templates describe the same resources. Parameters and tags differ, and what that does AWS has yet to say.
        Changes::Predicted(list) if list.is_empty() => {
            return format!("{BODY}resources: (known after CloudFormation has computed the change set)\n");
        }
        Changes::Known(list) if list.is_empty() => return format!("{BODY}resources: no changes ({origin})\n"),
        _ => {}
    }
    if list.iter().all(|change| change.action == ChangeAction::Add) {
        let text = format!("creates {}: {}", words::count(list.len(), "resource"), by_type(list));
        return words::wrapped(&text, BODY, 120);
    }
    let mut text = format!("{BODY}resources, {origin}:\n");
    let width = |of: fn(&ResourceChange) -> &String| list.iter().map(|c| of(c).chars().count()).max().unwrap_or(0);
    let (names, kinds) = (width(|change| &change.resource), width(|change| &change.kind));
    for change in list {
        let (mark, mut loud) = fate(change, paint);
        if let Some(why) = &change.unknown {
            let _ = write!(loud, " {}", paint.danger(format!("(UNKNOWN: {})", words::clean(why))));
        }
        let line = format!(
            "{mark:>3} {:names$}  {:kinds$}  {loud}",
            words::clean(&change.resource),
            words::clean(&change.kind)
        );
        let _ = writeln!(text, "{BODY}  {}", line.trim_end());
        values(change, &mut text);
    }
    text
}

/// Values that are shown of one resource; `-o json` has all.
const VALUES_MAX: usize = 8;

/// The longest value that is shown.
const VALUE_MAX: usize = 60;

/// What becomes of values, one line for each.
fn values(change: &ResourceChange, text: &mut String) {
    let shown = |value: &Option<String>| match value {
        None => "(none)".to_owned(),
        Some(value) if value.chars().count() > VALUE_MAX => {
            words::clean(&value.chars().take(VALUE_MAX).collect::<String>()) + "…"
        }
        Some(value) => words::clean(value),
    };
    for value in change.values.iter().take(VALUES_MAX) {
        let path = value.path.strip_prefix("/Properties/").unwrap_or(&value.path);
        let (before, after) = (shown(&value.before), shown(&value.after));
        let _ = writeln!(text, "{BODY}        {}: {before} → {after}", words::clean(path));
    }
    if change.values.len() > VALUES_MAX {
        let _ = writeln!(text, "{BODY}        and {} more", change.values.len() - VALUES_MAX);
    }
}

/// The mark of a resource change, and in words what becomes of the resource.
fn fate(change: &ResourceChange, paint: Paint) -> (&'static str, String) {
    let what = change.physical_id.as_deref().map(|id| format!(" {}", words::clean(id))).unwrap_or_default();
    let properties: Vec<String> = change.properties.iter().map(|property| words::clean(property)).collect();
    let properties = if properties.is_empty() { String::new() } else { format!("({})", properties.join(", ")) };
    let kept = if change.retained { " (the old resource is retained in the account)" } else { "" };
    match (change.action, change.replacement) {
        (ChangeAction::Add, _) => ("+", paint.good("adds")),
        (ChangeAction::Import, _) => (">", paint.change(format!("imports{what}"))),
        (ChangeAction::Sync, _) => ("=", "already matches the template".to_owned()),
        (ChangeAction::Dynamic, _) => ("±", paint.change("determined by CloudFormation during the update")),
        (ChangeAction::Remove, _) => ("-", format!("{}{kept}", paint.danger(format!("REMOVES{what}")))),
        (ChangeAction::Modify, Replacement::Never) => ("~", paint.change(format!("changes {properties}").trim_end())),
        (ChangeAction::Modify, Replacement::Always) => {
            ("-/+", format!("{}{kept}", paint.danger(format!("REPLACES{what} {properties}").trim_end())))
        }
        (ChangeAction::Modify, Replacement::Conditional) => {
            ("-/~", format!("{}{kept}", paint.danger(format!("MAY REPLACE{what} {properties}").trim_end())))
        }
    }
}

fn by_type(list: &[ResourceChange]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for change in list {
        *counts.entry(&change.kind).or_default() += 1;
    }
    let words = counts.into_iter().map(|(kind, count)| match count {
        1 => words::clean(kind),
        _ => format!("{count}×{}", words::clean(kind)),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// The counts, and the next command.
fn footer(plan: &Plan, summary: &Summary, paint: Paint) -> String {
    if plan.is_as_asked() {
        if summary.objects == 0 {
            return "No manifests and no managed resources.\n".to_owned();
        }
        let mut text = format!("{}: {}", paint.good("In sync"), words::count(summary.objects, "object"));
        if summary.waiting > 0 {
            let _ = write!(text, "; {} waiting", summary.waiting);
        }
        return text + ".\n";
    }
    let mut text = paint.title("Plan");
    let _ = write!(text, ": {} to create, {} to update", summary.create, summary.update);
    let others = [
        (summary.may_update, "may update"),
        (summary.adopt, "to adopt"),
        (summary.recreate, "to recreate"),
        (summary.recover, "to recover"),
    ];
    for (number, what) in others.into_iter().filter(|(number, _)| *number > 0) {
        let _ = write!(text, ", {number} {what}");
    }
    let _ = write!(text, ", {} to delete", summary.delete);
    let states = [
        (summary.retain, "retained"),
        (summary.unknown, "unknown"),
        (summary.waiting, "waiting"),
        (summary.refused, "refused"),
    ];
    for (number, what) in states.into_iter().filter(|(number, _)| *number > 0) {
        let _ = write!(text, "; {number} {what}");
    }
    text.push_str(".\n");
    if summary.replaced_or_removed > 0 {
        let resources = words::count(summary.replaced_or_removed, "resource");
        let _ = writeln!(text, "{}", paint.danger(format!("Replaces or deletes up to {resources}; see above.")));
    }
    let keyed = plan.keyed();
    if let Some(first) = keyed.first() {
        let more = if keyed.len() > 1 { format!(" and {} more", keyed.len() - 1) } else { String::new() };
        let _ = writeln!(
            text,
            "The digest covers secret values ({}{more}), so it is valid only with this state directory.",
            words::clean(first)
        );
    }
    text.push_str(&next(plan, summary, paint));
    text
}

/// What to type next. A plan in which nothing can be done has no `apply`.
fn next(plan: &Plan, summary: &Summary, paint: Paint) -> String {
    let environment = &plan.environment;
    let idle = |action: Action| matches!(action, Action::None | Action::Retain | Action::Unknown);
    let can = plan.entries.values().any(|entry| !idle(entry.action) && entry.refused.is_empty());
    let mut text = String::new();
    if summary.unknown > 0 {
        let objects = words::count(summary.unknown, "object");
        let look = paint.command(format!("landfast plan {environment}"));
        let _ = writeln!(text, "{objects} could not be read and will not be changed. Try again: {look}");
    }
    // A part of a plan, or one that cannot be approved, has no command.
    if can && !plan.command.is_empty() {
        let apply = paint.command(&plan.command);
        let what = if summary.refused > 0 {
            "To apply this plan without the refused changes"
        } else {
            "To apply exactly this plan"
        };
        let _ = writeln!(text, "{what}: {apply}");
    } else if !can && summary.refused > 0 {
        text.push_str("Nothing can be applied until a refusal is resolved; see `release` above.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn a_plan_with_everything_in_it_reads_as_it_did() {
        fixtures::golden("plan.txt", &plan(&fixtures::everything(), Paint::Plain));
    }

    #[test]
    fn colour_adds_nothing_but_escapes() {
        let painted = plan(&fixtures::everything(), Paint::Colour);
        let mut plain = String::new();
        let mut rest = painted.as_str();
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            plain.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        plain.push_str(rest);
        assert_eq!(plain, plan(&fixtures::everything(), Paint::Plain));
    }

    #[test]
    fn a_plan_in_sync_is_two_sentences() {
        fixtures::golden("plan-in-sync.txt", &plan(&fixtures::in_sync(), Paint::Plain));
    }

    #[test]
    fn several_environments_follow_each_other_and_several_regions_are_told_apart() {
        let mut abroad = fixtures::in_sync();
        abroad
            .entries
            .extend(fixtures::everything().entries.into_iter().filter(|(key, _)| *key == fixtures::key("iam")));
        abroad.entries.get_mut(&fixtures::key("iam")).unwrap().address.scope.region = "us-west-2".parse().unwrap();
        fixtures::golden("plans.txt", &plans(&[fixtures::in_sync(), abroad], Paint::Plain));
    }

    #[test]
    fn a_plan_in_which_all_is_refused_offers_no_apply() {
        let mut plan = fixtures::everything();
        plan.entries.retain(|_, entry| !entry.refused.is_empty());
        let text = super::plan(&plan, Paint::Plain);
        assert!(!text.contains("To do"), "{text}");
        assert!(text.ends_with("Nothing can be applied until a refusal is resolved; see `release` above.\n"), "{text}");
    }
}
