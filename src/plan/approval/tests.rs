//! Who counts, until when, and for what.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::model::{ApprovalRules, SshKey, Submission};

fn plan() -> Digest {
    Digest::of_bytes(b"plan")
}

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn hours(number: i64) -> Timestamp {
    start() + SignedDuration::from_hours(number)
}

fn key(name: &str) -> SshKey {
    format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKHEChAFvN1m1rI7C0Yv7cKYUZ3jC6pX3wZgLQ8{name}").parse().unwrap()
}

/// `ada` has two keys and is in `dba`; `grace` has one and is in `ops`.
fn limits(required: u32, groups: &[&str]) -> Limits {
    let person = |name: &str, keys: &[&str], group: &str| Approver {
        name: name.to_owned(),
        keys: keys.iter().map(|name| key(name)).collect(),
        groups: [group.to_owned()].into(),
    };
    let approvers = Arc::from([person("ada", &["laptop", "phone"], "dba"), person("grace", &["desk"], "ops")]);
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    let rules = ApprovalRules { required, groups, approvers, ..ApprovalRules::default() };
    Limits { approvals: Arc::new(rules), ..Limits::default() }
}

fn review(number: u64, by: &str, signed: Option<&str>, verdict: ReviewVerdict) -> Review {
    let statement = Statement {
        environment: "prod".parse().unwrap(),
        plan: plan(),
        verdict,
        at: start(),
        until: hours(8),
        id: number.to_string(),
    };
    let submission = Submission { statement, by: by.to_owned(), signature: None };
    Review { submission, key: signed.map(key), number, used: None }
}

fn yes(number: u64, signed: Option<&str>) -> Review {
    review(number, "root", signed, ReviewVerdict::Approve)
}

fn no(number: u64, by: &str) -> Review {
    review(number, by, None, ReviewVerdict::Reject { because: "no".to_owned() })
}

fn approved(reviews: &[Review], limits: &Limits, now: Timestamp) -> Option<Vec<String>> {
    match tally(&plan(), reviews, limits, now) {
        Tally::Approved { by, .. } => Some(by),
        Tally::Rejected { .. } | Tally::Lacking { .. } => None,
    }
}

#[test]
fn two_keys_of_one_person_are_one_person() {
    let two = limits(2, &[]);
    let ada = [yes(1, Some("laptop")), yes(2, Some("phone")), yes(3, Some("laptop"))];
    let expected = Tally::Lacking { given: vec!["ada".to_owned()], missing: vec!["1 more approver".to_owned()] };
    assert_eq!(tally(&plan(), &ada, &two, hours(1)), expected);
    let both = [yes(1, Some("laptop")), yes(2, Some("desk"))];
    assert_eq!(approved(&both, &two, hours(1)), Some(vec!["ada".to_owned(), "grace".to_owned()]));
}

#[test]
fn a_group_has_to_be_among_those_who_sign() {
    let rules = limits(1, &["dba"]);
    let expected = vec!["an approver of the group dba".to_owned()];
    let Tally::Lacking { missing, .. } = tally(&plan(), &[yes(1, Some("desk"))], &rules, hours(1)) else { panic!() };
    assert_eq!(missing, expected);
    assert!(approved(&[yes(1, Some("phone"))], &rules, hours(1)).is_some());
    assert!(approved(&[yes(1, Some("desk"))], &limits(0, &["dba"]), hours(1)).is_none(), "a group asks for signatures");
    // A group that nobody is in is never there.
    assert!(approved(&[yes(1, Some("phone")), yes(2, Some("desk"))], &limits(1, &["none"]), hours(1)).is_none());
}

#[test]
fn what_is_not_signed_by_somebody_known_counts_only_where_nobody_has_to_sign() {
    for review in [yes(1, None), yes(1, Some("stranger"))] {
        assert_eq!(approved(std::slice::from_ref(&review), &limits(1, &[]), hours(1)), None);
        assert_eq!(approved(&[review], &limits(0, &[]), hours(1)), Some(vec!["root".to_owned()]));
    }
    let listed = Limits { approvers: vec![(vec!["bob".to_owned()], "x:1".into())], ..limits(0, &[]) };
    assert_eq!(approved(&[yes(1, None)], &listed, hours(1)), None, "whoever may not approve has not");
}

#[test]
fn an_approval_ends_as_it_says_and_no_later_than_the_operator_says() {
    let mut rules = limits(1, &[]);
    let reviews = [yes(1, Some("laptop"))];
    for (now, good) in [(start(), true), (hours(7), true), (hours(8), false), (hours(-1), false)] {
        assert_eq!(approved(&reviews, &rules, now).is_some(), good, "{now}");
    }
    let shorter = ApprovalRules { longest: std::time::Duration::from_hours(2), ..(*rules.approvals).clone() };
    rules.approvals = Arc::new(shorter);
    assert!(approved(&reviews, &rules, hours(1)).is_some() && approved(&reviews, &rules, hours(2)).is_none());
}

