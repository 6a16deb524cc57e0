//! `landfast approve`, `landfast reject` and `landfast approvals`.
//!
//! What is said names the plan by its whole digest. It is signed on the person's side: in this process, or by `ssh-keygen`.
//! Whoever has the journal checks the signature when it is taken, and counts again before every step.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use zeroize::Zeroizing;

use super::ask::unique;
use super::desk::Desk;
use super::person::{ourselves, reason};
use crate::cli::args::{ApproveArgs, Global, Output, RejectArgs, SigningArgs};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::session::{self, Pace, Session};
use crate::cli::terminal;
use crate::cli::view::{View, show};
use crate::controller::Looked;
use crate::model::{
    Digest, Environment, Limits, REVIEW_NAMESPACE, Review, ReviewVerdict, Statement, Submission, Waiting,
};
use crate::plan::{self, Counting, Tally};
use crate::report::{ApprovalList, PlanApproval, PlanStanding, ReviewCounts, ReviewState, clean, time};
use crate::sshsig;
use crate::store::Note;

/// More than a statement, a signature or a key has.
const LARGEST: u64 = 1 << 16;

/// Approves.
pub(super) fn approve(global: &Global, asked: &ApproveArgs) -> Result<Exit, Trouble> {
    let said = Said { environment: &asked.environment, digest: &asked.digest, verdict: ReviewVerdict::Approve };
    said.give(global, asked.lasts, &asked.signing)
}

/// Rejects.
pub(super) fn reject(global: &Global, asked: &RejectArgs) -> Result<Exit, Trouble> {
    let because = reason(&asked.because).map_err(Trouble::Review)?.to_owned();
    let verdict = ReviewVerdict::Reject { because };
    Said { environment: &asked.environment, digest: &asked.digest, verdict }.give(global, None, &asked.signing)
}

/// What a person says of a plan.
struct Said<'a> {
    environment: &'a str,
    digest: &'a str,
    verdict: ReviewVerdict,
}

