//! From a `Stack` document and an environment to one desired stack.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::diagnostic::{Guesses, Problem};
use super::document::{Or, StackDocumentSpec};
use super::environment::Env;
use super::files::{Doc, beside, text};
use super::graph::Origin;
use super::policy::parse_duration;
use super::render::{FindOutput, Names, Rendered, Site, public};
use super::values::{Given, Patterns, resolve};
use crate::model::{Key, ObjectName, Region, Scope, Snapshot, StackName, StackSpec, Template, Text};
use crate::yaml::Span;

/// The capabilities that CloudFormation knows.
const CAPABILITIES: [&str; 3] = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"];

/// A stack document in an environment, with its template.
pub(super) struct Draft<'d, 's> {
    pub(super) key: Key,
    pub(super) doc: &'d Doc<'s>,
    pub(super) spec: &'d StackDocumentSpec,
    pub(super) template: Option<Arc<Template>>,
}

/// What every stack of an environment is read with.
pub(super) struct Surroundings<'e> {
    pub(super) snapshot: &'e Snapshot,
    pub(super) env: &'e Env<'e>,
    pub(super) secrets: &'e BTreeSet<String>,
    pub(super) stacks: &'e BTreeSet<ObjectName>,
    pub(super) find: &'e FindOutput<'e>,
    pub(super) guesses: &'e Guesses,
}

/// What came of a draft.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) spec: Option<StackSpec>,
    pub(super) problems: Vec<Problem>,
    /// What it waits for, and why.
    pub(super) edges: BTreeMap<Key, Origin>,
    /// Stretches that no snippet may show.
    pub(super) masks: Vec<(Arc<str>, Span)>,
    /// Entries of the parameter file that it uses.
    pub(super) used: BTreeSet<String>,
}

/// Instantiates a stack.
pub(super) fn instantiate(draft: &Draft<'_, '_>, around: &Surroundings<'_>, patterns: &mut Patterns) -> Outcome {
    let mut maker = Maker { draft, around, out: Outcome::default() };
    let spec = maker.spec(patterns);
    let failed = maker.out.problems.iter().any(|problem| problem.severity == super::Severity::Error);
    maker.out.spec = spec.filter(|_| !failed);
    maker.out
}

struct Maker<'m, 's> {
    draft: &'m Draft<'m, 's>,
    around: &'m Surroundings<'m>,
    out: Outcome,
}

