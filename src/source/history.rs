//! How one commit stands to another, by Git's history.

use std::path::Path;

use gix::ObjectId;
use gix::revision::Walk;
use gix::revision::walk::Sorting;
use gix::traverse::commit::simple::CommitTimeOrder;

use super::git;
use crate::model::Ancestry;

/// So many commits are looked at from each of the two. What is not found among them is not known: reading as many takes
/// about a second, and nobody goes back so far.
const MOST: usize = 50_000;

/// How the commit `of` stands to the commit `to`, in the repository whose work tree `root` is in.
///
/// Nothing is concluded from history that is not there: a shallow clone, a commit that was collected, more commits than are
/// looked at. This blocks while it reads.
#[must_use]
pub fn ancestry(root: &Path, of: &str, to: &str) -> Ancestry {
    among(MOST, root, of, to)
}

/// The same, in a repository that is open.
#[cfg(feature = "git")]
pub(super) fn between(repository: &gix::Repository, of: &str, to: &str) -> Ancestry {
    if of == to { Ancestry::Same } else { compare(MOST, repository, of, to).unwrap_or(Ancestry::Unknown) }
}

fn among(most: usize, root: &Path, of: &str, to: &str) -> Ancestry {
    if of == to {
        return Ancestry::Same;
    }
    let repository = root.canonicalize().ok().and_then(|real| git::open(&real));
    repository.and_then(|repository| compare(most, &repository, of, to)).unwrap_or(Ancestry::Unknown)
}

fn compare(most: usize, repository: &gix::Repository, of: &str, to: &str) -> Option<Ancestry> {
    let commit = |hex: &str| Some(repository.find_commit(ObjectId::from_hex(hex.as_bytes()).ok()?).ok()?.id);
    let (of, to) = (commit(of)?, commit(to)?);
    // From both at once: what is near is found soon, whichever way it is.
    let mut back = [Search::of(repository, of, to)?, Search::of(repository, to, of)?];
    for _ in 0..most {
        for (search, found) in back.iter_mut().zip([Ancestry::Newer, Ancestry::Older]) {
            if search.step() {
                return Some(found);
            }
        }
        if back.iter().all(|search| search.state != State::Open) {
            break;
        }
    }
    let whole = back.iter().all(|search| search.state == State::Whole) && !repository.is_shallow().ok()?;
    whole.then_some(Ancestry::Diverged)
}

/// A commit, looked for among the ancestors of another, the newest first.
struct Search<'r> {
    walk: Walk<'r>,
    wanted: ObjectId,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// All ancestors were looked at.
    Whole,
    /// Some of them are not there.
    Partial,
}

impl<'r> Search<'r> {
    fn of(repository: &'r gix::Repository, from: ObjectId, wanted: ObjectId) -> Option<Self> {
        let newest = Sorting::ByCommitTime(CommitTimeOrder::NewestFirst);
        let walk = repository.rev_walk([from]).sorting(newest).all().ok()?;
        Some(Self { walk, wanted, state: State::Open })
    }

