//! The newest tags that are not chosen, each with its reason: what somebody who has just pushed an image asks. The sentence that
//! says why an image was chosen names one of them.

use std::cmp::Reverse;
use std::fmt;

use super::{By, Candidate, Order, Question, number, ripe};
use crate::model::{ImageDigest, NewestBy, PassedOver, Select, VersionRange, nearest_version_of, version_of};

/// So many are told: the oldest of more than these is nobody's surprise.
const LISTED: usize = 5;

/// Why a tag is not chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Reason {
    /// It is no version; `near`: it could be taken for one.
    NoVersion {
        /// It begins with numbers, as a version does.
        near: bool,
    },
    /// It is a pre-release within the bounds of a range that names none.
    Prerelease,
    /// Anything else, in words.
    Other(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoVersion { near: true } => "not a version: a version has exactly three numbers",
            Self::NoVersion { near: false } => "not a version",
            Self::Prerelease => "a pre-release; `prereleases: true` selects them",
            Self::Other(why) => why,
        })
    }
}

/// The newest of them, as they are told.
pub(in super::super) fn passed_over(
    question: &Question<'_>,
    candidates: &[Candidate<'_>],
    chosen: Option<&ImageDigest>,
) -> Vec<PassedOver> {
    let Some(order) = Order::of(question.spec) else { return Vec::new() };
    let all = all(&order, question, candidates, chosen);
    all.take(LISTED).map(|(tag, why)| PassedOver { tag: tag.to_owned(), why: why.to_string() }).collect()
}

/// The newest of them that is not chosen because of how it is written: one that looks like a version and is none or, where
/// nothing is within the range, a pre-release.
pub(super) fn expected(
    order: &Order<'_>,
    question: &Question<'_>,
    candidates: &[Candidate<'_>],
    chosen: Option<&ImageDigest>,
) -> Option<(String, Reason)> {
    let found = |is: fn(&Reason) -> bool| {
        let mut all = all(order, question, candidates, chosen);
        all.find(|(_, why)| is(why)).map(|(tag, why)| (tag.to_owned(), why))
    };
    found(|why| *why == Reason::NoVersion { near: true })
        .or_else(|| chosen.is_none().then(|| found(|why| *why == Reason::Prerelease)).flatten())
}

/// Tags of other images than the one that is chosen or stays, which were pushed since that one, or are higher as versions;
/// the newest first.
fn all<'c>(
    order: &Order<'_>,
    question: &Question<'_>,
    candidates: &[Candidate<'c>],
    chosen: Option<&ImageDigest>,
) -> impl Iterator<Item = (&'c str, Reason)> {
    // Where one image is named and there, no other is passed over.
    let is_one = chosen.is_some() && order.range.as_ref().is_some_and(VersionRange::is_one);
    let none = is_one || matches!(order.select, Select::Digest(_) | Select::Tag(_));
    let candidates = if none { &[] } else { candidates };
    let best = candidates.iter().filter(|one| chosen == Some(one.digest));
    let best = best.max_by_key(|one| order.rank(one));
    let higher = |tag: &str| {
        let than = best.and_then(|best| best.tag).and_then(version_of);
        than.is_none_or(|than| nearest_version_of(tag).is_some_and(|version| version > than))
    };
    let mut found: Vec<(&Candidate<'c>, &'c str)> = candidates
        .iter()
        .filter(|one| chosen != Some(one.digest))
        .filter_map(|one| Some((one, one.tag?)))
        .filter(|(one, tag)| {
            best.is_none_or(|best| one.pushed >= best.pushed)
                || (matches!(order.select, Select::Semver(_)) && higher(tag))
        })
        .collect();
    found.sort_by_key(|(one, tag)| (Reverse(one.pushed), *tag));
    let told = found.into_iter().filter_map(|(one, tag)| Some((tag, why(order, question, one, tag, best)?)));
    told.collect::<Vec<_>>().into_iter()
}

fn why(
    order: &Order<'_>,
    question: &Question<'_>,
    one: &Candidate<'_>,
    tag: &str,
    best: Option<&Candidate<'_>>,
) -> Option<Reason> {
    if order.deny.iter().any(|pattern| pattern.is_match(tag)) {
        return Some(other("excluded by `deny`"));
    }
    if !order.allows(tag) {
        return Some(other("not included by `allow`"));
    }
    if let Some(why) = by_its_name(order, tag) {
        return Some(why);
    }
    if question.quarantine.contains_key(one.digest) {
        return Some(other("it has failed before"));
    }
    if let Some(until) = ripe(question.spec, one).filter(|until| *until > question.now) {
        return Some(other(format!("`soak` holds it until {until}")));
    }
    // Another reason than its order, such as another platform, is told where it is found.
    let (rank, best) = (order.rank(one)?, best?);
    let than = best.tag?;
    let below = order.rank(best).is_some_and(|best| rank < best);
    let why = below.then(|| match rank.by {
        By::Version(_) | By::Number(..) => format!("lower than {than}"),
        By::Text(_) => format!("before {than} in alphabetical order"),
        By::Only | By::Time => format!("pushed before {than}"),
    });
    why.map(other)
}

fn other(why: impl Into<String>) -> Reason {
    Reason::Other(why.into())
}

/// Why a tag cannot be chosen whatever else there is.
fn by_its_name(order: &Order<'_>, tag: &str) -> Option<Reason> {
    match order.select {
        Select::Semver(text) => {
            let range = order.range.as_ref()?;
            let Some(version) = version_of(tag) else {
                return Some(Reason::NoVersion { near: nearest_version_of(tag).is_some() });
            };
            if !range.bounds(&version) {
                return Some(other(format!("not within {text}")));
            }
            (!range.contains(&version)).then_some(Reason::Prerelease)
        }
        Select::Newest { pattern, by } => {
            let Some(found) = order.pattern.as_ref()?.captures(tag) else {
                return Some(other(format!("does not match {pattern}")));
            };
            let part = found.get(1).map_or(tag, |group| group.as_str());
            let wrong = *by == NewestBy::Numerical && number(part).is_none();
            wrong.then(|| other(format!("`{part}` is not a number")))
        }
        Select::Digest(_) | Select::Tag(_) => None,
    }
}
