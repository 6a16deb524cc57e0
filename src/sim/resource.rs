//! What is known of resource types: how long they take, what replaces them, what they are called.
//!
//! Durations are what users report, in whole seconds, and decide only how long a stack's critical path is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::spelling::{digits, partition, uuid};
use super::{attributes, custom};
use crate::model::Scope;

/// The type of a stack within a stack.
pub(super) const STACK: &str = "AWS::CloudFormation::Stack";

/// A resource that exists, or is being made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Resource {
    pub(super) kind: String,
    /// What `Ref` gives. Empty until the service made it.
    pub(super) physical_id: String,
    pub(super) properties: Json,
    pub(super) metadata: Json,
    /// The stack's tags as they were passed on to it; empty where the type takes none.
    pub(super) tags: BTreeMap<String, String>,
    pub(super) depends_on: BTreeSet<String>,
    pub(super) deletion_policy: Option<String>,
    pub(super) update_replace_policy: Option<String>,
    /// As AWS writes it: `CREATE_COMPLETE`.
    pub(super) status: String,
    /// What was done to it past its stack.
    #[serde(default)]
    pub(super) tampered: super::tampered::Tampered,
    /// A rollback was continued without it: it is not what its stack takes it for.
    #[serde(default)]
    pub(super) skipped: bool,
    /// The physical name it holds in [`super::world::World`], if it was given one.
    pub(super) holds: Option<String>,
    /// Outputs, if it is a stack.
    #[serde(default)]
    pub(super) outputs: BTreeMap<String, String>,
}

impl Resource {
    /// Whether it exists in the account.
    pub(super) fn exists(&self) -> bool {
        !self.physical_id.is_empty()
    }

    /// What `Fn::GetAtt` gives.
    pub(super) fn attribute(&self, scope: &Scope, name: &str) -> Option<Json> {
        if let Some(output) = name.strip_prefix("Outputs.").filter(|_| self.kind == STACK) {
            return self.outputs.get(output).cloned().map(Json::String);
        }
        if custom::is_custom(&self.kind) {
            return Some(Json::String(custom::answer(&self.physical_id, name)));
        }
        // What it was given can be read back, where it can be read at all.
        let given = name.split('.').try_fold(&self.properties, |value, part| value.get(part));
        let made_up = || {
            attributes::value(&self.kind, scope, &self.physical_id, name)
                .unwrap_or_else(|| Json::String(attribute(&self.kind, scope, &self.physical_id, name)))
        };
        Some(given.cloned().unwrap_or_else(made_up))
    }
}

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ResourceOperation {
    /// It is created, also as the replacement of another.
    Create,
    /// It is changed in place, also back again in a rollback.
    Update,
    /// It is deleted.
    Delete,
}

