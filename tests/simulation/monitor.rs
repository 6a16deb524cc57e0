//! The safety invariants, checked at every mutating call against the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use landfast::model::{
    ChangeSetId, ChangeSetState, DeploymentMode, Desired, DriftAction, Environment, Key, Mode, NESTED_STACK, Parameter,
    Prune, Replace, ResourceChange, Scope, StackEvent, StackId, StackName, StackState,
};
use landfast::plan::{OWNER_TAG, RETAIN_TAG, Standing, row};
use landfast::sim::{Call, Inventory, SimCloud, StackRecord, View};

use crate::outsiders::FORGED;

use crate::fleet::Policy;

/// What a monitor knows beside the world itself.
#[derive(Default)]
pub(crate) struct Truth {
    inner: Mutex<Inner>,
    /// What is known of images.
    pub(crate) images: crate::images::Images,
    /// What is known of secrets.
    pub(crate) vaults: crate::vaults::Vaults,
    /// Somebody who means no good, if there is somebody.
    pub(crate) intruder: crate::intruder::Intruder,
}

#[derive(Default)]
struct Inner {
    /// What each revision said, in the current life of the store.
    revisions: BTreeMap<u64, Arc<Desired>>,
    blames: Vec<String>,
    /// What each token was used for.
    tokens: BTreeMap<String, String>,
    /// The newest revision that changed an object.
    applied: BTreeMap<String, u64>,
    epoch: u64,
    deletions: Vec<(String, Timestamp)>,
    mutations: u64,
    /// What change sets were made from.
    computed: BTreeMap<String, String>,
    /// What was begun last for each stack: token and inputs.
    begun: BTreeMap<String, (String, String)>,
    /// The first failure of each operation that the daemon has read of, and whether it is for good.
    causes: BTreeMap<String, (Timestamp, bool)>,
    /// When something was begun for each stack.
    starts: BTreeMap<String, Vec<Timestamp>>,
    /// Operations that the daemon has read to have succeeded, whatever was left behind (AWS: an update whose clean-up
    /// fails is complete).
    succeeded: BTreeSet<String>,
    terminal: u64,
    /// Deletions of healthy stacks by the daemon.
    deleted: BTreeMap<String, u64>,
    /// Stacks that the daemon has deleted, by id.
    ours: BTreeSet<String>,
    /// Stacks that a person has agreed to have made again, by name.
    agreed: BTreeSet<String>,
    /// The journal was lost, once or more.
    forgetful: bool,
    /// Change sets that put drift back, by stack, within the last hour; and how many there were.
    reverts: BTreeMap<String, Vec<Timestamp>>,
    reverted: u64,
    /// Change sets that our own calls have been answered with.
    made: BTreeSet<String>,
    /// What the operator allowed with each revision, where there is one.
    floors: BTreeMap<u64, Policy>,
}

impl Truth {
    pub(crate) fn computes(&self, change_set: &str, inputs: String) {
        self.inner.lock().unwrap().computed.insert(change_set.to_owned(), inputs);
    }

    /// AWS has answered our own call with this change set.
    pub(crate) fn made(&self, change_set: &ChangeSetId) {
        self.inner.lock().unwrap().made.insert(change_set.to_string());
    }

    /// S23: what is executed is what our own call was answered with.
    pub(crate) fn ours(&self, change_set: &ChangeSetId) {
        if !self.inner.lock().unwrap().made.contains(change_set.as_str()) {
            self.blame(format!("S23 ours: {change_set} is executed, and no answer to a call of ours has named it"));
        }
    }

    /// S22: a stack is created from the template that its manifest names.
    pub(crate) fn created(&self, revision: u64, name: &StackName, deployed: &str) {
        let Some(desired) = self.desired(revision) else { return };
        let specs = desired.environments.values().flat_map(|environment| environment.stacks.values());
        let agreed = specs.into_iter().any(|spec| spec.stack_name == *name && *spec.template.body == *deployed);
        if !agreed {
            self.blame(format!("S22 agreed: {name} is created from another template than its manifest's"));
        }
    }

    pub(crate) fn executes(&self, name: &str, token: &str, change_set: &str) {
        let inputs = self.inner.lock().unwrap().computed.get(change_set).cloned();
        if let Some(inputs) = inputs {
            self.begins(name, token, &inputs);
        }
    }

