"""ECS services whose deployments take time, can fail, and are told of.

ministack starts tasks and completes deployments at once, whatever their images are, and answers every question about
service deployments with none. Here a task is pulled for LANDFAST_EMULATOR_PULL seconds (0.2), a deployment lasts
until its tasks run, and each has a record. Nothing runs in the background: services are brought up to now whenever ECS
is asked something, and while a stack waits for one.

The pages are those of the *Amazon ECS API Reference* and *Developer Guide*.

An image of the account's own registry can be pulled if it is there, or if nothing was ever pushed to its repository
(what the shipped templates name was never built). How a container of it fares is said by its manifest:
{"annotations": {"fares": "cannot be pulled" | "crashes"}}.
"""

import functools
import hashlib
import json
import os
import re
import threading
import time
import uuid

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, request_scope
from ministack.services import cloudformation, ecr, ecs
from ministack.services.cloudformation import provisioners
from ministack.services.cloudformation import stacks as operations

PULL = float(os.environ.get("LANDFAST_EMULATOR_PULL", "0.2"))
# A container that crashes does so after this long.
CRASH = PULL / 2
# A stack does not wait for a service as long as CloudFormation does, which is three hours.
PATIENCE = 60

FINAL = ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")
ECR = re.compile(r"(\d{12})\.dkr\.ecr\.([\w-]+)\.amazonaws\.com(?:\.cn)?/([^:@]+)(?::([^@]+))?(?:@(sha256:\w+))?")

# Requests come on threads of their own, and so do the operations of stacks.
one_at_a_time = threading.RLock()


def register():
    # With a Docker daemon at hand it would start real containers.
    ecs._get_docker = lambda: None
    # It waits in the background; here nothing does.
    ecs._schedule_service_deployment_completion = lambda *args, **named: None
    registry()
    tasks()
    deployments()
    requests()
    stacks()


# ---- images ----


def find(image):
    """The digest that an image means, and how its containers fare; or why it cannot be pulled."""
    named = ECR.fullmatch(image)
    invented = "sha256:" + hashlib.sha256(image.encode()).hexdigest()
    if not named:
        return invented, None, None
    account, region, repository, tag, digest = named.groups()
    with request_scope(account, region):
        images = ecr._images.get(repository)
        if not images:
            return digest or invented, None, None
        wanted = {"imageDigest": digest} if digest else {"imageTag": tag or "latest"}
        found = ecr._find_image(repository, wanted)
    if not found:
        why = f"pull image manifest has been retried 1 time(s): failed to resolve ref {image}: not found"
        return None, None, why
    fares = json.loads(found["imageManifest"]).get("annotations", {}).get("fares")
    why = f"ref pull has been retried 1 time(s): failed to copy {image}" if fares == "cannot be pulled" else None
    return found["imageDigest"], fares, why


def registry():
    def describe(data):
        """*DescribeImages*: one that is named and not there is an ImageNotFoundException; a list comes in pages."""
        name, asked = data.get("repositoryName", ""), data.get("imageIds") or []
        for wanted in asked:
            if name in ecr._repositories and not ecr._find_image(name, wanted):
                text = f"The image with imageId {wanted} does not exist within the repository with name '{name}'"
                return error_response_json("ImageNotFoundException", text, 400)
        answer = plain_describe(data)
        if answer[0] != 200 or asked:
            return answer
        details = json.loads(answer[2])["imageDetails"]
        start, most = int(data.get("nextToken") or 0), data.get("maxResults", 100)
        more = {"nextToken": str(start + most)} if start + most < len(details) else {}
        return json_response({"imageDetails": details[start:start + most], **more})

    plain_describe = ecr._describe_images
    ecr._describe_images = describe


# ---- tasks ----


def tasks():
    plain_run = ecs._run_task

    def run(data):
        before = set(ecs._tasks)
        answer = plain_run(data)
        if data.get("_deploymentId"):
            for arn in set(ecs._tasks) - before:
                task = ecs._tasks[arn]
                # *Task*, startedBy: of a service's task, the id of the deployment that starts it.
                task.update(lastStatus="PENDING", startedAt=None, startedBy=data["_deploymentId"])
                task.update(_startup_stable=False, _due=time.time() + PULL)
        return answer

    ecs._run_task = run


