//! Whether enough people have approved a plan, and whether what was made of their approvals may still be acted on.
//!
//! One function counts for the daemon, for commands and for the executor, which counts once more in the transaction that
//! begins a step. It is given what people have said, in the order in which it was taken. Of each person the newest word
//! counts, and nobody counts twice. A rejection voids the approvals of its plan that were given before it, for good.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    Act, Approver, Consent, Digest, Do, Limits, Review, ReviewVerdict, ServiceDo, ServiceStep, StackDo, StackStep,
    Statement, Step,
};
use crate::sabotage::{self, Bug};

/// How far clocks may differ: what is said of a time after now by more than this counts when that has come.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// How a plan stands with people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tally {
    /// Enough people approve it.
    Approved {
        /// Who.
        by: Vec<String>,
        /// When the first of their approvals ends.
        until: Timestamp,
        /// Their reviews.
        reviews: BTreeSet<String>,
    },
    /// Somebody rejects it.
    Rejected {
        /// Who.
        by: String,
        /// Why.
        because: String,
    },
    /// It needs more approvals.
    Lacking {
        /// Who approves it.
        given: Vec<String>,
        /// What is missing, in words: `1 more approver`, `an approver of the group dba`.
        missing: Vec<String>,
    },
}

/// Why an approval is not acted on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Void {
    /// Its time is over.
    #[error("the approval expired at {0}")]
    Expired(Timestamp),
    /// Somebody has rejected the plan since.
    #[error("{by} rejected the plan: {because}")]
    Rejected {
        /// Who.
        by: String,
        /// Why.
        because: String,
    },
    /// It is not enough, or not any more.
    #[error("the plan needs {}", .0.join(" and "))]
    Lacking(Vec<String>),
    /// Whoever gave it may not approve.
    #[error("{0}")]
    NotAllowed(String),
}

/// How a review counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// It counts.
    Counts,
    /// Its time is over.
    Expired,
    /// It has become part of a consent: no second one is made of it.
    Used,
    /// Nothing shows that it was given by somebody who may approve.
    NotAllowed,
    /// The plan was rejected after it.
    Void,
}

/// How a plan stands with people, as of now: of what was not used yet.
#[must_use]
pub fn tally(plan: &Digest, reviews: &[Review], limits: &Limits, now: Timestamp) -> Tally {
    let unused = |review: &Review| review.used.is_none() || sabotage::is(Bug::ReplaysApprovals);
    Count { plan, limits, now }.of(reviews, unused).tally(limits)
}

/// How each of these reviews counts, as of now.
#[must_use]
pub fn counting(review: &Review, reviews: &[Review], limits: &Limits, now: Timestamp) -> Counting {
    let statement = review.statement();
    let rejected = |later: &&Review| {
        later.number > review.number
            && later.statement().plan == statement.plan
            && later.statement().verdict != ReviewVerdict::Approve
    };
    let is_approval = statement.verdict == ReviewVerdict::Approve;
    match () {
        () if is_approval && reviews.iter().any(|later| rejected(&later)) => Counting::Void,
        () if ends(statement, limits) <= now => Counting::Expired,
        () if review.used.is_some() => Counting::Used,
        () if is_approval && !Person::of(review, limits).may_approve(limits) => Counting::NotAllowed,
        () => Counting::Counts,
    }
}

/// Whether what was approved may be begun now: it has not expired, nobody has rejected it since, and as many people stand
/// behind it as the environment asks for now.
///
/// # Errors
/// Why not.
pub fn stands(consent: &Consent, reviews: &[Review], limits: &Limits, now: Timestamp) -> Result<(), Void> {
    if sabotage::is(Bug::ApprovalIsForever) {
        return Ok(());
    }
    if let Some(until) = consent.until.filter(|until| *until <= now) {
        return Err(Void::Expired(until));
    }
    let meant = |review: &Review| consent.reviews.contains(&review.statement().id);
    let count = Count { plan: &consent.plan, limits, now }.of(reviews, meant);
    let tally = count.tally(limits);
    match tally {
        Tally::Rejected { by, because } => Err(Void::Rejected { by, because }),
        Tally::Lacking { .. } if consent.reviews.is_empty() && !limits.approvals.needs_signatures() => {
            limits.may_approve(&consent.by).map_err(Void::NotAllowed)
        }
        Tally::Lacking { missing, .. } => Err(Void::Lacking(missing)),
        Tally::Approved { .. } => Ok(()),
    }
}

/// Whether a step of a plan that was made under the approval of `planned` may begin now that there is this consent. What
/// needs no approval whatever policy says begins all the same.
#[must_use]
pub fn may_begin(
    step: &Step,
    planned: Option<&Digest>,
    (consent, reviews): (Option<&Consent>, &[Review]),
    limits: &Limits,
    now: Timestamp,
) -> bool {
    let Some(planned) = planned.filter(|_| needs_approval(&step.action)) else { return true };
    match consent.filter(|consent| consent.plan == *planned) {
        Some(consent) => {
            !consent.grants.contains_key(&step.key) && !consent.exclusive
                || stands(consent, reviews, limits, now).is_ok()
        }
        None => false,
    }
}

