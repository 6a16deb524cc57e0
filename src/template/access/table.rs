//! Which properties give access beside policy documents, which are known by their shape.
//!
//! AWS: *AWS resource and property types reference*, of each type that is named here.

/// Whether a setting opens a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// It does not.
    Closed,
    /// It is left to a default, which depends.
    Default,
    /// It does, or what it does is not known.
    Open,
}

/// A setting that opens or closes a resource.
pub(super) struct Flag {
    /// The resource type.
    pub(super) kind: &'static str,
    /// The property, with `/` between its parts; `*` stands for every item of a list.
    pub(super) property: &'static str,
    /// Values that close it. All others open it.
    pub(super) closed: &'static [&'static str],
    /// What it is where it is not set.
    pub(super) absent: Level,
    /// What it means where it is open.
    pub(super) meaning: &'static str,
}

const fn flag(
    kind: &'static str,
    property: &'static str,
    closed: &'static [&'static str],
    absent: Level,
    meaning: &'static str,
) -> Flag {
    Flag { kind, property, closed, absent, meaning }
}

const PUBLIC: &str = "reachable from the Internet";
const BLOCK: &str = "public access is not blocked";
const ANONYMOUS: &str = "callable without credentials";

/// The settings.
pub(super) const FLAGS: [Flag; 37] = [
    flag("AWS::AmazonMQ::Broker", "PubliclyAccessible", &["false"], Level::Closed, PUBLIC),
    flag(
        "AWS::ApiGateway::Method",
        "AuthorizationType",
        &["AWS_IAM", "COGNITO_USER_POOLS", "CUSTOM"],
        Level::Open,
        ANONYMOUS,
    ),
    flag("AWS::ApiGatewayV2::Route", "AuthorizationType", &["AWS_IAM", "JWT", "CUSTOM"], Level::Open, ANONYMOUS),
    flag(
        "AWS::AppSync::GraphQLApi",
        "AuthenticationType",
        &["AWS_IAM", "AMAZON_COGNITO_USER_POOLS", "OPENID_CONNECT", "AWS_LAMBDA"],
        Level::Open,
        "callable with an API key",
    ),
    flag("AWS::AutoScaling::LaunchConfiguration", "AssociatePublicIpAddress", &["false"], Level::Default, PUBLIC),
    flag(
        "AWS::Cognito::IdentityPool",
        "AllowUnauthenticatedIdentities",
        &["false"],
        Level::Closed,
        "gives credentials to anyone",
    ),
    flag("AWS::DMS::ReplicationInstance", "PubliclyAccessible", &["false"], Level::Open, PUBLIC),
    flag("AWS::EC2::Instance", "NetworkInterfaces/*/AssociatePublicIpAddress", &["false"], Level::Default, PUBLIC),
    flag(
        "AWS::EC2::LaunchTemplate",
        "LaunchTemplateData/NetworkInterfaces/*/AssociatePublicIpAddress",
        &["false"],
        Level::Default,
        PUBLIC,
    ),
    flag("AWS::EC2::Subnet", "MapPublicIpOnLaunch", &["false"], Level::Closed, "instances in it get public addresses"),
    flag(
        "AWS::ECS::Service",
        "NetworkConfiguration/AwsvpcConfiguration/AssignPublicIp",
        &["DISABLED"],
        Level::Closed,
        "its tasks get public addresses",
    ),
    flag("AWS::EKS::Cluster", "ResourcesVpcConfig/EndpointPublicAccess", &["false"], Level::Open, PUBLIC),
    flag("AWS::ElasticLoadBalancing::LoadBalancer", "Scheme", &["internal"], Level::Open, PUBLIC),
    flag("AWS::ElasticLoadBalancingV2::LoadBalancer", "Scheme", &["internal"], Level::Open, PUBLIC),
    flag("AWS::Lambda::Url", "AuthType", &["AWS_IAM"], Level::Open, ANONYMOUS),
    flag(
        "AWS::MSK::Cluster",
        "BrokerNodeGroupInfo/ConnectivityInfo/PublicAccess/Type",
        &["DISABLED"],
        Level::Closed,
        PUBLIC,
    ),
    flag("AWS::MSK::Cluster", "ClientAuthentication/Unauthenticated/Enabled", &["false"], Level::Default, ANONYMOUS),
    flag("AWS::Neptune::DBInstance", "PubliclyAccessible", &["false"], Level::Closed, PUBLIC),
    flag(
        "AWS::RAM::ResourceShare",
        "AllowExternalPrincipals",
        &["false"],
        Level::Default,
        "may be shared with other organizations",
    ),
    flag("AWS::RDS::DBCluster", "PubliclyAccessible", &["false"], Level::Default, PUBLIC),
    flag("AWS::RDS::DBInstance", "PubliclyAccessible", &["false"], Level::Default, PUBLIC),
    flag("AWS::Redshift::Cluster", "PubliclyAccessible", &["false"], Level::Default, PUBLIC),
    flag("AWS::RedshiftServerless::Workgroup", "PubliclyAccessible", &["false"], Level::Closed, PUBLIC),
    flag("AWS::S3::AccessPoint", "PublicAccessBlockConfiguration/BlockPublicAcls", &["true"], Level::Default, BLOCK),
    flag("AWS::S3::AccessPoint", "PublicAccessBlockConfiguration/BlockPublicPolicy", &["true"], Level::Default, BLOCK),
    flag("AWS::S3::AccessPoint", "PublicAccessBlockConfiguration/IgnorePublicAcls", &["true"], Level::Default, BLOCK),
    flag(
        "AWS::S3::AccessPoint",
        "PublicAccessBlockConfiguration/RestrictPublicBuckets",
        &["true"],
        Level::Default,
        BLOCK,
    ),
    flag(
        "AWS::S3::Bucket",
        "AccessControl",
        &["Private", "BucketOwnerRead", "BucketOwnerFullControl", "AwsExecRead", "LogDeliveryWrite"],
        Level::Closed,
        "its ACL grants access to others",
    ),
    flag("AWS::S3::Bucket", "PublicAccessBlockConfiguration/BlockPublicAcls", &["true"], Level::Default, BLOCK),
    flag("AWS::S3::Bucket", "PublicAccessBlockConfiguration/BlockPublicPolicy", &["true"], Level::Default, BLOCK),
    flag("AWS::S3::Bucket", "PublicAccessBlockConfiguration/IgnorePublicAcls", &["true"], Level::Default, BLOCK),
    flag("AWS::S3::Bucket", "PublicAccessBlockConfiguration/RestrictPublicBuckets", &["true"], Level::Default, BLOCK),
    flag("AWS::SageMaker::NotebookInstance", "DirectInternetAccess", &["Disabled"], Level::Default, PUBLIC),
    flag("AWS::SageMaker::NotebookInstance", "RootAccess", &["Disabled"], Level::Default, "its users are root"),
    flag("AWS::SecretsManager::ResourcePolicy", "BlockPublicPolicy", &["true"], Level::Default, BLOCK),
    flag("AWS::Transfer::Server", "EndpointType", &["VPC", "VPC_ENDPOINT"], Level::Open, PUBLIC),
    flag("AWS::VpcLattice::Service", "AuthType", &["AWS_IAM"], Level::Open, ANONYMOUS),
];

