//! Names and tokens, each derived from what it stands for, so that the same decision has the same name after a crash.

use serde::Serialize;

use crate::model::{ChangeSetName, DeploymentMode, Digest, FingerprintKey, Key, StackState, StackVersion};

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

/// What a change set is made for: these inputs on this version of a stack.
pub(super) fn purpose(inputs: &Digest, version: &StackVersion, mode: DeploymentMode) -> Digest {
    match mode {
        DeploymentMode::Ordinary => Digest::of(&(inputs, version)),
        DeploymentMode::RevertDrift => Digest::of(&(inputs, version, mode)),
    }
}

/// The name of a change set: 73 of the 128 letters, digits and hyphens that AWS allows (AWS: *`CreateChangeSet`*,
/// `ChangeSetName`). With a key that is in the journal alone, so that nobody can have one of that name ready.
pub(super) fn change_set(key: &FingerprintKey, purpose: &Digest, attempt: u32) -> Option<ChangeSetName> {
    let fingerprint = key.fingerprint_of(&["change set", purpose.as_str(), &attempt.to_string()]);
    format!("{}{}", change_set_prefix(), fingerprint.as_str()).parse().ok()
}

/// Where the template of a change set is uploaded to, if it has to be: an object of its own, which goes with it.
pub(super) fn upload(name: &ChangeSetName) -> String {
    format!("landfast/change-sets/{name}")
}

/// An idempotency token: at most 128 letters, digits and hyphens (AWS: parameter `ClientRequestToken`).
pub(super) fn token(key: &Key, verb: &str, parts: &impl Serialize) -> String {
    let digest = Digest::of(&(key, verb, parts));
    format!("{}{verb}-{}", change_set_prefix(), digest.as_str().get(..32).unwrap_or_default())
}
