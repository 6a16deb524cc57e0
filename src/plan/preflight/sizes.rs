//! How much a plan needs of what quotas do not count by resources: brokers of MSK, processors of Fargate.
//!
//! The templates say so, where a number is written there or is the value of a parameter. What the resources that exist
//! already take is measured: by the metric that AWS itself holds against the quota, where it names one, or by a property
//! of each of them. Where it could not be, only a plan that needs more than the whole quota is surely too much, and only
//! where nothing exists yet is there surely enough.

use std::collections::BTreeSet;
use std::fmt;

use crate::model::{Met, Parameter, Size, StackSpec, TemplateResource, Unknown};

/// What new resources need together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sum {
    /// As far as it is known: brokers, or virtual processors.
    pub known: f64,
    /// Resources whose size cannot be read from their template, by logical id.
    pub unknown: BTreeSet<String>,
}

/// What a resource takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Taken {
    /// So much.
    Measured(f64),
    /// Its template does not say it plainly.
    Unread,
}

impl From<Option<f64>> for Taken {
    fn from(read: Option<f64>) -> Self {
        read.map_or(Self::Unread, Self::Measured)
    }
}

// A sum of numbers that a template gives is never `NaN`.
impl Eq for Sum {}

impl Sum {
    pub(super) fn add(&mut self, resource: &str, taken: Taken) {
        match taken {
            Taken::Measured(size) => self.known += size,
            Taken::Unread => _ = self.unknown.insert(resource.to_owned()),
        }
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.known)?;
        if !self.unknown.is_empty() {
            let list = self.unknown.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            write!(f, " (plus {list}, which the templates do not state explicitly)")?;
        }
        Ok(())
    }
}

/// What a resource of a stack takes; `None` where that does not matter.
pub(super) fn of(spec: &StackSpec, name: &str) -> Option<Taken> {
    let resource = spec.template.resources.get(name)?;
    match resource.kind.as_str() {
        "AWS::MSK::Cluster" => Some(number(spec, resource, "NumberOfBrokerNodes").into()),
        "AWS::ECS::Service" => processors(spec, resource),
        _ => None,
    }
}

/// Of a service: its tasks times the processors of one. Where no number of tasks is given it is one (AWS:
/// *`AWS::ECS::Service`*, `DesiredCount`).
fn processors(spec: &StackSpec, service: &TemplateResource) -> Option<Taken> {
    if value(spec, service, "LaunchType").is_some_and(|launch| launch != "FARGATE") {
        return None;
    }
    let tasks =
        if service.sizes.contains_key("DesiredCount") { number(spec, service, "DesiredCount") } else { Some(1.0) };
    let named = service.depends_on.iter().filter_map(|name| spec.template.resources.get(name));
    let mut definitions = named.filter(|found| found.kind == "AWS::ECS::TaskDefinition");
    let (Some(definition), None) = (definitions.next(), definitions.next()) else { return Some(Taken::Unread) };
    let cpu = value(spec, definition, "Cpu").and_then(|text| vcpu(&text));
    Some(tasks.zip(cpu).map(|(tasks, cpu)| tasks * cpu).into())
}

/// `1024`, or `1 vCPU`.
fn vcpu(text: &str) -> Option<f64> {
    let text = text.trim().to_ascii_lowercase();
    match text.strip_suffix("vcpu") {
        Some(whole) => positive(whole),
        None => positive(&text).map(|units| units / 1024.0),
    }
}

