//! Names and tokens, each derived from what it stands for, so that the same decision has the same name after a crash.

use serde::Serialize;

use crate::model::{ChangeSetName, DeploymentMode, Digest, Key, StackState, StackVersion};

pub use crate::model::OWNER_TAG;

/// The tag that says that a stack stays when its manifest is gone: it outlives the manifest and the store.
pub const RETAIN_TAG: &str = "landfast:retain";

/// The beginning of every change set name that is ours.
#[must_use]
pub const fn change_set_prefix() -> &'static str {
    "landfast-"
}

/// Whose stack it is, as far as it says.
#[must_use]
pub fn owner(state: &StackState) -> Option<&str> {
    state.tags.get(OWNER_TAG).map(String::as_str)
}

/// The change set for these inputs on this version of a stack.
pub(super) fn change_set(inputs: &Digest, version: &StackVersion, mode: DeploymentMode) -> Option<ChangeSetName> {
    let digest = match mode {
        DeploymentMode::Ordinary => Digest::of(&(inputs, version)),
        DeploymentMode::RevertDrift => Digest::of(&(inputs, version, mode)),
    };
    format!("{}{}", change_set_prefix(), digest.as_str().get(..24)?).parse().ok()
}

/// An idempotency token: at most 128 letters, digits and hyphens (AWS: parameter `ClientRequestToken`).
pub(super) fn token(key: &Key, verb: &str, parts: &impl Serialize) -> String {
    let digest = Digest::of(&(key, verb, parts));
    format!("{}{verb}-{}", change_set_prefix(), digest.as_str().get(..32).unwrap_or_default())
}
