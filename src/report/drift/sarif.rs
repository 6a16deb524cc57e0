//! For code hosts that show findings beside the code (OASIS: *SARIF 2.1.0*).

use serde_json::{Value, json};

use super::{DriftFinding, DriftReport, FindingKind, ObjectDrift};
use crate::model::Severity;

pub(super) fn sarif(report: &DriftReport) -> Value {
    let shown = |finding: &&DriftFinding| finding.verdict != FindingKind::Noise;
    let results =
        report.items.iter().flat_map(|item| item.findings.iter().filter(shown).map(|found| result(item, found)));
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "Landfast",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": [
                    rule("modified", "A property has another value than was deployed."),
                    rule("deleted", "A resource that was deployed is gone."),
                    rule("unknown", "A resource could not be compared."),
                ],
            } },
            "results": results.collect::<Vec<_>>(),
        }],
    })
}

fn rule(id: &str, text: &str) -> Value {
    json!({ "id": id, "shortDescription": { "text": text } })
}

fn result(item: &ObjectDrift, finding: &DriftFinding) -> Value {
    let rule = match finding.verdict {
        FindingKind::Unknown => "unknown",
        _ if finding.property.is_none() => "deleted",
        _ => "modified",
    };
    let level = match finding.severity {
        Some(Severity::High) => "error",
        Some(Severity::Medium) => "warning",
        Some(Severity::Low) => "note",
        None => "none",
    };
    let name = format!("{}/{}", item.object, finding.resource.as_deref().unwrap_or_default());
    let name = format!("{}{}", name.trim_end_matches('/'), finding.property.as_deref().unwrap_or_default());
    let mut result = json!({
        "ruleId": rule,
        "kind": if finding.severity.is_some() { "fail" } else { "review" },
        "level": level,
        "message": { "text": message(finding) },
        "locations": [{
            "logicalLocations": [{ "fullyQualifiedName": name, "kind": "resource" }],
        }],
        // The same difference is the same finding in the next report.
        "partialFingerprints": { "landfast/v1": name },
    });
    if !item.file.is_empty()
        && let Some(location) = result.pointer_mut("/locations/0").and_then(Value::as_object_mut)
    {
        let place = json!({ "artifactLocation": { "uri": item.file }, "region": { "startLine": item.line } });
        location.insert("physicalLocation".to_owned(), place);
    }
    if matches!(finding.verdict, FindingKind::Tolerated | FindingKind::Delegated)
        && let Some(fields) = result.as_object_mut()
    {
        let why = finding.why.clone().unwrap_or_default();
        fields.insert("suppressions".to_owned(), json!([{ "kind": "external", "justification": why }]));
    }
    result
}

fn message(finding: &DriftFinding) -> String {
    match (&finding.expected, &finding.live) {
        (Some(expected), Some(live)) => {
            let by = finding.by.as_ref().map(|by| format!("; by {}", by.sentence())).unwrap_or_default();
            format!("{}: deployed {expected}, live {live}{by}", finding.place())
        }
        _ if finding.is_gone() => format!("{} is gone", finding.place()),
        _ => format!("{}: {}", finding.place(), finding.why.as_deref().unwrap_or_default()),
    }
}
