//! AWS identifiers as types, each valid by construction.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A name that AWS or Landfast would not accept, with the rule it breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {rule}")]
pub struct InvalidName {
    text: String,
    rule: &'static str,
}

impl InvalidName {
    /// Says that `text` breaks `rule`, which reads on after "is not".
    #[must_use]
    pub fn new(text: &str, rule: &'static str) -> Self {
        Self { text: text.to_owned(), rule }
    }
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        // By text, as if derived. Most that are compared are copies of one: maps of thousands of addresses in the same
        // account and region.
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                if std::sync::Arc::ptr_eq(&self.0, &other.0) {
                    return std::cmp::Ordering::Equal;
                }
                self.0.as_bytes().cmp(other.0.as_bytes())
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl $name {
            /// The identifier as AWS writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            fn is_one(text: &str) -> bool {
                let check: fn(&str) -> bool = $check;
                check(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::model::InvalidName;
            fn from_str(text: &str) -> Result<Self, $crate::model::InvalidName> {
                if Self::is_one(text) { Ok(Self(text.into())) } else { Err($crate::model::InvalidName::new(text, $rule)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::model::InvalidName;
            fn try_from(text: String) -> Result<Self, $crate::model::InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.to_string()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(super) use identifier;

identifier! {
    /// A twelve-digit AWS account id.
    AccountId, "an AWS account ID of twelve digits",
    |text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

identifier! {
    /// A region name such as `us-east-1`. New regions need no new release: only the form is checked.
    Region, "an AWS region name such as us-east-1",
    |text| {
        let parts: Vec<&str> = text.split('-').collect();
        parts.len() >= 3
            && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
            && parts[parts.len() - 1].bytes().all(|b| b.is_ascii_digit())
    }
}

impl Region {
    /// The partition that it belongs to, as ARNs write it.
    #[must_use]
    pub fn partition(&self) -> &'static str {
        partition(self.as_str())
    }
}

/// The partition of a region of this name (AWS: *Amazon Resource Names*, partitions).
#[must_use]
pub fn partition(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ if region.starts_with("us-iso-") => "aws-iso",
        _ if region.starts_with("us-isob-") => "aws-iso-b",
        _ if region.starts_with("eusc-") => "aws-eusc",
        _ => "aws",
    }
}

identifier! {
    /// The ARN of an IAM role.
    RoleArn, "the ARN of an IAM role (arn:aws:iam::111122223333:role/name)",
    |text| text.starts_with("arn:") && text.contains(":iam::") && text.contains(":role/")
}

identifier! {
    /// A stack name: letters, digits and hyphens, starting with a letter, at most 128 characters
    /// (AWS: *`CreateStack`*, parameter `StackName`).
    StackName, "a stack name (letters, digits and hyphens, starting with a letter, at most 128)",
    |text| {
        text.len() <= 128
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    }
}

/// One account in one region: what a rate limit, a listing and a set of credentials belong to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// The account that calls must reach; any other is refused.
    pub account: AccountId,
    /// The region that calls go to.
    pub region: Region,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

/// Where a stack is: stack names are unique within account and region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StackAddress {
    /// Account and region.
    pub scope: Scope,
    /// The stack's name there.
    pub name: StackName,
}

impl fmt::Display for StackAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.scope, self.name)
    }
}

/// Where an object is, and what AWS calls it there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// Account and region.
    pub scope: Scope,
    /// The object's name there.
    pub name: Arc<str>,
}

impl Address {
    /// The address of a stack of this name.
    #[must_use]
    pub fn as_stack(&self) -> Option<StackAddress> {
        let name = StackName::is_one(&self.name).then(|| StackName(Arc::clone(&self.name)))?;
        Some(StackAddress { scope: self.scope.clone(), name })
    }
}

impl From<&StackAddress> for Address {
    fn from(stack: &StackAddress) -> Self {
        Self { scope: stack.scope.clone(), name: Arc::clone(&stack.name.0) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.scope, self.name)
    }
}

/// How an environment's account is entered (AWS: *`AssumeRole`*).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AssumeRole {
    /// The role to assume.
    pub arn: RoleArn,
    /// The external id that the role's trust policy asks for, if it does.
    pub external_id: Option<String>,
    /// The session name that `CloudTrail` shows.
    pub session_name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_accept_what_aws_accepts_and_nothing_else() {
        assert!("111122223333".parse::<AccountId>().is_ok());
        assert!("11112222333".parse::<AccountId>().is_err());
        for region in ["us-east-1", "us-gov-west-1", "eu-isoe-west-1", "ap-southeast-7"] {
            assert!(region.parse::<Region>().is_ok(), "{region}");
        }
        for wrong in ["us-east", "us_east_1", "", "US-EAST-1", "us-east-x"] {
            assert!(wrong.parse::<Region>().is_err(), "{wrong}");
        }
        assert!("1abc".parse::<StackName>().is_err());
        assert!("dev-performance-mgmt-network".parse::<StackName>().is_ok());
    }
}
