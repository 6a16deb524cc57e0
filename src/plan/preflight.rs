//! What an account must have and allow before an environment is deployed into it: which questions that raises. What the
//! answers mean is in [`judge`].

mod actions;
mod images;
mod judge;
mod queue;
mod sizes;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    Action, Bucket, Certificate, ChangeAction, Environment, Parameter, Plan, Principal, QuotaState, Scope, Seen,
    TypeFacts, Unknown,
};

pub use actions::{Purpose, actions};
pub use images::images;
pub use judge::judge;
pub use queue::{QueueAnswers, Tried, judge_queue};
pub use sizes::Sum;

/// A quota that a resource type counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The resource type.
    pub kind: &'static str,
    /// AWS's code of the service.
    pub service: &'static str,
    /// AWS's code of the quota.
    pub code: &'static str,
    /// AWS's name of the quota.
    pub name: &'static str,
    measure: Measure,
}

/// How resources count against a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    /// Each is one, in the whole region.
    Each,
    /// Each is one in its availability zone, which is not known before it is made.
    EachInItsZone,
    /// By their brokers.
    Brokers,
    /// By the processors of their tasks. Tasks without a service count too.
    Processors,
}

impl Quota {
    /// The property of each resource by which it counts; `None` where it counts as one.
    #[must_use]
    pub fn property(&self) -> Option<&'static str> {
        (self.measure == Measure::Brokers).then_some("NumberOfBrokerNodes")
    }

    /// What is used of it is more than the number of resources.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        matches!(self.measure, Measure::Brokers | Measure::Processors)
    }
}

const fn quota(
    kind: &'static str,
    service: &'static str,
    code: &'static str,
    name: &'static str,
    measure: Measure,
) -> Quota {
    Quota { kind, service, code, name, measure }
}

/// The quotas that deployments run into (AWS: *service endpoints and quotas*, of each service).
const QUOTAS: [Quota; 7] = [
    quota("AWS::EC2::VPC", "vpc", "L-F678F1CE", "VPCs per Region", Measure::Each),
    quota("AWS::EC2::NatGateway", "vpc", "L-FE5A380F", "NAT gateways per Availability Zone", Measure::EachInItsZone),
    quota("AWS::EC2::EIP", "ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", Measure::Each),
    quota(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "elasticloadbalancing",
        "L-53DA6B97",
        "Application Load Balancers per Region",
        Measure::Each,
    ),
    quota("AWS::DynamoDB::Table", "dynamodb", "L-F98FE922", "Maximum number of tables", Measure::Each),
    quota("AWS::MSK::Cluster", "kafka", "L-EDD31C36", "Number of brokers per account", Measure::Brokers),
    quota("AWS::ECS::Service", "fargate", "L-3032A538", "Fargate On-Demand vCPU resource count", Measure::Processors),
];

/// What is to be asked in one account and region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Questions {
    /// Resource types of all stacks.
    pub types: BTreeSet<String>,
    /// Of these, made by the caller himself and not by a service role.
    pub own_types: BTreeSet<String>,
    /// Resources that do not exist yet, by type.
    pub new: BTreeMap<String, usize>,
    /// What those take of quotas that do not count resources, by type.
    pub sizes: BTreeMap<String, Sum>,
    /// ARNs of certificates among the stacks' parameters.
    pub certificates: BTreeSet<String>,
    /// The bucket that templates are uploaded to.
    pub bucket: Option<String>,
    /// Macros that templates name, AWS's own among them.
    pub transforms: BTreeSet<String>,
    /// What Landfast itself does there.
    pub purposes: BTreeSet<Purpose>,
}

impl Questions {
    /// The quotas that count.
    pub fn quotas(&self) -> impl Iterator<Item = Quota> {
        QUOTAS.into_iter().filter(|quota| self.new.contains_key(quota.kind))
    }

    /// The actions that the caller needs, given what the types ask for.
    #[must_use]
    pub fn actions(&self, types: &BTreeMap<String, Seen<TypeFacts>>) -> BTreeSet<String> {
        let own = actions().filter(|(purpose, _)| self.purposes.contains(purpose));
        let own = own.flat_map(|(_, actions)| actions.iter().map(|action| (*action).to_owned()));
        let facts = self.own_types.iter().filter_map(|name| types.get(name)).filter_map(Seen::present);
        let created = facts.flat_map(|facts| facts.create.iter().cloned());
        // Wildcards are no actions: the simulator takes names alone.
        own.chain(created).filter(|action| !action.contains('*')).collect()
    }
}

