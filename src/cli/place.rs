//! Where the manifests are, and where the state directory may be: apart from what others write.
//!
//! Whoever may write into the state directory gives the orders: approvals, requests and the journal are there. The
//! manifests are other people's, and what they commit is checked out below them. So the two do not lie in one another.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use super::args::Global;
use super::exit::Trouble;
use crate::files;

/// Where the manifests are.
pub(super) fn root(global: &Global) -> PathBuf {
    root_of(global.manifests.as_deref())
}

/// The same, where the directory may have been named.
pub(super) fn root_of(named: Option<&Path>) -> PathBuf {
    match named {
        Some(path) => path.to_owned(),
        None if Path::new("manifests").is_dir() => PathBuf::from("manifests"),
        None => PathBuf::from("."),
    }
}

/// Where new manifests go: a directory of their own, unless one is named or there.
pub(super) fn root_or_new(global: &Global) -> PathBuf {
    let root = root(global);
    let is_nothing = root == Path::new(".") && !Path::new("environments").is_dir();
    if is_nothing && global.manifests.is_none() { PathBuf::from("manifests") } else { root }
}

/// Makes Git ignore the state directory, if it is the usual one: whoever commits it commits orders for a daemon.
pub(super) fn ignore(state: &Path) -> std::io::Result<()> {
    let file = state.join(".gitignore");
    if state.file_name() == Some(OsStr::new(".landfast")) && !file.exists() {
        files::replace(&file, b"*\n", files::Access::Private)?;
    }
    Ok(())
}

/// An absolute path without `.` and `..`, with all links followed in the part of it that there is.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut rest: Vec<&OsStr> = Vec::new();
    for above in absolute.ancestors() {
        if let Ok(real) = above.canonicalize() {
            let missing = rest.iter().rev().fold(real, |path, name| path.join(name));
            return without_dots(&missing);
        }
        rest.extend(above.components().next_back().map(Component::as_os_str));
    }
    without_dots(&absolute)
}

fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = plain.pop(),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// Refuses a state directory among the manifests.
pub(super) fn outside_manifests(global: &Global, root: &Path) -> Result<(), Trouble> {
    let (state, root) = (resolved(&global.state), resolved(root));
    if state.starts_with(&root) {
        return Err(Trouble::StateAmongManifests { state, root });
    }
    Ok(())
}

/// Refuses a state directory in the checkout that the manifests are in: a daemon would take notes that somebody has
/// committed for notes that somebody left.
pub(super) fn outside_checkout(global: &Global, root: &Path) -> Result<(), Trouble> {
    let (state, root) = (resolved(&global.state), resolved(root));
    let checkout = root.ancestors().find(|above| above.join(".git").exists());
    if let Some(checkout) = checkout.filter(|checkout| state.starts_with(checkout)) {
        return Err(Trouble::StateInCheckout { state, checkout: checkout.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn apart(state: &Path, root: &Path) -> bool {
        !resolved(state).starts_with(resolved(root))
    }

    #[test]
    fn a_directory_is_found_inside_another_however_it_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let at = |path: &str| directory.path().join(path);
        std::fs::create_dir_all(at("manifests/deep")).unwrap();
        symlink(at("manifests/deep"), at("link")).unwrap();
        for inside in [
            "manifests",
            "manifests/.landfast",
            "manifests/a/b",
            "x/../manifests/s",
            "link",
            "link/new/er",
            "link/../x",
        ] {
            assert!(!apart(&at(inside), &at("manifests")), "{inside}");
        }
        for outside in ["state", "manifests.state", "manifests/../state"] {
            assert!(apart(&at(outside), &at("manifests")), "{outside}");
        }
    }
}
