"""Corrections of ministack's CloudFormation API, each with the AWS page that says so.

The pages are those of the *AWS CloudFormation API Reference* unless another guide is named.
"""

import re
from urllib.parse import parse_qs, unquote, urlparse
from xml.sax.saxutils import escape

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import cloudformation, s3
from ministack.services.cloudformation import changesets, handlers, helpers
from ministack.services.cloudformation.helpers import _error, _p, _xml

ACTIONS = handlers._ACTION_HANDLERS

# Statuses in which a stack takes no update (User Guide, *Stack status codes*).
NOT_UPDATABLE = {
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "DELETE_FAILED",
    "UPDATE_ROLLBACK_FAILED",
}

# Stacks whose name was used again, by id.
replaced = AccountRegionScopedDict()


def corrects(action):
    """Decorates fix(params, plain), where plain(params) is what ministack does."""
    plain = ACTIONS[action]

    def decorate(fix):
        ACTIONS[action] = lambda params: fix(params, plain)
        return fix

    return decorate


def running(stack):
    status = stack.get("StackStatus", "")
    return status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"


def missing(name):
    return _error("ValidationError", f"Stack [{name}] does not exist")


def members(params, prefix):
    found = []
    while value := _p(params, f"{prefix}.member.{len(found) + 1}"):
        found.append(value)
    return found


def options(params):
    """What DescribeStacks tells of the request and ministack does not keep."""
    alarms, prefix = [], "RollbackConfiguration.RollbackTriggers.member"
    while arn := _p(params, f"{prefix}.{len(alarms) + 1}.Arn"):
        alarms.append((arn, _p(params, f"{prefix}.{len(alarms) + 1}.Type")))
    return {
        "role": _p(params, "RoleARN"),
        "topics": members(params, "NotificationARNs"),
        "alarms": alarms,
        "minutes": _p(params, "RollbackConfiguration.MonitoringTimeInMinutes"),
        "timeout": _p(params, "TimeoutInMinutes"),
    }


def options_xml(stack):
    kept = stack.get("_options", {})
    text = topics_and_alarms(kept)
    if kept.get("role"):
        text += f"<RoleARN>{escape(kept['role'])}</RoleARN>"
    if kept.get("timeout"):
        text += f"<TimeoutInMinutes>{kept['timeout']}</TimeoutInMinutes>"
    if stack.get("_change_set"):
        text += f"<ChangeSetId>{escape(stack['_change_set'])}</ChangeSetId>"
    return text


def outputs(templated):
    """Of the processed template of a stack or a change set."""
    return templated.get("_template", {}).get("Outputs") or {}


def topics_and_alarms(kept):
    text = "<NotificationARNs>" + "".join(f"<member>{escape(arn)}</member>" for arn in kept.get("topics", []))
    text += "</NotificationARNs><RollbackConfiguration><RollbackTriggers>"
    for arn, kind in kept.get("alarms", []):
        text += f"<member><Arn>{escape(arn)}</Arn><Type>{escape(kind)}</Type></member>"
    text += "</RollbackTriggers>"
    if kept.get("minutes"):
        text += f"<MonitoringTimeInMinutes>{kept['minutes']}</MonitoringTimeInMinutes>"
    return text + "</RollbackConfiguration>"


def register():
    creation()
    description()
    change_sets()
    deletion()
    documents()


def creation():
    @corrects("CreateStack")
    def create(params, plain):
        name, token = _p(params, "StackName"), _p(params, "ClientRequestToken")
        existing = cloudformation._stacks.get(name)
        if existing and existing["StackStatus"] != "DELETE_COMPLETE":
            # *CreateStack*, ClientRequestToken: a repeated request is recognised.
            if token and existing.get("_token") == token:
                answer = f"<CreateStackResult><StackId>{existing['StackId']}</StackId></CreateStackResult>"
                return _xml(200, "CreateStackResponse", answer)
            # User Guide, *Stack status codes*: what failed to be created can only be deleted.
            return _error("AlreadyExistsException", f"Stack [{name}] already exists")
        answer = plain(params)
        if answer[0] == 200:
            if existing:
                replaced[existing["StackId"]] = existing
            stack = cloudformation._stacks[name]
            # *Stack*, LastUpdatedTime: only returned if the stack has been updated at least once.
            stack.update(_token=token, _options=options(params), LastUpdatedTime="")
        return answer


