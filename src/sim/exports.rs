//! Outputs, and what stacks export to and import from each other (AWS: *Get exported outputs*, *`Fn::ImportValue`*).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::evaluate::{Env, Resolve, UNKNOWN, shown};
use super::reader::Parsed;
use super::stack::Submission;
use super::wanted::Live;
use super::world::World;
use crate::model::{Output, SmallMap, StackName};

impl World {
    /// The exports of a stack that others import, as `CloudFormation` complains of them.
    pub(super) fn exports_in_use(&self, ix: usize) -> Option<String> {
        let stack = &self.data.stacks[ix];
        let region = &self.data.regions[stack.region];
        let mut exports = stack.state.outputs.values().filter_map(|output| output.export.as_ref());
        exports.find_map(|export| Some((export, users(region.imports.get(export)?)?))).map(|(export, users)| {
            format!("Delete canceled. Cannot delete export {export} as it is in use by {users}.")
        })
    }

    /// The exports that a submission imports; an error if one does not exist.
    pub(super) fn imported(&mut self, ix: usize, submission: &Submission) -> Result<BTreeSet<String>, String> {
        /// Stands for resources that do not matter here.
        struct Anything;
        impl Resolve for Anything {
            fn reference(&self, _: &str) -> Option<String> {
                Some(UNKNOWN.to_owned())
            }
            fn attribute(&self, _: &str, _: &str) -> Option<Json> {
                Some(Json::from(UNKNOWN))
            }
        }
        let parsed = self.parsed(submission.deployed())?;
        if !submission.deployed().contains("ImportValue") {
            return Ok(BTreeSet::new());
        }
        self.with_env(ix, &parsed, submission, &Anything, |env| {
            let missing = |result: Result<Option<Json>, String>| match result {
                Err(reason) if reason.starts_with("No export named") => Err(reason),
                // Anything else is the resource's failure, when its turn comes.
                _ => Ok(()),
            };
            for decl in parsed.resources.values() {
                if env.holds(decl.condition.as_ref())? {
                    missing(env.eval(&decl.properties))?;
                }
            }
            for output in parsed.outputs.values() {
                if env.holds(output.condition.as_ref())? {
                    missing(env.eval(&output.value))?;
                }
            }
            Ok(env.imports.take())
        })
    }

    /// Says which exports a stack holds from now on.
    pub(super) fn hold_imports(&mut self, ix: usize, imports: BTreeSet<String>) {
        let stack = &mut self.data.stacks[ix];
        let name = stack.state.name.clone();
        let region = &mut self.data.regions[stack.region];
        for export in stack.imports.difference(&imports) {
            if let Some(users) = region.imports.get_mut(export) {
                users.remove(&name);
                if users.is_empty() {
                    region.imports.remove(export);
                }
            }
        }
        for export in imports.difference(&stack.imports) {
            region.imports.entry(export.clone()).or_default().insert(name.clone());
        }
        stack.imports = imports;
    }

    /// Evaluates the outputs and publishes the exports, unless somebody else needs them as they were.
    pub(super) fn publish(&mut self, ix: usize) -> Result<(), String> {
        let submission = self.submitted(ix);
        let parsed = self.parsed(submission.deployed())?;
        let stack = &self.data.stacks[ix];
        let live = Live { scope: self.scope_of(ix), resources: &stack.resources };
        let outputs = self.with_env(ix, &parsed, &submission, &live, |env| outputs(&parsed, env))?;
        let (name, region) = (stack.state.name.clone(), stack.region);
        let exports: BTreeMap<String, String> =
            outputs.values().filter_map(|output| Some((output.export.clone()?, output.value.clone()))).collect();
        let region = &mut self.data.regions[region];
        for export in exports.keys() {
            if let Some((owner, _)) = region.exports.get(export).filter(|(owner, _)| *owner != name) {
                return Err(format!("Export with name {export} is already exported by stack {owner}. "));
            }
        }
        for (export, (_, value)) in region.exports.iter().filter(|(_, (owner, _))| *owner == name) {
            let Some(users) = region.imports.get(export).and_then(users) else { continue };
            match exports.get(export) {
                None => {
                    return Err(format!("Delete canceled. Cannot delete export {export} as it is in use by {users}."));
                }
                Some(new) if new != value => {
                    return Err(format!("Cannot update export {export} as it is in use by {users}."));
                }
                Some(_) => {}
            }
        }
        region.exports.retain(|_, (owner, _)| *owner != name);
        region.exports.extend(exports.into_iter().map(|(export, value)| (export, (name.clone(), value))));
        self.change(ix, |state| state.outputs = outputs);
        Ok(())
    }
}

fn users(users: &BTreeSet<StackName>) -> Option<String> {
    (!users.is_empty()).then(|| users.iter().map(StackName::as_str).collect::<Vec<_>>().join(" and "))
}

/// The outputs of a template.
pub(super) fn outputs(parsed: &Parsed, env: &Env<'_>) -> Result<SmallMap<Output>, String> {
    let mut outputs = SmallMap::new();
    for (key, output) in &parsed.outputs {
        if env.holds(output.condition.as_ref())? {
            let value = env.eval(&output.value)?.as_ref().map(shown).unwrap_or_default();
            let export = output.export.as_ref().map(|name| env.text(name)).transpose()?;
            outputs.insert(key.clone(), Output { value, export });
        }
    }
    Ok(outputs)
}
