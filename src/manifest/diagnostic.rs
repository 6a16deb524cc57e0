//! What is wrong with the manifests, where it stands and what would help.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use miette::{LabeledSpan, SourceCode};
use schemars::JsonSchema;
use serde::Serialize;

use super::excerpt::{self, Excerpt};
use crate::model::EnvName;
pub(super) use crate::model::nearest;
use crate::yaml::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// The affected environments are not loaded.
    Error,
    /// Everything is loaded; review it.
    Warning,
}

/// A range of bytes in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Bytes {
    /// Its start.
    pub offset: usize,
    /// Its length.
    pub length: usize,
}

/// How many problems of one file are shown, and how many in all.
const MOST_OF_A_FILE: usize = 100;
const MOST: usize = 1_000;
/// How many problems of one file are kept apart; of the rest only the number is known.
const MOST_KEPT: usize = 1_000;

/// One thing that is wrong. Renders through [`miette`] with a snippet; serialises without it. Values of `NoEcho`
/// parameters are neither in the text nor in the snippet.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A code that is stable between releases: `unknown-field`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// A suggested fix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The file, relative to the root of the manifests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The file as it can be opened from where the command was started: below the root as it was typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The column in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// The bytes that it refers to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Bytes>,
    /// The affected environments; empty if no environment includes the file.
    #[schemars(with = "BTreeSet<String>")]
    pub environments: BTreeSet<EnvName>,
    #[serde(skip)]
    source: Option<Arc<Excerpt>>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Diagnostic {}

impl miette::Diagnostic for Diagnostic {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_deref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (offset, length) = self.source.as_ref()?.label();
        Some(Box::new(std::iter::once(LabeledSpan::new(None, offset, length))))
    }
}

/// The name of an object that is not there. Boxed where it is: problems are errors, and few have one.
#[derive(Clone, Debug)]
pub(super) struct Absent(pub(super) String);

/// A problem before it is known which environments it concerns.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) severity: Severity,
    pub(super) code: &'static str,
    pub(super) message: Box<str>,
    pub(super) help: Option<String>,
    pub(super) file: Option<Arc<str>>,
    pub(super) span: Span,
    /// The name of an object that was looked for and is not there.
    pub(super) absent: Option<Box<Absent>>,
}

impl Problem {
    /// An error that stands there.
    pub(super) fn error(code: &'static str, message: impl Into<String>, file: &Arc<str>, span: Span) -> Self {
        let file = Some(Arc::clone(file));
        Self { severity: Severity::Error, code, message: message.into().into(), help: None, file, span, absent: None }
    }

    /// A warning that stands there.
    pub(super) fn warning(code: &'static str, message: impl Into<String>, file: &Arc<str>, span: Span) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message, file, span) }
    }

    /// With a hint.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What it follows from, if it does: there is no object of this name.
    pub(super) fn absent(mut self, name: &str) -> Self {
        self.absent = Some(Box::new(Absent(name.to_owned())));
        self
    }

    /// With one more line of help.
    pub(super) fn more_help(mut self, help: &str) -> Self {
        self.help = Some(self.help.map_or_else(|| help.to_owned(), |first| format!("{first}\n{help}")));
        self
    }

    /// With a guess at what was meant, where there is one.
    pub(super) fn suggest<'c>(mut self, wrong: &str, candidates: impl IntoIterator<Item = &'c str>) -> Self {
        if let Some(near) = nearest(wrong, candidates) {
            self.help = Some(format!("did you mean `{near}`?"));
        }
        self
    }
}

/// Guesses as long as they are cheap: with thousands of stacks as candidates for thousands of wrong references, the first
/// few hundred references get a suggestion and the rest go without.
pub(super) struct Guesses(Cell<usize>);

impl Guesses {
    /// A budget of comparisons, well under a second's worth.
    pub(super) fn new() -> Self {
        Self(Cell::new(1_000_000))
    }

    /// With a guess, while there is budget for it.
    pub(super) fn suggest<'c>(
        &self,
        problem: Problem,
        wrong: &str,
        candidates: impl ExactSizeIterator<Item = &'c str>,
    ) -> Problem {
        let Some(left) = self.0.get().checked_sub(candidates.len()) else { return problem };
        self.0.set(left);
        problem.suggest(wrong, candidates)
    }
}

