//! Every form of a report with everything in it.

use super::*;
use crate::model::fixtures;
use crate::model::{By, Deed, FromParameter, GivenAt, Place};
use crate::report::fixtures::{check_contract, golden};

fn finding(resource: &str, property: Option<&str>, verdict: Verdict, sides: Option<(&str, &str)>) -> Finding {
    Finding {
        resource: Some(resource.to_owned()),
        physical_id: Some(format!("dev-{resource}")),
        kind: Some("AWS::DynamoDB::Table".to_owned()),
        property: property.map(str::to_owned),
        expected: sides.map(|(expected, _)| expected.to_owned()),
        live: sides.map(|(_, live)| live.to_owned()),
        ..Finding::of(fixtures::key("dynamodb"), "2026-11-20T08:30:00Z".parse().unwrap(), verdict)
    }
}

fn report() -> DriftReport {
    let at: Timestamp = "2026-11-22T09:00:00Z".parse().unwrap();
    let environment = fixtures::environment(&[("dynamodb", &[]), ("alb", &[])]);
    let mut findings = vec![
        finding("Cycles", Some("/DeletionProtectionEnabled"), Verdict::Drift(Severity::High), Some(("true", "false"))),
        finding("Queue", None, Verdict::Drift(Severity::High), None),
        finding(
            "Cycles",
            Some("/Tags/0/Value"),
            Verdict::Drift(Severity::Low),
            Some(("dev", "<b>\u{1b}[31m`prod`|</b>")),
        ),
        finding("Secret", Some("/SecretString"), Verdict::Drift(Severity::High), Some(("(hidden)", "(hidden)"))),
        finding(
            "Broker",
            Some("/NumberOfBrokerNodes"),
            Verdict::Tolerated { reason: "scaled for the sale".to_owned(), until: Some("2027-01-31".parse().unwrap()) },
            Some(("3", "6")),
        ),
        finding(
            "Service",
            Some("/DesiredCount"),
            Verdict::Delegated { to: "autoscaling".to_owned() },
            Some(("2", "5")),
        ),
        finding(
            "Role",
            Some("/Path"),
            Verdict::Noise { why: "a default that AWS fills in".to_owned() },
            Some(("", "/")),
        ),
        finding(
            "Handle",
            None,
            Verdict::Unknown { why: "CloudFormation does not check resources of type X".to_owned() },
            None,
        ),
    ];
    findings[0].by = By::Somebody(Box::new(Deed {
        id: "1".to_owned(),
        at: "2026-11-20T08:12:00Z".parse().unwrap(),
        actor: "arn:aws:iam::111122223333:user/somebody".to_owned(),
        from: Some("203.0.113.7".to_owned()),
        call: "UpdateTable".to_owned(),
        reads: false,
    }));
    findings[1].by = By::NotKnown("CloudTrail shows no call that changed it".to_owned());
    findings[2].patch = Some("--- a/t.yaml\n+++ b/t.yaml\n@@ -1,1 +1,1 @@\n-Value: dev\n+Value: prod\n".to_owned());
    let mut sized =
        finding("Cycles", Some("/TableName"), Verdict::Drift(Severity::Medium), Some(("cycles", "cycles-2")));
    let place = Place { file: "environments/dev/dev-parameters.json".into(), line: 4 };
    let given = GivenAt { place, field: "Parameters.TableName".to_owned() };
    sized.parameter = Some(FromParameter { name: "TableName".to_owned(), given: Some(given) });
    findings.push(sized);
    let mut by_default = finding("Cycles", Some("/BillingMode"), Verdict::Drift(Severity::Low), Some(("a", "b")));
    by_default.parameter = Some(FromParameter { name: "Billing".to_owned(), given: None });
    findings.push(by_default);
    let policy = r#"{"Statement":[{"Effect":"Allow","Action":"dynamodb:*","Resource":"arn:aws:dynamodb:us-east-1:111122223333:table/a-rather-long-name-without-any-space-in-it"}]}"#;
    let mut nested = finding("Inner/Queue", Some("/DelaySeconds"), Verdict::Drift(Severity::Medium), Some(("5", "9")));
    nested.by_hand = vec!["aws one".to_owned(), "aws two".to_owned()];
    findings.push(nested);
    findings.push(finding("Role", Some("/Policies/0"), Verdict::Drift(Severity::High), Some(("{}", policy))));
    let history =
        (0..6_u32).map(|day| (at - jiff::SignedDuration::from_hours(24 * i64::from(6 - day)), day % 4)).collect();
    let drifted = (
        Compared { object: fixtures::key("dynamodb"), compared: 9, findings },
        DriftMemory { history, ..DriftMemory::default() },
    );
    let clean = (Compared { object: fixtures::key("alb"), compared: 3, findings: Vec::new() }, DriftMemory::default());
    let gone = Finding {
        object: "dev/secret/keys".parse().unwrap(),
        resource: None,
        physical_id: Some("dev/keys".to_owned()),
        kind: None,
        property: Some("deleted".to_owned()),
        ..finding("", None, Verdict::Drift(Severity::High), None)
    };
    let beside = Compared { object: gone.object.clone(), compared: 0, findings: vec![gone] };
    let beside = (beside, DriftMemory::default());
    DriftReport::of([(&environment, [drifted, clean, beside].as_slice())], at)
}

fn rendered(format: DriftFormat) -> String {
    report().render(format, Paint::Plain).unwrap()
}

#[test]
fn a_drift_report_has_a_form_for_everybody() {
    check_contract("DriftReport", &report());
    golden("drift.txt", &rendered(DriftFormat::Text));
    golden("drift.json", &rendered(DriftFormat::Json));
    golden("drift.md", &rendered(DriftFormat::Markdown));
    golden("drift.html", &rendered(DriftFormat::Html).replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    golden("drift.sarif", &rendered(DriftFormat::Sarif).replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    golden("drift.junit.xml", &rendered(DriftFormat::Junit));
}

#[test]
fn nothing_that_others_wrote_leaves_its_place() {
    for format in [DriftFormat::Text, DriftFormat::Markdown, DriftFormat::Html] {
        assert!(!rendered(format).contains('\u{1b}'), "{format:?} moves the cursor");
    }
    let html = rendered(DriftFormat::Html);
    assert!(!html.contains("<b>") && html.contains("&lt;b&gt;"));
    for outside in ["http://", "https://", "<script", "@import", "url("] {
        assert!(!html.contains(outside), "the page asks for {outside}");
    }
    let rows = rendered(DriftFormat::Markdown);
    let row = rows.lines().find(|line| line.contains("prod")).unwrap();
    assert_eq!(row.replace("\\|", "").matches('|').count(), 7, "a value has broken out of its cell: {row}");
}

#[test]
fn what_was_not_compared_is_in_the_sentence() {
    assert_eq!(
        report().summary.sentence(),
        "9 differences in 2 of 3 stacks, 12 resources compared, 1 not compared, 1 tolerated, 1 delegated, 1 not \
        significant."
    );
}
