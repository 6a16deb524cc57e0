//! From an `Environment` document to what its stacks are instantiated with.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use super::bounds::{self, Limited};
use super::diagnostic::{Problem, Report};
use super::doc::Doc;
use super::document::{ApprovalsSpec, EnvironmentDocument, EnvironmentSpec, Mismatch, RoleSpec, ValueTree, decode};
use super::nearby::{Wanted, absent};
use super::parameters::{self, FileEntry};
use super::policy::{is_recipient, policy};
use super::render::{Names, Site};
use super::text::text;
use super::windows::windows;
use super::{region, secrecy};
use crate::model::{
    ApprovalRules, AssumeRole, EnvName, Environment, Gaps, InvalidName, Limits, Passed, Region, Scope, Snapshot, beside,
};
use crate::operator::{Floor, Operator};
use crate::yaml::{Entry, Span};

/// An environment that could be read, without its stacks.
pub(super) struct Env<'s> {
    pub(super) doc: Doc<'s>,
    /// What the operator says of it.
    pub(super) floor: Floor<'s>,
    /// Without stacks.
    pub(super) shell: Environment,
    pub(super) values: BTreeMap<String, String>,
    pub(super) parameters: BTreeMap<String, FileEntry>,
    pub(super) parameter_file: Option<Arc<str>>,
    /// It names a parameter file that could not be read.
    pub(super) parameters_unread: bool,
    /// The manifest files that it includes.
    pub(super) includes: BTreeSet<Arc<str>>,
    /// The files and directories that it includes, whatever is there.
    covers: Vec<String>,
    /// Those that files may be sealed to; `None`: anybody.
    pub(super) recipients: Option<BTreeSet<String>>,
}

static NOTHING: BTreeSet<String> = BTreeSet::new();

impl Env<'_> {
    /// Whether a manifest at this path would be included.
    pub(super) fn covers(&self, path: &str) -> bool {
        self.covers.iter().any(|root| {
            root.is_empty()
                || path.strip_prefix(root.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// What `${…}` stands for in a stack of this region.
    pub(super) fn names<'a>(&'a self, region: &'a str, secrets: &'a BTreeSet<String>) -> Names<'a> {
        Names {
            env: self.shell.name.as_str(),
            system: &self.shell.system,
            account: self.shell.scope.account.as_str(),
            region,
            values: &self.values,
            parameters: &self.parameters,
            secrets,
        }
    }
}

/// Turns a schema mismatch that only serde saw into a problem at its place.
pub(super) fn mismatch(doc: &Doc<'_>, mismatch: &Mismatch) -> Problem {
    let path: Vec<&str> = mismatch.path.iter().map(String::as_str).collect();
    Problem::error("wrong-type", mismatch.message.clone(), &doc.file, doc.span(&path))
}

/// What every environment is read with.
#[derive(Clone, Copy)]
pub(super) struct Around<'r, 's> {
    pub(super) snapshot: &'s Snapshot,
    /// Manifest files that hold stacks, or that could not be read.
    pub(super) manifests: &'r BTreeSet<Arc<str>>,
    /// What the operator allows.
    pub(super) operator: &'s Operator,
}

struct Reader<'r, 's> {
    snapshot: &'s Snapshot,
    manifests: &'r BTreeSet<Arc<str>>,
    operator: &'s Operator,
    problems: Vec<Problem>,
}

/// Reads an environment whose name is known. What is wrong goes to the report; what can be used is returned even so,
/// so that everything else is checked too.
pub(super) fn read<'s>(name: &EnvName, doc: Doc<'s>, around: Around<'_, 's>, report: &mut Report) -> Option<Env<'s>> {
    let Around { snapshot, manifests, operator } = around;
    let mut reader = Reader { snapshot, manifests, operator, problems: Vec::new() };
    let env = reader.environment(name, doc, report);
    for problem in reader.problems {
        report.add(problem, [name]);
    }
    env
}

