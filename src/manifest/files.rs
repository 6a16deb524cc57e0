//! Which files are manifests, and what documents they hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::check::check;
use super::diagnostic::{Problem, nearest};
use super::document::API_VERSION;
use super::kinds::{ROWS, Row, Secrecy, words};
use super::{secrecy, secret};
use crate::model::{FileContent, Snapshot};
use crate::yaml::{self, Content, Entry, Fault, FaultKind, Node, Place, Span};

/// The largest file that is read.
pub(super) const MAX_BYTES: u64 = 1_048_576;

/// One document of a manifest.
pub(super) struct Doc<'s> {
    pub(super) row: &'static Row,
    pub(super) file: Arc<str>,
    pub(super) source: &'s str,
    pub(super) root: Node,
    /// What its schema has to complain about.
    pub(super) problems: Vec<Problem>,
}

impl Doc<'_> {
    /// The node at a path.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(&self.root, |node, key| node.get(key))
    }

    /// The entries of the mapping at a path; none where there is none.
    pub(super) fn entries(&self, path: &[&str]) -> &[Entry] {
        self.at(path).map(Node::entries).unwrap_or_default()
    }

    /// The items of the list at a path; none where there is none.
    pub(super) fn items(&self, path: &[&str]) -> &[Node] {
        self.at(path).map(Node::items).unwrap_or_default()
    }

    /// Where the value at a path stands; the key, where the value is more than a scalar.
    pub(super) fn span(&self, path: &[&str]) -> Span {
        let (mut node, mut span) = (&self.root, self.root.span);
        for key in path {
            let Some(entry) = node.entry(key) else { break };
            node = &entry.value;
            let scalar = matches!(node.content, Content::Scalar(_)) && !node.span.is_empty();
            span = if scalar { node.span } else { entry.key_span };
        }
        span
    }

    /// What it is called, where that can be read.
    pub(super) fn name(&self) -> Option<&str> {
        self.root.get("metadata")?.get("name")?.text()
    }
}

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

/// A file as text, without a byte order mark.
///
/// # Errors
/// Why it cannot be read: a code and a sentence, and where, if that is known.
pub(super) fn text<'s>(snapshot: &'s Snapshot, path: &str) -> Result<&'s str, (&'static str, String, Span)> {
    let top = Span { start: Place { offset: 0, line: 1, column: 1 }, end: 0 };
    match snapshot.files.get(path) {
        None => Err(("file-not-found", format!("there is no file `{path}`"), Span::default())),
        Some(FileContent::Unreadable(why)) => {
            Err(("file-unreadable", format!("`{path}` cannot be read: {why}"), Span::default()))
        }
        Some(FileContent::TooLarge(size)) => Err(("file-too-large", too_large(path, *size), top)),
        Some(FileContent::Bytes(bytes)) if bytes.len() as u64 > MAX_BYTES => {
            Err(("file-too-large", too_large(path, bytes.len() as u64), top))
        }
        Some(FileContent::Bytes(bytes)) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
            Err(error) => {
                let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let start = place_at(std::str::from_utf8(good).unwrap_or_default(), good.len());
                let message = format!("`{path}` is not UTF-8: the byte 0x{:02x} fits nothing", bytes[good.len()]);
                Err(("not-utf8", message, Span { start, end: start.offset }))
            }
        },
    }
}

fn too_large(path: &str, size: u64) -> String {
    format!("`{path}` has {size} bytes; at most {MAX_BYTES} are read")
}

/// The place of a byte offset.
pub(super) fn place_at(text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Place { offset, line, column }
}

/// A fault of the text as a problem. A conflict that was not resolved is said to be one.
pub(super) fn fault(fault: &Fault, file: &Arc<str>, source: &str) -> Problem {
    if fault.kind == FaultKind::Syntax
        && let Some(problem) = conflict(file, source)
    {
        return problem;
    }
    let code = match fault.kind {
        FaultKind::Syntax => "syntax",
        FaultKind::Depth => "nesting",
        FaultKind::Aliases => "alias-expansion",
        FaultKind::DuplicateKey => "duplicate-key",
        FaultKind::Key => "wrong-type",
    };
    Problem::error(code, fault.message.clone(), file, fault.span)
}

