"""Tables that are restored to a moment and not at once, and vaults that keep recovery points.

ministack restores a table at once and to what it has now, whatever moment is asked for, and knows no recovery point of
AWS Backup. Here every write is noted with its time, a restore lasts LANDFAST_EMULATOR_RESTORE seconds (0.3), and jobs of
AWS Backup LANDFAST_EMULATOR_JOB seconds (0.2). Nothing runs in the background: what is due has happened when it is
asked for.

The pages are those of the *Amazon DynamoDB API Reference* and the *AWS Backup Developer Guide*.
"""

import copy
import json
import os
import time
import urllib.parse
from collections import defaultdict

from ministack.core.responses import (
    AccountRegionScopedDict,
    error_response_json,
    get_account_id,
    get_region,
    json_response,
    new_uuid,
    request_scope,
)
from ministack.services import backup, dynamodb

RESTORE = float(os.environ.get("LANDFAST_EMULATOR_RESTORE", "0.3"))
JOB = float(os.environ.get("LANDFAST_EMULATOR_JOB", "0.2"))
DAY = 24 * 60 * 60

# Settings of point-in-time recovery by table: days, and since when.
windows = AccountRegionScopedDict()
points = AccountRegionScopedDict()
jobs = AccountRegionScopedDict()


def refused(code, text):
    return error_response_json(code, text, 400)


def register():
    writes()
    recovery()
    descriptions()
    deletion()
    restores()
    vaults()


# ---- items ----


def writes():
    plain = dynamodb._emit_stream_event

    def emit(table_name, event_name, old_item, new_item, *rest, **named):
        """Every write passes here, whether the table has a stream or not."""
        table = dynamodb._tables.get(table_name)
        if table is not None:
            key = table["pk_name"], table["sk_name"]
            item = new_item or old_item or {}
            at = tuple(dynamodb._extract_key_val(item.get(name)) if name else "__no_sort__" for name in key)
            table.setdefault("_writes", []).append((time.time(), at, copy.deepcopy(new_item)))
        return plain(table_name, event_name, old_item, new_item, *rest, **named)

    dynamodb._emit_stream_event = emit


def items_at(table, moment):
    """*RestoreTableToPointInTime*: "to the state based on the selected date and time"."""
    items = copy.deepcopy(table.get("_base") or {})
    for at, (partition, sort), item in table.get("_writes", []):
        if at > moment:
            break
        if item is None:
            items.get(partition, {}).pop(sort, None)
        else:
            items.setdefault(partition, {})[sort] = item
    return {partition: sorts for partition, sorts in items.items() if sorts}


def fill(name, items, origin):
    table = dynamodb._tables[name]
    table["items"] = defaultdict(dict, copy.deepcopy(items))
    table["_base"] = copy.deepcopy(items)
    table["_writes"] = []
    table["_restored"] = time.time() + RESTORE
    table["RestoreSummary"] = origin
    dynamodb._items_replaced(table)
    return dynamodb._table_description(name)


# ---- point-in-time recovery ----


def window(name):
    """*PointInTimeRecoveryDescription*. The latest moment is now: five minutes would be long for a test."""
    days, since = windows[name]
    return max(since, time.time() - days * DAY), time.time()


