//! Environments full of small stacks that are deployed already.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use landfast::context::{Context, Virtual};
use landfast::controller::Controller;
use landfast::manifest;
use landfast::model::{Desired, EnvName, FileContent, Snapshot};
use landfast::sim::{SimCloud, SimConfig};
use landfast::store::Store;

use crate::process;

pub(crate) const TEMPLATE: &str = "\
AWSTemplateFormatVersion: '2010-09-09'
Parameters:
  Days: { Type: Number, Default: 7 }
Resources:
  Log:
    Type: AWS::Logs::LogGroup
    Properties: { RetentionInDays: !Ref Days }
Outputs:
  Name: { Value: !Ref Log }
";

pub(crate) struct Fleet {
    pub(crate) clock: Virtual,
    pub(crate) cx: Context,
    pub(crate) cloud: SimCloud,
    /// Where the journal is, as the daemon keeps it.
    state: tempfile::TempDir,
    pub(crate) snapshot: Snapshot,
    /// What the simulated AWS takes of this process's memory, in MiB.
    pub(crate) cloud_memory: f64,
}

impl Fleet {
    /// `environments` in an account each, with so many stacks each, deployed by hand with Landfast's tag: as they are
    /// when the journal was lost.
    pub(crate) fn deployed(environments: usize, stacks: usize) -> Self {
        Self::deployed_in(SimConfig::default(), environments, stacks)
    }

    /// The same, in an AWS with these settings.
    pub(crate) fn deployed_in(config: SimConfig, environments: usize, stacks: usize) -> Self {
        Self::within(config, snapshot(environments, stacks), stacks, |fleet| {
            let desired = fleet.load().desired;
            for spec in desired.environments.values().flat_map(|environment| environment.stacks.values()) {
                let tags = [("landfast:owner".to_owned(), spec.key.to_string())].into();
                let console = fleet.cloud.console(&spec.scope);
                console.create_stack(&spec.stack_name, TEMPLATE, &BTreeMap::new(), &tags).unwrap();
            }
        })
    }

    /// What these manifests describe, some of it made by hand two hours ago.
    pub(crate) fn with(snapshot: Snapshot, stacks: usize, make: impl FnOnce(&Self)) -> Self {
        Self::within(SimConfig::default(), snapshot, stacks, make)
    }

    /// The same, in an AWS with these settings.
    pub(crate) fn within(config: SimConfig, snapshot: Snapshot, stacks: usize, make: impl FnOnce(&Self)) -> Self {
        let clock = Virtual::starting_at("2026-03-02T09:00:00Z".parse().unwrap());
        let cx = Context::simulated(&clock, 1);
        let config = SimConfig { stack_quota: stacks + 1, history: 0, ..config };
        let mut fleet = Self {
            cloud_memory: 0.0,
            cloud: SimCloud::new(cx.clone(), config),
            state: tempfile::tempdir().unwrap(),
            snapshot,
            clock,
            cx,
        };
        let before = process::memory("VmRSS");
        make(&fleet);
        fleet.clock.drive(fleet.cx.sleep(Duration::from_hours(2))).unwrap();
        // A call lets everything happen that is due.
        let _ = fleet.cloud.calls();
        fleet.cloud_memory = process::memory("VmRSS") - before;
        fleet
    }

    pub(crate) fn load(&self) -> manifest::Loaded {
        let store = Store::in_memory(&self.cx).unwrap();
        let revision = store.revise(&self.snapshot.content, None).unwrap();
        let loaded = manifest::load(&self.snapshot, revision);
        assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics.first());
        loaded
    }

    /// Starts the program on the state directory.
    pub(crate) fn start(&self) -> (Controller, Desired) {
        let store = Store::open(&self.state.path().join("journal.redb"), &self.cx).unwrap();
        let revision = store.revise(&self.snapshot.content, None).unwrap();
        let desired = manifest::load(&self.snapshot, revision).desired;
        let cloud = Arc::new(self.cloud.clone());
        let controller = Controller::new(self.cx.clone(), cloud, store, Arc::new(|_, _| {}));
        controller.board.publish(desired.clone(), &BTreeSet::<EnvName>::new());
        (controller, desired)
    }

    /// Calls so far by operation.
    pub(crate) fn calls(&self, first: u64) -> BTreeMap<&'static str, usize> {
        let mut calls = BTreeMap::new();
        for call in self.cloud.audit().iter().filter(|call| call.index >= first) {
            *calls.entry(call.operation).or_default() += 1;
        }
        calls
    }
}

pub(crate) fn shown(calls: &BTreeMap<&'static str, usize>) -> String {
    calls.iter().map(|(operation, count)| format!("{count} {operation}")).collect::<Vec<_>>().join(", ")
}

pub(crate) fn snapshot(environments: usize, stacks: usize) -> Snapshot {
    let mut files = BTreeMap::new();
    let mut put = |path: String, text: String| files.insert(path, FileContent::Bytes(text.into_bytes().into()));
    for index in 0..environments {
        put(format!("environments/e{index}.yaml"), environment(&format!("e{index}"), 100_000_000_000 + index));
    }
    // Files of a thousand documents: larger than 1 MiB they are not read.
    for from in (0..stacks).step_by(1000) {
        let documents = (from..stacks.min(from + 1000)).map(|index| stack(&format!("s{index:05}"), 7));
        put(format!("stacks/stacks-{from}.yaml"), documents.collect());
    }
    put("stacks/small.yaml.template".to_owned(), TEMPLATE.to_owned());
    Snapshot::new("manifests", files, None)
}

pub(crate) fn environment(name: &str, account: usize) -> String {
    format!(
        "apiVersion: landfast/v1\nkind: Environment\nmetadata: {{ name: {name} }}\nspec:\n  system: bench\n  \
         account: \"{account}\"\n  region: us-east-1\n  include: [../stacks]\n  \
         policy: {{ mode: apply, budget: {{ stacks: 100000 }} }}\n"
    )
}

pub(crate) fn stack(name: &str, days: u32) -> String {
    let mut text = String::new();
    let _ = write!(
        text,
        "---\napiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: {name} }}\nspec:\n  \
         template: small.yaml.template\n  parameters: {{ Days: \"{days}\" }}\n"
    );
    text
}
