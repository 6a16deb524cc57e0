"""Resource types that ministack does not know, and corrections of some that it does.

A handler has create(logical_id, properties, stack_name) -> (physical id, attributes), delete(physical_id, properties)
and, where the type changes in place, update(physical_id, old, new, stack_name, ...) -> (physical id, attributes).
"""

import base64
import json
import os
import re
from xml.sax.saxutils import escape

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region
from ministack.services import cloudtrail, cloudwatch, dynamodb, ec2, iam, msk, route53, secretsmanager
from ministack.services.cloudformation import provisioners

HANDLERS = provisioners._RESOURCE_HANDLERS


def call(answer, pattern=None):
    """The body of a service's answer, or the first group of `pattern` in it. A refusal fails the resource."""
    status, _, body = answer
    body = body.decode() if isinstance(body, bytes) else body
    if status >= 300:
        raise ValueError(re.sub(r"<[^>]+>", " ", body)[:300])
    return re.search(pattern, body).group(1) if pattern else body


def add(kind, create, delete=lambda physical_id, properties: None, update=None):
    HANDLERS[kind] = {"create": create, "delete": delete}
    if update:
        HANDLERS[kind]["update"] = update


def lower_camel(value):
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: lower_camel(inner) for key, inner in value.items()}
    return [lower_camel(inner) for inner in value] if isinstance(value, list) else value


def register():
    networking()
    streaming()
    operations()
    identity()
    names()
    only_recorded()
    correct_tables()
    correct_services()
    correct_alarms()
    correct_attributes()


def networking():
    def eip(logical_id, properties, stack):
        allocation = call(ec2._allocate_address({"Domain": ["vpc"]}), r"<allocationId>([^<]+)")
        address = ec2._addresses[allocation]["PublicIp"]
        return address, {"AllocationId": allocation, "PublicIp": address}

    def release(address, properties):
        for allocation, known in list(ec2._addresses.items()):
            if known["PublicIp"] == address:
                ec2._addresses.pop(allocation)

    def nat(logical_id, properties, stack):
        wanted = ("SubnetId", "AllocationId", "ConnectivityType")
        request = {key: [str(properties[key])] for key in wanted if key in properties}
        gateway = call(ec2._create_nat_gateway(request), r"<natGatewayId>([^<]+)")
        return gateway, {"NatGatewayId": gateway}

    def flow_log(logical_id, properties, stack):
        request = {key: [str(value)] for key, value in properties.items() if isinstance(value, (str, int))}
        request["ResourceId.1"] = [properties["ResourceId"]]
        before = set(ec2._flow_logs)
        call(ec2._create_flow_logs(request))
        created = (set(ec2._flow_logs) - before).pop()
        return created, {"Id": created}

    def network_acl(logical_id, properties, stack):
        acl = call(ec2._create_network_acl({"VpcId": [properties["VpcId"]]}), r"<networkAclId>([^<]+)")
        return acl, {"Id": acl}

    def permission(properties):
        request = {"GroupId": [properties["GroupId"]]}
        request["IpPermissions.1.IpProtocol"] = [str(properties.get("IpProtocol", "-1"))]
        for key in ("FromPort", "ToPort"):
            if key in properties:
                request[f"IpPermissions.1.{key}"] = [str(properties[key])]
        if properties.get("CidrIp"):
            request["IpPermissions.1.IpRanges.1.CidrIp"] = [properties["CidrIp"]]
        if properties.get("SourceSecurityGroupId"):
            for member in ("Groups", "UserIdGroupPairs"):
                request[f"IpPermissions.1.{member}.1.GroupId"] = [properties["SourceSecurityGroupId"]]
        return request

    def ingress(logical_id, properties, stack):
        call(ec2._authorize_sg_ingress(permission(properties)))
        return f"sgr-{os.urandom(8).hex()}", {}

    def revoke(physical_id, properties):
        ec2._revoke_sg_ingress(permission(properties))

    add("AWS::EC2::EIP", eip, release)
    add("AWS::EC2::NatGateway", nat, lambda gateway, properties: ec2._nat_gateways.pop(gateway, None))
    add("AWS::EC2::FlowLog", flow_log, lambda log, properties: ec2._flow_logs.pop(log, None))
    add("AWS::EC2::NetworkAcl", network_acl, lambda acl, properties: ec2._network_acls.pop(acl, None))
    add("AWS::EC2::SecurityGroupIngress", ingress, revoke)


def streaming():
    def cluster(logical_id, properties, stack):
        arn = call(msk._create_cluster(json.dumps(lower_camel(properties))), r'"[cC]lusterArn":\s*"([^"]+)"')
        return arn, {"Arn": arn}

    def configuration(logical_id, properties, stack):
        request = {
            "name": properties["Name"],
            "kafkaVersions": properties.get("KafkaVersionsList", []),
            "serverProperties": base64.b64encode(properties["ServerProperties"].encode()).decode(),
        }
        arn = call(msk._create_configuration(json.dumps(request)), r'"[aA]rn":\s*"([^"]+)"')
        return arn, {"Arn": arn, "LatestRevision.Revision": 1}

    def keep(arn, old, new, *rest):
        return arn, {"Arn": arn, "LatestRevision.Revision": 1}

    add("AWS::MSK::Cluster", cluster, lambda arn, properties: msk._clusters.pop(arn, None), keep)
    add("AWS::MSK::Configuration", configuration, lambda arn, properties: msk._configurations.pop(arn, None), keep)


