//! What is wrong with the manifests, where it stands and what would help.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use miette::{LabeledSpan, NamedSource, SourceCode};
use serde::Serialize;

use crate::model::EnvName;
use crate::yaml::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// The environments it concerns are not loaded.
    Error,
    /// Everything is loaded; somebody should look at it.
    Warning,
}

/// A stretch of a file in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bytes {
    /// Where it begins.
    pub offset: usize,
    /// How long it is.
    pub length: usize,
}

/// One thing that is wrong. Renders through [`miette`] with a snippet; serialises without it. Values of `NoEcho`
/// parameters are neither in the text nor in the snippet.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A word that stays the same between releases: `unknown-field`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What would help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The file, relative to the root of the manifests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The column in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// The bytes it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Bytes>,
    /// The environments it concerns; none where the file is nobody's.
    pub environments: BTreeSet<EnvName>,
    #[serde(skip)]
    source: Option<Arc<NamedSource<Arc<str>>>>,
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
        let span = self.span.filter(|_| self.source.is_some())?;
        Some(Box::new(std::iter::once(LabeledSpan::new(None, span.offset, span.length))))
    }
}

/// A problem before it is known which environments it concerns.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) severity: Severity,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) help: Option<String>,
    pub(super) file: Option<Arc<str>>,
    pub(super) span: Span,
}

impl Problem {
    /// An error that stands there.
    pub(super) fn error(code: &'static str, message: impl Into<String>, file: &Arc<str>, span: Span) -> Self {
        let file = Some(Arc::clone(file));
        Self { severity: Severity::Error, code, message: message.into(), help: None, file, span }
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

    /// With a guess at what was meant, where there is one.
    pub(super) fn suggest<'c>(mut self, wrong: &str, candidates: impl IntoIterator<Item = &'c str>) -> Self {
        if let Some(near) = nearest(wrong, candidates) {
            self.help = Some(format!("did you mean `{near}`?"));
        }
        self
    }
}

/// The candidate that is most like `wrong`, if one is near enough to be meant.
pub(super) fn nearest<'c>(wrong: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // Distances take time in proportion to both lengths; nobody mistypes a name of hundreds of characters.
    const LONGEST: usize = 128;
    if wrong.len() > LONGEST {
        return None;
    }
    let lower = wrong.to_ascii_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= LONGEST)
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            *distance < wrong.len() && *distance <= 1 + wrong.len().max(candidate.len()) / 4
        })
        .min()
        .map(|(_, candidate)| candidate)
}

type Order = (Option<Arc<str>>, usize, usize, Severity, &'static str, String);

/// All problems of one load. The same problem met in several environments is one.
#[derive(Default)]
pub(super) struct Report {
    problems: BTreeMap<Order, (Problem, BTreeSet<EnvName>)>,
    broken: BTreeSet<EnvName>,
    masks: BTreeMap<Arc<str>, BTreeSet<(usize, usize)>>,
    hidden: BTreeSet<Arc<str>>,
}

impl Report {
    /// Adds a problem of these environments.
    pub(super) fn add<'e>(&mut self, problem: Problem, environments: impl IntoIterator<Item = &'e EnvName>) {
        let file = problem.file.clone();
        let (start, line) = (problem.span.start.offset, problem.span.start.line);
        let order = (file, line, start, problem.severity, problem.code, problem.message.clone());
        let is_error = problem.severity == Severity::Error;
        let (_, known) = self.problems.entry(order).or_insert_with(|| (problem, BTreeSet::new()));
        for environment in environments {
            known.insert(environment.clone());
            if is_error {
                self.broken.insert(environment.clone());
            }
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

    /// No snippet shows anything of that file.
    pub(super) fn hide(&mut self, file: &Arc<str>) {
        self.hidden.insert(Arc::clone(file));
    }

    /// The diagnostics, by file and place, with their snippets, and the environments that have an error.
    pub(super) fn finish(self, text: impl Fn(&str) -> Option<Arc<str>>) -> (Vec<Diagnostic>, BTreeSet<EnvName>) {
        let mut sources: BTreeMap<Arc<str>, Option<Arc<NamedSource<Arc<str>>>>> = BTreeMap::new();
        let (masks, hidden) = (&self.masks, &self.hidden);
        let diagnostics = self.problems.into_values().map(|(problem, environments)| {
            let known = problem.span.start.line > 0;
            let source = problem.file.as_ref().filter(|file| known && !hidden.contains(*file)).and_then(|file| {
                let named = || text(file).map(|text| Arc::new(NamedSource::new(file, masked(&text, masks.get(file)))));
                sources.entry(Arc::clone(file)).or_insert_with(named).clone()
            });
            Diagnostic {
                severity: problem.severity,
                code: problem.code,
                message: problem.message,
                help: problem.help,
                file: problem.file.map(|file| file.to_string()),
                line: known.then_some(problem.span.start.line),
                column: known.then_some(problem.span.start.column),
                span: known.then_some(Bytes { offset: problem.span.start.offset, length: problem.span.len() }),
                environments,
                source,
            }
        });
        (diagnostics.collect(), self.broken)
    }
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
