//! What a call is about that CloudTrail has recorded (AWS: *Service events delivered via AWS CloudTrail*).
//!
//! Each service names its parameters as it likes. What Landfast looks at by itself is read from the parameters that AWS
//! documents. For any other resource of a stack a rule finds whatever could be its physical id: a name too many is asked of
//! nobody, and a name too few is a change that is found an hour later.

use serde_json::Value;

use super::names::{self, can_be, of_arn};
use super::record::Caller;
use super::{About, Envelope};
use crate::model::{AccountId, Deed, DnsName, RecordsOf, Subject, names_secret};

/// Names that are taken from one call.
const NAMES_MAX: usize = 64;

/// Values that are looked at to find them.
const VALUES_MAX: usize = 2000;

/// How deep names are below the parameters and the answer: `tableDescription.tableArn`, `groupSet.items[0].groupId`.
const DEPTH_MAX: usize = 4;

/// The last word of a field that holds a name. Of what was asked for any text can be one: `cluster`, `rule`.
const NAMING: [&str; 8] = ["name", "names", "id", "ids", "arn", "arns", "identifier", "url"];

pub(super) fn read(event: &Envelope<'_>) -> About {
    let record = event.detail;
    let failed = record["errorCode"].as_str().is_some_and(|code| !code.is_empty());
    if failed || reads(record) {
        return (Vec::new(), None);
    }
    let mut found = Found::default();
    precise(record, &mut found);
    let arns = record["resources"].as_array().into_iter().flatten();
    let arns = arns.filter_map(|resource| resource["ARN"].as_str().or_else(|| resource["arn"].as_str()));
    for arn in arns.chain(event.resources.iter().copied()).take(names::RESOURCES_MAX) {
        found.name(arn);
    }
    found.names(&record["requestParameters"], 1);
    for part in ["responseElements", "additionalEventData", "serviceEventDetails"] {
        found.names(&record[part], 2);
    }
    let deed = (!found.about.is_empty()).then(|| deed(event));
    (found.about, deed)
}

/// `readOnly` is a Boolean, and was a text. Old records lack it: those might have changed something.
fn reads(record: &Value) -> bool {
    let read_only = &record["readOnly"];
    read_only.as_bool().or_else(|| read_only.as_str().map(|text| text == "true")).unwrap_or(false)
}

fn deed(event: &Envelope<'_>) -> Deed {
    let record = event.detail;
    let text = |field: &str| record[field].as_str().filter(|text| can_be(text));
    let caller = Caller::of(record);
    Deed {
        id: text("eventID").unwrap_or(event.id).to_owned(),
        at: text("eventTime").and_then(|time| time.parse().ok()).unwrap_or(event.at),
        actor: caller.actor(None),
        from: caller.from(),
        call: text("eventName").unwrap_or("an unknown call").to_owned(),
        reads: false,
    }
}

/// What the call says of the kinds of objects that Landfast looks at by name.
fn precise(record: &Value, found: &mut Found) {
    let service = record["eventSource"].as_str().unwrap_or_default().trim_end_matches(".amazonaws.com");
    let (asked, answered) = (&record["requestParameters"], &record["responseElements"]);
    let text = |field: &str| asked[field].as_str().filter(|text| can_be(text));
    match service {
        "secretsmanager" => {
            let event = record["additionalEventData"]["SecretId"].as_str().filter(|text| can_be(text));
            for secret in [text("secretId"), text("name"), event].into_iter().flatten() {
                found.add(Subject::Secret(secret.to_owned()));
            }
        }
        "route53" => {
            let made = answered["hostedZone"]["id"].as_str().filter(|text| can_be(text));
            for zone in [text("hostedZoneId"), text("id"), made].into_iter().flatten().map(names::zone) {
                found.add(Subject::Zone(zone.to_owned()));
            }
            if let Some(zone) = text("hostedZoneId").map(names::zone) {
                records(zone, &asked["changeBatch"]["changes"]).for_each(|record| found.add(record));
            }
        }
        "dynamodb" => {
            let fields = ["tableName", "targetTableName", "sourceTableName", "sourceTableArn", "resourceArn"];
            let tables = fields.iter().filter_map(|field| text(field)).filter_map(names::table);
            tables.for_each(|table| found.add(Subject::Table(table)));
        }
        "ecs" => {
            // Services of a request without a cluster are in the one of this name (AWS: *`UpdateService`*, `cluster`).
            let cluster = text("cluster").map_or("default", names::last);
            // AWS: *Amazon ECS events*: "the service is specified in the `serviceName` field", or in `service`.
            for service in [text("serviceName"), text("service")].into_iter().flatten().map(names::last) {
                found.add(Subject::Service { cluster: cluster.to_owned(), service: service.to_owned() });
            }
            let deployment = text("serviceDeploymentArn").and_then(crate::model::ServiceRef::of_deployment);
            if let Some(service) = deployment {
                found.add(Subject::Service { cluster: service.cluster, service: service.service });
            }
        }
        "cloudformation" => {
            let made = answered["stackId"].as_str().filter(|text| can_be(text));
            let stacks = [text("stackName"), text("stackId"), made].into_iter().flatten().filter_map(names::stack);
            stacks.for_each(|stack| found.add(Subject::Stack(stack)));
        }
        "ecr" => {
            if let Some(name) = text("repositoryName") {
                found.add(Subject::Repository(name.to_owned()));
            }
        }
        _ => {}
    }
}

