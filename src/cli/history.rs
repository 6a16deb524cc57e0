//! Whether what is checked out is older than what each environment follows (invariant S8).
//!
//! History is asked of Git, beside the loading of the manifests. A commit that is older is refused unless a person names
//! it; what history does not say is accepted, and said.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::exit::Trouble;
use crate::manifest::Loaded;
use crate::model::{Ancestry, EnvName, Revision, short_commit};

/// How a revision stands to the ones that were accepted.
#[derive(Debug)]
pub(super) struct History {
    revision: Revision,
    environments: BTreeMap<EnvName, Standing>,
    /// Only a descendant is followed.
    strict: bool,
    /// Where the manifests are of several repositories: the commit that each environment is of.
    commits: BTreeMap<EnvName, String>,
}

#[derive(Debug)]
struct Standing {
    accepted: Revision,
    ancestry: Ancestry,
    /// A person has named this older commit.
    named: bool,
    /// What is not known to descend is refused, too.
    strict: bool,
}

impl Standing {
    /// An older commit with the same files takes nothing back.
    fn is_older(&self, revision: &Revision) -> bool {
        match self.ancestry {
            Ancestry::Same | Ancestry::Newer => false,
            Ancestry::Older => self.strict || self.accepted.content != revision.content,
            Ancestry::Diverged | Ancestry::Unknown => self.strict,
        }
    }
}

impl History {
    /// How a revision stands to the `accepted` ones, by `ancestry`, which says how the first commit stands to the second.
    /// Older ones are accepted if they are of the commit that is `named`. This blocks while it reads.
    pub(super) fn of(
        revision: &Revision,
        accepted: BTreeMap<EnvName, Revision>,
        named: Option<&str>,
        ancestry: impl Fn(&str, &str) -> Ancestry,
    ) -> Self {
        let named = named.zip(revision.commit.as_deref()).is_some_and(|(name, commit)| commit.starts_with(name));
        let mut known: BTreeMap<String, Ancestry> = BTreeMap::new();
        let environments = accepted.into_iter().filter_map(|(name, accepted)| {
            let (of, to) = (revision.commit.as_deref()?, accepted.commit.as_deref()?);
            let ancestry = *known.entry(to.to_owned()).or_insert_with(|| ancestry(of, to));
            Some((name, Standing { accepted, ancestry, named, strict: false }))
        });
        let environments = environments.collect();
        Self { revision: revision.clone(), environments, strict: false, commits: BTreeMap::new() }
    }

    /// The same, where nobody but Landfast decides which commit is read: then only a descendant is followed.
    pub(super) fn strict(mut self) -> Self {
        self.strict = true;
        self.environments.values_mut().for_each(|standing| standing.strict = true);
        self
    }

    /// Of a revision that is of several repositories.
    pub(super) fn nothing(revision: Revision) -> Self {
        Self { revision, environments: BTreeMap::new(), strict: true, commits: BTreeMap::new() }
    }

