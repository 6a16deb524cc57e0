//! `landfast.toml` as it is written. Strict: what is not known is an error, with its place.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use ipnet::IpNet;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Deserializer, de};
use toml::Spanned;

use super::approvals::{ApprovalsDocument, ApproverDocument, approvers, check};
use super::events::{EventsDocument, queue};
use super::notify::{NotifyDocument, destinations};
use super::period::Period;
use super::section::{Operator, Said, Section};
use super::source::{SourceDocument, sources};
use crate::model::{Broaden, DriftAction, Mode, Prune, Replace};

/// What is wrong with the configuration, with a picture of where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(String);

/// The configuration in the text of a file.
///
/// # Errors
/// It is not TOML, or something in it is not known or makes no sense.
pub fn read(file: &str, text: &str) -> Result<Operator, Wrong> {
    let document: Document =
        toml::from_str(text).map_err(|error| Wrong(format!("{file}: {}", error.to_string().trim_end())))?;
    let reader = Reader { file, text };
    let sections: Vec<Section> = document.environment.into_iter().map(|section| reader.section(section)).collect();
    let wrong = |(at, why): (usize, String)| Wrong(format!("{}: {why}", reader.place(at)));
    let approvers = approvers(document.approver).map_err(wrong)?;
    sections.iter().try_for_each(|section| check(section, &approvers)).map_err(Wrong)?;
    let sources = sources(document.source).map_err(wrong)?;
    let destinations = destinations(document.notify).map_err(wrong)?;
    let events = document.events.map(queue).transpose().map_err(wrong)?;
    Ok(Operator::of(file, sections)
        .following(sources, document.listen)
        .hearing(events)
        .approved_by(approvers)
        .telling(destinations))
}

/// The JSON Schema of the configuration.
#[must_use]
pub fn schema() -> serde_json::Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Document>().to_value()
}

/// The operator's configuration of Landfast: limits for the manifests. It is read when Landfast starts, from a file
/// outside the manifests' repository.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Landfast operator configuration")]
struct Document {
    /// Limits by environment name. Every section that matches an environment's name applies, and the strictest value
    /// wins. Environments that no section matches are not reconciled.
    #[serde(default)]
    environment: Vec<SectionDocument>,
    /// People who can sign approvals of plans.
    #[serde(default)]
    approver: Vec<ApproverDocument>,
    /// Where notifications are sent.
    #[serde(default)]
    notify: Vec<NotifyDocument>,
    /// Git repositories that the manifests are read from, instead of a directory.
    #[serde(default)]
    source: Vec<SourceDocument>,
    /// Address and port on which the daemon receives webhooks, for example `127.0.0.1:8321`. Default: no listener. Use a
    /// reverse proxy for TLS.
    #[schemars(with = "Option<String>")]
    listen: Option<SocketAddr>,
    /// Where events of AWS arrive. Default: nowhere, and the daemon polls.
    events: Option<EventsDocument>,
}

