//! The doctor: what ails each stack, what shows it, and what would cure it.
//!
//! A diagnosis is data. It decides nothing by itself: what policy lets Landfast do is in the entry's step, and is done
//! whether anybody looks or not. The remedy says which of three it is: done by itself, one command, or a person's
//! decision, and then between what.

mod census;
mod command;
mod deletion;
mod events;
mod exports;
mod gone;
mod leftovers;
mod lost;
mod rollback;
mod service;
mod stalled;
mod strangers;

pub use census::census;
pub(super) use deletion::blockers;
pub(crate) use events::{are_recent, last_phase, last_update, working};
pub(super) use rollback::by_hand;
pub(super) use rollback::{NoSet, culprits, names};

use std::collections::BTreeSet;
use std::sync::Arc;

use self::command::aws;
use self::stalled::{REREAD, SUSPECT};
use super::drift::reverting;
use super::planner::Planner;
use super::standing::{Standing, row};
use crate::model::{
    Action, Ailment, Choice, Diagnosis, Entry, Guard, Key, Kind, ObservedStack, Remedy, Seen, StackAddress,
    StackMemory, StackNeed, StackStatus, Waiting, Watched,
};

/// Adds to every entry of a stack what ails it.
pub(super) fn examine(planner: &mut Planner<'_>) {
    let found: Vec<(Key, Vec<Diagnosis>)> = planner
        .entries
        .iter()
        .filter(|(key, _)| key.kind == Kind::Stack)
        .filter_map(|(key, entry)| {
            let address = entry.address.as_stack()?;
            let memory = planner.remembered::<StackMemory>(key);
            let patient = Patient { planner, key, entry, address, memory };
            let mut ailments = patient.ailments();
            ailments.sort();
            (!ailments.is_empty()).then(|| (key.clone(), ailments))
        })
        .collect();
    for (key, ailments) in found {
        if let Some(entry) = planner.entries.get_mut(&key) {
            entry.ailments = ailments;
        }
    }
}

/// One stack, as its entry in the plan sees it.
struct Patient<'a> {
    planner: &'a Planner<'a>,
    key: &'a Key,
    entry: &'a Entry,
    address: StackAddress,
    memory: Arc<StackMemory>,
}

