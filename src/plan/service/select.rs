//! Which image a container gets: a total order over what the registry has, so that a choice cannot flap.
//!
//! Two facts go before any order. What the registry did not say is no instruction: an answer that is empty, or that was
//! not read, leaves everything as it is. And going back is never found out by counting: an image below the one that was
//! decided is chosen only when the manifest says something else than it did then.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use regex::Regex;
use semver::Version;

use crate::model::{
    Decision, Digest, ImageDigest, ImageSpec, MovedTag, NewestBy, Quarantined, Select, VersionRange, version_of,
};
use crate::sabotage::{self, Bug};

/// One image under one of its tags, as the registry lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate<'a> {
    pub(super) tag: Option<&'a str>,
    pub(super) digest: &'a ImageDigest,
    pub(super) pushed: Timestamp,
}

/// What is chosen among.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) spec: &'a ImageSpec,
    /// What was decided before, whatever has become of it.
    pub(super) decided: Option<&'a Decision>,
    pub(super) quarantine: &'a BTreeMap<ImageDigest, Quarantined>,
    pub(super) now: Timestamp,
}

/// An image, and why it is this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) tag: Option<String>,
    pub(super) digest: ImageDigest,
    pub(super) pushed: Timestamp,
    pub(super) why: String,
}

/// Why nothing new is chosen: what was decided before stays, if anything was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Nothing {
    /// The registry listed no image at all.
    Empty,
    /// None of its images is the one that is asked for.
    NoMatch,
    /// What matches has not been in the registry for long enough.
    Soaking {
        /// The best of it.
        tag: String,
        /// When it may be chosen.
        until: Timestamp,
    },
    /// What matches has failed before.
    Quarantined {
        /// The best of it.
        digest: ImageDigest,
    },
    /// What matches was built for another platform than the tasks run on.
    OtherPlatform {
        /// The best of it.
        image: String,
        /// What that was built for.
        built: String,
        /// What the tasks run on.
        tasks: String,
    },
    /// What matches is below what was decided, and the manifest has not changed since.
    Below {
        /// The best of it.
        tag: String,
    },
    /// The manifest's pattern or range is not well formed; manifests are checked, so this is a mistake of ours.
    Malformed,
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// What it is to be from now on, or why it stays as it is.
    pub(super) chosen: Result<Chosen, Nothing>,
    /// The decided tag means this image now.
    pub(super) moved: Option<ImageDigest>,
    /// What was decided is not in the registry any more.
    pub(super) gone: bool,
    /// A better one that has to soak until then.
    pub(super) soaking: Option<(String, Timestamp)>,
    /// Of the tags that are passed over, the newest that somebody may have expected to be chosen, and why it is not.
    pub(super) expected: Option<(String, Reason)>,
}

/// The digest of the manifest's side of a choice.
pub(super) fn spec_digest(spec: &ImageSpec) -> Digest {
    Digest::of(spec)
}

