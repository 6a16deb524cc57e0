//! `[[approver]]` and `approvals`: who can sign approvals, and what they need, as it is written.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::period::Period;
use super::section::Section;
use crate::model::{Approver, SshKey};

/// A person who can sign approvals of plans.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Approver")]
pub(super) struct ApproverDocument {
    /// Name of the person.
    #[schemars(with = "String")]
    name: Spanned<String>,
    /// Public SSH keys of the person, as in a `.pub` file. A key belongs to one person.
    #[schemars(with = "Vec<String>")]
    keys: Spanned<Vec<String>>,
    /// Groups of the person, for `approvals.groups`.
    #[serde(default)]
    groups: BTreeSet<String>,
}

/// What an approval of a plan needs. Omitted fields are not limited.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Approvals")]
pub(super) struct ApprovalsDocument {
    /// The minimum number of different people of `[[approver]]` who have to sign an approval. Default 0: an approval needs no
    /// signature, and is given by the account that owns the state directory.
    #[schemars(with = "Option<u32>")]
    pub(super) required: Option<Spanned<u32>>,
    /// Groups of which at least one person each has to be among those who sign.
    #[schemars(with = "Option<BTreeSet<String>>")]
    pub(super) groups: Option<Spanned<BTreeSet<String>>>,
    /// How long an approval is valid if it does not say; default `24h`.
    #[schemars(with = "Option<String>")]
    pub(super) expires: Option<Spanned<Period>>,
    /// How long an approval is valid at most; default `7d`.
    #[schemars(with = "Option<String>")]
    pub(super) longest: Option<Spanned<Period>>,
}

/// Everybody who can sign; or what is wrong with it, and where.
pub(super) fn approvers(documents: Vec<ApproverDocument>) -> Result<Vec<Approver>, (usize, String)> {
    let mut owners: BTreeMap<SshKey, String> = BTreeMap::new();
    let mut approvers: Vec<Approver> = Vec::new();
    for document in documents {
        let (at, name) = (document.name.span().start, document.name.into_inner());
        let is_name = !name.is_empty() && name.chars().count() <= 64 && !name.chars().any(char::is_control);
        if !is_name {
            return Err((at, "the name of an approver has 1 to 64 characters".to_owned()));
        }
        if approvers.iter().any(|known| known.name.to_lowercase() == name.to_lowercase()) {
            return Err((at, format!("there are two approvers named `{name}`: list all keys of a person together")));
        }
        let at = document.keys.span().start;
        let mut keys = BTreeSet::new();
        for text in document.keys.into_inner() {
            let key: SshKey = text.parse().map_err(|error: crate::model::InvalidName| (at, error.to_string()))?;
            if let Some(owner) = owners.insert(key.clone(), name.clone()) {
                return Err((at, format!("a key of `{name}` is listed twice: it is a key of `{owner}` too")));
            }
            keys.insert(key);
        }
        if keys.is_empty() {
            return Err((at, format!("`{name}` has no keys")));
        }
        approvers.push(Approver { name, keys, groups: document.groups });
    }
    Ok(approvers)
}

/// Whether what a section asks for can be had; if not, where it asks and why.
pub(super) fn check(section: &Section, approvers: &[Approver]) -> Result<(), String> {
    let in_group = |group: &str| approvers.iter().any(|approver| approver.groups.contains(group));
    if let Some(groups) = &section.approval_groups
        && let Some(missing) = groups.value.iter().find(|group| !in_group(group))
    {
        return Err(format!("{}: no [[approver]] is in the group `{missing}`", groups.by));
    }
    match &section.approvals_required {
        Some(required) if usize::try_from(required.value).is_ok_and(|least| least > approvers.len()) => {
            let (least, there) = (required.value, approvers.len());
            Err(format!("{}: {least} people are required, but there are {there} with [[approver]]", required.by))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKHEChAFvN1m1rI7C0Yv7cKYUZ3jC6pX3wZgLQ8ZKXgZ";

    #[test]
    fn what_could_count_for_two_or_never_be_had_is_an_error_at_its_place() {
        let ada = format!("[[approver]]\nname = 'ada'\nkeys = ['{KEY}']\n");
        for (text, line, words) in [
            (format!("{ada}[[approver]]\nname = 'Ada'\nkeys = ['{KEY}']\n"), 5, "two approvers named"),
            (format!("{ada}[[approver]]\nname = 'eve'\nkeys = ['{KEY} other']\n"), 6, "listed twice"),
            ("[[approver]]\nname = 'ada'\nkeys = []\n".to_owned(), 3, "has no keys"),
            ("[[approver]]\nname = 'ada'\nkeys = ['ssh-dss AAAA']\n".to_owned(), 3, "public key"),
            ("[[approver]]\nname = ''\nkeys = []\n".to_owned(), 2, "1 to 64"),
            (format!("{ada}[[environment]]\nname = ['*']\napprovals.required = 2\n"), 6, "2 people are required"),
            (format!("{ada}[[environment]]\nname = ['*']\napprovals.groups = ['dba']\n"), 6, "group `dba`"),
            ("[[environment]]\nname = ['*']\napprovals.required = 1\n".to_owned(), 3, "there are 0"),
            ("[[environment]]\nname = ['*']\napprovals.require = 1\n".to_owned(), 3, "unknown field"),
        ] {
            let error = read("landfast.toml", &text).unwrap_err().to_string();
            let place = error.contains(&format!("landfast.toml:{line}:")) || error.contains(&format!("line {line}"));
            assert!(place && error.contains(words), "{text}: {error}");
        }
        assert_eq!(read("landfast.toml", &ada).unwrap().approvers()[0].name, "ada");
    }
}
