"""Application Auto Scaling, which ministack does not know: what is registered is kept, and nothing is scaled.

The pages are those of the *Application Auto Scaling API Reference*.
"""

import json

from ministack.core.responses import AccountRegionScopedDict, error_response_json, get_account_id, get_region

targets = AccountRegionScopedDict()
policies = AccountRegionScopedDict()

NAMED = ("ServiceNamespace", "ResourceId", "ScalableDimension")


def answer(told):
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(told).encode()


def register_target(data):
    """*RegisterScalableTarget*: the same again updates it."""
    role = f"arn:aws:iam::{get_account_id()}:role/aws-service-role/dynamodb.application-autoscaling.amazonaws.com/x"
    key = tuple(data[name] for name in NAMED)
    targets[key] = {"RoleARN": role, "CreationTime": 0, **(targets.get(key) or {}), **data}
    return answer({})


def put_policy(data):
    """*PutScalingPolicy*: "You must register a scalable target" before."""
    key = tuple(data[name] for name in NAMED)
    if key not in targets:
        return error_response_json("ObjectNotFoundException", "No scalable target registered", 400)
    arn = f"arn:aws:autoscaling:{get_region()}:{get_account_id()}:scalingPolicy:{data['PolicyName']}"
    policies[(*key, data["PolicyName"])] = {"PolicyARN": arn, "CreationTime": 0, **data}
    return answer({"PolicyARN": arn, "Alarms": []})


def describe_targets(data):
    asked = data.get("ResourceIds")
    found = [one for one in targets.values() if not asked or one["ResourceId"] in asked]
    return answer({"ScalableTargets": [one for one in found if one["ServiceNamespace"] == data["ServiceNamespace"]]})


def describe_policies(data):
    asked = data.get("ResourceId")
    found = [one for one in policies.values() if not asked or one["ResourceId"] == asked]
    return answer({"ScalingPolicies": [one for one in found if one["ServiceNamespace"] == data["ServiceNamespace"]]})


CALLS = {
    "RegisterScalableTarget": register_target,
    "PutScalingPolicy": put_policy,
    "DescribeScalableTargets": describe_targets,
    "DescribeScalingPolicies": describe_policies,
}


async def handle(method, path, headers, body, query_params):
    call = CALLS.get((headers.get("x-amz-target") or "").rpartition(".")[2])
    if call is None:
        return error_response_json("UnknownOperationException", "The emulator does not know it", 400)
    return call(json.loads(body or b"{}"))


def register():
    from ministack import app

    app.SERVICE_HANDLERS["application-autoscaling"] = handle
