//! The files of a snapshot as texts: paths, encodings, positions, and what is wrong with a text as a whole.

use std::sync::Arc;

use super::diagnostic::{Problem, typed};
use crate::model::{FileContent, InvalidName, ObjectName, Snapshot};
use crate::yaml::{Fault, FaultKind, Place, Span};

/// The largest file that is read.
pub(super) const MAX_BYTES: u64 = 1_048_576;

/// A file as text, without a byte order mark.
///
/// # Errors
/// Why it cannot be read: a code and a sentence, and where, if that is known.
pub(super) fn text<'s>(snapshot: &'s Snapshot, path: &str) -> Result<&'s str, (&'static str, String, Span)> {
    let top = Span { start: Place { offset: 0, line: 1, column: 1 }, end: 0 };
    let shown = typed(&snapshot.root, path);
    match snapshot.files.get(path) {
        None if leads_out(path) => {
            let message = format!(
                "`{path}` is outside the manifests: paths are relative to the file and must stay below the root of the \
                manifests"
            );
            Err(("file-not-found", message, Span::default()))
        }
        None => Err(("file-not-found", format!("file `{path}` does not exist"), Span::default())),
        Some(FileContent::Unreadable(why) | FileContent::NotListed(why)) => {
            Err(("file-unreadable", format!("`{shown}` cannot be read: {why}"), Span::default()))
        }
        Some(FileContent::TooLarge(size)) => Err(("file-too-large", too_large(&shown, *size), top)),
        Some(FileContent::Bytes(bytes)) if bytes.len() as u64 > MAX_BYTES => {
            Err(("file-too-large", too_large(&shown, bytes.len() as u64), top))
        }
        Some(FileContent::Bytes(bytes)) if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) => {
            Err(("not-utf8", format!("`{shown}` is UTF-16: save it as UTF-8"), top))
        }
        Some(FileContent::Bytes(bytes)) => match std::str::from_utf8(bytes) {
            // A disk or a file system that has lost a file's content leaves zeros, and YAML ends at the first.
            Ok(text) if text.contains('\0') => {
                Err(("not-text", format!("`{shown}` is no text: it has a zero byte"), top))
            }
            Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
            Err(error) => {
                let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let start = place_at(std::str::from_utf8(good).unwrap_or_default(), good.len());
                let message = format!("`{shown}` is not UTF-8: the byte 0x{:02x} fits nothing", bytes[good.len()]);
                Err(("not-utf8", message, Span { start, end: start.offset }))
            }
        },
    }
}

/// What is wrong with the name of a document, and which one would do.
pub(super) fn misnamed(name: &str, why: &InvalidName, file: &Arc<str>, span: Span) -> Problem {
    const MOST: usize = 63;
    let length = name.chars().count();
    if length > MOST {
        let message = format!("this name has {length} characters; a name has at most {MOST}");
        return Problem::error("invalid-value", message, file, span);
    }
    let legal = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let meant: String = name.chars().map(legal).collect();
    let meant = meant.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let problem = Problem::error("invalid-value", why.to_string(), file, span);
    if meant.parse::<ObjectName>().is_ok() { problem.help(format!("did you mean `{meant}`?")) } else { problem }
}

/// A path as it was written, where it could not be found from the file that it stands in.
fn leads_out(path: &str) -> bool {
    path.starts_with('/') || path.split('/').any(|part| part == "..")
}

fn too_large(path: &str, size: u64) -> String {
    format!("`{path}` has {size} bytes; the limit is {MAX_BYTES}")
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
            let problem =
                Problem::error("conflict-marker", "the file contains an unresolved merge conflict", file, span);
            return Some(
                problem.help("keep one of the two sides and remove the lines `<<<<<<<`, `=======` and `>>>>>>>`"),
            );
        }
        offset += line.len();
    }
    None
}