/// Lists whose every new item gives access: type, property, what it means.
pub(super) const MEMBERS: [(&str, &str, &str); 17] = [
    ("AWS::EC2::VPCEndpointServicePermissions", "AllowedPrincipals", "may connect"),
    ("AWS::EKS::Cluster", "ResourcesVpcConfig/PublicAccessCidrs", "may reach the endpoint"),
    ("AWS::IAM::Group", "ManagedPolicyArns", "is attached"),
    ("AWS::IAM::OIDCProvider", "ClientIdList", "is trusted"),
    ("AWS::IAM::Role", "ManagedPolicyArns", "is attached"),
    ("AWS::IAM::User", "Groups", "is joined"),
    ("AWS::IAM::User", "ManagedPolicyArns", "is attached"),
    ("AWS::IAM::UserToGroupAddition", "Users", "joins the group"),
    ("AWS::RAM::ResourceShare", "Principals", "gets the resources"),
    ("AWS::RAM::ResourceShare", "ResourceArns", "is shared"),
    ("AWS::SSO::PermissionSet", "ManagedPolicies", "is attached"),
    ("AWS::SSO::Assignment", "PrincipalId", "is assigned"),
    ("AWS::SSO::Assignment", "PermissionSetArn", "is assigned"),
    ("AWS::SSO::Assignment", "TargetId", "is assigned"),
    ("AWS::Serverless::Function", "Policies", "is attached"),
    ("AWS::Serverless::StateMachine", "Policies", "is attached"),
    ("AWS::IAM::AccessKey", "UserName", "has credentials"),
];

