//! Which files are manifests, and what documents they hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::check::check;
use super::diagnostic::{Problem, nearest};
use super::doc::Doc;
use super::document::API_VERSION;
use super::kinds::{ROWS, Row};
use super::nouns::{self, Secrecy, words};
use super::text::{fault, text};
use super::{secrecy, secret};
use crate::model::Snapshot;
use crate::yaml::{self, Node, Span};

/// Everything found in a snapshot.
#[derive(Default)]
pub(super) struct Found<'s> {
    pub(super) environments: Vec<Doc<'s>>,
    /// Documents of resource kinds, by file.
    pub(super) resources: BTreeMap<Arc<str>, Vec<Doc<'s>>>,
    /// What is wrong with whole files, by file. They concern whoever the file concerns.
    pub(super) problems: BTreeMap<Arc<str>, Vec<Problem>>,
    /// Documents of no kind that is known, which no snippet may show.
    pub(super) masks: Vec<(Arc<str>, Span)>,
    /// Documents that call themselves ours.
    pub(super) documents: usize,
}

/// Reads every manifest of a snapshot.
pub(super) fn find(snapshot: &Snapshot) -> Found<'_> {
    find_those(snapshot, |source| source.contains("apiVersion"))
}

/// Reads the documents that may be environments.
pub(super) fn find_environments(snapshot: &Snapshot) -> Found<'_> {
    find_those(snapshot, |source| source.contains("apiVersion") && source.contains(nouns::ENVIRONMENT.word))
}

/// What cannot be read, or does not call itself ours, is left to the [`survey`](super::survey).
fn find_those(snapshot: &Snapshot, wanted: impl Fn(&str) -> bool) -> Found<'_> {
    let mut found = Found::default();
    for path in snapshot.files.keys().filter(|path| is_manifest_name(path)) {
        if let Ok(source) = text(snapshot, path)
            && wanted(source)
        {
            found.read(&Arc::from(path.as_str()), source);
        }
    }
    found
}

/// Whether manifests are looked for in files of this name.
pub(super) fn is_manifest_name(path: &str) -> bool {
    let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    matches!(ending.as_deref(), Some("yaml" | "yml" | "json"))
}

/// A line of the text says that it is a manifest.
fn claims(source: &str) -> bool {
    source.lines().any(|line| {
        let value = line.strip_prefix("apiVersion:").map(|rest| rest.trim_start().trim_start_matches(['"', '\'']));
        value.is_some_and(|value| value.starts_with("landfast/"))
    })
}

impl<'s> Found<'s> {
    fn problem(&mut self, problem: Problem) {
        if let Some(file) = &problem.file {
            self.problems.entry(Arc::clone(file)).or_default().push(problem);
        }
    }

    fn read(&mut self, file: &Arc<str>, source: &'s str) {
        let stream = yaml::parse(source);
        let ours = claims(source) || stream.documents.iter().any(|document| group(&document.root).is_some());
        if !ours {
            return;
        }
        if let Some(reason) = &stream.fault {
            self.problem(fault(reason, file, source));
        }
        for document in stream.documents {
            if document.root.as_scalar().is_some_and(yaml::Scalar::is_null) {
                continue;
            }
            self.documents += 1;
            let mut problems: Vec<Problem> = document.faults.iter().map(|reason| fault(reason, file, source)).collect();
            let Some(row) = classify(&document.root, file, &mut problems) else {
                // It may be meant for a secret.
                self.masks.extend(
                    secrecy::document_at(source, document.root.span.start.offset, &[])
                        .into_iter()
                        .map(|span| (Arc::clone(file), span)),
                );
                for problem in problems {
                    self.problem(problem);
                }
                continue;
            };
            let discreet = row.noun.secrecy == Secrecy::Document;
            problems.extend(check(&document.root, row.schema, file, discreet));
            if discreet {
                secret::review(&document.root, &mut problems);
            }
            let doc = Doc { noun: row.noun, file: Arc::clone(file), source, root: document.root, problems };
            if row.decode.is_some() {
                self.resources.entry(Arc::clone(file)).or_default().push(doc);
            } else {
                self.environments.push(doc);
            }
        }
    }
}

/// The `apiVersion` of a document that is, or is meant to be, ours.
pub(super) fn group(root: &Node) -> Option<&str> {
    let version = root.get("apiVersion")?.text()?;
    let group = version.split('/').next().unwrap_or_default();
    (group == "landfast" || nearest(group, ["landfast"]).is_some()).then_some(version)
}

/// The kind of a document; what is wrong with its first two fields is reported here, in better words than a schema's.
fn classify(root: &Node, file: &Arc<str>, problems: &mut Vec<Problem>) -> Option<&'static Row> {
    let Some(version) = root.get("apiVersion") else {
        let message = "`apiVersion` is missing in a document of a manifest file";
        problems
            .push(Problem::error("missing-field", message, file, root.span).help(format!("apiVersion: {API_VERSION}")));
        return None;
    };
    if version.text() != Some(API_VERSION) {
        let given = version.text().unwrap_or_else(|| version.described());
        let message = format!("unknown `apiVersion` `{given}`");
        let help = format!("known: {API_VERSION}");
        problems.push(Problem::error("unknown-api-version", message, file, version.span).help(help));
        return None;
    }
    let Some(kind) = root.get("kind") else {
        let problem = Problem::error("missing-field", "`kind` is missing in the document", file, root.span);
        problems.push(problem.help(format!("known: {}", words().collect::<Vec<_>>().join(", "))));
        return None;
    };
    let given = kind.text().unwrap_or_else(|| kind.described());
    let known = ROWS.iter().find(|row| row.noun.word == given);
    if known.is_none() {
        let help = format!("known: {}", words().collect::<Vec<_>>().join(", "));
        let message = format!("unknown `kind` `{given}`");
        problems.push(Problem::error("unknown-kind", message, file, kind.span).help(help).suggest(given, words()));
    }
    known
}
