//! What AWS's errors mean: one table for all operations.
//!
//! `CloudFormation` answers most refusals with `ValidationError`, so that code alone does not say what to do; the
//! message decides, by the phrases below. They are phrases AWS has used for years and that its own tools match too.
//! What no row knows is `Invalid` if the request was refused and `Transient` if the service failed.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudformation::operation::RequestId;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::model::Redacted;
use crate::ports::{Class, PortError};

/// Codes by class. A trailing `Exception` is removed before they are compared: query and JSON services differ in it.
const CODES: &[(Class, &[&str])] = &[
    (
        Class::Throttled,
        &[
            "Throttling",
            "Throttled",
            "ThrottledRequest",
            "RequestThrottled",
            "RequestLimitExceeded",
            "RequestThrottling",
            "TooManyRequests",
            "SlowDown",
            "BandwidthLimitExceeded",
            "PriorRequestNotComplete",
            "ProvisionedThroughputExceeded",
            // SQS: its key is asked too often; too many messages are hidden.
            "KmsThrottled",
            "KMS.Throttling",
            "OverLimit",
        ],
    ),
    (
        Class::Conflict,
        &[
            "AlreadyExists",
            "NameAlreadyExists",
            "TokenAlreadyExists",
            "InvalidChangeSetStatus",
            "InvalidStateTransition",
            "OperationInProgress",
            "OperationIdAlreadyExists",
            "OperationAborted",
            "ConditionalRequestConflict",
            "ResourceExists",
            "ResourceInUse",
            "StaleRequest",
            "PreconditionNotMet",
            // ECS: `StopServiceDeployment` of one that has ended; a service that is being deleted.
            "Conflict",
            "ServiceNotActive",
            "UpdateInProgress",
            // DynamoDB and AWS Backup: a name that is taken; another operation on the table or the backup.
            "TableAlreadyExists",
            "TableInUse",
            "BackupInUse",
            "ContinuousBackupsUnavailable",
            "InvalidResourceState",
            // Application Auto Scaling.
            "ConcurrentUpdate",
        ],
    ),
    (
        Class::NotFound,
        &[
            "ChangeSetNotFound",
            "StackNotFound",
            "NoSuchBucket",
            "NoSuchKey",
            "NoSuchChange",
            "NoSuchHostedZone",
            "NoSuchEntity",
            "NoSuchResource",
            "ResourceNotFound",
            "TableNotFound",
            "BackupNotFound",
            "PolicyNotFound",
            "ObjectNotFound",
            "TypeNotFound",
            "ClusterNotFound",
            "ServiceNotFound",
            "ServiceDeploymentNotFound",
            "RepositoryNotFound",
            "ImageNotFound",
            "TargetGroupNotFound",
            "QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
        ],
    ),
    (Class::Limit, &["LimitExceeded", "ServiceQuotaExceeded", "ConcurrentResourcesLimitExceeded"]),
    (
        Class::Denied,
        &[
            "AccessDenied",
            "AuthFailure",
            "AuthorizationError",
            // The KMS key of a secret cannot be used.
            "DecryptionFailure",
            "EncryptionFailure",
            // So cannot the one of a queue (AWS: *`ReceiveMessage`*, *Errors*).
            "KmsAccessDenied",
            "KmsDisabled",
            "KmsInvalidState",
            "KmsNotFound",
            "KMS.AccessDenied",
            "KMS.Disabled",
            "KMS.InvalidState",
            "KMS.NotFound",
            // ECS: the account may not use it.
            "Blocked",
            "ExpiredToken",
            "IncompleteSignature",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidSignature",
            "InvalidToken",
            "MissingAuthenticationToken",
            "NotAuthorized",
            "OptInRequired",
            "RegionDisabled",
            "RequestExpired",
            "RequestTimeTooSkewed",
            "SignatureDoesNotMatch",
            "Unauthorized",
            "UnauthorizedOperation",
            "UnrecognizedClient",
        ],
    ),
    (
        Class::Transient,
        &[
            "InternalFailure",
            "InternalError",
            "InternalServerError",
            "InternalService",
            "InternalServiceError",
            "ServiceUnavailable",
        ],
    ),
    // S3: a bucket that was made a moment ago (AWS: *Error responses*).
    (Class::Transient, &["RequestTimeout", "TemporaryRedirect", "Unavailable", "Server"]),
    (
        Class::Invalid,
        &[
            "InsufficientCapabilities",
            "InvalidOperation",
            "MalformedPolicyDocument",
            "InvalidParameter",
            "InvalidParameterValue",
            "MissingParameterValue",
            "InvalidRestoreTime",
            "PointInTimeRecoveryUnavailable",
            "UnsupportedFeature",
            "PlatformUnknown",
            "PlatformTaskDefinitionIncompatibility",
        ],
    ),
];