/// Limits by environment name. Omitted fields are not limited. In all lists of names, `*` matches any text and `?`
/// matches one character.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Environment")]
struct SectionDocument {
    /// Names of environments.
    #[schemars(with = "Vec<String>")]
    name: Spanned<Vec<String>>,
    /// Allowed accounts of an environment.
    #[schemars(with = "Option<Vec<String>>")]
    accounts: Option<Spanned<Vec<String>>>,
    /// Allowed regions of its objects, replicas and copies.
    #[schemars(with = "Option<Vec<String>>")]
    regions: Option<Spanned<Vec<String>>>,
    /// ARNs of the roles that are allowed for the environment and its stacks. If set, an environment needs a role.
    #[schemars(with = "Option<Vec<String>>")]
    roles: Option<Spanned<Vec<String>>>,
    /// Allowed buckets for its large templates.
    #[schemars(with = "Option<Vec<String>>")]
    template_buckets: Option<Spanned<Vec<String>>>,
    /// Allowed values of its `system`.
    #[schemars(with = "Option<Vec<String>>")]
    systems: Option<Spanned<Vec<String>>>,
    /// Allowed files of its manifests, below the root of the manifests.
    #[schemars(with = "Option<Vec<String>>")]
    manifests: Option<Spanned<Vec<String>>>,
    /// Allowed names of its stacks.
    #[schemars(with = "Option<Vec<String>>")]
    stack_names: Option<Spanned<Vec<String>>>,
    /// Web servers that its checks are allowed to reach.
    #[serde(default)]
    probes: ProbesDocument,
    /// The most permissive `policy.mode`.
    #[schemars(with = "Option<Mode>")]
    mode: Option<Spanned<Mode>>,
    /// The most permissive `policy.prune`.
    #[schemars(with = "Option<Prune>")]
    prune: Option<Spanned<Prune>>,
    /// The most permissive `policy.replace`.
    #[schemars(with = "Option<Replace>")]
    replace: Option<Spanned<Replace>>,
    /// The most permissive `policy.broaden`.
    #[schemars(with = "Option<Broaden>")]
    broaden: Option<Spanned<Broaden>>,
    /// The most permissive `policy.drift`, of an environment and of its stacks.
    #[schemars(with = "Option<DriftAction>")]
    drift: Option<Spanned<DriftAction>>,
    /// The largest budget.
    #[serde(default)]
    budget: BudgetDocument,
    /// The longest `policy.backupMaxAge`.
    #[schemars(with = "Option<String>")]
    backup_max_age: Option<Spanned<Period>>,
    /// Tags that every stack must have, in addition to those of the manifest.
    #[schemars(with = "Option<BTreeSet<String>>")]
    required_tags: Option<Spanned<BTreeSet<String>>>,
    /// Stateful resource types. A manifest cannot remove a type from the list unless it is listed in `remove` here.
    #[serde(default)]
    stateful_types: StatefulDocument,
    /// What an approval of a plan needs. A manifest can ask for more.
    #[serde(default)]
    approvals: ApprovalsDocument,
    /// User accounts of the machine that are allowed to approve plans without a signature and to request changes. For a
    /// request file, the owner of the file counts.
    #[schemars(with = "Option<Vec<String>>")]
    approvers: Option<Spanned<Vec<String>>>,
    /// Allowed age recipients of sealed files.
    #[schemars(with = "Option<BTreeSet<String>>")]
    seal_recipients: Option<Spanned<BTreeSet<String>>>,
    /// `true`: also accept sealed files that do not contain the name of their secret.
    #[serde(default)]
    unbound_seals: bool,
}

/// Web servers that checks are allowed to reach.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Probes")]
struct ProbesDocument {
    /// Hosts: `*.example.com`.
    #[schemars(with = "Option<Vec<String>>")]
    hosts: Option<Spanned<Vec<String>>>,
    /// Networks that their addresses must be in: `10.0.0.0/8`. Loopback, link-local and metadata addresses need a
    /// network inside their own range, such as `127.0.0.0/8`.
    #[schemars(with = "Option<Vec<String>>")]
    networks: Option<Spanned<Vec<Network>>>,
}

/// A budget. Omitted fields are not limited.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Budget")]
struct BudgetDocument {
    /// Stacks changed.
    #[schemars(with = "Option<u32>")]
    stacks: Option<Spanned<u32>>,
    /// Stateful resources replaced or deleted.
    #[schemars(with = "Option<u32>")]
    replacements: Option<Spanned<u32>>,
    /// Stacks deleted.
    #[schemars(with = "Option<u32>")]
    deletions: Option<Spanned<u32>>,
    /// The period; default `1h`.
    #[schemars(with = "Option<String>")]
    per: Option<Spanned<Period>>,
}

/// Changes to the list of stateful resource types.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "StatefulTypes")]
struct StatefulDocument {
    /// Additional stateful types.
    #[serde(default)]
    add: BTreeSet<String>,
    /// Types that a manifest is allowed to remove from the list.
    #[serde(default)]
    remove: BTreeSet<String>,
}

/// A network.
#[derive(Clone, Copy, Debug)]
struct Network(IpNet);

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let network: IpNet = text
            .parse()
            .map_err(|_| de::Error::custom(format!("`{text}` is not a network such as 10.0.0.0/8 or 127.0.0.1/32")))?;
        if network != network.trunc() {
            return Err(de::Error::custom(format!("`{text}` is not a network; did you mean {}?", network.trunc())));
        }
        Ok(Self(network))
    }
}

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
}

