//! What is said of a file that is not there: where it was looked for, and which one was meant.

use std::collections::BTreeSet;

use super::diagnostic::{Problem, nearest, typed};
use crate::model::{Snapshot, beside};

/// What a manifest names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A file.
    File,
    /// A file or a directory.
    Place,
}

/// Says of a problem where `given`, which stands in the file `from`, was looked for, and what was meant.
pub(super) fn absent(problem: Problem, snapshot: &Snapshot, from: &str, given: &str, wanted: Wanted) -> Problem {
    let Some(found) = beside(from, given) else {
        return problem.help("paths are relative to this file and must stay below the root of the manifests");
    };
    if wanted == Wanted::File && is_directory(snapshot, &found) {
        let inside = format!("{found}/");
        let first = snapshot.files.range(inside.clone()..).next().filter(|(file, _)| file.starts_with(&inside));
        let named = first.map(|(file, _)| format!("name a file in it, such as `{}`", relative(from, file)));
        return problem.help(named.unwrap_or_else(|| "name a file in it".to_owned()));
    }
    let searched = format!("searched in `{}`", place(snapshot, directory(&found)));
    match meant(snapshot, from, given, &found, wanted) {
        Some(meant) => problem.help(format!("did you mean `{meant}`?")).more_help(&searched),
        None => problem.help(searched),
    }
}

/// There are files below this path.
pub(super) fn is_directory(snapshot: &Snapshot, path: &str) -> bool {
    let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
    snapshot.files.range(prefix.clone()..).next().is_some_and(|(file, _)| file.starts_with(&prefix))
}

/// A directory as the user would name it.
fn place(snapshot: &Snapshot, directory: &str) -> String {
    let shown = typed(&snapshot.root, directory);
    if shown.is_empty() { ".".to_owned() } else { shown }
}

fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The file that was meant, as it would be written in `from`: one beside it with a similar name, or one of the same name
/// elsewhere.
fn meant(snapshot: &Snapshot, from: &str, given: &str, found: &str, wanted: Wanted) -> Option<String> {
    let mut places: BTreeSet<&str> = snapshot.files.keys().map(String::as_str).filter(|file| *file != from).collect();
    if wanted == Wanted::Place {
        let files = snapshot.files.keys();
        places.extend(files.flat_map(|file| file.match_indices('/').filter_map(|(at, _)| file.get(..at))));
    }
    let written = |path: &str| {
        let short = relative(from, path);
        if given.starts_with("./") && !short.starts_with("../") { format!("./{short}") } else { short }
    };
    let beside = places.iter().copied().filter(|path| directory(path) == directory(found));
    if let Some(near) = nearest(name(found), beside.map(name)) {
        let near = if directory(found).is_empty() { near.to_owned() } else { format!("{}/{near}", directory(found)) };
        return Some(written(&near));
    }
    // Of several with this name, the one with the shortest way.
    let same = places.iter().filter(|path| name(path) == name(found)).map(|path| written(path));
    if let Some(same) = same.min_by_key(|path| (path.matches('/').count(), path.clone())) {
        return Some(same);
    }
    // A similar name elsewhere.
    let names: BTreeSet<&str> = places.iter().map(|path| name(path)).collect();
    if let Some(near) = nearest(name(found), names) {
        let similar = places.iter().filter(|path| name(path) == near).map(|path| written(path));
        return similar.min_by_key(|path| (path.matches('/').count(), path.clone()));
    }
    let all: Vec<String> = places.iter().map(|path| written(path)).collect();
    nearest(given, all.iter().map(String::as_str)).map(str::to_owned)
}

/// The way from the directory of a file to a path.
fn relative(from: &str, path: &str) -> String {
    let from: Vec<&str> = directory(from).split('/').filter(|part| !part.is_empty()).collect();
    let to: Vec<&str> = path.split('/').collect();
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", from.len() - common);
    let way: Vec<&str> = up.chain(to.into_iter().skip(common)).collect();
    if way.is_empty() { ".".to_owned() } else { way.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_as_the_file_beside_it_would_write_it() {
        assert_eq!(relative("stacks/a.yaml", "stacks/templates/a.yaml"), "templates/a.yaml");
        assert_eq!(relative("environments/dev/a.yaml", "stacks"), "../../stacks");
        assert_eq!(relative("a.yaml", "stacks/b.yaml"), "stacks/b.yaml");
        assert_eq!(relative("stacks/a.yaml", "stacks"), ".");
    }
}