/// The answers.
#[derive(Clone, Debug)]
pub struct Answers {
    /// Whose credentials these are.
    pub principal: Result<Principal, Unknown>,
    /// What the registry says of each type; absent: there is none of this name in the region.
    pub types: BTreeMap<String, Seen<TypeFacts>>,
    /// The actions that are denied.
    pub denied: Result<BTreeSet<String>, Unknown>,
    /// How many resources of a type there are.
    pub used: BTreeMap<String, Result<usize, Unknown>>,
    /// How much those take that are not simply counted, by type.
    pub measured: BTreeMap<String, Result<f64, Unknown>>,
    /// Quotas by code; absent: the region has none of this code.
    pub quotas: BTreeMap<String, Seen<QuotaState>>,
    /// The bucket that templates are uploaded to, where there is one.
    pub bucket: Option<Seen<Bucket>>,
    /// The account's own key that encrypts it; absent: there is none. `None`: there is no bucket that could be asked.
    pub key: Option<Seen<String>>,
    /// What the caller may not do with that key, by its own policies.
    pub key_denied: Result<BTreeSet<String>, Unknown>,
    /// The macros that the caller may not use, by ARN.
    pub transforms_denied: Result<BTreeSet<String>, Unknown>,
    /// Certificates by ARN.
    pub certificates: BTreeMap<String, Seen<Certificate>>,
}

/// What is asked of each macro that a template names, beside the stack (AWS: *Controlling access with IAM*: to "allow
/// `AWS::Serverless` transforms to create a change set").
pub const ON_TRANSFORMS: &str = "cloudformation:CreateChangeSet";

/// What writing to a bucket and reading from it takes where a key of the account's own encrypts it (AWS: *Using server-side
/// encryption with AWS KMS keys*, "Permissions").
pub const ON_KEYS: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];

/// The ARN of a macro as its permission names it: AWS's own belong to `aws`, others to the account, or, under the name of
/// another's account, to that one (AWS: *Overview of CloudFormation macros*).
#[must_use]
pub fn transform_arn(scope: &Scope, name: &str) -> String {
    let partition = scope.region.partition();
    let (owner, name) = match (name.strip_prefix("AWS::"), name.split_once("::")) {
        (Some(own), _) => ("aws", own),
        (None, Some((account, name))) => (account, name),
        (None, None) => (scope.account.as_str(), name),
    };
    format!("arn:{partition}:cloudformation:{}:{owner}:transform/{name}", scope.region)
}

/// The ARN of a key, where what names it says that. Of an alias nobody can tell: its key has another.
#[must_use]
pub fn key_arn(scope: &Scope, id: &str) -> Option<String> {
    if id.starts_with("arn:") {
        return id.contains(":key/").then(|| id.to_owned());
    }
    let partition = scope.region.partition();
    (!id.starts_with("alias/")).then(|| format!("arn:{partition}:kms:{}:{}:key/{id}", scope.region, scope.account))
}

