//! The whole way from files to a desired state, in the order in which things become known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Problem, Report, Severity};
use super::document::{StackDocument, StackDocumentSpec, decode};
use super::environment::{self, Env, mismatch};
use super::files::{self, Doc, Found, beside};
use super::graph::{self, Edges, Origin};
use super::render::{FindOutput, Site};
use super::stack::{Draft, Surroundings, instantiate};
use super::values::Patterns;
use crate::model::{
    Desired, EnvName, Key, ObjectName, OutputRef, Revision, Snapshot, StackAddress, StackSpec, Template,
};
use crate::template;
use crate::yaml::{Content, Node, Place, Span};

/// What came of a snapshot.
#[derive(Debug)]
pub struct Loaded {
    /// The environments without an error.
    pub desired: Desired,
    /// Everything that is wrong, by file and place.
    pub diagnostics: Vec<Diagnostic>,
    /// The environments with an error: nothing of theirs may be changed.
    pub broken: BTreeSet<EnvName>,
    /// How many manifest documents there are.
    pub found: usize,
}

/// Reads every manifest of a snapshot. Never fails: what is wrong is in the diagnostics.
#[must_use]
pub fn load(snapshot: &Snapshot, revision: Revision) -> Loaded {
    let mut found = files::find(snapshot);
    let documents = found.documents;
    let mut loader = Loader { snapshot, report: Report::default(), templates: BTreeMap::new() };
    let environments = loader.environments(&mut found);
    let sheets = loader.stacks(&mut found, &environments);
    let index = loader.index(&environments, &sheets);
    let mut desired = loader.instantiate(&environments, &index);
    loader.addresses(&desired.specs);
    graph::imports(&desired.specs, &mut desired.edges);
    loader.cycles(&desired.edges);
    loader.dependent_on_broken(&desired);
    let text = |file: &str| files::text(snapshot, file).ok().map(Arc::from);
    let (diagnostics, broken) = loader.report.finish(text);
    let desired = desired.finish(&environments, &broken, revision);
    Loaded { desired, diagnostics, broken, found: documents }
}

/// A stack document that fits its schema.
struct Sheet<'s> {
    doc: Doc<'s>,
    name: ObjectName,
    /// `None`: something is wrong with it, but its name is known.
    spec: Option<StackDocumentSpec>,
}

/// The stacks of one environment, with their templates where these could be read.
type Members<'i, 's> = BTreeMap<ObjectName, (&'i Sheet<'s>, Option<Arc<Template>>)>;
type Index<'i, 's> = BTreeMap<EnvName, Members<'i, 's>>;

/// What was instantiated, in broken environments too.
#[derive(Default)]
struct Instances {
    specs: BTreeMap<Key, (StackSpec, Origin)>,
    edges: Edges,
}

struct Loader<'s> {
    snapshot: &'s Snapshot,
    report: Report,
    templates: BTreeMap<String, Result<Arc<Template>, Problem>>,
}