/// Chooses among all images that the registry has.
pub(super) fn select(question: &Question<'_>, candidates: &[Candidate<'_>]) -> Answer {
    let Question { spec, decided, .. } = *question;
    let stays = decided.filter(|decided| decided.spec == spec_digest(spec));
    let moved = stays.and_then(|decided| moved(decided, candidates));
    let gone = decided.is_some_and(|decided| !candidates.iter().any(|candidate| *candidate.digest == decided.digest));
    let mut answer = Answer { chosen: Err(Nothing::Empty), moved, gone, soaking: None, expected: None };
    if candidates.is_empty() {
        return answer;
    }
    let Some(order) = Order::of(spec) else {
        return Answer { chosen: Err(Nothing::Malformed), ..answer };
    };
    let mut ranked: Vec<(Rank, &Candidate<'_>)> =
        candidates.iter().filter_map(|candidate| Some((order.rank(candidate)?, candidate))).collect();
    ranked.sort_by(|(a, _), (b, _)| b.cmp(a));
    answer.expected = passed::expected(&order, question, candidates, ranked.first().map(|(_, best)| best.digest));
    answer.chosen = match ranked.first() {
        None => Err(Nothing::NoMatch),
        Some(best) => match ranked.iter().find(|(_, candidate)| good(question, candidate)) {
            None => Err(unfit(question, best.1)),
            Some((rank, candidate)) => {
                let better = ranked.iter().take_while(|(other, _)| other > rank);
                let mut soaks = better.filter(|(_, other)| !is_quarantined(question, other));
                answer.soaking = soaks.next().and_then(|(_, other)| Some((other.tag?.to_owned(), ripe(spec, other)?)));
                let below = stays.and_then(|decided| order.rank(&as_candidate(decided))).is_some_and(|was| *rank < was);
                judge(candidate, &order, stays, below, &answer, spec)
            }
        },
    };
    answer
}

/// The best candidate, held against what was decided under the same manifest.
fn judge(
    best: &Candidate<'_>,
    order: &Order,
    stays: Option<&Decision>,
    below: bool,
    answer: &Answer,
    spec: &ImageSpec,
) -> Result<Chosen, Nothing> {
    let chosen = Chosen {
        tag: best.tag.map(str::to_owned),
        digest: best.digest.clone(),
        pushed: best.pushed,
        why: order.why(best, answer.expected.as_ref()),
    };
    let Some(decided) = stays else { return Ok(chosen) };
    if *best.digest == decided.digest {
        return Ok(chosen);
    }
    let same_tag = decided.tag.is_some() && decided.tag.as_deref() == best.tag;
    if same_tag && answer.moved.is_some() {
        // The tag was overwritten. What is deployed stays unless the manifest says that tags may move.
        return match spec.moved {
            MovedTag::Deploy => Ok(Chosen { why: format!("{}, which moved", chosen.why), ..chosen }),
            MovedTag::Report => Ok(Chosen {
                tag: decided.tag.clone(),
                digest: decided.digest.clone(),
                pushed: decided.pushed,
                why: decided.why.clone(),
            }),
        };
    }
    if below && !sabotage::is(Bug::GoesBack) {
        return Err(Nothing::Below { tag: best.tag.unwrap_or_default().to_owned() });
    }
    Ok(chosen)
}

fn as_candidate(decided: &Decision) -> Candidate<'_> {
    Candidate { tag: decided.tag.as_deref(), digest: &decided.digest, pushed: decided.pushed }
}

/// What the decided tag means now, if it is another image than it was.
fn moved(decided: &Decision, candidates: &[Candidate<'_>]) -> Option<ImageDigest> {
    let tag = decided.tag.as_deref()?;
    let now = candidates.iter().find(|candidate| candidate.tag == Some(tag))?;
    (*now.digest != decided.digest).then(|| now.digest.clone())
}

fn is_quarantined(question: &Question<'_>, candidate: &Candidate<'_>) -> bool {
    question.quarantine.contains_key(candidate.digest)
}

/// When it may be chosen, if not yet. A digest is a person's choice, and needs no soaking.
fn ripe(spec: &ImageSpec, candidate: &Candidate<'_>) -> Option<Timestamp> {
    if matches!(spec.select, Select::Digest(_)) {
        return None;
    }
    let soak = SignedDuration::try_from(spec.soak).unwrap_or(SignedDuration::MAX);
    Some(candidate.pushed.saturating_add(soak).unwrap_or(Timestamp::MAX))
}

fn good(question: &Question<'_>, candidate: &Candidate<'_>) -> bool {
    let ripe = ripe(question.spec, candidate).is_none_or(|until| until <= question.now);
    ripe && !is_quarantined(question, candidate)
}

/// Why even the best will not do.
fn unfit(question: &Question<'_>, best: &Candidate<'_>) -> Nothing {
    if is_quarantined(question, best) {
        return Nothing::Quarantined { digest: best.digest.clone() };
    }
    let until = ripe(question.spec, best).unwrap_or(question.now);
    Nothing::Soaking { tag: best.tag.unwrap_or_default().to_owned(), until }
}

/// Where an image stands: greater is better. Never equal for two different images, because digests differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    by: By,
    pushed: Timestamp,
    digest: ImageDigest,
    tag: Option<String>,
}