/// A problem, and the environments that it concerns.
pub(super) type Concerning = (Problem, BTreeSet<EnvName>);
type Order = (Option<Arc<str>>, usize, usize, Severity, &'static str, String);

/// Problems that are only counted.
#[derive(Clone, Default)]
struct Surplus {
    number: usize,
    errors: bool,
    environments: BTreeSet<EnvName>,
}

impl Surplus {
    fn add(&mut self, severity: Severity, environments: impl IntoIterator<Item = EnvName>) {
        self.number += 1;
        self.errors |= severity == Severity::Error;
        self.environments.extend(environments);
    }

    fn said(self, file: Option<Arc<str>>, root: &str, of: &str) -> Option<Diagnostic> {
        let plural = if self.number == 1 { "" } else { "s" };
        (self.number > 0).then(|| Diagnostic {
            severity: if self.errors { Severity::Error } else { Severity::Warning },
            code: "more-problems",
            message: format!("{} more problem{plural} {of} not shown", self.number),
            help: None,
            path: file.as_deref().map(|file| typed(root, file)),
            file: file.map(|file| file.to_string()),
            line: None,
            column: None,
            span: None,
            environments: self.environments,
            source: None,
        })
    }
}

/// All problems of one load. The same problem met in several environments is one.
#[derive(Default)]
pub(super) struct Report {
    problems: BTreeMap<Order, Concerning>,
    /// How many of each file are in `problems`, and how many were too many for that.
    counts: BTreeMap<Option<Arc<str>>, (usize, Surplus)>,
    broken: BTreeSet<EnvName>,
    masks: BTreeMap<Arc<str>, BTreeSet<(usize, usize)>>,
}

impl Report {
    /// Adds a problem of these environments.
    pub(super) fn add<'e>(&mut self, problem: Problem, environments: impl IntoIterator<Item = &'e EnvName>) {
        let file = problem.file.clone();
        let (start, line) = (problem.span.start.offset, problem.span.start.line);
        let message = excerpt::message(&problem.message);
        let order = (file.clone(), line, start, problem.severity, problem.code, message);
        let severity = problem.severity;
        let environments: Vec<EnvName> = environments.into_iter().cloned().collect();
        if severity == Severity::Error {
            self.broken.extend(environments.iter().cloned());
        }
        let (kept, surplus) = self.counts.entry(file).or_default();
        if let Some((_, known)) = self.problems.get_mut(&order) {
            known.extend(environments);
        } else if *kept < MOST_KEPT {
            *kept += 1;
            self.problems.insert(order, (problem, environments.into_iter().collect()));
        } else {
            surplus.add(severity, environments);
        }
    }

    /// The environments that have an error.
    pub(super) fn broken(&self) -> &BTreeSet<EnvName> {
        &self.broken
    }

    /// From here on no snippet shows this stretch of that file.
    pub(super) fn mask(&mut self, file: &Arc<str>, span: Span) {
        if !span.is_empty() {
            self.masks.entry(Arc::clone(file)).or_default().insert((span.start.offset, span.end));
        }
    }

    /// All problems so far.
    pub(super) fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.problems.values().map(|(problem, _)| problem)
    }

    /// Leaves out what only follows from something else that is reported. The environments stay broken.
    pub(super) fn leave_out(&mut self, follows: impl Fn(&Problem, &BTreeSet<EnvName>) -> bool) {
        self.problems.retain(|_, (problem, environments)| !follows(problem, environments));
    }

    /// The environments of every error of an environment have one more: it depends on the broken one. The first says so.
    pub(super) fn spread(&mut self, from: &EnvName, to: &EnvName) {
        let mut said = false;
        for (problem, environments) in self.problems.values_mut() {
            if problem.severity == Severity::Error
                && environments.contains(from)
                && environments.insert(to.clone())
                && !said
            {
                said = true;
                let help = format!("`{to}` takes outputs from `{from}` and is not loaded either");
                *problem = problem.clone().more_help(&help);
            }
        }
        self.broken.insert(to.clone());
    }

    /// The diagnostics, by file and place, with their snippets, and the environments that have an error. Of too many, the
    /// errors are shown first, and it is said how many more there are.
    pub(super) fn finish(
        self,
        root: &str,
        text: impl Fn(&str) -> Option<Arc<str>>,
    ) -> (Vec<Diagnostic>, BTreeSet<EnvName>) {
        let mut files: BTreeMap<Option<Arc<str>>, Vec<Concerning>> = BTreeMap::new();
        for problem in folded(self.problems.into_values(), root) {
            files.entry(problem.0.file.clone()).or_default().push(problem);
        }
        let mut counts = self.counts;
        let (mut diagnostics, mut rest) = (Vec::new(), Surplus::default());
        for (file, problems) in files {
            let (_, mut surplus) = counts.remove(&file).unwrap_or_default();
            let shown = MOST_OF_A_FILE.min(MOST.saturating_sub(diagnostics.len()));
            let errors = problems.iter().filter(|(problem, _)| problem.severity == Severity::Error).count();
            let (mut of_errors, mut of_warnings) = (shown, shown.saturating_sub(errors));
            let source = file.as_deref().and_then(&text);
            let source = source.map(|text| masked(&text, file.as_ref().and_then(|file| self.masks.get(file))));
            for (problem, environments) in problems {
                let left = if problem.severity == Severity::Error { &mut of_errors } else { &mut of_warnings };
                match left.checked_sub(1) {
                    Some(fewer) => {
                        *left = fewer;
                        diagnostics.push(problem.shown(environments, root, source.as_deref()));
                    }
                    None => surplus.add(problem.severity, environments),
                }
            }
            if shown == MOST_OF_A_FILE {
                diagnostics.extend(surplus.said(file, root, "of this file are"));
            } else {
                rest.number += surplus.number;
                rest.errors |= surplus.errors;
                rest.environments.extend(surplus.environments);
            }
        }
        diagnostics.extend(rest.said(None, root, "are"));
        (diagnostics, self.broken)
    }
}

