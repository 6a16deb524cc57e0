"""Which changed properties replace a resource, for types of which ministack does not say.

Without an entry it reports every change as `Conditional`, which is not what AWS answers for a log group's retention.
Each line is the type's page of the *Template Reference*: the properties of which it says "Update requires: Replacement".
A property of which only a part does is `CONDITIONALLY`.
"""

from ministack.services.cloudformation import provisioners

ALWAYS = {
    "AWS::ApplicationAutoScaling::ScalableTarget": ("ResourceId", "ScalableDimension", "ServiceNamespace"),
    "AWS::ApplicationAutoScaling::ScalingPolicy": (
        "PolicyName", "ResourceId", "ScalableDimension", "ScalingTargetId", "ServiceNamespace",
    ),
    "AWS::CloudTrail::Trail": ("TrailName",),
    "AWS::CloudWatch::Alarm": ("AlarmName",),
    "AWS::CloudWatch::CompositeAlarm": ("AlarmName",),
    "AWS::CloudWatch::Dashboard": ("DashboardName",),
    "AWS::EC2::FlowLog": (
        "DeliverCrossAccountRole", "DeliverLogsPermissionArn", "DestinationOptions", "LogDestination",
        "LogDestinationType", "LogFormat", "LogGroupName", "MaxAggregationInterval", "ResourceId", "ResourceType",
        "TrafficType",
    ),
    "AWS::EC2::SecurityGroup": ("GroupDescription", "GroupName", "VpcId"),
    "AWS::ECS::Cluster": ("ClusterName",),
    "AWS::ECS::Service": ("Cluster", "LaunchType", "Role", "SchedulingStrategy", "ServiceName"),
    "AWS::Events::Rule": ("EventBusName", "Name"),
    "AWS::KMS::Alias": ("AliasName",),
    "AWS::KMS::Key": (),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::Logs::QueryDefinition": (),
    "AWS::MSK::Cluster": ("ClusterName",),
    "AWS::MSK::Configuration": ("KafkaVersionsList", "Name"),
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::S3::BucketPolicy": ("Bucket",),
}

CONDITIONALLY = {
    "AWS::MSK::Cluster": ("BrokerNodeGroupInfo", "EncryptionInfo"),
}


def register():
    for kind, properties in ALWAYS.items():
        provisioners._REPLACING_PROPERTIES.setdefault(kind, properties)
    for kind, properties in CONDITIONALLY.items():
        provisioners._CONDITIONALLY_REPLACING_PROPERTIES.setdefault(kind, properties)
