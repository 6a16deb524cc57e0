//! What the absence of a manifest is worth.
//!
//! An object is gone only from a revision in which everything that could have held its manifest was read and understood
//! (invariant S25). Where that is not so, there is a [`Gap`], and the planner deletes nothing that may be in it.

use std::collections::BTreeSet;

use super::{Key, Kind, ObjectName};

/// What could still hold the manifests of an environment. Nothing, as a rule: then what is not desired is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    gaps: Vec<Gap>,
}

/// Something that was not read, or not understood, and may hold a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What it is and why it was not read, as a sentence without a full stop.
    pub why: String,
    /// What would close it.
    pub release: String,
    /// What it is known to hold, and nothing else. `None`: it may hold anything.
    pub holds: Option<BTreeSet<(Kind, ObjectName)>>,
}

impl Gaps {
    /// Adds a gap, unless it is known to hold nothing.
    pub fn add(&mut self, gap: Gap) {
        let empty = gap.holds.as_ref().is_some_and(BTreeSet::is_empty);
        if !empty && !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }

    /// The same, with one more gap.
    #[must_use]
    pub fn with(mut self, gap: Gap) -> Self {
        self.add(gap);
        self
    }

    /// What may hold the manifest of this object; the one that is known to hold it, if there is one.
    #[must_use]
    pub fn against(&self, key: &Key) -> Option<&Gap> {
        let names = |gap: &&Gap| {
            gap.holds
                .as_ref()
                .is_some_and(|holds| holds.iter().any(|(kind, name)| (*kind, name) == (key.kind, &key.name)))
        };
        self.gaps.iter().find(names).or_else(|| self.gaps.iter().find(|gap| gap.holds.is_none()))
    }

    /// Everything that could hold a manifest was read and understood.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.gaps.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_gap_is_known_to_hold_is_all_that_it_holds() {
        let key = |text: &str| text.parse::<Key>().unwrap();
        let gap = |holds: Option<&[&str]>| Gap {
            why: format!("{holds:?}"),
            release: String::new(),
            holds: holds.map(|keys| keys.iter().map(|text| (key(text).kind, key(text).name)).collect()),
        };
        let known = Gaps::default().with(gap(Some(&["dev/stack/b"])));
        assert!(known.against(&key("dev/stack/b")).is_some());
        assert!(known.against(&key("dev/service/b")).is_none() && known.against(&key("dev/stack/a")).is_none());
        let both = known.with(gap(None));
        assert_eq!(both.against(&key("dev/stack/b")).unwrap().why, "Some([\"dev/stack/b\"])");
        assert!(both.against(&key("dev/stack/a")).is_some());
        assert!(Gaps::default().with(gap(Some(&[]))).is_complete());
    }
}