    /// Takes in one of several repositories, of which these environments are.
    pub(super) fn join<'n>(&mut self, other: Self, environments: impl IntoIterator<Item = &'n EnvName>) {
        if let Some(commit) = &other.revision.commit {
            self.commits.extend(environments.into_iter().map(|name| (name.clone(), commit.clone())));
        }
        self.environments.extend(other.environments);
    }

    /// The environments that follow a newer commit, and that commit. Those that are in no manifest of this one are among
    /// them.
    pub(super) fn refused(&self) -> impl Iterator<Item = (&EnvName, &str)> {
        let older =
            self.environments.iter().filter(|(_, standing)| standing.is_older(&self.revision) && !standing.named);
        older.map(|(name, standing)| (name, standing.accepted.commit.as_deref().unwrap_or_default()))
    }

    /// Why nothing is changed in some of these environments.
    pub(super) fn refusal(&self, about: impl Fn(&EnvName) -> bool) -> Option<Trouble> {
        let refused = self.refused().filter(|(name, _)| about(name));
        let newer: Vec<String> = refused.map(|(name, newer)| format!("{name}: {}", short_commit(newer))).collect();
        let commit = short_commit(self.revision.commit.as_deref()?).to_owned();
        (!newer.is_empty()).then(|| Trouble::OlderCommit { commit, newer: newer.join(", ") })
    }

    /// The commit that an environment followed, if an older one is accepted for it now because a person has named it.
    pub(super) fn given_up(&self, environment: &EnvName) -> Option<&str> {
        let standing = self.environments.get(environment).filter(|standing| standing.named)?;
        standing.accepted.commit.as_deref().filter(|_| standing.is_older(&self.revision))
    }

    /// Notes in each environment that nothing is changed in it, where that is so.
    pub(super) fn mark(&self, loaded: &mut Loaded) {
        for (name, newer) in self.refused() {
            if let Some(environment) = loaded.desired.environments.get_mut(name) {
                Arc::make_mut(environment).older_than = Some(newer.to_owned());
            }
        }
    }

    /// What each of these environments follows from now on. An older commit with the same files does not set back the one
    /// that is known; nor does a revision without one.
    pub(super) fn accepted<'n>(
        &self,
        environments: impl IntoIterator<Item = &'n EnvName>,
        revision: &Revision,
        before: &BTreeMap<EnvName, Revision>,
    ) -> BTreeMap<EnvName, Revision> {
        let of = |name: &EnvName| {
            let found = self.commits.get(name).or(revision.commit.as_ref());
            let keeps = found.is_none()
                || self
                    .environments
                    .get(name)
                    .is_some_and(|standing| standing.ancestry == Ancestry::Older && !standing.is_older(&self.revision));
            let commit = if keeps { before.get(name).and_then(|one| one.commit.clone()) } else { found.cloned() };
            Revision { commit, ..revision.clone() }
        };
        environments.into_iter().map(|name| (name.clone(), of(name))).collect()
    }

    /// Where history does not say that a commit is newer, and how far it goes.
    pub(super) fn doubts(&self, about: impl Fn(&EnvName) -> bool) -> Vec<String> {
        let commit = short_commit(self.revision.commit.as_deref().unwrap_or_default());
        let doubt = |(name, standing): (&EnvName, &Standing)| {
            let accepted = short_commit(standing.accepted.commit.as_deref().unwrap_or_default());
            match standing.ancestry {
                Ancestry::Diverged => Some(format!(
                    "commit {commit} does not descend from {accepted}, the last accepted commit of {name}: it is on \
                    another branch, or history was rewritten"
                )),
                Ancestry::Unknown => Some(format!(
                    "it is unknown whether commit {commit} is newer than {accepted}, the last accepted commit of \
                    {name}: this part of the history is missing (a shallow clone, or a deleted commit)"
                )),
                Ancestry::Same | Ancestry::Newer | Ancestry::Older => None,
            }
        };
        self.environments.iter().filter(|(name, _)| about(name)).filter_map(doubt).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Digest;

    const ACCEPTED: &str = "aaaaaaaaaaaaaaaaaaaa";
    const FOUND: &str = "bbbbbbbbbbbbbbbbbbbb";

    fn revision(content: &str, commit: Option<&str>) -> Revision {
        Revision { sequence: 1, content: Digest::of(content), commit: commit.map(str::to_owned) }
    }

    fn dev() -> EnvName {
        "dev".parse().unwrap()
    }

    fn history(content: &str, ancestry: Ancestry, named: bool) -> History {
        let standing = Standing { accepted: revision("accepted", Some(ACCEPTED)), ancestry, named, strict: false };
        History {
            environments: [(dev(), standing)].into(),
            strict: false,
            ..History::nothing(revision(content, Some(FOUND)))
        }
    }

    fn follows(history: &History) -> Option<String> {
        let before = [(dev(), revision("accepted", Some(ACCEPTED)))].into();
        let after = history.accepted([&dev()], &history.revision, &before);
        assert_eq!(after[&dev()].content, history.revision.content);
        after[&dev()].commit.clone()
    }

    #[test]
    fn only_an_older_commit_with_other_files_that_nobody_named_is_refused() {
        use Ancestry::{Diverged, Newer, Older, Same, Unknown};
        for ancestry in [Same, Newer, Older, Diverged, Unknown] {
            for (content, named) in [("accepted", false), ("accepted", true), ("other", false), ("other", true)] {
                let case = format!("{ancestry:?}, {content}, {named}");
                let history = history(content, ancestry, named);
                let older = ancestry == Older && content == "other";
                assert_eq!(history.refused().count() == 1, older && !named, "{case}");
                assert_eq!(history.refusal(|_| true).is_some(), older && !named, "{case}");
                assert_eq!(history.given_up(&dev()), (older && named).then_some(ACCEPTED), "{case}");
                assert_eq!(history.doubts(|_| true).len() == 1, matches!(ancestry, Diverged | Unknown), "{case}");
                assert!(history.doubts(|_| false).is_empty() && history.refusal(|_| false).is_none(), "{case}");
            }
        }
    }

    #[test]
    fn what_is_accepted_never_goes_back_by_itself() {
        use Ancestry::{Diverged, Newer, Older, Unknown};
        for forward in [Newer, Diverged, Unknown] {
            assert_eq!(follows(&history("other", forward, false)).as_deref(), Some(FOUND), "{forward:?}");
        }
        assert_eq!(follows(&history("accepted", Newer, false)).as_deref(), Some(FOUND));
        assert_eq!(follows(&history("accepted", Older, false)).as_deref(), Some(ACCEPTED), "the same files");
        assert_eq!(follows(&history("other", Older, true)).as_deref(), Some(FOUND), "a person has said so");
        let without = History::nothing(revision("other", None));
        assert_eq!(follows(&without).as_deref(), Some(ACCEPTED), "without Git nothing is known of history");
    }

    #[test]
    fn of_a_repository_on_a_host_only_a_descendant_is_followed() {
        use Ancestry::{Diverged, Newer, Older, Same, Unknown};
        for ancestry in [Same, Newer, Older, Diverged, Unknown] {
            for (content, named) in [("accepted", false), ("other", false), ("other", true)] {
                let history = history(content, ancestry, named).strict();
                let refused = !matches!(ancestry, Same | Newer) && !named;
                assert_eq!(history.refused().count() == 1, refused, "{ancestry:?}, {content}, {named}");
            }
        }
    }

    #[test]
    fn environments_of_several_repositories_follow_their_own_commits() {
        let mut all = History::nothing(revision("all", None));
        let prod: EnvName = "prod".parse().unwrap();
        all.join(History::nothing(revision("a", Some(ACCEPTED))), [&dev()]);
        all.join(History::nothing(revision("b", Some(FOUND))), [&prod]);
        let after = all.accepted([&dev(), &prod], &all.revision, &BTreeMap::new());
        assert_eq!((after[&dev()].commit.as_deref(), after[&prod].commit.as_deref()), (Some(ACCEPTED), Some(FOUND)));
    }

    #[test]
    fn a_revision_without_a_commit_is_held_against_nothing() {
        let nothing = |_: &str, _: &str| Ancestry::Unknown;
        let accepted = || BTreeMap::from([(dev(), revision("accepted", Some(ACCEPTED)))]);
        let history = History::of(&revision("other", None), accepted(), None, nothing);
        assert_eq!((history.refused().count(), history.doubts(|_| true).len()), (0, 0));
        let history = History::of(&revision("other", Some(FOUND)), accepted(), None, nothing);
        assert_eq!((history.refused().count(), history.doubts(|_| true).len()), (0, 1));
        assert!(history.doubts(|_| true)[0].contains("is missing (a shallow clone"));
    }
}
