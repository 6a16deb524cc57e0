//! Commands that a person can run.

use crate::model::StackAddress;

/// A command of the AWS CLI on one stack.
pub(super) fn aws(address: &StackAddress, verb: &str, rest: &str) -> String {
    let line = format!("aws cloudformation {verb} --region {} --stack-name {}", address.scope.region, address.name);
    if rest.is_empty() { line } else { format!("{line} {rest}") }
}
