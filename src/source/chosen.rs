//! Which commit of a repository on a host is followed.

/// The commit to follow, and what there is to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Its id.
    pub commit: String,
    /// The host could not be asked; this is the newest that is known.
    pub stale: Option<String>,
    /// The host has a newer one, which is not followed.
    pub refused: Option<String>,
    /// The newest one that is known, whether it is followed or not.
    pub newest: String,
}