    /// L7: what failed for good is not begun again before its inputs change.
    pub(crate) fn begins(&self, name: &str, token: &str, inputs: &str) {
        let mut inner = self.inner.lock().unwrap();
        let before = inner.begun.insert(name.to_owned(), (token.to_owned(), inputs.to_owned()));
        let Some((earlier, same)) = before.filter(|(earlier, same)| earlier != token && *same == inputs) else {
            return;
        };
        drop(same);
        let failed = inner.causes.get(&earlier).is_some_and(|(_, terminal)| *terminal);
        let failed = failed && !inner.succeeded.contains(&earlier);
        drop(inner);
        if failed {
            self.blame(format!("L7 terminal: {name} is tried again as {token} although {earlier} failed for good"));
        }
    }

    /// Events that the daemon has read.
    pub(crate) fn saw(&self, events: &[StackEvent]) {
        let mut inner = self.inner.lock().unwrap();
        for event in events {
            let reason = event.reason.as_deref().unwrap_or_default();
            if event.kind == "AWS::CloudFormation::Stack"
                && ["CREATE_COMPLETE", "UPDATE_COMPLETE"].contains(&event.status.as_str())
            {
                inner.succeeded.extend(event.token.clone());
            }
            let cause = event.status.ends_with("_FAILED")
                && event.kind != "AWS::CloudFormation::Stack"
                && !reason.contains("cancelled");
            let Some(token) = event.token.clone().filter(|_| cause) else { continue };
            let terminal = reason.contains("InvalidRequest");
            let first = inner.causes.get(&token).is_none_or(|(at, _)| event.at < *at);
            if first {
                inner.terminal += u64::from(terminal);
                inner.causes.insert(token, (event.at, terminal));
            }
        }
    }

    pub(crate) fn deleted(&self) -> BTreeMap<String, u64> {
        self.inner.lock().unwrap().deleted.clone()
    }

    /// A person agrees to have a stack made again, empty.
    pub(crate) fn agrees(&self, stack: &str) {
        self.inner.lock().unwrap().agreed.insert(stack.to_owned());
    }

    /// How often drift was put back.
    pub(crate) fn reverted(&self) -> u64 {
        self.inner.lock().unwrap().reverted
    }

    /// How many failures for good the daemon has read of.
    pub(crate) fn terminal(&self) -> u64 {
        self.inner.lock().unwrap().terminal
    }

    pub(crate) fn blame(&self, what: String) {
        let mut inner = self.inner.lock().unwrap();
        if inner.blames.len() < 20 {
            inner.blames.push(what);
        }
    }

    pub(crate) fn blames(&self) -> Vec<String> {
        self.inner.lock().unwrap().blames.clone()
    }

    /// Mutating calls that reached the cloud.
    pub(crate) fn mutations(&self) -> u64 {
        self.inner.lock().unwrap().mutations
    }

    /// What a revision said.
    pub(crate) fn desired(&self, revision: u64) -> Option<Arc<Desired>> {
        self.inner.lock().unwrap().revisions.get(&revision).cloned()
    }

    pub(crate) fn published(&self, desired: &Arc<Desired>, floor: Option<Policy>) {
        self.vaults.published(desired);
        let mut inner = self.inner.lock().unwrap();
        let before = inner.revisions.last_key_value().map(|(_, before)| Arc::clone(before));
        inner.revisions.insert(desired.revision.sequence, Arc::clone(desired));
        inner.floors.extend(floor.map(|floor| (desired.revision.sequence, floor)));
        // What is asked for anew may be tried anew.
        let specs = |desired: &Desired| {
            let specs = desired.environments.values().flat_map(|environment| environment.stacks.values().cloned());
            let specs = specs.map(|spec| (spec.stack_name.to_string(), format!("{spec:?}")));
            specs.collect::<BTreeMap<_, _>>()
        };
        let (before, now) = (before.map(|before| specs(&before)).unwrap_or_default(), specs(desired));
        inner.begun.retain(|name, _| before.get(name) == now.get(name));
    }

