//! What macros make of a template (AWS: *Template macros*): those that AWS hosts.
//!
//! A macro within the template comes before those of the whole, and these in the order in which they are listed. What comes
//! out is what is deployed; what went in is what `GetTemplate` gives as the original.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::evaluate::Frame;
use super::limit::Refusal;
use super::reader::{self, EXTENSIONS};
use super::world::World;
use super::{extensions, serverless};
use crate::model::{Scope, SmallMap, Value};

/// The macro that puts the text of an object into the template.
const INCLUDE: &str = "AWS::Include";

/// The macro that makes a function for each `HostedRotationLambda`; without one it changes nothing (AWS:
/// *`AWS::SecretsManager` transform*).
const ROTATION: &str = "AWS::SecretsManager-2020-07-23";

/// Includes within includes: more than anybody has.
const DEPTH_MAX: usize = 8;

impl World {
    /// What the macros of a template make of it; `None`: it has none.
    pub(super) fn process(
        &self,
        region: usize,
        template: &Arc<str>,
        given: &SmallMap<Value>,
    ) -> Result<Option<Arc<str>>, Refusal> {
        if !template.contains("Transform") {
            return Ok(None);
        }
        let mut root = reader::structure(template)?;
        let wanted = reader::transforms(&root);
        root.remove("Transform");
        if wanted.is_empty() && !holds(&Json::Object(root.clone()), "Fn::Transform") {
            return Ok(None);
        }
        let scope = &self.data.regions[region].scope;
        let frame = Frame { parameters: values(&root, given), scope };
        let mut root = self.include_within(Json::Object(root), &frame, DEPTH_MAX)?;
        let map = root.as_object_mut().ok_or("Template format error: unsupported structure.")?;
        let mut extended = false;
        for one in wanted {
            let name = one.as_str().or_else(|| one.get("Name").and_then(Json::as_str)).unwrap_or_default();
            match name {
                INCLUDE => {
                    let more = self.included(&one, &frame, map)?;
                    merge(map, more)?;
                }
                EXTENSIONS => {
                    extensions::expand(map, &frame)?;
                    extended = true;
                }
                serverless::NAME => serverless::expand(map)?,
                ROTATION if !holds(&Json::Object(map.clone()), "HostedRotationLambda") => {}
                _ => return Err(unknown(name, scope)),
            }
        }
        if extended {
            // So that its functions, which may refer to resources, are still known when they are evaluated.
            map.insert("Transform".to_owned(), Json::from(EXTENSIONS));
        }
        Ok(Some(root.to_string().into()))
    }

    /// Puts what every `Fn::Transform` within the template stands for in its place.
    fn include_within(&self, value: Json, frame: &Frame<'_>, depth: usize) -> Result<Json, Refusal> {
        match value {
            Json::Array(items) => {
                items.into_iter().map(|item| self.include_within(item, frame, depth)).collect::<Result<_, _>>()
            }
            Json::Object(map) => {
                let mut done = Map::with_capacity(map.len());
                for (key, item) in map {
                    if key != "Fn::Transform" {
                        let item = self.include_within(item, frame, depth)?;
                        merge(&mut done, Map::from_iter([(key, item)]))?;
                        continue;
                    }
                    let name = item.get("Name").and_then(Json::as_str).unwrap_or_default();
                    if name != INCLUDE {
                        return Err(unknown(name, frame.scope));
                    }
                    let depth = depth.checked_sub(1).ok_or("Transform AWS::Include is nested too deeply")?;
                    let within = self.included(&item, frame, &Map::new())?;
                    let within = self.include_within(Json::Object(within), frame, depth)?;
                    merge(&mut done, within.as_object().cloned().unwrap_or_default())?;
                }
                Ok(Json::Object(done))
            }
            other => Ok(other),
        }
    }

    /// What is at the place that an include names (AWS: *`AWS::Include` transform*).
    fn included(
        &self,
        include: &Json,
        frame: &Frame<'_>,
        root: &Map<String, Json>,
    ) -> Result<Map<String, Json>, Refusal> {
        let place = include.get("Parameters").and_then(|given| given.get("Location")).cloned().unwrap_or_default();
        let place = frame.with(root, |env| env.text(&place))?;
        let wrong = |what: &str| Refusal::Aws(format!("Transform AWS::Include failed with: {what}"));
        let uri = place.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
        let (bucket, key) = uri.ok_or_else(|| wrong("The location parameter is not a valid S3 uri."))?;
        let Some(objects) = self.data.objects.get(bucket) else {
            return Err(Refusal::cannot(format!("include {place}: it has no bucket {bucket}")));
        };
        let body = objects.get(key).ok_or_else(|| wrong("S3 bucket or object does not exist."))?;
        // "AWS::Include … doesn't support shorthand notations for YAML snippets" (the same page).
        if body.lines().any(|line| line.contains(": !") || line.trim_start().starts_with("- !")) {
            return Err(wrong("The specified S3 object's content should be valid Yaml/JSON"));
        }
        reader::structure(body).map_err(|_| wrong("The specified S3 object's content should be valid Yaml/JSON"))
    }
}

fn holds(value: &Json, wanted: &str) -> bool {
    match value {
        Json::Array(items) => items.iter().any(|item| holds(item, wanted)),
        Json::Object(map) => map.iter().any(|(key, value)| key == wanted || holds(value, wanted)),
        _ => false,
    }
}

/// A macro that is not simulated. One of AWS's own is hosted everywhere; any other runs a function of the account.
fn unknown(name: &str, scope: &Scope) -> Refusal {
    let whose = if name.starts_with("AWS::") { "AWS's transform" } else { "the macro" };
    Refusal::cannot(format!("run {whose} {name} (account {})", scope.account))
}

/// Values of parameters, where they are given or have a default.
fn values(root: &Map<String, Json>, given: &SmallMap<Value>) -> BTreeMap<String, String> {
    let declared = reader::declared(root).parameters.into_iter();
    let values = declared.filter_map(|(name, decl)| {
        let value = match given.get(&name) {
            Some(Value::Plain(value)) => Some(value.clone()),
            Some(Value::NoEcho(value)) => Some(value.expose().to_owned()),
            Some(Value::Previous) => None,
            None => decl.default,
        };
        Some((name, value?))
    });
    values.collect()
}

/// Adds entries to a map; sections that are on both sides are one.
fn merge(map: &mut Map<String, Json>, more: Map<String, Json>) -> Result<(), String> {
    for (key, value) in more {
        match (map.get_mut(&key), value) {
            (None, value) => _ = map.insert(key, value),
            (Some(Json::Object(there)), Json::Object(more)) => merge(there, more)?,
            (Some(_), _) => return Err(format!("Template format error: duplicate key {key}")),
        }
    }
    Ok(())
}
