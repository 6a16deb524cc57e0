//! An environment's policy, with the defaults for what it does not say.

use std::collections::BTreeSet;
use std::time::Duration;

use super::document::PolicySpec;
use crate::model::{Budget, Policy, whole};

/// Resource types that hold state which a new resource of the same description does not have. Log groups and image
/// repositories are among them: nobody gets their contents back either.
pub(super) const STATEFUL: [&str; 41] = [
    "AWS::Backup::BackupVault",
    "AWS::Cassandra::Keyspace",
    "AWS::Cassandra::Table",
    "AWS::Cognito::UserPool",
    "AWS::DocDB::DBCluster",
    "AWS::DocDB::DBInstance",
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::EC2::Volume",
    "AWS::ECR::PublicRepository",
    "AWS::ECR::Repository",
    "AWS::EFS::FileSystem",
    "AWS::ElastiCache::CacheCluster",
    "AWS::ElastiCache::GlobalReplicationGroup",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::ElastiCache::ServerlessCache",
    "AWS::Elasticsearch::Domain",
    "AWS::FSx::FileSystem",
    "AWS::KMS::Key",
    "AWS::KMS::ReplicaKey",
    "AWS::Kinesis::Stream",
    "AWS::Logs::LogGroup",
    "AWS::MSK::Cluster",
    "AWS::MSK::ServerlessCluster",
    "AWS::MemoryDB::Cluster",
    "AWS::Neptune::DBCluster",
    "AWS::Neptune::DBInstance",
    "AWS::OpenSearchServerless::Collection",
    "AWS::OpenSearchService::Domain",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::RDS::GlobalCluster",
    "AWS::Redshift::Cluster",
    "AWS::RedshiftServerless::Namespace",
    "AWS::Route53::HostedZone",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
    "AWS::Timestream::Database",
    "AWS::Timestream::InfluxDBInstance",
    "AWS::Timestream::Table",
];

/// Any name.
const ANY_NAME: &str = ".*";

/// The policy that a document asks for. Fields that make no sense are returned as path and reason.
pub(super) fn policy(spec: &PolicySpec) -> Result<Policy, Vec<(Vec<&'static str>, String)>> {
    let mut wrong = Vec::new();
    let budget = &spec.budget;
    let per = duration(budget.per.as_deref(), Duration::from_hours(1))
        .map_err(|why| wrong.push((vec!["spec", "policy", "budget", "per"], why)));
    let backup_max_age = duration(spec.backup_max_age.as_deref(), Duration::from_hours(24))
        .map_err(|why| wrong.push((vec!["spec", "policy", "backupMaxAge"], why)));
    let drift_every =
        drift_every(spec.drift_every.as_deref()).map_err(|why| wrong.push((vec!["spec", "policy", "driftEvery"], why)));
    let stack_name = spec.stack_name.clone().unwrap_or_else(|| ANY_NAME.to_owned());
    if whole(&stack_name).is_err() {
        wrong.push((vec!["spec", "policy", "stackName"], format!("`{stack_name}` is not a regular expression")));
    }
    let (Ok(per), Ok(backup_max_age), Ok(drift_every), true) = (per, backup_max_age, drift_every, wrong.is_empty())
    else {
        return Err(wrong);
    };
    let mut stateful_types: BTreeSet<String> = STATEFUL.iter().map(|kind| (*kind).to_owned()).collect();
    stateful_types.extend(spec.stateful_types.add.iter().cloned());
    for kind in &spec.stateful_types.remove {
        stateful_types.remove(kind);
    }
    Ok(Policy {
        mode: spec.mode,
        prune: spec.prune,
        replace: spec.replace,
        broaden: spec.broaden,
        budget: Budget {
            stacks: budget.stacks.unwrap_or(50),
            replacements: budget.replacements.unwrap_or(0),
            deletions: budget.deletions.unwrap_or(0),
            per,
        },
        stack_name,
        required_tags: spec.required_tags.iter().cloned().collect(),
        stateful_types,
        stateless_types: spec.stateful_types.remove.iter().cloned().collect(),
        backup_max_age,
        drift: spec.drift,
        drift_every,
    })
}

/// How often stacks are checked for drift by default. A detection reads every resource of a stack through its
/// service, from rates that consumers share: four times a day finds what was forgotten, and costs little.
const DRIFT_EVERY: Duration = Duration::from_hours(6);

/// A detection takes minutes: to ask more often is to ask all the time.
const DRIFT_EVERY_MIN: Duration = Duration::from_mins(10);

fn drift_every(text: Option<&str>) -> Result<Option<Duration>, String> {
    if text == Some("off") {
        return Ok(None);
    }
    let every = duration(text, DRIFT_EVERY).map_err(|why| format!("{why}, or `off`"))?;
    if every < DRIFT_EVERY_MIN {
        return Err("a detection takes minutes: the minimum interval is 10m".to_owned());
    }
    Ok(Some(every))
}

fn duration(text: Option<&str>, default: Duration) -> Result<Duration, String> {
    text.map_or(Ok(default), parse_duration)
}

/// A duration as people write it.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            format!("`{text}` has no unit: write `{text}s`, `{text}m`, `{text}h` or `{text}d`")
        } else {
            format!("`{text}` is not a duration such as 15m, 1h or 7d")
        }
    })
}

/// How an X25519 recipient looks (<https://age-encryption.org/v1>).
pub(super) fn is_recipient(text: &str) -> bool {
    text.parse::<age::x25519::Recipient>().is_ok()
}