/// What a `ValidationError` says, by class; the first row that matches counts.
const PHRASES: &[(Class, &str)] = &[
    (Class::Throttled, "Rate exceeded"),
    (Class::Denied, "cannot be assumed"),
    (Class::Denied, "is not authorized to perform"),
    (Class::Denied, "S3 error: Access Denied"),
    (Class::Conflict, "already exists"),
    (Class::Conflict, " state and can not be "),
    (Class::Conflict, " state and cannot be "),
    (Class::Conflict, "_IN_PROGRESS state"),
    (Class::Conflict, "cannot be called from current stack status"),
    (Class::Conflict, "while TerminationProtection is enabled"),
    (Class::Conflict, "cannot be deleted while in status"),
    (Class::Conflict, "as it is in use by"),
    // Of `DetectStackDrift`.
    (Class::Conflict, "Drift detection is already in progress"),
    (Class::Conflict, "Drift detection cannot be performed"),
    (Class::Limit, "limit exceeded"),
];

/// What ECS's `ClientException` says, which is its word for any refusal, by class; the first row that matches counts.
const CLIENT_PHRASES: &[(Class, &str)] = &[
    // Of `RegisterTaskDefinition`, when others register the same family just now: it did not take effect.
    (Class::Throttled, "Too many concurrent attempts"),
    (Class::NotFound, "Unable to describe task definition"),
    (Class::NotFound, "TaskDefinition not found"),
    (Class::NotFound, "The specified task definition does not exist"),
];

/// What to do about an answer with this code, message and HTTP status.
fn classify(code: Option<&str>, message: &str, status: Option<u16>) -> Class {
    let bare = code.map(|code| code.strip_suffix("Exception").unwrap_or(code));
    if let Some(bare) = bare {
        if let Some((class, _)) = CODES.iter().find(|(_, codes)| codes.contains(&bare)) {
            return *class;
        }
        // Secrets Manager: not valid for the state that the secret is in. S3's code has no suffix and is about the request.
        if code == Some("InvalidRequestException") {
            return Class::Conflict;
        }
        if bare.starts_with("AccessDenied") {
            return Class::Denied;
        }
        if matches!(bare, "ValidationError" | "Validation") {
            return classify_validation(message);
        }
        if bare == "InvalidChangeBatch" {
            return classify_batch(message);
        }
        if bare == "Client" {
            let row = CLIENT_PHRASES.iter().find(|(_, phrase)| message.contains(phrase));
            return row.map_or(Class::Invalid, |(class, _)| *class);
        }
    }
    match status.map_or(Class::Transient, of_status) {
        // A page of somebody between us and AWS: that says nothing of the object (invariant S10).
        Class::NotFound if code.is_none() => Class::Invalid,
        class => class,
    }
}

/// The same of one entry of a batch, which has no status and says whose fault it is.
pub(super) fn classify_entry(code: &str, message: &str, is_ours: bool) -> Class {
    classify(Some(code), message, Some(if is_ours { 400 } else { 500 }))
}

/// What a status alone says. What is answered with 3xx or 4xx is answered so again, except where it says to wait: a bucket in
/// another region is there tomorrow too (301), and so is a proxy's page to log in.
fn of_status(status: u16) -> Class {
    match status {
        429 => Class::Throttled,
        401 | 403 | 407 => Class::Denied,
        404 | 410 => Class::NotFound,
        // Request timeout, too early.
        408 | 425 => Class::Transient,
        300..=499 => Class::Invalid,
        _ => Class::Transient,
    }
}

fn classify_validation(message: &str) -> Class {
    // Only of the object that was asked for: "S3 error: The specified bucket does not exist" is about the request.
    let of_the_object = ["Stack", "ChangeSet", "Change set"].iter().any(|start| message.starts_with(start));
    if of_the_object && message.contains("does not exist") {
        return Class::NotFound;
    }
    PHRASES.iter().find(|(_, phrase)| message.contains(phrase)).map_or(Class::Invalid, |(class, _)| *class)
}

