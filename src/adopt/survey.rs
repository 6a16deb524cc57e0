//! What was asked for, and what was seen.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    EnvName, HostedZone, ImageId, ImageState, RecordSet, Repository, ResourceState, RoleArn, Scope, SecretState,
    ServiceState, StackName, StackState, TableArn, TableName, TaskDefinitionState, VaultPlan,
};

/// What is to be adopted, and as what.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The environment that it becomes.
    pub environment: EnvName,
    /// Where it runs.
    pub scope: Scope,
    /// The role that the account is entered with, if it is not entered with the credentials at hand.
    pub role: Option<RoleArn>,
    /// The middle of `{env}-{system}-{name}`; worked out from the stacks' names where it is not given.
    pub system: Option<String>,
    /// Which stacks.
    pub which: Which,
}

/// Which stacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All of the account and region whose names begin so.
    All {
        /// The beginning; empty: all of them.
        prefix: String,
    },
    /// These.
    Named(BTreeSet<StackName>),
}

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// The stacks that are to be adopted.
    pub stacks: BTreeMap<StackName, FoundStack>,
    /// Services that those stacks made, or that run on their clusters.
    pub services: Vec<FoundService>,
    /// Secrets of the account and region.
    pub secrets: Vec<SecretState>,
    /// Backup plans of AWS Backup, where there are tables.
    pub plans: Vec<VaultPlan>,
    /// Hosted zones of the account.
    pub zones: Vec<FoundZone>,
    /// What was left out on the way here, or could not be read.
    pub left: Vec<Left>,
}

/// A stack, and what adoption needs to know of it beside what a listing says.
#[derive(Clone, Debug)]
pub struct FoundStack {
    /// What AWS says of it.
    pub state: StackState,
    /// Its template, as it was submitted.
    pub template: String,
    /// Its stack policy.
    pub policy: Option<String>,
    /// Its resources.
    pub resources: Vec<ResourceState>,
    /// Its `DynamoDB` tables.
    pub tables: BTreeMap<TableName, FoundTable>,
}

/// A table, as far as it is protected.
#[derive(Clone, Debug)]
pub struct FoundTable {
    /// Its ARN.
    pub arn: TableArn,
    /// How many days its point-in-time recovery goes back. `None`: it is off.
    pub recovery: Option<u16>,
    /// It is protected against deletion.
    pub protected: bool,
    /// Its tags, by which AWS Backup may select it.
    pub tags: BTreeMap<String, String>,
}

/// A service, what it runs, and whether that is in the registry.
#[derive(Clone, Debug)]
pub struct FoundService {
    /// What AWS says of it.
    pub state: ServiceState,
    /// Its task definition.
    pub definition: TaskDefinitionState,
    /// The images of its containers that ECR has, by what the task definition calls them.
    pub images: BTreeMap<String, ImageState>,
}

/// A hosted zone with its record sets.
#[derive(Clone, Debug)]
pub struct FoundZone {
    /// The zone.
    pub zone: HostedZone,
    /// What is in it.
    pub sets: Vec<RecordSet>,
}

/// Something that is not in the manifests, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Left {
    /// What.
    pub what: String,
    /// Why, as the end of a sentence.
    pub why: String,
    /// It was asked for, or could not be read: without it the result is partial.
    pub partial: bool,
}

impl Left {
    /// It is not for Landfast, or not now: said, and good so.
    #[must_use]
    pub fn aside(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into(), partial: false }
    }

    /// Without it the result is partial.
    #[must_use]
    pub fn missing(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into(), partial: true }
    }
}

/// The repository and the image that a task definition names, if that is in ECR:
/// `111122223333.dkr.ecr.us-east-1.amazonaws.com/app:1.0`.
#[must_use]
pub fn ecr_image(image: &str) -> Option<(Repository, ImageId)> {
    let (host, path) = image.split_once('/')?;
    let (account, rest) = host.split_once(".dkr.ecr.")?;
    rest.contains(".amazonaws.com").then_some(())?;
    let registry = Some(account.parse().ok()?);
    if let Some((name, digest)) = path.split_once('@') {
        // `name:tag@digest` is legal too, and the digest is what counts.
        let name = name.split(':').next().unwrap_or(name).to_owned();
        return Some((Repository { registry, name }, ImageId::Digest(digest.parse().ok()?)));
    }
    let (name, tag) = path.split_once(':').unwrap_or((path, "latest"));
    Some((Repository { registry, name: name.to_owned() }, ImageId::Tag(tag.to_owned())))
}