def recovery():
    def update(data):
        """*PointInTimeRecoverySpecification*, RecoveryPeriodInDays: 35 where nothing is said; what is given up is lost."""
        name = dynamodb._normalize_table_name(data.get("TableName"))
        if name not in dynamodb._tables:
            return refused("TableNotFoundException", f"Table not found: {name}")
        wanted = data.get("PointInTimeRecoverySpecification") or {}
        on, days = wanted.get("PointInTimeRecoveryEnabled", False), int(wanted.get("RecoveryPeriodInDays", 35))
        if not 1 <= days <= 35:
            return refused("ValidationException", "RecoveryPeriodInDays has to be between 1 and 35")
        before = windows.pop(name, None)
        dynamodb._pitr_settings[name] = on
        if on:
            since = max(before[1], time.time() - days * DAY) if before else time.time()
            windows[name] = (days, since)
        return describe({"TableName": name})

    def describe(data):
        name = dynamodb._normalize_table_name(data.get("TableName"))
        if name not in dynamodb._tables:
            return refused("TableNotFoundException", f"Table not found: {name}")
        told = {"PointInTimeRecoveryStatus": "ENABLED" if name in windows else "DISABLED"}
        if name in windows:
            earliest, latest = window(name)
            told.update(EarliestRestorableDateTime=earliest, LatestRestorableDateTime=latest)
            told["RecoveryPeriodInDays"] = windows[name][0]
        about = {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": told}
        return json_response({"ContinuousBackupsDescription": about})

    dynamodb._update_continuous_backups = update
    dynamodb._describe_continuous_backups = describe


# ---- tables ----


def descriptions():
    plain = dynamodb._table_description

    def description(name):
        """*TableDescription*: CREATING while it is being restored, and a RestoreSummary ever after."""
        told, table = plain(name), dynamodb._tables[name]
        if table.get("RestoreSummary"):
            busy = table.get("_restored", 0) > time.time()
            told["RestoreSummary"] = {**table["RestoreSummary"], "RestoreInProgress": busy}
            told["TableStatus"] = "CREATING" if busy else told["TableStatus"]
        return told

    dynamodb._table_description = description

    def unread(plain_read):
        def read(data):
            """A table that is being restored has nothing to read yet."""
            asked = data.get("RequestItems") or {data.get("TableName"): None}
            for name in asked:
                table = dynamodb._tables.get(dynamodb._normalize_table_name(name or "")) or {}
                if table.get("_restored", 0) > time.time():
                    return refused("ResourceNotFoundException", "Requested resource not found")
            return plain_read(data)

        return read

    dynamodb._scan = unread(dynamodb._scan)
    dynamodb._batch_get_item = unread(dynamodb._batch_get_item)

    plain_expiry = dynamodb._update_ttl

    def expiry(data):
        """*UpdateTimeToLive*: what is on cannot be switched on, nor off what is off."""
        name = dynamodb._normalize_table_name(data.get("TableName"))
        known = (dynamodb._ttl_settings.get(name) or {}).get("TimeToLiveStatus", "DISABLED")
        wanted = (data.get("TimeToLiveSpecification") or {}).get("Enabled", False)
        if name in dynamodb._tables and wanted == (known == "ENABLED"):
            return refused("ValidationException", f"TimeToLive is already {known.lower()}")
        return plain_expiry(data)

    dynamodb._update_ttl = expiry


def deletion():
    plain = dynamodb._delete_table

    def delete(data):
        """*DeleteTable*: with point-in-time recovery a system backup is left; what is being made cannot be deleted."""
        name = dynamodb._normalize_table_name(data.get("TableName"))
        table = dynamodb._tables.get(name)
        if table and table.get("_restored", 0) > time.time():
            return refused("ResourceInUseException", f"Table is being created: {name}")
        if table and not table.get("DeletionProtectionEnabled") and name in windows:
            status, _, body = dynamodb._create_backup({"TableName": name, "BackupName": f"{name}$DeletedTableBackup"})
            if status == 200:
                arn = json.loads(body)["BackupDetails"]["BackupArn"]
                details = dynamodb._backups[arn]["BackupDetails"]
                details.update(BackupType="SYSTEM", BackupExpiryDateTime=time.time() + 35 * DAY)
        answer = plain(data)
        if answer[0] == 200:
            windows.pop(name, None)
        return answer

    dynamodb._delete_table = delete
    plain_delete = dynamodb._delete_backup

    def delete_backup(data):
        """*DeleteBackup*: a system backup is deleted by DynamoDB alone."""
        known = dynamodb._backups.get(data.get("BackupArn")) or {}
        if known.get("BackupDetails", {}).get("BackupType") == "SYSTEM":
            return refused("ValidationException", "A system backup cannot be deleted")
        return plain_delete(data)

    dynamodb._delete_backup = delete_backup


# ---- restores ----


def restores():
    plain_backup = dynamodb._restore_table_from_backup
    plain_moment = dynamodb._restore_table_to_point_in_time

    def from_backup(data):
        """*RestoreSummary*: the source is the table that was backed up; the restore takes its time."""
        answer = plain_backup(data)
        if answer[0] != 200:
            return answer
        kept = dynamodb._backups[data["BackupArn"]]
        origin = {
            "SourceBackupArn": data["BackupArn"],
            "SourceTableArn": kept["SourceTableDetails"]["TableArn"],
            "RestoreDateTime": kept["BackupDetails"]["BackupCreationDateTime"],
        }
        target, items = data["TargetTableName"], kept.get("_items_snapshot") or {}
        return json_response({"TableDescription": fill(target, items, origin)})

    def to_moment(data):
        """*RestoreTableToPointInTime*: between two moments, where recovery is on, and from another region too."""
        arn = data.get("SourceTableArn") or ""
        region = arn.split(":")[3] if arn.startswith("arn:") else get_region()
        name = data.get("SourceTableName") or arn.partition(":table/")[2]
        with request_scope(get_account_id(), region):
            source = dynamodb._tables.get(name)
            on = name in windows
            earliest, latest = window(name) if on else (0, 0)
            source = copy.deepcopy(source) if source else None
        if source is None:
            return refused("TableNotFoundException", f"Source table not found: {arn or name}")
        if not on:
            text = f"Point in time recovery is not enabled for table '{name}'"
            return refused("PointInTimeRecoveryUnavailableException", text)
        moment = latest if data.get("UseLatestRestorableTime") else data.get("RestoreDateTime")
        # Moments are whole seconds, and the first has begun before.
        if moment is None or not int(earliest) <= moment <= latest:
            return refused("InvalidRestoreTimeException", "The moment cannot be restored")
        if data.get("TargetTableName") in dynamodb._tables:
            return refused("TableAlreadyExistsException", f"Target table {data['TargetTableName']} already exists")
        # What ministack copies is a table of its own region: there is one for as long as that takes.
        stand_in = f"source-{new_uuid()}"
        dynamodb._tables[stand_in] = source
        try:
            answer = plain_moment({**data, "SourceTableName": stand_in})
        finally:
            dynamodb._tables.pop(stand_in, None)
        if answer[0] != 200:
            return answer
        origin = {"SourceTableArn": source["TableArn"], "RestoreDateTime": moment}
        told = fill(data["TargetTableName"], items_at(source, moment), origin)
        return json_response({"TableDescription": told})

    dynamodb._restore_table_from_backup = from_backup
    dynamodb._restore_table_to_point_in_time = to_moment


# ---- AWS Backup ----


def missing(text):
    return backup._err("ResourceNotFoundException", text, 400)


def begin(sort, token, **told):
    """A job that runs for a while. *StartBackupJob*, IdempotencyToken: the same request is the same job."""
    job_id = new_uuid().upper()
    now = time.time()
    jobs[job_id] = {"sort": sort, "token": token, "ends": now + JOB, "CreationDate": now, **told}
    return job_id


def known(sort, token):
    return next((job for job, told in jobs.items() if told["sort"] == sort and token and told["token"] == token), None)


def job(sort, job_id):
    found = jobs.get(job_id)
    if found is None or found["sort"] != sort:
        return None
    told = {name: value for name, value in found.items() if name[0].isupper()}
    over = found["ends"] <= time.time()
    if over:
        told["CompletionDate"] = found["ends"]
    return {**told, "State": "COMPLETED" if over else "RUNNING"}


def point(vault, kept, tags, resource):
    arn = f"arn:aws:backup:{get_region()}:{get_account_id()}:recovery-point:{new_uuid().upper()}"
    now = time.time()
    points[arn] = {"vault": vault, "kept": kept, "tags": tags, "resource": resource, "created": now, "ready": now + JOB}
    return arn


def start_backup(body):
    """*StartBackupJob*: what the table has now is what the recovery point will have."""
    vault, token, arn = body.get("BackupVaultName", ""), body.get("IdempotencyToken"), body.get("ResourceArn", "")
    if again := known("backup", token):
        return backup._ok({"BackupJobId": again})
    if vault not in backup._vaults:
        return missing(f"Backup vault {vault} does not exist")
    status, _, answer = dynamodb._create_backup({"TableName": arn, "BackupName": "of-a-vault"})
    if status != 200:
        return missing(f"Resource {arn} does not exist")
    kept = dynamodb._backups.pop(json.loads(answer)["BackupDetails"]["BackupArn"])
    made = point(vault, kept, body.get("RecoveryPointTags") or {}, arn)
    job_id = begin("backup", token, RecoveryPointArn=made, BackupVaultName=vault, ResourceArn=arn)
    jobs[job_id]["BackupJobId"] = job_id
    return backup._ok({"BackupJobId": job_id, "RecoveryPointArn": made, "CreationDate": time.time()})


def start_copy(body):
    """*StartCopyJob*: the copy is a recovery point of its own, in the region of its vault, with the same tags."""
    token, source = body.get("IdempotencyToken"), points.get(body.get("RecoveryPointArn"))
    if again := known("copy", token):
        return backup._ok({"CopyJobId": again})
    if source is None or source["vault"] != body.get("SourceBackupVaultName"):
        return missing("Recovery point does not exist")
    if source["ready"] > time.time():
        return backup._err("InvalidRequestException", "Recovery point is not in a valid state to be copied.", 400)
    _, _, _, region, account, _, vault = body["DestinationBackupVaultArn"].split(":", 6)
    with request_scope(account, region):
        if vault not in backup._vaults:
            return missing(f"Backup vault {vault} does not exist")
        made = point(vault, source["kept"], source["tags"], source["resource"])
    job_id = begin("copy", token, DestinationRecoveryPointArn=made, ResourceArn=source["resource"])
    jobs[job_id]["CopyJobId"] = job_id
    return backup._ok({"CopyJobId": job_id, "CreationDate": time.time()})


def start_restore(body):
    """*StartRestoreJob*, Metadata: targetTableName is what the new table is called."""
    token, source = body.get("IdempotencyToken"), points.get(body.get("RecoveryPointArn"))
    if again := known("restore", token):
        return backup._ok({"RestoreJobId": again})
    if source is None:
        return missing("Recovery point does not exist")
    target = (body.get("Metadata") or {}).get("targetTableName")
    arn = body["RecoveryPointArn"]
    # For as long as ministack copies it, it is a backup.
    dynamodb._backups[arn] = source["kept"]
    try:
        status, _, answer = dynamodb._restore_table_from_backup({"BackupArn": arn, "TargetTableName": target})
    finally:
        dynamodb._backups.pop(arn, None)
    if status != 200:
        return backup._err("InvalidParameterValueException", json.loads(answer).get("message", "refused"), 400)
    made = json.loads(answer)["TableDescription"]["TableArn"]
    job_id = begin("restore", token, RecoveryPointArn=arn, CreatedResourceArn=made)
    jobs[job_id]["RestoreJobId"] = job_id
    return backup._ok({"RestoreJobId": job_id})


def told(arn, found):
    done = found["ready"] <= time.time()
    said = {
        "RecoveryPointArn": arn,
        "BackupVaultName": found["vault"],
        "ResourceArn": found["resource"],
        "ResourceType": "DynamoDB",
        "Status": "COMPLETED" if done else "CREATING",
        "CreationDate": found["created"],
    }
    if done:
        said.update(CompletionDate=found["ready"], BackupSizeInBytes=0)
    return said


def list_points(vault, query):
    """*ListRecoveryPointsByBackupVault*."""
    if vault not in backup._vaults:
        return missing(f"Backup vault {vault} does not exist")
    mine = [told(arn, found) for arn, found in points.items() if found["vault"] == vault]
    return backup._paginate(mine, query, "RecoveryPoints")


def vaults():
    plain = backup.handle_request

    async def handle(method, path, headers, body_bytes, query_params):
        parts = [urllib.parse.unquote(part) for part in path.strip("/").split("/") if part]
        query = {key: value[0] if isinstance(value, list) else value for key, value in query_params.items()}
        body = json.loads(body_bytes) if body_bytes and method == "PUT" else {}
        if parts[:1] == ["tags"] and ":recovery-point:" in parts[-1] and method == "GET":
            found = points.get("/".join(parts[1:]))
            return backup._ok({"Tags": found["tags"]}) if found else missing("Recovery point does not exist")
        if parts[:1] == ["backup-vaults"] and parts[2:3] == ["recovery-points"]:
            if len(parts) == 3 and method == "GET":
                return list_points(parts[1], query)
            if parts[-1] == "restore-metadata" and method == "GET":
                if points.get("/".join(parts[3:-1])) is None:
                    return missing("Recovery point does not exist")
                said = {"encryptionType": "Default", "kmsMasterKeyArn": "Not Applicable"}
                return backup._ok({"RecoveryPointArn": "/".join(parts[3:-1]), "RestoreMetadata": said})
            if method == "DELETE":
                gone = points.pop("/".join(parts[3:]), None)
                return backup._no_content() if gone else missing("Recovery point does not exist")
        starts = {"backup-jobs": start_backup, "copy-jobs": start_copy, "restore-jobs": start_restore}
        if len(parts) == 1 and parts[0] in starts and method == "PUT":
            return starts[parts[0]](body)
        if len(parts) == 2 and parts[0] in starts and method == "GET":
            found = job(parts[0].removesuffix("-jobs"), parts[1])
            if found is None:
                return missing("There is no such job")
            if parts[0] == "copy-jobs":
                return backup._ok({"CopyJob": found})
            return backup._ok({**found, "Status": found["State"]} if parts[0] == "restore-jobs" else found)
        return await plain(method, path, headers, body_bytes, query_params)

    backup.handle_request = handle
