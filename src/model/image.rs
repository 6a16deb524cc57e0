//! Images as ECR describes them.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, ImageDigest};

/// A repository of ECR.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Repository {
    /// The account that holds the registry; that of the credentials where it is not said.
    pub registry: Option<AccountId>,
    /// Its name: `team/api`.
    pub name: String,
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.registry {
            Some(registry) => write!(f, "{registry}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Which image of a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ImageId {
    /// This one.
    Digest(ImageDigest),
    /// Whatever this tag means now.
    Tag(String),
}

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest) => write!(f, "@{digest}"),
            Self::Tag(tag) => write!(f, ":{tag}"),
        }
    }
}

/// An image in a repository (AWS: *`ImageDetail`*).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageState {
    /// Its digest.
    pub digest: ImageDigest,
    /// Its tags; often none.
    pub tags: BTreeSet<String>,
    /// When it was pushed. Pushing the same image again under another tag does not change it.
    pub pushed: Timestamp,
    /// The media type of its manifest: whether it is one image or an index of images.
    pub media_type: Option<String>,
    /// Its size in bytes, as it is pulled.
    pub bytes: Option<u64>,
    /// It is archived, and cannot be pulled until it is activated.
    pub archived: bool,
}

impl ImageState {
    /// It stands for several images, each for a platform of its own (OCI: an index; Docker: a manifest list).
    #[must_use]
    pub fn is_index(&self) -> bool {
        let of = |kind: &str| self.media_type.as_deref().is_some_and(|media| media.contains(kind));
        of("image.index") || of("manifest.list")
    }
}

/// What the manifest of an image says of platforms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageManifest {
    /// It stands for several images, one for each of these.
    Index(Vec<Platform>),
    /// It is one image: what it was built for is in its configuration, which has this digest. None where the manifest
    /// names no configuration of an image (a chart, a signature).
    Single(Option<ImageDigest>),
}

/// What an image was built for, in the words of OCI: `linux/arm64`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`, `windows`.
    pub os: String,
    /// `amd64`, `arm64`.
    pub architecture: String,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)
    }
}
