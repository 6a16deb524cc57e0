//! Events of AWS: where something may have changed, and nothing to act on.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::{Deed, RecordsOf, Scope};

/// An event that AWS has sent. It says where to look and decides nothing: one that is forged, repeated, late or lost costs
/// calls or time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Its id: the same one where it is delivered again.
    pub id: String,
    /// When what it tells of happened, by AWS's clock.
    pub at: Timestamp,
    /// The account and region that it is from.
    pub scope: Scope,
    /// What it is about; none: nothing that Landfast looks at.
    pub about: Vec<Subject>,
    /// Who did it, where the event is a call that CloudTrail has recorded.
    pub deed: Option<Deed>,
}

/// What an event is about, by the name that AWS uses in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Nothing but that events arrive from this account and region: a rule sends one each minute.
    Heartbeat,
    /// A stack, by name.
    Stack(String),
    /// An ECS service, by the names of its cluster and its own.
    Service {
        /// The cluster's name.
        cluster: String,
        /// The service's name.
        service: String,
    },
    /// An ECR repository, by name.
    Repository(String),
    /// A secret, by name or ARN.
    Secret(String),
    /// A hosted zone, by id without a prefix.
    Zone(String),
    /// A record set of a hosted zone. The zone is named beside it.
    Record {
        /// The zone's id, without a prefix.
        zone: String,
        /// Name and type.
        of: RecordsOf,
        /// Its set identifier, where there are several of this name and type.
        set: Option<String>,
    },
    /// A DynamoDB table, by name.
    Table(String),
    /// A job or a recovery point of AWS Backup for a table, by the table's name.
    Backup(String),
    /// A `CloudWatch` alarm, by name.
    Alarm(String),
    /// Any resource, by its physical id in a stack: a name, an id or an ARN.
    Resource(String),
}

impl Subject {
    /// Whether it is a resource of this name, id or ARN.
    #[must_use]
    pub fn is_named(&self, physical_id: &str) -> bool {
        match self {
            Self::Secret(name)
            | Self::Repository(name)
            | Self::Zone(name)
            | Self::Table(name)
            | Self::Alarm(name)
            | Self::Resource(name) => name == physical_id,
            Self::Service { service, .. } => physical_id.rsplit('/').next() == Some(service),
            Self::Heartbeat | Self::Stack(_) | Self::Record { .. } | Self::Backup(_) => false,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heartbeat => f.write_str("heartbeat"),
            Self::Stack(name) => write!(f, "stack {name}"),
            Self::Service { cluster, service } => write!(f, "service {cluster}/{service}"),
            Self::Repository(name) => write!(f, "repository {name}"),
            Self::Secret(name) => write!(f, "secret {name}"),
            Self::Zone(id) => write!(f, "hosted zone {id}"),
            Self::Record { zone, of, set } => {
                write!(f, "record {} {}", of.kind, of.name)?;
                set.as_ref().map_or(Ok(()), |set| write!(f, " ({set})"))?;
                write!(f, " in hosted zone {zone}")
            }
            Self::Table(name) => write!(f, "table {name}"),
            Self::Backup(table) => write!(f, "backup of table {table}"),
            Self::Alarm(name) => write!(f, "alarm {name}"),
            Self::Resource(id) => write!(f, "resource {id}"),
        }
    }
}

/// The queue of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventQueue {
    /// Its URL: `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`.
    pub url: String,
    /// Its account and region.
    pub scope: Scope,
}

/// How a queue is set up, as far as it matters (AWS: *`GetQueueAttributes`*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueState {
    /// Its ARN.
    pub arn: String,
    /// Messages that wait, about.
    pub waiting: u64,
    /// The KMS key that encrypts it: an ARN, an id or an alias; none: SQS's own encryption, or none.
    pub kms_key: Option<String>,
    /// The dead-letter queue, and how often a message is received before it goes there.
    pub dead_letter: Option<(String, u32)>,
    /// How long messages stay in it.
    pub keeps: Duration,
}