def description():
    plain_resolve = handlers._resolve_stack

    def resolve(name):
        """*DescribeStackEvents*, StackName: a deleted stack is found by its id, even if its name was used again."""
        return plain_resolve(name) or replaced.get(name)

    handlers._resolve_stack = resolve

    @corrects("DescribeStacks")
    def describe(params, plain):
        stacks = {stack["StackId"]: stack for stack in cloudformation._stacks.values()}
        status, headers, body = plain(params)
        if status != 200:
            return status, headers, body

        def with_options(match):
            stack = stacks.get(match.group(1))
            return match.group(0) + (options_xml(stack) if stack else "")

        def with_stored(match):
            return stored((stacks.get(match.group(1)) or {}).get("_resolved_params", {}), match.group(0))

        text = body.decode() if isinstance(body, bytes) else body
        text = re.sub(r"<StackId>([^<]*)</StackId>(?=<StackStatus>).*?</Parameters>", with_stored, text, flags=re.DOTALL)
        text = text.replace("<LastUpdatedTime></LastUpdatedTime>", "")
        text = text.replace("<StackStatusReason></StackStatusReason>", "")
        # Between StackName and StackStatus: the id of a stack, not one in an output.
        text = re.sub(r"<StackId>([^<]*)</StackId>(?=<StackStatus>)", with_options, text)
        return status, headers, text.encode()


def stored(parameters, text):
    """*Parameter*, ResolvedValue: the value that corresponds to a Systems Manager parameter key, which is what
    ParameterValue shows. ministack shows the value in the place of the key."""
    for name, known in parameters.items():
        if "SsmName" in known:
            shown = rf"<ParameterKey>{name}</ParameterKey><ParameterValue>[^<]*</ParameterValue>"
            key = f"<ParameterKey>{name}</ParameterKey><ParameterValue>{escape(known['SsmName'])}</ParameterValue>"
            text = re.sub(shown, lambda _: f"{key}<ResolvedValue>{escape(known['Value'])}</ResolvedValue>", text)
    return text


