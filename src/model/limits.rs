//! What the operator's own configuration leaves of what an environment's manifest asks for.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApprovalRules, Reach, like};

/// What holds in an environment because the operator says so, whatever its manifests say.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// There is an operator, and so what is left open here is left open on purpose.
    pub is_operated: bool,
    /// What the policy asked for in vain.
    pub cuts: Vec<Cut>,
    /// Accounts of this machine that may approve without a signature, by pattern: one of each list has to fit.
    pub approvers: Vec<(Vec<String>, Arc<str>)>,
    /// What an approval needs.
    pub approvals: Arc<ApprovalRules>,
    /// Web servers that checks are allowed to reach.
    pub reach: Reach,
    /// Sealed files are opened only for the secret that they were sealed for; where the operator says so.
    pub bound_seals: Option<Arc<str>>,
}

/// A policy value that the operator's configuration reduces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cut {
    /// The field of the policy: `prune`, `budget.stacks`.
    pub field: String,
    /// The value in the manifest.
    pub asked: String,
    /// The effective value.
    pub holds: String,
    /// The file and line of the operator's configuration.
    pub by: String,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, asked, holds, by } = self;
        write!(f, "`policy.{field}` is {asked} here, but the operator's {by} limits it to {holds}")
    }
}

impl Limits {
    /// What was cut of a field of the policy.
    #[must_use]
    pub fn cut(&self, field: &str) -> Option<&Cut> {
        self.cuts.iter().find(|cut| cut.field == field)
    }

    /// What releases a rule of the policy: another policy, or the operator, who has a say in it before.
    #[must_use]
    pub fn release(&self, field: &str, otherwise: &str) -> String {
        self.cut(field).map_or_else(
            || otherwise.to_owned(),
            |cut| format!("change `{field}` in the operator's {}; manifests cannot override it", cut.by),
        )
    }

    /// Whether this person may approve. Of a note it is the owner of its file who approves; what the file says of them, in
    /// brackets after it, anybody could have written.
    ///
    /// # Errors
    /// Where the operator says who may.
    pub fn may_approve(&self, who: &str) -> Result<(), String> {
        let who = who.split(" (").next().unwrap_or(who);
        let foreign = self.approvers.iter().find(|(names, _)| !names.iter().any(|name| like(name, who)));
        foreign.map_or(Ok(()), |(_, by)| Err(format!("{who} is not listed as an approver in the operator's {by}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approver_is_on_every_list() {
        let lists = [(vec!["a*".to_owned()], "x:1".into()), (vec!["*a".to_owned(), "bob".to_owned()], "x:2".into())];
        let limits = Limits { approvers: lists.into(), ..Limits::default() };
        assert_eq!(limits.may_approve("ada"), Ok(()));
        assert_eq!(
            limits.may_approve("alan"),
            Err("alan is not listed as an approver in the operator's x:2".to_owned())
        );
        assert!(limits.may_approve("bob").is_err());
        assert!(limits.may_approve("mallory (claims to be \"ada\")").is_err());
        assert_eq!(Limits::default().may_approve("anybody"), Ok(()));
    }
}