def task_moves(arn, task):
    """*Task lifecycle*: the images are pulled, the containers start; a crash stops the task."""
    if task.get("_due") is None or task["_due"] > time.time() or task["lastStatus"] == "STOPPED":
        return
    task["_due"] = None
    if task["lastStatus"] == "RUNNING":
        task["containers"][0]["exitCode"] = 1
        ecs._mark_task_stopped(arn, task, "Essential container in task exited", "EssentialContainerExited", 1)
        return
    crashes = False
    for container in task["containers"]:
        digest, fares, why = find(container["image"])
        if why:
            # *Stopped tasks error codes*, CannotPullContainerError.
            reason = f"CannotPullContainerError: {why}"
            container["reason"] = reason
            ecs._mark_task_stopped(arn, task, reason, "TaskFailedToStart")
            return
        container.update(imageDigest=digest, lastStatus="RUNNING")
        crashes = crashes or fares == "crashes"
    ecs._mark_task_running(arn, task)
    task["_startup_stable"] = not crashes
    task["_due"] = time.time() + CRASH if crashes else None


# ---- deployments ----


def deployments():
    plain_make = ecs._make_deployment

    def make(*args, **named):
        """*Deployment*, rolloutState: a deployment starts in an IN_PROGRESS state, that of a new service too."""
        made = plain_make(*args, **named)
        made.update(rolloutState="IN_PROGRESS", rolloutStateReason=f"ECS deployment {made['id']} in progress.")
        return made

    ecs._make_deployment = make

    def recorded(change):
        @functools.wraps(change)
        def and_record(data):
            answer = change(data)
            if answer[0] == 200:
                with_record(json.loads(answer[2])["service"]["serviceArn"])
            return answer

        return and_record

    ecs._create_service = recorded(ecs._create_service)
    ecs._update_service = recorded(ecs._update_service)


def by_arn(arn):
    return next((found for found in ecs._services.items() if found[1]["serviceArn"] == arn), (None, None))


def arn_of(kind, service):
    path = service["serviceArn"].split(":service/")[1]
    return f"arn:aws:ecs:{get_region()}:{get_account_id()}:{kind}/{path}/{uuid.uuid4().int % 10**19}"


def with_record(arn):
    """*ServiceDeployment*, *ServiceRevision*: each change of what a service runs has one of each."""
    _, service = by_arn(arn)
    primary = ecs._primary_deployment(service)
    records, revisions = service.setdefault("_records", []), service.setdefault("_revisions", [])
    if records and records[-1]["_deployment"] == primary["id"]:
        return
    now = time.time()
    if records and records[-1]["status"] not in FINAL:
        records[-1].update(status="STOPPED", statusReason="A newer service deployment was started.", stoppedAt=now, finishedAt=now)
    definition = ecs._task_defs[ecs._resolve_td_key(primary["taskDefinition"])]
    images = []
    for container in definition["containerDefinitions"]:
        image = {"containerName": container["name"], "image": container["image"], "imageDigest": find(container["image"])[0]}
        images.append({key: value for key, value in image.items() if value})
    revisions.append({
        "serviceRevisionArn": arn_of("service-revision", service),
        "serviceArn": arn,
        "clusterArn": service["clusterArn"],
        "taskDefinition": primary["taskDefinition"],
        "containerImages": images,
        "createdAt": now,
        "_deployment": primary["id"],
    })
    breaker = (service.get("deploymentConfiguration") or {}).get("deploymentCircuitBreaker") or {}
    records.append({
        "serviceDeploymentArn": arn_of("service-deployment", service),
        "serviceArn": arn,
        "clusterArn": service["clusterArn"],
        "status": "IN_PROGRESS",
        "createdAt": now,
        "startedAt": now,
        "sourceServiceRevisions": [{"arn": revision["serviceRevisionArn"]} for revision in revisions[-2:-1]],
        "targetServiceRevision": {"arn": revisions[-1]["serviceRevisionArn"]},
        "deploymentCircuitBreaker": {
            "status": "MONITORING" if breaker.get("enable") else "DISABLED",
            "failureCount": 0,
            "threshold": ecs._circuit_breaker_threshold(service),
        },
        "_deployment": primary["id"],
    })
    service["currentServiceDeployment"] = records[-1]["serviceDeploymentArn"]
    bring_up_to_now()


