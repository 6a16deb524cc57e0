//! What people have said of plans: kept as rows, taken once each, and used once.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::rows::{Table, Write, number};
use super::state::State;
use super::{Inbox, Store, StoreError};
use crate::model::{Consent, EnvName, Review, SshKey, Submission};

/// How long a review is kept after its end: who approved what is asked later.
const ENDED_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Reviews of one environment that are kept at most; the oldest go first.
const KEPT: usize = 1_000;

/// Which key has made the signature of a submission, if it has one; why it is wrong.
pub type Verify = fn(&Submission) -> Result<Option<SshKey>, String>;

/// What came of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is kept from now on.
    Review(Review),
    /// Its signature is wrong: it was thrown away.
    Forged {
        /// What was handed in.
        submission: Submission,
        /// What is wrong with it.
        why: String,
    },
}

impl Store {
    /// What people have said of plans of an environment, the oldest first; what has ended is there too, for a while.
    #[must_use]
    pub fn reviews(&self, environment: &EnvName) -> Arc<[Review]> {
        self.state().reviews.get(environment).cloned().unwrap_or_default()
    }

    /// Keeps what a person says of a plan, signed by this key. One that was taken before changes nothing, whoever hands it in
    /// again: `None`.
    ///
    /// # Errors
    /// The journal could not be written: nothing was changed.
    pub fn review(&self, submission: Submission, key: Option<SshKey>) -> Result<Option<Review>, StoreError> {
        let mut state = self.state();
        let now = self.now();
        let environment = submission.statement.environment.clone();
        let mut kept = state.reviews.get(&environment).map(|kept| kept.to_vec()).unwrap_or_default();
        if kept.iter().any(|known| known.statement().id == submission.statement.id) {
            return Ok(None);
        }
        let review = Review { submission, key, number: state.next_review, used: None };
        let mut writes = vec![Write::put(Table::Reviews, number(review.number), &review)?];
        kept.push(review.clone());
        let surplus = kept.len().saturating_sub(KEPT);
        let mut nth = 0;
        kept.retain(|known| {
            nth += 1;
            let old = nth <= surplus || now.duration_since(known.statement().until) > ENDED_KEPT;
            if old {
                writes.push(Write::remove(Table::Reviews, number(known.number)));
            }
            !old
        });
        self.commit(&mut state, &[], writes)?;
        state.next_review += 1;
        state.reviews.insert(environment, kept.into());
        Ok(Some(review))
    }

    /// Takes what other processes have left to be said of plans, of every environment: an approval and a rejection in the
    /// order in which they were given.
    ///
    /// # Errors
    /// The journal could not be written. What was not taken stays where it is.
    pub fn take_reviews(&self, inbox: &Inbox, verify: Verify) -> Result<Vec<Taken>, StoreError> {
        let mut taken = Vec::new();
        for (path, submission) in inbox.submissions(self.now()) {
            match verify(&submission) {
                Ok(key) => taken.extend(self.review(submission, key)?.map(Taken::Review)),
                Err(why) => taken.push(Taken::Forged { submission, why }),
            }
            inbox.taken(&path);
        }
        Ok(taken)
    }
}

/// The reviews of which a consent is made are used from now on: in memory, and as what has to be written with it.
pub(super) fn used(
    state: &State,
    environment: &EnvName,
    consent: &Consent,
    now: Timestamp,
) -> Result<(Arc<[Review]>, Vec<Write>), StoreError> {
    let mut reviews = state.reviews.get(environment).map(|kept| kept.to_vec()).unwrap_or_default();
    let mut writes = Vec::new();
    let meant = |review: &&mut Review| review.used.is_none() && consent.reviews.contains(&review.statement().id);
    for review in reviews.iter_mut().filter(meant) {
        review.used = Some(now);
        writes.push(Write::put(Table::Reviews, number(review.number), review)?);
    }
    Ok((reviews.into(), writes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{Context, Virtual};
    use crate::model::{Digest, ReviewVerdict, Statement};
    use crate::store::Disk;

    fn submission(id: &str, cx: &Context) -> Submission {
        let statement = Statement {
            environment: "dev".parse().unwrap(),
            plan: Digest::of("plan"),
            verdict: ReviewVerdict::Approve,
            at: cx.now(),
            until: cx.now() + SignedDuration::from_hours(1),
            id: id.to_owned(),
        };
        Submission { statement, by: "ada".to_owned(), signature: None }
    }

    fn consent(ids: &[&str], cx: &Context) -> Consent {
        let reviews = ids.iter().map(|id| (*id).to_owned()).collect();
        let (by, at) = ("ada".to_owned(), cx.now());
        Consent { plan: Digest::of("plan"), by, at, exclusive: false, until: None, reviews, grants: [].into() }
    }

    /// Taken once and used once, over crashes: in memory and in a file.
    #[test]
    fn a_review_is_taken_once_and_used_in_the_transaction_of_its_consent() {
        let clock = Virtual::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
        let cx = Context::simulated(&clock, 1);
        let dev: EnvName = "dev".parse().unwrap();
        let (disk, directory) = (Disk::new(), tempfile::tempdir().unwrap());
        let open: [&dyn Fn() -> Store; 2] =
            [&|| Store::on(&disk, &cx).unwrap(), &|| Store::open(&directory.path().join("state"), &cx).unwrap()];
        for open in open {
            let store = open();
            assert_eq!(store.review(submission("a", &cx), None).unwrap().unwrap().number, 1);
            assert_eq!(store.review(submission("b", &cx), None).unwrap().unwrap().number, 2);
            assert_eq!(store.review(submission("a", &cx), None).unwrap(), None);
            store.consent(&dev, Some(consent(&["a"], &cx))).unwrap();
            drop(store);
            let store = open();
            let used: Vec<bool> = store.reviews(&dev).iter().map(|review| review.used.is_some()).collect();
            assert_eq!(used, [true, false]);
            store.consent(&dev, None).unwrap();
            assert_eq!(store.review(submission("a", &cx), None).unwrap(), None, "a copy is not taken again");
            assert_eq!(store.review(submission("c", &cx), None).unwrap().unwrap().number, 3);
            assert_eq!(store.memory(&dev).unwrap().reviews.len(), 3);
            assert_eq!(store.reviews(&"prod".parse().unwrap()).len(), 0);
        }
    }

    #[test]
    fn what_has_ended_long_ago_and_what_is_too_much_is_dropped() {
        let clock = Virtual::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
        let cx = Context::simulated(&clock, 1);
        let store = Store::in_memory(&cx).unwrap();
        let dev = "dev".parse().unwrap();
        store.review(submission("old", &cx), None).unwrap();
        clock.step_clock(91 * 86_400);
        for nth in 0..KEPT + 5 {
            store.review(submission(&nth.to_string(), &cx), None).unwrap();
        }
        let reviews = store.reviews(&dev);
        assert_eq!((reviews.len(), reviews[0].statement().id.as_str()), (KEPT, "5"));
    }
}
