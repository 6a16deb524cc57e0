//! What the making of every kind has in common: texts, choices, numbers, durations, files, tags and dependencies, each
//! with the place where it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::diagnostic::{Guesses, Problem};
use super::doc::Doc;
use super::document::Or;
use super::environment::Env;
use super::graph::Origin;
use super::made::Made;
use super::members::{Deliveries, Members};
use super::nearby::{Wanted, absent};
use super::nouns::Secrecy;
use super::parameters::joined;
use super::policy::parse_duration;
use super::region;
use super::render::{FindOutput, Names, Rendered, Site, public};
use super::text::text;
use super::values::Patterns;
use crate::model::{InvalidName, Key, Kind, ObjectName, Readiness, Region, Scope, Snapshot, Text, beside};
use crate::yaml::{Content, Entry, Node, Span};

/// Tags that an object can have beside the one that says whose it is.
const TAGS_MAX: usize = 49;

/// A document of any resource kind, decoded.
pub(super) trait Resource {
    /// What it is in one environment. Everything that is wrong with it goes to the maker.
    fn make(&self, maker: &mut Maker<'_>) -> Option<Made>;
}

/// What every object of an environment is read with.
pub(super) struct Surroundings<'e> {
    pub(super) snapshot: &'e Snapshot,
    pub(super) env: &'e Env<'e>,
    /// How many environments the manifests mean to describe, broken ones included.
    pub(super) environments: usize,
    /// Parameters that a template of this environment declares `NoEcho`.
    pub(super) secrets: &'e BTreeSet<String>,
    pub(super) members: &'e Members<'e>,
    pub(super) deliveries: &'e Deliveries,
    pub(super) find: &'e FindOutput<'e>,
    pub(super) guesses: &'e Guesses,
}

impl Surroundings<'_> {
    /// A sealed file that is for no secret in particular is opened where it could be taken from no other environment, or
    /// where the operator says so.
    pub(super) fn opens_unbound(&self) -> bool {
        let limits = &self.env.shell.limits;
        limits.bound_seals.is_none() && (self.environments == 1 || limits.is_operated)
    }
}

/// What came of a document in an environment.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) made: Option<Made>,
    pub(super) ready: Vec<Readiness>,
    pub(super) problems: Vec<Problem>,
    /// What it waits for, and why.
    pub(super) edges: BTreeMap<Key, Origin>,
    /// The stacks whose outputs it refers to, and where.
    pub(super) takes: BTreeMap<Key, Origin>,
    /// Stretches that no snippet may show.
    pub(super) masks: Vec<(Arc<str>, Span)>,
    /// Entries of the parameter file that it uses.
    pub(super) used: BTreeSet<String>,
    /// Files that it names.
    pub(super) files: BTreeSet<String>,
}

/// A place in the document, whether or not there is anything at it.
#[derive(Clone, Copy)]
pub(super) struct At<'m> {
    node: Option<&'m Node>,
    span: Span,
}

impl<'m> At<'m> {
    /// The value of that key; its place is the key's, where the value is more than a scalar, and the mapping's, where
    /// there is none.
    pub(super) fn key(self, key: &str) -> Self {
        let Some(entry) = self.node.and_then(|node| node.entry(key)) else { return Self { node: None, ..self } };
        let scalar = matches!(entry.value.content, Content::Scalar(_)) && !entry.value.span.is_empty();
        Self { node: Some(&entry.value), span: if scalar { entry.value.span } else { entry.key_span } }
    }

    /// The items of the list that is here.
    pub(super) fn items(self) -> impl Iterator<Item = Self> {
        self.nodes().iter().map(|node| Self { node: Some(node), span: node.span })
    }

    /// The nodes of the list that is here.
    pub(super) fn nodes(self) -> &'m [Node] {
        self.node.map(Node::items).unwrap_or_default()
    }

    /// The entries of the mapping that is here.
    pub(super) fn entries(self) -> &'m [Entry] {
        self.node.map(Node::entries).unwrap_or_default()
    }

    /// The place of an entry's value.
    pub(super) fn of(entry: &'m Entry) -> Self {
        Self { node: Some(&entry.value), span: entry.value.span }
    }

    /// There is something here.
    pub(super) fn is_given(self) -> bool {
        self.node.is_some_and(|node| !node.as_scalar().is_some_and(crate::yaml::Scalar::is_null))
    }
}