impl ResourceOperation {
    /// As it begins AWS's resource statuses.
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// How long an operation on a resource takes, in seconds.
#[expect(clippy::match_same_arms, reason = "a table, one line for each type")]
pub(super) fn seconds(kind: &str, operation: ResourceOperation) -> u64 {
    let (create, update, delete) = match kind {
        "AWS::MSK::Cluster" => (1500, 900, 600),
        "AWS::ElastiCache::ReplicationGroup" | "AWS::ElastiCache::CacheCluster" => (480, 300, 300),
        "AWS::RDS::DBInstance" | "AWS::RDS::DBCluster" => (600, 300, 300),
        "AWS::CloudFront::Distribution" => (300, 300, 300),
        "AWS::EKS::Cluster" => (600, 300, 300),
        "AWS::ElasticLoadBalancingV2::LoadBalancer" => (180, 20, 30),
        "AWS::EC2::NatGateway" => (120, 10, 60),
        "AWS::ECS::Service" => (180, 180, 60),
        "AWS::EC2::VPCEndpoint" => (60, 30, 60),
        "AWS::DynamoDB::Table" | "AWS::DynamoDB::GlobalTable" => (30, 20, 15),
        "AWS::KMS::Key" => (30, 10, 5),
        "AWS::S3::Bucket" | "AWS::IAM::Role" | "AWS::IAM::InstanceProfile" => (20, 10, 5),
        "AWS::EC2::VPC" | "AWS::EC2::InternetGateway" | "AWS::EC2::EIP" | "AWS::Lambda::Function" => (15, 10, 5),
        STACK | "AWS::CloudFormation::WaitConditionHandle" => (1, 1, 1),
        _ => (8, 6, 5),
    };
    match operation {
        ResourceOperation::Create => create,
        ResourceOperation::Update => update,
        ResourceOperation::Delete => delete,
    }
}

/// The property that names a resource of this type.
#[expect(clippy::match_same_arms, reason = "a table, one line for each type")]
pub(super) fn name_property(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "AWS::DynamoDB::Table" | "AWS::DynamoDB::GlobalTable" => "TableName",
        "AWS::S3::Bucket" => "BucketName",
        "AWS::ECS::Cluster" | "AWS::MSK::Cluster" => "ClusterName",
        "AWS::ECS::Service" => "ServiceName",
        "AWS::ECR::Repository" => "RepositoryName",
        "AWS::ElastiCache::ReplicationGroup" => "ReplicationGroupId",
        "AWS::ElastiCache::SubnetGroup" => "CacheSubnetGroupName",

        "AWS::IAM::Role" => "RoleName",
        "AWS::IAM::User" => "UserName",
        "AWS::IAM::Group" => "GroupName",
        "AWS::IAM::ManagedPolicy" => "ManagedPolicyName",
        "AWS::IAM::InstanceProfile" => "InstanceProfileName",
        "AWS::KMS::Alias" => "AliasName",
        "AWS::Lambda::Function" => "FunctionName",
        "AWS::Logs::LogGroup" => "LogGroupName",
        "AWS::SNS::Topic" => "TopicName",
        "AWS::SQS::Queue" => "QueueName",
        "AWS::Events::EventBus" => "Name",
        "AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm" => "AlarmName",
        "AWS::CloudWatch::Dashboard" => "DashboardName",
        "AWS::RDS::DBInstance" => "DBInstanceIdentifier",
        "AWS::RDS::DBCluster" => "DBClusterIdentifier",
        "AWS::EC2::SecurityGroup" => "GroupName",
        "AWS::CloudTrail::Trail" => "TrailName",
        "AWS::Backup::BackupVault" => "BackupVaultName",
        "AWS::ElasticLoadBalancingV2::LoadBalancer"
        | "AWS::ElasticLoadBalancingV2::TargetGroup"
        | "AWS::SecretsManager::Secret"
        | "AWS::SSM::Parameter"
        | "AWS::Events::Rule"
        | "AWS::Kinesis::Stream"
        | "AWS::MSK::Configuration" => "Name",
        _ => return None,
    })
}

/// Names of this type are unique in the whole account, or, for buckets, everywhere.
pub(super) fn name_space(kind: &str, scope: &Scope) -> String {
    match kind {
        "AWS::S3::Bucket" => "everywhere".to_owned(),
        _ if kind.starts_with("AWS::IAM::") => scope.account.to_string(),
        _ => scope.to_string(),
    }
}

