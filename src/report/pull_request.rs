//! A plan for a pull request: what a reviewer has to see first, details that unfold, and the command that approves it.
//!
//! Code hosts cut off what is too long, or refuse it (GitHub: 65,536 characters of a comment). What is left out is said,
//! and never what gives access, what is refused, or the command.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::change::{self, Told};
use super::markup::{block, cell, code, html, inline};
use super::{Summary, access, order, words};
use crate::model::{Action, Changes, Difference, Entry, Key, Plan, ResourceChange, Waiting};

/// The longest text that is written, in characters. What a pull request says beside it finds room, too.
const CHARACTERS_MAX: usize = 65_000;

/// The first line, by which a comment is found again.
pub const MARKER: &str = "<!-- landfast:plan -->";

/// So many lines of a table. More than this nobody reads, and `-o json` has them.
const ROWS_MAX: usize = 100;

/// The longest value that is shown.
const VALUE_MAX: usize = 400;

/// With less room than this the plan of an environment says nothing, and is left out.
const ROOM_MIN: usize = 1_500;

/// The plans of some environments.
#[must_use]
pub fn markdown(plans: &[Plan]) -> String {
    let all = |plan: &Plan| (change::tell(plan, None), None);
    page(plans, CHARACTERS_MAX, all)
}

/// What a change does in some environments: their plans beside those of the `base`, which is called `name`. What happens
/// anyway is folded away. At most `most` characters.
#[must_use]
pub fn changes_markdown(plans: &[Plan], base: &[Plan], name: &str, most: usize) -> String {
    page(plans, most.min(CHARACTERS_MAX), |plan| {
        let before = base.iter().find(|base| base.environment == plan.environment);
        (change::tell(plan, before), Some(name))
    })
}

fn page<'n>(plans: &[Plan], most: usize, told: impl Fn(&Plan) -> (Told, Option<&'n str>)) -> String {
    let mut text = format!("{MARKER}\n");
    let shown = plans.len().min((most / ROOM_MIN).max(1));
    let room = most.saturating_sub(text.chars().count() + 200) / shown.max(1);
    for plan in plans.iter().take(shown) {
        let (told, base) = told(plan);
        text.push_str(&one(plan, &told, base, room));
        text.push('\n');
    }
    let left = plans.len() - shown;
    if left > 0 {
        let environments = words::count(left, "environment");
        let _ =
            writeln!(text, "**{environments} omitted** because the text would be too long: `landfast plan` shows all.");
    }
    text
}

fn one(plan: &Plan, told: &Told, base: Option<&str>, most: usize) -> String {
    let only = |keys: &BTreeSet<Key>| {
        let entries = plan.entries.iter().filter(|(key, _)| keys.contains(*key));
        Plan { entries: entries.map(|(key, entry)| (key.clone(), entry.clone())).collect(), ..plan.clone() }
    };
    // Everything, where it is compared with nothing: what is in sync is counted.
    let main = if base.is_some() { only(&told.changed) } else { plan.clone() };
    let foot = foot(plan, base.is_some());
    let mut text = head(plan, &main, base, most / 2);
    let mut rest = Rest { room: most.saturating_sub(foot.chars().count() + text.chars().count() + 300), left: 0 };
    rest.table(&main, &told.changed, &mut text);
    for (key, action) in told.no_longer.iter().take(ROWS_MAX) {
        let line = format!("- No longer planned: {} ({action})\n", code(&key.to_string()));
        rest.add(&line, &mut text);
    }
    // Details are the first to be left out, and then all that follow: what is omitted is one sentence.
    let anyway = folded(&only(&told.anyway), base, rest.room / 3);
    let mut of_details = Rest { room: rest.room.saturating_sub(anyway.chars().count()), left: 0 };
    for (key, entry) in order::entries(&main).into_iter().filter(|(_, entry)| !change::is_quiet(entry)) {
        of_details.add(&object(key, entry), &mut text);
    }
    if rest.left + of_details.left > 0 {
        let objects = words::count(rest.left.max(of_details.left), "object");
        let _ = write!(text, "\n**Details of {objects} omitted** because the text would be too long: ");
        let _ = writeln!(text, "{} shows all.", code(&format!("landfast plan {}", plan.environment)));
    }
    text.push_str(&anyway);
    text.push_str(&foot);
    text
}