    /// The store was lost: revisions are counted from the beginning, and nobody knows what was spent.
    pub(crate) fn store_lost(&self) {
        let mut inner = self.inner.lock().unwrap();
        inner.revisions.clear();
        inner.floors.clear();
        inner.applied.clear();
        inner.epoch = 0;
        inner.begun.clear();
        inner.deletions.clear();
        inner.reverts.clear();
        inner.forgetful = true;
        drop(inner);
        self.images.forgotten();
    }

    /// The clock was set: what was spent within the last hour is a matter of opinion.
    pub(crate) fn clock_was_set(&self) {
        let mut inner = self.inner.lock().unwrap();
        inner.deletions.clear();
        inner.reverts.clear();
    }

    /// S9: the same token never stands for two things.
    pub(crate) fn same_token(&self, token: &str, what: &str) {
        let mut inner = self.inner.lock().unwrap();
        let before = inner.tokens.entry(token.to_owned()).or_insert_with(|| what.to_owned()).clone();
        drop(inner);
        if before != what {
            self.blame(format!("S9 once: the token {token} stands for two things: {before} and {what}"));
        }
    }

    /// Lets it see every mutating call of `cloud`.
    pub(crate) fn watch(self: &Arc<Self>, cloud: &SimCloud) {
        let truth = Arc::clone(self);
        cloud.set_monitor(Box::new(move |view, call| truth.check(view, call)));
    }

    fn check(&self, view: &View<'_>, call: &Call) {
        let mut inner = self.inner.lock().unwrap();
        inner.mutations += 1;
        let mut blames = Vec::new();
        Checking { inner: &mut inner, view, call, blames: &mut blames }.check();
        drop(inner);
        for name in self.vaults.names() {
            let truth = view.secret(&crate::rig::scope(), &name);
            blames.extend(truth.iter().flat_map(|truth| self.vaults.look(&name, truth)));
        }
        for blame in blames {
            self.blame(format!("{blame} [call {} {} {} at {}]", call.index, call.operation, call.target, call.at));
        }
    }
}

struct Checking<'a> {
    inner: &'a mut Inner,
    view: &'a View<'a>,
    call: &'a Call,
    blames: &'a mut Vec<String>,
}

