//! One page that needs nothing else: no script, no font, no request. Light and dark, on a screen and on paper.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{DriftFinding, DriftPoint, DriftReport, FindingKind, ObjectDrift, by_severity, word};
use crate::report::words;

const STYLE: &str = include_str!("page.css");

pub(super) fn html(report: &DriftReport) -> String {
    let title = if report.has_drift() { "Drift" } else { "No drift" };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) @for place in places(report) { ", " (place.0) } " – " (words::time(report.at)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header id="top" {
                    h1 { (title) }
                    @for (environment, scope) in places(report) {
                        p.place { "Environment " strong { (environment) } @if let Some((account, region)) = scope.split_once('/') {
                            ", account " strong { (account) } ", region " strong { (region) }
                        } }
                    }
                    p { (report.summary.sentence()) }
                    p.quiet { "Compared on " (words::time(report.at)) " by Landfast " (env!("CARGO_PKG_VERSION")) "." }
                }
                main {
                    (figures(report))
                    (overview(report))
                    (coverage(report))
                    @for (index, item) in drifted(report) { (object(index, item)) }
                    (others(report))
                }
            }
        }
    };
    page.into_string() + "\n"
}

fn figures(report: &DriftReport) -> Markup {
    let summary = &report.summary;
    let severities = by_severity(report);
    let unknown = summary.unknown;
    html! {
        dl.figures {
            @for (severity, count) in &severities {
                div class=(word(severity.0)) { dt { (word(severity.0)) } dd { (count) } }
            }
            @if severities.is_empty() { div.good { dt { "differences" } dd { "0" } } }
            div { dt { "resources compared" } dd { (summary.compared) } }
            div.unknown[unknown > 0] { dt { "not compared" } dd { (unknown) } }
            div { dt { "tolerated" } dd { (summary.tolerated) } }
            div { dt { "delegated" } dd { (summary.delegated) } }
            div { dt { "not significant" } dd { (summary.noise) } }
        }
    }
}

/// The environments, each with the accounts and regions that its objects are in.
fn places(report: &DriftReport) -> BTreeSet<(&str, &str)> {
    let of = |item| {
        let item: &ObjectDrift = item;
        (item.object.split('/').next().unwrap_or_default(), item.scope.as_str())
    };
    report.items.iter().map(of).collect()
}

/// The objects that have drifted, each with its number, which names its anchor.
fn drifted(report: &DriftReport) -> impl Iterator<Item = (usize, &ObjectDrift)> {
    report.items.iter().enumerate().filter(|(_, item)| item.drift().next().is_some())
}

/// The anchor of a difference.
fn anchor(item: usize, finding: usize) -> String {
    format!("difference-{item}-{finding}")
}

/// Every difference in one line, the worst first, with a link to what is said of it.
fn overview(report: &DriftReport) -> Markup {
    let mut rows: Vec<(usize, usize, &ObjectDrift, &DriftFinding)> = drifted(report)
        .flat_map(|(number, item)| item.drift().enumerate().map(move |(index, found)| (number, index, item, found)))
        .collect();
    rows.sort_by_key(|(.., finding)| Reverse(finding.severity));
    html! {
        @if !rows.is_empty() {
            section {
                h2 { "Differences" }
                ol.overview {
                    @for (number, index, item, finding) in rows {
                        li class=[finding.severity.map(word)] {
                            span.badge { (finding.severity.map_or("", word)) }
                            a href=(format!("#{}", anchor(number, index))) { (finding.place()) }
                            span.quiet { (item.object) }
                        }
                    }
                }
            }
        }
    }
}

/// What was looked at, what of it could not be compared, and how it went before.
fn coverage(report: &DriftReport) -> Markup {
    html! {
        section {
            h2 { "Coverage" }
            table.coverage {
                thead { tr { th { "object" } th { "compared" } th { "not compared" } th { "differences" } th { "trend" } } }
                tbody {
                    @for (number, item) in report.items.iter().enumerate() {
                        @let (unknown, drift) = (item.of_kind(FindingKind::Unknown).count(), item.drift().count());
                        tr {
                            td { @if drift > 0 { a href=(format!("#object-{number}")) { (item.object) } } @else { (item.object) } }
                            td.number data-head="compared" { (item.compared) }
                            td.number.unknown[unknown > 0] data-head="not compared" { (unknown) }
                            td.number.some[drift > 0] data-head="differences" { (drift) }
                            td data-head="trend" { (trend(&item.history)) }
                        }
                    }
                }
            }
        }
    }
}

fn object(number: usize, item: &ObjectDrift) -> Markup {
    html! {
        section id=(format!("object-{number}")) {
            h2 { (item.object) }
            p.quiet { (item.stack) " in " (item.scope) @if !item.file.is_empty() { ", manifest " code { (item.file) ":" (item.line) } } }
            @for (index, finding) in item.drift().enumerate() { (difference(&anchor(number, index), finding)) }
        }
    }
}