fn positive(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

fn number(spec: &StackSpec, resource: &TemplateResource, property: &str) -> Option<f64> {
    positive(&value(spec, resource, property)?)
}

fn value(spec: &StackSpec, resource: &TemplateResource, property: &str) -> Option<String> {
    match resource.sizes.get(property)? {
        Size::Literal(text) => Some(text.clone()),
        Size::Computed => None,
        Size::Parameter(name) => match spec.parameters.get(name) {
            Some(Parameter::Plain(text)) => text.as_literal().map(str::to_owned),
            Some(Parameter::NoEcho(_) | Parameter::Previous) => None,
            None => spec.template.parameters.get(name)?.default.clone(),
        },
    }
}

/// What that means beside a quota, given what is used of it, and how many resources of the type exist. Nothing but them
/// counts against it, or something else does too.
pub(super) fn judge(
    sum: &Sum,
    allowed: f64,
    used: &Result<f64, Unknown>,
    exist: usize,
    nothing_else: bool,
) -> (Met, String) {
    if sum.known > allowed {
        return (Met::Missing, format!("the plan needs {sum}; the quota is {allowed}"));
    }
    let all_is_known = sum.unknown.is_empty();
    match used {
        Ok(used) => {
            let found = format!("the plan needs {sum}; {used} of {allowed} are used");
            let met = match (sum.known + used <= allowed, all_is_known) {
                (false, _) => Met::Missing,
                (true, true) => Met::Ok,
                (true, false) => Met::Unknown,
            };
            (met, found)
        }
        Err(_) if exist == 0 && nothing_else && all_is_known => {
            (Met::Ok, format!("the plan needs {sum} of {allowed}; nothing is used"))
        }
        Err(why) => (
            Met::Unknown,
            format!("the plan needs {sum} of {allowed}; the usage of existing resources ({exist}) is unknown: {why}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template;

    const TEMPLATE: &str = "
Parameters: { Brokers: { Type: Number, Default: 3 }, Tasks: { Type: Number, Default: 4 } }
Conditions: { Large: !Equals [a, b] }
Resources:
  Small: { Type: AWS::MSK::Cluster, Properties: { NumberOfBrokerNodes: 2 } }
  Given: { Type: AWS::MSK::Cluster, Properties: { NumberOfBrokerNodes: !Ref Brokers } }
  Either: { Type: AWS::MSK::Cluster, Properties: { NumberOfBrokerNodes: !If [Large, 6, 3] } }
  Task: { Type: AWS::ECS::TaskDefinition, Properties: { Cpu: '512' } }
  Whole: { Type: AWS::ECS::TaskDefinition, Properties: { Cpu: 2 vCPU } }
  Api: { Type: AWS::ECS::Service, Properties: { TaskDefinition: !Ref Task, DesiredCount: !Ref Tasks, LaunchType: FARGATE } }
  One: { Type: AWS::ECS::Service, Properties: { TaskDefinition: !Ref Whole } }
  Machine: { Type: AWS::ECS::Service, Properties: { TaskDefinition: !Ref Task, LaunchType: EC2 } }
  Elsewhere: { Type: AWS::ECS::Service, Properties: { TaskDefinition: 'api:7', LaunchType: FARGATE } }
  Topic: { Type: AWS::SNS::Topic, Properties: { DisplayName: x } }
";

    fn spec() -> StackSpec {
        let mut spec = crate::model::fixtures::spec("a", &[]);
        spec.template = template::parse(TEMPLATE).unwrap().into();
        spec
    }

    #[test]
    fn what_a_template_says_plainly_or_by_a_parameter_is_counted_and_nothing_else_is_guessed() {
        let mut spec = spec();
        assert_eq!(of(&spec, "Small"), Some(Taken::Measured(2.0)));
        assert_eq!(of(&spec, "Given"), Some(Taken::Measured(3.0)), "the default");
        assert_eq!(of(&spec, "Either"), Some(Taken::Unread));
        assert_eq!(of(&spec, "Api"), Some(Taken::Measured(2.0)));
        assert_eq!(of(&spec, "One"), Some(Taken::Measured(2.0)));
        assert_eq!((of(&spec, "Machine"), of(&spec, "Topic")), (None, None));
        assert_eq!(of(&spec, "Elsewhere"), Some(Taken::Unread));
        spec.parameters.insert("Brokers".to_owned(), Parameter::Previous);
        assert_eq!(of(&spec, "Given"), Some(Taken::Unread), "nobody here knows it");
        assert!(spec.template.resources["Topic"].sizes.is_empty(), "no other property is kept");
    }

    #[test]
    fn too_much_is_missing_and_enough_is_only_said_of_what_was_measured_or_does_not_exist() {
        let sum =
            |known, unknown: &[&str]| Sum { known, unknown: unknown.iter().map(|name| (*name).to_owned()).collect() };
        let blind = || Err(Unknown::because("denied"));
        assert_eq!(judge(&sum(31.0, &[]), 30.0, &blind(), 4, true).0, Met::Missing);
        assert_eq!(judge(&sum(3.0, &[]), 30.0, &blind(), 0, true).0, Met::Ok);
        assert_eq!(judge(&sum(3.0, &["Either"]), 30.0, &blind(), 0, true).0, Met::Unknown);
        assert_eq!(judge(&sum(3.0, &[]), 30.0, &blind(), 1, true).0, Met::Unknown);
        assert_eq!(
            judge(&sum(3.0, &[]), 30.0, &blind(), 0, false).0,
            Met::Unknown,
            "tasks without a service count too"
        );
        assert_eq!(
            judge(&sum(3.0, &["Either"]), 30.0, &blind(), 1, true).1,
            "the plan needs 3 (plus Either, which the templates do not state explicitly) of 30; the usage of existing \
            resources (1) is unknown: denied"
        );
        assert_eq!(judge(&sum(3.0, &[]), 30.0, &Ok(27.0), 9, false).0, Met::Ok);
        assert_eq!(judge(&sum(3.0, &[]), 30.0, &Ok(27.5), 9, false).0, Met::Missing);
        assert_eq!(judge(&sum(3.0, &["Either"]), 30.0, &Ok(0.0), 0, true).0, Met::Unknown);
        assert_eq!(judge(&sum(3.0, &[]), 30.0, &Ok(1.5), 2, true).1, "the plan needs 3; 1.5 of 30 are used");
    }
}
