//! What was done to resources past their stacks, and what detections of drift have found.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::evaluate::entries;
use crate::model::{Deed, DetectionId, ResourceDrift, StackId};

/// What was done to a resource past `CloudFormation`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Tampered {
    pub(super) gone: bool,
    /// Properties by JSON pointer; `null`: it was taken away.
    pub(super) properties: BTreeMap<String, Json>,
    /// Its handler cannot read it, and says why.
    pub(super) unreadable: Option<String>,
}

impl Tampered {
    /// A property of it, or what is in one, was changed.
    pub(super) fn touches(&self, property: &str) -> bool {
        self.properties.keys().any(|path| path.split('/').nth(1) == Some(property))
    }

    /// Somebody sets a property.
    pub(super) fn set(&mut self, path: &str, value: Json) {
        self.properties.insert(path.to_owned(), value);
    }

    /// Somebody deletes the resource.
    pub(super) fn lose(&mut self) {
        self.gone = true;
    }

    /// Somebody makes it again.
    pub(super) fn regain(&mut self) {
        self.gone = false;
        self.properties.clear();
    }

    /// It was deleted.
    pub(super) fn is_gone(&self) -> bool {
        self.gone
    }

    /// What was changed, by JSON pointer.
    pub(super) fn changes(&self) -> impl Iterator<Item = (&String, &Json)> {
        self.properties.iter()
    }

    /// What is left of it once these properties were written again.
    pub(super) fn without(&self, written: &[&str]) -> Self {
        let kept = |path: &String| !written.contains(&path.split('/').nth(1).unwrap_or_default());
        let properties = self.properties.iter().filter(|(path, _)| kept(path));
        Self { properties: properties.map(|(path, value)| (path.clone(), value.clone())).collect(), ..self.clone() }
    }

    /// The same, where the resource has these properties and its stack says those.
    pub(super) fn with(&self, said: &Json, live: &Json) -> Self {
        let (said, live) = (entries(said), entries(live));
        let differing = said.keys().chain(live.keys()).filter(|name| said.get(*name) != live.get(*name));
        let differing = differing.map(|name| (format!("/{name}"), live.get(name).cloned().unwrap_or(Json::Null)));
        let mut properties = self.properties.clone();
        properties.extend(differing);
        Self { properties, ..self.clone() }
    }

    /// With what the service makes of it.
    pub(super) fn and(mut self, quirks: &Self) -> Self {
        for (path, value) in &quirks.properties {
            self.properties.entry(path.clone()).or_insert_with(|| value.clone());
        }
        self
    }
}

/// Detections of a stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Detected {
    pub(super) id: DetectionId,
    pub(super) stack: StackId,
    pub(super) until: Timestamp,
    /// Once it is over.
    pub(super) found: Option<Vec<ResourceDrift>>,
}

/// An event of the trail, and what it concerns.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) region: usize,
    pub(super) resource: String,
    pub(super) deed: Deed,
}