impl Reader<'_> {
    fn at<T>(&self, spanned: &Spanned<T>) -> Arc<str> {
        self.place(spanned.span().start)
    }

    /// File and line of a byte.
    fn place(&self, byte: usize) -> Arc<str> {
        let before = self.text.get(..byte).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        format!("{}:{line}", self.file).into()
    }

    fn said<T, U>(&self, spanned: Option<Spanned<T>>, value: impl FnOnce(T) -> U) -> Option<Said<U>> {
        let spanned = spanned?;
        let by = self.at(&spanned);
        Some(Said { value: value(spanned.into_inner()), by })
    }

    fn section(&self, section: SectionDocument) -> Section {
        let by = self.at(&section.name);
        let same = std::convert::identity::<Vec<String>>;
        let networks = |networks: Vec<Network>| networks.into_iter().map(|Network(network)| network).collect();
        Section {
            names: section.name.into_inner(),
            accounts: self.said(section.accounts, same),
            regions: self.said(section.regions, same),
            roles: self.said(section.roles, same),
            template_buckets: self.said(section.template_buckets, same),
            systems: self.said(section.systems, same),
            manifests: self.said(section.manifests, same),
            stack_names: self.said(section.stack_names, same),
            probe_hosts: self.said(section.probes.hosts, same),
            probe_networks: self.said(section.probes.networks, networks),
            mode: self.said(section.mode, |mode| mode),
            prune: self.said(section.prune, |prune| prune),
            replace: self.said(section.replace, |replace| replace),
            broaden: self.said(section.broaden, |broaden| broaden),
            drift: self.said(section.drift, |drift| drift),
            budget_stacks: self.said(section.budget.stacks, |stacks| stacks),
            budget_replacements: self.said(section.budget.replacements, |replacements| replacements),
            budget_deletions: self.said(section.budget.deletions, |deletions| deletions),
            budget_per: self.said(section.budget.per, |Period(per)| per),
            backup_max_age: self.said(section.backup_max_age, |Period(age)| age),
            required_tags: self.said(section.required_tags, |tags| tags),
            stateful_add: section.stateful_types.add,
            stateful_remove: section.stateful_types.remove,
            approvers: self.said(section.approvers, same),
            approvals_required: self.said(section.approvals.required, |required| required),
            approval_groups: self.said(section.approvals.groups, |groups| groups),
            approvals_expire: self.said(section.approvals.expires, |Period(expires)| expires),
            approvals_longest: self.said(section.approvals.longest, |Period(longest)| longest),
            seal_recipients: self.said(section.seal_recipients, |recipients| recipients),
            unbound_seals: section.unbound_seals,
            by,
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file().unwrap_or("no configuration"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_read_with_its_line() {
        let operator = read("landfast.toml", include_str!("../../examples/landfast.toml")).unwrap();
        assert!(operator.sections.len() >= 2);
        let prod = operator.sections.iter().find(|section| section.mode.is_some()).unwrap();
        let by = prod.mode.as_ref().unwrap().by.to_string();
        let line: usize = by.strip_prefix("landfast.toml:").unwrap().parse().unwrap();
        let text = include_str!("../../examples/landfast.toml").lines().nth(line - 1).unwrap();
        assert!(text.starts_with("mode ="), "{by}: {text}");
    }

    #[test]
    fn what_is_not_known_is_an_error_at_its_place() {
        for (text, place, words) in [
            ("[[environment]]\nname = ['a']\nmodee = 'apply'\n", "line 3", "unknown field `modee`"),
            ("[[environment]]\nname = ['a']\nmode = 'aply'\n", "line 3", "unknown variant `aply`"),
            ("[[environment]]\nname = 'a'\n", "line 2", "expected a sequence"),
            ("[[environment]]\naccounts = []\n", "line 1", "missing field `name`"),
            ("[environments]\n", "line 1", "unknown field `environments`"),
            ("[[environment]]\nname = ['a']\nbudget = { per = 'x' }\n", "line 3", "not a duration"),
            ("[[environment]]\nname = ['a']\nprobes = { networks = ['10.0.0.1/8'] }\n", "line 3", "10.0.0.0/8"),
            ("[[environment]]\nname = ['a']\nprobes.networks = ['10.0.0.1']\n", "line 3", "not a network"),
            ("[[environment]]\nname = ['a']\nname = ['b']\n", "line 3", "duplicate key"),
            ("[[environment]\n", "line 1", "landfast.toml"),
        ] {
            let error = read("landfast.toml", text).unwrap_err().to_string();
            assert!(error.contains(place) && error.contains(words), "{text}: {error}");
        }
    }
}
