//! The actions that Landfast calls, by what it calls them for.
//!
//! A test holds this table against the operations of the SDK adapters and against the documentation, so that neither a
//! permission that is missing nor one that nobody needs is found out by a call that is refused at night.

use std::collections::BTreeSet;

use crate::model::{
    Check, Delivery, DriftAction, Environment, FailoverRole, Plan, RecordSpec, RotationSpec, Routing, Scope, StackSpec,
    TemplateParameter,
};

/// What an action is called for. An environment that does not do this does not need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Stacks, and whatever else an environment holds.
    Stacks,
    /// Templates that are too large to be sent with a request.
    Uploads,
    /// A service role is handed to a stack.
    Roles,
    /// Parameters of stacks whose value stands in Parameter Store.
    Stored,
    /// Detecting what has drifted inside stacks, and who did it.
    Drift,
    /// Following the images of services.
    Services,
    /// Deploying a service that no stack owns.
    Deployments,
    /// Restarting services after a rotation.
    Restarts,
    /// Secrets.
    Secrets,
    /// Secrets under a key of their own.
    Keys,
    /// DNS records.
    Records,
    /// Sending the traffic of failover records to one region or the other.
    Traffic,
    /// Readiness checks on load balancers.
    Targets,
    /// Readiness checks on alarms.
    Alarms,
    /// Protecting and backing up tables.
    Backups,
    /// Settings of tables that are kept in a bucket, beside their recovery points.
    Settings,
    /// Copies of recovery points, through AWS Backup.
    Copies,
    /// Restoring tables, tried or asked for, and giving them their settings again.
    Restores,
    /// Leaving drift reports in a bucket.
    Reports,
    /// Receiving events, with the credentials of the process: no environment's role needs it.
    Events,
}

