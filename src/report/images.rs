//! Which images services are to run, why, and what they run.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::json::API_VERSION;
use super::{Paint, words};
use crate::model::{
    Environment, Evidence, Memory, Observation, RolloutOutcome, Seen, ServiceSpec, TaskDefinitionState,
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
    /// The tag that was decided on; `null` where it was a digest, or nothing was decided.
    pub tag: Option<String>,
    /// The digest that was decided on.
    pub digest: Option<String>,
    /// Why that one.
    pub why: Option<String>,
    /// When it was decided.
    #[schemars(with = "Option<String>")]
    pub decided: Option<Timestamp>,
    /// The image that the live task definition names; `null` where it could not be seen.
    pub deployed: Option<String>,
    /// It is the one that was decided on.
    pub matches: bool,
    /// How the last rollout of the service ended.
    pub outcome: Option<RolloutOutcome>,
    /// What shows that.
    pub evidence: Option<Evidence>,
    /// A person has gone back to it: by whom.
    pub pinned: Option<String>,
}

impl ImageList {
    /// The images of some environments.
    #[must_use]
    pub fn of<'a>(environments: impl IntoIterator<Item = (&'a Environment, &'a Observation, &'a Memory)>) -> Self {
        let mut items = Vec::new();
        for (environment, observation, memory) in environments {
            for spec in environment.services.values() {
                let definition = live(spec, observation);
                items.extend(spec.images.keys().map(|container| Image::of(spec, container, definition, memory)));
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
        let heads = ["SERVICE", "CONTAINER", "DECIDED", "DEPLOYED", "LAST ROLLOUT", "WHY"];
        let mut rows = vec![heads.map(str::to_owned).to_vec()];
        rows.extend(self.items.iter().map(Image::row));
        words::table(&rows, |y, x, cell| match (y, x) {
            (0, _) => paint.title(cell),
            (_, 3) if self.items.get(y - 1).is_some_and(|item| item.matches) => paint.good(cell),
            (_, 3) => paint.change(cell),
            _ => cell,
        })
    }
}

impl Image {
    fn of(spec: &ServiceSpec, container: &str, live: Option<&TaskDefinitionState>, memory: &Memory) -> Self {
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

/// The live task definition, as far as it was seen.
fn live<'a>(spec: &ServiceSpec, observation: &'a Observation) -> Option<&'a TaskDefinitionState> {
    let name = |text: &crate::model::Text| text.as_literal().map(str::to_owned);
    let seen = &observation.services;
    let here = seen.services.iter().filter(|((scope, _), _)| *scope == spec.scope);
    let mut here = here.filter(|((_, service), _)| {
        let same = |wanted: Option<String>, found: &str| wanted.is_none_or(|wanted| wanted == found);
        same(name(&spec.service), &service.service) && same(name(&spec.cluster), &service.cluster)
    });
    let (first, more) = (here.next(), here.next());
    // With references in both names it may not be clear which one it is: then nothing is said.
    let ((scope, _), Seen::Present(state)) = first.filter(|_| more.is_none())? else { return None };
    let arn = state.task_definition.clone()?;
    seen.task_definitions.get(&(scope.clone(), arn)).and_then(Seen::present)
}