/// Whether a person has to agree to it, where somebody has to agree to anything.
pub(super) fn needs_approval(action: &Do) -> bool {
    // Stopping what was approved and takes too long needs no second approval.
    let stops = matches!(
        action,
        Do::Stack(StackStep { action: StackDo::Cancel { .. }, .. })
            | Do::Service(ServiceStep { action: ServiceDo::Stop { .. }, .. })
    );
    // Where changes need approval, backups go on: they change nothing that runs.
    let adds = matches!(action, Do::Backup(step) if step.action.only_adds());
    !action.is_preparation() && !stops && !adds
}

/// When what is said ends: as it says, and at the latest when the operator says.
#[must_use]
pub fn ends(statement: &Statement, limits: &Limits) -> Timestamp {
    let longest = SignedDuration::try_from(limits.approvals.longest).unwrap_or(SignedDuration::MAX);
    statement.at.checked_add(longest).unwrap_or(Timestamp::MAX).min(statement.until)
}

/// Who gave a review: a person of the operator's, by their key, or an account of this machine.
struct Person<'r> {
    known: Option<&'r Approver>,
    account: &'r str,
}

impl<'r> Person<'r> {
    fn of(review: &'r Review, limits: &'r Limits) -> Self {
        let known = review.key.as_ref().and_then(|key| limits.approvals.owner(key));
        Self { known, account: &review.submission.by }
    }

    fn name(&self) -> &'r str {
        self.known.map_or(self.account, |known| known.name.as_str())
    }

    fn may_approve(&self, limits: &Limits) -> bool {
        self.known.is_some() || (!limits.approvals.needs_signatures() && limits.may_approve(self.account).is_ok())
    }
}

/// What is counted, for what, and as of when.
struct Count<'r> {
    plan: &'r Digest,
    limits: &'r Limits,
    now: Timestamp,
}

/// What people say of a plan: of each the newest word.
#[derive(Default)]
struct Counted<'r> {
    approvals: BTreeMap<&'r str, (Person<'r>, Timestamp, &'r str)>,
    rejections: BTreeMap<&'r str, &'r str>,
}

impl<'r> Count<'r> {
    fn of(&self, reviews: &'r [Review], is_meant: impl Fn(&Review) -> bool) -> Counted<'r> {
        let mut counted = Counted::default();
        let mut of_plan: Vec<&Review> = reviews.iter().filter(|review| review.statement().plan == *self.plan).collect();
        of_plan.sort_by_key(|review| review.number);
        for review in of_plan {
            let (statement, person) = (review.statement(), Person::of(review, self.limits));
            let ends = ends(statement, self.limits);
            let is_current = self.now < ends && statement.at.duration_since(self.now) <= SKEW;
            let name = person.name();
            match &statement.verdict {
                ReviewVerdict::Reject { because } => {
                    counted.approvals.clear();
                    if is_current {
                        counted.rejections.insert(name, because);
                    }
                }
                ReviewVerdict::Approve if is_current => {
                    counted.rejections.remove(name);
                    if is_meant(review) && person.may_approve(self.limits) {
                        let id = statement.id.as_str();
                        let name = if sabotage::is(Bug::OnePersonTwice) { id } else { name };
                        counted.approvals.insert(name, (person, ends, id));
                    }
                }
                ReviewVerdict::Approve => {}
            }
        }
        counted
    }
}

impl Counted<'_> {
    fn tally(&self, limits: &Limits) -> Tally {
        if let Some((by, because)) = self.rejections.iter().next() {
            return Tally::Rejected { by: (*by).to_owned(), because: (*because).to_owned() };
        }
        let given: Vec<String> = self.approvals.values().map(|(person, ..)| person.name().to_owned()).collect();
        let groups: BTreeSet<&String> =
            self.approvals.values().filter_map(|(person, ..)| person.known).flat_map(|known| &known.groups).collect();
        let mut missing = Vec::new();
        match limits.approvals.people().saturating_sub(given.len()) {
            0 => {}
            1 => missing.push("1 more approver".to_owned()),
            more => missing.push(format!("{more} more approvers")),
        }
        let absent = limits.approvals.groups.iter().filter(|group| !groups.contains(group));
        missing.extend(absent.map(|group| format!("an approver of the group {group}")));
        match self.approvals.values().map(|(_, ends, _)| *ends).min() {
            Some(until) if missing.is_empty() => {
                let reviews = self.approvals.values().map(|(.., id)| (*id).to_owned()).collect();
                Tally::Approved { by: given, until, reviews }
            }
            _ => Tally::Lacking { given, missing },
        }
    }
}
