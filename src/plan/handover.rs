//! Whose something becomes when its manifest was renamed, or moved to another environment.
//!
//! What AWS has stays where it is and as it is; only its owner tag, and what is remembered of it, go from one key to the
//! other. That takes positive evidence: the environment that the tag names was loaded, and does not ask for it any more.
//! Until the tag is rewritten, the old key has no deletion, whatever the policy says.

use std::sync::Arc;

use super::{Goal, Input};
use crate::model::{Environment, Key, SecretSpec, StackAddress, StackSpec};
use crate::sabotage::{self, Bug};

/// The key that `owner` names, if the one of `key` may take its place: `wants` says whether an environment still asks for
/// that very thing under the old key.
pub(super) fn former(
    input: &Input<'_>,
    key: &Key,
    owner: Option<&str>,
    wants: impl Fn(&Environment, &Key) -> bool,
) -> Option<Key> {
    if input.goal != Goal::Converge || sabotage::is(Bug::RenameDeletes) {
        return None;
    }
    // Whose it is, in nearly every case: not read into a key for that.
    let owner: Key = owner.filter(|owner| !key.is(owner))?.parse().ok()?;
    if owner.kind != key.kind {
        return None;
    }
    // One that is in no manifest, or in one with a mistake, says nothing of what it asks for.
    let home = input.desired.environments.get(&owner.environment)?;
    let same_account = home.scope.account == input.environment.scope.account;
    (same_account && !wants(home, &owner)).then_some(owner)
}

/// The same of a stack.
pub(super) fn former_of_stack(input: &Input<'_>, spec: &StackSpec, owner: Option<&str>) -> Option<Key> {
    let address = spec.address();
    former(input, &spec.key, owner, |home, key| home.stacks.get(key).is_some_and(|spec| spec.is_at(&address)))
}

/// Who takes over the stack at this address, which says that it belongs to `owner`.
pub(super) fn heir(input: &Input<'_>, address: &StackAddress, owner: &Key) -> Option<Key> {
    let claims = |spec: &&Arc<StackSpec>| spec.key != *owner && spec.is_at(address);
    claimed(input, |environment| environment.stacks.values().find(claims).map(|spec| spec.key.clone()))
}

/// Who takes over the secret at this address.
pub(super) fn heir_of_secret(input: &Input<'_>, address: &crate::model::Address, owner: &Key) -> Option<Key> {
    let claims = |spec: &&Arc<SecretSpec>| spec.key != *owner && spec.address() == *address;
    claimed(input, |environment| environment.secrets.values().find(claims).map(|spec| spec.key.clone()))
}

/// Who claims what belongs to `owner`, in any environment that was loaded.
pub(super) fn claimed(input: &Input<'_>, claims: impl Fn(&Environment) -> Option<Key>) -> Option<Key> {
    if sabotage::is(Bug::RenameDeletes) {
        return None;
    }
    // An environment that is destroyed keeps nothing of its own, and takes nothing from others.
    let keeps =
        |environment: &&Arc<Environment>| input.goal == Goal::Converge || environment.name != input.environment.name;
    input.desired.environments.values().filter(keeps).find_map(|environment| claims(environment))
}
