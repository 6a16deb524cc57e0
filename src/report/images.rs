//! Which images services are to run, why, and what they run.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::json::API_VERSION;
use super::{Paint, words};
use crate::model::{
    Environment, Evidence, Memory, Observation, PassedOver, Plan, RolloutOutcome, Seen, ServiceSpec,
    TaskDefinitionState, TaskState, TasksSeen,
};

/// What `images -o json` writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageList {
    /// `landfast/v1`.
    #[schemars(extend("const" = "landfast/v1"))]
    pub api_version: String,
    /// `ImageList`.
    #[schemars(extend("const" = "ImageList"))]
    pub kind: String,
    /// One for each container of each service.
    pub items: Vec<Image>,
}

/// The image of one container of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// The service's address.
    pub object: String,
    /// The container.
    pub container: String,
    /// The repository.
    pub repository: String,
    /// The selected tag; `null` if it was a digest, or nothing is selected.
    pub tag: Option<String>,
    /// The selected digest.
    pub digest: Option<String>,
    /// Why that one.
    pub why: Option<String>,
    /// When it was selected.
    #[schemars(with = "Option<String>")]
    pub decided: Option<Timestamp>,
    /// The image in the live task definition; `null` if it could not be read.
    pub deployed: Option<String>,
    /// It is the selected image.
    pub matches: bool,
    /// How the last rollout of the service ended.
    pub outcome: Option<RolloutOutcome>,
    /// What shows that.
    pub evidence: Option<Evidence>,
    /// Who rolled back to it.
    pub pinned: Option<String>,
    /// Secrets that have a newer value than the tasks of the service.
    #[serde(default)]
    pub older_than: Vec<OlderThan>,
    /// The newest tags that were not selected.
    #[serde(default)]
    pub passed_over: Vec<PassedOver>,
}

/// A secret whose current value is newer than the start of tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OlderThan {
    /// The secret's address.
    pub secret: String,
    /// Since when its value is current, if known.
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// Tasks that started before; `null` if they could not be read.
    pub tasks: Option<usize>,
}

impl ImageList {
    /// The images of some environments.
    #[must_use]
    pub fn of<'a>(
        environments: impl IntoIterator<Item = (&'a Environment, &'a Observation, &'a Memory, &'a Plan)>,
    ) -> Self {
        let mut items = Vec::new();
        for (environment, observation, memory, plan) in environments {
            for spec in environment.services.values() {
                let definition = live(spec, observation, plan);
                let older = older(spec, observation, memory, plan);
                let images = spec.images.keys();
                let passed = plan.entries.get(&spec.key).map(|entry| &entry.passed_over);
                items.extend(images.map(|container| Image {
                    passed_over: passed.and_then(|passed| passed.get(container)).cloned().unwrap_or_default(),
                    ..Image::of(spec, container, definition, memory, &older)
                }));
            }
        }
        Self { api_version: API_VERSION.to_owned(), kind: "ImageList".to_owned(), items }
    }

    /// As a table.
    #[must_use]
    pub fn text(&self, paint: Paint) -> String {
        if self.items.is_empty() {
            return "No services.\n".to_owned();
        }
        let heads = ["SERVICE", "CONTAINER", "SELECTED", "DEPLOYED", "LAST ROLLOUT", "WHY"];
        let mut rows = vec![heads.map(str::to_owned).to_vec()];
        rows.extend(self.items.iter().map(Image::row));
        let mut text = words::table(&rows, |y, x, cell| match (y, x) {
            (0, _) => paint.title(cell),
            (_, 3) if self.items.get(y - 1).is_some_and(|item| item.matches) => paint.good(cell),
            (_, 3) => paint.change(cell),
            _ => cell,
        });
        for item in self.items.iter().filter(|item| !item.passed_over.is_empty()) {
            let _ = writeln!(text, "{} {}, newer tags that were not selected:", item.object, item.container);
            for passed in &item.passed_over {
                let _ = writeln!(text, "  {}: {}", words::clean(&passed.tag), words::clean(&passed.why));
            }
        }
        let mut told = BTreeSet::new();
        for item in &self.items {
            for older in &item.older_than {
                let tasks = older.tasks.map_or_else(|| "tasks".to_owned(), |tasks| words::count(tasks, "task"));
                let since = older.since.map(|since| format!(", since {}", words::time(since))).unwrap_or_default();
                let line =
                    format!("{}: {tasks} started before the current value of {}{since}", item.object, older.secret);
                if told.insert(line.clone()) {
                    text.push_str(&paint.change(line));
                    text.push('\n');
                }
            }
        }
        text
    }
}