impl Patient<'_> {
    fn ailments(&self) -> Vec<Diagnosis> {
        if let Some(lost) = lost::diagnosis(self) {
            return vec![lost];
        }
        let mut found = lost::left_behind(self);
        let Seen::Present(stack) = self.planner.input.observation.stack(&self.address) else { return found };
        let status = stack.state.status;
        match status {
            StackStatus::UpdateRollbackFailed => found.push(self.rollback_failed(stack)),
            StackStatus::UpdateFailed => found.push(self.update_failed()),
            StackStatus::ImportRollbackFailed => found.push(self.import_failed()),
            StackStatus::DeleteFailed => found.push(self.deletion_failed(stack)),
            status if status.is_in_progress() => {
                found.extend(self.stalled(stack));
                found.extend(service::diagnosis(self.planner, self.key, &self.address, &stack.state));
            }
            status if row(status).standing == Standing::NeverHealthy => {
                found.push(leftovers::diagnosis(self.key, &self.address, stack, self.entry));
            }
            _ => {}
        }
        found.extend(self.out_of_step(stack));
        found.extend(gone::diagnoses(self, stack));
        if self.entry.action == Action::Delete {
            found.extend(strangers::unproven(self.key, &self.address, &self.memory, stack));
        }
        found.extend(strangers::diagnosis(self.key, &self.address, &self.memory, stack));
        if self.entry.refused.iter().any(|refusal| refusal.guard == Guard::ExportInUse) {
            found.extend(exports::diagnoses(self.planner, self.key, &self.address, stack));
        }
        found
    }

    fn of(&self, ailment: Ailment, remedy: Remedy) -> Diagnosis {
        Diagnosis::of(&self.address, ailment, remedy).about(self.key)
    }

    fn by_itself(&self, ailment: Ailment, what: &str) -> Diagnosis {
        self.of(ailment, Remedy::Automatic { what: what.to_owned() })
    }

    /// Whatever a person has to approve is approved with the plan.
    fn approval(&self) -> Option<String> {
        self.entry.waiting.iter().find_map(|waiting| match waiting {
            Waiting::Approval { command } => Some(command.clone()),
            _ => None,
        })
    }

    fn rollback_failed(&self, stack: &ObservedStack) -> Diagnosis {
        let since = stack.state.updated;
        let ailment = Ailment::RollbackFailed;
        if self.entry.step.is_some() && self.approval().is_none() {
            let skips = self.entry.differences.iter().any(|one| matches!(one, crate::model::Difference::Skip { .. }));
            let what = if skips {
                "continues the rollback and skips the approved resources"
            } else {
                "continues the rollback, once"
            };
            return self.by_itself(ailment, what).since(since);
        }
        let reason = stack.state.status_reason.clone().map(|reason| format!("AWS says: {reason}"));
        let again = Choice::new(
            "fix the failed resources and continue the rollback with all resources",
            [aws(&self.address, "continue-update-rollback", "")],
        );
        let (evidence, mut choices) = match culprits(&self.address, stack) {
            Ok(found) => {
                let names = names(&found).into_iter().collect::<Vec<_>>();
                let skip =
                    aws(&self.address, "continue-update-rollback", &format!("--resources-to-skip {}", names.join(" ")));
                let without = match self.approval() {
                    Some(command) => Choice::new(
                        format!(
                            "continue it and skip {}: they are not changed, and are synced with the stack before any \
                            other update",
                            names.join(", ")
                        ),
                        [command],
                    ),
                    None => Choice::new(
                        format!("continue it manually without {}, and sync them manually", names.join(", ")),
                        [skip],
                    ),
                };
                let evidence = found.iter().map(|one| format!("{} ({}): {}", one.name, one.kind, one.reason));
                (evidence.collect::<Vec<_>>(), vec![without])
            }
            Err(NoSet::Need(need)) => {
                self.planner.need(*need);
                (vec!["its events have not been read".to_owned()], Vec::new())
            }
            Err(NoSet::Unknown(why)) => (vec![why], Vec::new()),
            Err(NoSet::Nothing) => {
                (vec!["no event shows which resource the rollback failed on".to_owned()], Vec::new())
            }
        };
        choices.insert(0, again);
        let what = "how to continue its rollback".to_owned();
        self.of(ailment, Remedy::Decision { what, choices }).since(since).shown_by(reason).shown_by(evidence)
    }

    fn out_of_step(&self, stack: &ObservedStack) -> Option<Diagnosis> {
        let skipped = self.memory.skipped.as_deref().filter(|skipped| skipped.stack == stack.state.id)?;
        let names = skipped.resources.iter().cloned().collect::<Vec<_>>().join(", ");
        let refused = self.entry.refused.iter().find(|refusal| refusal.guard == Guard::OutOfStep);
        let remedy = match refused {
            None => Remedy::Automatic {
                what: "syncs them with the stack with a drift-aware change set before any other update".to_owned(),
            },
            Some(_) => Remedy::Decision {
                what: "whether they match the stack's template".to_owned(),
                choices: vec![self.by_hand(&skipped.resources)],
            },
        };
        let why = refused.map(|refusal| refusal.reason.clone());
        let evidence = format!("its rollback was continued without {names}");
        Some(self.of(Ailment::OutOfStep, remedy).since(Some(skipped.since)).shown_by([evidence]).shown_by(why))
    }

    /// What a rollback was continued without, brought into step by a person.
    fn by_hand(&self, skipped: &BTreeSet<String>) -> Choice {
        let nested: BTreeSet<&str> =
            skipped.iter().filter_map(|name| name.split_once('.')).map(|(stack, _)| stack).collect();
        let mut commands = vec![aws(&self.address, "get-template", "--query TemplateBody")];
        let region = &self.address.scope.region;
        commands.extend(nested.into_iter().flat_map(|stack| reverting(region, stack, &[])));
        commands.push(format!("landfast doctor --in-step {}", self.key));
        Choice::new("make them match manually, then confirm it: after that, the stack is updated again", commands)
    }

    fn update_failed(&self) -> Diagnosis {
        let choices = vec![
            Choice::new("roll back to the previous state", [aws(&self.address, "rollback-stack", "")]),
            Choice::new("fix what failed and retry the update manually", []),
        ];
        let what = "whether to roll back: rollback was disabled".to_owned();
        self.of(Ailment::UpdateFailed, Remedy::Decision { what, choices })
    }

    fn import_failed(&self) -> Diagnosis {
        let looks = aws(&self.address, "describe-stack-events", "--max-items 50");
        let choices = vec![Choice::new(
            "fix the resources that its events show; Landfast continues when the stack is in a final state",
            [looks],
        )];
        let what = "how to repair it: no API call leaves this status".to_owned();
        self.of(Ailment::ImportFailed, Remedy::Decision { what, choices })
    }

    fn deletion_failed(&self, stack: &ObservedStack) -> Diagnosis {
        let again = aws(&self.address, "delete-stack", "");
        let found = match blockers(&self.address, stack) {
            Ok(found) => found,
            Err(missing) => {
                let why = match missing {
                    NoSet::Need(need) => {
                        self.planner.need(*need);
                        "its events have not been read".to_owned()
                    }
                    NoSet::Unknown(why) => why,
                    NoSet::Nothing => "no event shows which resource it failed on".to_owned(),
                };
                let choices = vec![Choice::new("retry the deletion", [again])];
                let what = "how to continue its deletion".to_owned();
                return self.of(Ailment::DeletionFailed, Remedy::Decision { what, choices }).shown_by([why]);
            }
        };
        let names = found.iter().map(|one| one.resource.clone()).collect::<Vec<_>>();
        let mut unblock: Vec<String> =
            found.iter().flat_map(|blocker| deletion::unblock(blocker, &self.address.scope)).collect();
        unblock.push(again);
        let keep = match self.approval() {
            Some(command) => command,
            None => aws(&self.address, "delete-stack", &format!("--retain-resources {}", names.join(" "))),
        };
        let choices = vec![
            Choice::new("remove what blocks it, then retry the deletion", unblock),
            Choice::new(format!("delete the stack and retain {} in the account", names.join(", ")), [keep]),
        ];
        let evidence = found.iter().map(|one| format!("{} ({}): {}", one.resource, one.kind, one.reason));
        let what = "what to do with the resources that could not be deleted".to_owned();
        self.of(Ailment::DeletionFailed, Remedy::Decision { what, choices }).shown_by(evidence)
    }

    fn stalled(&self, stack: &ObservedStack) -> Option<Diagnosis> {
        let now = self.planner.input.now;
        let state = &stack.state;
        let pending = self.memory.pending.as_ref().map(|operation| operation.started);
        let began = pending.or(state.updated).unwrap_or(state.created);
        if now.duration_since(began) < SUSPECT {
            return None;
        }
        let watched = self.watched(stack)?;
        stalled::is_stalled(&watched, now).then(|| stalled::diagnosis(self.key, &self.address, state, &watched, now))
    }

    /// When something last happened in it: read a moment ago, or remembered.
    fn watched(&self, stack: &ObservedStack) -> Option<Watched> {
        let now = self.planner.input.now;
        let state = &stack.state;
        let fresh = self.memory.watched.as_deref().filter(|watched| {
            watched.stack == state.id && watched.status == state.status && now.duration_since(watched.at) < REREAD
        });
        if let Some(watched) = fresh {
            return Some(watched.clone());
        }
        match stack.events.get(&state.id) {
            Some(Seen::Present(events)) => watch(stack, events, now),
            Some(Seen::Absent | Seen::Unknown(_)) => None,
            None => {
                let (address, id) = (self.address.clone(), state.id.clone());
                self.planner.need(StackNeed::Events(address, id, Some(state.status)));
                None
            }
        }
    }
}

/// How far an operation is, by its events.
#[must_use]
pub fn watch(stack: &ObservedStack, events: &[crate::model::StackEvent], now: jiff::Timestamp) -> Option<Watched> {
    let id = &stack.state.id;
    let phase = last_phase(events, id)?;
    let newest = phase.first()?.at;
    Some(Watched { stack: id.clone(), status: stack.state.status, at: now, newest, working: working(phase, id) })
}
