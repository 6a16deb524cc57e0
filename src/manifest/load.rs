//! The whole way from files to a desired state, in the order in which things become known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Guesses, Problem, Report, Severity, typed};
use super::doc::Doc;
use super::environment::{self, Env, mismatch};
use super::files::{self, Found};
use super::graph::{self, Edges, Origin};
use super::instantiate::instantiate;
use super::kinds::{decoder, identity};
use super::made::Made;
use super::maker::{Resource, Surroundings};
use super::members::{Index, Members, Sheet, finder};
use super::nouns::Secrecy;
use super::render::Site;
use super::stack::StackDocument;
use super::survey::{Excluded, Survey, Surveyor};
use super::template_file::{no_template, read_template};
use super::text::{misnamed, text};
use super::values::Patterns;
use super::{consequence, held, record, secrecy, secret, service, survey};
use crate::model::{
    Desired, EnvName, Environment, Gaps, Key, Kind, ObjectName, Readiness, Revision, Snapshot, Template, beside,
};
use crate::operator::Operator;
use crate::yaml::Span;

/// Objects of all environments together: a file that a thousand environments include counts a thousand times, so a few
/// lines can ask for any number of them. An object at rest takes about five kilobytes, and this many less than a gigabyte.
const MOST_OBJECTS: usize = 150_000;

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
    /// Files and directories that are not manifests, each with the rule that excludes it.
    pub passed: BTreeSet<Excluded>,
    /// Something was not understood that no environment includes. It may describe an environment that is missing here.
    pub obscure: bool,
}

/// Which of what was passed over by its name has to be looked at, because it lies where manifests are read.
#[must_use]
pub fn aside(snapshot: &Snapshot) -> BTreeSet<String> {
    if snapshot.passed.is_empty() {
        return BTreeSet::new();
    }
    let mut found = files::find_environments(snapshot);
    let operator = Operator::default();
    let environments = Loader::new(snapshot, &operator, found.environments.len()).environments(&mut found);
    survey::aside(snapshot, &environments)
}

/// Reads every manifest of a snapshot, where no operator limits what it may ask for.
#[must_use]
pub fn load(snapshot: &Snapshot, revision: Revision) -> Loaded {
    load_under(snapshot, revision, &Operator::default())
}

/// Reads every manifest of a snapshot. Never fails: what is wrong is in the diagnostics. What holds is what the manifests
/// ask for as far as the operator allows it (invariant S26); this is the only place where that is decided, because nothing
/// becomes a desired state in another way.
#[must_use]
pub fn load_under(snapshot: &Snapshot, revision: Revision, operator: &Operator) -> Loaded {
    let mut found = files::find(snapshot);
    let documents = found.documents;
    let ours = survey::files_of(&found);
    let unread: BTreeSet<Arc<str>> = found.problems.keys().cloned().collect();
    let mut loader = Loader::new(snapshot, operator, found.environments.len());
    let environments = loader.environments(&mut found);
    let environments = loader.bearable(environments, &found);
    let sheets = loader.sheets(&mut found, &environments);
    let index = loader.index(&environments, &sheets);
    let mut desired = loader.instantiate(&environments, &sheets, &index);
    let survey = loader.survey(&environments, &ours, &unread, &sheets);
    loader.beside_each_other(&desired);
    desired.imports();
    loader.cycles(&desired.edges);
    consequence::spread(&mut loader.report, &desired.takes);
    let source = |file: &str| text(snapshot, file).ok().map(Arc::from);
    let read: BTreeSet<Arc<str>> = sheets.keys().cloned().collect();
    consequence::leave_out(&mut loader.report, snapshot, &environments, &unread, &read);
    let (diagnostics, broken) = loader.report.finish(&snapshot.root, source);
    let desired = desired.finish(&environments, &broken, &survey.gaps, revision);
    Loaded { desired, diagnostics, broken, found: documents, passed: survey.passed, obscure: survey.obscure }
}

/// What was instantiated, in broken environments too.
#[derive(Default)]
struct Instances {
    made: BTreeMap<Key, (Made, Origin)>,
    ready: BTreeMap<Key, Vec<Readiness>>,
    edges: Edges,
    /// The stacks whose outputs each object refers to.
    takes: Edges,
}

/// The documents of resource kinds whose names are known, by file. `None`: something is wrong with it.
type Sheets<'s> = BTreeMap<Arc<str>, Vec<(Sheet<'s>, Option<Box<dyn Resource>>)>>;

