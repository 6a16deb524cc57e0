//! A plan for a pull request: what a reviewer has to see first, details that unfold, and the command that approves it.
//!
//! Code hosts cut off what is too long, or refuse it (GitHub: 65,536 characters of a comment). What is left out is said,
//! and never what gives access, what is refused, or the command.

use std::fmt::Write as _;

use super::markup::{block, cell, code, html, inline};
use super::{Summary, access, order, words};
use crate::model::{Action, Changes, Difference, Entry, Key, Plan, ResourceChange, Waiting};

/// The longest text that is written, in characters.
const CHARACTERS_MAX: usize = 65_000;

/// So many lines of a table at the top. More than this nobody reads, and `-o json` has them.
const ROWS_MAX: usize = 100;

/// The longest value that is shown.
const VALUE_MAX: usize = 400;

/// The plans of some environments.
#[must_use]
pub fn markdown(plans: &[Plan]) -> String {
    let each = CHARACTERS_MAX / plans.len().max(1);
    plans.iter().map(|plan| one(plan, each.saturating_sub(1))).collect::<Vec<_>>().join("\n")
}

fn one(plan: &Plan, most: usize) -> String {
    let foot = foot(plan);
    let mut text = head(plan, most);
    let quiet = |entry: &Entry| entry.action == Action::None && entry.waiting.is_empty() && entry.refused.is_empty();
    let shown: Vec<_> = order::entries(plan).into_iter().filter(|(_, entry)| !quiet(entry)).collect();
    // Room for the sentence that says what is left out.
    let room = most.saturating_sub(foot.chars().count() + 200);
    let mut length = text.chars().count();
    let mut left = 0;
    for (key, entry) in shown {
        let details = object(key, entry);
        let more = details.chars().count();
        if left > 0 || length + more > room {
            left += 1;
            continue;
        }
        length += more;
        text.push_str(&details);
    }
    if left > 0 {
        let objects = words::count(left, "object");
        let _ = write!(text, "\n**{objects} omitted** because the text would be too long: ");
        let _ = writeln!(text, "{} shows all.", code(&format!("landfast plan {}", plan.environment)));
    }
    text.push_str(&foot);
    clipped(&text, most)
}

/// The last resort, for an environment whose names alone are too long.
fn clipped(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let sentence = "\n\n**The rest is omitted** because the text would be too long.\n";
    let kept: String = text.chars().take(most.saturating_sub(sentence.chars().count())).collect();
    kept + sentence
}

fn head(plan: &Plan, most: usize) -> String {
    let summary = Summary::of(plan);
    let mut text = format!("## Plan for {}\n\n", inline(plan.environment.as_str()));
    let _ = writeln!(text, "Plan {}, revision {}.\n", code(plan.digest.short()), code(&plan.revision.to_string()));
    broadenings(plan, most / 2, &mut text);
    refusals(plan, most / 5, &mut text);
    if plan.is_as_asked() {
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
        "\n<details><summary><code>{}</code> {}: {}{refused}</summary>\n\n",
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

fn foot(plan: &Plan) -> String {
    let idle = |action: Action| matches!(action, Action::None | Action::Retain | Action::Unknown);
    let can = plan.entries.values().any(|entry| !idle(entry.action) && entry.refused.is_empty());
    if !can {
        return String::new();
    }
    format!("\nTo apply exactly this plan:\n\n{}", block("sh", &words::clean(&plan.command)))
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
        for (broadenings, said) in [(0, "omitted"), (500, "more** are not shown")] {
            for entry in plan.entries.values_mut() {
                entry.differences = vec![Difference::NoEcho { name: "y".repeat(9_000) }];
            }
            plan.entries.values_mut().next().unwrap().broadenings = many(broadenings);
            let text = markdown(&[plan.clone(), plan.clone()]);
            assert!(text.chars().count() <= CHARACTERS_MAX, "{}", text.chars().count());
            assert!(text.contains(said), "{said}");
            assert_eq!(text.matches(&format!("```sh\n{}\n", plan.command)).count(), 2);
        }
    }
}
