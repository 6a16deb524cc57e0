//! Parameters of stacks: what goes into the environment's parameter file, what is a reference, what cannot be known.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::references::{Recovered, References};
use super::scalar::{list, literal, quoted};
use super::survey::FoundStack;
use crate::model::{StackName, Template, TemplateParameter};
use crate::sabotage::{self, Bug};

/// A parameter as a stack's manifest writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// What comes after the colon.
    pub(super) text: String,
    /// Why it is so, where it is not plain.
    pub(super) note: Option<String>,
}

/// Where every parameter of every stack goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters {
    /// The environment's parameter file.
    pub(super) file: BTreeMap<String, String>,
    /// In the manifests of the stacks.
    pub(super) lines: BTreeMap<StackName, BTreeMap<String, Line>>,
}

/// `secrets` are ARNs of secrets with the reference that stands for each.
pub(super) fn parameters(
    stacks: &BTreeMap<StackName, FoundStack>,
    templates: &BTreeMap<StackName, Template>,
    references: &mut References<'_>,
    secrets: &BTreeMap<String, String>,
) -> Parameters {
    let mut found = Parameters::default();
    let mut plain: BTreeMap<&str, Vec<(&StackName, &str, &TemplateParameter)>> = BTreeMap::new();
    let mut hidden: BTreeSet<&str> = BTreeSet::new();
    for (name, template) in templates {
        let Some(stack) = stacks.get(name) else { continue };
        for (key, declared) in &template.parameters {
            let Some(value) = stack.state.parameters.get(key) else { continue };
            if declared.no_echo {
                hidden.insert(key);
                if sabotage::is(Bug::LeavesOutHidden) {
                    continue;
                }
                found.lines.entry(name.clone()).or_default().insert(key.clone(), kept());
                continue;
            }
            if let Some(reference) = secrets.get(value) {
                let line = Line { text: quoted(reference), note: None };
                found.lines.entry(name.clone()).or_default().insert(key.clone(), line);
                continue;
            }
            let is_list = declared.kind == "CommaDelimitedList" || declared.kind.contains("List<");
            match references.recover(Some(name), key, value, is_list) {
                Recovered::Reference(text) => {
                    let line = Line { text: written(&text, is_list), note: None };
                    found.lines.entry(name.clone()).or_default().insert(key.clone(), line);
                }
                Recovered::Unclear(why) => {
                    let line = Line { text: literal(value), note: Some(why) };
                    found.lines.entry(name.clone()).or_default().insert(key.clone(), line);
                }
                Recovered::Literal => plain.entry(key).or_default().push((name, value, declared)),
            }
        }
    }
    for (key, uses) in plain {
        place(key, &uses, hidden.contains(key), &mut found);
    }
    found
}

/// A value that all stacks with this parameter share goes into the file. A default that nobody overrides is nowhere.
fn place(key: &str, uses: &[(&StackName, &str, &TemplateParameter)], hidden: bool, found: &mut Parameters) {
    let is_default = |value: &str, declared: &TemplateParameter| declared.default.as_deref() == Some(value);
    if uses.iter().all(|(_, value, declared)| is_default(value, declared)) {
        return;
    }
    let first = uses.first().map(|(_, value, _)| *value);
    // What one template hides, the file must not show; and what a stack's manifest says counts before the file.
    if !hidden && uses.iter().all(|(_, value, _)| Some(*value) == first) {
        found.file.insert(key.to_owned(), first.unwrap_or_default().to_owned());
        return;
    }
    for (name, value, declared) in uses {
        if !is_default(value, declared) {
            let line = Line { text: literal(value), note: None };
            found.lines.entry((*name).clone()).or_default().insert(key.to_owned(), line);
        }
    }
}

/// AWS shows `****`; neither that nor the template's default is what the stack has.
fn kept() -> Line {
    let note = "declared NoEcho: AWS does not show the value, so it is kept; set a value here to manage it";
    Line { text: "{ previous: true }".to_owned(), note: Some(note.to_owned()) }
}

/// References as a list, where there are several.
fn written(text: &str, is_list: bool) -> String {
    if is_list && text.contains(',') { list(text.split(',').map(quoted)) } else { quoted(text) }
}

impl Parameters {
    /// The parameter file, in the shape that the guide and the AWS CLI know.
    pub(super) fn document(&self) -> String {
        let entries: Map<String, Value> =
            self.file.iter().map(|(key, value)| (key.clone(), Value::String(value.clone()))).collect();
        let document = Value::Object(Map::from_iter([("Parameters".to_owned(), Value::Object(entries))]));
        format!("{document:#}\n")
    }
}