/// Everything that is called for a purpose (AWS: *Service Authorization Reference*). What the resources of stacks need is
/// not here: AWS's registry says that of each type.
const ACTIONS: [(Purpose, &[&str]); 20] = [
    (
        Purpose::Stacks,
        &[
            "cloudformation:CancelUpdateStack",
            "cloudformation:ContinueUpdateRollback",
            "cloudformation:CreateChangeSet",
            "cloudformation:CreateStack",
            "cloudformation:DeleteChangeSet",
            "cloudformation:DeleteStack",
            "cloudformation:DescribeChangeSet",
            "cloudformation:DescribeStackEvents",
            "cloudformation:DescribeStackResources",
            "cloudformation:DescribeStacks",
            "cloudformation:ExecuteChangeSet",
            "cloudformation:GetStackPolicy",
            "cloudformation:GetTemplate",
            "cloudformation:ListChangeSets",
            "cloudformation:ListImports",
            "cloudformation:ListStackResources",
            "cloudformation:ListStacks",
            "cloudformation:SetStackPolicy",
            "cloudformation:TagResource",
            "cloudformation:UntagResource",
            "cloudformation:UpdateTerminationProtection",
            "dynamodb:DescribeTable",
            "dynamodb:ListBackups",
        ],
    ),
    // CloudFormation reads it with the caller's permissions.
    (
        Purpose::Uploads,
        &[
            "s3:DeleteObjectVersion",
            "s3:GetBucketVersioning",
            "s3:GetObject",
            "s3:GetObjectVersion",
            "s3:ListBucket",
            "s3:PutObject",
        ],
    ),
    (Purpose::Roles, &["iam:PassRole"]),
    (Purpose::Stored, &["ssm:GetParameters"]),
    (
        Purpose::Drift,
        &[
            "cloudformation:DescribeStackDriftDetectionStatus",
            "cloudformation:DescribeStackResourceDrifts",
            "cloudformation:DetectStackDrift",
            "cloudformation:DetectStackResourceDrift",
            "cloudtrail:LookupEvents",
        ],
    ),
    (
        Purpose::Services,
        &[
            "ecr:BatchGetImage",
            "ecr:DescribeImages",
            "ecr:GetDownloadUrlForLayer",
            "ecs:DescribeServiceDeployments",
            "ecs:DescribeServiceRevisions",
            "ecs:DescribeServices",
            "ecs:DescribeTaskDefinition",
            "ecs:DescribeTasks",
            "ecs:ListServiceDeployments",
            "ecs:ListTasks",
            "elasticloadbalancing:DescribeTargetHealth",
            "logs:GetLogEvents",
        ],
    ),
    (
        Purpose::Deployments,
        &[
            "ecs:DeregisterTaskDefinition",
            "ecs:ListTaskDefinitions",
            "ecs:RegisterTaskDefinition",
            "ecs:StopServiceDeployment",
            "ecs:TagResource",
            "ecs:UpdateService",
            "iam:PassRole",
        ],
    ),
    (Purpose::Restarts, &["ecs:StopServiceDeployment", "ecs:UpdateService"]),
    (
        Purpose::Secrets,
        &[
            "secretsmanager:CreateSecret",
            "secretsmanager:DeleteSecret",
            "secretsmanager:DescribeSecret",
            "secretsmanager:GetResourcePolicy",
            "secretsmanager:GetSecretValue",
            "secretsmanager:ListSecrets",
            "secretsmanager:PutResourcePolicy",
            "secretsmanager:PutSecretValue",
            "secretsmanager:RemoveRegionsFromReplication",
            "secretsmanager:ReplicateSecretToRegions",
            "secretsmanager:RestoreSecret",
            "secretsmanager:TagResource",
            "secretsmanager:UntagResource",
            "secretsmanager:UpdateSecret",
            "secretsmanager:UpdateSecretVersionStage",
        ],
    ),
    (Purpose::Keys, &["kms:Decrypt", "kms:GenerateDataKey"]),
    (
        Purpose::Records,
        &[
            "route53:ChangeResourceRecordSets",
            "route53:GetChange",
            "route53:GetHostedZone",
            "route53:ListHostedZonesByName",
            "route53:ListResourceRecordSets",
        ],
    ),
    (Purpose::Traffic, &["cloudwatch:DescribeAlarms", "cloudwatch:PutMetricData", "route53:GetHealthCheck"]),
    (Purpose::Targets, &["elasticloadbalancing:DescribeTargetHealth"]),
    (Purpose::Alarms, &["cloudwatch:DescribeAlarms"]),
    (
        Purpose::Backups,
        &[
            "application-autoscaling:DescribeScalableTargets",
            "application-autoscaling:DescribeScalingPolicies",
            "cloudwatch:DescribeAlarms",
            "dynamodb:CreateBackup",
            "dynamodb:DeleteBackup",
            "dynamodb:DescribeBackup",
            "dynamodb:DescribeContinuousBackups",
            "dynamodb:DescribeContributorInsights",
            "dynamodb:DescribeKinesisStreamingDestination",
            "dynamodb:DescribeTable",
            "dynamodb:DescribeTimeToLive",
            "dynamodb:GetResourcePolicy",
            "dynamodb:ListBackups",
            "dynamodb:ListTables",
            "dynamodb:ListTagsOfResource",
            "dynamodb:UpdateContinuousBackups",
            "dynamodb:UpdateTable",
        ],
    ),
    // Without the list S3 does not say of an object that it is not there (AWS: *`GetObject`*).
    (Purpose::Settings, &["s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"]),
    (
        Purpose::Copies,
        &[
            "backup:DeleteRecoveryPoint",
            "backup:DescribeBackupJob",
            "backup:DescribeCopyJob",
            "backup:DescribeRestoreJob",
            "backup:GetRecoveryPointRestoreMetadata",
            "backup:ListRecoveryPointsByBackupVault",
            "backup:ListTags",
            "backup:StartBackupJob",
            "backup:StartCopyJob",
            "backup:StartRestoreJob",
            "backup:TagResource",
            "iam:PassRole",
        ],
    ),
    // A restore writes the new table in the caller's name (AWS: *Using IAM with DynamoDB backup and restore*).
    (
        Purpose::Restores,
        &[
            "application-autoscaling:PutScalingPolicy",
            "application-autoscaling:RegisterScalableTarget",
            "cloudwatch:PutMetricAlarm",
            "dynamodb:BatchGetItem",
            "dynamodb:BatchWriteItem",
            "dynamodb:DeleteItem",
            "dynamodb:DeleteTable",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:PutResourcePolicy",
            "dynamodb:Query",
            "dynamodb:RestoreTableFromBackup",
            "dynamodb:RestoreTableToPointInTime",
            "dynamodb:Scan",
            "dynamodb:TagResource",
            "dynamodb:UpdateItem",
            "dynamodb:UpdateTimeToLive",
        ],
    ),
    (Purpose::Reports, &["s3:DeleteObject", "s3:ListBucket", "s3:PutObject"]),
    // AWS: *`ReceiveMessage`* needs the key of an encrypted queue; `DeleteMessageBatch` is `DeleteMessage`.
    (Purpose::Events, &["kms:Decrypt", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]),
];