impl<'s> Loader<'s> {
    /// Reads the environments whose names are known and unique.
    fn environments(&mut self, found: &mut Found<'s>) -> BTreeMap<EnvName, Env<'s>> {
        let manifests: BTreeSet<Arc<str>> = found.stacks.keys().chain(found.problems.keys()).cloned().collect();
        if found.environments.is_empty() {
            let message = "there is no environment in the manifests: nothing is desired, and so nothing is done";
            let help = "an environment is a document with `apiVersion: landfast/v1` and `kind: Environment`";
            let problem = Problem::error("no-environment", message, &Arc::from(""), Span::default());
            self.report.add(Problem { file: None, ..problem.help(help) }, []);
        }
        let mut first: BTreeMap<EnvName, String> = BTreeMap::new();
        let mut environments = BTreeMap::new();
        for mut doc in std::mem::take(&mut found.environments) {
            let span = doc.span(&["metadata", "name"]);
            let name = doc.name().map(str::parse::<EnvName>);
            let names: Vec<EnvName> = name.iter().flatten().cloned().collect();
            let sound = doc.problems.is_empty();
            for problem in std::mem::take(&mut doc.problems) {
                self.report.add(problem, &names);
            }
            for problem in found.problems.get(&doc.file).into_iter().flatten() {
                self.report.add(problem.clone(), &names);
            }
            let name = match name {
                Some(Ok(name)) => name,
                Some(Err(why)) => {
                    self.report.add(Problem::error("invalid-value", why.to_string(), &doc.file, span), []);
                    continue;
                }
                None => continue,
            };
            let place = format!("{}:{}", doc.file, span.start.line);
            if let Some(earlier) = first.get(&name) {
                let message = format!("there is another environment `{name}`");
                let problem = Problem::error("duplicate-object", message, &doc.file, span);
                self.report.add(problem.help(format!("the other one is at {earlier}")), [&name]);
                continue;
            }
            first.insert(name.clone(), place);
            if sound && let Some(env) = environment::read(&name, doc, self.snapshot, &manifests, &mut self.report) {
                environments.insert(name, env);
            }
        }
        self.unread(found, &environments, first.len() == environments.len());
        environments
    }

    /// Reports what is wrong with whole files to the environments that include them, and files that nobody includes.
    fn unread(&mut self, found: &Found<'s>, environments: &BTreeMap<EnvName, Env<'s>>, all_read: bool) {
        let owners = |file: &Arc<str>| -> Vec<&EnvName> {
            environments.iter().filter(|(_, env)| env.includes.contains(file)).map(|(name, _)| name).collect()
        };
        for (file, problems) in &found.problems {
            let names = owners(file);
            if let Ok(source) = files::text(self.snapshot, file) {
                self.mask_parameters_of(file, source);
            }
            for problem in problems {
                let foreign = names.is_empty() && matches!(problem.code, "file-too-large" | "file-unreadable");
                let severity = if foreign { Severity::Warning } else { problem.severity };
                self.report.add(Problem { severity, ..problem.clone() }, names.iter().copied());
            }
        }
        for (file, docs) in found.stacks.iter().filter(|(file, _)| all_read && owners(file).is_empty()) {
            for doc in docs {
                let message = "no environment includes this manifest: it has no effect";
                let problem = Problem::warning("unused-manifest", message, file, doc.span(&["metadata", "name"]));
                self.report.add(problem.help("add its directory to `include` of an environment"), []);
            }
        }
    }

    /// A file that is no YAML cannot tell which of its values are parameters: everything below `parameters:` is taken
    /// for one, and hidden, because it may be the value of a `NoEcho` parameter.
    fn mask_parameters_of(&mut self, file: &Arc<str>, source: &str) {
        let mut offset = 0;
        // The indentation that ends the block; in flow style only the end of the document does.
        let mut inside: Option<Option<usize>> = None;
        for line in source.split_inclusive('\n') {
            let body = line.trim_start();
            let indent = line.len() - body.len();
            let ends = |outer: Option<usize>| outer.is_some_and(|outer| indent <= outer) && !body.is_empty();
            if line.starts_with("---") || inside.is_some_and(ends) {
                inside = None;
            }
            let mut skip = if inside.is_some() { line.find(':').map_or(0, |colon| colon + 1) } else { line.len() };
            if inside.is_none()
                && let Some(found) = line.find("parameters")
            {
                inside = Some(body.starts_with("parameters:").then_some(indent));
                skip = found + "parameters".len();
            }
            let end = offset + line.trim_end().len();
            let start = Place { offset: (offset + skip).min(end), line: 1, column: 1 };
            self.report.mask(file, Span { start, end });
            offset += line.len();
        }
    }

    /// Reads the stack documents, each once, and reports what is wrong with them to whoever includes them.
    fn stacks(
        &mut self,
        found: &mut Found<'s>,
        environments: &BTreeMap<EnvName, Env<'s>>,
    ) -> BTreeMap<Arc<str>, Vec<Sheet<'s>>> {
        let mut sheets: BTreeMap<Arc<str>, Vec<Sheet<'s>>> = BTreeMap::new();
        for (file, docs) in std::mem::take(&mut found.stacks) {
            let names: Vec<&EnvName> =
                environments.iter().filter(|(_, env)| env.includes.contains(&file)).map(|(name, _)| name).collect();
            for mut doc in docs {
                let mut problems = std::mem::take(&mut doc.problems);
                let spec = if problems.is_empty() {
                    decode::<StackDocument>(&doc.root).map_err(|why| problems.push(mismatch(&doc, &why))).ok()
                } else {
                    None
                };
                let name = doc.name().map(str::parse::<ObjectName>);
                if let Some(Err(why)) = &name {
                    let span = doc.span(&["metadata", "name"]);
                    problems.push(Problem::error("invalid-value", why.to_string(), &file, span));
                }
                if spec.is_none() {
                    doc.at(&["spec", "parameters"]).into_iter().for_each(|node| self.mask_scalars(&file, node));
                }
                for problem in problems {
                    self.report.add(problem, names.iter().copied());
                }
                if let Some(Ok(name)) = name {
                    let spec = spec.map(|document| document.spec);
                    sheets.entry(Arc::clone(&file)).or_default().push(Sheet { doc, name, spec });
                }
            }
        }
        sheets
    }