    /// Looks at one more; true if it is the one.
    fn step(&mut self) -> bool {
        if self.state != State::Open {
            return false;
        }
        match self.walk.next() {
            Some(Ok(commit)) => return commit.id == self.wanted,
            Some(Err(_)) => self.state = State::Partial,
            None => self.state = State::Whole,
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::made::{Made, git};
    use super::*;

    /// One, two on it, and a branch from one.
    fn three(made: &Made) -> [String; 3] {
        let one = made.commit("one");
        let two = made.commit("two");
        made.git(&["checkout", "-q", "-b", "topic", &one]);
        [one, two, made.commit("beside")]
    }

    #[test]
    fn history_says_which_commit_is_older() {
        let made = Made::new();
        let [one, two, beside] = three(&made);
        let packed = ["loose", "packed", "with a commit graph"];
        for how in packed {
            let of = |of: &str, to: &str| ancestry(&made.path(), of, to);
            assert_eq!(of(&two, &one), Ancestry::Newer, "{how}");
            assert_eq!(of(&one, &two), Ancestry::Older, "{how}");
            assert_eq!(of(&one, &one), Ancestry::Same, "{how}");
            assert_eq!(of(&two, &beside), Ancestry::Diverged, "{how}");
            assert_eq!(of(&beside, &two), Ancestry::Diverged, "{how}");
            match how {
                "loose" => made.git(&["gc", "-q"]),
                _ => made.git(&["commit-graph", "write", "--reachable"]),
            };
        }
        made.git(&["merge", "-q", "-m", "both", "main"]);
        let both = made.git(&["rev-parse", "HEAD"]);
        for parent in [&one, &two, &beside] {
            assert_eq!(ancestry(&made.path(), parent, &both), Ancestry::Older, "also by the second parent");
        }
    }

    #[test]
    fn a_linked_work_tree_and_a_directory_below_have_the_same_history() {
        let made = Made::new();
        let [one, two, _] = three(&made);
        let linked = made.beside("linked");
        made.git(&["worktree", "add", "-q", linked.to_str().unwrap(), "main"]);
        std::fs::create_dir(linked.join("below")).unwrap();
        assert_eq!(ancestry(&linked.join("below"), &one, &two), Ancestry::Older);
    }

    #[test]
    fn what_is_not_there_is_not_known() {
        let made = Made::new();
        let [one, two, beside] = three(&made);
        let shallow = made.beside("shallow");
        let from = format!("file://{}", made.path().display());
        git(&made.path(), &["clone", "-q", "--depth", "1", "--no-single-branch", &from, shallow.to_str().unwrap()]);
        assert_eq!(ancestry(&shallow, &one, &two), Ancestry::Unknown, "one was not fetched");
        assert_eq!(ancestry(&shallow, &two, &beside), Ancestry::Unknown, "where they meet was not fetched");
        // It was rewritten, and what it was before was collected.
        made.git(&["checkout", "-q", "main"]);
        made.git(&["commit", "-q", "--amend", "--allow-empty", "-m", "another"]);
        let another = made.git(&["rev-parse", "HEAD"]);
        assert_eq!(ancestry(&made.path(), &another, &two), Ancestry::Diverged);
        made.git(&["reflog", "expire", "--expire=now", "--all"]);
        made.git(&["gc", "-q", "--prune=now"]);
        assert_eq!(ancestry(&made.path(), &another, &two), Ancestry::Unknown);
        for nonsense in ["", "abc", "HEAD", "main", "--all"] {
            assert_eq!(ancestry(&made.path(), nonsense, &another), Ancestry::Unknown, "{nonsense}");
        }
        let nowhere = tempfile::tempdir().unwrap();
        assert_eq!(ancestry(nowhere.path(), &one, &two), Ancestry::Unknown);
    }

    #[test]
    fn a_part_of_history_that_is_missing_hides_nothing_else() {
        let made = Made::new();
        let [one, two, beside] = three(&made);
        let (directory, name) = one.split_at(2);
        std::fs::remove_file(made.path().join(".git/objects").join(directory).join(name)).unwrap();
        assert_eq!(ancestry(&made.path(), &two, &beside), Ancestry::Unknown);
        made.git(&["checkout", "-q", "main"]);
        let three = made.commit("three");
        assert_eq!(ancestry(&made.path(), &two, &three), Ancestry::Older);
    }

    #[test]
    fn no_more_commits_are_looked_at_than_allowed() {
        let made = Made::new();
        let oldest = made.commit("oldest");
        for number in 0..9 {
            made.commit(&number.to_string());
        }
        let newest = made.commit("newest");
        assert_eq!(among(12, &made.path(), &oldest, &newest), Ancestry::Older);
        assert_eq!(among(5, &made.path(), &oldest, &newest), Ancestry::Unknown);
        assert_eq!(among(5, &made.path(), &newest, &oldest), Ancestry::Unknown);
    }
}
