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
                    rule("modified", "The value of a property differs from the deployed value."),
                    rule("deleted", "A deployed resource was deleted."),
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
    let property = finding.property.as_deref().map(|path| path.trim_start_matches('/'));
    let parts = [Some(item.object.as_str()), finding.resource.as_deref(), property];
    let name = parts.into_iter().flatten().collect::<Vec<_>>().join("/");
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
    let by = finding.by.as_ref().map(|by| format!("; by {}", by.sentence())).unwrap_or_default();
    match (finding.sides(), &finding.why) {
        (Some(sides), _) => format!("{}: {sides}{by}", finding.place()),
        (None, Some(why)) => format!("{}: {why}", finding.place()),
        (None, None) if finding.is_gone() => format!("{} was deleted{by}", finding.place()),
        (None, None) => format!("{}{by}", finding.place()),
    }
}