/// What a manifest asks of approvals; the operator's word comes on top.
fn asked_of_approvals(spec: &ApprovalsSpec) -> ApprovalRules {
    let groups = spec.groups.iter().cloned().collect();
    ApprovalRules { required: spec.required, groups, ..ApprovalRules::default() }
}

impl<'s> Reader<'_, 's> {
    fn environment(&mut self, name: &EnvName, doc: Doc<'s>, report: &mut Report) -> Option<Env<'s>> {
        let document: EnvironmentDocument = match decode(&doc.root) {
            Ok(document) => document,
            Err(why) => {
                self.problems.push(mismatch(&doc, &why));
                return None;
            }
        };
        let spec = document.spec;
        let account = self.valid(&doc, "account", spec.account.parse());
        let region = self.region(&doc, &spec.region);
        let policy = policy(&spec.policy).map_err(|wrong| {
            for (path, why) in wrong {
                self.problems.push(Problem::error("invalid-value", why, &doc.file, doc.span(&path)));
            }
        });
        let windows = windows(&doc, &spec.policy.windows, &mut self.problems);
        let (none, empty) = (BTreeMap::new(), BTreeMap::new());
        let names = Names {
            env: name.as_str(),
            system: &spec.system,
            account: &spec.account,
            region: &spec.region,
            values: &none,
            parameters: &empty,
            secrets: &NOTHING,
        };
        let values = self.values(&doc, &spec, &names);
        let names = Names { values: &values, ..names };
        let role = self.role(&doc, &spec, &names);
        let tags = self.tags(&doc, &spec, &names);
        let template_bucket = spec.template_bucket.as_ref().and_then(|text| {
            names.literal(
                text,
                Site { file: &doc.file, source: doc.source, span: doc.span(&["spec", "templateBucket"]) },
                &mut self.problems,
            )
        });
        let (includes, covers) = self.includes(&doc, &spec, &names);
        let (parameter_file, parameters) = self.parameters(&doc, &spec, &names, report);
        let shell = Environment {
            name: name.clone(),
            system: spec.system.clone(),
            scope: Scope { account: account?, region: region? },
            role: role.ok()?,
            tags,
            policy: policy.ok()?,
            windows: Arc::new(windows),
            limits: Limits { approvals: Arc::new(asked_of_approvals(&spec.policy.approvals)), ..Limits::default() },
            template_bucket,
            stacks: BTreeMap::new(),
            services: BTreeMap::new(),
            secrets: BTreeMap::new(),
            records: BTreeMap::new(),
            backups: BTreeMap::new(),
            ready: BTreeMap::new(),
            gaps: Gaps::default(),
            older_than: None,
        };
        let parameters_unread = spec.parameters.is_some() && parameter_file.is_none();
        let recipients = self.recipients(&doc, &spec);
        let floor = match self.operator.floor_of(name) {
            Ok(floor) => floor,
            Err(why) => {
                let span = doc.span(&["metadata", "name"]);
                self.problems.push(Problem::error("not-allowed", why, &doc.file, span));
                return None;
            }
        };
        let recipients = floor.recipients(recipients);
        let mut shell = shell;
        self.hold(&doc, &floor, &mut shell, &includes);
        Some(Env {
            doc,
            floor,
            shell,
            values,
            parameters,
            parameter_file,
            parameters_unread,
            includes,
            covers,
            recipients,
        })
    }

    /// Holds it against what the operator says: what was cut is a warning, what is forbidden an error.
    fn hold(&mut self, doc: &Doc<'_>, floor: &Floor<'_>, shell: &mut Environment, includes: &BTreeSet<Arc<str>>) {
        for Limited { path, message, forbidden } in bounds::hold(shell, floor, &doc.file, includes) {
            let span = doc.span(&path);
            self.problems.push(if forbidden {
                Problem::error("not-allowed", message, &doc.file, span)
            } else {
                Problem::warning("limited", message, &doc.file, span)
            });
        }
    }

    fn recipients(&mut self, doc: &Doc<'_>, spec: &EnvironmentSpec) -> Option<BTreeSet<String>> {
        let given = spec.policy.seal_recipients.as_ref()?;
        if let Some(at) = given.iter().position(|recipient| !is_recipient(recipient)) {
            let span = doc.span(&["spec", "policy", "sealRecipients"]);
            let message = format!("recipient {} is not an X25519 recipient (`age1…`)", at + 1);
            self.problems.push(Problem::error("invalid-value", message, &doc.file, span));
        }
        Some(given.iter().cloned().collect())
    }

    fn valid<T>(&mut self, doc: &Doc<'_>, field: &str, value: Result<T, InvalidName>) -> Option<T> {
        value
            .map_err(|why| {
                let problem = Problem::error("invalid-value", why.to_string(), &doc.file, doc.span(&["spec", field]));
                self.problems.push(problem);
            })
            .ok()
    }

    fn region(&mut self, doc: &Doc<'_>, text: &str) -> Option<Region> {
        let span = doc.span(&["spec", "region"]);
        let Ok(region) = text.parse::<Region>() else {
            let message = format!("`{text}` is not an AWS region name such as us-east-1");
            let problem = Problem::error("invalid-value", message, &doc.file, span);
            let meant = region::meant(text).map(|meant| format!("did you mean `{meant}`?"));
            self.problems.push(meant.into_iter().fold(problem, Problem::help));
            return None;
        };
        self.problems.extend(region::unknown(&region, |code, message| Problem::error(code, message, &doc.file, span)));
        Some(region)
    }

    fn values(&mut self, doc: &Doc<'_>, spec: &EnvironmentSpec, names: &Names<'_>) -> BTreeMap<String, String> {
        let mut flat = BTreeMap::new();
        let mut path = vec!["spec", "values"];
        let entries = doc.entries(&path);
        self.branch(doc, &spec.values, entries, &mut path, names, &mut flat);
        flat
    }

    fn branch<'n>(
        &mut self,
        doc: &Doc<'_>,
        tree: &BTreeMap<String, ValueTree>,
        entries: &'n [Entry],
        path: &mut Vec<&'n str>,
        names: &Names<'_>,
        flat: &mut BTreeMap<String, String>,
    ) {
        for entry in entries {
            path.push(&entry.key);
            match tree.get(&entry.key) {
                Some(ValueTree::Branch(inner)) => self.branch(doc, inner, entry.value.entries(), path, names, flat),
                Some(ValueTree::Leaf(_)) => {
                    let text = parameters::joined(&entry.value).unwrap_or_default();
                    let value = names.literal(&text, Site::of(doc, &entry.value), &mut self.problems);
                    flat.insert(path.get(2..).unwrap_or_default().join("."), value.unwrap_or_default());
                }
                None => {}
            }
            path.pop();
        }
    }

    fn role(&mut self, doc: &Doc<'_>, spec: &EnvironmentSpec, names: &Names<'_>) -> Result<Option<AssumeRole>, ()> {
        let (arn, external_id, session_name, path) = match &spec.role {
            None => return Ok(None),
            Some(RoleSpec::Arn(arn)) => (arn, None, None, vec!["spec", "role"]),
            Some(RoleSpec::Full(role)) => {
                (&role.arn, role.external_id.clone(), role.session_name.clone(), vec!["spec", "role", "arn"])
            }
        };
        let span = doc.span(&path);
        let site = Site { file: &doc.file, source: doc.source, span };
        let arn = names.literal(arn, site, &mut self.problems).ok_or(())?;
        let arn = arn.parse().map_err(|why: InvalidName| {
            self.problems.push(Problem::error("invalid-value", why.to_string(), &doc.file, span));
        })?;
        Ok(Some(AssumeRole { arn, external_id, session_name: session_name.unwrap_or_else(|| "landfast".to_owned()) }))
    }

    fn tags(&mut self, doc: &Doc<'_>, spec: &EnvironmentSpec, names: &Names<'_>) -> BTreeMap<String, String> {
        let mut tags = BTreeMap::new();
        for entry in doc.entries(&["spec", "tags"]).iter().filter(|entry| spec.tags.contains_key(&entry.key)) {
            let text = parameters::joined(&entry.value).unwrap_or_default();
            if let Some(text) = names.literal(&text, Site::of(doc, &entry.value), &mut self.problems) {
                tags.insert(entry.key.clone(), text);
            }
        }
        tags
    }

    fn includes(
        &mut self,
        doc: &Doc<'_>,
        spec: &EnvironmentSpec,
        names: &Names<'_>,
    ) -> (BTreeSet<Arc<str>>, Vec<String>) {
        let (mut files, mut covers) = (BTreeSet::new(), Vec::new());
        let nodes = doc.items(&["spec", "include"]);
        for (include, node) in spec.include.iter().zip(nodes) {
            let site = Site::of(doc, node);
            let Some(include) = names.literal(include, site, &mut self.problems) else { continue };
            let path = beside(&doc.file, &include);
            if let Some(path) = path.as_ref().filter(|path| self.exists(path)) {
                files.extend(self.below(path));
                covers.push(path.clone());
            } else if let Some(why) = path.as_deref().and_then(|path| self.passed_over(path)) {
                let message = format!("`{include}` is ignored: it is {why}");
                let problem = Problem::error("include-passed-over", message, &doc.file, site.span);
                self.problems.push(problem.help("rename it, or remove it from the list"));
            } else {
                let message = format!("there is no file or directory `{include}`");
                let problem = Problem::error("include-not-found", message, &doc.file, site.span);
                self.problems.push(absent(problem, self.snapshot, &doc.file, &include, Wanted::Place));
            }
        }
        (files, covers)
    }

    /// Why a path is passed over, itself or what it lies in.
    fn passed_over(&self, path: &str) -> Option<Passed> {
        let mut ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        ends.find_map(|end| self.snapshot.passed.get(path.get(..end)?)).copied()
    }

    /// The manifests that are `path`, or below it.
    fn below(&self, path: &str) -> Vec<Arc<str>> {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let range = (Bound::Included(prefix.as_str()), Bound::Unbounded);
        let inside = self.manifests.range::<str, _>(range).take_while(|file| file.starts_with(&prefix));
        self.manifests.get(path).into_iter().chain(inside).cloned().collect()
    }

    fn exists(&self, path: &str) -> bool {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let files = &self.snapshot.files;
        files.contains_key(path)
            || files
                .range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded))
                .next()
                .is_some_and(|(file, _)| file.starts_with(&prefix))
    }

    fn parameters(
        &mut self,
        doc: &Doc<'_>,
        spec: &EnvironmentSpec,
        names: &Names<'_>,
        report: &mut Report,
    ) -> (Option<Arc<str>>, BTreeMap<String, FileEntry>) {
        let Some(path) = &spec.parameters else { return (None, BTreeMap::new()) };
        let site = Site { file: &doc.file, source: doc.source, span: doc.span(&["spec", "parameters"]) };
        let Some(path) = names.literal(path, site, &mut self.problems) else { return (None, BTreeMap::new()) };
        let found = beside(&doc.file, &path).unwrap_or_else(|| path.clone());
        let file: Arc<str> = Arc::from(found.as_str());
        let source = match text(self.snapshot, &found) {
            Ok(source) => source,
            Err((code, message, span)) => {
                let problem = if code == "file-not-found" {
                    let problem = Problem::error(code, format!("file `{path}` does not exist"), &doc.file, site.span);
                    absent(problem, self.snapshot, &doc.file, &path, Wanted::File)
                } else if span == Span::default() {
                    Problem::error(code, message, &doc.file, site.span)
                } else {
                    Problem::error(code, message, &file, span)
                };
                self.problems.push(problem);
                return (None, BTreeMap::new());
            }
        };
        match parameters::read(&file, source) {
            Ok(entries) => (Some(file), entries),
            Err(problems) => {
                // It cannot be told which of its values are secret.
                for span in secrecy::values_of_json(source) {
                    report.mask(&file, span);
                }
                self.problems.extend(problems);
                (None, BTreeMap::new())
            }
        }
    }
}
