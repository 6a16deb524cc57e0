//! The nouns: what is wanted, what was seen, what is remembered, what will be done.
//!
//! Every other room speaks in these words, so this is the place to start reading. Nothing here does
//! I/O, reads a clock or decides anything; a type may only make an illegal state unsayable.

mod aws;
mod backup;
mod broadening;
mod claim;
mod desired;
mod diagnosis;
mod difference;
mod digest;
mod dns;
mod domain;
mod drift;
mod ecs;
mod fact;
#[cfg(test)]
pub(crate) mod fixtures;
mod freeze;
mod gaps;
mod git;
mod git_address;
mod gone;
mod health;
mod hidden;
mod image;
mod key;
mod limits;
mod memory;
mod nearest;
mod notice;
mod observation;
mod pattern;
mod plan;
mod point;
mod preflight;
mod reach;
mod readiness;
mod record;
mod redacted;
mod rendered;
mod request;
mod review;
mod revision;
mod rollout;
mod secret;
mod service;
mod service_act;
mod signal;
mod small_map;
mod snapshot;
mod stack;
mod step;
mod table;
mod task;
mod template;
mod text;
mod traffic;
mod version;
mod window;

pub use aws::{
    AccountId, Address, AssumeRole, InvalidName, Region, RoleArn, Scope, StackAddress, StackName, partition,
};
pub use backup::{
    AlarmsRead, BackupDo, BackupMemory, BackupNeed, BackupNote, BackupSpec, BackupStep, BackupsSeen, BeginRestore,
    Comparison, CopyPoint, Counted, Coverage, CoveredTable, ExpirePoint, FailedRestore, ITEMS_TAG, InPlace, ItemCount,
    KeepSettings, LeftTable, LeftTables, MakeBackup, MakeWay, Noted, Objectives, PROFILE_TAG, PendingBackup,
    PendingCopy, PointMemory, PointName, PointsListed, ProfileSeen, Proof, ProtectTable, RESTORED_TAG, Replaced,
    Restore, RestoreDo, RestoreFrom, RestoreNote, RestoreStep, RestoreWhy, Retention, SLOT_TAG, Schedule, SetRecovery,
    Setting, TEST_PREFIX, TableMemory, TableSeen, TableSelection, TagCondition, TestedPoint, Tried, VaultCopy,
    VaultPlan, VaultRule, VaultSelection, VaultSpec, VerifySpec, WrongSchedule,
};
pub use broadening::{Access, Broadening};
pub use claim::{Claim, Claims, claims};
pub use desired::{
    Broaden, Budget, DeletionPolicy, Desired, Environment, GivenAt, Mode, OnFailure, Parameter, Place, Policy, Prune,
    Replace, StackSpec,
};
pub use diagnosis::{Ailment, Census, Choice, Diagnosis, Remedy};
pub use difference::Difference;
pub use digest::{Digest, Fingerprint, FingerprintKey, OnceDigest};
pub use dns::{
    ChangeId, HostedZone, RecordBatch, RecordChange, RecordContent, RecordDo, RecordMemory, RecordNeed,
    RecordOperation, RecordPlace, RecordSet, RecordStep, RecordVerb, RecordsOf, RecordsSeen, SetRouting, ZoneId,
    bare_zone,
};
pub use domain::{DOMAIN_MAX, DnsName, NO_DOMAIN};
pub use drift::{
    By, Compared, DRIFT_HISTORY, Deed, Detection, DetectionId, DetectionStatus, DriftAction, DriftLook, DriftMemory,
    DriftSeen, DriftStanding, FailedLook, Finding, FromParameter, PropertyDifference, PropertyDrift, REVERTS_KEPT,
    ResourceDrift, ResourceDriftStatus, ResourceState, Severity, StackDrift, Tolerance, Verdict, Writes, Written,
};
pub use ecs::{
    AlarmsState, CircuitBreakerState, ClusterArn, ContainerImage, DeploymentConfiguration, DeploymentController,
    DeploymentState, DeploymentStatus, DeploymentStrategy, MonitorStatus, RollbackState, RolloutState, ServiceArn,
    ServiceDeploymentArn, ServiceDeploymentState, ServiceDeploymentStatus, ServiceDeploymentSummary, ServiceEvent,
    ServiceRef, ServiceRevisionArn, ServiceRevisionState, ServiceState, ServiceStatus, StopDeployment, linear_minutes,
};
pub use freeze::{Freeze, FreezeScope, Thawed};
pub use gaps::{Gap, Gaps};
pub use git::{
    Feedback, ForgeKind, GIT_INTERVAL, GIT_TIMEOUT, GitCredentials, GitRef, GitSource, KnownHosts, SecretRef,
    SourceName, WebhookSecret, git_path,
};
pub use git_address::SshAddress;
pub use gone::{DeletedStack, GoneResource, GoneStack};
pub use health::{AlarmSeen, AlarmState, TargetHealth, TargetState};
pub use hidden::{is_likely_secret, names_secret};
pub use image::{ImageId, ImageManifest, ImageState, Platform, Repository};
pub use key::{EnvName, Key, Kind, ObjectName};
pub use limits::{Cut, Limits};
pub use memory::{
    Applied, Attempts, Before, Conclusion, Failure, Memory, ObjectMemory, Objects, Operation, OperationKind, Prepared,
    Remembered, Settled, Shared, Skipped, Spent, StackMemory, Taken, Watched, Working,
};
pub use nearest::nearest;
pub use notice::{Alert, Destination, Notice, NoticeForm, NoticeKind, Parcel, Phase, Symptom, Urgency};
pub use observation::{Bucket, ChangeSets, Need, Observation, ObservedStack, Seen, StackNeed, Unknown};
pub use pattern::{anywhere, like, whole};
pub use plan::{Action, Basis, Changes, Consent, Entry, Grant, Guard, Plan, Refusal, Waiting};
pub use point::{JobId, JobState, PointId, PointKeeper, PointStatus, RecoveryPoint, VaultJob, VaultName};
pub use preflight::{Certificate, Met, Prerequisite, Principal, QuotaState, TypeFacts, UsageMetric};
pub use reach::{Reach, Server};
pub use readiness::{
    Check, CheckAnswer, CheckNeed, CheckOutcome, CheckStanding, ChecksSeen, HttpProbe, HttpRequest, Readiness,
    ReadinessMemory, Tls,
};
pub use record::{FailoverRole, RecordSpec, RecordType, RecordValue, Routing};
pub use redacted::Redacted;
pub use rendered::{Rendered, RenderedValue, ValueSource};
pub use request::{Declined, Granted, Request, Wish};
pub use review::{ApprovalRules, Approver, REVIEW_NAMESPACE, Review, ReviewVerdict, SshKey, Statement, Submission};
pub use revision::{Ancestry, Revision, short_commit};
pub use rollout::{
    Decision, Doom, Ended, Evidence, Pin, Quarantined, RELEASES_KEPT, Release, Restart, Rollout, RolloutCause,
    RolloutOutcome, ServiceMemory, digests,
};
pub use secret::{
    AWSCURRENT, AWSPENDING, AWSPREVIOUS, AppliedValue, Binding, Charset, CheckedSettings, ConsumerCheck,
    FailedRotation, GeneratedField, Make, OWNER_TAG, ReplicaState, ReplicaStatus, RotationMemory, RotationSpec,
    SealedFile, SecretArn, SecretDo, SecretExpect, SecretFields, SecretMemory, SecretNeed, SecretSource, SecretSpec,
    SecretState, SecretStep, SecretsSeen, VALUE_MAX, ValueFacts, VersionId,
};
pub use service::{
    Delivery, ImageDigest, ImageParameter, ImageSpec, MovedTag, NewestBy, PassedOver, RolloutFailure, RolloutSpec,
    Select, ServiceSpec,
};
pub use service_act::{Deployed, Primary, ServiceDo, ServiceNeed, ServiceStep, ServicesSeen, TasksSeen};
pub use signal::{EventQueue, QueueState, Signal, Subject};
pub use small_map::SmallMap;
pub use snapshot::{FileContent, Passed, Snapshot, beside};
pub use stack::{
    ChangeAction, ChangeContext, ChangeSetId, ChangeSetInputs, ChangeSetName, ChangeSetState, ChangeSetStatus,
    ChangeSetSummary, Contained, DeploymentMode, LastOperation, NESTED_STACK, Output, Replacement, ResourceChange,
    StackEvent, StackId, StackState, StackStatus, StackVersion, ValueChange,
};
pub use step::{Act, Do, Expect, Inputs, StackDo, StackOptions, StackStep, Step, Value};
pub use table::{
    AlarmDefinition, Billing, ContinuousBackups, Item, ItemKey, KeyType, OnDemandLimits, RestoreOrigin, ScalingPolicy,
    ScalingTarget, StreamView, TableArn, TableClass, TableId, TableIndex, TableKey, TableName, TableProfile,
    TableState, TableStatus, TimeToLive, Unread,
};
pub use task::{
    ContainerDefinition, ContainerState, LogConfiguration, LogLine, LogStream, RuntimePlatform, TaskArn,
    TaskDefinitionArn, TaskDefinitionState, TaskDefinitionStatus, TaskHealth, TaskState, TaskStatus,
};
pub use template::{
    NeededCapability, Size, Template, TemplateFacts, TemplateOutput, TemplateParameter, TemplateResource,
};
pub use text::{OutputRef, Part, Text};
pub use traffic::{
    AlarmRule, HealthCheck, Metric, Serving, TRAFFIC_NAMESPACE, TrafficOrder, TrafficProblem, TrafficSeen,
    TrafficVerdict, WatchedAlarm,
};
pub use version::{InvalidRange, VersionRange, nearest_version_of, version_of};
pub use window::{When, Window, Windows};