/// A batch of record sets is refused as a whole. What exists, is gone or is not what was to be deleted has moved since it
/// was read; everything else is wrong with the request.
pub(super) fn classify_batch(message: &str) -> Class {
    let (mut tried, mut moved) = (0, 0);
    for one in message.split("Tried to ").skip(1) {
        tried += 1;
        let phrases = ["it already exists", "it was not found", "do not match the current values"];
        moved += usize::from(phrases.iter().any(|phrase| one.contains(phrase)));
    }
    if tried > 0 && tried == moved && !message.contains("RRSet ") { Class::Conflict } else { Class::Invalid }
}

/// An SDK error in our words. `secrets` are the values that the request carried: AWS repeats a parameter's value when
/// it breaks a length constraint, and an error is shown, logged and stored.
pub(super) fn port_error<E>(
    operation: &'static str,
    error: SdkError<E, HttpResponse>,
    secrets: &[&Redacted],
) -> PortError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let request_id = error.request_id().map(str::to_owned);
    let status = error.raw_response().map(|response| response.status().as_u16());
    if let SdkError::ServiceError(answer) = &error {
        let meta = answer.err().meta();
        let message = meta.message().map_or_else(|| unexplained(status), |message| without(message, secrets));
        let class = classify(meta.code(), &message, status);
        // The answer is code and message; there is nothing below it to keep.
        return PortError { class, operation, code: meta.code().map(str::to_owned), message, request_id, source: None };
    }
    let (class, message) = unanswered(&error, status);
    PortError { class, operation, code: None, message, request_id, source: error.into_source().ok() }
}

/// What became of a call that has no answer from AWS that could be read.
pub(super) fn unanswered<E>(error: &SdkError<E, HttpResponse>, status: Option<u16>) -> (Class, String)
where
    E: Error + Send + Sync + 'static,
{
    if let Some((class, refusal)) = credentials_class(error) {
        return (class, format!("no usable credentials{}", refusal.map(|why| format!(": {why}")).unwrap_or_default()));
    }
    let (class, message) = match error {
        SdkError::ConstructionFailure(_) => (Class::Invalid, "the request could not be built"),
        SdkError::TimeoutError(_) => (Class::Transient, "no answer in time"),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => (Class::Transient, "no connection in time"),
        SdkError::DispatchFailure(_) => (Class::Transient, "the connection failed"),
        // That something is not there is said in words that can be read.
        _ => match status.map_or(Class::Transient, of_status) {
            Class::NotFound => (Class::Invalid, "the response could not be read"),
            class => (class, "the response could not be read"),
        },
    };
    (class, message.to_owned())
}

/// If it failed for want of credentials: whether they were refused or could not be fetched just now, and what AWS says of a
/// role that could not be assumed.
fn credentials_class(error: &(dyn Error + 'static)) -> Option<(Class, Option<String>)> {
    let credentials =
        std::iter::successors(Some(error), below).find_map(<dyn Error>::downcast_ref::<CredentialsError>)?;
    if matches!(credentials, CredentialsError::ProviderTimedOut(_)) {
        return Some((Class::Transient, None));
    }
    let assumed = std::iter::successors(credentials.source(), below)
        .find_map(<dyn Error>::downcast_ref::<SdkError<AssumeRoleError, HttpResponse>>);
    Some(match assumed {
        Some(SdkError::ServiceError(answer)) => {
            let meta = answer.err().meta();
            let status = answer.raw().status().as_u16();
            let message = meta.message().map_or_else(|| unexplained(Some(status)), str::to_owned);
            let class = match classify(meta.code(), &message, Some(status)) {
                class @ (Class::Transient | Class::Throttled) => class,
                _ => Class::Denied,
            };
            let code = meta.code().map(|code| format!(" ({code})")).unwrap_or_default();
            (class, Some(format!("AssumeRole failed: {message}{code}")))
        }
        Some(other) => credentials_class(other.source().unwrap_or(other)).unwrap_or((Class::Transient, None)),
        None => (Class::Denied, None),
    })
}

fn below<'a>(error: &&'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    (*error).source()
}

/// An answer that was understood as far as its status, and lacks what we need.
pub(super) fn unreadable(operation: &'static str, what: &str) -> PortError {
    PortError::new(Class::Transient, operation, format!("the response could not be read: {what}"))
}

fn unexplained(status: Option<u16>) -> String {
    status.map_or_else(|| "refused without a reason".to_owned(), |status| format!("HTTP {status} without a reason"))
}

