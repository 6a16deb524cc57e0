//! Which texts of an event can be names, and what an ARN names.

use crate::model::{Subject, TableArn};

/// ARNs that are read of an event's `resources`.
pub(super) const RESOURCES_MAX: usize = 32;

/// As long as the longest names are: ARNs of IAM and URLs of queues (AWS: *IAM and AWS STS quotas*), in bytes.
const NAME_MAX: usize = 2048;

/// Whether a text can be the name of something: what has line breaks or is longer is a document.
pub(super) fn can_be(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_MAX && !text.chars().any(char::is_control)
}

/// What an ARN names, of what Landfast looks at.
pub(super) fn of_arn(arn: &str) -> Option<Subject> {
    let mut parts = arn.splitn(6, ':');
    let [_, _, service, _, _, resource] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    if !arn.starts_with("arn:") || !can_be(arn) {
        return None;
    }
    let named = |sort: &str| resource.strip_prefix(sort).filter(|name| !name.is_empty()).map(str::to_owned);
    match service {
        // `stack/NAME/ID`; examples of AWS's documentation lack the id.
        "cloudformation" => Some(Subject::Stack(named("stack/")?.split('/').next()?.to_owned())),
        "ecs" => {
            let (cluster, service) = resource.strip_prefix("service/")?.split_once('/')?;
            Some(Subject::Service { cluster: cluster.to_owned(), service: service.to_owned() })
        }
        "ecr" => named("repository/").map(Subject::Repository),
        "secretsmanager" => named("secret:").map(|_| Subject::Secret(arn.to_owned())),
        "route53" => named("hostedzone/").map(Subject::Zone),
        "cloudwatch" => named("alarm:").map(Subject::Alarm),
        "dynamodb" => {
            let table = arn.parse::<TableArn>().ok()?.name()?.as_str().to_owned();
            let is_backup = resource.split('/').nth(2) == Some("backup");
            Some(if is_backup { Subject::Backup(table) } else { Subject::Table(table) })
        }
        _ => None,
    }
}

/// The name of a table, given by name or by ARN.
pub(super) fn table(text: &str) -> Option<String> {
    match of_arn(text) {
        Some(Subject::Table(name)) => Some(name),
        _ => text.parse::<crate::model::TableName>().ok().map(String::from),
    }
}

/// The name of a stack, given by name or by ARN.
pub(super) fn stack(text: &str) -> Option<String> {
    match of_arn(text) {
        Some(Subject::Stack(name)) => Some(name),
        _ => text.parse::<crate::model::StackName>().ok().map(String::from),
    }
}

/// The id of a hosted zone: APIs write it with and without a prefix.
pub(super) fn zone(text: &str) -> &str {
    text.strip_prefix("/hostedzone/").unwrap_or(text)
}

/// The name of a cluster or a service, given by name or by ARN.
pub(super) fn last(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or(text)
}

/// The names that an ARN has for what it names: `role/path/NAME`, `key/ID`, `function:NAME:ALIAS`.
pub(super) fn in_arn(arn: &str) -> impl Iterator<Item = &str> {
    let resource = arn.strip_prefix("arn:").and_then(|rest| rest.splitn(5, ':').nth(4)).unwrap_or_default();
    let last = resource.rsplit(['/', ':']).next();
    let mut parts = resource.split(':');
    let second = parts.nth(1).filter(|_| parts.next().is_some() && !resource.contains('/'));
    last.into_iter().chain(second).filter(|name| !name.is_empty())
}

/// An ARN that is written as in a URL: so are those that were part of a request's path.
pub(super) fn decoded(text: &str) -> Option<String> {
    let is_encoded = text.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("arn%3a"));
    let marks = [("%3A", ":"), ("%3a", ":"), ("%2F", "/"), ("%2f", "/")];
    is_encoded.then(|| marks.iter().fold(text.to_owned(), |text, (mark, sign)| text.replace(mark, sign)))
}
