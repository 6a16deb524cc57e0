//! What it costs to watch services and secrets when there is nothing to do.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use landfast::model::{FileContent, Snapshot};
use landfast::sim::NewService;

use crate::fleet::{Fleet, environment, shown};
use crate::idle::settle;
use crate::{Row, process};

/// One look at so many services and as many secrets by a daemon that has seen them before. Ten services run images of one
/// repository.
pub(crate) fn resync(count: usize) -> Vec<Row> {
    let fleet = Fleet::with(snapshot(count), 0, |fleet| {
        let desired = fleet.load().desired;
        let Some(environment) = desired.environments.values().next() else { return };
        let console = fleet.cloud.console(&environment.scope);
        let registry = format!("{}.dkr.ecr.us-east-1.amazonaws.com", environment.scope.account);
        for index in 0..count {
            let repository = format!("app{}", index / 10);
            if index % 10 == 0 {
                console.create_repository(&repository);
            }
            let digest = console.push_image(&repository, &repository, &["1.0.0"], None).unwrap();
            let image = format!("{registry}/{repository}@{digest}");
            let family = format!("api{index:05}");
            let definition = console.register_task_definition(&family, &[("app", &image)]).unwrap();
            console.create_service(&NewService::new("bench", &family, definition)).unwrap();
        }
    });
    let (controller, _) = fleet.start();
    settle(&fleet, &controller);
    // Listings lag behind what was just made, which is asked for by name until then.
    fleet.clock.drive(fleet.cx.sleep(Duration::from_hours(1))).unwrap();
    settle(&fleet, &controller);
    let first = fleet.cloud.calls();
    let (wall, cpu) = (Instant::now(), process::cpu());
    settle(&fleet, &controller);
    let (wall, cpu) = (wall.elapsed(), process::cpu().saturating_sub(cpu));
    let what = format!("resync of {count} services and {count} secrets, nothing to do");
    let (peak, none) = (process::memory("VmHWM"), "–".to_owned());
    let (services, images, secrets) = (count.div_ceil(10), count.div_ceil(10), count.div_ceil(100));
    let aim =
        format!("≤ {services} DescribeServices, {images} DescribeImages, {secrets} ListSecrets; no GetSecretValue");
    vec![
        Row(format!("{what}: wall"), format!("{:.0} ms", wall.as_secs_f64() * 1e3), none.clone()),
        Row(format!("{what}: CPU"), format!("{} ms", cpu.as_millis()), none.clone()),
        Row(
            format!("{what}: peak memory"),
            format!("{:.0} MiB, and {:.0} MiB of the simulated AWS", peak - fleet.cloud_memory, fleet.cloud_memory),
            none,
        ),
        Row(format!("{what}: calls"), shown(&fleet.calls(first)), aim),
    ]
}

fn snapshot(count: usize) -> Snapshot {
    let mut files = BTreeMap::new();
    let mut put = |path: String, text: String| files.insert(path, FileContent::Bytes(text.into_bytes().into()));
    put("environments/bench.yaml".to_owned(), environment("bench", 100_000_000_000));
    for from in (0..count).step_by(500) {
        let mut text = String::new();
        for index in from..count.min(from + 500) {
            let _ = write!(
                text,
                "---\napiVersion: landfast/v1\nkind: Service\nmetadata: {{ name: api{index:05} }}\nspec:\n  \
                 cluster: bench\n  service: api{index:05}\n  adopt: true\n  \
                 images: {{ app: {{ repository: app{repository}, semver: \"1\" }} }}\n\
                 ---\napiVersion: landfast/v1\nkind: Secret\nmetadata: {{ name: key{index:05} }}\nspec:\n  \
                 name: bench/key{index:05}\n  generate: {{ token: {{}} }}\n",
                repository = index / 10,
            );
        }
        put(format!("stacks/apps-{from}.yaml"), text);
    }
    Snapshot::new("manifests", files, None)
}
