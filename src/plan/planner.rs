//! The order of decisions, on one screen.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use regex::Regex;

use super::{
    Goal, Input, MAX_OPERATIONS, backup, consent, doctor, guard, order, readiness, record, removal, secret, service,
    stack,
};
use crate::model::{Act, Digest, Do, Entry, Key, Kind, Need, Plan, Refusal, Remembered, Waiting};

/// The plan for an environment.
#[must_use]
pub fn plan(input: &Input<'_>) -> Plan {
    Planner::new(input).run().0
}

/// What must be known before the plan can say more. Empty when nothing is missing.
#[must_use]
pub fn needs(input: &Input<'_>) -> BTreeSet<Need> {
    Planner::new(input).run().1
}

/// A plan in the making.
pub(super) struct Planner<'a> {
    pub(super) input: &'a Input<'a>,
    /// What is decided so far; dependencies are decided before their dependants.
    pub(super) entries: BTreeMap<Key, Entry>,
    /// What would have to be known.
    needs: RefCell<BTreeSet<Need>>,
    /// The pattern of stack names, compiled at the first need: compiling costs more than deciding on a stack.
    stack_names: OnceCell<Option<Regex>>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(input: &'a Input<'a>) -> Self {
        Self { input, entries: BTreeMap::new(), needs: RefCell::default(), stack_names: OnceCell::new() }
    }

    fn run(mut self) -> (Plan, BTreeSet<Need>) {
        if self.input.goal == Goal::Converge {
            let edges = self.input.environment.dependencies().map(|(key, on)| (key.clone(), on.clone()));
            // The manifests are loaded without cycles; whatever is on one nevertheless would simply have no entry.
            let (ordered, _cycles) = order(&edges.collect());
            for key in ordered {
                if let Some(mut entry) = self.decide(&key) {
                    readiness::check(&self, &key, &mut entry);
                    self.entries.insert(key, entry);
                }
            }
        }
        removal::decide(&mut self);
        secret::decide_removals(&mut self);
        self.hold_stacks();
        guard::budget(&mut self);
        self.take_turns();
        doctor::examine(&mut self);
        let Self { input, entries, needs, .. } = self;
        let mut plan = Plan {
            environment: input.environment.name.clone(),
            revision: input.desired.revision.clone(),
            digest: Digest::of_bytes(b""),
            command: guard::approval_command(input),
            entries,
        };
        plan.digest = consent::digest(&plan);
        guard::name_commands(&mut plan);
        (plan, needs.into_inner())
    }

    /// Decides on one desired object. Its dependencies have been decided before.
    fn decide(&self, key: &Key) -> Option<Entry> {
        let environment = self.input.environment;
        match key.kind {
            Kind::Stack => environment.stacks.get(key).map(|spec| stack::decide(self, spec)),
            Kind::Service => environment.services.get(key).map(|spec| service::decide(self, spec)),
            Kind::Secret => environment.secrets.get(key).map(|spec| secret::decide(self, spec)),
            Kind::DnsRecord => environment.records.get(key).map(|spec| record::decide(self, spec)),
            Kind::BackupPolicy => environment.backups.get(key).map(|spec| backup::decide(self, spec)),
        }
    }

    /// What is remembered of an object.
    pub(super) fn remembered<M: Remembered>(&self, key: &Key) -> Arc<M> {
        M::all(&self.input.memory.objects).get(key).cloned().unwrap_or_default()
    }

    /// Whether policy allows a stack of this name.
    pub(super) fn is_stack_name(&self, name: &str) -> bool {
        let pattern = &self.input.environment.policy.stack_name;
        // It was compiled when the manifests were loaded; one that does not compile never gets here.
        let compiled = self.stack_names.get_or_init(|| Regex::new(&format!("^(?:{pattern})$")).ok());
        compiled.as_ref().is_some_and(|pattern| pattern.is_match(name))
    }

    /// Notes that something must be known first.
    pub(super) fn need(&self, need: impl Into<Need>) {
        self.needs.borrow_mut().insert(need.into());
    }

    /// Only so many operations at once, one batch for each zone; and an object whose step is being executed gets no
    /// second one.
    fn take_turns(&mut self) {
        let running = self.input.memory.objects.stacks.values().filter(|memory| memory.pending.is_some()).count();
        let mut free = MAX_OPERATIONS.saturating_sub(running);
        for (key, entry) in &mut self.entries {
            if self.input.busy.contains(key) {
                entry.step = None;
            }
            let begins_operation = entry.step.as_ref().is_some_and(|step| step.action.begins_operation());
            let in_use = entry.step.as_ref().is_some_and(|step| match &step.action {
                Do::Record(record) => step.action.mutates() && record::is_in_use(self.input, &record.place),
                _ => false,
            });
            if in_use || begins_operation && free == 0 {
                entry.step = None;
                entry.waiting.push(Waiting::Turn);
            } else if begins_operation {
                free -= 1;
            }
        }
    }
}

/// Refuses an entry: it keeps what it wants to do, and loses the step.
pub(super) fn refuse(entry: &mut Entry, refusal: Refusal) {
    entry.step = None;
    entry.refused.push(refusal);
}