impl Problem {
    /// With its snippet.
    fn shown(self, environments: BTreeSet<EnvName>, root: &str, source: Option<&str>) -> Diagnostic {
        let (start, length) = (self.span.start, self.span.len());
        let known = start.line > 0;
        let path: Option<Arc<str>> = self.file.as_deref().map(|file| Arc::from(typed(root, file)));
        let source = source.zip(path.as_ref()).filter(|_| known);
        let excerpt = source.map(|(text, path)| {
            // What covers several lines is pointed at where it begins.
            let covered = text.get(start.offset..start.offset + length).unwrap_or_default();
            let line = covered.split(['\n', '\r']).next().map_or(length, str::len);
            Arc::new(Excerpt::new(path, text, start.offset, line, start.column))
        });
        Diagnostic {
            severity: self.severity,
            code: self.code,
            message: excerpt::message(&self.message),
            help: self.help.as_deref().map(excerpt::message),
            file: self.file.map(|file| file.to_string()),
            path: path.map(|path| path.to_string()),
            line: known.then_some(start.line),
            column: known.then_some(start.column),
            span: known.then_some(Bytes { offset: start.offset, length }),
            environments,
            source: excerpt,
        }
    }
}

/// A path below the root, as it can be opened.
pub(super) fn typed(root: &str, file: &str) -> String {
    match root.trim_end_matches('/') {
        "" if root.starts_with('/') => format!("/{file}"),
        "" | "." => file.to_owned(),
        root if file.is_empty() => root.to_owned(),
        root => format!("{root}/{file}"),
    }
}

/// Codes of what is one mistake, however often it is referred to.
const ONCE: [&str; 8] = [
    "unknown-value",
    "unknown-file-parameter",
    "unknown-environment",
    "unknown-stack",
    "unknown-object",
    "unknown-output",
    "template-not-found",
    "file-not-found",
];
/// How many other places of such a mistake are named.
const PLACES: usize = 3;

/// What is said of a problem, wherever it stands: code, message and help.
type Said = (&'static str, Box<str>, Option<String>);

/// The problems, each of which is there once: what is missing at many places is one mistake, at the first of them.
fn folded(problems: impl Iterator<Item = Concerning>, root: &str) -> Vec<Concerning> {
    let mut folded: Vec<Concerning> = Vec::new();
    let mut first: BTreeMap<Said, (usize, Vec<String>)> = BTreeMap::new();
    for (problem, environments) in problems {
        let key = (problem.code, problem.message.clone(), problem.help.clone());
        if !ONCE.contains(&problem.code) {
            folded.push((problem, environments));
        } else if let Some((at, places)) = first.get_mut(&key) {
            let file = problem.file.as_deref().map(|file| typed(root, file)).unwrap_or_default();
            places.push(format!("{file}:{}:{}", problem.span.start.line, problem.span.start.column));
            folded[*at].1.extend(environments);
        } else {
            first.insert(key, (folded.len(), Vec::new()));
            folded.push((problem, environments));
        }
    }
    for (at, places) in first.into_values().filter(|(_, places)| !places.is_empty()) {
        let more = places.len().saturating_sub(PLACES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let places = places.into_iter().take(PLACES).collect::<Vec<_>>().join(", ");
        let problem = &mut folded[at].0;
        *problem = problem.clone().more_help(&format!("also at {places}{more}"));
    }
    folded
}

/// The text with every masked byte replaced, line breaks kept, so that positions stay true.
fn masked(text: &Arc<str>, masks: Option<&BTreeSet<(usize, usize)>>) -> Arc<str> {
    let Some(masks) = masks else { return Arc::clone(text) };
    let mut bytes = text.as_bytes().to_vec();
    for (start, end) in masks {
        for byte in bytes.get_mut(*start..*end).unwrap_or_default() {
            if *byte != b'\n' {
                *byte = b'*';
            }
        }
    }
    // Masks begin and end with characters, so what is left is text.
    String::from_utf8(bytes).map_or_else(|_| Arc::from(""), Arc::from)
}