/// The room that is left, and how much did not find any.
struct Rest {
    room: usize,
    left: usize,
}

impl Rest {
    /// Adds whole lines, as long as all before them found room.
    fn add(&mut self, lines: &str, text: &mut String) {
        let length = lines.chars().count();
        if self.left > 0 || length > self.room {
            self.left += 1;
        } else {
            self.room -= length;
            text.push_str(lines);
        }
    }

    /// The objects and their actions.
    fn table(&mut self, plan: &Plan, keys: &BTreeSet<Key>, text: &mut String) {
        if keys.is_empty() {
            return;
        }
        let before = text.chars().count();
        text.push('\n');
        table(OBJECTS, rows(plan, keys), self.room / 3, text);
        self.room = self.room.saturating_sub(text.chars().count() - before);
    }
}

/// The head of the table of objects.
const OBJECTS: &str = "| | object | action |\n|---|---|---|\n";

fn rows<'p>(plan: &'p Plan, keys: &'p BTreeSet<Key>) -> impl Iterator<Item = String> + 'p {
    let shown = order::entries(plan).into_iter().filter(|(key, _)| keys.contains(*key));
    shown.map(|(key, entry)| {
        let mark = if entry.refused.is_empty() { words::symbol(entry.action) } else { "!" };
        let access = if entry.broadenings.is_empty() { "" } else { ", grants new access" };
        let refused = if entry.refused.is_empty() { "" } else { ", refused" };
        format!("| {} | {} | {}{refused}{access} |\n", code(mark), code(&key.to_string()), words::intent(entry.action))
    })
}

/// What happens without the change, too.
fn folded(plan: &Plan, base: Option<&str>, room: usize) -> String {
    let Some(base) = base.filter(|_| !plan.entries.is_empty()) else { return String::new() };
    let objects = words::count(plan.entries.len(), "object");
    let mut text =
        format!("\n<details><summary>{objects} with changes that <code>{}</code> has too</summary>\n\n", html(base));
    let keys = plan.entries.keys().cloned().collect();
    table(OBJECTS, rows(plan, &keys), room.saturating_sub(200), &mut text);
    text.push_str("</details>\n");
    text
}

fn head(plan: &Plan, main: &Plan, base: Option<&str>, most: usize) -> String {
    let summary = Summary::of(main);
    let mut text = format!("## Plan for {}\n\n", inline(plan.environment.as_str()));
    let _ = write!(text, "Plan {}, revision {}", code(plan.digest.short()), code(&plan.revision.to_string()));
    match base {
        None => text.push_str(".\n\n"),
        Some(base) => _ = write!(text, ", compared with {}.\n\n", code(base)),
    }
    broadenings(main, most / 2, &mut text);
    refusals(main, most / 3, &mut text);
    if base.is_some() && main.entries.is_empty() {
        text.push_str("The change makes no difference to AWS.\n");
        return text;
    }
    if base.is_none() && plan.is_as_asked() {
        let _ = writeln!(text, "In sync: {}.", words::count(summary.objects, "object"));
        return text;
    }
    let counts = [
        (summary.create, "to create"),
        (summary.update, "to update"),
        (summary.may_update, "may update"),
        (summary.adopt, "to adopt"),
        (summary.recreate, "to recreate"),
        (summary.recover, "to recover"),
        (summary.revert, "to revert"),
        (summary.delete, "to delete"),
        (summary.retain, "retained"),
        (summary.unknown, "unknown"),
        (summary.in_sync, "in sync"),
    ];
    let counts: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let _ = writeln!(text, "{}.", counts.join(", "));
    if summary.replaced_or_removed > 0 {
        let resources = words::count(summary.replaced_or_removed, "resource");
        let _ = writeln!(text, "\n**Replaces or deletes up to {resources}.**");
    }
    text
}