#[test]
fn a_rejection_voids_what_was_approved_before_it_for_good() {
    let rules = limits(1, &[]);
    let (ada, bob) = (yes(1, Some("laptop")), no(2, "bob"));
    let rejected = Tally::Rejected { by: "bob".to_owned(), because: "no".to_owned() };
    assert_eq!(tally(&plan(), &[ada.clone(), bob.clone()], &rules, hours(1)), rejected);
    assert_eq!(approved(&[ada.clone(), bob.clone(), yes(3, Some("desk"))], &rules, hours(1)), None, "it stands");
    // When it has ended, or was taken back, what was approved before is not good again.
    let mut longer = ada.clone();
    longer.submission.statement.until = hours(48);
    assert_eq!(approved(&[longer, bob.clone()], &rules, hours(9)), None);
    let back = review(3, "bob", None, ReviewVerdict::Approve);
    assert_eq!(approved(&[ada.clone(), bob.clone(), back.clone()], &rules, hours(1)), None);
    assert!(approved(&[ada.clone(), bob.clone(), back, yes(4, Some("laptop"))], &rules, hours(1)).is_some());
    assert_eq!(counting(&ada, &[ada.clone(), bob], &rules, hours(1)), Counting::Void);
}

fn consent(reviews: &[&str]) -> Consent {
    Consent {
        plan: plan(),
        by: "root".to_owned(),
        at: start(),
        exclusive: false,
        until: Some(hours(8)),
        reviews: reviews.iter().map(|id| (*id).to_owned()).collect(),
        grants: BTreeMap::new(),
    }
}

#[test]
fn a_consent_stands_on_its_own_reviews_as_policy_is_now() {
    let mut used = yes(1, Some("laptop"));
    used.used = Some(start());
    let reviews = [used, yes(2, Some("desk"))];
    let (one, two) = (limits(1, &[]), limits(2, &[]));
    assert_eq!(approved(&reviews[..1], &one, hours(1)), None, "no second consent is made of it");
    assert_eq!(stands(&consent(&["1"]), &reviews, &one, hours(1)), Ok(()));
    let lacking = Void::Lacking(vec!["1 more approver".to_owned()]);
    assert_eq!(stands(&consent(&["1"]), &reviews, &two, hours(1)), Err(lacking), "grace approves, but not in this");
    assert_eq!(stands(&consent(&["1"]), &reviews, &one, hours(8)), Err(Void::Expired(hours(8))));
    let rejected = [reviews[0].clone(), no(3, "bob")];
    assert!(matches!(stands(&consent(&["1"]), &rejected, &one, hours(1)), Err(Void::Rejected { .. })));
    // Given directly, by whoever owns the state directory.
    assert_eq!(stands(&consent(&[]), &[], &limits(0, &[]), hours(1)), Ok(()));
    assert!(stands(&consent(&[]), &[], &one, hours(1)).is_err());
    assert!(stands(&consent(&[]), &[no(3, "bob")], &limits(0, &[]), hours(1)).is_err());
}

proptest! {
    /// Whatever is said in whatever order: never more people than have a key, and never one whose newest word is no.
    #[test]
    fn nobody_counts_twice_and_nobody_counts_against_their_word(
        said in prop::collection::vec((0usize..4, prop::bool::ANY), 0..12),
        required in 1u32..3,
    ) {
        let keys = ["laptop", "phone", "desk", "stranger"];
        let people = ["ada", "ada", "grace", "root"];
        let reviews: Vec<Review> = said.iter().enumerate().map(|(nth, (who, approves))| {
            let verdict =
                if *approves { ReviewVerdict::Approve } else { ReviewVerdict::Reject { because: "no".to_owned() } };
            review(nth as u64 + 1, "root", Some(keys[*who]), verdict)
        }).collect();
        let limits = limits(required, &[]);
        if let Some(by) = approved(&reviews, &limits, hours(1)) {
            prop_assert!(by.len() >= required as usize);
            let different: BTreeSet<&String> = by.iter().collect();
            prop_assert_eq!(different.len(), by.len());
            let last_no = said.iter().rposition(|(_, approves)| !approves);
            for name in &by {
                let newest = said.iter().rposition(|(who, _)| people[*who] == name).unwrap();
                prop_assert!(said[newest].1 && last_no.is_none_or(|no| newest > no));
            }
        }
    }
}