/// The record sets that a batch of changes names (AWS: *`ChangeResourceRecordSets`*): as whoever sent it has written them.
fn records<'a>(zone: &'a str, changes: &'a Value) -> impl Iterator<Item = Subject> {
    let sets = changes.as_array().into_iter().flatten().map(|change| &change["resourceRecordSet"]);
    let named = sets.filter_map(move |set| {
        let text = |field: &str| set[field].as_str().filter(|text| can_be(text));
        let of = RecordsOf { name: DnsName::new(text("name")?), kind: text("type")?.to_ascii_uppercase() };
        Some(Subject::Record { zone: zone.to_owned(), of, set: text("setIdentifier").map(str::to_owned) })
    });
    named.take(NAMES_MAX)
}

/// What was found, each once, in the order in which it was found.
#[derive(Default)]
struct Found {
    about: Vec<Subject>,
    /// Values that were looked at.
    values: usize,
}

impl Found {
    fn add(&mut self, subject: Subject) {
        if self.about.len() < NAMES_MAX && !self.about.contains(&subject) {
            self.about.push(subject);
        }
    }

    /// Any physical id, with what else it says if it is an ARN.
    fn name(&mut self, text: &str) {
        // What begins so is a policy or another document; a number of twelve digits is an account.
        if !can_be(text) || text.starts_with(['{', '[']) || text.parse::<AccountId>().is_ok() {
            return;
        }
        if let Some(subject) = of_arn(text) {
            self.add(subject);
        }
        self.add(Subject::Resource(text.to_owned()));
        names::in_arn(text).for_each(|name| self.add(Subject::Resource(name.to_owned())));
        if let Some(arn) = names::decoded(text).filter(|arn| can_be(arn)) {
            self.name(&arn);
        }
    }

    /// Whatever below `value` can be a physical id. Values of parameters that are named like a secret are not.
    fn names(&mut self, value: &Value, depth: usize) {
        let Some(fields) = value.as_object() else { return };
        for (name, value) in fields {
            if self.is_full() {
                return;
            }
            self.values += 1;
            match value {
                Value::String(text) if may_name(name, depth) => self.name(text),
                Value::Object(_) if depth < DEPTH_MAX => self.names(value, depth + 1),
                Value::Array(values) if depth < DEPTH_MAX => self.listed(name, values, depth),
                _ => {}
            }
        }
    }

    fn listed(&mut self, name: &str, values: &[Value], depth: usize) {
        for value in values {
            if self.is_full() {
                return;
            }
            self.values += 1;
            match value {
                Value::String(text) if may_name(name, depth) => self.name(text),
                Value::Object(_) => self.names(value, depth + 1),
                _ => {}
            }
        }
    }

    fn is_full(&self) -> bool {
        self.about.len() >= NAMES_MAX || self.values >= VALUES_MAX
    }
}

/// Whether a parameter of this name can hold a physical id.
fn may_name(field: &str, depth: usize) -> bool {
    let field = field.to_ascii_lowercase();
    let is_naming = NAMING.iter().any(|word| field.ends_with(word));
    is_naming || (depth == 1 && !names_secret(&field))
}
