//! Outputs that other stacks take: what is planned for those says what will come of it.

use landfast::model::{Action, Changes, Desired, Key};
use landfast::sim::SimConfig;
use landfast::store::Store;

use crate::stage::{self, FOREVER, HOUR, Stage};

const ENVIRONMENT: &str = "apiVersion: landfast/v1\nkind: Environment\nmetadata: { name: dev }\nspec:\n  system: app\n  \
    account: \"111122223333\"\n  region: us-east-1\n  include: [app]\n  policy: { mode: MODE }\n";
const NETWORK: &str = "Parameters: { Cidr: { Type: String }, Note: { Type: String } }\n\
    Resources: { Topic: { Type: AWS::SNS::Topic, Properties: { DisplayName: !Sub '${Cidr} ${Note}' } } }\n\
    Outputs: { Cidr: { Value: !Ref Cidr } }\n";
const APP: &str = "Parameters: { Cidr: { Type: String } }\n\
    Resources: { Topic: { Type: AWS::SNS::Topic, Properties: { DisplayName: !Ref Cidr } } }\n";

/// The network has these parameters, and the app takes its output.
fn wanted(store: &Store, mode: &str, cidr: &str, note: &str) -> Desired {
    let stack = |name: &str, parameters: &str| {
        format!(
            "apiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: {name} }}\nspec: {{ template: {name}.tpl, parameters: \
             {parameters} }}\n"
        )
    };
    let files = [
        ("dev.yaml", ENVIRONMENT.replace("MODE", mode)),
        ("app/network.yaml", stack("network", &format!("{{ Cidr: {cidr}, Note: {note} }}"))),
        ("app/network.tpl", NETWORK.to_owned()),
        ("app/app.yaml", stack("app", "{ Cidr: \"${stacks.network.outputs.Cidr}\" }")),
        ("app/app.tpl", APP.to_owned()),
    ];
    stage::loaded(store, files)
}

/// What becomes of the app where the network is another, once AWS has said what that does to its resources.
fn planned(cidr: &str, note: &str) -> Action {
    let mut stage = Stage::new("us-east-1", "2026-01-01T00:00:00Z", SimConfig::default());
    let mut live = |mode: &str, cidr: &str, note: &str| {
        let daemon = stage.begin(|_| {});
        let desired = wanted(daemon.store(), mode, cidr, note);
        stage.tend(&daemon, desired, HOUR, FOREVER);
    };
    live("apply", "ten", "first");
    live("approve", cidr, note);
    let plan = stage.plan(|store| wanted(store, "approve", cidr, note));
    let (network, app): (Key, Key) = ("dev/stack/network".parse().unwrap(), "dev/stack/app".parse().unwrap());
    let known = matches!(plan.entries[&network].changes, Changes::Known(_));
    assert!(known || plan.in_sync(), "{:?}", plan.entries[&network]);
    plan.entries[&app].action
}

#[test]
fn a_stack_may_change_where_a_parameter_behind_the_output_that_it_takes_does_and_stays_where_another_does() {
    assert_eq!(planned("ten", "first"), Action::None);
    assert_eq!(planned("eleven", "first"), Action::MayUpdate);
    assert_eq!(planned("ten", "second"), Action::None);
}
