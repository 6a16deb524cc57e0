//! What a person can do about what differs in a nested stack. No change set of its root puts that back: AWS's own tools
//! make none that both reverts drift and includes nested stacks (aws-cloudformation/cloudformation-languageserver,
//! `computeEligibleDeploymentMode`: "nested stacks is not supported"). A change set can be made of the nested stack itself
//! (AWS: *Change sets for nested stacks*, "from any level of the stack hierarchy"), of what it has deployed. That is left to
//! a person: the nested stack is its root's.

use crate::model::{Finding, Region, StackSpec};

/// Every parameter as it is. Left out, they would be the template's defaults (AWS: *`CreateChangeSet`*, `Parameters`).
const PREVIOUS: &str = "Stacks[0].Parameters[].{ParameterKey: ParameterKey, UsePreviousValue: `true`} || `[]`";

/// The commands that put back a difference in a nested stack, in their order; none, where it is in the stack itself.
#[must_use]
pub fn by_hand(spec: &StackSpec, finding: &Finding) -> Vec<String> {
    let Some((path, _)) = finding.resource.as_deref().and_then(|resource| resource.rsplit_once('/')) else {
        return Vec::new();
    };
    let region = &spec.scope.region;
    let mut commands = Vec::new();
    let mut outer = spec.stack_name.to_string();
    for name in path.split('/') {
        let asked =
            format!("describe-stack-resource --region {region} --stack-name {outer} --logical-resource-id {name}");
        let id = "--query StackResourceDetail.PhysicalResourceId --output text";
        commands.push(format!("nested=$(aws cloudformation {asked} {id})"));
        "\"$nested\"".clone_into(&mut outer);
    }
    let capabilities: Vec<&str> = spec.capabilities.iter().map(String::as_str).collect();
    commands.extend(reverting(region, &outer, &capabilities));
    commands
}

/// The commands that put back what differs in one nested stack.
pub(in crate::plan) fn reverting(region: &Region, stack: &str, capabilities: &[&str]) -> [String; 4] {
    let aws = |verb: &str| format!("aws cloudformation {verb} --region {region} --stack-name {stack}");
    let set = "--change-set-name revert-drift";
    let parameters = format!("--parameters \"$({} --output json --query '{PREVIOUS}')\"", aws("describe-stacks"));
    let capabilities = match capabilities {
        [] => String::new(),
        some => format!(" --capabilities {}", some.join(" ")),
    };
    let mode = "--use-previous-template --deployment-mode REVERT_DRIFT";
    [
        format!("{} {set} {mode}{capabilities} {parameters}", aws("create-change-set")),
        format!("{} {set}", aws("wait change-set-create-complete")),
        format!("{} {set} --query Changes    # what it would revert", aws("describe-change-set")),
        format!("{} {set}", aws("execute-change-set")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Severity, Verdict, fixtures};

    #[test]
    fn what_differs_two_stacks_down_is_put_back_there() {
        let environment = fixtures::environment(&[("app", &[])]);
        let spec = environment.stacks.values().next().unwrap();
        let finding = |resource: &str| {
            let whole = Finding::of(spec.key.clone(), jiff::Timestamp::UNIX_EPOCH, Verdict::Drift(Severity::Low));
            Finding { resource: Some(resource.to_owned()), ..whole }
        };
        assert_eq!(by_hand(spec, &finding("Queue")), Vec::<String>::new());
        insta::assert_snapshot!(by_hand(spec, &finding("Inner/Innermost/Queue")).join("\n"), @r#"
        nested=$(aws cloudformation describe-stack-resource --region us-east-1 --stack-name dev-performance-mgmt-app --logical-resource-id Inner --query StackResourceDetail.PhysicalResourceId --output text)
        nested=$(aws cloudformation describe-stack-resource --region us-east-1 --stack-name "$nested" --logical-resource-id Innermost --query StackResourceDetail.PhysicalResourceId --output text)
        aws cloudformation create-change-set --region us-east-1 --stack-name "$nested" --change-set-name revert-drift --use-previous-template --deployment-mode REVERT_DRIFT --parameters "$(aws cloudformation describe-stacks --region us-east-1 --stack-name "$nested" --output json --query 'Stacks[0].Parameters[].{ParameterKey: ParameterKey, UsePreviousValue: `true`} || `[]`')"
        aws cloudformation wait change-set-create-complete --region us-east-1 --stack-name "$nested" --change-set-name revert-drift
        aws cloudformation describe-change-set --region us-east-1 --stack-name "$nested" --change-set-name revert-drift --query Changes    # what it would revert
        aws cloudformation execute-change-set --region us-east-1 --stack-name "$nested" --change-set-name revert-drift
        "#);
    }
}
