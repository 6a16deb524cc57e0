//! The operations that are called, and how often each may be called until AWS says more about it.

use std::time::Duration;

/// One API operation. AWS limits each on its own, by account and region.
#[derive(Debug)]
pub(super) struct Api {
    /// As AWS names it.
    pub(super) operation: &'static str,
    /// Calls per second to begin with.
    pub(super) rate: f64,
    /// Calls that may come at once after a pause.
    pub(super) burst: f64,
    /// Calls per second that are never exceeded, however well it goes.
    pub(super) ceiling: f64,
    /// How long one attempt may take.
    pub(super) deadline: Duration,
    /// It begins an operation on a stack.
    pub(super) begins: bool,
}

/// An answer to a read that takes longer is not coming: the slowest reads (a page of change set changes) take a second
/// or two.
const READ: Duration = Duration::from_secs(15);
/// A change is not sent again when it gets no answer, so it is given longer.
const CHANGE: Duration = Duration::from_secs(30);

const fn read(operation: &'static str, rate: f64, ceiling: f64) -> Api {
    Api { operation, rate, burst: rate, ceiling, deadline: READ, begins: false }
}

/// A read of `CloudFormation`. AWS publishes none of its rates (AWS: *`CloudFormation` quotas*); what users report are
/// buckets of tokens, as EC2 documents them (AWS: *Request throttling for the Amazon EC2 API*): they take many calls at
/// once, and a few a second after that.
const fn stack_read(operation: &'static str, rate: f64, burst: f64, ceiling: f64) -> Api {
    Api { operation, rate, burst, ceiling, deadline: READ, begins: false }
}

const fn change(operation: &'static str) -> Api {
    // AWS's support names five creations within one second of a throttled job of 17 stacks, each of them polled as well
    // (Sceptre/sceptre#910). What was throttled is not said. Eight at once and four a second are a choice: while none is
    // throttled the rate doubles, and one that is throttled is sent again.
    Api { operation, rate: 4.0, burst: 8.0, ceiling: 40.0, deadline: CHANGE, begins: false }
}

const fn begins(operation: &'static str) -> Api {
    Api { begins: true, ..change(operation) }
}

// STS shares 600 requests per second and account with all other callers (AWS: *IAM and STS quotas*); one call per
// door is needed, so this is only a bound.
pub(super) const CALLER: Api = read("GetCallerIdentity", 10.0, 50.0);
// The only figure that users report for CloudFormation: 5 per second, not raisable (aws-sam-cli#2671). The ceiling
// allows for accounts that have more.
pub(super) const DESCRIBE_STACKS: Api = stack_read("DescribeStacks", 5.0, 10.0, 20.0);
// For the other reads nothing is reported. They are asked in bulk, once: a template for each stack when there is no
// journal. What AWS gives less is learned.
pub(super) const LIST_STACKS: Api = stack_read("ListStacks", 5.0, 10.0, 20.0);
pub(super) const GET_TEMPLATE: Api = stack_read("GetTemplate", 10.0, 40.0, 40.0);
pub(super) const GET_STACK_POLICY: Api = stack_read("GetStackPolicy", 5.0, 20.0, 20.0);
pub(super) const DESCRIBE_EVENTS: Api = stack_read("DescribeStackEvents", 5.0, 10.0, 20.0);
pub(super) const LIST_CHANGE_SETS: Api = stack_read("ListChangeSets", 5.0, 10.0, 20.0);
pub(super) const DESCRIBE_CHANGE_SET: Api = stack_read("DescribeChangeSet", 5.0, 10.0, 20.0);
pub(super) const LIST_IMPORTS: Api = stack_read("ListImports", 5.0, 10.0, 20.0);
// Asked once for a preflight, a few dozen calls each; nothing is published, so the same care as for CloudFormation.
pub(super) const DESCRIBE_TYPE: Api = read("DescribeType", 5.0, 20.0);
pub(super) const SIMULATE_POLICY: Api = read("SimulatePrincipalPolicy", 2.0, 10.0);
pub(super) const LIST_RESOURCES: Api = read("ListResources", 2.0, 10.0);
pub(super) const GET_RESOURCE: Api = read("GetResource", 2.0, 10.0);
pub(super) const GET_SERVICE_QUOTA: Api = read("GetServiceQuota", 2.0, 10.0);
// ACM: 10 per second for `DescribeCertificate` (AWS: *ACM quotas*).
pub(super) const DESCRIBE_CERTIFICATE: Api = read("DescribeCertificate", 5.0, 10.0);

