//! From a saved file to the first call: real files, the real watcher, the real clock.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use landfast::context::Context;
use landfast::controller::{Controller, Until, tend_all};
use landfast::manifest;
use landfast::sim::{FaultPlan, ResourceFailure, ResourceFault, ResourceOperation, SimCloud, SimConfig};
use landfast::source::{self, Watch};
use landfast::store::Store;

use crate::Row;
use crate::fleet::{TEMPLATE, environment, stack};

/// Objects, of which every tenth fails again and again.
const STACKS: usize = 40;

pub(crate) fn latency(edits: usize) -> Vec<Row> {
    let root = std::env::temp_dir().join(format!("landfast-bench-{}", std::process::id()));
    std::fs::create_dir_all(root.join("environments")).unwrap();
    std::fs::create_dir_all(root.join("stacks")).unwrap();
    std::fs::write(root.join("environments/e0.yaml"), environment("e0", 100_000_000_000)).unwrap();
    std::fs::write(root.join("stacks/small.yaml.template"), TEMPLATE).unwrap();
    for index in 0..STACKS {
        std::fs::write(root.join(file(index)), stack(&name(index), 7)).unwrap();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut took = runtime.block_on(measure(&root, edits));
    std::fs::remove_dir_all(&root).unwrap();
    took.sort();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    vec![Row(
        format!("saved file to first call, {edits} edits, a tenth of {STACKS} stacks failing"),
        format!("p50 {:.0} ms, p99 {:.0} ms", at(50), at(99)),
        "p99 ≤ 1 s, of which 250 ms wait for more edits".to_owned(),
    )]
}

fn name(index: usize) -> String {
    // The names of the failing ones end in 0.
    format!("s{index:05}")
}

fn file(index: usize) -> String {
    format!("stacks/{}.yaml", name(index))
}

async fn measure(root: &std::path::Path, edits: usize) -> Vec<Duration> {
    let cx = Context::system().unwrap();
    let cloud = SimCloud::new(cx.clone(), SimConfig::default());
    cloud.set_faults(FaultPlan {
        resources: vec![ResourceFault {
            stack: "*0".to_owned(),
            resource: "Log".to_owned(),
            operation: ResourceOperation::Create,
            what: ResourceFailure::Fails { reason: "It is not there".to_owned(), code: "NotStabilized".to_owned() },
            times: u32::MAX,
        }],
        ..FaultPlan::default()
    });
    let store = Store::in_memory(&cx).unwrap();
    let controller = Controller::new(cx.clone(), Arc::new(cloud.clone()), store, Arc::new(|_, _| {}));
    let mut watch = Watch::new(root).unwrap();
    publish(&controller, root);
    let tend = tend_all(&controller, Until::Stopped);
    let edit = async {
        // The first deployment is under way, and the failing ones are failing.
        tokio::time::sleep(Duration::from_secs(20)).await;
        let mut took = Vec::new();
        for edit in 0..edits {
            let index = edit % STACKS;
            let text = stack(&name(index), 14 + 16 * u32::try_from(edit / STACKS % 2).unwrap());
            std::fs::write(root.join(file(index)), text).unwrap();
            let saved = Instant::now();
            watch.changed(&cx).await;
            let before = cloud.calls();
            publish(&controller, root);
            while cloud.calls() == before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            took.push(saved.elapsed());
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        took
    };
    tokio::select! {
        biased;
        took = edit => took,
        ended = tend => panic!("the daemon ended: {ended:?}"),
    }
}

fn publish(controller: &Controller, root: &std::path::Path) {
    let snapshot = source::read(root).unwrap();
    let revision = controller.store().revise(&snapshot.content, None).unwrap();
    let loaded = manifest::load(&snapshot, revision);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics.first());
    controller.board.publish(loaded.desired, &BTreeSet::new());
}