def change_sets():
    def by_name(params, plain):
        """StackName is a name or an id (*DescribeChangeSet*, *ListChangeSets*); ministack compares names."""
        given = _p(params, "StackName")
        if not given:
            return plain(params)
        stack = handlers._resolve_stack(given)
        if not stack or stack["StackStatus"] == "DELETE_COMPLETE":
            return missing(given)
        return plain({**params, "StackName": [stack["StackName"]]})

    for action in ("DescribeChangeSet", "ListChangeSets"):
        corrects(action)(by_name)

    @corrects("DescribeChangeSet")
    def with_inputs(params, plain):
        """*DescribeChangeSet*, NotificationARNs and RollbackConfiguration: ministack leaves them out."""
        status, headers, body = plain(params)
        given = _p(params, "StackName")
        stack = handlers._resolve_stack(given) if given else None
        _, change_set = changesets._find_change_set(_p(params, "ChangeSetName"), stack["StackName"] if stack else given)
        if status != 200 or not change_set:
            return status, headers, body
        text = body.decode() if isinstance(body, bytes) else body
        text = stored(change_set.get("_resolved_params", {}), text)
        inputs = topics_and_alarms(change_set.get("_options", {}))
        return status, headers, text.replace("</DescribeChangeSetResult>", inputs + "</DescribeChangeSetResult>").encode()

    @corrects("ListChangeSets")
    def with_execution(params, plain):
        """*ChangeSetSummary*, ExecutionStatus: ministack writes an empty reason, which AWS leaves out."""
        status, headers, body = plain(params)
        text = body.decode() if isinstance(body, bytes) else body
        return status, headers, text.replace("<StatusReason></StatusReason>", "").encode()

    @corrects("CreateChangeSet")
    def create(params, plain):
        given = _p(params, "StackName")
        if _p(params, "ChangeSetType", "UPDATE") != "UPDATE":
            return plain(params)
        stack = handlers._resolve_stack(given)
        if not stack or stack["StackStatus"] == "DELETE_COMPLETE":
            return missing(given)
        # User Guide, *Stack status codes*; the words are those of the service.
        if running(stack) or stack["StackStatus"] in NOT_UPDATABLE:
            text = f"Stack:{stack['StackId']} is in {stack['StackStatus']} state and can not be updated."
            return _error("ValidationError", text)
        answer = plain({**params, "StackName": [stack["StackName"]]})
        if answer[0] == 200:
            _, change_set = changesets._find_change_set(_p(params, "ChangeSetName"), stack["StackName"])
            change_set["_options"] = options(params)
            # What CloudFormation does, as the CDK found (aws-cdk, pull request 2029): "If only stack Outputs are changed,
            # CloudFormation generates a ChangeSet that is executable but has 0 changes".
            empty = change_set["Status"] == "FAILED" and "didn't contain changes" in change_set["StatusReason"]
            if empty and outputs(change_set) != outputs(stack):
                change_set.update(Status="CREATE_COMPLETE", ExecutionStatus="AVAILABLE", StatusReason="")
        return answer

    @corrects("ExecuteChangeSet")
    def execute(params, plain):
        token = _p(params, "ClientRequestToken")
        _, change_set = changesets._find_change_set(_p(params, "ChangeSetName"), _p(params, "StackName"))
        # *ExecuteChangeSet*, ClientRequestToken: a repeated request is recognised.
        if change_set and token and change_set.get("_token") == token:
            return _xml(200, "ExecuteChangeSetResponse", "<ExecuteChangeSetResult></ExecuteChangeSetResult>")
        answer = plain(params)
        if answer[0] == 200:
            change_set["_token"] = token
            stack = cloudformation._stacks[change_set["StackName"]]
            kept = change_set.get("_options", {})
            # *CreateChangeSet*, RoleARN: if it is not specified, the role that was used before is used.
            role = kept.get("role") or stack.get("_options", {}).get("role", "")
            stack.update(_change_set=change_set["ChangeSetId"], _options={**kept, "role": role})
        return answer


def documents():
    """User Guide, *Selecting a stack template*: "you can specify a specific version of the template by appending
    ?versionId=version-id to the URL"; ministack reads the newest one."""
    plain = helpers._resolve_document

    def resolve(params, body_key, url_key, label):
        url = urlparse(_p(params, url_key) or "")
        version = parse_qs(url.query).get("versionId", [""])[0]
        if _p(params, body_key) or not version:
            return plain(params, body_key, url_key, label)
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        body = s3._get_object_data(bucket, key, version)
        if body is None:
            return None, _error("ValidationError", "S3 error: The specified version does not exist.")
        return body.decode(), None

    helpers._resolve_document = resolve


def deletion():
    @corrects("DeleteStack")
    def delete(params, plain):
        stack = handlers._resolve_stack(_p(params, "StackName"))
        if stack and running(stack) and stack["StackStatus"] not in ("CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS"):
            text = f"Stack [{stack['StackId']}] cannot be deleted while in status {stack['StackStatus']}"
            return _error("ValidationError", text)
        if stack and stack["StackStatus"] == "DELETE_IN_PROGRESS":
            return _xml(200, "DeleteStackResponse", "")
        answer = plain(params)
        status, headers, body = answer
        text = body.decode() if isinstance(body, bytes) else body
        # User Guide, *Exporting stack output values*: an export in use cannot be deleted.
        used = re.search(r"Export (\S+) is imported by stack ([\w-]+)", text)
        if status >= 300 and used:
            return _error("ValidationError", f"Export {used[1]} cannot be deleted as it is in use by {used[2]}")
        return answer
