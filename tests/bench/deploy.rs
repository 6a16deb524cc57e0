//! How close the deployment of the development environment comes to the shortest possible.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use landfast::context::{Context, Virtual};
use landfast::controller::{Controller, Until, tend_all};
use landfast::model::{Environment, Key};
use landfast::ports::Cloud as _;
use landfast::sim::{SimCloud, SimConfig};
use landfast::store::Store;
use landfast::{manifest, source};

use crate::Row;

pub(crate) fn makespan() -> Vec<Row> {
    let clock = Virtual::starting_at("2026-03-02T09:00:00Z".parse().unwrap());
    let cx = Context::simulated(&clock, 1);
    let latency = Duration::from_millis(30);
    let cloud = SimCloud::new(cx.clone(), SimConfig { latency, ..SimConfig::default() });
    let store = Store::in_memory(&cx).unwrap();
    let snapshot = source::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests")).unwrap();
    let revision = store.revise(&snapshot.content, None).unwrap();
    let mut desired = manifest::load(&snapshot, revision).desired;
    desired.environments.retain(|name, _| name.as_str() == "dev");
    let environment = Arc::clone(desired.environments.values().next().unwrap());
    let console = cloud.console(&environment.scope);
    console.build("dev-performance-management", "1.0.0");
    console.zone("dev.example.com").unwrap();
    let controller = Controller::new(cx.clone(), Arc::new(cloud.clone()), store, Arc::new(|_, _| {}));
    let controller = controller.probing(Arc::new(cloud.clone()));
    controller.board.publish(desired, &BTreeSet::new());
    clock.drive(tend_all(&controller, Until::Settled)).unwrap().unwrap();
    let makespan = cx.elapsed().as_secs_f64();
    let took = true_durations(&clock, &cloud, &environment);
    let critical = longest(&environment, &took);
    vec![Row(
        "deployment of dev, half an hour, 30 ms a call: time ÷ critical path of what AWS really took".to_owned(),
        format!("{:.4} ({makespan:.1} s ÷ {critical:.1} s)", makespan / critical),
        "≤ 1.02".to_owned(),
    )]
}

/// From the first to the last event of each stack, which AWS's clock has stamped.
fn true_durations(clock: &Virtual, cloud: &SimCloud, environment: &Environment) -> BTreeMap<Key, f64> {
    let port = cloud.stacks(&environment.scope, None);
    let inventory = cloud.inventory();
    let took = environment.stacks.iter().map(|(key, spec)| {
        let stack = inventory.stack(spec.stack_name.as_str()).unwrap();
        let mut times = Vec::new();
        let mut next = None;
        loop {
            let page = clock.drive(port.events(&stack.state.id, next)).unwrap().unwrap();
            times.extend(page.items.iter().map(|event| event.at));
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
        (key.clone(), last.duration_since(*first).as_secs_f64())
    });
    took.collect()
}

pub(crate) fn longest(environment: &Environment, took: &BTreeMap<Key, f64>) -> f64 {
    fn until(key: &Key, environment: &Environment, took: &BTreeMap<Key, f64>, known: &mut BTreeMap<Key, f64>) -> f64 {
        if let Some(known) = known.get(key) {
            return *known;
        }
        // Beside the stacks, nothing takes any time worth speaking of.
        let Some(stack) = environment.stacks.get(key) else { return 0.0 };
        let needs = stack.depends_on.iter();
        let before = needs.map(|need| until(need, environment, took, known)).fold(0.0, f64::max);
        known.insert(key.clone(), before + took[key]);
        before + took[key]
    }
    let mut known = BTreeMap::new();
    environment.stacks.keys().map(|key| until(key, environment, took, &mut known)).fold(0.0, f64::max)
}
