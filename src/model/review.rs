//! Reviews: a person's approval or rejection of one plan, what was signed of it, and what an environment asks of approvals.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Digest, EnvName, InvalidName};

/// What signatures of reviews are for: one that was made for anything else proves nothing (`PROTOCOL.sshsig` of OpenSSH).
pub const REVIEW_NAMESPACE: &str = "approval@landfast";

/// What a person says of a plan. This is what is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Statement {
    /// The environment.
    pub environment: EnvName,
    /// The plan, by all digits of its digest.
    pub plan: Digest,
    /// What is said of it.
    pub verdict: ReviewVerdict,
    /// When.
    pub at: Timestamp,
    /// Until when it counts. It ends at that moment.
    pub until: Timestamp,
    /// Tells it from every other one: it is taken once.
    pub id: String,
}

/// What is said of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReviewVerdict {
    /// That it may be carried out.
    Approve,
    /// That it may not.
    Reject {
        /// Why.
        because: String,
    },
}

impl Statement {
    /// The text that is signed. Whoever checks a signature writes it anew from what was read, so that there is nothing in a
    /// signed text that is not understood.
    #[must_use]
    pub fn payload(&self) -> String {
        // The model's types have no failing serialisers; an empty text is what nobody has signed.
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }
}

/// A statement as it is handed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Submission {
    /// What is said.
    pub statement: Statement,
    /// The account of the machine that has handed it in.
    pub by: String,
    /// The SSH signature of the statement's [payload](Statement::payload), armored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// A submission as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    /// What was handed in.
    pub submission: Submission,
    /// The key by which it was signed. The signature was checked when it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SshKey>,
    /// Its place among all others: a rejection voids the approvals before it.
    pub number: u64,
    /// When it became part of a consent. No second one is made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Timestamp>,
}

impl Review {
    /// What is said.
    #[must_use]
    pub const fn statement(&self) -> &Statement {
        &self.submission.statement
    }
}

/// A public SSH key as OpenSSH writes it, without its comment: `ssh-ed25519 AAAA…`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SshKey(Arc<str>);

impl SshKey {
    /// Types whose signatures can be checked.
    const TYPES: [&str; 7] = [
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    ];

    /// As OpenSSH writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SshKey {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let wrong = || InvalidName::new(text, "a public key as OpenSSH writes it: `ssh-ed25519 AAAA…`");
        let mut words = text.split_whitespace();
        let (Some(kind), Some(blob)) = (words.next(), words.next()) else { return Err(wrong()) };
        let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
        if !Self::TYPES.contains(&kind) || blob.len() < 40 || !blob.starts_with("AAAA") || !blob.bytes().all(base64) {
            return Err(wrong());
        }
        Ok(Self(format!("{kind} {blob}").into()))
    }
}

impl TryFrom<String> for SshKey {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<SshKey> for String {
    fn from(key: SshKey) -> Self {
        key.0.to_string()
    }
}

impl fmt::Display for SshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A person of the operator's configuration, who is known by keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approver {
    /// What they are called.
    pub name: String,
    /// The keys that are theirs, and nobody else's.
    pub keys: BTreeSet<SshKey>,
    /// The groups that they are in.
    pub groups: BTreeSet<String>,
}

/// What an environment asks of approvals: the operator's word, and what its manifest asks for beyond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRules {
    /// So many people have to sign. 0: whoever owns the state directory approves, and nobody checks who that is.
    pub required: u32,
    /// Somebody of each of these groups has to be among them.
    pub groups: BTreeSet<String>,
    /// How long an approval counts that does not say.
    pub expires: Duration,
    /// How long one counts at most, whatever it says.
    pub longest: Duration,
    /// Everybody who can sign.
    pub approvers: Arc<[Approver]>,
}

impl Default for ApprovalRules {
    fn default() -> Self {
        Self {
            required: 0,
            groups: BTreeSet::new(),
            expires: Duration::from_hours(24),
            longest: Duration::from_hours(7 * 24),
            approvers: Arc::default(),
        }
    }
}

impl ApprovalRules {
    /// An approval needs signatures.
    #[must_use]
    pub fn needs_signatures(&self) -> bool {
        self.required > 0 || !self.groups.is_empty()
    }

    /// How many different people it needs.
    #[must_use]
    pub fn people(&self) -> usize {
        usize::try_from(self.required).unwrap_or(usize::MAX).max(1)
    }

    /// Whose key it is.
    #[must_use]
    pub fn owner(&self, key: &SshKey) -> Option<&Approver> {
        self.approvers.iter().find(|approver| approver.keys.contains(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_without_its_comment_and_only_if_it_is_one() {
        let text = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKHEChAFvN1m1rI7C0Yv7cKYUZ3jC6pX3wZgLQ8ZKXgZ";
        let key: SshKey = format!("  {text} ada@laptop").parse().unwrap();
        assert_eq!(key.as_str(), text);
        for wrong in
            ["", "ssh-ed25519", "ssh-dss AAAAC3NzaC1lZDI1NTE5AAAAIKHEChAFvN1m1rI7C0Yv7cKYUZ3", "ssh-ed25519 AAAA"]
        {
            assert!(wrong.parse::<SshKey>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn everything_that_is_said_is_signed() {
        let one = Statement {
            environment: "prod".parse().unwrap(),
            plan: Digest::of_bytes(b"plan"),
            verdict: ReviewVerdict::Approve,
            at: "2026-01-01T00:00:00Z".parse().unwrap(),
            until: "2026-01-02T00:00:00Z".parse().unwrap(),
            id: "one".to_owned(),
        };
        let others = [
            Statement { environment: "dev".parse().unwrap(), ..one.clone() },
            Statement { plan: Digest::of_bytes(b"other"), ..one.clone() },
            Statement { verdict: ReviewVerdict::Reject { because: "no".to_owned() }, ..one.clone() },
            Statement { at: one.until, ..one.clone() },
            Statement { until: one.at, ..one.clone() },
            Statement { id: "two".to_owned(), ..one.clone() },
        ];
        for other in others {
            assert_ne!(one.payload(), other.payload());
        }
        let read: Statement = serde_json::from_str(&one.payload()).unwrap();
        assert_eq!(read, one);
    }
}