impl Checking<'_> {
    fn check(&mut self) {
        let Some(fence) = self.call.fence else { return self.blames.push("S6: no fence".to_owned()) };
        if fence.epoch < self.inner.epoch {
            self.blames.push(format!("S6 single writer: epoch {} after {}", fence.epoch, self.inner.epoch));
        }
        self.inner.epoch = self.inner.epoch.max(fence.epoch);
        // A loop shows in what is made and taken back as well as in what is carried out.
        let counted = ["CreateStack", "CreateChangeSet", "ExecuteChangeSet", "DeleteChangeSet", "DeleteStack"];
        if counted.contains(&self.call.operation) {
            let name = self.call.target.split('/').nth(1).unwrap_or(&self.call.target).to_owned();
            let starts = self.inner.starts.entry(name.clone()).or_default();
            starts.push(self.call.at);
            let hour = self.call.at.saturating_sub(jiff::SignedDuration::from_hours(1)).unwrap();
            starts.retain(|at| *at > hour);
            if starts.len() > 80 {
                self.blames.push(format!("L5 calls: {} operations on {name} within an hour", starts.len()));
            }
        }
        let Some(desired) = self.inner.revisions.get(&fence.revision).cloned() else {
            return self.blames.push(format!("S8: revision {} was never published", fence.revision));
        };
        let floor = self.inner.floors.get(&fence.revision).copied();
        if floor.is_some_and(|floor| floor.observe) {
            self.blames.push("S26 floor: the operator lets it only look".to_owned());
        }
        if self.call.operation == "CreateStack" {
            return self.create(&desired);
        }
        let stack = match self.call.operation {
            "ExecuteChangeSet" => {
                let set = self.call.target.parse().ok().and_then(|id| self.view.change_set(&id));
                set.and_then(|set| self.view.stack(&set.stack))
            }
            _ => self.call.target.parse::<StackId>().ok().and_then(|id| self.view.stack(&id)),
        };
        // What is gone cannot be harmed.
        let Some(stack) = stack.cloned() else { return };
        let Some(key) = self.owned(&desired, &stack) else { return };
        self.backwards(&key, fence.revision);
        self.mode(&desired, &key);
        match self.call.operation {
            "DeleteStack" => {
                self.delete(&desired, &key, &stack);
                self.deletes_under(floor, &desired, &key, &stack);
            }
            "ExecuteChangeSet" => {
                self.execute(&desired, &key, &stack);
                self.executes_under(floor, &key);
            }
            _ => {}
        }
    }

    fn backwards(&mut self, key: &Key, revision: u64) {
        let applied = self.inner.applied.entry(key.to_string()).or_default();
        if revision < *applied {
            self.blames.push(format!("S8 never backwards: {key} from revision {applied} to {revision}"));
        }
        *applied = (*applied).max(revision);
    }

    fn mode(&mut self, desired: &Desired, key: &Key) {
        let environment = desired.environments.get(&key.environment);
        if environment.is_none_or(|environment| environment.policy.mode == Mode::Observe) {
            self.blames.push(format!("S11 scope: {key} is only observed"));
        }
    }

    /// S1.
    fn owned(&mut self, desired: &Desired, stack: &StackState) -> Option<Key> {
        if let Some(owner) = stack.tags.get(OWNER_TAG) {
            let key = owner.parse::<Key>();
            // Its manifest was renamed: whoever asks for the stack now takes it over.
            let mut specs = desired.environments.values().flat_map(|environment| environment.stacks.values());
            if let Some(heir) = specs.find(|spec| spec.stack_name == stack.name) {
                return Some(heir.key.clone());
            }
            if key.is_err() {
                self.blames.push(format!("S1 ownership: {} belongs to {owner}", stack.name));
            }
            return key.ok();
        }
        let specs = desired.environments.values().flat_map(|environment| environment.stacks.values());
        let adopting = specs.into_iter().find(|spec| spec.stack_name == stack.name && spec.adopt);
        if adopting.is_none() {
            self.blames.push(format!("S1 ownership: {} is nobody's, and is changed", stack.name));
        }
        adopting.map(|spec| spec.key.clone())
    }

    fn create(&mut self, desired: &Desired) {
        let specs = desired.environments.values().flat_map(|environment| environment.stacks.values());
        let Some(spec) = specs.into_iter().find(|spec| spec.stack_name.as_str() == self.call.target).cloned() else {
            return self.blames.push("S2 consent: a stack is created that no manifest asks for".to_owned());
        };
        self.mode(desired, &spec.key);
        self.backwards(&spec.key, desired.revision.sequence);
        let owner = spec.key.to_string();
        let inventory = self.view.inventory();
        self.again(&inventory, &owner);
        let twin = inventory.stacks.iter().find(|other| {
            // Nested stacks have the tags of their root.
            !other.is_deleted()
                && other.state.parent.is_none()
                && other.state.tags.get(OWNER_TAG) == Some(&owner)
                && other.state.name != spec.stack_name
        });
        if let Some(twin) = twin {
            self.blames.push(format!("S9 once: {owner} exists already as {}", twin.state.name));
        }
    }

    /// S4: what somebody has deleted together with a table is not made again, empty, unless a person agrees.
    fn again(&mut self, inventory: &Inventory, owner: &str) {
        let same = |record: &&StackRecord| {
            record.state.name.as_str() == self.call.target
                && record.state.tags.get(OWNER_TAG).is_some_and(|tag| tag == owner)
        };
        let Some(last) = inventory.stacks.iter().rev().find(same) else { return };
        // Outputs are there once it was complete.
        let healthy = !last.state.outputs.is_empty();
        let held = last.counts.get("Table").is_some_and(|counts| counts.creates > 0);
        // Lists of what was deleted lag behind, and whoever has lost the journal has nothing else.
        let lately = self
            .view
            .deleted_at(&last.state.id)
            .is_none_or(|at| self.call.at.duration_since(at) < jiff::SignedDuration::from_mins(15));
        let excused = self.inner.forgetful && lately;
        let known = self.inner.ours.contains(last.state.id.as_str()) || self.inner.agreed.contains(&self.call.target);
        if last.is_deleted() && healthy && held && !known && !excused {
            self.blames.push(format!("S4 state: {owner} was deleted by somebody, and is made again, empty"));
        }
    }

    /// S2, S3, S4.
    fn delete(&mut self, desired: &Desired, key: &Key, stack: &StackState) {
        if stack.name.as_str().starts_with(FORGED) {
            self.blames.push(format!("S1 ownership: {} is somebody else's, and is deleted for its tag", stack.name));
        }
        self.inner.ours.insert(stack.id.to_string());
        let never_healthy = row(stack.status).standing == Standing::NeverHealthy;
        let Some(environment) = desired.environments.get(&key.environment) else {
            return self.blames.push(format!("S2 consent: {key} is deleted, and its environment is in no manifest"));
        };
        if row(stack.status).standing == Standing::Steady {
            *self.inner.deleted.entry(stack.name.to_string()).or_default() += 1;
        }
        let wanted = environment.stacks.get(key).is_some_and(|spec| spec.stack_name == stack.name);
        if wanted {
            // It may have been cleared away meanwhile by somebody else, who began its deletion.
            let gone = stack.status.as_str().starts_with("DELETE");
            if !never_healthy && !gone {
                self.blames.push(format!("S2 consent: {key} is wanted, is {}, and is deleted", stack.status));
            }
            return;
        }
        if let Some(gap) = environment.gaps.against(key) {
            self.blames.push(format!("S25 present: {key} is deleted, and {}", gap.why));
        }
        let mut wrong = |why: &str| self.blames.push(format!("S2 consent: {key} is deleted: {why}"));
        if environment.stacks.is_empty() {
            wrong("the revision describes nothing");
        }
        if environment.policy.prune != Prune::Always {
            wrong("pruning is not allowed");
        }
        if stack.tags.contains_key(RETAIN_TAG) {
            wrong("it is to be retained");
        }
        let environment_name = key.environment.to_string();
        let budget = environment.policy.budget;
        let now = self.call.at;
        let since = now.saturating_sub(jiff::SignedDuration::try_from(budget.per).unwrap()).unwrap();
        let deletions = &mut self.inner.deletions;
        deletions.push((environment_name.clone(), now));
        let recent = deletions.iter().filter(|(name, at)| *name == environment_name && *at > since).count();
        if u32::try_from(recent).unwrap() > budget.deletions {
            self.blames.push(format!("S3 blast radius: {recent} deletions in an hour, {} allowed", budget.deletions));
        }
        if self.holds_table(&stack.id) {
            self.blames.push(format!("S4 state: {key} holds a table and is deleted without approval"));
        }
    }

    /// It is in the stack, or in one that is nested in it.
    fn holds_table(&self, stack: &StackId) -> bool {
        let inventory = self.view.inventory();
        let mut within = vec![stack.clone()];
        while let Some(id) = within.pop() {
            let records = inventory.stacks.iter().filter(|record| !record.is_deleted());
            if records.clone().any(|record| record.state.id == id && record.resources.contains_key("Table")) {
                return true;
            }
            within.extend(
                records
                    .filter(|record| record.state.parent.as_ref() == Some(&id))
                    .map(|record| record.state.id.clone()),
            );
        }
        false
    }

    /// The changes of a change set, and of those below it.
    fn all_changes(&self, set: &ChangeSetState) -> Vec<ResourceChange> {
        let below = set.changes.iter().filter_map(|change| self.view.change_set(change.nested.as_ref()?));
        set.changes.iter().cloned().chain(below.flat_map(|set| self.all_changes(set))).collect()
    }

    /// S22: what is executed is what the manifest says. What a change set of the deployed template brings back is in no
    /// manifest.
    fn agreed(&mut self, environment: &Environment, key: &Key, set: &ChangeSetState) {
        let Some(spec) = environment.stacks.get(key).filter(|_| set.mode == DeploymentMode::Ordinary) else { return };
        if self.view.change_set_template(&set.id) != Some(&*spec.template.body) {
            self.blames.push(format!("S22 agreed: {key} is updated to another template than its manifest's"));
        }
        for (name, value) in &spec.parameters {
            let Parameter::Plain(text) = value else { continue };
            let (wanted, held) = (text.as_literal(), set.inputs.parameters.get(name));
            if wanted.is_some() && wanted != held.map(String::as_str) {
                self.blames.push(format!("S22 agreed: {key} is updated with {name} = {held:?} instead of {wanted:?}"));
            }
        }
    }

    /// S26: whatever the manifests say, the operator's word holds.
    fn deletes_under(&mut self, floor: Option<Policy>, desired: &Desired, key: &Key, stack: &StackState) {
        let Some(floor) = floor else { return };
        let environment = desired.environments.get(&key.environment);
        let wanted = environment.is_some_and(|environment| environment.stacks.contains_key(key));
        if wanted || row(stack.status).standing == Standing::NeverHealthy {
            return;
        }
        if floor.prune != crate::fleet::Prune::Always {
            self.blames.push(format!("S26 floor: {key} is deleted, and the operator lets nothing be pruned"));
        }
        if floor.deletions == 0 {
            self.blames.push(format!("S26 floor: {key} is deleted, and the operator allows no deletion"));
        }
    }

    fn executes_under(&mut self, floor: Option<Policy>, key: &Key) {
        if floor.is_none_or(|floor| floor.replace) {
            return;
        }
        let set = self.call.target.parse().ok().and_then(|id| self.view.change_set(&id));
        let lost = set.iter().flat_map(|set| &set.changes);
        let mut lost = lost.filter(|change| change.is_destructive() && change.kind == "AWS::DynamoDB::Table");
        if let Some(change) = lost.next() {
            self.blames.push(format!("S26 floor: {} of {key} is lost, which the operator forbids", change.resource));
        }
    }

    /// S21: drift is put back where that is asked for, and not fought over.
    fn revert(&mut self, key: &Key, stack: &str, action: DriftAction) {
        if action != DriftAction::Revert {
            self.blames.push(format!("S2 consent: drift of {key} is put back, and nothing says that it may be"));
        }
        let now = self.call.at;
        let hour = now.saturating_sub(jiff::SignedDuration::from_hours(1)).unwrap();
        let recent = self.inner.reverts.entry(stack.to_owned()).or_default();
        recent.retain(|at| *at > hour);
        recent.push(now);
        if recent.len() > 3 {
            self.blames.push(format!("S21 fight: drift of {key} is put back {} times within an hour", recent.len()));
        }
        self.inner.reverted += 1;
    }

    /// S4.
    fn execute(&mut self, desired: &Desired, key: &Key, stack: &StackState) {
        let Some(environment) = desired.environments.get(&key.environment) else { return };
        if !environment.stacks.contains_key(key) {
            return self.blames.push(format!("S2 consent: {key} is updated, and no manifest asks for it"));
        }
        let Some(set) = self.call.target.parse().ok().and_then(|id| self.view.change_set(&id)) else { return };
        let skipped = self.view.skipped(&stack.id);
        if !skipped.is_empty() && set.mode != DeploymentMode::RevertDrift {
            let names = skipped.join(", ");
            self.blames
                .push(format!("S7 out of step: {key} is updated, and {names} was skipped and not brought into step"));
        }
        self.agreed(environment, key, set);
        let policy = &environment.policy;
        if set.mode == DeploymentMode::RevertDrift && skipped.is_empty() {
            let action = environment.stacks.get(key).and_then(|spec| spec.drift).unwrap_or(policy.drift);
            self.revert(key, stack.id.as_str(), action);
        }
        for change in self.all_changes(set).iter().filter(|change| change.is_destructive() && !change.retained) {
            if change.kind == NESTED_STACK {
                let id = change.physical_id.as_ref().and_then(|id| id.parse().ok());
                if policy.replace != Replace::Allow && id.is_some_and(|id| self.holds_table(&id)) {
                    let what = &change.resource;
                    self.blames.push(format!("S4 state: {what} of {key} goes, and a table with it"));
                }
                continue;
            }
            if !policy.stateful_types.contains(&change.kind) {
                continue;
            }
            let scope: Scope = environment.scope.clone();
            let physical = change.physical_id.clone().unwrap_or_default();
            let backup = self.view.newest_backup(&scope, &change.kind, &physical);
            // The clocks of the two sides may differ by what the scenario sets them by.
            let fresh = backup.is_some();
            if policy.replace != Replace::Allow || !fresh {
                self.blames.push(format!(
                    "S4 state: {} of {key} ({}) is lost: replace is {:?}, backup {backup:?}",
                    change.resource, stack.name, policy.replace
                ));
            }
        }
    }
}
