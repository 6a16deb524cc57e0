//! What ECS has changed of a load balancer to shift traffic: with blue/green, canary and linear deployments, listener
//! rules forward to the one or the other of two target groups, and which of them is ECS's business.
//!
//! Only that: a third target group, another kind of action or a rule that no service names is somebody's doing.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Judge;
use crate::model::{Key, Parameter, Part, ResourceDrift, StackSpec, Text};
use crate::plan::exports;
use crate::template::{Origin, TrafficShift, output_origin, traffic_shifts};

/// Stacks that an identity is followed through: through more of them nobody hands an ARN.
const STACKS_MAX: u8 = 8;

/// Which resource is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    /// The one with this logical id, of a stack of the environment.
    Resource(Key, String),
    /// The one with this ARN.
    Arn(String),
}

impl Judge<'_> {
    /// The difference is that a rule forwards to the other one of a service's target groups, or to both by other weights.
    pub(super) fn is_shifted(&self, resource: &ResourceDrift, path: &str) -> bool {
        let actions = match resource.kind.as_str() {
            "AWS::ElasticLoadBalancingV2::ListenerRule" => "/Actions",
            "AWS::ElasticLoadBalancingV2::Listener" => "/DefaultActions",
            _ => return false,
        };
        let Some(place) = path.strip_prefix(actions).and_then(forwards) else { return false };
        let mut differences = resource.differences.iter().filter(|difference| difference.path == path);
        let Some(difference) = differences.next() else { return false };
        let Some(now) = groups(place, &difference.live) else { return false };
        self.shifts_of(resource).into_iter().any(|groups| now.iter().all(|group| groups.contains(group)))
    }

    /// The target groups, by ARN, of each service that names this rule or listener. Those of other stacks are known where
    /// their ARN is written down somewhere; a weight needs none of them.
    fn shifts_of(&self, resource: &ResourceDrift) -> Vec<BTreeSet<String>> {
        let stacks = self.environment.stacks.values().filter(|spec| spec.scope == self.spec.scope);
        let shifts =
            stacks.flat_map(|spec| traffic_shifts(&spec.template.body).into_iter().map(move |shift| (spec, shift)));
        let named = shifts.filter(|(spec, shift)| self.names(spec, shift, resource));
        let arns = named.map(|(spec, shift)| {
            let groups = shift.groups.iter().filter_map(|group| self.named(spec, group, STACKS_MAX));
            groups.filter_map(|group| self.arn(&group)).collect()
        });
        arns.collect()
    }

    fn names(&self, spec: &StackSpec, shift: &TrafficShift, resource: &ResourceDrift) -> bool {
        shift.rules.iter().any(|rule| match self.named(spec, rule, STACKS_MAX) {
            Some(Named::Resource(stack, id)) => stack == self.spec.key && id == resource.resource,
            Some(Named::Arn(arn)) => resource.physical_id.as_ref() == Some(&arn),
            None => false,
        })
    }

    fn named(&self, spec: &StackSpec, origin: &Origin, stacks: u8) -> Option<Named> {
        match origin {
            Origin::Resource(id) => Some(Named::Resource(spec.key.clone(), id.clone())),
            Origin::Literal(arn) => Some(Named::Arn(arn.clone())),
            Origin::Parameter(name) => match spec.parameters.get(name) {
                Some(Parameter::Plain(text)) => self.handed(text, stacks.checked_sub(1)?),
                Some(Parameter::NoEcho(_) | Parameter::Previous) => None,
                None => spec.template.parameters.get(name)?.default.clone().map(Named::Arn),
            },
            Origin::Import(name) => {
                let name = exports::resolve(spec, name)?;
                let others = self.environment.stacks.values().filter(|other| other.scope == spec.scope);
                let outputs = others.flat_map(|other| other.template.facts.outputs.iter().map(move |one| (other, one)));
                let mut exporters = outputs.filter(|(other, (_, output))| {
                    let export = output.export.as_ref().and_then(|export| exports::resolve(other, export));
                    export.as_ref() == Some(&name)
                });
                let (other, (output, _)) = exporters.next()?;
                self.named(other, &output_origin(&other.template.body, output)?, stacks.checked_sub(1)?)
            }
        }
    }

    /// What a text is that is one output as a whole, or is known already.
    fn handed(&self, text: &Text, stacks: u8) -> Option<Named> {
        match text.parts() {
            [Part::Literal(arn)] => Some(Named::Arn(arn.clone())),
            [Part::Output(output)] => {
                let other = self.environment.stacks.get(&output.stack)?;
                self.named(other, &output_origin(&other.template.body, &output.output)?, stacks)
            }
            _ => None,
        }
    }

    fn arn(&self, named: &Named) -> Option<String> {
        match named {
            Named::Arn(arn) => Some(arn.clone()),
            Named::Resource(stack, id) if *stack == self.spec.key => {
                let resource = self.resources.iter().find(|resource| resource.resource == *id)?;
                resource.physical_id.clone()
            }
            Named::Resource(..) => None,
        }
    }
}