/// What a reference to an output means for the order of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// The object cannot be made before the stack is ready.
    Always,
    /// As before; the object's own outputs are there by the time they are asked for.
    Elsewhere,
    /// Nothing waits: it is needed long after the object was made.
    Never,
}

/// Makes one object. Collects what is wrong, what is waited for and what was used on the way.
pub(super) struct Maker<'m> {
    pub(super) key: &'m Key,
    pub(super) doc: &'m Doc<'m>,
    pub(super) around: &'m Surroundings<'m>,
    pub(super) patterns: &'m mut Patterns,
    pub(super) names: Names<'m>,
    pub(super) region: &'m Region,
    pub(super) out: Outcome,
    /// What the references that are read now mean for the order of things.
    pub(super) waits: Waits,
}

impl<'m> Maker<'m> {
    /// The place at the end of a path.
    pub(super) fn at(&self, path: &[&str]) -> At<'m> {
        let root = At { node: Some(&self.doc.root), span: self.doc.root.span };
        path.iter().fold(root, |at, key| at.key(key))
    }

    /// Where its name stands.
    pub(super) fn name_site(&self) -> At<'m> {
        self.at(&["metadata", "name"])
    }

    /// The place for a message.
    pub(super) fn site(&self, at: At<'_>) -> Site<'m> {
        Site { file: &self.doc.file, source: self.doc.source, span: at.span }
    }

    /// The environment's name, for a message.
    pub(super) fn environment(&self) -> &'m str {
        self.key.environment.as_str()
    }

    /// The middle of names.
    pub(super) fn system(&self) -> &'m str {
        self.names.system
    }

    /// Its account and region.
    pub(super) fn scope(&self) -> Scope {
        Scope { account: self.around.env.shell.scope.account.clone(), region: self.region.clone() }
    }

    /// An error that stands there.
    pub(super) fn error(&self, code: &'static str, message: impl Into<String>, at: At<'_>) -> Problem {
        Problem::error(code, message, &self.doc.file, at.span)
    }

    /// Notes a problem.
    pub(super) fn add(&mut self, problem: Problem) {
        self.out.problems.push(problem);
    }

    /// Notes that what stands there makes no sense.
    pub(super) fn wrong(&mut self, message: impl Into<String>, at: At<'_>) {
        let problem = self.error("invalid-value", message, at);
        self.add(problem);
    }

    /// A text that must be known now.
    pub(super) fn closed(&mut self, text: &str, at: At<'_>) -> Option<String> {
        let site = self.site(at);
        match self.names.render(text, site, None).and_then(|rendered| public(rendered, site)) {
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
    pub(super) fn open(&mut self, text: &str, at: At<'_>) -> Option<Text> {
        let rendered = self.rendered(text, at)?;
        match public(rendered, self.site(at)) {
            Ok(rendered) => Some(rendered.text),
            Err(problems) => {
                self.out.problems.extend(problems);
                None
            }
        }
    }

    /// A text with everything that went into it.
    pub(super) fn rendered(&mut self, text: &str, at: At<'_>) -> Option<Rendered> {
        match self.names.render(text, self.site(at), Some(self.around.find)) {
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
            let origin = Origin { file: Arc::clone(&self.doc.file), span: *span, reason: raw.clone() };
            self.out.takes.entry(reference.stack.clone()).or_insert_with(|| origin.clone());
            let waits = match self.waits {
                Waits::Always => true,
                Waits::Elsewhere => reference.stack != *self.key,
                Waits::Never => false,
            };
            if waits {
                self.out.edges.entry(reference.stack.clone()).or_insert(origin);
            }
        }
    }

    /// A name of some form.
    pub(super) fn parsed<T: FromStr<Err = InvalidName>>(&mut self, text: &str, at: At<'_>) -> Option<T> {
        let text = self.closed(text, at)?;
        text.parse()
            .map_err(|why: InvalidName| {
                let why = why.to_string();
                self.wrong(if self.is_discreet() { why.replacen(&format!("`{text}`"), "this", 1) } else { why }, at);
            })
            .ok()
    }

    /// A region that exists.
    pub(super) fn region(&mut self, text: &str, at: At<'_>) -> Option<Region> {
        let text = self.closed(text, at)?;
        let Ok(region) = text.parse::<Region>() else {
            let shown = if self.is_discreet() { "this".to_owned() } else { format!("`{text}`") };
            let problem =
                self.error("invalid-value", format!("{shown} is not an AWS region name such as us-east-1"), at);
            let meant = region::meant(&text).map(|meant| format!("did you mean `{meant}`?"));
            self.add(meant.into_iter().fold(problem, Problem::help));
            return None;
        };
        if let Some(problem) = region::unknown(&region, |code, message| self.error(code, message, at)) {
            self.add(problem);
        }
        Some(region)
    }

    /// Somebody may have written a secret anywhere in this document: nothing of it is repeated.
    fn is_discreet(&self) -> bool {
        self.doc.noun.secrecy == Secrecy::Document
    }

    /// A choice: itself, or what a reference gives.
    pub(super) fn choice<T: Copy>(
        &mut self,
        given: Option<&Or<T>>,
        default: T,
        at: At<'_>,
        field: &str,
        read: &dyn Fn(&str) -> Option<T>,
    ) -> T {
        match given {
            None => default,
            Some(Or::Known(value)) => *value,
            Some(Or::Text(text)) => {
                let Some(text) = self.closed(&text.0, at) else { return default };
                read(&text).unwrap_or_else(|| {
                    let shown = if self.is_discreet() { "that".to_owned() } else { format!("`{text}`") };
                    self.wrong(format!("`{field}` cannot be {shown}"), at);
                    default
                })
            }
        }
    }

    /// A boolean; default `false`.
    pub(super) fn flag(&mut self, given: Option<&Or<bool>>, at: At<'_>, field: &str) -> bool {
        self.choice(given, false, at, field, &|text| text.parse().ok())
    }

    /// A whole number within limits.
    pub(super) fn number<T: Copy + TryFrom<i64> + Into<i64>>(
        &mut self,
        given: Option<&Or<i64>>,
        default: T,
        limits: RangeInclusive<i64>,
        at: At<'_>,
        field: &str,
    ) -> T {
        let number = self.choice(given, default.into(), at, field, &|text| text.parse().ok());
        let known = T::try_from(number).ok().filter(|_| limits.contains(&number));
        known.unwrap_or_else(|| {
            self.wrong(format!("`{field}` must be from {} to {}", limits.start(), limits.end()), at);
            default
        })
    }

    /// A duration within limits.
    pub(super) fn duration(
        &mut self,
        text: Option<&str>,
        at: At<'_>,
        field: &str,
        limits: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let text = self.closed(text?, at)?;
        match parse_duration(&text) {
            Ok(time) if limits.contains(&time) => return Some(time),
            Ok(_) if *limits.end() == Duration::MAX => {
                self.wrong(format!("`{field}` must be at least {}", shown(limits.start())), at);
            }
            Ok(_) => {
                let (least, most) = (shown(limits.start()), shown(limits.end()));
                self.wrong(format!("`{field}` must be at least {least} and at most {most}"), at);
            }
            Err(_) if self.is_discreet() => {
                self.wrong(format!("`{field}` is not a duration such as 15m, 1h or 7d"), at);
            }
            Err(why) => self.wrong(why, at),
        }
        None
    }

    /// A file beside the manifest: its path and its text.
    pub(super) fn file(&mut self, path: &str, at: At<'_>) -> Option<(String, &'m str)> {
        let path = self.closed(path, at)?;
        let found = beside(&self.doc.file, &path).unwrap_or_else(|| path.clone());
        self.out.files.insert(found.clone());
        match text(self.around.snapshot, &found) {
            Ok(source) => Some((found, source)),
            Err((code, message, _)) => {
                let problem = if self.is_discreet() {
                    let problem = self.error(code, "the file does not exist or cannot be read", at);
                    problem.help("paths are relative to this file and must stay below the root of the manifests")
                } else if code == "file-not-found" {
                    let problem = self.error(code, format!("file `{path}` does not exist"), at);
                    absent(problem, self.around.snapshot, &self.doc.file, &path, Wanted::File)
                } else {
                    self.error(code, message, at)
                };
                self.add(problem);
                None
            }
        }
    }

    /// A JSON file beside the manifest, as its text.
    pub(super) fn json_file(&mut self, path: Option<&str>, at: At<'_>, what: &str) -> Option<Arc<str>> {
        let (found, source) = self.file(path?, at)?;
        match serde_json::from_str::<serde::de::IgnoredAny>(source) {
            Ok(_) => Some(Arc::from(source)),
            Err(why) => {
                self.wrong(format!("the {what} `{found}` is not valid JSON: {why}"), at);
                None
            }
        }
    }

    /// The environment's tags, and the object's own.
    pub(super) fn tags(&mut self) -> BTreeMap<String, Text> {
        let common = self.around.env.shell.tags.iter();
        let mut tags: BTreeMap<String, Text> = common.map(|(key, value)| (key.clone(), Text::literal(value))).collect();
        let field = self.at(&["spec", "tags"]);
        for entry in field.entries() {
            let text = joined(&entry.value).unwrap_or_default();
            if let Some(text) = self.open(&text, At::of(entry)) {
                tags.insert(entry.key.clone(), text);
            }
        }
        // AWS takes 50 (*`Tag`* of CloudFormation, *Secrets Manager quotas*), and one is our own.
        let spec = self.doc.entries(&["spec"]);
        let retained = spec.iter().any(|entry| entry.key == "deletionPolicy" && entry.value.text() == Some("retain"));
        let most = TAGS_MAX - usize::from(retained);
        if tags.len() > most {
            let place = if field.is_given() { field } else { self.at(&["metadata", "name"]) };
            let count = tags.len();
            let message =
                format!("it has {count} tags, those of the environment included; at most {most} are possible");
            let problem = self.error("invalid-value", message, place);
            self.add(
                problem.help("AWS takes 50, and Landfast adds its own: the owner, and whether the object is retained"),
            );
        }
        tags
    }

    /// A list of texts that may hold outputs.
    pub(super) fn texts(&mut self, list: &[String], at: At<'m>) -> Vec<Text> {
        list.iter().zip(at.items()).filter_map(|(text, at)| self.open(text, at)).collect()
    }

    /// That it waits for an object, and why.
    pub(super) fn waits_for(&mut self, key: Key, at: At<'_>, reason: &str) {
        let origin = Origin { file: Arc::clone(&self.doc.file), span: at.span, reason: reason.to_owned() };
        self.out.edges.entry(key).or_insert(origin);
    }

    /// The key of another object of this environment, if there is such an object.
    pub(super) fn member(&self, kind: Kind, name: &str) -> Option<Key> {
        let name: ObjectName = name.parse().ok()?;
        let key = Key::new(self.key.environment.clone(), kind, name);
        self.around.members.get(kind, &key.name).map(|_| key)
    }

    /// A stack by its bare name, any object as `kind/name`.
    pub(super) fn depends_on(&mut self) {
        for at in self.at(&["spec", "dependsOn"]).items() {
            let Some(name) = at.node.and_then(Node::text) else { continue };
            let (kind, bare) = name.split_once('/').unwrap_or((Kind::Stack.as_str(), name));
            let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind);
            if let Some(key) = kind.and_then(|kind| self.member(kind, bare)) {
                self.waits_for(key, at, "dependsOn");
                continue;
            }
            let (code, what) = match kind {
                Some(Kind::Stack) => ("unknown-stack", format!("stack `{bare}`")),
                Some(kind) => ("unknown-object", format!("{} `{bare}`", kind.noun())),
                None => ("unknown-object", format!("object `{name}`")),
            };
            let problem = self.error(code, format!("`{}` has no {what}", self.environment()), at).absent(bare);
            // Somebody who left out the kind means the one object of this name.
            let other = Kind::ALL.into_iter().find(|kind| self.member(*kind, bare).is_some());
            let problem = if let Some(other) = other {
                let address = if other == Kind::Stack { bare.to_owned() } else { format!("{}/{bare}", other.as_str()) };
                problem.help(format!("did you mean `{address}`? `{bare}` is a {}", other.noun()))
            } else {
                let known = self.around.members.addresses().iter().map(String::as_str);
                self.around.guesses.suggest(problem, name, known)
            };
            self.add(problem);
        }
    }
}

/// A limit in the largest unit that it is a whole number of.
fn shown(limit: &Duration) -> String {
    let (seconds, millis) = (limit.as_secs(), limit.subsec_millis());
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    match units.into_iter().find(|(unit, _)| millis == 0 && seconds.is_multiple_of(*unit)) {
        Some((unit, letter)) => format!("{}{letter}", seconds / unit),
        None => format!("{}ms", limit.as_millis()),
    }
}

/// A choice as its manifest writes it.
pub(super) fn word<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::from(text)).ok()
}