    fn mask_scalars(&mut self, file: &Arc<str>, node: &Node) {
        match &node.content {
            Content::Scalar(_) => self.report.mask(file, node.span),
            Content::Sequence(items) => items.iter().for_each(|item| self.mask_scalars(file, item)),
            Content::Mapping(entries) => entries.iter().for_each(|entry| self.mask_scalars(file, &entry.value)),
        }
    }

    /// Which stacks each environment has, with their templates.
    fn index<'i>(
        &mut self,
        environments: &BTreeMap<EnvName, Env<'s>>,
        sheets: &'i BTreeMap<Arc<str>, Vec<Sheet<'s>>>,
    ) -> Index<'i, 's> {
        let mut index = Index::new();
        for (env_name, env) in environments {
            let mut members: Members<'i, 's> = BTreeMap::new();
            for sheet in env.includes.iter().filter_map(|file| sheets.get(file)).flatten() {
                if let Some((earlier, _)) = members.get(&sheet.name) {
                    let span = sheet.doc.span(&["metadata", "name"]);
                    let message = format!("there is another stack `{}` in `{env_name}`", sheet.name);
                    let problem = Problem::error("duplicate-object", message, &sheet.doc.file, span);
                    let line = earlier.doc.span(&["metadata", "name"]).start.line;
                    let help = format!("the other one is at {}:{line}", earlier.doc.file);
                    self.report.add(problem.help(help), [env_name]);
                    continue;
                }
                let template = sheet.spec.as_ref().and_then(|spec| self.template_of(env, sheet, spec));
                members.insert(sheet.name.clone(), (sheet, template));
            }
            index.insert(env_name.clone(), members);
        }
        index
    }

    fn template_of(&mut self, env: &Env<'s>, sheet: &Sheet<'s>, spec: &StackDocumentSpec) -> Option<Arc<Template>> {
        let none = BTreeSet::new();
        let names = env.names(env.shell.scope.region.as_str(), &none);
        let doc = &sheet.doc;
        let site = Site { file: &doc.file, source: doc.source, span: doc.span(&["spec", "template"]) };
        let mut problems = Vec::new();
        let path = names.literal(&spec.template, site, &mut problems);
        let template = path.and_then(|path| {
            let found = beside(&doc.file, &path).unwrap_or(path);
            self.template(&found, site).map_err(|problem| problems.push(problem)).ok()
        });
        for problem in problems {
            self.report.add(problem, [&env.shell.name]);
        }
        template
    }

    fn template(&mut self, path: &str, site: Site<'_>) -> Result<Arc<Template>, Problem> {
        let snapshot = self.snapshot;
        let entry = self.templates.entry(path.to_owned()).or_insert_with(|| read_template(snapshot, path));
        // A problem without a place of its own is shown where the template is asked for.
        entry.clone().map_err(|problem| {
            if problem.span.start.line > 0 {
                problem
            } else {
                Problem { file: Some(Arc::clone(site.file)), span: site.span, ..problem }
            }
        })
    }

    /// Makes every stack of every environment.
    fn instantiate(&mut self, environments: &BTreeMap<EnvName, Env<'s>>, index: &Index<'_, 's>) -> Instances {
        let mut instances = Instances::default();
        let mut patterns = Patterns::default();
        for (name, env) in environments {
            let Some(members) = index.get(name) else { continue };
            let templates = || members.values().filter_map(|(_, template)| template.as_ref());
            let declared = |template: &Arc<Template>, secret: bool| -> Vec<String> {
                let parameters = template.parameters.iter().filter(|(_, parameter)| parameter.no_echo || !secret);
                parameters.map(|(name, _)| name.clone()).collect()
            };
            let secrets: BTreeSet<String> = templates().flat_map(|template| declared(template, true)).collect();
            let mut used: BTreeSet<String> = templates().flat_map(|template| declared(template, false)).collect();
            if let Some(file) = &env.parameter_file {
                env.parameters.values().for_each(|entry| self.report.mask(file, entry.value_span));
            }
            let find = finder(name, index, environments);
            let stacks: BTreeSet<ObjectName> = members.keys().cloned().collect();
            let around =
                Surroundings { snapshot: self.snapshot, env, secrets: &secrets, stacks: &stacks, find: &*find };
            let mut complete = !self.report.broken().contains(name);
            for (object, (sheet, template)) in members {
                let Some(spec) = &sheet.spec else { continue };
                let key = Key::stack(name.clone(), object.clone());
                complete &= template.is_some();
                let draft = Draft { key: key.clone(), doc: &sheet.doc, spec, template: template.clone() };
                let outcome = instantiate(&draft, &around, &mut patterns);
                outcome.masks.iter().for_each(|(file, span)| self.report.mask(file, *span));
                outcome.problems.into_iter().for_each(|problem| self.report.add(problem, [name]));
                used.extend(outcome.used);
                instances.edges.insert(key.clone(), outcome.edges);
                if let Some(spec) = outcome.spec {
                    let span = sheet.doc.span(&["spec", "template"]);
                    let site = Origin { file: Arc::clone(&sheet.doc.file), span, reason: String::new() };
                    instances.specs.insert(key, (spec, site));
                }
            }
            if complete {
                self.unused_parameters(env, &used);
            }
        }
        instances
    }

    fn unused_parameters(&mut self, env: &Env<'s>, used: &BTreeSet<String>) {
        let Some(file) = &env.parameter_file else { return };
        for (key, entry) in env.parameters.iter().filter(|(key, _)| !used.contains(*key)) {
            let message = format!("no template of `{}` has the parameter `{key}`", env.shell.name);
            let problem = Problem::warning("unused-parameter", message, file, entry.key_span);
            self.report.add(problem.suggest(key, used.iter().map(String::as_str)), [&env.shell.name]);
        }
    }

    /// Two manifests must not mean the same stack.
    fn addresses(&mut self, specs: &BTreeMap<Key, (StackSpec, Origin)>) {
        let mut known: BTreeMap<StackAddress, &Key> = BTreeMap::new();
        for (key, (spec, site)) in specs {
            let Some(other) = known.insert(spec.address(), key) else { continue };
            let message = format!("`{key}` and `{other}` are both the stack {}", spec.address());
            let problem = Problem::error("duplicate-stack-name", message, &site.file, site.span);
            self.report.add(problem, [&key.environment, &other.environment]);
        }
    }

    fn cycles(&mut self, edges: &Edges) {
        for (problem, members) in graph::cycles(edges) {
            self.report.add(problem, members.iter().map(|key| &key.environment));
        }
    }

    /// An environment that takes outputs from a broken one cannot be complete either.
    fn dependent_on_broken(&mut self, instances: &Instances) {
        loop {
            let broken = self.report.broken().clone();
            for (key, (spec, _)) in &instances.specs {
                if broken.contains(&key.environment) {
                    continue;
                }
                let outputs = references(spec);
                for (to, origin) in instances.edges.get(key).into_iter().flatten() {
                    if broken.contains(&to.environment) && outputs.contains(to) {
                        let message =
                            format!("`{}` takes an output from `{to}`, whose environment has errors", key.environment);
                        let problem = Problem::error("broken-dependency", message, &origin.file, origin.span);
                        self.report.add(problem, [&key.environment]);
                    }
                }
            }
            if self.report.broken().len() == broken.len() {
                return;
            }
        }
    }
}