/// Where in an action a path leads, if it is to where the action forwards: the path within the action.
fn forwards(path: &str) -> Option<&str> {
    let action = path.strip_prefix('/')?;
    let within = action.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let is_meant = within == "/TargetGroupArn" || within == "/ForwardConfig" || {
        within.strip_prefix("/ForwardConfig/TargetGroups").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    (is_meant && within.len() < action.len()).then_some(within)
}

/// The target groups that are forwarded to now, of what differs; `None` where it says anything else beside.
fn groups(place: &str, live: &str) -> Option<BTreeSet<String>> {
    let value: Value = serde_json::from_str(live).unwrap_or_else(|_| Value::from(live));
    let element = |one: &Value| -> Option<Option<String>> {
        let one = one.as_object()?;
        let known = one.keys().all(|key| key == "TargetGroupArn" || key == "Weight");
        known.then(|| one.get("TargetGroupArn").and_then(Value::as_str).map(str::to_owned))
    };
    let elements = |list: &Value| -> Option<BTreeSet<String>> {
        let found = list.as_array()?.iter().map(element).collect::<Option<Vec<_>>>()?;
        Some(found.into_iter().flatten().collect())
    };
    match &value {
        // It is not there any more: what is there instead is a difference of its own.
        Value::Null => Some(BTreeSet::new()),
        _ if place.ends_with("/Weight") => Some(BTreeSet::new()),
        Value::String(text) if text.is_empty() => Some(BTreeSet::new()),
        Value::String(arn) if place.ends_with("/TargetGroupArn") => Some([arn.clone()].into()),
        Value::Array(_) => elements(&value),
        Value::Object(config) if place == "/ForwardConfig" => {
            let sticky = config.get("TargetGroupStickinessConfig");
            let known = config.keys().all(|key| key == "TargetGroups" || key == "TargetGroupStickinessConfig");
            let plain = sticky.is_none_or(|sticky| sticky.get("Enabled").and_then(Value::as_bool) != Some(true));
            if known && plain { elements(config.get("TargetGroups")?) } else { None }
        }
        Value::Object(_) => element(&value).map(|arn| arn.into_iter().collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::tests::{changed, judged, property};
    use super::*;
    use crate::model::PropertyDifference::{Add, NotEqual, Remove};
    use crate::model::{Environment, Finding, OutputRef, PropertyDrift, ResourceDriftStatus, Verdict, fixtures};

    const RULE: &str = "AWS::ElasticLoadBalancingV2::ListenerRule";

    const BALANCER: &str = "
Resources:
  It: { Type: AWS::ElasticLoadBalancingV2::ListenerRule }
  Another: { Type: AWS::ElasticLoadBalancingV2::ListenerRule }
  Blue: { Type: AWS::ElasticLoadBalancingV2::TargetGroup }
  Green: { Type: AWS::ElasticLoadBalancingV2::TargetGroup }
Outputs:
  Rule: { Value: !Ref It, Export: { Name: the-rule } }
  Blue: { Value: !Ref Blue }
  Green: { Value: !GetAtt Green.TargetGroupArn }
";

    /// A service, with what its load balancer says of each of these.
    fn service(rule: &str, blue: &str, green: &str) -> String {
        format!(
            "  Api:\n    Type: AWS::ECS::Service\n    Properties:\n      LoadBalancers:\n        - TargetGroupArn: {blue}\n          \
             AdvancedConfiguration: {{ ProductionListenerRule: {rule}, AlternateTargetGroupArn: {green} }}\n"
        )
    }

    fn with(environment: &mut Environment, stack: &str, body: &str) {
        let spec = environment.stacks.get_mut(&format!("dev/stack/{stack}").parse().unwrap()).unwrap();
        Arc::make_mut(spec).template = Arc::new(crate::template::parse(body).unwrap());
    }

    /// Rule, target groups and service in one stack.
    fn together() -> Environment {
        let mut environment = fixtures::environment(&[("app", &[])]);
        let both = BALANCER.replace("Outputs:", &format!("{}Outputs:", service("!Ref It", "!Ref Blue", "!Ref Green")));
        with(&mut environment, "app", &both);
        environment
    }

    fn judge(environment: &Environment, kind: &str, difference: PropertyDrift) -> Finding {
        let group = |name: &str| ResourceDrift {
            resource: name.to_owned(),
            physical_id: Some(format!("arn:{name}")),
            status: ResourceDriftStatus::InSync,
            ..changed("AWS::ElasticLoadBalancingV2::TargetGroup", Vec::new())
        };
        let mut findings = judged(environment, vec![group("Blue"), group("Green"), changed(kind, vec![difference])]);
        findings.pop().unwrap()
    }

    fn is_delegated(environment: &Environment, difference: PropertyDrift) -> bool {
        let verdict = judge(environment, RULE, difference).verdict;
        verdict == Verdict::Delegated { to: "ECS, to shift traffic".to_owned() }
    }

    fn weight() -> PropertyDrift {
        property("/Actions/0/ForwardConfig/TargetGroups/0/Weight", NotEqual, "100", "0")
    }

    /// aws-cdk#36649, cdk-real-drift#1730, terraform-aws-alb#409.
    #[test]
    fn where_a_rule_forwards_to_is_left_to_the_deployments_of_its_service() {
        let environment = together();
        let both = r#"[{"TargetGroupArn":"arn:Blue","Weight":0},{"TargetGroupArn":"arn:Green","Weight":100}]"#;
        let config = format!(r#"{{"TargetGroups":{both},"TargetGroupStickinessConfig":{{"Enabled":false}}}}"#);
        for difference in [
            weight(),
            property("/Actions/0/TargetGroupArn", NotEqual, "arn:Blue", "arn:Green"),
            property("/Actions/0/TargetGroupArn", Remove, "arn:Blue", "null"),
            property("/Actions/0/ForwardConfig", Add, "null", &config),
            property("/Actions/0/ForwardConfig/TargetGroups", NotEqual, "[]", both),
            property(
                "/Actions/0/ForwardConfig/TargetGroups/1",
                Add,
                "null",
                r#"{"TargetGroupArn":"arn:Green","Weight":100}"#,
            ),
        ] {
            assert!(is_delegated(&environment, difference.clone()), "{difference:?}");
        }
    }

    #[test]
    fn what_else_becomes_of_a_rule_is_drift() {
        let environment = together();
        let third = r#"{"TargetGroups":[{"TargetGroupArn":"arn:Third","Weight":1}]}"#;
        let sticky = r#"{"TargetGroups":[],"TargetGroupStickinessConfig":{"Enabled":true,"DurationSeconds":60}}"#;
        for difference in [
            property("/Actions/0/TargetGroupArn", NotEqual, "arn:Blue", "arn:Third"),
            property("/Actions/0/ForwardConfig", Add, "null", third),
            property("/Actions/0/ForwardConfig", Add, "null", sticky),
            property("/Actions/0/Type", NotEqual, "forward", "fixed-response"),
            property("/Priority", NotEqual, "1", "2"),
            property("/Conditions/0/Values/0", NotEqual, "/a", "/b"),
        ] {
            assert!(judge(&environment, RULE, difference.clone()).is_drift(), "{difference:?}");
        }
        // Another rule than the one that the service names.
        let listener = property("/DefaultActions/0/ForwardConfig/TargetGroups/0/Weight", NotEqual, "100", "0");
        assert!(judge(&environment, RULE, listener).is_drift());
        for rule in ["!Ref Another", "!Ref 'AWS::NoValue'", "arn:other"] {
            let mut environment = fixtures::environment(&[("app", &[])]);
            let service = service(rule, "!Ref Blue", "!Ref Green");
            with(&mut environment, "app", &BALANCER.replace("Outputs:", &format!("{service}Outputs:")));
            assert!(judge(&environment, RULE, weight()).is_drift(), "{rule}");
        }
    }

    #[test]
    fn a_service_of_another_stack_names_a_rule_by_parameter_export_or_arn() {
        let apart = |body: &str, handed: bool| {
            let mut environment = fixtures::environment(&[("app", &[]), ("web", &[])]);
            with(&mut environment, "app", BALANCER);
            with(&mut environment, "web", body);
            let web = environment.stacks.get_mut(&"dev/stack/web".parse().unwrap()).unwrap();
            if handed {
                let output =
                    |output: &str| OutputRef { stack: "dev/stack/app".parse().unwrap(), output: output.to_owned() };
                let text = |name: &str| Parameter::Plain(Text::new([Part::Output(output(name))]));
                Arc::make_mut(web).parameters =
                    ["Rule", "Blue", "Green"].map(|name| (name.to_owned(), text(name))).into_iter().collect();
            }
            environment
        };
        let group = || property("/Actions/0/TargetGroupArn", NotEqual, "arn:Blue", "arn:Green");
        let parameters = "Parameters:\n  Rule: { Type: String }\n  Blue: { Type: String }\n  Green: { Type: String }\n";
        let body = format!("{parameters}Resources:\n{}", service("!Ref Rule", "!Ref Blue", "!Ref Green"));
        let environment = apart(&body, true);
        assert!(is_delegated(&environment, weight()) && is_delegated(&environment, group()));
        let body = format!("Resources:\n{}", service("!ImportValue the-rule", "arn:Blue", "arn:Green"));
        let environment = apart(&body, false);
        assert!(is_delegated(&environment, weight()) && is_delegated(&environment, group()));
        // By its ARN, and with target groups of which nothing is known: weights are ECS's, and no more.
        let body = format!("Resources:\n{}", service("it-1", "!ImportValue a", "!ImportValue b"));
        let environment = apart(&body, false);
        assert!(is_delegated(&environment, weight()) && judge(&environment, RULE, group()).is_drift());
    }
}