fn without(message: &str, secrets: &[&Redacted]) -> String {
    secrets
        .iter()
        .filter(|secret| !secret.expose().is_empty())
        .fold(message.to_owned(), |message, secret| message.replace(secret.expose(), "<redacted>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn every_error_has_a_class() {
        let rows: &[(Class, u16, &str, &str)] = &[
            (Class::Throttled, 400, "Throttling", "Rate exceeded"),
            (Class::Throttled, 400, "ThrottlingException", "Rate exceeded"),
            (Class::Throttled, 503, "RequestLimitExceeded", "Request limit exceeded."),
            (Class::Throttled, 429, "TooManyRequestsException", ""),
            (Class::Throttled, 503, "SlowDown", "Please reduce your request rate."),
            (Class::Throttled, 429, "SomethingNew", ""),
            (Class::Throttled, 400, "ValidationError", "Rate exceeded for UpdateStack"),
            (Class::Conflict, 400, "AlreadyExistsException", "Stack [a] already exists"),
            (Class::Conflict, 400, "AlreadyExistsException", "ChangeSet a cannot be created due to a mismatch"),
            (Class::Conflict, 400, "InvalidChangeSetStatus", "ChangeSet [a] cannot be executed in its current status"),
            (Class::Conflict, 400, "TokenAlreadyExistsException", "A stack operation with this token exists"),
            (Class::Conflict, 400, "OperationInProgressException", ""),
            (Class::Conflict, 400, "ValidationError", "Stack [a] already exists"),
            (
                Class::Conflict,
                400,
                "ValidationError",
                "Stack:arn is in UPDATE_IN_PROGRESS state and can not be updated.",
            ),
            (
                Class::Conflict,
                400,
                "ValidationError",
                "Stack:arn is in ROLLBACK_COMPLETE state and can not be updated.",
            ),
            (Class::Conflict, 400, "ValidationError", "Stack [a] cannot be deleted while in status UPDATE_IN_PROGRESS"),
            (Class::Conflict, 400, "ValidationError", "CancelUpdateStack cannot be called from current stack status"),
            (
                Class::Conflict,
                400,
                "ValidationError",
                "Stack [a] cannot be deleted while TerminationProtection is enabled",
            ),
            (Class::Conflict, 400, "ValidationError", "Export a cannot be deleted as it is in use by b"),
            (Class::Conflict, 400, "ResourceExistsException", "A resource with the ID you requested already exists."),
            (Class::Conflict, 400, "InvalidRequestException", "You can't perform this operation on the secret"),
            (Class::Invalid, 400, "InvalidParameterException", "Invalid name."),
            (Class::NotFound, 400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret."),
            (Class::Denied, 400, "DecryptionFailure", "Secrets Manager can't decrypt the protected secret text"),
            (Class::Transient, 500, "InternalServiceError", ""),
            (Class::NotFound, 404, "ChangeSetNotFound", "ChangeSet [a] does not exist"),
            (Class::NotFound, 400, "ValidationError", "Stack with id a does not exist"),
            (Class::NotFound, 400, "ValidationError", "Stack [a] does not exist"),
            (Class::NotFound, 400, "ValidationError", "Stack:arn does not exist"),
            (Class::NotFound, 404, "NoSuchBucket", "The specified bucket does not exist"),
            (Class::NotFound, 400, "TableNotFoundException", "Table not found: a"),
            (
                Class::Conflict,
                400,
                "InvalidChangeBatch",
                "[Tried to create resource record set [name='a.example.com.', type='A'] but it already exists]",
            ),
            (
                Class::Conflict,
                400,
                "InvalidChangeBatch",
                "[Tried to delete resource record set [name='a.', type='A'] but the values provided do not match the current values]",
            ),
            (
                Class::Invalid,
                400,
                "InvalidChangeBatch",
                "[RRSet of type CNAME with DNS name example.com. is not permitted at apex in zone example.com.]",
            ),
            (Class::NotFound, 404, "NoSuchHostedZone", "No hosted zone found with ID: Z1"),
            (Class::Throttled, 400, "PriorRequestNotComplete", "still processing a prior request"),
            (Class::Limit, 400, "LimitExceededException", "Limit for stack has been exceeded"),
            (Class::Denied, 403, "AccessDenied", "User: a is not authorized to perform: b"),
            (Class::Denied, 400, "AccessDeniedException", ""),
            (Class::Denied, 403, "UnauthorizedOperation", ""),
            (Class::Denied, 403, "ExpiredToken", "The security token included in the request is expired"),
            (Class::Denied, 400, "ExpiredTokenException", ""),
            (Class::Denied, 403, "InvalidClientTokenId", ""),
            (Class::Denied, 403, "SignatureDoesNotMatch", ""),
            (Class::Denied, 400, "UnrecognizedClientException", ""),
            (Class::Denied, 403, "SomethingNew", ""),
            (Class::Denied, 400, "ValidationError", "Role arn is invalid or cannot be assumed"),
            (Class::Denied, 400, "ValidationError", "S3 error: Access Denied"),
            (Class::Invalid, 400, "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]"),
            (Class::Invalid, 400, "ValidationError", "Template format error: unsupported structure."),
            (Class::Invalid, 400, "ValidationError", "Parameters: [A] do not exist in the template"),
            (Class::Invalid, 400, "ValidationError", "S3 error: The specified bucket does not exist"),
            (Class::Invalid, 400, "ValidationException", "1 validation error detected"),
            (Class::Invalid, 400, "SomethingNew", ""),
            (Class::Throttled, 400, "ThrottlingException", "Rate exceeded"),
            (Class::Throttled, 400, "ClientException", "Too many concurrent attempts to create a new revision."),
            (Class::Conflict, 400, "ConflictException", "The service deployment is in a final state."),
            (Class::Conflict, 400, "ServiceNotActiveException", "Service was not ACTIVE."),
            (Class::NotFound, 400, "ClientException", "Unable to describe task definition."),
            (Class::NotFound, 400, "ClusterNotFoundException", "Cluster not found."),
            (Class::Conflict, 400, "TableAlreadyExistsException", "Table already exists: people"),
            (Class::Conflict, 400, "ResourceInUseException", "Table is being created: people"),
            (Class::Conflict, 400, "BackupInUseException", ""),
            (Class::Conflict, 400, "ContinuousBackupsUnavailableException", "Backups are being enabled for the table"),
            (Class::NotFound, 400, "TableNotFoundException", "Table not found: people"),
            (Class::NotFound, 400, "BackupNotFoundException", "Backup not found: arn"),
            (Class::Invalid, 400, "InvalidRestoreTimeException", ""),
            (Class::Invalid, 400, "PointInTimeRecoveryUnavailableException", ""),
            (Class::Invalid, 400, "InvalidParameterValueException", "Invalid backup vault"),
            (Class::Throttled, 400, "ProvisionedThroughputExceededException", ""),
            (Class::NotFound, 400, "ServiceNotFoundException", "Service not found."),
            (Class::NotFound, 400, "ServiceDeploymentNotFoundException", ""),
            (Class::NotFound, 400, "RepositoryNotFoundException", "The repository with name 'a' does not exist"),
            (Class::NotFound, 400, "ImageNotFoundException", ""),
            (Class::NotFound, 400, "TargetGroupNotFound", "One or more target groups not found"),
            (Class::Invalid, 400, "ClientException", "TaskDefinition is inactive"),
            (Class::Invalid, 400, "InvalidParameterException", "Family contains invalid characters."),
            (Class::Denied, 400, "BlockedException", "Your account is currently blocked."),
            (Class::Transient, 500, "ServerException", "Service Unavailable. Please try again later."),
            (Class::Transient, 500, "InternalFailure", ""),
            (Class::Transient, 503, "ServiceUnavailable", ""),
            (Class::Transient, 400, "RequestTimeout", "Your socket connection was not read from in time"),
            (Class::Transient, 502, "SomethingNew", ""),
            (Class::Invalid, 301, "PermanentRedirect", "must be addressed using the specified endpoint"),
            (Class::Transient, 307, "TemporaryRedirect", "You are being redirected while DNS is updated."),
            (Class::Transient, 408, "SomethingNew", ""),
        ];
        for (expected, status, code, message) in rows {
            assert_eq!(classify(Some(code), message, Some(*status)), *expected, "{status} {code}: {message}");
        }
        assert_eq!(classify(None, "", None), Class::Transient);
        assert_eq!(classify(None, "", Some(400)), Class::Invalid);
        assert_eq!(classify(None, "", Some(404)), Class::Invalid, "nobody has said what is not there");
    }

    #[test]
    fn no_code_has_two_classes() {
        let mut codes: Vec<_> = CODES.iter().flat_map(|(_, codes)| *codes).collect();
        codes.sort_unstable();
        let count = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }
}
