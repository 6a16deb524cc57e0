//! What AWS says of a failure has a secret in it: nobody repeats it (S12).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use landfast::model::{Memory, Plan};
use landfast::sim::{FaultPlan, ResourceFailure, ResourceFault, ResourceOperation, SimConfig};

use crate::stage::{FOREVER, Stage, loaded};

const CANARY: &str = "Canary-Hush-77c1";

fn files() -> [(&'static str, String); 3] {
    [
        (
            "environment.yaml",
            "apiVersion: landfast/v1\nkind: Environment\nmetadata: { name: dev }\nspec:\n  system: app\n  \
             account: '111122223333'\n  region: eu-central-1\n  include: [app]\n"
                .to_owned(),
        ),
        (
            "app/stacks.yaml",
            format!(
                "apiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: one }}\nspec: {{ template: one.yaml, \
                 parameters: {{ Password: {CANARY} }} }}\n"
            ),
        ),
        (
            "app/one.yaml",
            "Parameters: { Password: { Type: String, NoEcho: true } }\n\
             Resources: { Topic: { Type: AWS::SNS::Topic, Properties: { DisplayName: !Ref Password } } }\n"
                .to_owned(),
        ),
    ]
}

#[test]
fn a_secret_in_the_reason_of_a_failure_is_said_and_written_down_by_nobody() {
    let mut stage = Stage::new("eu-central-1", "2026-01-01T00:00:00Z", SimConfig::default());
    let reason = format!("Resource handler returned message: \"Invalid value '{CANARY}' at 'displayName'\"");
    let fault = ResourceFault {
        stack: "*".into(),
        resource: "Topic".into(),
        operation: ResourceOperation::Create,
        what: ResourceFailure::Fails { reason, code: "InvalidRequest".into() },
        times: 9,
    };
    stage.cloud.set_faults(FaultPlan { resources: vec![fault], ..FaultPlan::default() });
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&told);
    let controller = stage.begin(move |progress| {
        let line = progress.line("2026-01-01T00:00:00Z".parse().unwrap());
        heard.lock().unwrap().push(format!("{progress:?} {line:?}"));
    });
    let store = controller.store().clone();
    let desired = loaded(&store, files());
    stage.tend(&controller, desired.clone(), Duration::from_mins(30), FOREVER);
    let environment = desired.environments.values().next().unwrap();
    let looked = stage.clock.drive(controller.glance(&desired, environment)).unwrap().unwrap();
    let said = told.lock().unwrap().concat();
    assert!(said.contains("Invalid value '<redacted>'"), "the reason is told: {said}");
    let (memory, plan): (&Memory, &Plan) = (&looked.memory, &looked.plan);
    let journal = format!("{:?}", store.history(None, 10_000).unwrap());
    assert!(journal.contains("<redacted>"), "{journal}");
    for (what, text) in [
        ("what is told", said),
        ("the journal", journal),
        ("the memory", format!("{memory:?}")),
        ("the plan", format!("{plan:?}")),
        ("the observation", format!("{:?}", looked.observation)),
    ] {
        assert!(!text.contains(CANARY), "S12: in {what}: {text}");
    }
}
