//! What a deployment costs on the wire: the program itself against the emulator, behind a proxy that delays, throttles and
//! counts. A call takes 30 ms and a stack operation a second, unless a row says otherwise.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use landfast::context::Context;
use landfast::model::Environment;
use landfast::ports::Cloud as _;
use landfast::store::Store;
use landfast::{manifest, source};

use crate::Row;
use crate::deploy::longest;
use crate::emulator::{self, Account};
use crate::fleet::{environment, stack};
use crate::proxy::{Passed, Proxy, Terms};

const CALL: Duration = Duration::from_millis(30);

/// A topic each: the smallest stack.
const TEMPLATE: &str =
    "Parameters:\n  Days: { Type: Number, Default: 7 }\nResources:\n  Topic: { Type: AWS::SNS::Topic }\n";

struct Place {
    account: Account,
    proxy: Proxy,
    dir: tempfile::TempDir,
}

impl Place {
    /// `None` where there is no emulator.
    fn new(delay: Duration, reads: Option<f64>) -> Option<Self> {
        let account = emulator::account(delay)?;
        let proxy = Proxy::before(&account.url, Terms { delay: CALL, reads });
        let place = Self { account, proxy, dir: tempfile::tempdir().unwrap() };
        place.proxy.take();
        Some(place)
    }

    fn put(&self, file: &str, text: &str) {
        let path = self.dir.path().join("manifests").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn independent(&self, stacks: usize) {
        let account: usize = self.account.id.as_str().parse().unwrap();
        self.put(
            "environments/bench.yaml",
            &environment("bench", account).replace(&account.to_string(), self.account.id.as_str()),
        );
        self.put("stacks/small.yaml.template", TEMPLATE);
        self.put("stacks/stacks.yaml", &(0..stacks).map(|index| stack(&format!("s{index:03}"), 7)).collect::<String>());
    }

    /// The guide's stacks, as `manifests/` has them.
    fn guide(&self) {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
        copy(&shipped, &self.dir.path().join("manifests"));
        for other in ["environments/staging", "environments/prod"] {
            fs::remove_dir_all(self.dir.path().join("manifests").join(other)).unwrap();
        }
        for other in ["app.yaml", "backups.yaml"] {
            fs::remove_file(self.dir.path().join("manifests/performance-mgmt").join(other)).unwrap();
        }
        self.edit("environments/dev/environment.yaml", "111122223333", self.account.id.as_str());
        let stacks = "performance-mgmt/stacks.yaml";
        self.edit(stacks, "    AppSecretArn: \"${secrets.app-secrets.arn}\"\n", "");
        let image = "    ImageUri: \"${stacks.ecr.outputs.RepositoryUri}:latest\"\n";
        self.edit(stacks, "    ExecutionRoleArn: \"", &format!("{image}    ExecutionRoleArn: \""));
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.dir.path().join("manifests").join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from:?}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Runs the program to its end: how long it took, and what passed.
    fn run(&self, arguments: &[&str], code: i32) -> (Duration, Passed) {
        self.proxy.take();
        let mut command = self.account.program(arguments, &self.proxy.url, self.dir.path());
        let began = Instant::now();
        let output = command.output().unwrap();
        let took = began.elapsed();
        let said = || String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said());
        (took, self.proxy.take())
    }
}

/// So many stacks that need nothing of each other: deployed, planned with nothing to do, and planned without a journal.
pub(crate) fn stacks(count: usize) -> Vec<Row> {
    let Some(place) = Place::new(Duration::from_secs(1), None) else { return Vec::new() };
    place.independent(count);
    let each = |passed: &Passed| passed.total() as f64 / count as f64;
    let (took, passed) = place.run(&["apply", "bench", "--yes"], 0);
    let deployed = Row(
        format!("{count} independent stacks deployed"),
        format!("{}; {:.2} a stack", told(took, &passed), each(&passed)),
        "≤ 10.4 s for 100; ≤ 2.3 calls a stack".to_owned(),
    );
    let (took, passed) = place.run(&["plan", "bench"], 0);
    let idle = Row(format!("{count} stacks, nothing to do: plan"), told(took, &passed), "–".to_owned());
    fs::remove_dir_all(place.dir.path().join(".landfast")).unwrap();
    let (took, passed) = place.run(&["plan", "bench"], 0);
    let first = Row(format!("{count} stacks, no journal: first plan"), told(took, &passed), "≤ 4 s for 100".to_owned());
    vec![deployed, idle, first]
}

/// The same, where only ten reads a second are answered.
pub(crate) fn limited(count: usize) -> Vec<Row> {
    let Some(place) = Place::new(Duration::from_secs(1), Some(10.0)) else { return Vec::new() };
    place.independent(count);
    let (took, passed) = place.run(&["apply", "bench", "--yes"], 0);
    vec![Row(
        format!("{count} independent stacks deployed, reads limited to 10/s"),
        told(took, &passed),
        "≤ 20 s for 100; under 5 throttled".to_owned(),
    )]
}

/// The guide's graph, whose stacks take one to seven seconds.
pub(crate) fn graph() -> Vec<Row> {
    let Some(place) = Place::new(emulator::UNEQUAL, None) else { return Vec::new() };
    place.guide();
    let (took, passed) = place.run(&["apply", "dev", "--yes"], 0);
    let cx = Context::system().unwrap();
    let store = Store::in_memory(&cx).unwrap();
    let snapshot = source::read(&place.dir.path().join("manifests")).unwrap();
    let revision = store.revise(&snapshot.content, None).unwrap();
    let desired = manifest::load(&snapshot, revision).desired;
    let environment = desired.environments.values().next().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let durations = runtime.block_on(durations(&place.account, environment));
    let critical = longest(environment, &durations);
    vec![Row(
        "the guide's graph with unequal durations: wall ÷ critical path".to_owned(),
        format!(
            "{:.3} ({:.1} s ÷ {critical:.1} s); {}",
            took.as_secs_f64() / critical,
            took.as_secs_f64(),
            told(took, &passed)
        ),
        "≤ 1.08".to_owned(),
    )]
}

/// From the first to the last event of each stack.
async fn durations(account: &Account, environment: &Environment) -> BTreeMap<landfast::model::Key, f64> {
    let port = account.cloud(None).await.stacks(&environment.scope, None);
    let mut took = BTreeMap::new();
    for (key, spec) in &environment.stacks {
        let Some(state) = port.describe(&spec.stack_name).await.unwrap() else { continue };
        let (mut times, mut next) = (Vec::new(), None);
        loop {
            let page = port.events(&state.id, next).await.unwrap();
            times.extend(page.items.iter().map(|event| event.at));
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
        took.insert(key.clone(), last.duration_since(*first).as_secs_f64());
    }
    took
}

fn told(took: Duration, passed: &Passed) -> String {
    let calls: Vec<String> = passed.calls.iter().map(|(operation, count)| format!("{count} {operation}")).collect();
    let throttled = if passed.throttled > 0 { format!("; {} throttled", passed.throttled) } else { String::new() };
    format!("{:.1} s, {} calls ({}){throttled}", took.as_secs_f64(), passed.total(), calls.join(", "))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