/// The marker that Git leaves at the start of a conflict.
fn conflict(file: &Arc<str>, source: &str) -> Option<Problem> {
    let mut offset = 0;
    for line in source.split_inclusive('\n') {
        if line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ") {
            let span = Span { start: place_at(source, offset), end: offset + line.trim_end().len() };
            let problem = Problem::error("conflict-marker", "a merge conflict was not resolved", file, span);
            return Some(
                problem.help("keep one of the two sides and remove the lines `<<<<<<<`, `=======` and `>>>>>>>`"),
            );
        }
        offset += line.len();
    }
    None
}

/// Reads every manifest of a snapshot.
pub(super) fn find(snapshot: &Snapshot) -> Found<'_> {
    let mut found = Found::default();
    for path in snapshot.files.keys().filter(|path| is_yaml(path)) {
        let file: Arc<str> = Arc::from(path.as_str());
        match text(snapshot, path) {
            Ok(source) if source.contains("apiVersion") => found.read(&file, source),
            Ok(_) => {}
            Err((code, message, span)) => {
                let ours = match snapshot.files.get(path) {
                    Some(FileContent::Bytes(bytes)) => claims(&String::from_utf8_lossy(bytes)),
                    _ => true,
                };
                if ours {
                    found.problem(Problem::error(code, message, &file, span));
                }
            }
        }
    }
    found
}

fn is_yaml(path: &str) -> bool {
    matches!(path.rsplit_once('.'), Some((_, "yaml" | "yml")))
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
                    secrecy::document_at(source, document.root.span.start.offset)
                        .into_iter()
                        .map(|span| (Arc::clone(file), span)),
                );
                for problem in problems {
                    self.problem(problem);
                }
                continue;
            };
            let discreet = row.secrecy == Secrecy::Document;
            problems.extend(check(&document.root, row.schema, file, discreet));
            if discreet {
                secret::review(&document.root, &mut problems);
            }
            let doc = Doc { row, file: Arc::clone(file), source, root: document.root, problems };
            if row.resource.is_some() {
                self.resources.entry(Arc::clone(file)).or_default().push(doc);
            } else {
                self.environments.push(doc);
            }
        }
    }
}

/// The `apiVersion` of a document that is, or is meant to be, ours.
fn group(root: &Node) -> Option<&str> {
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
        let message = format!("`{given}` is not a version of the manifest language that is known here");
        let help = format!("known: {API_VERSION}");
        problems.push(Problem::error("unknown-api-version", message, file, version.span).help(help));
        return None;
    }
    let Some(kind) = root.get("kind") else {
        problems.push(Problem::error("missing-field", "`kind` is missing in the document", file, root.span));
        return None;
    };
    let given = kind.text().unwrap_or_else(|| kind.described());
    let known = ROWS.iter().find(|row| row.word == given);
    if known.is_none() {
        let help = format!("known: {}", words().collect::<Vec<_>>().join(", "));
        let message = format!("`{given}` is not a kind that is known here");
        problems.push(Problem::error("unknown-kind", message, file, kind.span).help(help).suggest(given, words()));
    }
    known
}

/// `relative` as seen from the directory of `file`; `None` if that is outside the root.
pub(super) fn beside(file: &str, relative: &str) -> Option<String> {
    if relative.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_file_and_stay_below_the_root() {
        assert_eq!(beside("environments/dev/env.yaml", "../../stacks").as_deref(), Some("stacks"));
        assert_eq!(beside("stacks/a.yaml", "./templates/a.yaml").as_deref(), Some("stacks/templates/a.yaml"));
        assert_eq!(beside("a.yaml", "..").as_deref(), None);
        assert_eq!(beside("a.yaml", "/etc/passwd").as_deref(), None);
        assert_eq!(beside("a.yaml", ".").as_deref(), Some(""));
    }
}
