//! The authorities that a host's certificate may be of, where the operator names them.

use std::fs;
use std::path::Path;

use super::RemoteError;
use super::error::chain;

/// The certificates of authorities that a source names.
pub(super) fn authorities(file: Option<&Path>) -> Result<Option<Vec<reqwest::Certificate>>, RemoteError> {
    let Some(file) = file else { return Ok(None) };
    let wrong =
        |why: String| RemoteError::Credentials(format!("the authorities in {} cannot be used: {why}", file.display()));
    let pem = fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| wrong(chain(&error)))?;
    if certificates.is_empty() {
        return Err(wrong("it has no certificate".to_owned()));
    }
    Ok(Some(certificates))
}
