//! For a terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Advice, DriftFinding, DriftReport, FindingKind, ObjectDrift, word};
use crate::model::Severity;
use crate::report::{Paint, words};

/// Longer values are cut: the other forms have all of them.
const LONG: usize = 100;

pub(super) fn text(report: &DriftReport, paint: Paint) -> String {
    let mut text = String::new();
    for item in &report.items {
        object(&mut text, item, paint);
    }
    let sentence = report.summary.sentence();
    let painted = if report.has_drift() { paint.danger(&sentence) } else { paint.good(&sentence) };
    let _ = writeln!(text, "{painted}");
    text
}

fn object(text: &mut String, item: &ObjectDrift, paint: Paint) {
    let drift: Vec<&DriftFinding> = item.drift().collect();
    let unknown = grouped(item);
    if drift.is_empty() && unknown.is_empty() {
        return;
    }
    let stands = match drift.len() {
        0 if item.is_unseen() => paint.change("NOT COMPARED"),
        0 => "no drift; partly compared".to_owned(),
        some => words::count(some, "difference"),
    };
    let _ = writeln!(text, "{}  {stands}", paint.title(&item.object));
    for finding in drift {
        let severity = finding.severity.unwrap_or(Severity::Medium);
        let padded = format!("{:6}", word(severity));
        let painted = if severity == Severity::High { paint.danger(padded) } else { paint.change(padded) };
        let _ = writeln!(text, "  {painted}  {}", finding.place());
        let about = [finding.kind.as_deref(), finding.physical_id.as_deref()];
        let about = about.into_iter().flatten().map(words::clean).collect::<Vec<_>>().join(", ");
        let about = if about.is_empty() { String::new() } else { format!("{about}, ") };
        let _ = writeln!(text, "          {}", paint.quiet(format!("{about}since {}", words::time(finding.since))));
        match (&finding.by, &finding.by_unknown) {
            (Some(by), _) => _ = writeln!(text, "          by        {}", by.sentence()),
            (None, Some(why)) => {
                let line = format!("by        unknown: {}", words::clean(why));
                text.push_str(&words::wrapped(&line, "          ", 110));
            }
            (None, None) => {}
        }
        if finding.is_gone() {
            let _ = writeln!(text, "          deleted outside CloudFormation");
        } else if finding.sides().is_some() {
            let _ = writeln!(text, "          deployed  {}", value(finding.expected.as_deref()));
            let _ = writeln!(text, "          live      {}", value(finding.live.as_deref()));
        }
        if let Some(advice) = &finding.advice {
            remedy(text, advice, paint);
        }
    }
    options(text, item, paint);
    for (why, resources) in unknown {
        let resources = resources.join(", ");
        let line = format!("not compared: {resources}: {}", words::clean(&why));
        text.push_str(&words::wrapped(&line, "  ", 100));
    }
    text.push('\n');
}

/// What a person can do about one difference that is not the same for all of its object.
fn remedy(text: &mut String, advice: &Advice, paint: Paint) {
    let mut line = |label: &str, said: String| _ = writeln!(text, "          {label:8}  {said}");
    if is_by_hand(advice) {
        for (index, command) in advice.revert.lines().enumerate() {
            line(if index == 0 { "revert" } else { "" }, paint.command(words::clean(command)));
        }
    }
    if let Some(adopt) = &advice.adopt {
        let place = advice.adopt_in.as_deref().map(words::clean).unwrap_or_default();
        line(
            "adopt",
            match adopt.lines().collect::<Vec<_>>().as_slice() {
                [only] => format!("{place}: {}", value(Some(only))),
                _ if place.is_empty() => "change the template (the HTML and JSON forms show how)".to_owned(),
                _ => format!("change {place} (the HTML and JSON forms show how)"),
            },
        );
    }
}

/// It is reverted by commands of the AWS CLI.
fn is_by_hand(advice: &Advice) -> bool {
    !advice.revert.starts_with("landfast ")
}

/// What a person can do about all differences of an object, and what happens without one.
fn options(text: &mut String, item: &ObjectDrift, paint: Paint) {
    let advice: Vec<&Advice> = item.drift().filter_map(|finding| finding.advice.as_ref()).collect();
    if let Some(all) = advice.iter().find(|advice| !is_by_hand(advice)) {
        let said = if all.automatic {
            "Landfast does it (`drift: revert`)".to_owned()
        } else {
            paint.command(words::clean(&all.revert))
        };
        let _ = writeln!(text, "  to revert: {said}");
    }
    if advice.iter().any(|advice| advice.tolerate.is_some()) && !item.file.is_empty() {
        let _ = writeln!(text, "  to tolerate: `spec.drift.ignore` in {}:{}", words::clean(&item.file), item.line);
    }
}

/// What could not be compared, by the reason.
fn grouped(item: &ObjectDrift) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for finding in item.of_kind(FindingKind::Unknown) {
        groups.entry(finding.why.clone().unwrap_or_default()).or_default().push(finding.place());
    }
    groups
}

fn value(value: Option<&str>) -> String {
    let text = words::clean(value.unwrap_or("-"));
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    match text.char_indices().nth(LONG) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
