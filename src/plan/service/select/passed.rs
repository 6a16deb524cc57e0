//! The newest tags that are not chosen, each with its reason: what somebody who has just pushed an image asks.

use std::cmp::Reverse;

use super::{By, Candidate, Order, Question, number, ripe};
use crate::model::{ImageDigest, NewestBy, PassedOver, Select, VersionRange, nearest_version_of, version_of};

/// So many are told: the oldest of more than these is nobody's surprise.
const LISTED: usize = 5;

/// Tags of other images than the one that is chosen or stays, which were pushed since that one, or are higher as versions.
pub(in super::super) fn passed_over(
    question: &Question<'_>,
    candidates: &[Candidate<'_>],
    chosen: Option<&ImageDigest>,
) -> Vec<PassedOver> {
    let Some(order) = Order::of(question.spec) else { return Vec::new() };
    // Where one image is named and there, no other is passed over.
    let is_one = chosen.is_some() && order.range.as_ref().is_some_and(VersionRange::is_one);
    if is_one || matches!(order.select, Select::Digest(_) | Select::Tag(_)) {
        return Vec::new();
    }
    let best = candidates.iter().filter(|one| chosen == Some(one.digest));
    let best = best.max_by_key(|one| order.rank(one));
    let higher = |tag: &str| {
        let than = best.and_then(|best| best.tag).and_then(version_of);
        than.is_none_or(|than| nearest_version_of(tag).is_some_and(|version| version > than))
    };
    let mut found: Vec<(&Candidate<'_>, &str)> = candidates
        .iter()
        .filter(|one| chosen != Some(one.digest))
        .filter_map(|one| Some((one, one.tag?)))
        .filter(|(one, tag)| {
            best.is_none_or(|best| one.pushed >= best.pushed)
                || (matches!(order.select, Select::Semver(_)) && higher(tag))
        })
        .collect();
    found.sort_by_key(|(one, tag)| (Reverse(one.pushed), *tag));
    let told = found.into_iter().filter_map(|(one, tag)| {
        let why = why(&order, question, one, tag, best)?;
        Some(PassedOver { tag: tag.to_owned(), why })
    });
    told.take(LISTED).collect()
}

fn why(
    order: &Order<'_>,
    question: &Question<'_>,
    one: &Candidate<'_>,
    tag: &str,
    best: Option<&Candidate<'_>>,
) -> Option<String> {
    if order.deny.iter().any(|pattern| pattern.is_match(tag)) {
        return Some("excluded by `deny`".to_owned());
    }
    if !order.allows(tag) {
        return Some("not included by `allow`".to_owned());
    }
    if let Some(why) = by_its_name(order, tag) {
        return Some(why);
    }
    if question.quarantine.contains_key(one.digest) {
        return Some("it has failed before".to_owned());
    }
    if let Some(until) = ripe(question.spec, one).filter(|until| *until > question.now) {
        return Some(format!("`soak` holds it until {until}"));
    }
    // Another reason than its order, such as another platform, is told where it is found.
    let (rank, best) = (order.rank(one)?, best?);
    let than = best.tag?;
    let below = order.rank(best).is_some_and(|best| rank < best);
    below.then(|| match rank.by {
        By::Version(_) | By::Number(..) => format!("lower than {than}"),
        By::Text(_) => format!("before {than} in alphabetical order"),
        By::Only | By::Time => format!("pushed before {than}"),
    })
}

/// Why a tag cannot be chosen whatever else there is.
fn by_its_name(order: &Order<'_>, tag: &str) -> Option<String> {
    match order.select {
        Select::Semver(text) => {
            let range = order.range.as_ref()?;
            let Some(version) = version_of(tag) else {
                let short = nearest_version_of(tag).is_some();
                let why = if short { "not a version: a version has exactly three numbers" } else { "not a version" };
                return Some(why.to_owned());
            };
            if !range.bounds(&version) {
                return Some(format!("not within {text}"));
            }
            (!range.contains(&version)).then(|| "a pre-release; `prereleases: true` selects them".to_owned())
        }
        Select::Newest { pattern, by } => {
            let Some(found) = order.pattern.as_ref()?.captures(tag) else {
                return Some(format!("does not match {pattern}"));
            };
            let part = found.get(1).map_or(tag, |group| group.as_str());
            (*by == NewestBy::Numerical && number(part).is_none()).then(|| format!("`{part}` is not a number"))
        }
        Select::Digest(_) | Select::Tag(_) => None,
    }
}
