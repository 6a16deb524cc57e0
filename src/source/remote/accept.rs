//! Whether a revision may be followed. Pure: everything it depends on is given.
//!
//! A Git host decides what we are shown, and whoever may push decides what the host has. So a commit is followed only if
//! it descends from the one that was followed last, which our own store remembers, and, where the operator names signers,
//! only if one of them has signed it. What history does not say is a no.

use std::collections::BTreeMap;

use crate::model::{Ancestry, EnvName, Revision, short_commit};

/// What became of a commit's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Signed {
    /// Nobody asks for one.
    NotAsked,
    /// It is good, and whose it is.
    By(String),
    /// It is not, and why.
    Not(String),
}

/// Whether a commit is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is.
    Follow,
    /// It is not, and this is said.
    Refuse(String),
}

/// Judges the commit that the host shows. `accepted` is what each environment of the source follows; `ancestry` says how the
/// first commit stands to the second. A person who has named the commit overrules history, and no signature.
pub(super) fn judge(
    tip: &str,
    accepted: &BTreeMap<EnvName, Revision>,
    named: Option<&str>,
    signed: &Signed,
    mut ancestry: impl FnMut(&str, &str) -> Ancestry,
) -> Verdict {
    let short = short_commit(tip);
    if let Signed::Not(why) = signed {
        return Verdict::Refuse(format!("commit {short} is not applied: {why}"));
    }
    if named.is_some_and(|name| !name.is_empty() && tip.starts_with(name)) {
        return Verdict::Follow;
    }
    let mut known: BTreeMap<&str, Ancestry> = BTreeMap::new();
    for (environment, revision) in accepted {
        let Some(last) = revision.commit.as_deref() else { continue };
        let stands = *known.entry(last).or_insert_with(|| ancestry(tip, last));
        let last = short_commit(last);
        let why = match stands {
            Ancestry::Same | Ancestry::Newer => continue,
            Ancestry::Older => "is older than",
            Ancestry::Diverged => "does not descend from",
            Ancestry::Unknown => "is not known to descend from",
        };
        return Verdict::Refuse(format!(
            "commit {short} is not applied: it {why} {last}, the last accepted commit of {environment} (a force-push, another \
             branch, or missing history). Push a commit that descends from {last}, or accept this one once with \
             `landfast apply {environment} --accept-older-commit {short}`"
        ));
    }
    Verdict::Follow
}

/// The commit that goes on where the newest may not be followed: the one of those accepted that descends from all others.
pub(super) fn last_good(
    accepted: &BTreeMap<EnvName, Revision>,
    mut ancestry: impl FnMut(&str, &str) -> Ancestry,
) -> Option<String> {
    let mut commits: Vec<&str> = accepted.values().filter_map(|revision| revision.commit.as_deref()).collect();
    commits.sort_unstable();
    commits.dedup();
    let newest = |one: &&&str| commits.iter().all(|other| **one == *other || ancestry(one, other) == Ancestry::Newer);
    commits.iter().find(newest).map(|commit| (*commit).to_owned())
}

/// Whether nothing but the tip is needed any more: then a clone that has grown may be made anew.
pub(super) fn only_needs(tip: &str, accepted: &BTreeMap<EnvName, Revision>) -> bool {
    accepted.values().filter_map(|revision| revision.commit.as_deref()).all(|commit| commit == tip)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Digest;

    fn accepted(commits: &[(&str, &str)]) -> BTreeMap<EnvName, Revision> {
        let of = |commit: &str| Revision { sequence: 1, content: Digest::of(commit), commit: Some(commit.to_owned()) };
        commits.iter().map(|(name, commit)| (name.parse().unwrap(), of(commit))).collect()
    }

    fn verdict(ancestry: Ancestry, named: Option<&str>, signed: &Signed) -> Verdict {
        judge("bbbb", &accepted(&[("dev", "aaaa")]), named, signed, |of, to| {
            assert_eq!((of, to), ("bbbb", "aaaa"));
            ancestry
        })
    }

    #[test]
    fn only_a_descendant_is_followed_unless_a_person_names_another() {
        use Ancestry::{Diverged, Newer, Older, Same, Unknown};
        for ancestry in [Same, Newer] {
            assert_eq!(verdict(ancestry, None, &Signed::NotAsked), Verdict::Follow, "{ancestry:?}");
        }
        for (ancestry, words) in [
            (Older, "is older than aaaa"),
            (Diverged, "does not descend from aaaa"),
            (Unknown, "is not known to descend"),
        ] {
            let Verdict::Refuse(why) = verdict(ancestry, None, &Signed::NotAsked) else { panic!("{ancestry:?}") };
            assert!(why.contains(words) && why.contains("landfast apply dev --accept-older-commit bbbb"), "{why}");
            assert_eq!(verdict(ancestry, Some("bb"), &Signed::NotAsked), Verdict::Follow);
            assert!(
                matches!(verdict(ancestry, Some("aa"), &Signed::NotAsked), Verdict::Refuse(_)),
                "another one was named"
            );
            assert!(matches!(verdict(ancestry, Some(""), &Signed::NotAsked), Verdict::Refuse(_)), "nothing was named");
        }
    }

    #[test]
    fn nobody_overrules_a_missing_signature() {
        let not = Signed::Not("it has no signature".to_owned());
        for ancestry in [Ancestry::Same, Ancestry::Newer, Ancestry::Diverged] {
            for named in [None, Some("bbbb")] {
                assert!(matches!(verdict(ancestry, named, &not), Verdict::Refuse(why) if why.contains("no signature")));
            }
        }
        assert_eq!(verdict(Ancestry::Newer, None, &Signed::By("ada".to_owned())), Verdict::Follow);
    }

    #[test]
    fn the_first_commit_of_a_source_is_followed() {
        let nothing = |_: &str, _: &str| panic!("nothing to compare");
        assert_eq!(judge("bbbb", &BTreeMap::new(), None, &Signed::NotAsked, nothing), Verdict::Follow);
    }

    #[test]
    fn one_environment_that_is_ahead_refuses_the_whole_revision() {
        let two = accepted(&[("dev", "cccc"), ("prod", "aaaa")]);
        let line = |of: &str, to: &str| if of < to { Ancestry::Older } else { Ancestry::Newer };
        let Verdict::Refuse(why) = judge("bbbb", &two, None, &Signed::NotAsked, line) else { panic!() };
        assert!(why.contains("of dev"), "{why}");
        assert_eq!(last_good(&two, line).as_deref(), Some("cccc"));
        assert_eq!(last_good(&two, |_, _| Ancestry::Unknown), None);
        assert_eq!(
            last_good(&accepted(&[("dev", "aaaa"), ("prod", "aaaa")]), |_, _| Ancestry::Unknown).as_deref(),
            Some("aaaa")
        );
        assert!(!only_needs("bbbb", &two) && only_needs("aaaa", &accepted(&[("dev", "aaaa")])));
    }
}
