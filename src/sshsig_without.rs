//! A build without Git knows no SSH signatures: nothing is signed, and whoever asks for a signature gets none.

use crate::model::{REVIEW_NAMESPACE, SshKey, Submission};

/// Why.
const WITHOUT: &str = "this build cannot check SSH signatures: build with the feature `git`";

/// Nothing is believed.
///
/// # Errors
/// Always.
pub fn verify(_: &[u8], _: &str, _: &[u8]) -> Result<SshKey, String> {
    Err(WITHOUT.to_owned())
}

/// Nothing is signed.
///
/// # Errors
/// Always.
pub fn sign(_: &str, _: &str, _: &[u8]) -> Result<String, String> {
    Err(WITHOUT.to_owned())
}

/// The key that has signed what somebody says of a plan, if any has.
///
/// # Errors
/// What is wrong with the signature.
pub fn signer(submission: &Submission) -> Result<Option<SshKey>, String> {
    let Some(signature) = &submission.signature else { return Ok(None) };
    let payload = submission.statement.payload();
    verify(signature.as_bytes(), REVIEW_NAMESPACE, payload.as_bytes()).map(Some)
}