fn read_template(snapshot: &Snapshot, path: &str) -> Result<Arc<Template>, Problem> {
    let file: Arc<str> = Arc::from(path);
    let source = files::text(snapshot, path).map_err(|(code, message, span)| {
        let code = if code == "file-not-found" { "template-not-found" } else { code };
        Problem::error(code, message, &file, span)
    })?;
    template::parse(source).map(Arc::new).map_err(|why| {
        let span = why.span.unwrap_or_default();
        let code = if why.limit { "alias-expansion" } else { "template" };
        Problem::error(code, format!("`{path}` cannot be read: {}", why.message), &file, span)
    })
}

/// The stacks whose outputs a stack refers to.
fn references(spec: &StackSpec) -> BTreeSet<&Key> {
    let parameters = spec.parameters.values().filter_map(|parameter| match parameter {
        crate::model::Parameter::Plain(text) => Some(text),
        crate::model::Parameter::NoEcho(_) => None,
    });
    let texts = parameters.chain(spec.tags.values()).chain(&spec.role_arn);
    let texts = texts.chain(&spec.rollback_alarms).chain(&spec.notifications);
    texts.flat_map(crate::model::Text::references).map(|reference| &reference.stack).collect()
}

/// Finds outputs as seen from one environment.
fn finder<'f>(
    here: &'f EnvName,
    index: &'f Index<'_, '_>,
    environments: &'f BTreeMap<EnvName, Env<'_>>,
) -> Box<FindOutput<'f>> {
    Box::new(move |environment, stack, output, site| {
        let error = |code, message: String| Problem::error(code, message, site.file, site.span);
        let environment = environment.unwrap_or(here.as_str());
        let known = environment.parse::<EnvName>().ok();
        let Some((name, members)) = known.and_then(|known| index.get_key_value(&known)) else {
            let problem =
                error("unknown-environment", format!("there is no environment `{environment}` that can be read"));
            return Err(problem.suggest(environment, environments.keys().map(EnvName::as_str)));
        };
        let found = stack.parse::<ObjectName>().ok().and_then(|stack| members.get_key_value(&stack));
        let Some((stack, (_, template))) = found else {
            let problem = error("unknown-stack", format!("`{name}` has no stack `{stack}`"));
            return Err(problem.suggest(stack, members.keys().map(ObjectName::as_str)));
        };
        let outputs = template.as_ref().map(|template| &template.facts.outputs);
        let generated = template.as_ref().is_none_or(|template| template.has_transform);
        if outputs.is_some_and(|outputs| !outputs.contains_key(output)) && !generated {
            let problem =
                error("unknown-output", format!("the template of `{name}/stack/{stack}` has no output `{output}`"));
            return Err(problem.suggest(output, outputs.into_iter().flatten().map(|(key, _)| key.as_str())));
        }
        Ok(OutputRef { stack: Key::stack(name.clone(), stack.clone()), output: output.to_owned() })
    })
}

impl Instances {
    fn finish(
        mut self,
        environments: &BTreeMap<EnvName, Env<'_>>,
        broken: &BTreeSet<EnvName>,
        revision: Revision,
    ) -> Desired {
        let sound = |name: &EnvName| !broken.contains(name) && environments.contains_key(name);
        let mut shells: BTreeMap<EnvName, _> = environments
            .iter()
            .filter(|(name, _)| sound(name))
            .map(|(name, env)| (name.clone(), env.shell.clone()))
            .collect();
        for (key, (mut spec, _)) in self.specs {
            let Some(shell) = shells.get_mut(&key.environment) else { continue };
            let edges = self.edges.remove(&key).unwrap_or_default();
            // An import from a broken environment is left for CloudFormation to check.
            spec.depends_on = edges.into_keys().filter(|to| sound(&to.environment)).collect();
            shell.stacks.insert(key, Arc::new(spec));
        }
        Desired { revision, environments: shells.into_iter().map(|(name, shell)| (name, Arc::new(shell))).collect() }
    }
}
