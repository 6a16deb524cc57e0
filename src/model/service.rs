//! An ECS service whose images follow a registry: what is wanted of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::aws::identifier;
use super::{AccountId, Digest, Key, Region, Repository, Scope, Text};

identifier! {
    /// The digest of an image's manifest: `sha256:` and 64 hexadecimal digits. It names one image for ever.
    ImageDigest, "an image digest (sha256: and 64 hexadecimal digits)",
    |text| text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

impl ImageDigest {
    /// Enough of it to tell images apart: the algorithm and twelve digits.
    #[must_use]
    pub fn short(&self) -> &str {
        self.as_str().get(..19).unwrap_or(self.as_str())
    }
}

/// The images of one ECS service as its manifest wants them.
#[derive(Clone, Debug)]
pub struct ServiceSpec {
    /// Its address.
    pub key: Key,
    /// Account and region.
    pub scope: Scope,
    /// The cluster's name or ARN.
    pub cluster: Text,
    /// The service's name or ARN.
    pub service: Text,
    /// The image of each container, by the container's name in the task definition.
    pub images: BTreeMap<String, ImageSpec>,
    /// How a new image gets there.
    pub delivery: Delivery,
    /// When a rollout counts as failed, and what happens then.
    pub rollout: RolloutSpec,
    /// Task-definition revisions that are kept, of those that we registered.
    pub revisions_kept: u32,
    /// Deploy to a service that is nobody's.
    pub adopt: bool,
    /// Everything it waits for.
    pub depends_on: BTreeSet<Key>,
    /// Digest of all that the manifest says of it.
    pub digest: Digest,
}

impl ServiceSpec {
    /// The stack that owns the service, where its images are delivered through one.
    #[must_use]
    pub fn stack(&self) -> Option<&Key> {
        match &self.delivery {
            Delivery::Stack { stack, .. } => Some(stack),
            Delivery::Direct => None,
        }
    }

    /// A rollout that fails is taken back.
    #[must_use]
    pub fn rolls_back(&self) -> bool {
        self.rollout.on_failure == RolloutFailure::Rollback
    }
}

/// Which image a container gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageSpec {
    /// The account that holds the registry; the service's own where it is not said.
    pub registry: Option<AccountId>,
    /// The repository's name in ECR.
    pub repository: String,
    /// Which image of it.
    pub select: Select,
    /// A range of versions takes pre-releases too. Part of the digest only where it is so: what was decided before there
    /// was this is decided under the same manifest.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub prereleases: bool,
    /// How long an image must have been in the registry before it is chosen.
    pub soak: Duration,
    /// Regular expressions of which one must match the whole tag; empty: any tag is good.
    pub allow: Vec<String>,
    /// Regular expressions, none of which may match the whole tag.
    pub deny: Vec<String>,
    /// What happens when the selected tag points to another image.
    pub moved: MovedTag,
    /// Regions beside the service's own whose registry must have the image too: those that take over when its own is lost.
    /// Which image is chosen does not depend on them.
    #[serde(skip)]
    pub also_in: BTreeSet<Region>,
}

impl ImageSpec {
    /// The repository.
    #[must_use]
    pub fn repository(&self) -> Repository {
        Repository { registry: self.registry.clone(), name: self.repository.clone() }
    }
}

/// A tag that was not chosen, though it is newer or higher than the one that was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PassedOver {
    /// The tag.
    pub tag: String,
    /// Why it was not chosen.
    pub why: String,
}

/// Which image of a repository. Every way is a total order over the images, so that a choice cannot flap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Select {
    /// This one.
    Digest(ImageDigest),
    /// The image that this tag points to.
    Tag(String),
    /// The greatest version in this range; checked when the manifests are loaded.
    Semver(String),
    /// The greatest of the tags that match a regular expression as a whole; checked when the manifests are loaded.
    Newest {
        /// The expression. Its first group, where it has one, is what is compared.
        pattern: String,
        /// By what they are compared.
        by: NewestBy,
    },
}

/// The order of tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NewestBy {
    /// By push time.
    #[default]
    Pushed,
    /// As numbers.
    Numerical,
    /// As texts.
    Alphabetical,
}

/// What happens when the selected tag points to another image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MovedTag {
    /// It is reported; the deployed image is kept.
    #[default]
    Report,
    /// The new image is deployed.
    Deploy,
}

/// How a new image gets into the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// As the value of parameters of the stack that owns the service: one update of one owner.
    Stack {
        /// The stack.
        stack: Key,
        /// Its parameters, by container.
        parameters: BTreeMap<String, String>,
    },
    /// Through ECS itself, for a service that no stack owns.
    Direct,
}

/// When a rollout counts as failed, and what happens then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RolloutSpec {
    /// After how long it has failed.
    pub timeout: Duration,
    /// What follows when it has.
    pub on_failure: RolloutFailure,
}

/// What happens when a rollout fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RolloutFailure {
    /// Roll back to the previous release.
    #[default]
    Rollback,
    /// It is reported; nothing is changed.
    Report,
}

/// The parameter of a stack that a service's image is delivered through.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageParameter {
    /// The service.
    pub service: Key,
    /// The container.
    pub container: String,
}
