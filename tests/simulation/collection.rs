//! Task definitions from rollout to rollout: those that nothing can use any more go, and nobody else's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use landfast::context::{Context, Virtual};
use landfast::controller::{Controller, Until, tend_all};
use landfast::manifest;
use landfast::model::{FileContent, RELEASES_KEPT, Revision, Snapshot, TaskDefinitionArn, TaskDefinitionStatus};
use landfast::ports::Cloud as _;
use landfast::sim::{NewService, SimCloud, SimConfig};
use landfast::store::Store;

use crate::rig::scope;

const MANIFESTS: &str = "apiVersion: landfast/v1
kind: Environment
metadata: { name: dev }
spec: { system: shop, account: \"111122223333\", region: us-east-1, include: [app.yaml] }
";
const APP: &str = "apiVersion: landfast/v1
kind: Service
metadata: { name: web }
spec:
  cluster: dev
  service: web
  images: { web: { repository: web, semver: '*' } }
  keepRevisions: 2
  adopt: true
";

#[test]
fn old_task_definitions_go_and_what_can_be_gone_back_to_stays() {
    const ROLLOUTS: usize = RELEASES_KEPT + 3;
    let clock = Virtual::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
    let cx = Context::simulated(&clock, 5);
    let cloud = SimCloud::new(cx.clone(), SimConfig { page_size: 3, ..SimConfig::default() });
    let console = cloud.console(&scope());
    console.create_repository("web");
    let by_hand = console.register_task_definition("web", &[("web", "web:0")]).unwrap();
    console.create_service(&NewService::new("dev", "web", by_hand.clone())).unwrap();
    let store = Store::in_memory(&cx).unwrap();
    let files = [("env.yaml", MANIFESTS), ("app.yaml", APP)]
        .map(|(path, text)| (path.to_owned(), FileContent::Bytes(text.as_bytes().into())));
    let snapshot = Snapshot::new("manifests", files.into(), None);
    let loaded = manifest::load(&snapshot, Revision { sequence: 1, content: snapshot.content.clone(), commit: None });
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let controller = Controller::new(cx.clone(), Arc::new(cloud.clone()), store, Arc::new(|_, _| {}));
    controller.board.publish(loaded.desired, &BTreeSet::new());
    for version in 1..=ROLLOUTS {
        let tag = format!("1.{version}.0");
        console.push_image("web", &tag, &[&tag], None).unwrap();
        clock.drive(tend_all(&controller, Until::Settled)).unwrap().unwrap();
        clock.drive(cx.sleep(Duration::from_hours(2))).unwrap();
    }
    let port = cloud.containers(&scope(), None);
    let listed = |status| {
        let (mut found, mut next) = (Vec::new(), None);
        loop {
            let page = clock.drive(port.task_definitions("web", status, next)).unwrap().unwrap();
            found.extend(page.items.iter().map(TaskDefinitionArn::revision));
            next = page.next;
            if next.is_none() {
                return found;
            }
        }
    };
    // The first was made by hand; the three oldest of ours are no release that is remembered.
    let (active, inactive) = (listed(TaskDefinitionStatus::Active), listed(TaskDefinitionStatus::Inactive));
    assert_eq!(inactive, [4, 3, 2], "active: {active:?}");
    assert_eq!(active.len(), 1 + RELEASES_KEPT);
    assert!(active.contains(&by_hand.revision()));
    let calls = cloud.audit();
    let collected = calls.iter().filter(|call| call.operation == "DeregisterTaskDefinition").count();
    assert_eq!(collected, 3);
}