impl Said<'_> {
    fn give(&self, global: &Global, lasts: Option<Duration>, signing: &SigningArgs) -> Result<Exit, Trouble> {
        let plan = self.plan(global)?;
        let session = Session::start(global, Pace::Virtual)?;
        let loaded = session::load_unrecorded(&session.manifests, &session.operator)?;
        let chosen = session::choose(&loaded, Some(self.environment))?;
        let [environment] = chosen.as_slice() else { return Ok(Exit::Done) };
        let (limits, desk) = (&environment.limits, Desk::open(&session)?);
        let statement = match &signing.signed {
            Some(path) => self.signed(path, &plan)?,
            None => self.statement(environment, plan, lasts, &desk)?,
        };
        if signing.print {
            terminal::print(&statement.payload())?;
            return Ok(Exit::Done);
        }
        let signature = signature(&statement, signing)?;
        let submission = Submission { statement, by: desk.by.clone(), signature };
        let key = sshsig::signer(&submission).map_err(|why| Trouble::Review(format!("not sent, but {why}")))?;
        let person = match &key {
            Some(key) => {
                let owner = limits.approvals.owner(key).ok_or_else(|| {
                    Trouble::Review(format!("the key is of no [[approver]] in the operator's configuration: {key}"))
                })?;
                owner.name.clone()
            }
            None if self.verdict == ReviewVerdict::Approve && limits.approvals.needs_signatures() => {
                return Err(Trouble::NobodyToAsk(format!(
                    "approvals of {} must be signed: pass `--key FILE`, or use --print and `ssh-keygen`",
                    environment.name
                )));
            }
            None => ourselves(),
        };
        if key.is_none() && self.verdict == ReviewVerdict::Approve {
            limits.may_approve(&person).map_err(Trouble::NobodyToAsk)?;
        }
        let until = plan::review_ends(&submission.statement, limits);
        if until <= desk.now {
            return Err(Trouble::Review(format!("it expired at {}: sign it again", time(until))));
        }
        let (id, plan) = (submission.statement.id.clone(), submission.statement.plan.clone());
        let reviews = hand_in(&desk, environment, submission, key.clone(), &id)?;
        let (done, name) = match self.verdict {
            ReviewVerdict::Approve => ("approved", &environment.name),
            ReviewVerdict::Reject { .. } => ("rejected", &environment.name),
        };
        let (code, person) = (plan.code(), clean(&person));
        terminal::print(&format!("Plan {code} of {name} is {done} by {person} until {}.\n", time(until)))?;
        if key.is_none() {
            terminal::print("It is not signed: nobody has verified who gave it.\n")?;
        }
        if self.verdict == ReviewVerdict::Approve {
            terminal::print(&outlook(&plan::tally(&plan, &reviews, limits, desk.now), environment))?;
        }
        Ok(Exit::Done)
    }

    /// The digest that is meant, with all of its digits. A code is looked up: it has to be that of the plan as it is now.
    fn plan(&self, global: &Global) -> Result<Digest, Trouble> {
        if let Some(digest) = Digest::named(self.digest) {
            return Ok(digest);
        }
        let view = View::of_environments(global, &[self.environment.to_owned()])?;
        let (_, looks) = view.drive(async { Ok((view.reach().await?, view.glance().await?)) })?;
        let found = looks.into_iter().map(|looked| looked.plan.digest).next();
        let found = found.ok_or_else(|| Trouble::Review("there is no such plan".to_owned()))?;
        if found.is_named(self.digest) {
            return Ok(found);
        }
        Err(Trouble::OtherPlan { wanted: self.digest.to_owned(), now: found.code() })
    }

    fn statement(
        &self,
        environment: &Arc<Environment>,
        plan: Digest,
        lasts: Option<Duration>,
        desk: &Desk<'_>,
    ) -> Result<Statement, Trouble> {
        let rules = &environment.limits.approvals;
        // A rejection stands for as long as it may: it is no permission that should end.
        let by_default = if self.verdict == ReviewVerdict::Approve { rules.expires } else { rules.longest };
        let lasts = lasts.unwrap_or(by_default);
        if lasts > rules.longest || lasts.is_zero() {
            let longest = humantime::format_duration(rules.longest);
            return Err(Trouble::Review(format!("--for must be more than 0s and at most {longest} here")));
        }
        let lasts = SignedDuration::try_from(lasts).unwrap_or(SignedDuration::MAX);
        Ok(Statement {
            environment: environment.name.clone(),
            plan,
            verdict: self.verdict.clone(),
            at: desk.now,
            until: desk.now.checked_add(lasts).map_err(|_| Trouble::Review("--for is too long".to_owned()))?,
            id: unique()?,
        })
    }

    /// What was printed before, and signed since.
    fn signed(&self, path: &Path, plan: &Digest) -> Result<Statement, Trouble> {
        let wrong = |why: &str| Trouble::Review(format!("{} {why}", path.display()));
        let statement: Statement =
            serde_json::from_str(&read(path)?).map_err(|_| wrong("is not what --print has printed"))?;
        let same = std::mem::discriminant(&statement.verdict) == std::mem::discriminant(&self.verdict);
        if statement.environment.as_str() != self.environment || statement.plan != *plan || !same {
            return Err(wrong("is about another plan, environment or decision"));
        }
        Ok(statement)
    }
}

/// The signature of a statement, if it gets one.
fn signature(statement: &Statement, signing: &SigningArgs) -> Result<Option<String>, Trouble> {
    if let Some(path) = &signing.signed {
        let mut name = path.clone().into_os_string();
        name.push(".sig");
        return read(&PathBuf::from(name)).map(Some);
    }
    let Some(path) = &signing.key else { return Ok(None) };
    let key = Zeroizing::new(read(path)?);
    let signed = sshsig::sign(&key, REVIEW_NAMESPACE, statement.payload().as_bytes());
    let failed = |why| Trouble::Review(format!("the key {} cannot be used: {why}", path.display()));
    signed.map(Some).map_err(failed)
}

fn read(path: &Path) -> Result<String, Trouble> {
    let failed = |error| Trouble::machine(format!("{} could not be read", path.display()), error);
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > LARGEST {
        return Err(Trouble::Review(format!("{} is larger than 64 KiB", path.display())));
    }
    fs::read_to_string(path).map_err(failed)
}

/// Hands it in, where the journal is; what was said of plans by then, it included.
fn hand_in(
    desk: &Desk<'_>,
    environment: &Environment,
    submission: Submission,
    key: Option<crate::model::SshKey>,
    id: &str,
) -> Result<Arc<[Review]>, Trouble> {
    let again = || Trouble::Review("it was handed in before, and counts once".to_owned());
    if let Some(store) = &desk.store {
        store.review(submission, key)?.ok_or_else(again)?;
        return Ok(store.reviews(&environment.name));
    }
    let has = |reviews: &[Review]| reviews.iter().any(|review| review.statement().id == id);
    let known = || Ok::<_, Trouble>(desk.session.store_for_watching()?.0.reviews(&environment.name));
    if has(&known()?) {
        return Err(again());
    }
    desk.leave(&Note::Review(submission), |store| has(&store.reviews(&environment.name)))?;
    known()
}

