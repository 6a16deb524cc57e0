//! What the operator's configuration leaves of an environment: its policy is cut, and what is not allowed is an error.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::policy::STATEFUL;
use crate::model::Environment;
use crate::operator::{Floor, What};

/// Something that an environment's document asks for in vain.
pub(super) struct Limited {
    /// The field that asks for it.
    pub(super) path: Vec<&'static str>,
    pub(super) message: String,
    /// It is not allowed at all: there is nothing less that would do.
    pub(super) forbidden: bool,
}

/// Holds an environment without its objects against what the operator says. `file` is where it is written; `includes` are
/// the files that its objects are written in.
pub(super) fn hold(
    shell: &mut Environment,
    floor: &Floor<'_>,
    file: &Arc<str>,
    includes: &BTreeSet<Arc<str>>,
) -> Vec<Limited> {
    let mut bounds = Vec::new();
    let mut forbid = |path: &[&'static str], outcome: Result<(), String>| {
        bounds.extend(outcome.err().map(|message| Limited { path: path.to_vec(), message, forbidden: true }));
    };
    forbid(&["spec", "account"], floor.allows(What::Account, shell.scope.account.as_str()));
    forbid(&["spec", "region"], floor.allows(What::Region, shell.scope.region.as_str()));
    forbid(&["spec", "system"], floor.allows(What::System, &shell.system));
    forbid(&["spec", "role"], floor.role(shell.role.as_ref()));
    if let Some(bucket) = &shell.template_bucket {
        forbid(&["spec", "templateBucket"], floor.allows(What::TemplateBucket, bucket));
    }
    forbid(&["metadata", "name"], floor.allows(What::Manifest, file));
    for include in includes {
        forbid(&["spec", "include"], floor.allows(What::Manifest, include));
    }
    let (policy, cuts) = floor.policy(shell.policy.clone(), &STATEFUL);
    for cut in &cuts {
        let (path, message) = (["spec", "policy"].to_vec(), cut.to_string());
        bounds.push(Limited { path: path.into_iter().chain(field(&cut.field)).collect(), message, forbidden: false });
    }
    shell.policy = policy;
    let approvals = floor.approvals(&shell.limits.approvals);
    shell.limits = floor.limits(cuts, approvals);
    bounds
}

/// Where a field of the policy is written.
fn field(name: &str) -> Vec<&'static str> {
    let known = [
        "mode",
        "prune",
        "replace",
        "broaden",
        "drift",
        "budget",
        "stacks",
        "replacements",
        "deletions",
        "per",
        "backupMaxAge",
        "statefulTypes",
    ];
    name.split('.').filter_map(|part| known.into_iter().find(|known| *known == part)).collect()
}