/// Whether a change of this property replaces the resource (AWS: *Update requires: Replacement* in the reference of
/// each type).
#[expect(clippy::match_same_arms, reason = "a table, one line for each type")]
pub(super) fn replaces(kind: &str, property: &str) -> bool {
    if name_property(kind) == Some(property) {
        return true;
    }
    let properties: &[&str] = match kind {
        "AWS::DynamoDB::Table" => &["KeySchema", "ImportSourceSpecification"],
        "AWS::DynamoDB::GlobalTable" => &["KeySchema", "LocalSecondaryIndexes"],
        "AWS::EC2::VPC" => &["CidrBlock", "Ipv4IpamPoolId", "Ipv4NetmaskLength"],
        "AWS::EC2::Subnet" => &["AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "VpcId", "OutpostArn"],
        "AWS::EC2::NatGateway" => &["AllocationId", "ConnectivityType", "PrivateIpAddress", "SubnetId"],
        "AWS::EC2::RouteTable" | "AWS::EC2::NetworkAcl" => &["VpcId"],
        "AWS::EC2::Route" => &["RouteTableId", "DestinationCidrBlock", "DestinationIpv6CidrBlock"],
        "AWS::EC2::SubnetRouteTableAssociation" => &["SubnetId"],
        "AWS::EC2::SecurityGroup" => &["GroupDescription", "VpcId"],
        "AWS::EC2::SecurityGroupIngress" | "AWS::EC2::SecurityGroupEgress" => {
            &["CidrIp", "CidrIpv6", "FromPort", "GroupId", "IpProtocol", "SourceSecurityGroupId", "ToPort"]
        }
        "AWS::EC2::VPCEndpoint" => &["ServiceName", "VpcEndpointType", "VpcId"],
        "AWS::EC2::VPCGatewayAttachment" => &["VpcId"],
        "AWS::EC2::FlowLog" => &["LogDestination", "LogGroupName", "ResourceId", "ResourceType", "TrafficType"],
        "AWS::EC2::EIP" => &["Domain", "NetworkBorderGroup"],
        "AWS::MSK::Cluster" => &["EncryptionInfo"],
        "AWS::MSK::Configuration" => &["KafkaVersionsList"],
        "AWS::ElastiCache::ReplicationGroup" => &[
            "AtRestEncryptionEnabled",
            "CacheSubnetGroupName",
            "DataTieringEnabled",
            "KmsKeyId",
            "NetworkType",
            "Port",
            "PreferredCacheClusterAZs",
            "SnapshotArns",
            "SnapshotName",
        ],
        "AWS::ElastiCache::CacheCluster" => &["CacheSubnetGroupName", "Engine", "NetworkType", "Port", "SnapshotName"],
        "AWS::RDS::DBInstance" => &[
            "AvailabilityZone",
            "CharacterSetName",
            "DBName",
            "DBSubnetGroupName",
            "Engine",
            "KmsKeyId",
            "MasterUsername",
            "SourceDBInstanceIdentifier",
            "StorageEncrypted",
        ],
        "AWS::RDS::DBCluster" => {
            &["DatabaseName", "DBSubnetGroupName", "Engine", "KmsKeyId", "MasterUsername", "StorageEncrypted"]
        }
        "AWS::KMS::Key" => &["KeySpec", "KeyUsage", "MultiRegion"],
        "AWS::IAM::Role" | "AWS::IAM::ManagedPolicy" => &["Path"],
        "AWS::ECR::Repository" => &["EncryptionConfiguration"],
        "AWS::ECS::Service" => &["Cluster", "LaunchType", "Role", "SchedulingStrategy"],
        "AWS::ECS::TaskDefinition" => &[
            "ContainerDefinitions",
            "Cpu",
            "ExecutionRoleArn",
            "Family",
            "Memory",
            "NetworkMode",
            "RequiresCompatibilities",
            "RuntimePlatform",
            "TaskRoleArn",
            "Volumes",
        ],
        "AWS::ElasticLoadBalancingV2::LoadBalancer" => &["Scheme", "Type"],
        "AWS::ElasticLoadBalancingV2::TargetGroup" => &["Port", "Protocol", "ProtocolVersion", "TargetType", "VpcId"],
        "AWS::ElasticLoadBalancingV2::Listener" => &["LoadBalancerArn"],
        "AWS::ElasticLoadBalancingV2::ListenerRule" => &["ListenerArn"],
        "AWS::ApplicationAutoScaling::ScalableTarget" => &["ResourceId", "ScalableDimension", "ServiceNamespace"],
        "AWS::ApplicationAutoScaling::ScalingPolicy" => {
            &["PolicyName", "ResourceId", "ScalableDimension", "ScalingTargetId", "ServiceNamespace"]
        }
        "AWS::CertificateManager::Certificate" => {
            &["DomainName", "SubjectAlternativeNames", "ValidationMethod", "KeyAlgorithm"]
        }
        "AWS::SQS::Queue" | "AWS::SNS::Topic" => &["FifoQueue", "FifoTopic"],
        "AWS::SNS::Subscription" => &["Endpoint", "Protocol", "TopicArn"],
        "AWS::Route53::RecordSet" => &["HostedZoneId", "HostedZoneName", "Name"],
        "AWS::SSM::Parameter" => &["Type"],
        "AWS::Lambda::Function" => &["PackageType"],
        _ => &[],
    };
    properties.contains(&property)
}

/// Whether `CloudFormation` passes the stack's tags on to it (AWS: *Resource tag*).
pub(super) fn takes_tags(kind: &str) -> bool {
    !matches!(
        kind,
        "AWS::EC2::Route"
            | "AWS::EC2::SubnetRouteTableAssociation"
            | "AWS::EC2::VPCGatewayAttachment"
            | "AWS::EC2::SecurityGroupIngress"
            | "AWS::EC2::SecurityGroupEgress"
            | "AWS::EC2::NetworkAclEntry"
            | "AWS::IAM::Policy"
            | "AWS::IAM::InstanceProfile"
            | "AWS::KMS::Alias"
            | "AWS::ElasticLoadBalancingV2::Listener"
            | "AWS::ApplicationAutoScaling::ScalableTarget"
            | "AWS::ApplicationAutoScaling::ScalingPolicy"
            | "AWS::CloudWatch::Dashboard"
            | "AWS::MSK::Configuration"
            | "AWS::Route53::RecordSet"
            | "AWS::S3::BucketPolicy"
            | "AWS::SNS::Subscription"
            | "AWS::SNS::TopicPolicy"
            | "AWS::SQS::QueuePolicy"
            | "AWS::SecretsManager::ResourcePolicy"
    ) && (kind == STACK || !kind.starts_with("AWS::CloudFormation::"))
        && !kind.starts_with("Custom::")
}

/// Types that need `CAPABILITY_IAM` (AWS: *Acknowledging IAM resources in templates*).
pub(super) fn is_iam(kind: &str) -> bool {
    matches!(
        kind,
        "AWS::IAM::AccessKey"
            | "AWS::IAM::Group"
            | "AWS::IAM::InstanceProfile"
            | "AWS::IAM::ManagedPolicy"
            | "AWS::IAM::Policy"
            | "AWS::IAM::Role"
            | "AWS::IAM::User"
            | "AWS::IAM::UserToGroupAddition"
    )
}

/// What AWS calls a new resource: what `Ref` gives.
pub(super) fn physical_id(
    kind: &str,
    scope: &Scope,
    stack: &str,
    logical: &str,
    seed: &[&str],
    name: Option<&str>,
) -> String {
    let hex = digits(seed, 17);
    let own = || {
        let upper = hex.get(..12).unwrap_or_default().to_uppercase();
        let text = format!("{stack}-{logical}-{upper}");
        if kind == "AWS::S3::Bucket" { text.to_lowercase() } else { text }
    };
    let name = name.map_or_else(own, str::to_owned);
    let (partition, suffix) = partition(scope.region.as_str());
    let arn =
        |service: &str, rest: String| format!("arn:{partition}:{service}:{}:{}:{rest}", scope.region, scope.account);
    let prefix = match kind {
        "AWS::EC2::VPC" => "vpc",
        "AWS::EC2::Subnet" => "subnet",
        "AWS::EC2::SecurityGroup" => "sg",
        "AWS::EC2::InternetGateway" => "igw",
        "AWS::EC2::NatGateway" => "nat",
        "AWS::EC2::RouteTable" => "rtb",
        "AWS::EC2::SubnetRouteTableAssociation" => "rtbassoc",
        "AWS::EC2::NetworkAcl" => "acl",
        "AWS::EC2::VPCEndpoint" => "vpce",
        "AWS::EC2::FlowLog" => "fl",
        "AWS::EC2::Instance" => "i",
        "AWS::EC2::SecurityGroupIngress" | "AWS::EC2::SecurityGroupEgress" => "sgr",
        _ => "",
    };
    if !prefix.is_empty() {
        return format!("{prefix}-0{}", hex.get(1..).unwrap_or_default());
    }
    let short = hex.get(..16).unwrap_or_default();
    match kind {
        "AWS::EC2::EIP" => {
            format!("203.0.113.{}", u8::from_str_radix(hex.get(..2).unwrap_or_default(), 16).unwrap_or_default())
        }
        "AWS::KMS::Key" | "AWS::Route53::HealthCheck" => uuid(seed),
        "AWS::ElasticLoadBalancingV2::LoadBalancer" => {
            arn("elasticloadbalancing", format!("loadbalancer/app/{name}/{short}"))
        }
        "AWS::ElasticLoadBalancingV2::TargetGroup" => {
            arn("elasticloadbalancing", format!("targetgroup/{name}/{short}"))
        }
        "AWS::ElasticLoadBalancingV2::Listener" => {
            arn("elasticloadbalancing", format!("listener/app/{stack}/{short}/{short}"))
        }
        "AWS::ElasticLoadBalancingV2::ListenerRule" => {
            arn("elasticloadbalancing", format!("listener-rule/app/{stack}/{short}/{short}"))
        }
        "AWS::ECS::Service" => arn("ecs", format!("service/{stack}/{name}")),
        "AWS::ECS::TaskDefinition" => arn("ecs", format!("task-definition/{name}:1")),
        "AWS::MSK::Cluster" => arn("kafka", format!("cluster/{name}/{}-1", uuid(seed))),
        "AWS::MSK::Configuration" => arn("kafka", format!("configuration/{name}/{}-1", uuid(seed))),
        "AWS::SecretsManager::Secret" => {
            arn("secretsmanager", format!("secret:{name}-{}", hex.get(..6).unwrap_or_default()))
        }
        "AWS::SNS::Topic" => arn("sns", name),
        "AWS::CertificateManager::Certificate" => arn("acm", format!("certificate/{}", uuid(seed))),
        "AWS::IAM::ManagedPolicy" => format!("arn:{partition}:iam::{}:policy/{name}", scope.account),
        "AWS::SQS::Queue" => format!("https://sqs.{}.{suffix}/{}/{name}", scope.region, scope.account),
        _ => name,
    }
}

/// What `Fn::GetAtt` gives.
#[expect(clippy::match_same_arms, reason = "a table, one line for each type")]
fn attribute(kind: &str, scope: &Scope, physical: &str, name: &str) -> String {
    let (partition, suffix) = partition(scope.region.as_str());
    let region = scope.region.as_str();
    let last = physical.rsplit(['/', ':']).next().unwrap_or(physical);
    let hex = digits(&[physical, name], 8);
    let arn = |service: &str, rest: String| format!("arn:{partition}:{service}:{region}:{}:{rest}", scope.account);
    match (kind, name) {
        (_, "Arn" | "TopicArn" | "LoadBalancerArn" | "TargetGroupArn" | "ListenerArn" | "ServiceArn")
            if physical.starts_with("arn:") =>
        {
            physical.to_owned()
        }
        ("AWS::S3::Bucket", "Arn") => format!("arn:{partition}:s3:::{physical}"),
        ("AWS::S3::Bucket", "DomainName") => format!("{physical}.s3.{suffix}"),
        ("AWS::S3::Bucket", "RegionalDomainName") => format!("{physical}.s3.{region}.{suffix}"),
        ("AWS::DynamoDB::Table", "Arn") => arn("dynamodb", format!("table/{physical}")),
        ("AWS::DynamoDB::Table", "StreamArn") => {
            arn("dynamodb", format!("table/{physical}/stream/2026-01-01T00:00:00.000"))
        }
        ("AWS::Events::EventBus", "Arn") => arn("events", format!("event-bus/{physical}")),
        ("AWS::Route53::HealthCheck", "HealthCheckId") => physical.to_owned(),
        ("AWS::KMS::Key", "Arn") => arn("kms", format!("key/{physical}")),
        ("AWS::IAM::Role", "Arn") => format!("arn:{partition}:iam::{}:role/{physical}", scope.account),
        ("AWS::IAM::User", "Arn") => format!("arn:{partition}:iam::{}:user/{physical}", scope.account),
        ("AWS::IAM::InstanceProfile", "Arn") => {
            format!("arn:{partition}:iam::{}:instance-profile/{physical}", scope.account)
        }
        ("AWS::ECS::Cluster", "Arn") => arn("ecs", format!("cluster/{physical}")),
        ("AWS::ECS::Service", "Name") => last.to_owned(),
        ("AWS::ECR::Repository", "Arn") => arn("ecr", format!("repository/{physical}")),
        ("AWS::ECR::Repository", "RepositoryUri") => format!("{}.dkr.ecr.{region}.{suffix}/{physical}", scope.account),
        ("AWS::Logs::LogGroup", "Arn") => arn("logs", format!("log-group:{physical}:*")),
        ("AWS::Lambda::Function", "Arn") => arn("lambda", format!("function:{physical}")),
        ("AWS::SQS::Queue", "Arn") => arn("sqs", last.to_owned()),
        ("AWS::CloudWatch::Alarm", "Arn") => arn("cloudwatch", format!("alarm:{physical}")),
        ("AWS::SQS::Queue", "QueueName") | ("AWS::SNS::Topic", "TopicName") => last.to_owned(),
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", "LoadBalancerName") => {
            physical.split('/').nth(2).unwrap_or(last).to_owned()
        }
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", "LoadBalancerFullName") => {
            physical.split_once("loadbalancer/").map_or(last, |(_, rest)| rest).to_owned()
        }
        ("AWS::ElasticLoadBalancingV2::TargetGroup", "TargetGroupFullName") => {
            format!("targetgroup/{}", physical.split_once("targetgroup/").map_or(last, |(_, rest)| rest))
        }
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", "DNSName") => {
            let lb = physical.split('/').nth(2).unwrap_or(last);
            format!("{lb}-{}.{region}.elb.{suffix}", digits(&[physical], 10))
        }
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", "CanonicalHostedZoneID") => "Z35SXDOTRQ7X7K".to_owned(),
        (_, "DNSName" | "DomainName") => format!("{hex}.{region}.{suffix}"),
        (_, attribute) if attribute.ends_with("Address") && kind.starts_with("AWS::ElastiCache::") => {
            format!("{physical}.{hex}.cache.{suffix}").to_lowercase()
        }
        (_, attribute) if attribute.ends_with("Address") => {
            format!("{physical}.{hex}.{region}.rds.{suffix}").to_lowercase()
        }
        ("AWS::RDS::DBInstance" | "AWS::RDS::DBCluster", "Endpoint.Port") => "5432".to_owned(),
        (_, attribute) if attribute.ends_with("Port") => "6379".to_owned(),
        (
            _,
            "GroupId" | "VpcId" | "SubnetId" | "RouteTableId" | "InternetGatewayId" | "NatGatewayId" | "KeyId" | "Id",
        ) => physical.to_owned(),
        ("AWS::EC2::EIP", "AllocationId") => format!("eipalloc-0{}", digits(&[physical, name], 16)),
        ("AWS::EC2::VPC", "CidrBlock") => "10.0.0.0/16".to_owned(),
        ("AWS::EC2::VPC", "DefaultSecurityGroup") => format!("sg-0{}", digits(&[physical, name], 16)),
        (_, "Arn") => {
            let mut parts = kind.split("::").skip(1);
            let (service, rest) = (parts.next().unwrap_or("custom"), parts.next().unwrap_or("resource"));
            arn(&service.to_lowercase(), format!("{}/{last}", rest.to_lowercase()))
        }
        _ => format!("{last}-{}", name.to_lowercase().replace('.', "-")),
    }
}
