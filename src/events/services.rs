//! What the events are about that services send by themselves.

use super::names::{self, of_arn};
use super::{Envelope, HEARTBEAT_RULE};
use crate::model::Subject;

/// What an event is about. Each name once; none for a kind of event that says nothing about what Landfast looks at.
pub(super) fn about(event: &Envelope<'_>) -> Vec<Subject> {
    let mut about = match (event.source, event.kind) {
        // The plain events of a set of stacks (`CloudFormation StackSet …`) name no stack.
        ("aws.cloudformation", "CloudFormation Stack Status Change") if !begins(event) => stack(event),
        ("aws.cloudformation", "CloudFormation Resource Status Change") if matters(event) => stack(event),
        ("aws.ecs", "ECS Deployment State Change" | "ECS Service Action") => service(event),
        ("aws.ecs", "ECS Task State Change") => task(event),
        ("aws.ecr", "ECR Image Action" | "ECR Replication Action" | "ECR Pull Through Cache Action") => image(event),
        ("aws.cloudwatch", "CloudWatch Alarm State Change" | "CloudWatch Alarm Configuration Change") => alarm(event),
        (
            "aws.backup",
            "Backup Job State Change"
            | "Copy Job State Change"
            | "Restore Job State Change"
            | "Recovery Point State Change",
        ) => backup(event),
        ("aws.events", "Scheduled Event") => heartbeat(event).into_iter().collect(),
        _ => Vec::new(),
    };
    about.sort();
    about.dedup();
    about
}

/// An operation of ours has begun: whoever began it knows. Our tokens say so (`plan/names.rs`); anybody else's are told.
fn begins(event: &Envelope<'_>) -> bool {
    let ours = event.name("client-request-token").is_some_and(|token| token.starts_with("landfast-"));
    ours && matches!(status(event), Some("CREATE_IN_PROGRESS" | "UPDATE_IN_PROGRESS" | "DELETE_IN_PROGRESS"))
}

/// Of the resources of a stack that moves, those that have failed say how it will end; and a service that is made says its
/// name. Of the others there are hundreds, and the stack says when it is done.
fn matters(event: &Envelope<'_>) -> bool {
    status(event).is_some_and(|status| status.ends_with("_FAILED"))
        || event.name("resource-type") == Some("AWS::ECS::Service")
}

fn status<'e>(event: &Envelope<'e>) -> Option<&'e str> {
    event.detail.get("status-details")?.get("status")?.as_str()
}

/// The stack. Its ARN is the physical id that a nested one has in the stack above it.
fn stack(event: &Envelope<'_>) -> Vec<Subject> {
    let id = event.name("stack-id").or_else(|| event.resources.first().copied());
    let Some((id, name)) = id.and_then(|id| Some((id, names::stack(id)?))) else { return Vec::new() };
    vec![Subject::Stack(name), Subject::Resource(id.to_owned())]
}

/// The services of `resources`. ARNs in the old form lack the cluster (AWS: *Amazon ECS ARNs and IDs*), and the event has it.
fn service(event: &Envelope<'_>) -> Vec<Subject> {
    let cluster = event.name("clusterArn").map(names::last);
    let found = event.resources.iter().filter_map(|arn| {
        let old = || {
            let name = arn.split_once(":service/")?.1;
            Some(Subject::Service { cluster: cluster?.to_owned(), service: name.to_owned() })
        };
        of_arn(arn).or_else(old).filter(|subject| matches!(subject, Subject::Service { .. }))
    });
    found.collect()
}

/// The service that a task was started by: its group (AWS: *`Task`*, `group`). Other tasks are nobody's.
fn task(event: &Envelope<'_>) -> Vec<Subject> {
    let service = event.name("group").and_then(|group| group.strip_prefix("service:"));
    let cluster = event.name("clusterArn").map(names::last);
    let both = cluster.zip(service).filter(|(cluster, service)| !cluster.is_empty() && !service.is_empty());
    both.map(|(cluster, service)| Subject::Service { cluster: cluster.to_owned(), service: service.to_owned() })
        .into_iter()
        .collect()
}

/// The repository of an image that was pushed, replicated, deleted.
fn image(event: &Envelope<'_>) -> Vec<Subject> {
    if event.name("result").is_some_and(|result| result != "SUCCESS") {
        return Vec::new();
    }
    let by_name = event.name("repository-name").map(|name| Subject::Repository(name.to_owned()));
    let by_arn = event.resources.iter().filter_map(|arn| of_arn(arn));
    by_name.into_iter().chain(by_arn.filter(|subject| matches!(subject, Subject::Repository(_)))).collect()
}

/// The alarm, whose name is its physical id in a stack too.
fn alarm(event: &Envelope<'_>) -> Vec<Subject> {
    let Some(name) = event.name("alarmName") else { return Vec::new() };
    match event.kind {
        "CloudWatch Alarm Configuration Change" => {
            vec![Subject::Alarm(name.to_owned()), Subject::Resource(name.to_owned())]
        }
        _ => vec![Subject::Alarm(name.to_owned())],
    }
}

/// The table that a job or a recovery point is for, and the one that a restore has made. A job to restore says neither before
/// it has ended.
fn backup(event: &Envelope<'_>) -> Vec<Subject> {
    let fields = ["resourceArn", "sourceResourceArn", "createdResourceArn", "recoveryPointArn"];
    let arns = fields.iter().filter_map(|field| event.name(field)).chain(event.resources.iter().copied());
    let tables = arns.filter_map(|arn| match of_arn(arn)? {
        Subject::Table(table) | Subject::Backup(table) => Some(Subject::Backup(table)),
        _ => None,
    });
    let made = event.name("createdResourceArn").and_then(of_arn);
    tables.chain(made.filter(|subject| matches!(subject, Subject::Table(_)))).collect()
}

/// A heartbeat, if a rule of ours has sent it. Rules with a schedule are on the default bus: `rule/NAME`.
fn heartbeat(event: &Envelope<'_>) -> Option<Subject> {
    let (_, rule) = event.resources.first()?.split_once(":rule/")?;
    names::last(rule).starts_with(HEARTBEAT_RULE).then_some(Subject::Heartbeat)
}