/// What happens next.
fn outlook(tally: &Tally, environment: &Environment) -> String {
    match tally {
        Tally::Approved { .. } => format!(
            "Enough people approve it: the daemon applies it, or `landfast apply {}`, if it is still the same.\n",
            environment.name
        ),
        Tally::Rejected { by, because } => format!("It is rejected by {}: {}\n", clean(by), clean(because)),
        // A daemon may have used it by now.
        Tally::Lacking { given, .. } if given.is_empty() => String::new(),
        Tally::Lacking { missing, .. } => format!("It needs {}.\n", clean(&missing.join(" and "))),
    }
}

/// Shows what waits, and what was said.
pub(super) fn list(global: &Global, environments: &[String], output: Output) -> Result<Exit, Trouble> {
    let view = View::of_environments(global, environments)?;
    let (all, looks) = view.drive(async { Ok((view.reach().await?, view.glance().await?)) })?;
    let now = view.session.cx.now();
    let (mut plans, mut reviews) = (Vec::new(), Vec::new());
    for (environment, looked) in view.environments().iter().zip(&looks) {
        let said = view.store.reviews(&environment.name);
        let limits = &environment.limits;
        plans.push(plan_approval(looked, limits, plan::tally(&looked.plan.digest, &said, limits, now)));
        let state = |review: &Review| {
            let other = review.statement().plan != looked.plan.digest;
            match plan::counting(review, &said, limits, now) {
                Counting::Counts if other => ReviewCounts::OtherPlan,
                Counting::Counts => ReviewCounts::Valid,
                Counting::Expired => ReviewCounts::Expired,
                Counting::Used => ReviewCounts::Used,
                Counting::NotAllowed => ReviewCounts::NotAllowed,
                Counting::Void => ReviewCounts::Void,
            }
        };
        reviews.extend(said.iter().map(|review| review_state(review, limits, state(review))));
    }
    show(output, &ApprovalList::of(plans, reviews), |list| list.text(view.paint()))?;
    Ok(view.exit(if all { Exit::Done } else { Exit::Failed }))
}

fn plan_approval(looked: &Looked, limits: &Limits, tally: Tally) -> PlanApproval {
    let (plan, rules) = (&looked.plan, &limits.approvals);
    let asks = |waiting: &Waiting| matches!(waiting, Waiting::Approval { .. });
    let waiting = plan.entries.iter().filter(|(_, entry)| entry.waiting.iter().any(asks));
    let waiting: Vec<String> = waiting.map(|(key, _)| key.to_string()).collect();
    let standing = match tally {
        Tally::Rejected { by, because } => PlanStanding::Rejected { by, because },
        Tally::Approved { by, until, .. } => PlanStanding::Approved { by, until },
        Tally::Lacking { .. } if waiting.is_empty() => PlanStanding::NotNeeded,
        Tally::Lacking { given, missing } => PlanStanding::Waiting { given, missing },
    };
    PlanApproval {
        environment: plan.environment.to_string(),
        plan: plan.digest.as_str().to_owned(),
        code: plan.digest.code(),
        waiting,
        standing,
        required: rules.required,
        groups: rules.groups.iter().cloned().collect(),
        approvers: rules.approvers.iter().map(|approver| approver.name.clone()).collect(),
    }
}

fn review_state(review: &Review, limits: &Limits, state: ReviewCounts) -> ReviewState {
    let statement = review.statement();
    let owner = review.key.as_ref().and_then(|key| limits.approvals.owner(key));
    let because = match &statement.verdict {
        ReviewVerdict::Approve => None,
        ReviewVerdict::Reject { because } => Some(because.clone()),
    };
    ReviewState {
        id: statement.id.clone(),
        environment: statement.environment.to_string(),
        plan: statement.plan.as_str().to_owned(),
        approves: because.is_none(),
        because,
        by: owner.map_or_else(|| review.submission.by.clone(), |owner| owner.name.clone()),
        key: review.key.as_ref().map(ToString::to_string),
        at: statement.at,
        until: plan::review_ends(statement, limits),
        state,
    }
}