/// By what images are compared first. One selection makes only one of these.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    /// There is only one.
    Only,
    Version(Version),
    /// Digits without leading zeros, the longer the greater: tags may hold numbers that no integer type does.
    Number(usize, String),
    Text(String),
    /// When it was pushed is compared next anyway.
    Time,
}

/// The order that a manifest asks for, with its expressions compiled.
struct Order<'a> {
    select: &'a Select,
    range: Option<VersionRange>,
    pattern: Option<Regex>,
    allow: Vec<Regex>,
    deny: Vec<Regex>,
}

impl<'a> Order<'a> {
    fn of(spec: &'a ImageSpec) -> Option<Self> {
        let whole = |pattern: &String| Regex::new(&format!("^(?:{pattern})$")).ok();
        let (mut range, mut pattern) = (None, None);
        match &spec.select {
            Select::Semver(text) => {
                range = Some(VersionRange::parse(text).ok()?.with_prereleases(spec.prereleases));
            }
            Select::Newest { pattern: text, .. } => pattern = Some(whole(text)?),
            Select::Digest(_) | Select::Tag(_) => {}
        }
        let allow = spec.allow.iter().map(whole).collect::<Option<Vec<_>>>()?;
        let deny = spec.deny.iter().map(whole).collect::<Option<Vec<_>>>()?;
        Some(Self { select: &spec.select, range, pattern, allow, deny })
    }

    /// Where an image stands; `None` if it is not asked for.
    fn rank(&self, candidate: &Candidate<'_>) -> Option<Rank> {
        let by = match (self.select, candidate.tag) {
            (Select::Digest(digest), _) => (candidate.digest == digest).then_some(By::Only)?,
            (_, None) => return None,
            (_, Some(tag)) if !self.allows(tag) => return None,
            (Select::Tag(wanted), Some(tag)) => (tag == wanted).then_some(By::Only)?,
            (Select::Semver(_), Some(tag)) => {
                let version = version_of(tag)?;
                self.range.as_ref()?.contains(&version).then_some(By::Version(version))?
            }
            (Select::Newest { by, .. }, Some(tag)) => {
                let found = self.pattern.as_ref()?.captures(tag)?;
                let part = found.get(1).map_or(tag, |group| group.as_str());
                match by {
                    NewestBy::Pushed => By::Time,
                    NewestBy::Alphabetical => By::Text(part.to_owned()),
                    NewestBy::Numerical => number(part)?,
                }
            }
        };
        Some(Rank {
            by,
            pushed: candidate.pushed,
            digest: candidate.digest.clone(),
            tag: candidate.tag.map(str::to_owned),
        })
    }

    fn allows(&self, tag: &str) -> bool {
        let allowed = self.allow.is_empty() || self.allow.iter().any(|pattern| pattern.is_match(tag));
        allowed && !self.deny.iter().any(|pattern| pattern.is_match(tag))
    }

    fn why(&self, chosen: &Candidate<'_>, expected: Option<&(String, Reason)>) -> String {
        let tag = chosen.tag.unwrap_or_default();
        match self.select {
            Select::Digest(_) => "the manifest sets its digest".to_owned(),
            Select::Tag(_) => format!("tag {tag} points to it"),
            Select::Semver(range) => match expected {
                Some((other, Reason::NoVersion { .. })) => {
                    format!("{tag} is the highest version in {range}; {other} is not a version")
                }
                _ => format!("{tag} is the highest version in {range}"),
            },
            Select::Newest { pattern, by } => {
                let by = match by {
                    NewestBy::Pushed => "was pushed last",
                    NewestBy::Numerical => "has the highest number",
                    NewestBy::Alphabetical => "is the last in alphabetical order",
                };
                format!("{tag} {by} among the tags that match {pattern}")
            }
        }
    }
}

fn number(text: &str) -> Option<By> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = text.trim_start_matches('0');
    Some(By::Number(digits.len(), digits.to_owned()))
}

mod passed;
#[cfg(test)]
mod tests;

pub(super) use passed::{Reason, passed_over};