/// Every purpose with its actions.
pub fn actions() -> impl Iterator<Item = (Purpose, &'static [&'static str])> {
    ACTIONS.into_iter()
}

/// What is done of an environment in one account and region.
pub(super) fn purposes(environment: &Environment, plan: &Plan, scope: &Scope) -> BTreeSet<Purpose> {
    let mut all = BTreeSet::from([Purpose::Stacks]);
    let policy = &environment.policy;
    let reverts = |spec: &StackSpec| spec.drift.unwrap_or(policy.drift) == DriftAction::Revert;
    for spec in environment.stacks.values().filter(|spec| spec.scope == *scope) {
        all.extend(environment.template_bucket.as_ref().map(|_| Purpose::Uploads));
        all.extend(spec.role_arn.as_ref().map(|_| Purpose::Roles));
        all.extend(spec.template.parameters.values().any(TemplateParameter::is_stored).then_some(Purpose::Stored));
        all.extend((policy.drift_every.is_some() || reverts(spec)).then_some(Purpose::Drift));
    }
    for spec in environment.services.values().filter(|spec| spec.scope == *scope) {
        all.insert(Purpose::Services);
        all.extend((spec.delivery == Delivery::Direct).then_some(Purpose::Deployments));
    }
    let restarted = |rotation: &RotationSpec| {
        rotation.restart.iter().any(|key| environment.services.get(key).is_some_and(|spec| spec.scope == *scope))
    };
    for spec in environment.secrets.values() {
        if spec.scope == *scope {
            all.insert(Purpose::Secrets);
            all.extend(spec.kms_key.as_ref().map(|_| Purpose::Keys));
        }
        all.extend(spec.rotation.as_ref().is_some_and(restarted).then_some(Purpose::Restarts));
    }
    if environment.records.values().any(|spec| spec.scope == *scope) {
        all.insert(Purpose::Records);
    }
    let is_moved = |spec: &RecordSpec| {
        matches!(spec.routing, Routing::Failover { role: FailoverRole::Primary, .. }) && spec.health_check.is_some()
    };
    if environment.records.values().any(|spec| spec.scope == *scope && is_moved(spec)) {
        all.insert(Purpose::Traffic);
    }
    for spec in environment.backups.values() {
        if spec.scope == *scope {
            all.extend([Purpose::Backups, Purpose::Restores]);
            all.extend(environment.template_bucket.as_ref().map(|_| Purpose::Settings));
        }
        let copied = spec.copy_to.keys().any(|region| *region == scope.region);
        let kept = spec.vault.is_some() && spec.scope == *scope;
        all.extend((kept || copied && spec.scope.account == scope.account).then_some(Purpose::Copies));
    }
    all.extend(checks(environment, plan, scope));
    all
}

/// What readiness checks ask of AWS.
fn checks<'a>(
    environment: &'a Environment,
    plan: &'a Plan,
    scope: &'a Scope,
) -> impl Iterator<Item = Purpose> + use<'a> {
    let entries = plan.entries.iter().filter(move |(_, entry)| entry.address.scope == *scope);
    let checks = entries.filter_map(|(key, _)| environment.ready.get(key)).flatten();
    checks.filter_map(|readiness| match readiness.check {
        Check::Http(_) => None,
        Check::ServiceSteady { .. } => Some(Purpose::Services),
        Check::Targets { .. } => Some(Purpose::Targets),
        Check::Alarm { .. } => Some(Purpose::Alarms),
    })
}
