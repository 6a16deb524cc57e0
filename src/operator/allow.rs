//! Whether what a manifest names is among what the operator allows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::floor::floor;
use super::section::{Operator, Said, Section};
use crate::model::{
    ApprovalRules, Approver, AssumeRole, Cut, DriftAction, EnvName, Limits, Policy, Reach, Scope, like,
};

/// What a manifest names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// An account.
    Account,
    /// A region.
    Region,
    /// The ARN of a role.
    Role,
    /// A bucket for templates.
    TemplateBucket,
    /// The system.
    System,
    /// A file of the repository.
    Manifest,
    /// The name of a stack.
    StackName,
}

impl What {
    fn noun(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Region => "region",
            Self::Role => "role",
            Self::TemplateBucket => "template bucket",
            Self::System => "system",
            Self::Manifest => "file",
            Self::StackName => "stack name",
        }
    }

    fn list(self, section: &Section) -> Option<&Said<Vec<String>>> {
        match self {
            Self::Account => section.accounts.as_ref(),
            Self::Region => section.regions.as_ref(),
            Self::Role => section.roles.as_ref(),
            Self::TemplateBucket => section.template_buckets.as_ref(),
            Self::System => section.systems.as_ref(),
            Self::Manifest => section.manifests.as_ref(),
            Self::StackName => section.stack_names.as_ref(),
        }
    }
}

/// What the operator says of one environment.
#[derive(Clone, Debug, Default)]
pub struct Floor<'o> {
    sections: Vec<&'o Section>,
    local: bool,
    approvers: Arc<[Approver]>,
}

impl Operator {
    /// What holds in an environment.
    ///
    /// # Errors
    /// There is a configuration, and none of its sections names this environment.
    pub fn floor_of(&self, environment: &EnvName) -> Result<Floor<'_>, String> {
        let sections: Vec<&Section> = self.sections.iter().filter(|section| section.is_about(environment)).collect();
        match &self.file {
            Some(file) if sections.is_empty() => {
                Err(format!("no section of the operator's {file} allows the environment `{environment}`"))
            }
            _ => Ok(Floor { sections, local: self.local, approvers: Arc::clone(self.approvers()) }),
        }
    }

    /// Whether anything may be sent to an account and region in this role (invariant S11): a second look where the call is
    /// made, at whatever led to it. It does not know for which environment that is, so some section has to allow it, and
    /// every section that is about all environments.
    ///
    /// # Errors
    /// It may not.
    pub fn allows_call(&self, scope: &Scope, role: Option<&AssumeRole>) -> Result<(), String> {
        let Some(file) = &self.file else { return Ok(()) };
        let allows = |section: &Section| {
            let floor = Floor { sections: vec![section], local: self.local, approvers: Arc::default() };
            floor.place(scope).and_then(|()| floor.role(role))
        };
        let everywhere = |section: &&Section| section.names.iter().any(|name| name == "*");
        for section in self.sections.iter().filter(everywhere) {
            allows(section)?;
        }
        if self.sections.iter().any(|section| allows(section).is_ok()) {
            return Ok(());
        }
        Err(format!("no section of the operator's {file} allows {scope} with this role"))
    }
}