impl<'m> Maker<'m, '_> {
    fn spec(&mut self, patterns: &mut Patterns) -> Option<StackSpec> {
        let (draft, around) = (self.draft, self.around);
        let (spec, shell) = (draft.spec, &around.env.shell);
        let default = &shell.scope.region;
        let names = around.env.names(default.as_str(), around.secrets);
        let region = match &spec.region {
            None => Some(default.clone()),
            Some(region) => self.parsed::<Region>(region, "region", &names),
        };
        let region_name = region.as_ref().unwrap_or(default).as_str().to_owned();
        let names = around.env.names(&region_name, around.secrets);
        let stack_name = self.stack_name(&names);
        let (parameters, tags) = (self.parameters(&names, patterns), self.tags(&names));
        let role_arn = spec.role_arn.as_ref().and_then(|text| self.open(text, self.site(&["spec", "roleArn"]), &names));
        let rollback_alarms = self.texts(&spec.rollback_alarms, "rollbackAlarms", &names);
        let notifications = self.texts(&spec.notifications, "notifications", &names);
        let capabilities = self.capabilities(&names);
        let termination_protection =
            self.choice(spec.termination_protection.as_ref(), "terminationProtection", &names, &flag);
        let on_failure = self.choice(spec.on_failure.as_ref(), "onFailure", &names, &word);
        let deletion_policy = self.choice(spec.deletion_policy.as_ref(), "deletionPolicy", &names, &word);
        let adopt = self.choice(spec.adopt.as_ref(), "adopt", &names, &flag);
        let timeout = self.duration(spec.timeout.as_deref(), "timeout", &names, 1..=u64::MAX);
        let monitoring = self.duration(spec.monitoring_time.as_deref(), "monitoringTime", &names, 0..=180);
        let stack_policy = self.stack_policy(&names);
        self.depends_on();
        Some(StackSpec {
            key: draft.key.clone(),
            scope: Scope { account: shell.scope.account.clone(), region: region? },
            stack_name: stack_name?,
            template: draft.template.clone()?,
            parameters: parameters?,
            images: BTreeMap::new(),
            capabilities,
            tags,
            role_arn,
            termination_protection,
            stack_policy,
            on_failure,
            timeout,
            rollback_alarms,
            monitoring_minutes: monitoring.and_then(|time| i32::try_from(time.as_secs() / 60).ok()),
            notifications,
            deletion_policy,
            adopt,
            depends_on: BTreeSet::new(),
        })
    }

    fn site(&self, path: &[&str]) -> Site<'m> {
        let doc = self.draft.doc;
        Site { file: &doc.file, source: doc.source, span: doc.span(path) }
    }

    fn wrong(&mut self, message: String, site: Site<'_>) {
        self.out.problems.push(Problem::error("invalid-value", message, site.file, site.span));
    }

    /// A text that must be known now.
    fn closed(&mut self, text: &str, site: Site<'_>, names: &Names<'_>) -> Option<String> {
        match names.render(text, site, None).and_then(|rendered| public(rendered, site)) {
            Ok(rendered) => {
                let text = rendered.text.as_literal().map(str::to_owned);
                self.used(&rendered);
                text
            }
            Err(problems) => {
                self.out.problems.extend(problems);
                None
            }
        }
    }

    /// A text that may hold outputs.
    fn open(&mut self, text: &str, site: Site<'_>, names: &Names<'_>) -> Option<Text> {
        let rendered = self.rendered(text, site, names)?;
        match public(rendered, site) {
            Ok(rendered) => Some(rendered.text),
            Err(problems) => {
                self.out.problems.extend(problems);
                None
            }
        }
    }

    fn rendered(&mut self, text: &str, site: Site<'_>, names: &Names<'_>) -> Option<Rendered> {
        match names.render(text, site, Some(self.around.find)) {
            Ok(rendered) => {
                self.used(&rendered);
                Some(rendered)
            }
            Err(problems) => {
                self.out.problems.extend(problems);
                None
            }
        }
    }

    fn used(&mut self, rendered: &Rendered) {
        self.out.used.extend(rendered.parameters.iter().cloned());
        for (reference, raw, span) in &rendered.outputs {
            let origin = Origin { file: Arc::clone(&self.draft.doc.file), span: *span, reason: raw.clone() };
            self.out.edges.entry(reference.stack.clone()).or_insert(origin);
        }
    }

    fn parsed<T: std::str::FromStr<Err = crate::model::InvalidName>>(
        &mut self,
        text: &str,
        field: &str,
        names: &Names<'_>,
    ) -> Option<T> {
        let site = self.site(&["spec", field]);
        let text = self.closed(text, site, names)?;
        text.parse().map_err(|why: T::Err| self.wrong(why.to_string(), site)).ok()
    }

    fn stack_name(&mut self, names: &Names<'_>) -> Option<StackName> {
        if let Some(text) = &self.draft.spec.stack_name {
            return self.parsed(text, "stackName", names);
        }
        let name = format!("{}-{}-{}", names.env, names.system, self.draft.key.name);
        let site = self.site(&["metadata", "name"]);
        name.parse().map_err(|why: crate::model::InvalidName| self.wrong(why.to_string(), site)).ok()
    }

    fn parameters(
        &mut self,
        names: &Names<'_>,
        patterns: &mut Patterns,
    ) -> Option<BTreeMap<String, crate::model::Parameter>> {
        let draft = self.draft;
        let entries = draft.doc.entries(&["spec", "parameters"]);
        let Some(template) = &draft.template else {
            // It cannot be told which of them are secret.
            for entry in entries {
                self.out.masks.push((Arc::clone(&draft.doc.file), entry.value.span));
            }
            return None;
        };
        let mut given = BTreeMap::new();
        for entry in entries {
            let site = Site::of(draft.doc, &entry.value);
            let secret = template.parameters.get(&entry.key).is_some_and(|declared| declared.no_echo);
            // An unknown one may be a misspelt secret.
            if secret || !template.parameters.contains_key(&entry.key) {
                self.out.masks.push((Arc::clone(&draft.doc.file), entry.value.span));
            }
            let text = super::parameters::joined(&entry.value).unwrap_or_default();
            let rendered = self.rendered(&text, site, names);
            if secret && let Some(rendered) = &rendered {
                for value in &rendered.values {
                    let path: Vec<&str> = ["spec", "values"].into_iter().chain(value.split('.')).collect();
                    let doc = &self.around.env.doc;
                    self.out.masks.push((Arc::clone(&doc.file), doc.span(&path)));
                }
            }
            let many = !entry.value.items().is_empty();
            given.insert(entry.key.as_str(), Given { rendered, many, site, key_span: entry.key_span });
        }
        let owner = self.site(&["spec", "template"]);
        let resolved = resolve(template, given, (&self.around.env.parameters, self.around.secrets), owner, patterns);
        self.out.problems.extend(resolved.problems);
        self.out.used.extend(resolved.used);
        Some(resolved.values)
    }

    fn tags(&mut self, names: &Names<'_>) -> BTreeMap<String, Text> {
        let common = self.around.env.shell.tags.iter();
        let mut tags: BTreeMap<String, Text> = common.map(|(key, value)| (key.clone(), Text::literal(value))).collect();
        let doc = self.draft.doc;
        for entry in doc.entries(&["spec", "tags"]).iter().filter(|entry| self.draft.spec.tags.contains_key(&entry.key))
        {
            let text = super::parameters::joined(&entry.value).unwrap_or_default();
            if let Some(text) = self.open(&text, Site::of(doc, &entry.value), names) {
                tags.insert(entry.key.clone(), text);
            }
        }
        tags
    }

    fn texts(&mut self, list: &[String], field: &str, names: &Names<'_>) -> Vec<Text> {
        let nodes = self.draft.doc.items(&["spec", field]);
        let sites = nodes.iter().map(|node| Site::of(self.draft.doc, node));
        list.iter().zip(sites).filter_map(|(text, site)| self.open(text, site, names)).collect()
    }

    fn capabilities(&mut self, names: &Names<'_>) -> BTreeSet<String> {
        let nodes = self.draft.doc.items(&["spec", "capabilities"]);
        let mut known = BTreeSet::new();
        for (text, node) in self.draft.spec.capabilities.iter().zip(nodes) {
            let site = Site::of(self.draft.doc, node);
            let Some(text) = self.closed(text, site, names) else { continue };
            if CAPABILITIES.contains(&text.as_str()) {
                known.insert(text);
            } else {
                let message = format!("`{text}` is not a capability; known: {}", CAPABILITIES.join(", "));
                let problem = Problem::error("invalid-value", message, site.file, site.span);
                self.out.problems.push(problem.suggest(&text, CAPABILITIES));
            }
        }
        known
    }

    fn choice<T: Copy + Default>(
        &mut self,
        given: Option<&Or<T>>,
        field: &str,
        names: &Names<'_>,
        read: &dyn Fn(&str) -> Option<T>,
    ) -> T {
        match given {
            None => T::default(),
            Some(Or::Known(value)) => *value,
            Some(Or::Text(text)) => {
                let site = self.site(&["spec", field]);
                let Some(text) = self.closed(&text.0, site, names) else { return T::default() };
                read(&text).unwrap_or_else(|| {
                    self.wrong(format!("`{field}` cannot be `{text}`"), site);
                    T::default()
                })
            }
        }
    }

    fn duration(
        &mut self,
        text: Option<&str>,
        field: &str,
        names: &Names<'_>,
        minutes: std::ops::RangeInclusive<u64>,
    ) -> Option<Duration> {
        let site = self.site(&["spec", field]);
        let text = self.closed(text?, site, names)?;
        match parse_duration(&text) {
            Ok(time) if minutes.contains(&(time.as_secs() / 60)) => Some(time),
            Ok(_) => {
                let end = if *minutes.end() == u64::MAX {
                    String::new()
                } else {
                    format!(" and at most {} minutes", minutes.end())
                };
                self.wrong(format!("`{field}` must be at least {} minutes{end}", minutes.start()), site);
                None
            }
            Err(why) => {
                self.wrong(why, site);
                None
            }
        }
    }

    fn stack_policy(&mut self, names: &Names<'_>) -> Option<Arc<str>> {
        let site = self.site(&["spec", "stackPolicy"]);
        let path = self.closed(self.draft.spec.stack_policy.as_ref()?, site, names)?;
        let found = beside(site.file, &path).unwrap_or(path);
        match text(self.around.snapshot, &found) {
            Ok(source) => match serde_json::from_str::<serde::de::IgnoredAny>(source) {
                Ok(_) => return Some(Arc::from(source)),
                Err(why) => self.wrong(format!("the stack policy `{found}` is not JSON: {why}"), site),
            },
            Err((code, message, _)) => self.out.problems.push(Problem::error(code, message, site.file, site.span)),
        }
        None
    }

    fn depends_on(&mut self) {
        let doc = self.draft.doc;
        let nodes = doc.items(&["spec", "dependsOn"]);
        for (name, node) in self.draft.spec.depends_on.iter().zip(nodes) {
            let known = name.parse::<ObjectName>().ok().filter(|name| self.around.stacks.contains(name));
            if let Some(name) = known {
                let key = Key::stack(self.draft.key.environment.clone(), name);
                let origin = Origin { file: Arc::clone(&doc.file), span: node.span, reason: "dependsOn".to_owned() };
                self.out.edges.entry(key).or_insert(origin);
            } else {
                let message = format!("`{}` has no stack `{name}`", self.draft.key.environment);
                let problem = Problem::error("unknown-stack", message, &doc.file, node.span);
                let known = self.around.stacks.iter().map(ObjectName::as_str);
                self.out.problems.push(self.around.guesses.suggest(problem, name, known));
            }
        }
    }
}

fn flag(text: &str) -> Option<bool> {
    text.parse().ok()
}

fn word<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::from(text)).ok()
}