struct Loader<'s> {
    snapshot: &'s Snapshot,
    operator: &'s Operator,
    /// How many environments are described, however badly.
    wanted: usize,
    report: Report,
    templates: BTreeMap<String, Result<Arc<Template>, Problem>>,
    /// Files that manifests name.
    named: BTreeSet<String>,
    /// There is an environment whose name cannot be read.
    nameless: bool,
}

impl<'s> Loader<'s> {
    fn new(snapshot: &'s Snapshot, operator: &'s Operator, wanted: usize) -> Self {
        Self {
            snapshot,
            operator,
            wanted,
            report: Report::default(),
            templates: BTreeMap::new(),
            named: BTreeSet::new(),
            nameless: false,
        }
    }

    /// What every other file is. Templates and other files that manifests name are known by now.
    fn survey(
        &mut self,
        environments: &BTreeMap<EnvName, Env<'s>>,
        ours: &BTreeSet<Arc<str>>,
        unread: &BTreeSet<Arc<str>>,
        sheets: &Sheets<'s>,
    ) -> Survey {
        let mut named = std::mem::take(&mut self.named);
        named.extend(self.templates.keys().cloned());
        named.extend(environments.values().filter_map(|env| env.parameter_file.as_deref().map(str::to_owned)));
        let report = &mut self.report;
        let survey = Survey { obscure: self.nameless, ..Survey::default() };
        let mut surveyor = Surveyor { snapshot: self.snapshot, environments, named: &named, report, survey };
        let nobodys = |file: &Arc<str>| !environments.values().any(|env| env.covers(file));
        unread.iter().filter(|file| nobodys(file)).for_each(|file| surveyor.unreadable(file));
        for (file, sheets) in sheets.iter().filter(|(file, _)| nobodys(file)) {
            for (sheet, _) in sheets {
                surveyor.unused(file, sheet.kind, &sheet.name);
            }
        }
        surveyor.run(ours)
    }

