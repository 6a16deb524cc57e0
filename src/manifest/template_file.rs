//! The file of a template: why there is none where a stack asks for it, or what is wrong with the one that is there.

use std::sync::Arc;

use super::diagnostic::{Problem, typed};
use super::nearby::{Wanted, absent, is_directory};
use super::render::Site;
use super::text::text;
use crate::model::{Snapshot, Template, beside};
use crate::template;

/// Why there is no template at a path, where that is known before it is read.
pub(super) fn no_template(snapshot: &Snapshot, path: &str, given: &str, site: Site<'_>) -> Option<Problem> {
    let error = |message: String| Problem::error("template-not-found", message, site.file, site.span);
    if path == &**site.file {
        let problem = error(format!("`{given}` is this manifest, and not a template"));
        return Some(absent(problem, snapshot, site.file, given, Wanted::File));
    }
    if snapshot.files.contains_key(path) {
        return None;
    }
    let message = match beside(site.file, given) {
        None => format!("`{given}` leads out of the manifests"),
        Some(_) if is_directory(snapshot, path) => format!("`{given}` is a directory, and not a template"),
        Some(_) => format!("there is no template `{given}`"),
    };
    Some(absent(error(message), snapshot, site.file, given, Wanted::File))
}

/// Reads a template.
pub(super) fn read_template(snapshot: &Snapshot, path: &str) -> Result<Arc<Template>, Problem> {
    let file: Arc<str> = Arc::from(path);
    let source = text(snapshot, path).map_err(|(code, message, span)| {
        let code = if code == "file-not-found" { "template-not-found" } else { code };
        Problem::error(code, message, &file, span)
    })?;
    template::parse(source).map(Arc::new).map_err(|why| {
        let span = why.span.unwrap_or_default();
        let code = if why.limit { "alias-expansion" } else { "template" };
        let problem = if why.span.is_some() {
            Problem::error(code, format!("this is no template: {}", why.message), &file, span)
        } else {
            Problem::error(
                code,
                format!("`{}` is no template: {}", typed(&snapshot.root, path), why.message),
                &file,
                span,
            )
        };
        why.help.into_iter().fold(problem, Problem::help)
    })
}
