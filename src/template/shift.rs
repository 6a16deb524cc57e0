//! From where a template takes identities: with which listener rules ECS shifts traffic and between which target groups,
//! which is what a service's deployments change in resources that a stack owns; and which resource an output names.

use serde_json::Value;

use super::canonical::{canonical, intrinsic, shown};
use super::export::render;
use crate::yaml;

/// From where a template takes an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is that of a resource of its own, with this logical id.
    Resource(String),
    /// It is the value of a parameter.
    Parameter(String),
    /// It is an export of another stack, named as [`crate::model::TemplateOutput::export`] names it.
    Import(String),
    /// It is written there.
    Literal(String),
}

/// One load balancer of a service with two target groups (AWS: *`AWS::ECS::Service AdvancedConfiguration`*).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrafficShift {
    /// The listener rules, or listeners, of production and of test traffic.
    pub rules: Vec<Origin>,
    /// The two target groups.
    pub groups: Vec<Origin>,
}

/// The traffic shifts of all services of a template.
#[must_use]
pub fn traffic_shifts(body: &str) -> Vec<TrafficShift> {
    let Some(whole) = read(body) else { return Vec::new() };
    let resources = whole.get("Resources").and_then(Value::as_object);
    let services = resources.into_iter().flat_map(|all| all.values());
    let services =
        services.filter(|resource| resource.get("Type").and_then(Value::as_str) == Some("AWS::ECS::Service"));
    let balancers = services.filter_map(|service| service.get("Properties")?.get("LoadBalancers")?.as_array());
    balancers.flatten().filter_map(|balancer| shift(&whole, balancer)).collect()
}

/// From where an output has its value.
#[must_use]
pub fn output_origin(body: &str, output: &str) -> Option<Origin> {
    let whole = read(body)?;
    origin(&whole, whole.get("Outputs")?.get(output)?.get("Value")?)
}

fn read(body: &str) -> Option<Value> {
    Some(canonical(&yaml::parse(body).documents.first()?.root))
}

fn shift(whole: &Value, balancer: &Value) -> Option<TrafficShift> {
    let advanced = balancer.get("AdvancedConfiguration")?;
    let of =
        |names: [Option<&Value>; 2]| names.into_iter().flatten().filter_map(|value| origin(whole, value)).collect();
    Some(TrafficShift {
        rules: of([advanced.get("ProductionListenerRule"), advanced.get("TestListenerRule")]),
        groups: of([balancer.get("TargetGroupArn"), advanced.get("AlternateTargetGroupArn")]),
    })
}

fn origin(whole: &Value, value: &Value) -> Option<Origin> {
    if let Some(text) = shown(value) {
        return Some(Origin::Literal(text));
    }
    let is_parameter = |name: &str| whole.get("Parameters").is_some_and(|all| all.get(name).is_some());
    match intrinsic(value)? {
        ("Ref", name) => {
            let name = name.as_str()?.to_owned();
            Some(if is_parameter(&name) { Origin::Parameter(name) } else { Origin::Resource(name) })
        }
        // `RuleArn`, `TargetGroupArn`, the `Name` of a service: what identifies it, as what `Ref` gives does.
        ("Fn::GetAtt", Value::Array(parts)) => {
            let [Value::String(name), Value::String(attribute)] = parts.as_slice() else { return None };
            (attribute.ends_with("Arn") || attribute == "Name").then(|| Origin::Resource(name.clone()))
        }
        ("Fn::ImportValue", name) => render(name, &is_parameter).map(Origin::Import),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_and_groups_of_a_service_are_read_with_where_they_are_from() {
        let body = "
Parameters: { Green: { Type: String } }
Resources:
  Rule: { Type: AWS::ElasticLoadBalancingV2::ListenerRule }
  Plain: { Type: AWS::ECS::Service, Properties: { LoadBalancers: [{ TargetGroupArn: a }] } }
  Api:
    Type: AWS::ECS::Service
    Properties:
      LoadBalancers:
        - TargetGroupArn: arn:blue
          AdvancedConfiguration:
            AlternateTargetGroupArn: !Ref Green
            ProductionListenerRule: !GetAtt Rule.RuleArn
            TestListenerRule: !ImportValue { 'Fn::Sub': '${AWS::Region}-test' }
Outputs:
  Rule: { Value: !Ref Rule }
  Joined: { Value: !Join ['', [a, !Ref Rule]] }
";
        let rules = vec![Origin::Resource("Rule".to_owned()), Origin::Import("${AWS::Region}-test".to_owned())];
        let groups = vec![Origin::Literal("arn:blue".to_owned()), Origin::Parameter("Green".to_owned())];
        assert_eq!(traffic_shifts(body), [TrafficShift { rules, groups }]);
        assert_eq!(output_origin(body, "Rule"), Some(Origin::Resource("Rule".to_owned())));
        assert_eq!(output_origin(body, "Joined"), None);
    }
}