impl Image {
    fn of(
        spec: &ServiceSpec,
        container: &str,
        live: Option<&TaskDefinitionState>,
        memory: &Memory,
        older: &[OlderThan],
    ) -> Self {
        let memory = memory.objects.services.get(&spec.key);
        let decision = memory.and_then(|memory| memory.decisions.get(container));
        let last = memory.and_then(|memory| memory.last.as_ref());
        let pin = memory.and_then(|memory| memory.pin.as_ref());
        let found = live.and_then(|live| live.containers.iter().find(|found| found.name == container));
        let digest = decision.map(|decision| decision.digest.to_string());
        let deployed = found.map(|found| found.image.clone());
        let named = deployed.as_deref().and_then(|image| image.rsplit_once('@')).map(|(_, digest)| digest);
        Self {
            object: spec.key.to_string(),
            container: container.to_owned(),
            repository: spec.images.get(container).map(|image| image.repository.clone()).unwrap_or_default(),
            tag: decision.and_then(|decision| decision.tag.clone()),
            why: decision.map(|decision| decision.why.clone()),
            decided: decision.map(|decision| decision.at),
            matches: digest.is_some() && digest.as_deref() == named,
            digest,
            deployed,
            outcome: last.map(|last| last.outcome),
            evidence: last.map(|last| last.evidence.clone()),
            pinned: pin.filter(|pin| pin.images.contains_key(container)).map(|pin| pin.by.clone()),
            older_than: older.to_vec(),
            passed_over: Vec::new(),
        }
    }

    fn row(&self) -> Vec<String> {
        let dash = || "-".to_owned();
        let short = |digest: &str| digest.get(..19).unwrap_or(digest).to_owned();
        let decided = match (&self.tag, &self.digest) {
            (Some(tag), Some(digest)) => format!("{} ({})", words::clean(tag), short(digest)),
            (None, Some(digest)) => short(digest),
            (_, None) => dash(),
        };
        let deployed = match (&self.deployed, self.matches) {
            (Some(_), true) => "the same".to_owned(),
            (Some(image), false) => match image.rsplit_once('@') {
                Some((_, digest)) => short(digest),
                None => words::clean(image.rsplit('/').next().unwrap_or(image)),
            },
            (None, _) => dash(),
        };
        let why = self.why.as_deref().map_or_else(dash, words::clean);
        let outcome = self.outcome.map_or_else(dash, |outcome| words::outcome(outcome).to_owned());
        vec![self.object.clone(), self.container.clone(), decided, deployed, outcome, why]
    }
}

/// Secrets that tasks of the service have to be replaced for, and how many of them.
fn older(spec: &ServiceSpec, observation: &Observation, memory: &Memory, plan: &Plan) -> Vec<OlderThan> {
    let has = memory.objects.services.get(&spec.key).map(|memory| &memory.has);
    let secrets = memory.objects.secrets.iter().filter(|(key, secret)| {
        let got = has.and_then(|has| has.get(*key));
        let wanted = secret.restarts.get(&spec.key).into_iter().flatten();
        wanted.into_iter().any(|version| !got.is_some_and(|got| got.contains(version)))
    });
    let tasks = tasks(spec, observation, plan);
    secrets
        .map(|(key, secret)| {
            let since = secret.current_since;
            let before = |task: &&TaskState| task.created.zip(since).is_none_or(|(created, since)| created <= since);
            let tasks = tasks.map(|tasks| tasks.running.iter().filter(before).count());
            OlderThan { secret: key.to_string(), since, tasks }
        })
        .collect()
}

/// The tasks of a service, where it is known which one that is and they were read.
fn tasks<'a>(spec: &ServiceSpec, observation: &'a Observation, plan: &Plan) -> Option<&'a TasksSeen> {
    let named = named(spec, plan)?;
    let mut all = observation.services.tasks.iter();
    let (_, seen) = all.find(|((scope, found), _)| *scope == spec.scope && found.to_string() == named)?;
    seen.present()
}

/// The live task definition, as far as it was seen.
fn live<'a>(spec: &ServiceSpec, observation: &'a Observation, plan: &Plan) -> Option<&'a TaskDefinitionState> {
    let named = named(spec, plan)?;
    let seen = &observation.services;
    let mut all = seen.services.iter();
    let (_, service) = all.find(|((scope, found), _)| *scope == spec.scope && found.to_string() == named)?;
    let arn = service.present()?.task_definition.clone()?;
    seen.task_definitions.get(&(spec.scope.clone(), arn)).and_then(Seen::present)
}

/// The service that a manifest names, with the outputs of stacks filled in: as the plan has found it.
fn named<'p>(spec: &ServiceSpec, plan: &'p Plan) -> Option<&'p str> {
    plan.entries.get(&spec.key).map(|entry| &*entry.address.name)
}