fn broadenings(plan: &Plan, room: usize, text: &mut String) {
    let all = access::of(plan);
    if all.is_empty() {
        return;
    }
    let places = words::count(all.len(), "place");
    let _ = write!(text, "### Grants new access ({places})\n\n");
    let rows = all.iter().map(|(key, one)| {
        let resource = format!("{} ({})", one.resource, one.kind);
        let how = if one.property.is_empty() { String::new() } else { format!(", {}", code(&one.property)) };
        let what = format!("{}{}", short(&one.grants), access::later(one));
        let how = format!("{}{how}", access::how(one.access));
        format!("| {} | {} | {how} | {} |\n", code(&key.to_string()), code(&resource), code(&what))
    });
    table("| object | resource | how | what |\n|---|---|---|---|\n", rows, room, text);
}

fn refusals(plan: &Plan, room: usize, text: &mut String) {
    let entries = order::entries(plan);
    let rows: Vec<String> = entries
        .into_iter()
        .flat_map(|(key, entry)| entry.refused.iter().map(move |refusal| (key, refusal)))
        .map(|(key, refusal)| {
            let (why, release) = (inline(&short(&refusal.reason)), inline(&short(&refusal.release)));
            format!("| {} | {} | {why} | {release} |\n", code(&key.to_string()), words::guard(refusal.guard))
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    text.push_str("### Refused\n\n");
    table("| object | rule | why | release |\n|---|---|---|---|\n", rows.into_iter(), room, text);
}

/// A table of as many rows as there is room for, and how many are left out.
fn table(head: &str, rows: impl Iterator<Item = String>, room: usize, text: &mut String) {
    text.push_str(head);
    let (mut length, mut left) = (0, 0);
    for (index, row) in rows.enumerate() {
        length += row.chars().count();
        if index >= ROWS_MAX || length > room {
            left += 1;
        } else {
            text.push_str(&row);
        }
    }
    if left > 0 {
        let _ = writeln!(text, "\n**{left} more** are not shown.");
    }
    text.push('\n');
}

fn object(key: &Key, entry: &Entry) -> String {
    let refused = if entry.refused.is_empty() { "" } else { ", refused" };
    let mark = words::symbol(entry.action);
    let intent = words::intent(entry.action);
    let mut text = format!(
        "\n<details><summary><code>{}</code> <code>{}</code>: {}{refused}</summary>\n\n",
        html(mark),
        html(&key.to_string()),
        html(intent)
    );
    let news = |difference: &&Difference| !words::goes_without_saying(entry.action, difference);
    for difference in entry.differences.iter().filter(news) {
        let _ = writeln!(text, "- {}", inline(&words::difference(difference)));
    }
    changes(entry, &mut text);
    for waiting in entry.waiting.iter().filter(|waiting| !matches!(waiting, Waiting::Approval { .. })) {
        let _ = writeln!(text, "- waits for {}", inline(&words::briefly(waiting)));
    }
    text.push_str("\n</details>\n");
    text
}

fn changes(entry: &Entry, text: &mut String) {
    let origin = match &entry.changes {
        Changes::Known(_) => "computed by CloudFormation",
        Changes::Predicted(_) => "predicted from the templates",
        Changes::AfterApply => {
            text.push_str("- resources: known after apply\n");
            return;
        }
        Changes::None => return,
    };
    let list = entry.changes.list();
    if list.is_empty() {
        return;
    }
    let _ = write!(text, "\nResources, {origin}:\n\n| | resource | type | properties |\n|---|---|---|---|\n");
    for change in list {
        let properties = change.properties.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            words::fate(change),
            code(&change.resource),
            code(&change.kind),
            cell(Some(&properties))
        );
    }
    let lines: Vec<String> = list.iter().flat_map(values).collect();
    if !lines.is_empty() {
        let _ = write!(text, "\n{}", block("diff", &lines.join("\n")));
    }
}

fn values(change: &ResourceChange) -> Vec<String> {
    let line = |mark: &str, path: &str, value: &Option<String>| {
        let value = value.as_ref()?;
        Some(format!(
            "{mark} {}{}: {}",
            words::clean(&change.resource),
            words::clean(path),
            words::clean(&short(value))
        ))
    };
    let both = change
        .values
        .iter()
        .flat_map(|value| [line("-", &value.path, &value.before), line("+", &value.path, &value.after)]);
    both.flatten().collect()
}

/// Not longer than people read.
fn short(value: &str) -> String {
    if value.chars().count() <= VALUE_MAX {
        return value.to_owned();
    }
    value.chars().take(VALUE_MAX).collect::<String>() + " […]"
}

fn foot(plan: &Plan, is_ahead: bool) -> String {
    let idle = |action: Action| matches!(action, Action::None | Action::Retain | Action::Unknown);
    let can = plan.entries.values().any(|entry| !idle(entry.action) && entry.refused.is_empty());
    if !can {
        return String::new();
    }
    let when = if is_ahead { ", once the commit is followed or checked out" } else { "" };
    format!("\nTo apply exactly this plan{when}:\n\n{}", block("sh", &words::clean(&plan.command)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Access, Broadening};
    use crate::report::fixtures;

    #[test]
    fn a_plan_for_a_pull_request_reads_as_it_did() {
        fixtures::golden("plan.md", &markdown(&[fixtures::everything()]));
        fixtures::golden("plan-in-sync.md", &markdown(&[fixtures::in_sync()]));
    }

    #[test]
    fn what_a_change_does_stands_apart_from_what_happens_anyway() {
        let (head, mut base) = (fixtures::everything(), fixtures::everything());
        base.entries.retain(|key, _| key.name.as_str() != "network" && key.name.as_str() != "ecs-service");
        let text = changes_markdown(std::slice::from_ref(&head), &[base], "main", CHARACTERS_MAX);
        fixtures::golden("change.md", &text);
        let nothing =
            changes_markdown(std::slice::from_ref(&head), std::slice::from_ref(&head), "main", CHARACTERS_MAX);
        assert!(nothing.contains("The change makes no difference to AWS."), "{nothing}");
    }

    #[test]
    fn what_is_too_long_is_left_out_and_that_is_said() {
        let mut plan = fixtures::everything();
        let many = |count: usize| {
            let one = |number: usize| Broadening {
                resource: format!("Role{number}"),
                kind: "AWS::IAM::Role".to_owned(),
                access: Access::Identity,
                property: "Policies".to_owned(),
                grants: "Allow s3:* on ".to_owned() + &"x".repeat(1_000),
                after_apply: false,
            };
            (0..count).map(one).collect::<Vec<_>>()
        };
        for (broadenings, said) in [(0, "omitted**"), (500, "more** are not shown")] {
            for entry in plan.entries.values_mut() {
                entry.differences = vec![Difference::NoEcho { name: "y".repeat(9_000) }];
            }
            plan.entries.values_mut().next().unwrap().broadenings = many(broadenings);
            let text = markdown(&[plan.clone(), plan.clone()]);
            assert!(text.chars().count() <= CHARACTERS_MAX, "{}", text.chars().count());
            assert!(text.contains(said), "{said}");
            assert_eq!(text.matches(&format!("```sh\n{}\n", plan.command)).count(), 2);
            let many = markdown(&vec![plan.clone(); 300]);
            assert!(many.chars().count() <= CHARACTERS_MAX && many.contains("environments omitted**"), "{many}");
            for most in [2_000, 4_000, 9_000, 65_000] {
                let mut base = plan.clone();
                base.entries.pop_first();
                let text = changes_markdown(&[plan.clone()], &[base], "main", most);
                assert!(text.chars().count() <= most && text.starts_with(MARKER), "{most}: {}", text.chars().count());
                assert_eq!(text.lines().filter(|line| line.starts_with("```")).count() % 2, 0, "{text}");
                assert_eq!(text.matches("<details>").count(), text.matches("</details>").count(), "{text}");
                assert!(text.contains(&plan.command), "the command is always there");
            }
        }
    }
}