    /// Reads the environments whose names are known and unique.
    fn environments(&mut self, found: &mut Found<'s>) -> BTreeMap<EnvName, Env<'s>> {
        let manifests: BTreeSet<Arc<str>> = found.resources.keys().chain(found.problems.keys()).cloned().collect();
        let meant = |file: &Arc<str>| text(self.snapshot, file).is_ok_and(consequence::names_an_environment);
        if found.environments.is_empty() && !found.problems.keys().any(meant) {
            let message = format!(
                "there is no environment in `{}`: nothing is desired, and so nothing is done",
                self.snapshot.root
            );
            let help = "an environment is a document with `apiVersion: landfast/v1` and `kind: Environment`; give the directory \
                        that holds it and the manifests that it includes";
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
                    self.report.add(misnamed(doc.name().unwrap_or_default(), &why, &doc.file, span), []);
                    self.nameless = true;
                    continue;
                }
                None => {
                    self.nameless = true;
                    continue;
                }
            };
            let place = format!("{}:{}", typed(&self.snapshot.root, &doc.file), span.start.line);
            if let Some(earlier) = first.get(&name) {
                let message = format!("environment `{name}` is defined twice");
                let problem = Problem::error("duplicate-object", message, &doc.file, span);
                self.report.add(problem.help(format!("the first definition is at {earlier}")), [&name]);
                continue;
            }
            first.insert(name.clone(), place);
            let around =
                environment::Around { snapshot: self.snapshot, manifests: &manifests, operator: self.operator };
            if sound && let Some(env) = environment::read(&name, doc, around, &mut self.report) {
                environments.insert(name, env);
            }
        }
        let all_read = first.len() == environments.len() && !first.is_empty();
        self.unread(
            found,
            &environments,
            all_read && !self.report.problems().any(|problem| problem.code == "include-not-found"),
        );
        environments
    }

    /// The environments, if what is instantiated in all of them is not too much: every document that each includes.
    fn bearable(&mut self, environments: BTreeMap<EnvName, Env<'s>>, found: &Found<'s>) -> BTreeMap<EnvName, Env<'s>> {
        let of = |file| found.resources.get(file).map_or(0, Vec::len);
        let objects: usize = environments.values().flat_map(|env| &env.includes).map(of).sum();
        if objects <= MOST_OBJECTS {
            return environments;
        }
        for (name, env) in &environments {
            let message = format!("the environments include {objects} objects; the limit is {MOST_OBJECTS}");
            let span = env.doc.span(&["spec", "include"]);
            self.report.add(Problem::error("too-many-objects", message, &env.doc.file, span), [name]);
        }
        BTreeMap::new()
    }

    /// Reports what is wrong with whole files to the environments that include them, and files that nobody includes.
    fn unread(&mut self, found: &Found<'s>, environments: &BTreeMap<EnvName, Env<'s>>, all_read: bool) {
        let owners = |file: &Arc<str>| -> Vec<&EnvName> {
            environments.iter().filter(|(_, env)| env.includes.contains(file)).map(|(name, _)| name).collect()
        };
        found.masks.iter().for_each(|(file, span)| self.report.mask(file, *span));
        for (file, problems) in &found.problems {
            let names = owners(file);
            if let Ok(source) = text(self.snapshot, file) {
                self.mask(file, secrecy::unreadable(source));
            }
            for problem in problems {
                let foreign = names.is_empty() && matches!(problem.code, "file-too-large" | "file-unreadable");
                let severity = if foreign { Severity::Warning } else { problem.severity };
                self.report.add(Problem { severity, ..problem.clone() }, names.iter().copied());
            }
        }
        for (file, docs) in found.resources.iter().filter(|(file, _)| all_read && owners(file).is_empty()) {
            for doc in docs {
                let message = "no environment includes this manifest: it has no effect";
                let problem = Problem::warning("unused-manifest", message, file, doc.span(&["metadata", "name"]));
                self.report.add(problem.help("add its directory to `include` of an environment"), []);
            }
        }
    }

    fn mask(&mut self, file: &Arc<str>, spans: Vec<Span>) {
        for span in spans {
            self.report.mask(file, span);
        }
    }

    /// Reads the documents of resource kinds, each once, and reports what is wrong with them to whoever includes them.
    fn sheets(&mut self, found: &mut Found<'s>, environments: &BTreeMap<EnvName, Env<'s>>) -> Sheets<'s> {
        let mut sheets = Sheets::new();
        for (file, docs) in std::mem::take(&mut found.resources) {
            let names: Vec<&EnvName> =
                environments.iter().filter(|(_, env)| env.includes.contains(&file)).map(|(name, _)| name).collect();
            for mut doc in docs {
                let (Some(kind), Some(decode)) = (doc.noun.kind, decoder(doc.noun)) else { continue };
                let mut problems = std::mem::take(&mut doc.problems);
                let resource = if problems.is_empty() {
                    decode(&doc.root).map_err(|why| problems.push(mismatch(&doc, &why))).ok()
                } else {
                    None
                };
                let name = doc.name().map(str::parse::<ObjectName>);
                if let Some(Err(why)) = &name {
                    let span = doc.span(&["metadata", "name"]);
                    problems.push(misnamed(doc.name().unwrap_or_default(), why, &file, span));
                }
                self.hide(&doc, resource.is_none() || names.is_empty(), &problems);
                for problem in problems {
                    self.report.add(problem, names.iter().copied());
                }
                if let Some(Ok(name)) = name {
                    sheets.entry(Arc::clone(&file)).or_default().push((Sheet { kind, doc, name }, resource));
                }
            }
        }
        sheets
    }

    /// Hides what of a document may be secret. `unknown`: no template will tell which of its parameters are.
    fn hide(&mut self, doc: &Doc<'s>, unknown: bool, problems: &[Problem]) {
        // Of another kind than was meant, perhaps.
        let unexpected =
            |span: Span| problems.iter().any(|problem| problem.code == "unknown-field" && problem.span == span);
        for entry in secret::in_the_clear(&doc.root).filter(|entry| unexpected(entry.key_span)) {
            self.mask(&doc.file, secrecy::scalars(&entry.value));
        }
        match doc.noun.secrecy {
            Secrecy::Document => {
                let place = doc.root.span.start.offset;
                let unknown = problems.iter().filter(|problem| problem.code == "unknown-field");
                let fields: Vec<Span> = unknown.map(|problem| problem.span).collect();
                self.mask(&doc.file, secrecy::document_at(doc.source, place, &fields));
            }
            Secrecy::Parameters if unknown => {
                let parameters = doc.at(&["spec", "parameters"]);
                self.mask(&doc.file, parameters.map(secrecy::scalars).unwrap_or_default());
                // The tree has only the first of two values.
                if problems.iter().any(|problem| problem.code == "duplicate-key") {
                    self.mask(&doc.file, secrecy::parameters(doc.source));
                }
            }
            Secrecy::Parameters | Secrecy::Public => {}
        }
    }

    /// Which objects each environment has, the stacks with their templates.
    fn index<'i>(&mut self, environments: &BTreeMap<EnvName, Env<'s>>, sheets: &'i Sheets<'s>) -> Index<'i> {
        let mut index = Index::new();
        for (env_name, env) in environments {
            let mut members = Members::default();
            for (sheet, resource) in env.includes.iter().filter_map(|file| sheets.get(file)).flatten() {
                let is_stack = sheet.kind == Kind::Stack && members.get(Kind::Stack, &sheet.name).is_none();
                let is_stack = is_stack && resource.is_some();
                let template = if is_stack { self.template_of(env, sheet) } else { None };
                if let Err(earlier) = members.add(sheet, template) {
                    let span = sheet.doc.span(&["metadata", "name"]);
                    let message = format!("{} `{}` is defined twice in `{env_name}`", sheet.kind.noun(), sheet.name);
                    let problem = Problem::error("duplicate-object", message, &sheet.doc.file, span);
                    self.report.add(
                        problem.help(format!("the first definition is at {}", earlier.place(&self.snapshot.root))),
                        [env_name],
                    );
                }
            }
            index.insert(env_name.clone(), members);
        }
        index
    }

    fn template_of(&mut self, env: &Env<'s>, sheet: &Sheet<'s>) -> Option<Arc<Template>> {
        let none = BTreeSet::new();
        let names = env.names(env.shell.scope.region.as_str(), &none);
        let doc = &sheet.doc;
        let site = Site { file: &doc.file, source: doc.source, span: doc.span(&["spec", "template"]) };
        let mut problems = Vec::new();
        let path = names.literal(StackDocument::template_of(&doc.root)?, site, &mut problems);
        let template = path.and_then(|path| {
            let found = beside(&doc.file, &path).unwrap_or_else(|| path.clone());
            self.template(&found, &path, site).map_err(|problem| problems.push(problem)).ok()
        });
        for problem in problems {
            self.report.add(problem, [&env.shell.name]);
        }
        template
    }

    /// The template at `path`, which is written as `given`.
    fn template(&mut self, path: &str, given: &str, site: Site<'_>) -> Result<Arc<Template>, Problem> {
        let snapshot = self.snapshot;
        if let Some(problem) = no_template(snapshot, path, given, site) {
            return Err(problem);
        }
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

    /// Makes every object of every environment.
    fn instantiate(
        &mut self,
        environments: &BTreeMap<EnvName, Env<'s>>,
        sheets: &Sheets<'s>,
        index: &Index<'_>,
    ) -> Instances {
        let mut instances = Instances::default();
        let mut patterns = Patterns::default();
        for (name, env) in environments {
            let Some(members) = index.get(name) else { continue };
            let declared = |secret: bool| -> BTreeSet<String> {
                let parameters = members.templates().flat_map(|template| &template.parameters);
                let wanted = parameters.filter(|(_, parameter)| parameter.no_echo || !secret);
                wanted.map(|(name, _)| name.clone()).collect()
            };
            let (secrets, mut used) = (declared(true), declared(false));
            if let Some(file) = &env.parameter_file {
                // What no template declares may be a misspelt secret.
                let plain = declared(false);
                let may_be_secret = |name: &String| secrets.contains(name) || !plain.contains(name);
                let masked = env.parameters.iter().filter(|(name, _)| may_be_secret(name));
                masked.for_each(|(_, entry)| self.report.mask(file, entry.value_span));
            }
            let guesses = Guesses::new();
            let find = finder(name, index, environments, &guesses);
            let around = Surroundings {
                snapshot: self.snapshot,
                env,
                environments: self.wanted,
                secrets: &secrets,
                members,
                deliveries: &members.deliveries(name),
                find: &*find,
                guesses: &guesses,
            };
            let mut complete = !self.report.broken().contains(name);
            for (sheet, resource) in env.includes.iter().filter_map(|file| sheets.get(file)).flatten() {
                // Another one may have its name.
                let known = members.get(sheet.kind, &sheet.name).is_some_and(|member| std::ptr::eq(member, sheet));
                let Some(resource) = resource.as_ref().filter(|_| known) else { continue };
                let key = Key::new(name.clone(), sheet.kind, sheet.name.clone());
                complete &= sheet.kind != Kind::Stack || members.template(&sheet.name).is_some();
                let outcome = instantiate(&key, &sheet.doc, &**resource, &around, &mut patterns);
                outcome.masks.iter().for_each(|(file, span)| self.report.mask(file, *span));
                outcome.problems.into_iter().for_each(|problem| self.report.add(problem, [name]));
                used.extend(outcome.used);
                self.named.extend(outcome.files);
                instances.edges.insert(key.clone(), outcome.edges);
                instances.takes.insert(key.clone(), outcome.takes);
                let Some(mut made) = outcome.made else { continue };
                for problem in held::hold(&mut made, sheet, env) {
                    self.report.add(problem, [name]);
                }
                if !outcome.ready.is_empty() {
                    instances.ready.insert(key.clone(), outcome.ready);
                }
                let span = sheet.doc.span(sheet.doc.noun.identity);
                let origin = Origin { file: Arc::clone(&sheet.doc.file), span, reason: String::new() };
                instances.made.insert(key, (made, origin));
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
            let message = format!("no template of `{}` has a parameter `{key}`", env.shell.name);
            let problem = Problem::warning("unused-parameter", message, file, entry.key_span);
            self.report.add(problem.suggest(key, used.iter().map(String::as_str)), [&env.shell.name]);
        }
    }

    /// What is right by itself and cannot be beside something else.
    fn beside_each_other(&mut self, instances: &Instances) {
        let mut known: BTreeMap<(Kind, String), &Key> = BTreeMap::new();
        for (key, (made, site)) in &instances.made {
            let identity = identity(made);
            let Some(other) = known.insert((key.kind, identity.clone()), key) else { continue };
            let message = format!("`{key}` and `{other}` both describe the {} {identity}", key.kind.noun());
            let code = if key.kind == Kind::Stack { "duplicate-stack-name" } else { "duplicate-address" };
            let problem = Problem::error(code, message, &site.file, site.span);
            self.report.add(problem, [&key.environment, &other.environment]);
        }
        let of = |key: &Key| instances.made.get(key).and_then(|(made, _)| made.as_stack());
        let services = instances.made.values().filter_map(|(made, site)| Some((made.as_service()?, site)));
        for (problem, key) in service::misplaced(services, of) {
            self.report.add(problem, [&key.environment]);
        }
        let records = instances.made.values().filter_map(|(made, site)| Some((made.as_record()?, site)));
        for (problem, one, other) in record::conflicts(records) {
            self.report.add(problem, [&one.environment, &other.environment]);
        }
    }

    fn cycles(&mut self, edges: &Edges) {
        for (problem, members) in graph::cycles(edges, &self.snapshot.root) {
            self.report.add(problem, members.iter().map(|key| &key.environment));
        }
    }
}

impl Instances {
    fn imports(&mut self) {
        let Self { made, edges, .. } = self;
        graph::imports(made.values().filter_map(|(made, site)| Some((made.as_stack()?, site))), edges);
    }

    fn finish(
        mut self,
        environments: &BTreeMap<EnvName, Env<'_>>,
        broken: &BTreeSet<EnvName>,
        gaps: &BTreeMap<EnvName, Gaps>,
        revision: Revision,
    ) -> Desired {
        let sound = |name: &EnvName| !broken.contains(name) && environments.contains_key(name);
        let mut shells: BTreeMap<EnvName, _> = environments
            .iter()
            .filter(|(name, _)| sound(name))
            .map(|(name, env)| {
                let gaps = gaps.get(name).cloned().unwrap_or_default();
                (name.clone(), Environment { gaps, ..env.shell.clone() })
            })
            .collect();
        for (key, (made, _)) in self.made {
            let Some(shell) = shells.get_mut(&key.environment) else { continue };
            let edges = self.edges.remove(&key).unwrap_or_default();
            // An import from a broken environment is left for CloudFormation to check.
            let depends_on = edges.into_keys().filter(|to| sound(&to.environment)).collect();
            if let Some(ready) = self.ready.remove(&key) {
                shell.ready.insert(key.clone(), ready);
            }
            made.put(key, depends_on, shell);
        }
        Desired { revision, environments: shells.into_iter().map(|(name, shell)| (name, Arc::new(shell))).collect() }
    }
}
