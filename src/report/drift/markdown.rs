//! For a merge request or a chat.

use std::fmt::Write as _;

use super::{DriftFinding, DriftReport, FindingKind, word};
use crate::report::markup::{block, cell, code, html, inline};
use crate::report::words;

pub(super) fn markdown(report: &DriftReport) -> String {
    let mut text = format!("## Drift on {}\n\n{}\n", words::time(report.at), report.summary.sentence());
    for item in report.items.iter().filter(|item| item.drift().next().is_some()) {
        let _ = write!(
            text,
            "\n### {}\n\n| severity | resource | property | deployed | live | since |\n|---|---|---|---|---|---|\n",
            inline(&item.object)
        );
        for finding in item.drift() {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                finding.severity.map_or("", word),
                cell(finding.resource.as_deref()),
                cell(finding.property.as_deref()),
                if finding.is_gone() { "present".to_owned() } else { cell(finding.expected.as_deref()) },
                if finding.is_gone() { "deleted".to_owned() } else { cell(finding.live.as_deref()) },
                words::time(finding.since),
            );
        }
        for finding in item.drift() {
            advice(&mut text, finding);
        }
    }
    let unknown: Vec<(&str, &DriftFinding)> = report
        .items
        .iter()
        .flat_map(|item| item.of_kind(FindingKind::Unknown).map(|finding| (item.object.as_str(), finding)))
        .collect();
    if !unknown.is_empty() {
        text.push_str("\n### Not compared\n\n| object | resource | why |\n|---|---|---|\n");
        for (object, finding) in unknown {
            let _ = writeln!(
                text,
                "| {} | {} | {} |",
                inline(object),
                cell(finding.resource.as_deref()),
                cell(finding.why.as_deref())
            );
        }
    }
    text
}

fn advice(text: &mut String, finding: &DriftFinding) {
    let Some(advice) = &finding.advice else { return };
    let _ = write!(text, "\n<details><summary><code>{}</code></summary>\n\n", html(&finding.place()));
    match (&finding.by, &finding.by_unknown) {
        (Some(by), _) => _ = writeln!(text, "By {}\n", inline(&by.sentence())),
        (None, Some(why)) => _ = writeln!(text, "Changed by: unknown.  {}\n", inline(why)),
        (None, None) => {}
    }
    if advice.automatic {
        text.push_str("Revert: Landfast does it (`drift: revert`)\n");
    } else if advice.revert.contains('\n') {
        let _ = write!(text, "Revert:\n\n{}", block("sh", &advice.revert));
    } else {
        let _ = writeln!(text, "Revert: {}", code(&advice.revert));
    }
    if let Some(adopt) = &advice.adopt {
        let language = if adopt.starts_with("--- ") { "diff" } else { "yaml" };
        let place = advice.adopt_in.as_deref().map_or("the template".to_owned(), code);
        let _ = write!(text, "\nAdopt, in {place}:\n\n{}", block(language, adopt));
    }
    if let Some(tolerate) = &advice.tolerate {
        let _ = write!(text, "\nTolerate, in the manifest's `spec`:\n\n{}", block("yaml", tolerate));
    }
    text.push_str("\n</details>\n");
}
