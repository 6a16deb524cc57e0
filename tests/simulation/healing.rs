//! Nothing goes wrong any more: a run is healed, comes to what its manifests say, and is silent then (L1 to L3, L5, S20).

use std::collections::BTreeSet;
use std::time::Duration;

use landfast::model::{Act as _, Action, Difference, Digest, Entry, Guard, Refusal, StackStatus, Waiting};
use landfast::plan::{self, Goal, Input, OWNER_TAG, RETAIN_TAG, Standing, row};
use landfast::sim::Inventory;

use crate::fleet::{CANARY, Fleet, Prune, environment, object_name, stack_name};
use crate::rig::RESYNC;
use crate::run::Run;
use crate::scenario::Act;

/// The stack of the service.
const WEB_STACK: &str = "dev-shop-web";

/// How long an environment may take to converge when nothing goes wrong any more: a chain of stacks, each of which may
/// have to be cleared and created again, after a pause of at most an hour for what failed before. A stack whose service does
/// not become steady is held for three hours each time (AWS: *`AWS::ECS::Service`*), and its rollback is continued once.
const CONVERGES_WITHIN: Duration = Duration::from_hours(7);

impl Run<'_> {
    pub(crate) fn heal(&mut self) -> Result<(), String> {
        self.rig.cloud.clear_faults();
        crate::freezes::thaw(&self.rig);
        self.rig.commit(|repo| repo.glitch = None, true);
        if self.scenario.restart || !self.rig.is_running() {
            self.rig.start();
        }
        for record in self.rig.cloud.inventory().stacks.iter().filter(|record| !record.is_deleted()) {
            let _ = self.rig.console().release(&record.state.name);
        }
        self.take_back();
        // One last edit, of every stack: what failed for good is tried again because its inputs change.
        self.rig.commit(
            |repo| {
                repo.fleet.policy.replace = true;
                repo.fleet.policy.deletions = 50;
                for unit in repo.fleet.units.values_mut() {
                    unit.size = 42;
                }
                Self::edited_app(&mut repo.fleet);
            },
            true,
        );
        self.last_edit_of_app();
        // A person does what only a person may, as often as it takes.
        for _ in 0..6 {
            self.rig.pass(Duration::from_mins(20))?;
            self.person();
        }
        // One last change that nobody tells of.
        self.rig.pass(RESYNC)?;
        self.last_tampering();
        let fleet = self.rig.repo.lock().unwrap().fleet.clone();
        for number in fleet.units.keys() {
            self.act(*number, &Act::Size(9));
        }
        self.drift_of_app();
        Ok(())
    }

    /// What the reports ask a person to do.
    fn person(&mut self) {
        let fleet = self.rig.repo.lock().unwrap().fleet.clone();
        let wanted = wanted(&fleet);
        self.person_of_app();
        self.agree();
        for number in 0..8 {
            let _ = self.let_go(number);
        }
        let console = self.rig.console();
        for record in self.rig.cloud.inventory().stacks.iter().filter(|record| !record.is_deleted()) {
            let state = &record.state;
            let standing = row(state.status).standing;
            if let Some(table) = record.resources.get("Table") {
                console.set_newest_backup("AWS::DynamoDB::Table", table, Some(self.rig.cx.now()));
            }
            if state.parent.is_some() {
                // What becomes of a nested stack is its root's.
                continue;
            }
            let ours = state.tags.contains_key(OWNER_TAG);
            let foreign_in_the_way = !ours && wanted.contains(&state.name.to_string());
            let _ = console.continue_rollback(&state.name);
            let stuck = standing == Standing::Human;
            let unwanted = ours
                && !wanted.contains(&state.name.to_string())
                && !state.tags.contains_key(RETAIN_TAG)
                && standing != Standing::Busy;
            let never = standing == Standing::NeverHealthy && !ours;
            if foreign_in_the_way || stuck || unwanted || never {
                let _ = console.set_termination_protection(&state.name, false);
                let _ = console.delete_stack(&state.name);
            }
        }
    }

    /// Ends a rollback of the service's stack that has no end: the image to go back to is not in the registry any more.
    fn person_of_web(&self) {
        let inventory = self.rig.cloud.inventory();
        if inventory.stack(WEB_STACK).is_some_and(|web| web.state.status == StackStatus::UpdateRollbackFailed) {
            let _ = self.rig.console().delete_stack(&WEB_STACK.parse().unwrap());
        }
    }

    /// A person agrees to have made again, empty, what somebody has deleted; and to nothing else of the plan.
    fn agree(&self) {
        let Some(controller) = self.rig.controller() else { return };
        let desired = controller.board.desired();
        for environment in desired.environments.values() {
            let Some(Ok(looked)) = self.rig.clock.drive(controller.glance(&desired, environment)) else { continue };
            let again = |entry: &Entry| {
                entry.differences.iter().any(|one| matches!(one, Difference::Gone { .. }))
                    && entry.waiting.iter().any(|one| matches!(one, Waiting::Approval { .. }))
            };
            let (observation, memory, now) = (&looked.observation, &looked.memory, self.rig.cx.now());
            let (goal, busy) = (Goal::Converge, BTreeSet::new());
            let input = Input { desired: &desired, environment, observation, memory, now, goal, busy: &busy };
            let mut consent = plan::consent(&looked.plan, &input, "ann".to_owned(), now, false);
            consent.grants.retain(|key, _| looked.plan.entries.get(key).is_some_and(again));
            if consent.grants.is_empty() {
                continue;
            }
            for key in consent.grants.keys() {
                self.rig.truth.agrees(&looked.plan.entries[key].address.name);
            }
            let _ = controller.store().consent(&environment.name, Some(consent));
        }
    }

    /// L1.
    pub(crate) fn converge(&mut self) -> Result<(), String> {
        let began = self.rig.cx.elapsed();
        let mut last = Vec::new();
        while self.rig.cx.elapsed() - began < CONVERGES_WITHIN {
            self.rig.pass(Duration::from_mins(5))?;
            self.person_of_web();
            self.agree();
            last = self.wrong();
            if last.is_empty() {
                return Ok(());
            }
        }
        Err(format!("L1 convergence: not within {} h: {}", CONVERGES_WITHIN.as_secs() / 3600, last.join("; ")))
    }

    /// How the world is not as desired.
    fn wrong(&self) -> Vec<String> {
        let fleet = self.rig.repo.lock().unwrap().fleet.clone();
        let inventory = self.rig.cloud.inventory();
        let mut wrong = Vec::new();
        for (number, unit) in &fleet.units {
            let name = stack_name(*number);
            let Some(record) = inventory.stack(&name) else {
                wrong.push(format!("{name} does not exist"));
                continue;
            };
            let state = &record.state;
            if row(state.status).standing != Standing::Steady {
                wrong.push(format!("{name} is {}", state.status));
                continue;
            }
            if record.template != Digest::of_bytes(unit.template(*number).as_bytes()) {
                wrong.push(format!("{name} has another template"));
            }
            let upstream = unit.upstream.map_or("none".to_owned(), |other| {
                let size = fleet.units.get(&other).map(|unit| unit.size).unwrap_or_default();
                size.to_string()
            });
            let secret = format!("{CANARY}-{}", unit.secret);
            for (parameter, value) in [("Size", unit.size.to_string()), ("Upstream", upstream), ("Secret", secret)] {
                if record.parameters.get(parameter) != Some(&Digest::of_bytes(value.as_bytes())) {
                    wrong.push(format!("{name} has another {parameter} than {value}"));
                }
            }
            let owner = format!("{}/stack/{}", environment(*number), object_name(*number, unit));
            let tags =
                [(OWNER_TAG, Some(owner)), ("Edition", Some(unit.tag.to_string())), ("Team", Some("core".to_owned()))];
            for (tag, value) in tags {
                if state.tags.get(tag) != value.as_ref() {
                    wrong.push(format!("{name} has another tag {tag}"));
                }
            }
            if state.termination_protection != unit.protected {
                wrong.push(format!("{name} has another termination protection"));
            }
        }
        if fleet.web.as_ref().is_some_and(|web| web.stack) {
            let standing = inventory.stack(WEB_STACK).map(|record| record.state.status);
            if standing.is_none_or(|status| row(status).standing != Standing::Steady) {
                wrong.push(format!("{WEB_STACK} is {standing:?}"));
            }
        }
        wrong.extend(self.app_wrong(&fleet));
        wrong.extend(self.tampering_wrong(&fleet));
        wrong.extend(Self::unwanted(&fleet, &inventory));
        wrong
    }

    fn unwanted(fleet: &Fleet, inventory: &Inventory) -> Vec<String> {
        let live = inventory.stacks.iter().filter(|record| !record.is_deleted());
        let ours = live.filter(|record| record.state.tags.contains_key(OWNER_TAG));
        let gone = ours.filter(|record| {
            // A nested stack has the tags of its root, and goes with it.
            record.state.parent.is_none()
                && !wanted(fleet).iter().any(|name| name == record.state.name.as_str())
                && !record.state.tags.contains_key(RETAIN_TAG)
                && fleet.policy.prune == Prune::Always
        });
        gone.map(|record| format!("{} is still there: {}", record.state.name, record.state.status)).collect()
    }

    /// L2, L5, S20, and that the daemon agrees.
    pub(crate) fn quiet(&mut self) -> Result<(), String> {
        // What was made for an update that turned out not to be needed is removed first.
        self.rig.pass(RESYNC * 2)?;
        let (before, calls) = (self.rig.truth.mutations(), self.rig.cloud.calls());
        self.rig.pass(RESYNC * 2)?;
        let made = self.rig.truth.mutations() - before;
        if made != 0 {
            return Err(format!("L2 silence: {made} mutating calls in two resyncs after convergence"));
        }
        let calls = self.rig.cloud.calls() - calls;
        let app = 12 * self.scenario.fleet.app.size() + if self.scenario.fleet.web.is_some() { 30 } else { 0 };
        let looks = crate::tampering::calls(&self.scenario.fleet);
        if calls > 60 + looks + u64::try_from(app).unwrap() {
            return Err(format!("L5 calls: {calls} calls in two quiet resyncs"));
        }
        let wrong = self.wrong();
        if !wrong.is_empty() {
            return Err(format!("L1 convergence: it did not stay: {}", wrong.join("; ")));
        }
        let leftovers: Vec<String> =
            self.rig.cloud.inventory().leftovers().into_iter().filter(|left| left.contains("landfast-")).collect();
        // Theirs carry names like ours, and are left alone.
        let leftovers = if self.scenario.hostile { Vec::new() } else { leftovers };
        let uploads = self.rig.cloud.inventory().versions;
        let uploads: Vec<_> = uploads.iter().filter(|(_, key)| key.starts_with("landfast/change-sets/")).collect();
        if !uploads.is_empty() && !self.scenario.hostile {
            return Err(format!("S20 no residue: {uploads:?}"));
        }
        if !leftovers.is_empty() {
            return Err(format!("S20 no residue: {}", leftovers.join(", ")));
        }
        let kept = self.app_kept();
        if !kept.is_empty() {
            return Err(kept.join("; "));
        }
        let plan = self.plan();
        if !plan.is_empty() {
            return Err(format!("O1 ready: all is as desired, and the daemon says: {}", plan.join("; ")));
        }
        Ok(())
    }

    /// What the planner says of everything that is not in sync.
    pub(crate) fn plan(&self) -> Vec<String> {
        let Some(controller) = self.rig.controller() else { return vec!["the daemon is not running".to_owned()] };
        let desired = controller.board.desired();
        let mut lines = Vec::new();
        let cx = self.rig.cx.clone();
        for environment in desired.environments.values() {
            let looked = self
                .rig
                .clock
                .drive(async { cx.timeout(Duration::from_mins(10), controller.glance(&desired, environment)).await });
            let Some(Some(Ok(looked))) = looked else {
                lines.push(format!("{} could not be looked at", environment.name));
                continue;
            };
            for (key, entry) in &looked.plan.entries {
                let text = format!("{entry:?}");
                if text.contains(CANARY) {
                    lines.push(format!("S12 secrets: the plan of {key} shows one"));
                }
                // The old place of a record that was renamed stays like whatever else may not be pruned, or not yet.
                let pruned = |refusal: &Refusal| refusal.guard == Guard::Prune;
                let asked = |waiting: &Waiting| matches!(waiting, Waiting::Approval { .. });
                let held = !entry.refused.is_empty() || !entry.waiting.is_empty();
                let former = entry.ready && held && entry.refused.iter().all(pruned) && entry.waiting.iter().all(asked);
                let left = matches!(entry.action, Action::Retain | Action::Delete) || former;
                if entry.action == Action::None && entry.ready && entry.step.is_none() || left {
                    continue;
                }
                let memory = looked.memory.objects.stacks.get(key);
                lines.push(format!(
                    "{key}: {:?} {:?} differs {:?} waits {:?} refused {:?} step {:?} pending {:?} attempts {:?} change sets {:?}",
                    entry.action,
                    entry.status,
                    entry.differences,
                    entry.waiting,
                    entry.refused,
                    entry.step.as_ref().map(|step| step.action.verb()),
                    memory.and_then(|memory| memory.pending.as_ref()).map(|pending| (pending.kind, &pending.token)),
                    memory.and_then(|memory| memory.attempts.as_ref()),
                    memory.map(|memory| &memory.prepared),
                ));
            }
        }
        lines
    }
}

/// The names of all stacks that the manifests want.
fn wanted(fleet: &Fleet) -> Vec<String> {
    let web = fleet.web.iter().filter(|web| web.stack).map(|_| WEB_STACK.to_owned());
    fleet.units.keys().map(|number| stack_name(*number)).chain(web).collect()
}
