//! Which service a stack is making, that is being created: it has no outputs yet, and its events name resources.
//!
//! The manifest names the service by an output, and the template says of which resource that is; or by a name that is
//! known. Only where a template has a single service does that need no name. What is not certain is not followed: the
//! failures of one service would be blamed on the image of another.

use std::collections::BTreeMap;

use super::Planner;
use crate::model::{
    Key, OutputRef, Part, Seen, ServiceArn, ServiceRef, ServiceSpec, StackNeed, StackSpec, StackStatus, Text,
};
use crate::template::{Origin, output_origin};

impl Planner<'_> {
    /// The service of a manifest, while its stack is being created.
    pub(super) fn is_making(&self, spec: &ServiceSpec, stack: &Key) -> Option<ServiceRef> {
        let stack = self.input.environment.stacks.get(stack)?;
        let address = stack.address();
        let Seen::Present(seen) = self.input.observation.stack(&address) else { return None };
        if seen.state.status != StackStatus::CreateInProgress {
            return None;
        }
        let Some(making) = &seen.making else {
            self.need(StackNeed::Making(address, seen.state.id.clone()));
            return None;
        };
        let service = meant(&spec.service, self.text_as_shown(&spec.service).as_deref(), stack, making.present()?)?;
        let (cluster, name) = path(service)?;
        Some(ServiceRef { cluster: cluster.to_owned(), service: name.to_owned() })
    }
}

fn path(service: &ServiceArn) -> Option<(&str, &str)> {
    service.as_str().split_once(":service/")?.1.split_once('/')
}

/// The one of them that a manifest calls `service`; `shown` is its name or ARN, where that is known.
fn meant<'m>(
    service: &Text,
    shown: Option<&str>,
    stack: &StackSpec,
    making: &'m BTreeMap<String, ServiceArn>,
) -> Option<&'m ServiceArn> {
    if let [Part::Output(OutputRef { stack: of, output })] = service.parts()
        && *of == stack.key
        && let Some(Origin::Resource(id)) = output_origin(&stack.template.body, output)
    {
        return making.get(&id);
    }
    if let Some(shown) = shown {
        let mut named =
            making.values().filter(|arn| arn.as_str() == shown || path(arn).is_some_and(|at| at.1 == shown));
        return named.next().filter(|_| named.next().is_none());
    }
    let services = stack.template.resources.values().filter(|resource| resource.kind == "AWS::ECS::Service");
    making.values().next().filter(|_| services.count() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fixtures;
    use crate::template;

    const TWO: &str = "
Resources:
  Api: { Type: AWS::ECS::Service }
  Worker: { Type: AWS::ECS::Service }
Outputs:
  Name: { Value: !GetAtt Api.Name }
  Arn: { Value: !Ref Worker }
  Joined: { Value: !Join ['', [a, !GetAtt Api.Name]] }
";

    fn arn(name: &str) -> ServiceArn {
        format!("arn:aws:ecs:us-east-1:111122223333:service/dev/{name}").parse().unwrap()
    }

    fn found(template: &str, service: &Text, shown: Option<&str>, making: &[&str]) -> Option<ServiceArn> {
        let mut stack = fixtures::spec("app", &[]);
        stack.template = template::parse(template).unwrap().into();
        let making = making.iter().map(|id| ((*id).to_owned(), arn(&format!("dev-{id}")))).collect();
        meant(service, shown, &stack, &making).cloned()
    }

    fn output(name: &str) -> Text {
        Text::new([Part::Output(OutputRef { stack: "dev/stack/app".parse().unwrap(), output: name.to_owned() })])
    }

    #[test]
    fn of_several_services_it_is_the_one_that_the_output_or_the_name_means() {
        let both = ["Api", "Worker"];
        assert_eq!(found(TWO, &output("Name"), None, &both), Some(arn("dev-Api")));
        assert_eq!(found(TWO, &output("Arn"), None, &both), Some(arn("dev-Worker")));
        assert_eq!(found(TWO, &Text::literal("dev-Worker"), Some("dev-Worker"), &both), Some(arn("dev-Worker")));
    }

    #[test]
    fn what_is_not_certain_is_not_followed() {
        // The other one has come first.
        assert_eq!(found(TWO, &output("Name"), None, &["Worker"]), None);
        assert_eq!(found(TWO, &Text::literal("dev-Api"), Some("dev-Api"), &["Worker"]), None);
        assert_eq!(found(TWO, &output("Joined"), None, &["Api"]), None);
        let one = "Resources:\n  Api: { Type: AWS::ECS::Service }\n";
        assert_eq!(found(one, &output("Joined"), None, &["Api"]), Some(arn("dev-Api")));
        assert_eq!(found(one, &output("Joined"), None, &[]), None);
    }
}