/// What a policy belongs to: type and property. Where that changes, all of the policy is new there.
pub(super) const SUBJECTS: [(&str, &str); 25] = [
    ("AWS::EC2::NetworkAclEntry", "NetworkAclId"),
    ("AWS::EC2::SecurityGroupIngress", "GroupId"),
    ("AWS::EC2::SecurityGroupIngress", "GroupName"),
    ("AWS::IAM::GroupPolicy", "GroupName"),
    ("AWS::IAM::ManagedPolicy", "Groups"),
    ("AWS::IAM::ManagedPolicy", "Roles"),
    ("AWS::IAM::ManagedPolicy", "Users"),
    ("AWS::IAM::Policy", "Groups"),
    ("AWS::IAM::Policy", "Roles"),
    ("AWS::IAM::Policy", "Users"),
    ("AWS::IAM::RolePolicy", "RoleName"),
    ("AWS::IAM::UserPolicy", "UserName"),
    ("AWS::IAM::UserToGroupAddition", "GroupName"),
    ("AWS::Events::EventBusPolicy", "EventBusName"),
    ("AWS::Kinesis::ResourcePolicy", "ResourceArn"),
    ("AWS::MSK::ClusterPolicy", "ClusterArn"),
    ("AWS::S3::AccessPoint", "Bucket"),
    ("AWS::S3::BucketPolicy", "Bucket"),
    ("AWS::SNS::TopicInlinePolicy", "TopicArn"),
    ("AWS::SNS::TopicPolicy", "Topics"),
    ("AWS::SQS::QueueInlinePolicy", "Queue"),
    ("AWS::SQS::QueuePolicy", "Queues"),
    ("AWS::SecretsManager::ResourcePolicy", "SecretId"),
    ("AWS::SSMContacts::ContactPolicy", "ContactId"),
    ("AWS::VpcLattice::AuthPolicy", "ResourceIdentifier"),
];

/// Properties that hold a policy, also where their value is an expression that does not show it.
pub(super) const DOCUMENTS: [&str; 13] = [
    "AccessPolicies",
    "AccessPolicy",
    "AssumeRolePolicyDocument",
    "FileSystemPolicy",
    "InlinePolicy",
    "KeyPolicy",
    "PermissionsPolicyDocument",
    "PolicyDocument",
    "PolicyText",
    "RegistryPolicyText",
    "RepositoryPolicyText",
    "ResourcePolicy",
    "ResourcePolicyDocument",
];

/// The first letters of types that exist to give access: what becomes of one that cannot be seen counts as giving it.
const GIVING: [&str; 7] = [
    "AWS::IAM::",
    "AWS::KMS::Key",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Url",
    "AWS::EC2::SecurityGroup",
    "AWS::RAM::",
    "AWS::SSO::",
];

/// Whether a resource of this type may give access by a property of its own.
pub(super) fn may_give(kind: &str) -> bool {
    let policy = kind.ends_with("Policy") || kind.ends_with("Permission");
    policy
        || GIVING.iter().any(|giving| kind.starts_with(giving))
        || FLAGS.iter().any(|flag| flag.kind == kind)
        || MEMBERS.iter().any(|(of, ..)| *of == kind)
}
