//! Invariant S12, held against every report that is made from a plan.

use super::fixtures::{self, CANARY, at};
use super::{Paint, PlanDocument, PlanList, StatusList, plan, to_json, why};
use crate::model::{Do, StackDo, StackStep, Value};

#[test]
fn s12_a_secret_in_a_plan_shows_in_no_report() {
    let (sample, memory) = (fixtures::everything(), fixtures::memory());
    let carried = sample.entries.values().filter_map(|entry| entry.step.as_ref()).any(|step| match &step.action {
        Do::Stack(StackStep { action: StackDo::Create { inputs, .. }, .. }) => {
            inputs.options.parameters.values().any(|value| match value {
                Value::NoEcho(secret) => secret.expose() == CANARY,
                Value::Plain(_) | Value::Previous => false,
            })
        }
        _ => false,
    });
    assert!(carried, "the plan must hold the canary, or this shows nothing");

    let status = StatusList::of([(&sample, &memory)]);
    let mut reports = vec![
        plan(&sample, Paint::Plain),
        plan(&sample, Paint::Colour),
        to_json(&PlanDocument::of(&sample)).unwrap(),
        to_json(&PlanList::of([&sample])).unwrap(),
        status.text(at("03:12:30"), Paint::Plain),
        to_json(&status).unwrap(),
        format!("{sample:?}"),
    ];
    for key in sample.entries.keys() {
        reports.push(why(&sample, &memory, key, at("03:12:30"), [], Paint::Plain).unwrap());
    }
    for report in reports {
        assert!(!report.contains(CANARY), "{report}");
    }
}