impl Floor<'_> {
    /// Whether the operator allows what a manifest names.
    ///
    /// # Errors
    /// What is allowed, and where that is said.
    pub fn allows(&self, what: What, name: &str) -> Result<(), String> {
        let lists = self.sections.iter().filter_map(|section| what.list(section));
        for Said { value, by } in lists {
            if !value.iter().any(|pattern| like(pattern, name)) {
                let allowed = if value.is_empty() { "none".to_owned() } else { value.join(", ") };
                let noun = what.noun();
                return Err(format!("the {noun} `{name}` is not allowed here; the operator's {by} allows {allowed}"));
            }
        }
        Ok(())
    }

    /// Whether the operator limits what is named there.
    #[must_use]
    pub fn limits_any(&self, what: What) -> Option<&str> {
        self.sections.iter().find_map(|section| what.list(section)).map(|said| &*said.by)
    }

    fn place(&self, scope: &Scope) -> Result<(), String> {
        self.allows(What::Account, scope.account.as_str())?;
        self.allows(What::Region, scope.region.as_str())
    }

    /// Whether the account may be entered so.
    ///
    /// # Errors
    /// What is allowed, and where that is said.
    pub fn role(&self, role: Option<&AssumeRole>) -> Result<(), String> {
        match (role, self.limits_any(What::Role)) {
            (Some(role), _) => self.allows(What::Role, role.arn.as_str()),
            (None, Some(by)) => Err(format!("a role is required here: the operator's {by} lists the allowed roles")),
            (None, None) => Ok(()),
        }
    }

    /// The policy that holds where this one is asked for; `stateful` are the types that hold state by default.
    #[must_use]
    pub fn policy(&self, asked: Policy, stateful: &[&str]) -> (Policy, Vec<Cut>) {
        floor(asked, &self.sections, stateful)
    }

    /// The most that is done about drift.
    #[must_use]
    pub fn drift(&self) -> Option<&Said<DriftAction>> {
        self.sections.iter().filter_map(|section| section.drift.as_ref()).min_by_key(|said| said.value)
    }

    /// To whom files may be sealed, where the manifest says this.
    #[must_use]
    pub fn recipients(&self, asked: Option<BTreeSet<String>>) -> Option<BTreeSet<String>> {
        let said = self.sections.iter().filter_map(|section| section.seal_recipients.as_ref());
        said.fold(asked, |held, said| {
            Some(held.map_or_else(|| said.value.clone(), |held| held.intersection(&said.value).cloned().collect()))
        })
    }

    /// What approvals need where a manifest asks for this: that, and no less than any section asks for.
    #[must_use]
    pub fn approvals(&self, asked: &ApprovalRules) -> ApprovalRules {
        fn said<'s, T: 's>(
            floor: &'s Floor<'_>,
            of: impl Fn(&'s Section) -> Option<&'s Said<T>>,
        ) -> impl Iterator<Item = &'s T> {
            floor.sections.iter().filter_map(move |section| of(section)).map(|said| &said.value)
        }
        let shortest = |times: Option<&Duration>, otherwise| times.copied().unwrap_or(otherwise);
        let longest = shortest(said(self, |section| section.approvals_longest.as_ref()).min(), asked.longest);
        let expires = shortest(said(self, |section| section.approvals_expire.as_ref()).min(), asked.expires);
        let least = said(self, |section| section.approvals_required.as_ref()).max().copied().unwrap_or_default();
        let named = said(self, |section| section.approval_groups.as_ref()).flatten().cloned();
        ApprovalRules {
            required: asked.required.max(least),
            groups: asked.groups.iter().cloned().chain(named).collect(),
            expires: expires.min(longest),
            longest,
            approvers: Arc::clone(&self.approvers),
        }
    }

    /// What has to be known beside the policy while the environment is reconciled.
    #[must_use]
    pub fn limits(&self, cuts: Vec<Cut>, approvals: ApprovalRules) -> Limits {
        fn all<T: Clone>(sections: &[&Section], said: impl Fn(&Section) -> Option<&Said<T>>) -> Vec<(T, Arc<str>)> {
            let said = sections.iter().filter_map(|section| said(section));
            said.map(|said| (said.value.clone(), said.by.clone())).collect()
        }
        let bound = self.sections.iter().find(|section| !section.unbound_seals);
        Limits {
            is_operated: !self.sections.is_empty(),
            cuts,
            approvers: all(&self.sections, |section| section.approvers.as_ref()),
            approvals: Arc::new(approvals),
            reach: Reach {
                hosts: all(&self.sections, |section| section.probe_hosts.as_ref()),
                networks: all(&self.sections, |section| section.probe_networks.as_ref()),
                local: self.local,
            },
            bound_seals: bound.map(|section| section.by.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn scope(account: &str, region: &str) -> Scope {
        Scope { account: account.parse().unwrap(), region: region.parse().unwrap() }
    }

    fn role(arn: &str) -> AssumeRole {
        AssumeRole { arn: arn.parse().unwrap(), external_id: None, session_name: "landfast".to_owned() }
    }

    const TEXT: &str = "[[environment]]\nname = ['*']\nregions = ['us-*']\n\n[[environment]]\nname = ['prod*']\n\
        accounts = ['444455556666']\nroles = ['arn:aws:iam::*:role/landfast']\n\n[[environment]]\nname = ['dev']\n\
        accounts = ['111122223333']\n";

    #[test]
    fn every_section_with_the_name_applies() {
        let operator = read("landfast.toml", TEXT).unwrap();
        let prod = operator.floor_of(&"prod-eu".parse().unwrap()).unwrap();
        assert_eq!(prod.allows(What::Account, "444455556666"), Ok(()));
        assert!(prod.allows(What::Account, "111122223333").unwrap_err().contains("landfast.toml:7"));
        assert!(prod.allows(What::Region, "eu-west-1").unwrap_err().contains("landfast.toml:3"));
        assert!(prod.role(None).unwrap_err().contains("landfast.toml:8"));
        assert!(prod.role(Some(&role("arn:aws:iam::444455556666:role/landfast"))).is_ok());
        assert!(prod.role(Some(&role("arn:aws:iam::444455556666:role/landfast-admin"))).is_err());
        let dev = operator.floor_of(&"dev".parse().unwrap()).unwrap();
        assert_eq!(dev.role(None), Ok(()));
    }

    #[test]
    fn an_environment_that_no_section_names_is_not_touched() {
        let operator = read("landfast.toml", "[[environment]]\nname = ['prod']\n").unwrap();
        assert!(operator.floor_of(&"dev".parse().unwrap()).unwrap_err().contains("landfast.toml"));
        assert!(read("landfast.toml", "").unwrap().floor_of(&"dev".parse().unwrap()).is_err());
        assert!(Operator::default().floor_of(&"dev".parse().unwrap()).is_ok());
    }

    #[test]
    fn a_call_goes_where_some_section_allows_it() {
        let operator = read("landfast.toml", TEXT).unwrap();
        let landfast = role("arn:aws:iam::444455556666:role/landfast");
        assert_eq!(operator.allows_call(&scope("111122223333", "us-east-1"), None), Ok(()));
        assert_eq!(operator.allows_call(&scope("444455556666", "us-east-1"), Some(&landfast)), Ok(()));
        // The section that is about all environments has no accounts; those that have some do not allow this one.
        assert!(operator.allows_call(&scope("111122223333", "eu-west-1"), None).is_err());
        let strict = read("landfast.toml", "[[environment]]\nname = ['prod']\naccounts = ['444455556666']\n").unwrap();
        assert!(strict.allows_call(&scope("999999999999", "us-east-1"), None).is_err());
        assert!(Operator::default().allows_call(&scope("999999999999", "us-east-1"), None).is_ok());
    }

    #[test]
    fn approvals_need_what_any_section_or_the_manifest_asks_for() {
        let key =
            |end: &str| format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKHEChAFvN1m1rI7C0Yv7cKYUZ3jC6pX3wZgLQ8ZK{end}");
        let text = format!(
            "[[approver]]\nname = 'ada'\nkeys = ['{} laptop']\ngroups = ['dba']\n[[approver]]\nname = 'bob'\n\
             keys = ['{}']\n[[environment]]\nname = ['*']\napprovals = {{ required = 1, longest = '8h' }}\n\
             [[environment]]\nname = ['prod']\napprovals = {{ groups = ['dba'], expires = '2d', longest = '3d' }}\n",
            key("XgZ"),
            key("XgY"),
        );
        let operator = read("landfast.toml", &text).unwrap();
        let prod = operator.floor_of(&"prod".parse().unwrap()).unwrap();
        let rules = prod.approvals(&ApprovalRules::default());
        assert_eq!((rules.required, rules.groups), (1, ["dba".to_owned()].into()));
        let eight = Duration::from_hours(8);
        assert_eq!((rules.expires, rules.longest), (eight, eight), "the shortest counts");
        assert_eq!(rules.approvers.len(), 2);
        let asked = ApprovalRules { required: 2, groups: ["ops".to_owned()].into(), ..ApprovalRules::default() };
        let tightened = prod.approvals(&asked);
        assert_eq!((tightened.required, tightened.groups), (2, ["dba".to_owned(), "ops".to_owned()].into()));
        let without = Floor::default().approvals(&ApprovalRules::default());
        assert_eq!(without, ApprovalRules::default());
        assert!(!without.needs_signatures());
    }

    #[test]
    fn recipients_are_those_of_every_list() {
        let text = "[[environment]]\nname = ['*']\nsealRecipients = ['a', 'b']\n";
        let operator = read("landfast.toml", text).unwrap();
        let floor = operator.floor_of(&"dev".parse().unwrap()).unwrap();
        assert_eq!(floor.recipients(None), Some(["a".to_owned(), "b".to_owned()].into()));
        assert_eq!(floor.recipients(Some(["b".to_owned(), "c".to_owned()].into())), Some(["b".to_owned()].into()));
    }
}
