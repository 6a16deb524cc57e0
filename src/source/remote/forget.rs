//! Clones of repositories that nobody follows any more.

use std::fs;
use std::path::Path;

use tracing::{info, warn};

use super::Remote;
use super::bare::{Place, remove};

/// Removes the clones in a state directory that are of none of these repositories. One that another process works with, or
/// that is another user's, stays for the next time.
pub fn forget_others(state: &Path, kept: &[Remote]) {
    let Ok(entries) = fs::read_dir(state.join("git")) else { return };
    let places: Vec<String> = kept.iter().map(|remote| remote.source.place()).collect();
    for entry in entries.flatten() {
        let name = entry.file_name();
        // What is no clone of ours was put there by somebody else.
        let is_clone = entry.file_type().is_ok_and(|kind| kind.is_dir()) && entry.path().join("lock").is_file();
        if !is_clone || places.iter().any(|place| name == place.as_str()) {
            continue;
        }
        let place = Place { directory: entry.path() };
        match place.try_lock() {
            Ok(_held) => match remove(&entry.path()) {
                Ok(()) => {
                    info!(clone = %name.display(), "the clone of a Git source that is no longer configured was deleted");
                }
                Err(why) => warn!(clone = %name.display(), %why, "an old clone could not be deleted"),
            },
            Err(why) => warn!(clone = %name.display(), %why, "an old clone is in use and was not deleted"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files;
    use crate::model::GitSource;

    #[test]
    fn only_clones_of_what_nobody_follows_go() {
        let state = tempfile::tempdir().unwrap();
        let remote = |name: &str| {
            let source = GitSource::new(name.parse().unwrap(), "https://git.example.com/a/b").unwrap();
            Remote::new(source, state.path())
        };
        let (kept, old, used) = (remote("kept"), remote("old"), remote("used"));
        for one in [&kept, &old, &used] {
            fs::create_dir_all(one.place.clone_at()).unwrap();
            drop(one.place.lock().unwrap());
        }
        files::make_directory(&state.path().join("git/other")).unwrap();
        let held = used.place.lock().unwrap();
        forget_others(state.path(), std::slice::from_ref(&kept));
        let there = |one: &Remote| one.place.directory.exists();
        assert!(there(&kept) && !there(&old) && there(&used) && state.path().join("git/other").exists());
        drop(held);
        forget_others(state.path(), &[]);
        assert!(!there(&kept) && !there(&used));
    }
}