def record_moves(service):
    record = service["_records"][-1]
    deployment = next((found for found in service["deployments"] if found["id"] == record["_deployment"]), None)
    if record["status"] in FINAL or not deployment:
        return
    primary, now = ecs._primary_deployment(service), time.time()
    breaker = record["deploymentCircuitBreaker"]
    breaker["failureCount"] = max(breaker["failureCount"], deployment["failedTasks"])
    if record["status"] == "ROLLBACK_IN_PROGRESS":
        if primary["rolloutState"] == "COMPLETED":
            record.update(status="ROLLBACK_SUCCESSFUL", finishedAt=now)
    elif deployment["rolloutState"] == "COMPLETED":
        record.update(status="SUCCESSFUL", finishedAt=now)
        breaker["status"] = "MONITORING_COMPLETE" if breaker["status"] == "MONITORING" else breaker["status"]
    elif deployment["rolloutState"] == "FAILED":
        reason = record.get("statusReason") or "Service deployment rolled back because the circuit breaker threshold was exceeded."
        if "circuit breaker" in reason:
            breaker["status"] = "TRIGGERED"
        if primary is deployment:
            # *Deployment circuit breaker*: without rollback, or with nothing to go back to, it ends where it is.
            record.update(status="STOPPED", statusReason=reason, stoppedAt=now, finishedAt=now)
            return
        to = [revision for revision in service["_revisions"] if revision["_deployment"] == primary["id"]]
        rollback = {"reason": reason, "startedAt": now, "serviceRevisionArn": to[-1]["serviceRevisionArn"]}
        record.update(status="ROLLBACK_IN_PROGRESS", statusReason=reason, rollback=rollback)
        record_moves(service)


def bring_up_to_now():
    with one_at_a_time:
        for key, service in list(ecs._services.items()):
            if service["status"] != "ACTIVE" or not service.get("_records"):
                continue
            for arn, task in list(ecs._tasks.items()):
                if task.get("group") == f"service:{service['serviceName']}" and task["clusterArn"] == service["clusterArn"]:
                    task_moves(arn, task)
            ecs._reconcile_service_tasks(key.split("/")[0], key)
            record_moves(service)


# ---- requests ----