// Drift has the lowest priority of all; a detection reads every resource of a stack through its handler.
pub(super) const DETECT_DRIFT: Api = read("DetectStackDrift", 1.0, 5.0);
pub(super) const DETECT_RESOURCE_DRIFT: Api = read("DetectStackResourceDrift", 1.0, 5.0);
pub(super) const DESCRIBE_RESOURCES: Api = read("DescribeStackResources", 2.0, 10.0);
pub(super) const DETECTION_STATUS: Api = read("DescribeStackDriftDetectionStatus", 2.0, 10.0);
pub(super) const LIST_STACK_RESOURCES: Api = read("ListStackResources", 5.0, 20.0);
pub(super) const RESOURCE_DRIFTS: Api = read("DescribeStackResourceDrifts", 2.0, 10.0);

// "The rate of lookup requests is limited to two per second, per account, per Region" (AWS: *`LookupEvents`*).
pub(super) const LOOKUP_EVENTS: Api = read("LookupEvents", 2.0, 2.0);

// "A maximum of five times per second" (AWS: *`DynamoDB` `ListBackups`*).
pub(super) const LIST_BACKUPS: Api = read("ListBackups", 5.0, 5.0);

pub(super) const CREATE_STACK: Api = begins("CreateStack");
pub(super) const CREATE_CHANGE_SET: Api = change("CreateChangeSet");
pub(super) const EXECUTE_CHANGE_SET: Api = begins("ExecuteChangeSet");
pub(super) const DELETE_CHANGE_SET: Api = change("DeleteChangeSet");
pub(super) const DELETE_STACK: Api = begins("DeleteStack");
pub(super) const CANCEL_UPDATE: Api = change("CancelUpdateStack");
pub(super) const CONTINUE_ROLLBACK: Api = change("ContinueUpdateRollback");
pub(super) const TERMINATION_PROTECTION: Api = change("UpdateTerminationProtection");
pub(super) const SET_STACK_POLICY: Api = change("SetStackPolicy");
// S3 takes 3,500 writes per second and prefix (AWS: *S3, best practices design patterns*): only a bound.
pub(super) const PUT_OBJECT: Api =
    Api { operation: "PutObject", rate: 10.0, burst: 10.0, ceiling: 50.0, deadline: CHANGE, begins: false };
pub(super) const HEAD_OBJECT: Api = read("HeadObject", 10.0, 50.0);
pub(super) const BUCKET_VERSIONING: Api = read("GetBucketVersioning", 5.0, 20.0);
pub(super) const BUCKET_ENCRYPTION: Api = read("GetBucketEncryption", 5.0, 20.0);
// 40 per second, together with its siblings (AWS: *Systems Manager quotas*, throughput of Parameter Store).
pub(super) const GET_PARAMETERS: Api = read("GetParameters", 5.0, 20.0);
pub(super) const GET_OBJECT: Api = read("GetObject", 10.0, 50.0);
pub(super) const DELETE_OBJECT: Api =
    Api { operation: "DeleteObject", rate: 10.0, burst: 10.0, ceiling: 50.0, deadline: CHANGE, begins: false };
// And 5,500 reads (AWS: the same page).
pub(super) const LIST_OBJECTS: Api = read("ListObjectsV2", 10.0, 50.0);

