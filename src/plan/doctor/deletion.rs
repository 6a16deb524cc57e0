//! `DELETE_FAILED`: what blocks it, what would unblock it, and what can stay in the account instead.

use super::events::{failed_for_themselves, last_phase};
use super::rollback::NoSet;
use crate::model::{ObservedStack, Scope, Seen, StackAddress, StackNeed};

/// A resource that could not be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::plan) struct Blocker {
    /// Its logical id.
    pub(in crate::plan) resource: String,
    /// Its type.
    pub(in crate::plan) kind: String,
    /// Its name in AWS.
    pub(in crate::plan) physical_id: String,
    /// Why, as AWS says.
    pub(in crate::plan) reason: String,
}

/// What a deletion failed on.
pub(in crate::plan) fn blockers(address: &StackAddress, stack: &ObservedStack) -> Result<Vec<Blocker>, NoSet> {
    let id = &stack.state.id;
    let events = match stack.events.get(id) {
        Some(Seen::Present(events)) => events,
        Some(Seen::Absent) => return Err(NoSet::Nothing),
        Some(Seen::Unknown(why)) => return Err(NoSet::Unknown(format!("its events could not be read: {why}"))),
        None => {
            let status = Some(stack.state.status);
            return Err(NoSet::Need(Box::new(StackNeed::Events(address.clone(), id.clone(), status))));
        }
    };
    let phase = last_phase(events, id).unwrap_or(events);
    let found: Vec<Blocker> = failed_for_themselves(phase, id, "DELETE_FAILED")
        .map(|event| Blocker {
            resource: event.resource.clone(),
            kind: event.kind.clone(),
            physical_id: event.physical_id.clone().unwrap_or_default(),
            reason: event.reason.clone().unwrap_or_else(|| "AWS gives no reason".to_owned()),
        })
        .collect();
    if found.is_empty() { Err(NoSet::Nothing) } else { Ok(found) }
}

/// The commands that unblock it, by its type and what AWS says; none where that is not known.
pub(super) fn unblock(blocker: &Blocker, scope: &Scope) -> Vec<String> {
    let (id, region) = (&blocker.physical_id, &scope.region);
    let says = |part: &str| blocker.reason.to_lowercase().contains(part);
    match blocker.kind.as_str() {
        "AWS::S3::Bucket" if says("not empty") => vec![format!("aws s3 rm s3://{id} --recursive")],
        "AWS::ECR::Repository" if says("contains images") || says("not empty") => {
            vec![format!("aws ecr delete-repository --region {region} --repository-name {id} --force")]
        }
        "AWS::DynamoDB::Table" if says("deletion protection") => vec![format!(
            "aws dynamodb update-table --region {region} --table-name {id} --no-deletion-protection-enabled"
        )],
        "AWS::RDS::DBInstance" if says("deletion protection") => vec![format!(
            "aws rds modify-db-instance --region {region} --db-instance-identifier {id} --no-deletion-protection"
        )],
        "AWS::ElasticLoadBalancingV2::LoadBalancer" if says("deletion protection") => vec![format!(
            "aws elbv2 modify-load-balancer-attributes --region {region} --load-balancer-arn {id} --attributes \
             Key=deletion_protection.enabled,Value=false"
        )],
        // What still uses it is found by its network interfaces: there the owner stands.
        "AWS::EC2::SecurityGroup" => {
            vec![format!("aws ec2 describe-network-interfaces --region {region} --filters Name=group-id,Values={id}")]
        }
        "AWS::EC2::Subnet" => {
            vec![format!("aws ec2 describe-network-interfaces --region {region} --filters Name=subnet-id,Values={id}")]
        }
        "AWS::EC2::VPC" => {
            vec![format!("aws ec2 describe-network-interfaces --region {region} --filters Name=vpc-id,Values={id}")]
        }
        "AWS::IAM::Role" if says("must detach") || says("must delete policies") => {
            vec![format!("aws iam list-attached-role-policies --role-name {id}")]
        }
        "AWS::ECS::Cluster" => vec![format!("aws ecs list-services --region {region} --cluster {id}")],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::events::tests::{events, stack};
    use super::*;
    use crate::model::{StackStatus, fixtures};

    fn scope() -> Scope {
        Scope { account: "111122223333".parse().unwrap(), region: "us-east-1".parse().unwrap() }
    }

    #[test]
    fn everything_that_blocks_is_named_with_its_reason() {
        let list = events(
            &stack(),
            &[
                ("stack", "DELETE_IN_PROGRESS", ""),
                ("Bucket", "DELETE_FAILED", "The bucket you tried to delete is not empty"),
                ("Queue", "DELETE_COMPLETE", ""),
                ("Group", "DELETE_FAILED", "resource sg-1 has a dependent object"),
                ("stack", "DELETE_FAILED", "The following resource(s) failed to delete: [Bucket, Group]."),
            ],
        );
        let mut state = fixtures::stack_state("dev-a", StackStatus::DeleteFailed);
        state.id = stack();
        let mut observed = ObservedStack::listed(state);
        let address = StackAddress { scope: scope(), name: "dev-a".parse().unwrap() };
        assert!(matches!(blockers(&address, &observed), Err(NoSet::Need(_))));
        observed.events.insert(stack(), Seen::Present(list.into()));
        let found = blockers(&address, &observed).unwrap();
        assert_eq!(found.iter().map(|one| one.resource.as_str()).collect::<Vec<_>>(), ["Bucket", "Group"]);
    }

    #[test]
    fn known_blockers_come_with_their_command() {
        let blocker = |kind: &str, reason: &str| Blocker {
            resource: "It".to_owned(),
            kind: kind.to_owned(),
            physical_id: "it".to_owned(),
            reason: reason.to_owned(),
        };
        for (kind, reason, command) in [
            ("AWS::S3::Bucket", "The bucket you tried to delete is not empty", "aws s3 rm s3://it --recursive"),
            ("AWS::EC2::SecurityGroup", "resource it has a dependent object", "describe-network-interfaces"),
            (
                "AWS::DynamoDB::Table",
                "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.",
                "--no-deletion-protection-enabled",
            ),
        ] {
            let commands = unblock(&blocker(kind, reason), &scope());
            assert!(commands.iter().any(|line| line.contains(command)), "{kind}: {commands:?}");
        }
        assert_eq!(unblock(&blocker("AWS::S3::Bucket", "Access Denied"), &scope()), Vec::<String>::new());
    }
}