def operations():
    def composite(logical_id, properties, stack):
        name = properties.get("AlarmName", f"{stack}-{logical_id}")
        cloudwatch._put_composite_alarm({}, {**properties, "AlarmName": name}, False, True)
        return name, {"Arn": f"arn:aws:cloudwatch:{get_region()}:{get_account_id()}:alarm:{name}"}

    def recompose(name, old, new, *rest):
        return composite("", {**new, "AlarmName": name}, "")

    def trail(logical_id, properties, stack):
        name = properties.get("TrailName", f"{stack}-{logical_id}")
        call(cloudtrail._create_trail({**properties, "Name": name}))
        return name, {"Arn": cloudtrail._trail_arn(name)}

    def secret_policy(logical_id, properties, stack):
        policy = json.dumps(properties["ResourcePolicy"])
        call(secretsmanager._put_resource_policy({"SecretId": properties["SecretId"], "ResourcePolicy": policy}))
        return properties["SecretId"], {}

    add(
        "AWS::CloudWatch::CompositeAlarm",
        composite,
        lambda name, properties: cloudwatch._composite_alarms.pop(name, None),
        recompose,
    )
    add("AWS::CloudTrail::Trail", trail, lambda name, properties: cloudtrail._trails.pop(name, None))
    add("AWS::SecretsManager::ResourcePolicy", secret_policy)


def identity():
    def role_policy(logical_id, properties, stack):
        name = properties["PolicyName"]
        call(iam._put_role_policy({
            "RoleName": [properties["RoleName"]],
            "PolicyName": [name],
            "PolicyDocument": [json.dumps(properties.get("PolicyDocument", {}))],
        }))
        return name, {}

    def delete(name, properties):
        iam._delete_role_policy({"RoleName": [properties["RoleName"]], "PolicyName": [name]})

    def update(name, old, new, stack, *rest):
        return role_policy("", new, stack)

    add("AWS::IAM::RolePolicy", role_policy, delete, update)


def names():
    def health_check(logical_id, properties, stack):
        def text(value):
            return escape(str(value).lower() if isinstance(value, bool) else str(value))

        config = properties["HealthCheckConfig"]
        fields = "".join(f"<{key}>{text(value)}</{key}>" for key, value in config.items() if not isinstance(value, (dict, list)))
        reference = f"{stack}-{logical_id}-{os.urandom(4).hex()}"
        request = (
            f"<CreateHealthCheckRequest><CallerReference>{reference}</CallerReference>"
            f"<HealthCheckConfig>{fields}</HealthCheckConfig></CreateHealthCheckRequest>"
        )
        created = call(route53._create_health_check(request.encode()), r"<(?:\w+:)?Id>([^<]+)")
        return created, {"HealthCheckId": created}

    def records(properties):
        zone = {key: properties[key] for key in ("HostedZoneId", "HostedZoneName") if key in properties}
        return [{**zone, **record} for record in properties["RecordSets"]]

    def record_group(logical_id, properties, stack):
        for record in records(properties):
            provisioners._r53_record_set_create(logical_id, record, stack)
        return f"{stack}-{logical_id}", {}

    def delete_group(physical_id, properties):
        for record in records(properties):
            provisioners._r53_record_set_delete(record["Name"], record)

    add("AWS::Route53::HealthCheck", health_check, lambda check, properties: route53._health_checks.pop(check, None))
    add("AWS::Route53::RecordSetGroup", record_group, delete_group)


def only_recorded():
    """Services that ministack does not have. Their resources exist in the stack and nowhere else."""
    existing = AccountRegionScopedDict()

    def record(kind, physical_id, once_per_region=False):
        def create(logical_id, properties, stack):
            if once_per_region and kind in existing:
                raise ValueError(f"Resource of type '{kind}' already exists. (HandlerErrorCode: AlreadyExists)")
            created = physical_id(logical_id, properties, stack)
            existing[kind] = created
            return created, {"Arn": created, "Id": created}

        def delete(created, properties):
            if existing.get(kind) == created:
                existing.pop(kind)

        def update(created, old, new, *rest):
            return created, {"Arn": created, "Id": created}

        add(kind, create, delete, update)

    def arn(service, path):
        return f"arn:aws:{service}:{get_region()}:{get_account_id()}:{path}"

    def target(logical_id, properties, stack):
        return "|".join(str(properties.get(key, "")) for key in ("ResourceId", "ScalableDimension", "ServiceNamespace"))

    def policy(logical_id, properties, stack):
        return arn("autoscaling", f"scalingPolicy:{os.urandom(8).hex()}:policyName/{properties.get('PolicyName')}")

    record("AWS::ApplicationAutoScaling::ScalableTarget", target)
    record("AWS::ApplicationAutoScaling::ScalingPolicy", policy)
    record("AWS::AccessAnalyzer::Analyzer", lambda i, p, s: arn("access-analyzer", f"analyzer/{p.get('AnalyzerName', s)}"))
    record("AWS::GuardDuty::Detector", lambda i, p, s: os.urandom(16).hex(), once_per_region=True)
    record("AWS::SecurityHub::Hub", lambda i, p, s: arn("securityhub", "hub/default"), once_per_region=True)
    record("AWS::Events::EventBusPolicy", lambda i, p, s: f"{p.get('EventBusName', 'default')}|{p.get('StatementId', i)}")
    record("AWS::Logs::QueryDefinition", lambda i, p, s: os.urandom(16).hex())


