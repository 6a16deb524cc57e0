//! Operations that have stopped moving: by the age of their newest event, against what their resources take.
//!
//! CloudFormation has no timeout for an update (AWS: *`UpdateStack`*), and the phases after it none for anything: some stay
//! in a clean-up for ever (aws/aws-cdk#26618). That a stack is in progress says nothing; that nothing has happened in it for
//! longer than what is in progress can take says that nothing will.

use jiff::{SignedDuration, Timestamp};

use super::command::aws;
use crate::model::{Ailment, Choice, Diagnosis, Key, Remedy, StackAddress, StackState, StackStatus, Watched, Working};

/// An operation that is younger is not looked into: nothing below waits for less.
pub(super) const SUSPECT: SignedDuration = SignedDuration::from_mins(30);

/// What was read of an operation's events is good for so long.
pub(super) const REREAD: SignedDuration = SignedDuration::from_mins(10);

/// How long a phase may last in which no resource is in progress: `CloudFormation` then has nothing to wait for, and begins
/// the next within seconds.
const IDLE: SignedDuration = SignedDuration::from_mins(30);

/// A resource type, the hours that it may be in progress without an event, and why.
type Limit = (&'static str, i64);

/// How long a resource may be in progress. A handler has two hours unless its schema says otherwise (CloudFormation CLI:
/// *Resource type definition schema*, `timeoutInMinutes`, default 120), so that is what is allowed where nothing is listed.
#[rustfmt::skip]
const HOURS: [Limit; 17] = [
    // "…up to three hours" until the service is steady (aws/containers-roadmap#1303).
    ("AWS::ECS::Service", 3),
    // An answer is waited for an hour at most (AWS: *`AWS::CloudFormation::CustomResource`*, `ServiceTimeout`).
    ("Custom::", 1),
    ("AWS::CloudFormation::CustomResource", 1),
    // At most 43,200 seconds (AWS: *`AWS::CloudFormation::WaitCondition`*, `Timeout`; *CreationPolicy attribute*).
    ("AWS::CloudFormation::WaitCondition", 12),
    ("AWS::AutoScaling::AutoScalingGroup", 12),
    ("AWS::EC2::Instance", 12),
    // Has no events of its own while the stack works that it stands for.
    ("AWS::CloudFormation::Stack", 12),
    // Until it is validated; ACM gives up after 72 hours (AWS: *ACM, troubleshoot DNS validation*).
    ("AWS::CertificateManager::Certificate", 72),
    // Clusters and databases are changed node by node, and storage is optimised for hours: users report four to six.
    ("AWS::RDS::", 12),
    ("AWS::DocDB::", 12),
    ("AWS::Neptune::", 12),
    ("AWS::Redshift::", 12),
    ("AWS::MSK::Cluster", 6),
    ("AWS::ElastiCache::", 6),
    ("AWS::OpenSearchService::Domain", 12),
    ("AWS::EKS::", 6),
    // An index over a large table is filled for as long as that takes (AWS: *Adding a global secondary index*).
    ("AWS::DynamoDB::", 24),
];

/// How long a resource of this type may be in progress without an event, before it is not believed any more.
pub(super) fn limit(kind: &str) -> SignedDuration {
    let listed = HOURS.iter().find(|(type_or_prefix, _)| {
        if type_or_prefix.ends_with("::") { kind.starts_with(type_or_prefix) } else { kind == *type_or_prefix }
    });
    SignedDuration::from_hours(listed.map_or(2, |(_, hours)| *hours))
}

/// Whether nothing has happened for longer than it may.
pub(super) fn is_stalled(watched: &Watched, now: Timestamp) -> bool {
    let longest = watched.working.iter().map(|working| limit(&working.kind)).max().unwrap_or(IDLE);
    now.duration_since(watched.newest) > longest
}

/// What it is, of a stack in which nothing happens any more.
pub(super) fn diagnosis(
    key: &Key,
    address: &StackAddress,
    state: &StackState,
    watched: &Watched,
    now: Timestamp,
) -> Diagnosis {
    let age = |since: Timestamp| {
        let seconds = now.duration_since(since).unsigned_abs().as_secs();
        humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string()
    };
    let working = watched.working.iter().map(|working| {
        let Working { resource, kind, status, since } = working;
        format!("{resource} ({kind}) is in {status} since {since}, for {}", age(*since))
    });
    let idle = watched.working.is_empty().then(|| "no resource is in progress".to_owned());
    let newest = format!("its newest event is {} old", age(watched.newest));
    Diagnosis::of(address, Ailment::Stalled, remedy(address, state.status, &watched.working))
        .about(key)
        .since(Some(watched.newest))
        .shown_by([format!("it is in {}; {newest}", state.status)])
        .shown_by(working)
        .shown_by(idle)
}

/// Which moves a status has (AWS: *`CancelUpdateStack`*, *`DeleteStack`*, *`ContinueUpdateRollback`*).
fn remedy(address: &StackAddress, status: StackStatus, working: &[Working]) -> Remedy {
    use StackStatus as S;
    let first = working.first().map_or("what is in progress", |working| working.resource.as_str());
    let looks = Choice::new(
        format!("check {first} in its own service and make it finish: CloudFormation then continues"),
        [aws(address, "describe-stack-resources", "")],
    );
    match status {
        S::UpdateInProgress => Remedy::Command {
            what: "cancels the update; CloudFormation then rolls it back".to_owned(),
            commands: vec![aws(address, "cancel-update-stack", "")],
        },
        S::CreateInProgress | S::RollbackInProgress => Remedy::Decision {
            what: "whether to wait for its creation".to_owned(),
            choices: vec![
                looks,
                Choice::new(
                    "delete it; if a manifest describes it, Landfast creates it again",
                    [aws(address, "delete-stack", "")],
                ),
            ],
        },
        S::UpdateCompleteCleanupInProgress | S::UpdateRollbackCompleteCleanupInProgress => Remedy::Decision {
            what: "CloudFormation accepts no requests during clean-up".to_owned(),
            choices: vec![
                looks,
                Choice::new("open a case with AWS Support, with the stack ID and the information above", []),
            ],
        },
        _ => Remedy::Decision {
            what: "CloudFormation accepts no requests in this status".to_owned(),
            choices: vec![looks],
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(kinds: &[&str]) -> Watched {
        let since = "2026-01-01T00:00:00Z".parse().unwrap();
        let working = kinds.iter().map(|kind| Working {
            resource: "It".to_owned(),
            kind: (*kind).to_owned(),
            status: "UPDATE_IN_PROGRESS".to_owned(),
            since,
        });
        Watched {
            stack: super::super::events::tests::stack(),
            status: StackStatus::UpdateInProgress,
            at: since,
            newest: since,
            working: working.collect(),
        }
    }

    #[test]
    fn what_takes_long_is_given_longer_and_the_slowest_decides() {
        let after =
            |hours: i64| "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours);
        for (kinds, fine, over) in [
            (&["AWS::SQS::Queue"][..], 2, 3),
            (&["AWS::ECS::Service"][..], 3, 4),
            (&["Custom::Thing"][..], 1, 2),
            (&["AWS::SQS::Queue", "AWS::RDS::DBInstance"][..], 12, 13),
            (&[][..], 0, 1),
        ] {
            assert!(!is_stalled(&watched(kinds), after(fine)), "{kinds:?} after {fine} h");
            assert!(is_stalled(&watched(kinds), after(over)), "{kinds:?} after {over} h");
        }
    }

    #[test]
    fn only_an_update_can_be_cancelled() {
        let address = StackAddress {
            scope: crate::model::Scope {
                account: "111122223333".parse().unwrap(),
                region: "us-east-1".parse().unwrap(),
            },
            name: "dev-a".parse().unwrap(),
        };
        for status in StackStatus::ALL.into_iter().filter(|status| status.is_in_progress()) {
            let remedy = remedy(&address, status, &watched(&["AWS::SQS::Queue"]).working);
            let text = format!("{remedy:?}");
            assert_eq!(text.contains("cancel-update-stack"), status == StackStatus::UpdateInProgress, "{status}");
            assert!(
                !text.contains("delete-stack")
                    || matches!(status, StackStatus::CreateInProgress | StackStatus::RollbackInProgress),
                "{status}"
            );
        }
    }
}