fn difference(anchor: &str, finding: &DriftFinding) -> Markup {
    html! {
        article id=(anchor) class=[finding.severity.map(word)] {
            h3 {
                span.badge { (finding.severity.map_or("", word)) }
                " " @if let Some(resource) = &finding.resource { (words::clean(resource)) " " }
                @if let Some(property) = &finding.property { code { (words::clean(property)) } }
            }
            p.quiet {
                @if let Some(kind) = &finding.kind { (words::clean(kind)) " " }
                @if let Some(id) = &finding.physical_id { code { (words::clean(id)) } ", " }
                "since " (words::time(finding.since))
            }
            @if let Some(by) = &finding.by { p.who { "By " (by.sentence()) } }
            @if let Some(why) = &finding.by_unknown { p.quiet { "Changed by: unknown.  " (words::clean(why)) } }
            @if finding.is_gone() {
                p { "It was deployed and has been deleted." }
            } @else if finding.expected.is_some() || finding.live.is_some() {
                div.sides {
                    div { h4 { "deployed" } pre { (pretty(finding.expected.as_deref())) } }
                    div { h4 { "live" } pre { (pretty(finding.live.as_deref())) } }
                }
            }
            @if let Some(advice) = &finding.advice {
                details {
                    summary { "Options" }
                    h4 { "Revert" }
                    @if advice.automatic { p { "Landfast does it: " code { "drift: revert" } } } @else { pre { (advice.revert) } }
                    @if let Some(adopt) = &advice.adopt {
                        h4 { "Adopt, in " (advice.adopt_in.as_deref().map_or("the template".to_owned(), words::clean)) }
                        pre { (words_of(adopt)) }
                    }
                    @if let Some(tolerate) = &advice.tolerate {
                        h4 { "Tolerate, in the manifest’s spec" }
                        pre { (tolerate) }
                    }
                }
            }
            p.back { a href="#top" { "Back to the overview" } }
        }
    }
}

/// Everything that is not drift, and still somebody's question.
fn others(report: &DriftReport) -> Markup {
    let kinds = [
        (FindingKind::Unknown, "Not compared", "why"),
        (FindingKind::Tolerated, "Tolerated", "reason"),
        (FindingKind::Delegated, "Delegated", "why"),
        (FindingKind::Noise, "Not significant", "why"),
    ];
    html! {
        @for (kind, title, head) in kinds {
            @let rows: Vec<_> = report.items.iter().flat_map(|item| item.of_kind(kind).map(move |found| (item, found))).collect();
            @if !rows.is_empty() {
                section {
                    h2 { (title) }
                    table {
                        thead { tr { th { "object" } th { "resource" } th { (head) } @if kind == FindingKind::Tolerated { th { "until" } } } }
                        tbody {
                            @for (item, finding) in rows {
                                tr {
                                    td { (item.object) }
                                    td { (finding.place()) }
                                    td { (said(finding.why.as_deref())) }
                                    @if kind == FindingKind::Tolerated { td { (finding.until.as_deref().unwrap_or("no \
                                    end date")) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// How many differences there were at the last detections, as a line.
fn trend(history: &[DriftPoint]) -> Markup {
    let most = history.iter().map(|point| point.differences).max().unwrap_or(0).max(1);
    if history.len() < 2 {
        return html! {};
    }
    let width = 6 * history.len();
    let points = history.iter().enumerate().map(|(index, point)| {
        format!("{},{:.1}", index * 6 + 3, 18.0 - 16.0 * f64::from(point.differences) / f64::from(most))
    });
    let label = format!("{} detections, maximum {}", history.len(), words::count(most as usize, "difference"));
    html! {
        svg.trend role="img" aria-label=(label) width=(width) height="20" viewBox=(format!("0 0 {width} 20")) {
            title { (label) }
            polyline points=(points.collect::<Vec<_>>().join(" ")) {}
        }
    }
}

/// Lines that others wrote, without what a terminal obeys.
fn words_of(text: &str) -> String {
    text.lines().map(words::clean).collect::<Vec<_>>().join("\n")
}

fn said(text: Option<&str>) -> String {
    words::clean(text.unwrap_or_default())
}

/// JSON with its lines.
fn pretty(value: Option<&str>) -> String {
    let text = value.unwrap_or_default();
    let lines = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(json @ (serde_json::Value::Object(_) | serde_json::Value::Array(_))) => {
            serde_json::to_string_pretty(&json).unwrap_or_else(|_| text.to_owned())
        }
        _ if text.is_empty() => "(empty)".to_owned(),
        _ => text.to_owned(),
    };
    lines.lines().map(words::clean).collect::<Vec<_>>().join("\n")
}
