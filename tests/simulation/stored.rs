//! Parameters whose value stands in Systems Manager Parameter Store, where somebody changes it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use landfast::model::{Action, Desired, Difference, Entry, Guard, Waiting};
use landfast::sim::{Fault, FaultPlan, SimConfig, Window};
use landfast::store::Store;

use crate::stage::{self, FOREVER, HOUR, Stage};

const ENVIRONMENT: &str = "apiVersion: landfast/v1\nkind: Environment\nmetadata: { name: dev }\nspec:\n  system: app\n  \
    account: \"111122223333\"\n  region: us-east-1\n  include: [app]\n  policy: { mode: apply }\n";

/// A stack that takes so many parameters from the store: `/a/0`, `/a/1` and so on; the last by its default.
fn wanted(store: &Store, parameters: usize) -> Desired {
    let mut template = "Parameters:\n".to_owned();
    let mut stack =
        "apiVersion: landfast/v1\nkind: Stack\nmetadata: { name: web }\nspec:\n  template: web.tpl\n".to_owned();
    for number in 0..parameters {
        let kind = "AWS::SSM::Parameter::Value<String>";
        if number + 1 == parameters {
            writeln!(template, "  P{number}: {{ Type: \"{kind}\", Default: /a/{number} }}").unwrap();
        } else {
            writeln!(template, "  P{number}: {{ Type: \"{kind}\" }}").unwrap();
            stack.push_str(if number == 0 { "  parameters:\n" } else { "" });
            writeln!(stack, "    P{number}: /a/{number}").unwrap();
        }
    }
    template.push_str("Resources:\n  T: { Type: AWS::SNS::Topic, Properties: { DisplayName: !Ref P0 } }\n");
    let files = [("dev.yaml", ENVIRONMENT.to_owned()), ("app/web.yaml", stack), ("app/web.tpl", template)];
    stage::loaded(store, files)
}

fn stage(parameters: usize) -> Stage {
    let stage = Stage::new("us-east-1", "2026-01-01T00:00:00Z", SimConfig::default());
    for number in 0..parameters {
        stage.console().put_parameter(&format!("/a/{number}"), "one");
    }
    stage
}

fn live(stage: &mut Stage, parameters: usize) {
    let daemon = stage.begin(|_| {});
    let desired = wanted(daemon.store(), parameters);
    stage.tend(&daemon, desired, HOUR, FOREVER);
}

fn entry(stage: &Stage, parameters: usize) -> Entry {
    let plan = stage.plan(|store| wanted(store, parameters));
    plan.entries.values().next().unwrap().clone()
}

fn count(stage: &Stage, operation: &str) -> usize {
    stage.cloud.audit().iter().filter(|call| call.operation == operation).count()
}

#[test]
fn a_value_that_changed_in_the_store_reaches_its_stack() {
    let mut stage = stage(2);
    live(&mut stage, 2);
    assert_eq!((count(&stage, "CreateStack"), entry(&stage, 2).action), (1, Action::None));
    for (name, parameter) in [("/a/0", "P0"), ("/a/1", "P1")] {
        stage.console().put_parameter(name, "two");
        let found = entry(&stage, 2);
        let (from, to) = (Some("one".to_owned()), Some("two".to_owned()));
        let expected = Difference::Stored { name: parameter.to_owned(), stored: name.to_owned(), from, to };
        assert_eq!((found.action, found.differences), (Action::Update, vec![expected]));
        let before = count(&stage, "CreateChangeSet");
        live(&mut stage, 2);
        // Nothing of the second reaches a resource: AWS says so, and is not asked again.
        assert_eq!(entry(&stage, 2).action, Action::None, "{name}");
        live(&mut stage, 2);
        assert_eq!(count(&stage, "CreateChangeSet"), before + 1, "{name}");
    }
    assert_eq!(count(&stage, "ExecuteChangeSet"), 1);
}

#[test]
fn a_value_that_is_not_there_is_said_and_nothing_is_tried() {
    let mut stage = stage(1);
    live(&mut stage, 2);
    let missing = |entry: &Entry| entry.refused.iter().any(|refusal| refusal.guard == Guard::Missing);
    let found = entry(&stage, 2);
    assert!(missing(&found) && found.step.is_none(), "{found:#?}");
    assert_eq!(count(&stage, "CreateStack"), 0);
    stage.console().put_parameter("/a/1", "one");
    live(&mut stage, 2);
    assert_eq!((count(&stage, "CreateStack"), entry(&stage, 2).action), (1, Action::None));
}

#[test]
fn a_value_that_cannot_be_read_is_unknown_and_not_in_sync() {
    let mut stage = stage(2);
    live(&mut stage, 2);
    let operations = BTreeSet::from(["GetParameters".to_owned()]);
    let window = Window { from: Duration::ZERO, until: Duration::MAX, scope: None, operations, fault: Fault::Denied };
    stage.cloud.set_faults(FaultPlan { windows: vec![window], ..FaultPlan::default() });
    let found = entry(&stage, 2);
    let unknown = |waiting: &Waiting| matches!(waiting, Waiting::Unknown { why } if why.contains("Parameter Store"));
    assert!(found.action == Action::Unknown && !found.ready, "{found:#?}");
    assert!(found.waiting.iter().any(unknown), "{found:#?}");
}

#[test]
fn ten_values_are_read_by_one_request() {
    let mut stage = stage(23);
    live(&mut stage, 23);
    let before = count(&stage, "GetParameters");
    entry(&stage, 23);
    assert_eq!(count(&stage, "GetParameters") - before, 3);
}
