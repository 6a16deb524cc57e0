//! What one process leaves for another that has the journal.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::order::HoldOrder;
use crate::files;
use crate::model::{Digest, EnvName, Freeze, Request, Submission};

/// How long an approval waits for its plan. The daemon may be about to look; it does not wait for a plan to come back.
const APPROVAL: SignedDuration = SignedDuration::from_mins(15);

/// How long a request waits for somebody who reconciles its environment. One that is taken after a day is declined, and
/// the journal says so; one that nobody has taken after two goes.
const REQUEST: SignedDuration = SignedDuration::from_hours(48);

/// Of a name that somebody claims, so much is repeated.
const CLAIM_MAX: usize = 64;

/// A person's approval of whatever plan has this code now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approval {
    /// The environment.
    pub environment: EnvName,
    /// The code of the plan's digest.
    pub plan: String,
    /// Who approved. In a note that is what its writer says; [`Inbox`](super::Inbox) puts the owner of its file here.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Approval {
    /// Whether it names the plan with this digest.
    #[must_use]
    pub fn names(&self, plan: &Digest) -> bool {
        plan.is_named(&self.plan)
    }
}

/// A person's wish that a daemon looks now: at the manifests, and at AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SyncRequest {
    /// Always `all`: what is looked at.
    pub sync: SyncScope,
    /// Who asks. In a note that is what its writer says; [`Inbox`](super::Inbox) puts the owner of its file here.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SyncScope {
    /// Everything.
    All,
}

/// What one process leaves for another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Note {
    /// The approval of a plan.
    Approval(Approval),
    /// Something that is asked of an object.
    Request(Request),
    /// A look, now.
    Sync(SyncRequest),
    /// To freeze something, or to thaw it.
    Hold(HoldOrder),
    /// What somebody says of a plan.
    Review(Submission),
}

impl Note {
    /// What it is about: an environment, or everything.
    #[must_use]
    pub fn subject(&self) -> &str {
        match self {
            Self::Approval(approval) => approval.environment.as_str(),
            Self::Request(request) => request.key.environment.as_str(),
            Self::Sync(_) => "sync",
            Self::Hold(HoldOrder::Freeze(_)) => "freeze",
            Self::Hold(HoldOrder::Thaw { .. }) => "thaw",
            Self::Review(submission) => submission.statement.environment.as_str(),
        }
    }

    /// When it was written, by its own account.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Approval(approval) => approval.at,
            Self::Request(request) => request.at,
            Self::Sync(sync) => sync.at,
            Self::Hold(HoldOrder::Freeze(freeze)) => freeze.at,
            Self::Hold(HoldOrder::Thaw { at, .. }) => *at,
            Self::Review(submission) => submission.statement.at,
        }
    }

    /// How long it is good for.
    pub(super) fn lasts(&self) -> SignedDuration {
        match self {
            Self::Approval(_) | Self::Sync(_) | Self::Hold(HoldOrder::Thaw { .. }) => APPROVAL,
            // It holds as long as it says, whenever it is found. One that expires is good for that long, and one that has
            // expired is reported, and not silently forgotten.
            Self::Hold(HoldOrder::Freeze(freeze)) => {
                freeze.until.map_or(SignedDuration::MAX, |until| until.duration_since(freeze.at))
            }
            Self::Review(Submission { statement, .. }) => statement.until.duration_since(statement.at),
            Self::Request(_) => REQUEST,
        }
    }

    /// The name of its file: what it is for, and the digest of what it says, the writer's name included.
    pub(super) fn file_name(&self) -> String {
        format!("{}-{}.json", self.subject(), Digest::of(self).short())
    }

    /// The same, by somebody else.
    pub(super) fn by(self, by: impl FnOnce(&str) -> String) -> Self {
        match self {
            Self::Approval(note) => Self::Approval(Approval { by: by(&note.by), ..note }),
            Self::Request(note) => Self::Request(Request { by: by(&note.by), ..note }),
            Self::Sync(note) => Self::Sync(SyncRequest { by: by(&note.by), ..note }),
            Self::Hold(HoldOrder::Freeze(note)) => {
                Self::Hold(HoldOrder::Freeze(Box::new(Freeze { by: by(&note.by), ..*note })))
            }
            Self::Hold(HoldOrder::Thaw { freezes, by: claimed, at }) => {
                Self::Hold(HoldOrder::Thaw { freezes, by: by(&claimed), at })
            }
            Self::Review(note) => Self::Review(Submission { by: by(&note.by), ..note }),
        }
    }
}

/// Who has given an order: the user whose process or file it was. What they call themselves stands beside it, as what
/// they say.
#[must_use]
pub fn author(user: u32, claimed: &str) -> String {
    let account = files::account(user);
    if claimed.is_empty() || claimed == account {
        return account;
    }
    let claimed: String = claimed.chars().take(CLAIM_MAX).collect();
    format!("{account} (claims to be {claimed:?})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::ROOT;

    #[test]
    fn whoever_says_to_be_somebody_else_is_named_by_the_account() {
        assert_eq!(author(ROOT, "root"), "root");
        assert_eq!(author(ROOT, "ada"), "root (claims to be \"ada\")");
        let hostile = format!("\u{1b}[2J{}", "x".repeat(10_000));
        let author = author(ROOT, &hostile);
        assert!(author.len() < 120 && !author.contains('\u{1b}'), "{author}");
    }
}
