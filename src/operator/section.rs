//! The operator's configuration: its sections, and what each says, with where it says so.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::model::{
    Approver, Broaden, Destination, DriftAction, EnvName, EventQueue, GitSource, Mode, Prune, Replace, like,
};

/// Everything that the operator says. Without a configuration, nothing.
#[derive(Clone, Debug, Default)]
pub struct Operator {
    /// The file; `None`: there is none, and the manifests decide by themselves.
    pub(super) file: Option<Arc<str>>,
    pub(super) sections: Vec<Section>,
    /// AWS is an emulator on this machine.
    pub(super) local: bool,
    sources: Vec<GitSource>,
    listen: Option<SocketAddr>,
    events: Option<EventQueue>,
    approvers: Arc<[Approver]>,
    destinations: Vec<Destination>,
}

/// Something that is said, and where: `landfast.toml:12`.
#[derive(Clone, Debug)]
pub struct Said<T> {
    /// What.
    pub value: T,
    /// File and line.
    pub by: Arc<str>,
}

/// What holds in the environments of some names. What is `None` is not limited.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// Names of environments, by pattern.
    pub names: Vec<String>,
    /// Accounts, by pattern.
    pub accounts: Option<Said<Vec<String>>>,
    /// Regions, by pattern.
    pub regions: Option<Said<Vec<String>>>,
    /// Roles by which accounts are entered, and which stacks are given, by pattern.
    pub roles: Option<Said<Vec<String>>>,
    /// Buckets for large templates, by pattern.
    pub template_buckets: Option<Said<Vec<String>>>,
    /// Systems, which own what is made, by pattern.
    pub systems: Option<Said<Vec<String>>>,
    /// Files of the repository that an environment may be made of, by pattern.
    pub manifests: Option<Said<Vec<String>>>,
    /// Names of stacks, by pattern.
    pub stack_names: Option<Said<Vec<String>>>,
    /// Hosts that checks may ask, by pattern.
    pub probe_hosts: Option<Said<Vec<String>>>,
    /// Networks that checks may reach.
    pub probe_networks: Option<Said<Vec<IpNet>>>,
    /// The most that is done by itself.
    pub mode: Option<Said<Mode>>,
    /// The most that follows from a manifest that is gone.
    pub prune: Option<Said<Prune>>,
    /// The most that follows from a change that replaces what holds state.
    pub replace: Option<Said<Replace>>,
    /// The most that follows from a change that gives access.
    pub broaden: Option<Said<Broaden>>,
    /// The most that is done about drift.
    pub drift: Option<Said<DriftAction>>,
    /// The most stacks that are changed within the period.
    pub budget_stacks: Option<Said<u32>>,
    /// The most stateful resources that are replaced within it.
    pub budget_replacements: Option<Said<u32>>,
    /// The most stacks that are deleted within it.
    pub budget_deletions: Option<Said<u32>>,
    /// The shortest period.
    pub budget_per: Option<Said<Duration>>,
    /// How old a backup may be at most.
    pub backup_max_age: Option<Said<Duration>>,
    /// Tags that every stack must have.
    pub required_tags: Option<Said<BTreeSet<String>>>,
    /// Additional stateful types.
    pub stateful_add: BTreeSet<String>,
    /// Types that a manifest may declare to hold none.
    pub stateful_remove: BTreeSet<String>,
    /// Accounts of the machine that may approve without a signature, by pattern.
    pub approvers: Option<Said<Vec<String>>>,
    /// So many people have to sign, at least.
    pub approvals_required: Option<Said<u32>>,
    /// Groups of which somebody has to be among them.
    pub approval_groups: Option<Said<BTreeSet<String>>>,
    /// How long an approval counts that does not say.
    pub approvals_expire: Option<Said<Duration>>,
    /// How long one counts at most.
    pub approvals_longest: Option<Said<Duration>>,
    /// To whom files may be sealed.
    pub seal_recipients: Option<Said<BTreeSet<String>>>,
    /// Whether sealed files that were sealed for no secret in particular are opened.
    pub unbound_seals: bool,
    /// Where the section begins.
    pub by: Arc<str>,
}

impl Operator {
    /// These sections of this file.
    #[must_use]
    pub fn of(file: &str, sections: Vec<Section>) -> Self {
        Self { file: Some(file.into()), sections, ..Self::default() }
    }

    /// The same, where AWS is an emulator on this machine: then what it makes answers on this machine too.
    #[must_use]
    pub fn with_local_cloud(mut self, local: bool) -> Self {
        self.local = local;
        self
    }

    /// The same, where manifests are read from these repositories, and webhooks are received there.
    #[must_use]
    pub fn following(mut self, sources: Vec<GitSource>, listen: Option<SocketAddr>) -> Self {
        self.sources = sources;
        self.listen = listen;
        self
    }

    /// The same, where events of AWS arrive in this queue.
    #[must_use]
    pub fn hearing(mut self, events: Option<EventQueue>) -> Self {
        self.events = events;
        self
    }

    /// The same, telling people there.
    #[must_use]
    pub fn telling(mut self, destinations: Vec<Destination>) -> Self {
        self.destinations = destinations;
        self
    }

    /// Where people are told.
    #[must_use]
    pub fn destinations(&self) -> &[Destination] {
        &self.destinations
    }

    /// The same, with everybody who can sign approvals.
    #[must_use]
    pub fn approved_by(mut self, approvers: Vec<Approver>) -> Self {
        self.approvers = approvers.into();
        self
    }

    /// Everybody who can sign approvals.
    #[must_use]
    pub fn approvers(&self) -> &Arc<[Approver]> {
        &self.approvers
    }

    /// The queue that events of AWS arrive in; none: nobody sends any.
    #[must_use]
    pub fn events(&self) -> Option<&EventQueue> {
        self.events.as_ref()
    }

    /// The repositories that manifests are read from; none: they are in a directory.
    #[must_use]
    pub fn sources(&self) -> &[GitSource] {
        &self.sources
    }

    /// Where webhooks are received.
    #[must_use]
    pub fn listens_at(&self) -> Option<SocketAddr> {
        self.listen
    }

    /// The file, if there is one.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }
}

impl Section {
    /// Whether it is about this environment.
    pub(super) fn is_about(&self, environment: &EnvName) -> bool {
        self.names.iter().any(|pattern| like(pattern, environment.as_str()))
    }
}
