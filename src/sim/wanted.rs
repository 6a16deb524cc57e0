//! A resource as the template wants it, held against what is there.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::evaluate::{Resolve, entries};
use super::reader::ResourceDecl;
use super::resource::{self, Resource};
use crate::model::{Scope, SmallMap};

/// Resources as they are.
pub(super) struct Live<'a> {
    pub(super) scope: &'a Scope,
    pub(super) resources: &'a BTreeMap<String, Resource>,
}

impl Resolve for Live<'_> {
    fn reference(&self, logical: &str) -> Option<String> {
        self.resources.get(logical).map(|resource| resource.physical_id.clone())
    }

    fn attribute(&self, logical: &str, attribute: &str) -> Option<Json> {
        self.resources.get(logical).and_then(|resource| resource.attribute(self.scope, attribute))
    }
}

/// A resource as the template wants it, all expressions evaluated.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) kind: String,
    pub(super) properties: Json,
    pub(super) metadata: Json,
    pub(super) tags: BTreeMap<String, String>,
}

/// What has to be done to a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Delta {
    Same,
    InPlace,
    Replace,
}

impl Wanted {
    pub(super) fn new(decl: &ResourceDecl, properties: Json, metadata: Json, stack_tags: &SmallMap<String>) -> Self {
        let tags =
            if resource::takes_tags(&decl.kind) { stack_tags.clone().into_iter().collect() } else { BTreeMap::new() };
        Self { kind: decl.kind.clone(), properties, metadata, tags }
    }

    /// The properties in which it differs from what is there.
    pub(super) fn changed<'a>(&'a self, now: &'a Resource) -> Vec<&'a str> {
        let (old, new) = (entries(&now.properties), entries(&self.properties));
        let mut changed: Vec<&str> =
            new.iter().filter(|(name, value)| old.get(*name) != Some(*value)).map(|(name, _)| name.as_str()).collect();
        changed.extend(old.keys().filter(|name| !new.contains_key(*name)).map(String::as_str));
        changed
    }

    pub(super) fn delta(&self, now: &Resource) -> Delta {
        if self.kind != now.kind {
            return Delta::Replace;
        }
        let changed = self.changed(now);
        if changed.iter().any(|property| resource::replaces(&self.kind, property)) {
            Delta::Replace
        } else if changed.is_empty() && self.tags == now.tags && self.metadata == now.metadata {
            Delta::Same
        } else {
            Delta::InPlace
        }
    }

    /// The name it was given by hand.
    pub(super) fn name(&self) -> Option<&str> {
        let property = resource::name_property(&self.kind)?;
        self.properties.get(property).and_then(Json::as_str)
    }
}