def requests():
    plain_dispatch, plain_update = ecs._dispatch_action, ecs._update_service

    def dispatch(action, data):
        with one_at_a_time:
            bring_up_to_now()
            return plain_dispatch(action, data)

    def update(data):
        key = f"{ecs._resolve_cluster_name(data.get('cluster', 'default'))}/{data.get('service', '').split('/')[-1]}"
        if key in ecs._services and ecs._services[key]["status"] != "ACTIVE":
            return error_response_json("ServiceNotActiveException", "Service was not ACTIVE.", 400)
        wanted = data.get("taskDefinition")
        found = ecs._task_defs.get(ecs._resolve_td_key(wanted)) if wanted else None
        if wanted and not found:
            return error_response_json("ClientException", "TaskDefinition not found.", 400)
        # *DeregisterTaskDefinition*: an INACTIVE one cannot be used to update a service to it.
        if wanted and found["status"] != "ACTIVE":
            return error_response_json("ClientException", "TaskDefinition is inactive", 400)
        return plain_update(data)

    ecs._dispatch_action, ecs._update_service = dispatch, update

    def records(arns=None):
        found = [record for service in ecs._services.values() for record in service.get("_records", [])]
        return [record for record in found if arns is None or record["serviceDeploymentArn"] in arns]

    def answer(name, found, asked, arn):
        """What is not there is a failure with the reason MISSING (*API failure reasons*)."""
        missing = set(asked) - {one[arn] for one in found}
        failures = [{"arn": one, "reason": "MISSING"} for one in sorted(missing)]
        return json_response({name: ecs._sanitize(found), "failures": failures})

    def describe_deployments(data):
        asked = data.get("serviceDeploymentArns", [])
        return answer("serviceDeployments", records(asked), asked, "serviceDeploymentArn")

    def describe_revisions(data):
        asked = data.get("serviceRevisionArns", [])
        found = [revision for service in ecs._services.values() for revision in service.get("_revisions", [])]
        found = [revision for revision in found if revision["serviceRevisionArn"] in asked]
        return answer("serviceRevisions", found, asked, "serviceRevisionArn")

    def list_deployments(data):
        key = f"{ecs._resolve_cluster_name(data.get('cluster', 'default'))}/{data['service'].split('/')[-1]}"
        if key not in ecs._services:
            return error_response_json("ServiceNotFoundException", "Service not found.", 400)
        after = (data.get("createdAt") or {}).get("after", 0)
        found = [record for record in reversed(ecs._services[key].get("_records", [])) if record["createdAt"] > after]
        start, most = int(data.get("nextToken") or 0), data.get("maxResults", 20)
        wanted = ("serviceDeploymentArn", "serviceArn", "clusterArn", "status", "statusReason", "createdAt", "startedAt", "finishedAt")
        briefs = [
            {name: record[name] for name in wanted if name in record}
            | {"targetServiceRevisionArn": record["targetServiceRevision"]["arn"]}
            for record in found[start:start + most]
        ]
        more = {"nextToken": str(start + most)} if start + most < len(found) else {}
        return json_response({"serviceDeployments": briefs, **more})

    def stop_deployment(data):
        """*StopServiceDeployment*: back to the last completed deployment (ROLLBACK), or not (ABORT)."""
        found = records([data["serviceDeploymentArn"]])
        if not found:
            return error_response_json("ServiceDeploymentNotFoundException", "Service deployment not found.", 400)
        record = found[0]
        if record["status"] not in ("PENDING", "IN_PROGRESS"):
            text = "The service deployment cannot be stopped in its current status."
            return error_response_json("ConflictException", text, 400)
        _, service = by_arn(record["serviceArn"])
        deployment = next(found for found in service["deployments"] if found["id"] == record["_deployment"])
        record["statusReason"] = "Service deployment was stopped by a user."
        deployment.update(rolloutState="FAILED", rolloutStateReason=record["statusReason"], desiredCount=0)
        back = [found for found in service["deployments"] if found["rolloutState"] == "COMPLETED"]
        if data.get("stopType", "ROLLBACK") == "ROLLBACK" and back:
            deployment["status"] = "ACTIVE"
            back[0].update(status="PRIMARY", rolloutState="IN_PROGRESS", desiredCount=service["desiredCount"])
            service["taskDefinition"] = back[0]["taskDefinition"]
        bring_up_to_now()
        return json_response({"serviceDeploymentArn": record["serviceDeploymentArn"]})

    ecs._ACTION_MAP.update(
        CreateService=ecs._create_service,
        UpdateService=ecs._update_service,
        DescribeServiceDeployments=describe_deployments,
        DescribeServiceRevisions=describe_revisions,
        ListServiceDeployments=list_deployments,
        StopServiceDeployment=stop_deployment,
    )


# ---- stacks ----


def stacks():
    """*AWS::ECS::Service*: CloudFormation waits until the service is steady, or the update is cancelled."""
    service = provisioners._RESOURCE_HANDLERS["AWS::ECS::Service"]
    plain_blocks = operations._runs_on_worker_thread
    operations._runs_on_worker_thread = lambda kind: kind == "AWS::ECS::Service" or plain_blocks(kind)

    def wait(arn, known, stack):
        began = time.time()
        while time.time() - began < PATIENCE:
            bring_up_to_now()
            _, found = by_arn(arn)
            if not found or steady(found, known):
                return
            if cloudformation._stacks[stack].get("_cancel_requested"):
                raise ValueError("Resource update cancelled")
            time.sleep(0.05)
        raise ValueError("Resource handler returned message: Exceeded attempts to wait")

    def create(logical_id, properties, stack):
        created = plain_create(logical_id, properties, stack)
        wait(created[0], 0, stack)
        return created

    def update(physical_id, old, new, stack, *rest):
        known = len(by_arn(physical_id)[1]["_records"])
        updated = plain_update(physical_id, old, new, stack, *rest)
        try:
            wait(updated[0], known, stack)
        except ValueError:
            # ministack takes back the resources that were updated, and not the one that failed.
            plain_update(physical_id, new, old, stack, *rest)
            raise
        return updated

    plain_create, plain_update = service["create"], service["update"]
    service.update(create=create, update=update)


def steady(service, known):
    """Whether the service runs what it should; an error if the change since `known` records has failed."""
    own = service["_records"][known:]
    if own and own[-1]["status"] not in ("IN_PROGRESS", "SUCCESSFUL"):
        raise ValueError("Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'.")
    primary = ecs._primary_deployment(service)
    return primary["rolloutState"] == "COMPLETED" and service["runningCount"] >= service["desiredCount"]