def correct_tables():
    """Tables: point-in-time recovery and expiry are applied, and neither an existing name nor protection is ignored."""
    table = HANDLERS["AWS::DynamoDB::Table"]
    plain_create, plain_update, plain_delete = table["create"], table["update"], table["delete"]

    def settings(name, properties):
        recovery = properties.get("PointInTimeRecoverySpecification") or {}
        call(dynamodb._update_continuous_backups({"TableName": name, "PointInTimeRecoverySpecification": recovery}))
        expiry = properties.get("TimeToLiveSpecification")
        known = (dynamodb._ttl_settings.get(name) or {}).get("TimeToLiveStatus") == "ENABLED"
        if expiry and expiry.get("Enabled") != known:
            call(dynamodb._update_ttl({"TableName": name, "TimeToLiveSpecification": expiry}))

    def create(logical_id, properties, stack):
        name = properties.get("TableName")
        if name and name in dynamodb._tables:
            raise ValueError(
                f"Resource of type 'AWS::DynamoDB::Table' with identifier '{name}' already exists. "
                "(Service: DynamoDb, HandlerErrorCode: AlreadyExists)"
            )
        created = plain_create(logical_id, properties, stack)
        settings(created[0], properties)
        return created

    def update(physical_id, old, new, *rest, **named):
        if physical_id not in dynamodb._tables:
            raise ValueError(
                f"Resource of type 'AWS::DynamoDB::Table' with identifier '{physical_id}' was not found. "
                "(HandlerErrorCode: NotFound)"
            )
        updated = plain_update(physical_id, old, new, *rest, **named)
        settings(updated[0], new)
        return updated

    def delete(physical_id, properties):
        if (dynamodb._tables.get(physical_id) or {}).get("DeletionProtectionEnabled"):
            raise ValueError("Resource cannot be deleted as it is currently protected against deletion.")
        return plain_delete(physical_id, properties)

    table.update(create=create, update=update, delete=delete)


def correct_services():
    """ECS services: a count that came as the text of a parameter is a number."""
    service = HANDLERS["AWS::ECS::Service"]
    plain_create, plain_update = service["create"], service["update"]

    def counted(properties):
        count = properties.get("DesiredCount")
        return properties if count is None else {**properties, "DesiredCount": int(count)}

    def create(logical_id, properties, stack):
        return plain_create(logical_id, counted(properties), stack)

    def update(physical_id, old, new, *rest, **named):
        return plain_update(physical_id, counted(old), counted(new), *rest, **named)

    service.update(create=create, update=update)


def correct_alarms():
    """Alarms on metric math: they exist in the stack, and nothing evaluates them."""
    alarm = HANDLERS["AWS::CloudWatch::Alarm"]
    plain = dict(alarm)

    def recorded(name):
        return name, {"Arn": f"arn:aws:cloudwatch:{get_region()}:{get_account_id()}:alarm:{name}"}

    def create(logical_id, properties, stack):
        if "Metrics" in properties:
            return recorded(properties.get("AlarmName", f"{stack}-{logical_id}"))
        return plain["create"](logical_id, properties, stack)

    def update(name, old, new, *rest, **named):
        return recorded(name) if "Metrics" in new else plain["update"](name, old, new, *rest, **named)

    def delete(name, properties):
        if "Metrics" not in properties:
            plain["delete"](name, properties)

    alarm.update(create=create, update=update, delete=delete)


def correct_attributes():
    """Attributes for Fn::GetAtt that ministack lacks, or has in another form than the *Template Reference*."""
    correct = {
        "AWS::EC2::VPC": lambda physical_id, properties: {"CidrBlock": properties.get("CidrBlock", "")},
        "AWS::ElasticLoadBalancingV2::TargetGroup": lambda arn, properties: {"TargetGroupFullName": arn.split(":")[-1]},
    }

    def complete(kind, extra):
        plain = HANDLERS[kind]["create"]

        def create(logical_id, properties, stack):
            physical_id, attributes = plain(logical_id, properties, stack)
            return physical_id, {**attributes, **extra(physical_id, properties)}

        HANDLERS[kind]["create"] = create
        plain_update = HANDLERS[kind].get("update")
        if not plain_update:
            return

        def update(physical_id, old, new, *rest, **named):
            physical_id, attributes = plain_update(physical_id, old, new, *rest, **named)
            return physical_id, {**attributes, **extra(physical_id, new)}

        HANDLERS[kind]["update"] = update

    for kind, extra in correct.items():
        complete(kind, extra)
