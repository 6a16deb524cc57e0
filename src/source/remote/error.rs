//! Why a repository cannot be read.

use crate::source::tree::TreeError;

/// What went wrong between us and a Git repository. The texts hold no credentials.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The host could not be asked.
    #[error("fetching failed: {0}")]
    Fetch(String),
    /// The host does not let us in.
    #[error(
        "the Git host refused access: check that the repository exists, and that the token or key is valid and can read it ({0})"
    )]
    Denied(String),
    /// The host is not known to be the one that is meant.
    #[error("{0}")]
    HostKey(String),
    /// There is no such branch or tag.
    #[error("the repository has no {0}: check `branch` or `tag`, or push it")]
    NoReference(String),
    /// It took too long.
    #[error("the fetch did not finish within {0}")]
    Late(String),
    /// It was too much.
    #[error("the Git host sent more than {0}: use a repository that contains only the manifests")]
    TooLarge(&'static str),
    /// Credentials that cannot be read or used.
    #[error("{0}")]
    Credentials(String),
    /// The files of a commit cannot be read.
    #[error(transparent)]
    Tree(TreeError),
    /// Nothing of it may be used.
    #[error("{0}")]
    Refused(String),
    /// The clone is damaged.
    #[error("the clone cannot be read; it is fetched again next time: {0}")]
    Objects(String),
    /// The file system refuses.
    #[error("the clone {path} cannot be used: {why}")]
    Disk {
        /// The directory.
        path: String,
        /// The reason.
        why: String,
    },
    /// The file of allowed signers.
    #[error("the allowed signers {path} cannot be used: {why}")]
    Signers {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
}

impl From<TreeError> for RemoteError {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::Objects(why) => Self::Objects(why),
            error => Self::Tree(error),
        }
    }
}

/// An error with everything that led to it, in one line.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    let line: String = texts.join(": ").chars().map(|c| if c.is_control() { ' ' } else { c }).take(600).collect();
    line
}