// "All requests: five requests per second per AWS account" (AWS: *Route 53 quotas*), whichever they are: one name, and
// so one queue, for all of them.
pub(super) const ROUTE53: Api = read("Route53", 5.0, 5.0);
pub(super) const ROUTE53_CHANGE: Api =
    Api { operation: "Route53", rate: 5.0, burst: 5.0, ceiling: 5.0, deadline: CHANGE, begins: false };
// AWS publishes these (AWS: *Secrets Manager quotas*): `DescribeSecret` and `GetSecretValue` together 10,000 per second,
// `ListSecrets` 100, the others 50 together or each. They are shared with every consumer in the account, so that we
// begin far below.
pub(super) const LIST_SECRETS: Api = read("ListSecrets", 10.0, 50.0);
pub(super) const DESCRIBE_SECRET: Api = read("DescribeSecret", 40.0, 500.0);
pub(super) const GET_SECRET_VALUE: Api = read("GetSecretValue", 20.0, 200.0);
pub(super) const GET_SECRET_POLICY: Api = read("GetResourcePolicy", 10.0, 25.0);

const fn secret(operation: &'static str) -> Api {
    Api { operation, rate: 5.0, burst: 5.0, ceiling: 25.0, deadline: CHANGE, begins: false }
}

pub(super) const CREATE_SECRET: Api = secret("CreateSecret");
pub(super) const PUT_SECRET_VALUE: Api = secret("PutSecretValue");
pub(super) const UPDATE_SECRET: Api = secret("UpdateSecret");
pub(super) const MOVE_SECRET_LABEL: Api = secret("UpdateSecretVersionStage");
pub(super) const TAG_SECRET: Api = secret("TagResource");
pub(super) const UNTAG_SECRET: Api = secret("UntagResource");
pub(super) const PUT_SECRET_POLICY: Api = secret("PutResourcePolicy");
pub(super) const REPLICATE_SECRET: Api = secret("ReplicateSecretToRegions");
pub(super) const REMOVE_SECRET_REPLICAS: Api = secret("RemoveRegionsFromReplication");
pub(super) const DELETE_SECRET: Api = secret("DeleteSecret");
pub(super) const RESTORE_SECRET: Api = secret("RestoreSecret");
// ECS says how often its actions may be called, in groups that share a bucket (AWS: *Request throttling for the Amazon
// ECS API*). The ceiling is what the group may sustain; where two of the group are called here, they share it.
// Service read actions: 20.
pub(super) const DESCRIBE_SERVICES: Api = read("DescribeServices", 10.0, 20.0);
// Of the same group, and asked by adoption alone.
pub(super) const LIST_SERVICES: Api = read("ListServices", 4.0, 10.0);
// Task definition read actions: 20.
pub(super) const DESCRIBE_TASK_DEFINITION: Api = read("DescribeTaskDefinition", 8.0, 14.0);
pub(super) const LIST_TASK_DEFINITIONS: Api = read("ListTaskDefinitions", 4.0, 6.0);
// Service deployment actions: 20.
pub(super) const LIST_SERVICE_DEPLOYMENTS: Api = read("ListServiceDeployments", 5.0, 10.0);
pub(super) const DESCRIBE_SERVICE_DEPLOYMENTS: Api = read("DescribeServiceDeployments", 5.0, 10.0);
// Service revision actions: 20.
pub(super) const DESCRIBE_SERVICE_REVISIONS: Api = read("DescribeServiceRevisions", 10.0, 20.0);
// Cluster read actions: 20.
pub(super) const LIST_CLUSTERS: Api = read("ListClusters", 4.0, 10.0);
// Cluster resource read actions: 20.
pub(super) const LIST_TASKS: Api = read("ListTasks", 5.0, 10.0);
pub(super) const DESCRIBE_TASKS: Api = read("DescribeTasks", 5.0, 10.0);
// Task definition modify actions: 1, and 20 at once.
pub(super) const REGISTER_TASK_DEFINITION: Api = paced("RegisterTaskDefinition", 0.7, 1.0);
pub(super) const DEREGISTER_TASK_DEFINITION: Api = paced("DeregisterTaskDefinition", 0.3, 1.0);
// Service modify actions: 5.
pub(super) const UPDATE_SERVICE: Api = paced("UpdateService", 2.0, 5.0);
// In none of the groups: taken to be like a modification of a service.
pub(super) const STOP_SERVICE_DEPLOYMENT: Api = paced("StopServiceDeployment", 2.0, 5.0);
// Tag modify actions: 10.
pub(super) const TAG_RESOURCE: Api = paced("TagResource", 2.0, 10.0);
// 2,000 for images that are pulled (AWS: *Amazon ECR service quotas*): only a bound. For descriptions nothing is said.
pub(super) const DESCRIBE_IMAGES: Api = read("DescribeImages", 10.0, 20.0);
pub(super) const BATCH_GET_IMAGE: Api = read("BatchGetImage", 10.0, 50.0);
// 3,000 (the same page), for the layers of what is pulled.
pub(super) const GET_DOWNLOAD_URL_FOR_LAYER: Api = read("GetDownloadUrlForLayer", 10.0, 50.0);
// 25, and 10 in some regions (AWS: *CloudWatch Logs quotas*).
pub(super) const GET_LOG_EVENTS: Api = read("GetLogEvents", 5.0, 10.0);
// 9 (AWS: *CloudWatch service quotas*).
pub(super) const DESCRIBE_ALARMS: Api = read("DescribeAlarms", 4.0, 9.0);
// 500 (the same page). What moves traffic is one value a minute for each pair of records. Whoever waits for it waits for
// traffic: an attempt that gets no answer is given up soon, and the next one follows.
pub(super) const PUT_METRIC_DATA: Api = Api {
    operation: "PutMetricData",
    rate: 20.0,
    burst: 20.0,
    ceiling: 100.0,
    deadline: Duration::from_secs(5),
    begins: false,
};
// 400 (the same page).
pub(super) const GET_METRIC_STATISTICS: Api = read("GetMetricStatistics", 5.0, 20.0);
// Not published.
pub(super) const DESCRIBE_TARGET_HEALTH: Api = read("DescribeTargetHealth", 5.0, 20.0);
// `DynamoDB` says of some of its calls how often they may come, on each call's own page; of the others nothing, and they
// get the care that `CloudFormation`'s get. Names that Secrets Manager or ECS have too are told apart by the service's.
pub(super) const LIST_TABLES: Api = read("ListTables", 5.0, 20.0);
// Its quota counts capacity (2,500 units a second; AWS: *`DynamoDB` quotas*), of which a description takes one or two.
pub(super) const DESCRIBE_TABLE: Api = read("DescribeTable", 10.0, 50.0);
// 10 (AWS: *`DescribeContinuousBackups`*).
pub(super) const DESCRIBE_CONTINUOUS_BACKUPS: Api = read("DescribeContinuousBackups", 5.0, 10.0);
pub(super) const DESCRIBE_TIME_TO_LIVE: Api = read("DescribeTimeToLive", 5.0, 20.0);
pub(super) const DESCRIBE_STREAMS_TO: Api = read("DescribeKinesisStreamingDestination", 5.0, 10.0);
pub(super) const DESCRIBE_INSIGHTS: Api = read("DescribeContributorInsights", 5.0, 10.0);
// 10 (AWS: *`ListTagsOfResource`*).
pub(super) const LIST_TABLE_TAGS: Api = read("ListTagsOfResource", 5.0, 10.0);
pub(super) const GET_TABLE_POLICY: Api = read("DynamoDB.GetResourcePolicy", 5.0, 10.0);
// Two calls each time (AWS: *Application Auto Scaling API throttling*, where no figure is given).
pub(super) const DESCRIBE_SCALING: Api = read("DescribeScalableTargets", 2.0, 5.0);
// 10 (AWS: *`DescribeBackup`*).
pub(super) const DESCRIBE_BACKUP: Api = read("DescribeBackup", 5.0, 10.0);
// What reads of items cost is capacity of the table, which is its users': a few pages each, and no more.
pub(super) const SCAN: Api = read("Scan", 2.0, 5.0);
pub(super) const BATCH_GET_ITEM: Api = read("BatchGetItem", 2.0, 5.0);
pub(super) const UPDATE_CONTINUOUS_BACKUPS: Api = paced("UpdateContinuousBackups", 2.0, 10.0);
pub(super) const UPDATE_TABLE: Api = paced("UpdateTable", 2.0, 10.0);
pub(super) const UPDATE_TIME_TO_LIVE: Api = paced("UpdateTimeToLive", 2.0, 10.0);
// 5 in an account (AWS: *`DynamoDB`, `TagResource`*).
pub(super) const TAG_TABLE: Api = paced("DynamoDB.TagResource", 2.0, 5.0);
pub(super) const PUT_TABLE_POLICY: Api = paced("DynamoDB.PutResourcePolicy", 2.0, 10.0);
pub(super) const PUT_SCALING: Api = paced("RegisterScalableTarget", 1.0, 5.0);
// 3 (AWS: *CloudWatch service quotas*).
pub(super) const PUT_ALARM: Api = paced("PutMetricAlarm", 1.0, 3.0);
// 50 (AWS: *`CreateBackup`*).
pub(super) const CREATE_BACKUP: Api = paced("CreateBackup", 5.0, 50.0);
// 10 (AWS: *`DeleteBackup`*).
pub(super) const DELETE_BACKUP: Api = paced("DeleteBackup", 5.0, 10.0);
// 10 each (AWS: *`RestoreTableFromBackup`*, *`RestoreTableToPointInTime`*); fifty may run at once.
pub(super) const RESTORE_BACKUP: Api = paced("RestoreTableFromBackup", 2.0, 10.0);
pub(super) const RESTORE_TO_TIME: Api = paced("RestoreTableToPointInTime", 2.0, 10.0);
pub(super) const DELETE_TABLE: Api = paced("DeleteTable", 2.0, 10.0);
// AWS Backup publishes how many jobs and copies may run, and not how often it may be called (AWS: *AWS Backup quotas*).
pub(super) const LIST_POINTS: Api = read("ListRecoveryPointsByBackupVault", 2.0, 10.0);
pub(super) const LIST_POINT_TAGS: Api = read("Backup.ListTags", 2.0, 10.0);
pub(super) const RESTORE_METADATA: Api = read("GetRecoveryPointRestoreMetadata", 2.0, 10.0);
pub(super) const DESCRIBE_BACKUP_JOB: Api = read("DescribeBackupJob", 5.0, 20.0);
pub(super) const DESCRIBE_COPY_JOB: Api = read("DescribeCopyJob", 5.0, 20.0);
pub(super) const DESCRIBE_RESTORE_JOB: Api = read("DescribeRestoreJob", 5.0, 20.0);
pub(super) const LIST_PLANS: Api = read("ListBackupPlans", 2.0, 10.0);
pub(super) const GET_PLAN: Api = read("GetBackupPlan", 2.0, 10.0);
pub(super) const LIST_SELECTIONS: Api = read("ListBackupSelections", 2.0, 10.0);
pub(super) const GET_SELECTION: Api = read("GetBackupSelection", 2.0, 10.0);
pub(super) const START_BACKUP_JOB: Api = paced("StartBackupJob", 1.0, 5.0);
pub(super) const START_COPY_JOB: Api = paced("StartCopyJob", 1.0, 5.0);
pub(super) const START_RESTORE_JOB: Api = paced("StartRestoreJob", 1.0, 5.0);
pub(super) const DELETE_POINT: Api = paced("DeleteRecoveryPoint", 1.0, 5.0);

const fn paced(operation: &'static str, rate: f64, ceiling: f64) -> Api {
    Api { operation, rate, burst: rate, ceiling, deadline: CHANGE, begins: false }
}