/// What is to be asked before `plan` is carried out, by account and region; `reports`: drift reports are left in a bucket.
#[must_use]
pub fn questions(environment: &Environment, plan: &Plan, reports: bool) -> BTreeMap<Scope, Questions> {
    let mut all: BTreeMap<Scope, Questions> = BTreeMap::new();
    let services = environment.services.values().map(|spec| &spec.scope);
    let secrets = environment.secrets.values().map(|spec| &spec.scope);
    let records = environment.records.values().map(|spec| &spec.scope);
    let backups = environment.backups.values().map(|spec| &spec.scope);
    for scope in [&environment.scope].into_iter().chain(services).chain(secrets).chain(records).chain(backups) {
        all.entry(scope.clone()).or_default();
    }
    for (key, spec) in &environment.stacks {
        let asked = all.entry(spec.scope.clone()).or_default();
        asked.bucket.clone_from(&environment.template_bucket);
        let kinds: BTreeSet<String> = spec
            .template
            .resources
            .values()
            .map(|resource| resource.kind.clone())
            .filter(|kind| is_public(kind))
            .collect();
        if spec.role_arn.is_none() {
            asked.own_types.extend(kinds.iter().cloned());
        }
        asked.types.extend(kinds);
        asked.transforms.extend(spec.template.transforms.iter().cloned());
        for parameter in spec.parameters.values() {
            if let Parameter::Plain(text) = parameter
                && let Some(text) = text.as_literal()
                && text.starts_with("arn:")
                && text.contains(":acm:")
            {
                asked.certificates.insert(text.to_owned());
            }
        }
        let Some(entry) = plan.entries.get(key) else { continue };
        if matches!(entry.action, Action::Create | Action::Recreate | Action::Update) {
            let added = entry.changes.list().iter().filter(|change| change.action == ChangeAction::Add);
            for change in added {
                *asked.new.entry(change.kind.clone()).or_default() += 1;
                if let Some(size) = sizes::of(spec, &change.resource) {
                    asked.sizes.entry(change.kind.clone()).or_default().add(&change.resource, size);
                }
            }
        }
    }
    for (scope, asked) in &mut all {
        asked.purposes = actions::purposes(environment, plan, scope);
        // They are sent by whoever acts in the environment's own account.
        asked.purposes.extend((reports && *scope == environment.scope).then_some(Purpose::Reports));
    }
    all
}

/// In AWS's own registry; private types, modules and custom resources are the account's business.
fn is_public(kind: &str) -> bool {
    kind.starts_with("AWS::") && !kind.ends_with("::MODULE") && kind != "AWS::CloudFormation::CustomResource"
}

/// The user or role whose policies decide for a caller; `None` for the root of an account, which may do everything.
///
/// A session is `arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION`; its role's path, if it has one, is not in it.
#[must_use]
pub fn policy_source(arn: &str) -> Option<String> {
    let mut parts = arn.splitn(6, ':');
    let (_, partition, service, _, account, resource) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    match (service, resource.split('/').collect::<Vec<_>>().as_slice()) {
        ("sts", ["assumed-role", name, ..]) => Some(format!("arn:{partition}:iam::{account}:role/{name}")),
        ("iam", ["root"]) => None,
        _ => Some(arn.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_macro_belongs_to_aws_to_the_account_or_to_the_one_that_it_names() {
        let scope = Scope { account: "111122223333".parse().unwrap(), region: "us-gov-west-1".parse().unwrap() };
        for (name, owner, called) in [
            ("AWS::Serverless-2016-10-31", "aws", "Serverless-2016-10-31"),
            ("AWS::LanguageExtensions", "aws", "LanguageExtensions"),
            ("Standards", "111122223333", "Standards"),
            ("444455556666::Standards", "444455556666", "Standards"),
        ] {
            let arn = format!("arn:aws-us-gov:cloudformation:us-gov-west-1:{owner}:transform/{called}");
            assert_eq!(transform_arn(&scope, name), arn);
        }
    }

    #[test]
    fn a_key_is_known_by_its_id_or_its_arn_and_not_by_an_alias() {
        let scope = Scope { account: "111122223333".parse().unwrap(), region: "us-east-1".parse().unwrap() };
        let arn = "arn:aws:kms:us-east-1:111122223333:key/1234abcd";
        assert_eq!(key_arn(&scope, "1234abcd").as_deref(), Some(arn));
        assert_eq!(key_arn(&scope, arn).as_deref(), Some(arn));
        for alias in ["alias/templates", "arn:aws:kms:us-east-1:111122223333:alias/templates"] {
            assert_eq!(key_arn(&scope, alias), None);
        }
    }

    #[test]
    fn permissions_are_those_of_the_role_behind_a_session() {
        let role = policy_source("arn:aws:sts::111122223333:assumed-role/landfast/ops");
        assert_eq!(role.as_deref(), Some("arn:aws:iam::111122223333:role/landfast"));
        assert_eq!(policy_source("arn:aws:iam::111122223333:root"), None);
        let user = "arn:aws-cn:iam::111122223333:user/team/a";
        assert_eq!(policy_source(user).as_deref(), Some(user));
    }
}
