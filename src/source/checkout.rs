//! A checkout that Git is in the middle of: half of the files are those of one commit, half those of another.
//!
//! Git itself says so: it holds `index.lock` while it writes files, and keeps files of its own while a person is asked to
//! resolve a conflict. Whoever reads then could take a moved manifest for a removed one.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tracing::{info, warn};

use super::git;
use crate::context::Context;
use crate::sabotage::{self, Bug};

/// What Git leaves in its directory while something is going on, and what that is.
const SIGNS: [(&str, &str); 8] = [
    ("index.lock", "Git is writing files"),
    ("rebase-merge", "a rebase is in progress"),
    ("rebase-apply", "a rebase is in progress"),
    ("MERGE_HEAD", "a merge is in progress"),
    ("CHERRY_PICK_HEAD", "a cherry-pick is in progress"),
    ("REVERT_HEAD", "a revert is in progress"),
    ("sequencer", "a cherry-pick or revert is in progress"),
    ("BISECT_LOG", "a bisection is in progress"),
];
/// How often it is asked whether it is over.
const LOOK: Duration = Duration::from_millis(500);
/// How often it is said that it is not.
const SAY: Duration = Duration::from_mins(1);
/// How long it is waited for. A Git that was killed leaves its lock behind.
const LONGEST: Duration = Duration::from_mins(10);

/// Something that Git has begun and not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderWay {
    what: &'static str,
    sign: PathBuf,
    since: Option<SystemTime>,
}

impl std::fmt::Display for UnderWay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.what, self.sign.display())
    }
}

/// What Git is in the middle of, in the work tree that `root` is in.
#[must_use]
pub fn under_way(root: &Path) -> Option<UnderWay> {
    let real = root.canonicalize().ok()?;
    let own = git::directory(&real)?;
    SIGNS.into_iter().find_map(|(name, what)| {
        let sign = own.join(name);
        let metadata = sign.symlink_metadata().ok()?;
        Some(UnderWay { what, sign, since: metadata.modified().ok() })
    })
}

/// Waits until Git is in the middle of nothing. What it still is in the middle of after ten minutes is returned, and is not
/// waited for again if it is `given_up`.
pub async fn at_rest(cx: &Context, root: &Path, given_up: Option<&UnderWay>) -> Option<UnderWay> {
    let (mut waited, mut said) = (Duration::ZERO, None);
    loop {
        let found = under_way(root)?;
        if sabotage::is(Bug::ReadsHalfACheckout) {
            return None;
        }
        if given_up == Some(&found) {
            return Some(found);
        }
        if waited >= LONGEST {
            warn!(%found, "Git has not finished; the files are read anyway, but nothing is deleted");
            return Some(found);
        }
        match said {
            None => info!(%found, "waiting for Git to finish before the manifests are read"),
            Some(at) if waited.saturating_sub(at) >= SAY => {
                warn!(%found, waited = waited.as_secs(), "still waiting for Git to finish");
            }
            Some(_) => {
                cx.sleep(LOOK).await;
                waited += LOOK;
                continue;
            }
        }
        said = Some(waited);
        cx.sleep(LOOK).await;
        waited += LOOK;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::context::Virtual;

    fn work_tree() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for name in [".git", "m", "linked", ".git/worktrees/linked"] {
            fs::create_dir_all(directory.path().join(name)).unwrap();
        }
        fs::write(directory.path().join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
        fs::write(directory.path().join("linked/.git"), "gitdir: ../.git/worktrees/linked\n").unwrap();
        directory
    }

    /// How long is waited while the sign goes after `held`, and what is said in the end.
    fn waited(directory: &Path, sign: &str, held: Duration) -> (Duration, bool) {
        let clock = Virtual::starting_at(jiff::Timestamp::UNIX_EPOCH);
        let cx = Context::simulated(&clock, 1);
        let sign = directory.join(".git").join(sign);
        fs::write(&sign, "").unwrap();
        let goes = async {
            cx.sleep(held).await;
            fs::remove_file(&sign).unwrap();
        };
        let root = directory.join("m");
        let rests = async { (at_rest(&cx, &root, None).await.is_some(), cx.elapsed()) };
        let ((left, waited), ()) = clock.drive(async { futures_util::join!(rests, goes) }).unwrap();
        (waited, left)
    }

    #[test]
    fn a_checkout_in_progress_is_waited_for_and_not_for_ever() {
        let directory = work_tree();
        assert_eq!(under_way(&directory.path().join("m")), None);
        for (sign, _) in SIGNS {
            let (time, left) = waited(directory.path(), sign, Duration::from_secs(20));
            assert!(!left && time >= Duration::from_secs(20) && time < Duration::from_secs(21), "{sign}: {time:?}");
        }
        let (time, left) = waited(directory.path(), "index.lock", Duration::from_hours(1));
        assert!(left && time >= LONGEST && time < LONGEST + SAY, "{time:?}");
    }

    #[test]
    fn a_daemon_that_reads_half_a_checkout_is_found() {
        let directory = work_tree();
        sabotage::plant(Some(Bug::ReadsHalfACheckout));
        let (time, _) = waited(directory.path(), "index.lock", Duration::from_secs(20));
        sabotage::plant(None);
        assert_eq!(time, Duration::ZERO, "it does not wait");
    }

    #[test]
    fn what_was_given_up_is_not_waited_for_again() {
        let directory = work_tree();
        fs::write(directory.path().join(".git/index.lock"), "").unwrap();
        let clock = Virtual::starting_at(jiff::Timestamp::UNIX_EPOCH);
        let cx = Context::simulated(&clock, 1);
        let root = directory.path().join("m");
        let stale = under_way(&root).unwrap();
        let again = clock.drive(async { at_rest(&cx, &root, Some(&stale)).await }).unwrap();
        assert_eq!((again, cx.elapsed()), (Some(stale), Duration::ZERO));
    }

    #[test]
    fn a_linked_work_tree_has_its_own_lock() {
        let directory = work_tree();
        let linked = directory.path().join("linked");
        fs::write(directory.path().join(".git/index.lock"), "").unwrap();
        assert_eq!(under_way(&linked), None, "the main work tree's is not its own");
        fs::write(directory.path().join(".git/worktrees/linked/index.lock"), "").unwrap();
        assert!(under_way(&linked).unwrap().to_string().starts_with("Git is writing files"));
    }
}
